"""Bodies within their limits: all of it is read first, and a form is then cut at its boundaries.

A reader that goes from line to line is kept busy for seconds by a few megabytes of empty parts.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterable, AsyncIterator
from urllib.parse import unquote

from aiohttp import web
from msgspec import Struct

from bot.domain.errors import MalformedPayload, PayloadTooLarge
from bot.web.headers import octets

CHUNK = 64 * 1024
SILENT_SECONDS = 30  # whoever sends nothing for so long is gone
SLOWEST_SECONDS = 300  # for all of it; 5 MiB take a slow line three minutes
MOST_PARTS = 50
LONGEST_BOUNDARY = 70  # RFC 2046
BROKEN = "The multipart body is broken; send it whole, with one file."
LONGEST_HEAD = 4096  # bytes before a part's content: a name of 255 characters fits, however it is written
PARAMETER = re.compile(r';\s*([^\s;="]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"]*))\s*')


class Part(Struct, frozen=True, kw_only=True):
    name: str
    filename: str  # "" for a plain field
    content: bytes

    def __repr__(self) -> str:
        return f"<Part of {len(self.content)} bytes>"


async def read_body(request: web.Request, limit: int, otherwise: str) -> bytes:
    """All of it; raises `PayloadTooLarge` as soon as there is more than `limit` bytes."""
    data = bytearray()
    async for chunk in _patiently(request.content.iter_chunked(CHUNK)):
        data += chunk
        if len(data) > limit:
            raise PayloadTooLarge(otherwise)
    return bytes(data)


async def read_parts(request: web.Request, limit: int, otherwise: str) -> list[Part]:
    """A form's parts, https://www.rfc-editor.org/rfc/rfc7578; raises `MalformedPayload` or `PayloadTooLarge`."""
    boundary = _parameters(request.headers.get("Content-Type", "")).get("boundary", "")
    if request.content_type != "multipart/form-data" or not 0 < len(boundary) <= LONGEST_BOUNDARY:
        raise MalformedPayload("Send the file as multipart/form-data.")
    body = await read_body(request, limit, otherwise)
    pieces = (b"\r\n" + body).split(b"\r\n--" + octets(boundary), MOST_PARTS + 2)
    end = next((at for at, piece in enumerate(pieces) if piece.startswith(b"--")), 0)
    if not 0 < end <= MOST_PARTS + 1:
        raise MalformedPayload(BROKEN)
    return [_part(piece) for piece in pieces[1:end]]


async def _patiently(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Raises `MalformedPayload` when the other side falls silent in the middle, or goes on for ever."""
    waiting, until = aiter(chunks), asyncio.get_running_loop().time() + SLOWEST_SECONDS
    while True:
        try:
            async with asyncio.timeout(min(SILENT_SECONDS, until - asyncio.get_running_loop().time())):
                chunk = await anext(waiting)
        except StopAsyncIteration:
            return
        except TimeoutError as exc:
            raise MalformedPayload("The body did not arrive; send it again.") from exc
        yield chunk


def _part(piece: bytes) -> Part:
    head, end, content = piece.partition(b"\r\n\r\n")
    if not end or len(head) > LONGEST_HEAD:
        raise MalformedPayload(BROKEN)
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            told = _parameters(value)
            return Part(name=told.get("name", ""), filename=_filename(told), content=content)
    raise MalformedPayload("A part of the multipart body has no name.")


def _filename(told: dict[str, str]) -> str:
    """As it is, or as a few programs write it, https://www.rfc-editor.org/rfc/rfc8187."""
    return unquote(told.get("filename*", "").rpartition("'")[2]) or told.get("filename", "")


def _parameters(value: str) -> dict[str, str]:
    """What stands behind the first semicolon, up to what is none. In one go: the standard library looks back
    from every semicolon, and a megabyte of them would keep everybody waiting for hours.
    """
    found: dict[str, str] = {}
    at = max(value.find(";"), 0)
    while match := PARAMETER.match(value, at):
        quoted = (match[2] or "").replace('\\"', '"').replace("\\\\", "\\")
        found.setdefault(match[1].lower(), quoted or (match[3] or "").strip())
        at = match.end()
    return found
