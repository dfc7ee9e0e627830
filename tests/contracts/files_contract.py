"""What every file store must do."""

import asyncio
import hashlib

import pytest

from bot.domain.ports import Files

MISSING = hashlib.sha256(b"nobody kept this").hexdigest()
NO_KEYS = (
    *("", ".", "..", "../secret", "/etc/passwd", "a" * 63, "g" * 64, "٣" * 64, MISSING.upper()),
    *(f"{MISSING}\n", f"{MISSING[:30]}/../{MISSING[34:]}", f"{MISSING[:63]}\0"),
)


class FilesContract:
    """Inherit, and give a fresh and empty file store."""

    @pytest.fixture
    def files(self) -> Files:
        raise NotImplementedError

    @pytest.mark.parametrize(
        "content", [b"\x89PNG\r\n\x1a\n\0", b"", b"x" * 5 * 2**20], ids=["PNG", "empty", "5 MiB"]
    )
    async def test_content_comes_back_by_its_hash(self, files: Files, content: bytes) -> None:
        key = await files.put(content)
        assert key == hashlib.sha256(content).hexdigest()
        assert await files.get(key) == content

    async def test_the_same_content_is_one_file(self, files: Files) -> None:
        keys = await asyncio.gather(*(files.put(b"the same") for _ in range(20)))
        assert len(set(keys)) == 1
        await files.delete(keys[0])
        assert await files.get(keys[0]) is None

    async def test_other_files_stay_when_one_is_deleted(self, files: Files) -> None:
        one, two = await files.put(b"one"), await files.put(b"two")
        await files.delete(one)
        assert await files.get(two) == b"two"

    async def test_what_was_deleted_can_be_put_again(self, files: Files) -> None:
        key = await files.put(b"again")
        await files.delete(key)
        assert await files.put(b"again") == key
        assert await files.get(key) == b"again"

    async def test_every_file_is_listed(self, files: Files) -> None:
        assert await files.keys() == []
        keys = {await files.put(b"one"), await files.put(b"two"), await files.put(b"two")}
        await files.delete(await files.put(b"three"))
        assert sorted(await files.keys()) == sorted(keys)

    async def test_what_is_not_there_is_none_and_can_be_deleted(self, files: Files) -> None:
        assert await files.get(MISSING) is None
        await files.delete(MISSING)

    @pytest.mark.parametrize("key", NO_KEYS)
    async def test_a_key_that_is_none_names_no_file(self, files: Files, key: str) -> None:
        assert await files.get(key) is None
        await files.delete(key)
