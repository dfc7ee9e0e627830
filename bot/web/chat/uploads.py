"""What a customer may send as a file: told by its content, never by its name."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from urllib.parse import quote

from msgspec import Struct

from bot.domain.errors import MalformedPayload
from bot.domain.messages import AttachmentKind

FILE_LIMIT = 5 * 1024 * 1024
NAME_LIMIT = 100
# A picture of more unpacks to gigabytes in the browser of whoever looks at it.
PIXEL_LIMIT = 100_000_000
UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|\u202a-\u202e\u2066-\u2069]")
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
JPEG_MARKER = re.compile(rb"\xff+([^\xff])", re.DOTALL)
JPEG_SEGMENTS = 1000  # before the picture's data; five megabytes of tiny ones would keep the loop busy


class FileType(Struct, frozen=True, kw_only=True):
    kind: AttachmentKind
    mime: str
    endings: tuple[str, ...]  # the first is given to a file that has none of them
    looks_right: Callable[[bytes], bool]


def recognise(content: bytes) -> FileType:
    """The type of a file by its first bytes and its structure; raises `MalformedPayload`."""
    for magic, found in TYPES:
        if magic.match(content):
            if found.looks_right(content):
                return found
            raise MalformedPayload("The file is damaged or not what it says it is.")
    raise MalformedPayload("Only pictures (JPEG, PNG, GIF, WebP) and PDF files can be sent.")


def safe_name(name: str, found: FileType) -> str:
    """A name that can be shown and saved anywhere, with an ending that fits the content."""
    base = UNSAFE.sub("", name.replace("\\", "/").rpartition("/")[2]).strip(". ")
    path = PurePosixPath(base or "file")
    stem = path.stem if path.suffix.lower() in found.endings else path.name
    ending = path.suffix.lower() if path.suffix.lower() in found.endings else found.endings[0]
    return stem[:NAME_LIMIT] + ending


def disposition(found_mime: str, name: str) -> str:
    """Pictures are shown, everything else is saved; the name as in RFC 6266."""
    how = "inline" if found_mime.startswith("image/") else "attachment"
    return f"{how}; filename*=UTF-8''{quote(name, safe='')}"


def _sane(width: int, height: int) -> bool:
    return 0 < width * height <= PIXEL_LIMIT


def _jpeg(content: bytes) -> bool:
    sizes = list(_jpeg_frames(content))
    return bool(sizes) and all(_sane(*size) for size in sizes) and b"\xff\xd9" in content


def _jpeg_frames(content: bytes) -> Iterator[tuple[int, int]]:
    """Width and height of each frame, up to the picture's data."""
    at = 2
    for _ in range(JPEG_SEGMENTS):
        found = JPEG_MARKER.match(content, at)
        if not found or found[1] == b"\xda" or len(content) < found.end() + 7:
            return
        marker, at = found[1][0], found.end()
        if marker in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", content, at + 3)
            yield width, height
        at += 0 if marker in JPEG_BARE else struct.unpack_from(">H", content, at)[0]
    yield 0, 0  # no camera makes so many


def _png(content: bytes) -> bool:
    if len(content) < 33 or content[12:16] != b"IHDR" or b"IEND" not in content:
        return False
    return _sane(*struct.unpack_from(">II", content, 16))


def _gif(content: bytes) -> bool:
    return len(content) > 13 and _sane(*struct.unpack_from("<HH", content, 6)) and b";" in content[-1024:]


def _webp(content: bytes) -> bool:
    if len(content) < 20 or content[12:16] not in {b"VP8 ", b"VP8L", b"VP8X"}:
        return False
    return bool(struct.unpack_from("<I", content, 4)[0] + 8 <= len(content))


def _pdf(content: bytes) -> bool:
    return b"%%EOF" in content[-4096:] and b" obj" in content


IMAGE = AttachmentKind.IMAGE
TYPES: tuple[tuple[re.Pattern[bytes], FileType], ...] = (
    (
        re.compile(rb"\xff\xd8\xff"),
        FileType(kind=IMAGE, mime="image/jpeg", endings=(".jpg", ".jpeg", ".jfif"), looks_right=_jpeg),
    ),
    (
        re.compile(rb"\x89PNG\r\n\x1a\n"),
        FileType(kind=IMAGE, mime="image/png", endings=(".png",), looks_right=_png),
    ),
    (
        re.compile(rb"GIF8[79]a"),
        FileType(kind=IMAGE, mime="image/gif", endings=(".gif",), looks_right=_gif),
    ),
    (
        re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
        FileType(kind=IMAGE, mime="image/webp", endings=(".webp",), looks_right=_webp),
    ),
    (
        re.compile(rb"%PDF-[12]\.\d"),
        FileType(kind=AttachmentKind.DOCUMENT, mime="application/pdf", endings=(".pdf",), looks_right=_pdf),
    ),
)
