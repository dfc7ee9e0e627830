"""Attachments: only those of a message, told by their content, and never able to act."""

from __future__ import annotations

from aiohttp import web

from bot.domain.errors import MalformedPayload, Unknown
from bot.domain.messages import Message
from bot.web.chat.uploads import disposition, recognise
from bot.web.console.visits import the_web

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, max-age=300",
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def show_file(request: web.Request) -> web.Response:
    """`?message=` names the message the file came with: its name and the right to see it hang on that."""
    context, key = the_web(request), request.match_info["key"]
    message = await context.store.get(Message, request.query.get("message", ""))
    found = next((part for part in message.attachments if part.file == key), None) if message else None
    content = await context.files.get(key) if found and message and not message.deleted_at else None
    if found is None or content is None:
        raise Unknown("There is no such file.")
    mime = _mime(content)
    headers = {**HEADERS, "Content-Disposition": disposition(mime, found.name or "file")}
    return web.Response(body=content, content_type=mime, headers=headers)


def _mime(content: bytes) -> str:
    """What a browser may show is told by the content; the rest is only ever saved."""
    try:
        return recognise(content).mime
    except MalformedPayload:
        return "application/octet-stream"
