"""Files on the local disk keep the contract of files."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from bot.domain.errors import BadData, StoreUnavailable
from bot.stores.files import LocalFiles
from tests.contracts.files_contract import FilesContract

KEY = hashlib.sha256(b"content").hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "var" / "files"


@pytest.fixture
def files(folder: Path) -> LocalFiles:
    return LocalFiles(folder)


class TestLocalFiles(FilesContract):
    @pytest.fixture
    def files(self, folder: Path) -> LocalFiles:
        return LocalFiles(folder)


async def test_a_file_lies_two_folders_deep_for_the_owner_only(folder: Path, files: LocalFiles) -> None:
    await files.put(b"content")
    path = folder / KEY[:2] / KEY[2:4] / KEY
    modes = [place.stat().st_mode & 0o777 for place in (path, path.parent, path.parent.parent, folder)]
    assert modes == [0o600, 0o700, 0o700, 0o700]


async def test_files_outlive_the_process(folder: Path, files: LocalFiles) -> None:
    key = await files.put(b"content")
    assert await LocalFiles(folder).get(key) == b"content"


async def test_a_key_reaches_nothing_outside_the_folder(folder: Path, files: LocalFiles) -> None:
    secret = folder.parent / "secret"
    secret.touch()
    await files.delete("../secret")
    assert await files.get("../secret") is None
    assert secret.exists()


def contents(folder: Path) -> list[Path]:
    return [place for place in folder.rglob("*") if place.is_file()]


async def test_a_full_disk_leaves_no_half_file(
    folder: Path, files: LocalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreUnavailable, match="No space left on device"):
            await files.put(b"content")
    assert contents(folder) == []
    assert await files.put(b"content") == KEY


async def test_a_file_is_on_the_disk_before_it_has_its_name(
    folder: Path, files: LocalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda _: named.append(bool(list(folder.rglob(KEY)))))
    await files.put(b"content")
    assert named == [False, False, False, True]  # both folders, the content, then its name


def test_a_place_where_no_folder_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadData, match=r"file/files cannot be used for files \(Not a directory\)"):
        LocalFiles(tmp_path / "file" / "files")


async def test_a_disk_that_fails_is_unavailable(folder: Path, files: LocalFiles) -> None:
    (folder / KEY[:2] / KEY[2:4] / KEY).mkdir(parents=True)
    with pytest.raises(StoreUnavailable, match="could not be read"):
        await files.get(KEY)
    with pytest.raises(StoreUnavailable, match="could not be deleted"):
        await files.delete(KEY)
