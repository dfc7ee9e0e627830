"""The archive that a Rasa server hands over: read as far as it names the model, whatever else it is."""

import io
import tarfile

import pytest

from bot.domain.errors import BadData
from nlu.rasa.training import _own_id


def archive(metadata: bytes, before: int = 0) -> bytes:
    """`before`: bytes of a file that comes first."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name, content in (("components/weights", bytes(before)), ("./metadata.json", metadata)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("before", [0, 5_000_000])
def test_the_metadata_name_the_model_wherever_in_the_archive_they_are(before: int) -> None:
    assert _own_id(archive(b'{"model_id": "7d2f"}', before)) == "7d2f"


@pytest.mark.parametrize(
    "metadata",
    [
        b"[]",
        b'"text"',
        b"null",
        b"[" * 100_000,
        b"{}",
        b'{"model_id": ["7d2f"]}',
        b'{"model_id": ""}',
        b"\xff",
    ],
    ids=["a list", "a text", "nothing", "brackets", "no id", "ids", "an empty id", "bytes"],
)
def test_metadata_that_name_no_model_are_bad_data(metadata: bytes) -> None:
    with pytest.raises(BadData, match=r"cannot be read .*is it Rasa 3\.6\?"):
        _own_id(archive(metadata))


@pytest.mark.parametrize("content", [b"", b"no archive", archive(b"{}")[:60]], ids=["empty", "none", "cut"])
def test_what_is_no_archive_is_bad_data(content: bytes) -> None:
    with pytest.raises(BadData, match="is it Rasa"):
        _own_id(content)


def test_a_small_archive_that_becomes_a_flood_is_left_before_it_is_unpacked() -> None:
    with pytest.raises(BadData, match="ValueError"):
        _own_id(archive(b'{"model_id": "7d2f"}', 50_000_000))
