"""What may be sent as a file is told by its content."""

import struct
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import MalformedPayload
from bot.web.chat.uploads import disposition, recognise, safe_name


def png(width: int = 2, height: int = 2) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + bytes(2)) * 2)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg(width: int = 2, height: int = 2) -> bytes:
    app = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0" + bytes(9)
    frame = b"\xff\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\0"
    scan = b"\xff\xda" + struct.pack(">H", 8) + bytes(6)
    return b"\xff\xd8" + app + frame + scan + b"data" + b"\xff\xd9"


def gif(width: int = 1, height: int = 1) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + bytes(3) + b"," + bytes(12) + b";"


def webp() -> bytes:
    body = b"WEBPVP8L" + struct.pack("<I", 8) + b"\x2f" + bytes(7)
    return b"RIFF" + struct.pack("<I", len(body)) + body


PNG, JPEG, GIF, WEBP = png(), jpeg(), gif(), webp()
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\nstartxref\n9\n%%EOF\n"
GOOD = {"image/png": PNG, "image/jpeg": JPEG, "image/gif": GIF, "image/webp": WEBP, "application/pdf": PDF}


@pytest.mark.parametrize(("mime", "content"), GOOD.items(), ids=list(GOOD))
def test_pictures_and_pdf_are_known_by_their_content(mime: str, content: bytes) -> None:
    assert recognise(content).mime == mime


@pytest.mark.parametrize("content", GOOD.values(), ids=list(GOOD))
def test_a_file_that_was_cut_short_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedPayload):
        recognise(content[: len(content) // 2])


@pytest.mark.parametrize(
    "content",
    [b"", b"<svg/>", b"<html>", b"MZ", b"PK\x03\x04", b"GIF87", b" " + PNG, b"RIFF0000WAVE", b"%PDF-x"],
)
def test_everything_else_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedPayload, match="Only pictures"):
        recognise(content)


@pytest.mark.parametrize("content", [png(60000, 60000), jpeg(60000, 60000), gif(65535, 65535), png(0, 5)])
def test_a_picture_that_would_unpack_to_gigabytes_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedPayload, match="damaged"):
        recognise(content)


@pytest.mark.parametrize("tiny", [b"\xff", b"\xff\xd0", b"\xff\xe0\0\x02"])
def test_five_megabytes_of_tiny_segments_keep_nobody_waiting(tiny: bytes) -> None:
    content = b"\xff\xd8" + tiny * (5_000_000 // len(tiny))
    started = time.process_time()
    with pytest.raises(MalformedPayload):
        recognise(content)
    assert time.process_time() - started < 0.2


@given(st.sampled_from(list(GOOD.values())), st.data())
def test_no_bytes_break_it(content: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(content)))
    try:
        recognise(content[:cut] + data.draw(st.binary(max_size=40)))
    except MalformedPayload:
        return


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("kaputt.png", "kaputt.png"),
        ("Kaputte Tür.PNG", "Kaputte Tür.png"),
        ("../../etc/passwd", "passwd.png"),
        ("C:\\fakepath\\bild.png", "bild.png"),
        ("virus.html", "virus.html.png"),
        ("evil\u202egnp.exe", "evilgnp.exe.png"),
        ("a\r\nSet-Cookie: x.png", "aSet-Cookie x.png"),
        ("", "file.png"),
        ("....", "file.png"),
        ("x" * 300 + ".png", "x" * 100 + ".png"),
    ],
)
def test_a_name_is_made_safe_and_fits_the_content(name: str, safe: str) -> None:
    assert safe_name(name, recognise(PNG)) == safe


def test_a_photo_keeps_the_ending_its_camera_gave_it() -> None:
    assert safe_name("IMG_1.jpeg", recognise(JPEG)) == "IMG_1.jpeg"


def test_pictures_are_shown_and_documents_saved() -> None:
    assert disposition("image/png", "Tür.png") == "inline; filename*=UTF-8''T%C3%BCr.png"
    assert disposition("application/pdf", 'a".pdf').startswith("attachment; filename*=UTF-8''a%22")
