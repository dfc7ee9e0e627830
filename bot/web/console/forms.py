"""The body of a POST: fields and at most one file, each within its limit, read once."""

from __future__ import annotations

from aiohttp import BodyPartReader, web
from msgspec import Struct, field

from bot.domain.errors import MalformedPayload, PayloadTooLarge
from bot.web.chat.uploads import FILE_LIMIT

TEXT_LIMIT = 1024 * 1024  # bytes of all fields together
CHUNK = 64 * 1024


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
        posted = await request.post()
    except (ValueError, LookupError) as exc:
        raise MalformedPayload("The form could not be read; reload the page and send it again.") from exc
    except web.HTTPRequestEntityTooLarge as exc:
        raise PayloadTooLarge("The form is too large.") from exc
    return Form(fields={name: _clean(value) for name, value in posted.items() if isinstance(value, str)})


async def _multipart(request: web.Request) -> Form:
    fields: dict[str, str] = {}
    upload = None
    left = TEXT_LIMIT
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise MalformedPayload("The form could not be read; reload the page and send it again.")
        if part.filename:
            upload = Upload(name=part.filename, content=await _content(part, FILE_LIMIT))
        else:
            content = await _content(part, left)
            left -= len(content)
            fields[part.name] = _clean(content.decode())
    return Form(fields=fields, upload=upload if upload and upload.content else None)


async def _content(part: BodyPartReader, limit: int) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(CHUNK):
        content += chunk
        if len(content) > limit:
            raise PayloadTooLarge("A file can be up to 5 MiB, the text up to 1 MiB.")
    return bytes(content)


def _clean(text: str) -> str:
    """Browsers send line ends as CRLF; databases take no NUL."""
    return text.replace("\r\n", "\n").replace("\0", "")
