"""The body of a POST: fields and at most one file, each within its limit, read once."""

from __future__ import annotations

from urllib.parse import parse_qsl

from aiohttp import web
from msgspec import Struct, field

from bot.domain.errors import MalformedPayload, PayloadTooLarge
from bot.web.chat.uploads import FILE_LIMIT
from bot.web.multipart import MOST_PARTS, Part, read_body, read_parts

TEXT_LIMIT = 1024 * 1024  # bytes of all fields together
TOO_LARGE = "A file can be up to 5 MiB, the text up to 1 MiB."


class Upload(Struct, frozen=True, kw_only=True):
    name: str
    content: bytes

    def __repr__(self) -> str:
        return f"<Upload of {len(self.content)} bytes>"


class Form(Struct, frozen=True, kw_only=True):
    fields: dict[str, str] = field(default_factory=dict)
    upload: Upload | None = None

    def __repr__(self) -> str:
        return f"<Form {', '.join(self.fields)}>"

    def __getitem__(self, name: str) -> str:
        """The field's text, or "" when it is not there."""
        return self.fields.get(name, "")


FORM = web.RequestKey("FORM", Form)


async def read_form(request: web.Request) -> Form:
    """Raises `MalformedPayload` or `PayloadTooLarge`."""
    try:
        if request.content_type == "multipart/form-data":
            return await _multipart(request)
        body = await read_body(request, TEXT_LIMIT, TOO_LARGE)
        if request.content_type != "application/x-www-form-urlencoded":
            return Form()
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_PARTS)
    except ValueError as exc:
        raise MalformedPayload("The form could not be read; reload the page and send it again.") from exc
    return Form(fields={name: _clean(value) for name, value in pairs})


async def _multipart(request: web.Request) -> Form:
    fields: dict[str, str] = {}
    upload = None
    left = TEXT_LIMIT
    for part in await read_parts(request, FILE_LIMIT + 2 * TEXT_LIMIT, TOO_LARGE):
        if part.filename:
            upload = Upload(name=part.filename, content=_within(part, FILE_LIMIT))
        else:
            left -= len(_within(part, left))
            fields[part.name] = _clean(part.content.decode())
    return Form(fields=fields, upload=upload if upload and upload.content else None)


def _within(part: Part, limit: int) -> bytes:
    if len(part.content) > limit:
        raise PayloadTooLarge(TOO_LARGE)
    return part.content


def _clean(text: str) -> str:
    """Browsers send line ends as CRLF; databases take no NUL."""
    return text.replace("\r\n", "\n").replace("\0", "")
