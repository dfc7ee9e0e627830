"""Bodies within their limits: all of it is read first, and a form is then cut at its boundaries.

A reader that goes from line to line is kept busy for seconds by a few megabytes of empty parts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from email.message import Message as Headers

from aiohttp import web
from msgspec import Struct

from bot.domain.errors import MalformedPayload, PayloadTooLarge

CHUNK = 64 * 1024
SILENT_SECONDS = 30  # whoever sends nothing for so long is gone
MOST_PARTS = 50
LONGEST_BOUNDARY = 70  # RFC 2046


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
    boundary = _headers(request.headers.get("Content-Type", "")).get_boundary() or ""
    if request.content_type != "multipart/form-data" or not 0 < len(boundary) <= LONGEST_BOUNDARY:
        raise MalformedPayload("Send the file as multipart/form-data.")
    body = await read_body(request, limit, otherwise)
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode(), MOST_PARTS + 2)
    end = next((at for at, piece in enumerate(pieces) if piece.startswith(b"--")), 0)
    if not 0 < end <= MOST_PARTS + 1:
        raise MalformedPayload("The multipart body is broken; send it whole, with one file.")
    return [_part(piece) for piece in pieces[1:end]]


async def _patiently(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Raises `MalformedPayload` when the other side falls silent in the middle."""
    waiting = aiter(chunks)
    while True:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                chunk = await anext(waiting)
        except StopAsyncIteration:
            return
        except TimeoutError as exc:
            raise MalformedPayload("The body did not arrive; send it again.") from exc
        yield chunk


def _part(piece: bytes) -> Part:
    head, _, content = piece.partition(b"\r\n\r\n")
    for line in head.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            told = _headers(value.strip(), "Content-Disposition")
            field = told.get_param("name", "", "Content-Disposition")
            return Part(name=str(field), filename=told.get_filename(""), content=content)
    raise MalformedPayload("A part of the multipart body has no name.")


def _headers(value: str, name: str = "Content-Type") -> Headers:
    headers = Headers()
    headers[name] = value
    return headers
