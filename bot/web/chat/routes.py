"""What the widget calls. No cookies, so nothing a foreign page could ride on: the token is in every request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol, runtime_checkable

import msgspec
from aiohttp import web
from msgspec import Struct, field

from bot import metrics
from bot.domain.errors import BadSignature, MalformedPayload, PayloadTooLarge, Unknown
from bot.domain.messages import Address, Attachment, Direction, Inbound, Message, topic
from bot.domain.ports import Connector, Request
from bot.web.chat import embedding, stream
from bot.web.chat.uploads import FILE_LIMIT, disposition, recognise, safe_name
from bot.web.context import WEB, Web
from bot.web.headers import caller
from bot.web.limits import Buckets
from bot.web.multipart import Part, read_body, read_parts

# A text may have a MiB; what is around it needs a little room of its own.
BODY_LIMIT = 1024 * 1024 + 4096
FORM_LIMIT = FILE_LIMIT + 2 * BODY_LIMIT
VOLUME = 100 * 1024 * 1024  # an office that sends twenty large photos at once
TEXT_TOO_LARGE = "That is too large. A message may have a MiB."
FILE_TOO_LARGE = "That is too large. A file may have 5 MiB."
FIELDS = ("customer", "id", "text", "language")
PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FILE_HEADERS = PRIVATE | {
    "Cache-Control": "private, max-age=86400, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",  # the pages that embed the chat show its pictures
}


@runtime_checkable
class Hosted(Connector, Protocol):
    """A connector whose customers talk to these routes: it knows its customers by the tokens it gives them."""

    def mint(self) -> str: ...

    def address(self, token: str) -> Address:
        """Raises `BadSignature`."""

    def client_id(self, external_id: str) -> str:
        """The id the customer's browser gave a message."""


class Limits:
    """Generous for people, tight for loops."""

    def __init__(self, context: Web) -> None:
        self.sessions = Buckets(context.clock, burst=60, per_second=0.5)  # of one network address
        self.messages = Buckets(context.clock, burst=30, per_second=1)  # of one customer
        self.receipts = Buckets(context.clock, burst=120, per_second=5)
        # Bytes of one network address, however many customers it claims to be: they all are kept.
        self.volume = Buckets(context.clock, burst=VOLUME, per_second=VOLUME / 400)


LIMITS = web.AppKey("chat_limits", Limits)
STREAMS = web.AppKey("chat_streams", stream.Streams)


class Wanted(Struct):
    """The body of a request for a session."""

    account: str = ""


class Form(Struct):
    """A file as it was sent, with the fields around it."""

    fields: dict[str, str] = field(default_factory=dict)
    name: str = ""
    content: bytes = b""


def setup(app: web.Application) -> None:
    app[STREAMS] = stream.Streams()
    app.on_startup.append(_begin)
    app.on_shutdown.append(_end)
    app.on_response_prepare.append(embedding.share)
    app.add_routes(
        [
            web.get("/chat/widget.js", embedding.widget),
            web.get("/chat/config", config),
            web.post("/chat/sessions", sessions),
            web.post("/chat/messages", messages),
            web.post("/chat/files", files),
            web.get("/chat/files/{key}", file),
            web.post("/chat/receipts", receipts),
            web.get("/chat/stream", events),
            web.options("/chat/{route:.*}", embedding.preflight),
        ]
    )


async def config(request: web.Request) -> web.Response:
    context = request.app[WEB]
    connector = _account(context, request.query.get("account", ""))
    brand = context.brand
    embedding.admit(request, connector.account)
    shown = {
        "account": connector.account,
        "brand": brand.name,
        "language": brand.language,
        "languages": brand.languages,
        "file_limit": FILE_LIMIT,
    }
    return _json(shown)


async def sessions(request: web.Request) -> web.Response:
    """A token for somebody new; nothing is stored before they write."""
    try:
        wanted = msgspec.json.decode(await _body(request) or b"{}", type=Wanted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise MalformedPayload(f"The body asks for no session: {exc}") from exc
    connector = _account(request.app[WEB], wanted.account)
    embedding.admit(request, connector.account)
    request.app[LIMITS].sessions.take(caller(request))
    return _json({"customer": connector.mint()})


async def messages(request: web.Request) -> web.Response:
    body = await _body(request)
    connector, address = _customer(request, _token(body))
    _bound(request, address, len(body))
    return await _receive(request.app[WEB], _parse(connector, "/chat/messages", body))


async def files(request: web.Request) -> web.Response:
    """The file is stored before the message, which then never names one that is not there; and after we have seen
    that there will be a message, so that no file is kept that nobody names.
    """
    form = await _form(request)
    connector, address = _customer(request, form.fields.get("customer", ""))
    _bound(request, address, len(form.content))
    found = recognise(form.content)
    context = request.app[WEB]
    attachment = Attachment(
        kind=found.kind,
        name=safe_name(form.name, found),
        mime=found.mime,
        size=len(form.content),
    )
    _parse(connector, "/chat/files", _as_body(form, attachment))
    kept = msgspec.structs.replace(attachment, file=await context.files.put(form.content))
    return await _receive(context, _parse(connector, "/chat/files", _as_body(form, kept)))


def _as_body(form: Form, attachment: Attachment) -> bytes:
    return msgspec.json.encode({**form.fields, "attachments": [attachment]})


async def file(request: web.Request) -> web.Response:
    """Only to whom it was shown: the message has to be in the customer's own chat, and to hold the file."""
    _, address = _customer(request, request.query.get("customer", ""))
    context = request.app[WEB]
    message = await _shown(context, address, request.query.get("message", ""))
    key = request.match_info["key"]
    attachment = next((found for found in message.attachments if found.file == key), None)
    content = await context.files.get(key) if attachment and not message.deleted_at else None
    if attachment is None or content is None:
        raise Unknown("There is no such file in this chat.")
    headers = {"Content-Disposition": disposition(attachment.mime, attachment.name)}
    return web.Response(body=content, content_type=attachment.mime, headers=FILE_HEADERS | headers)


async def receipts(request: web.Request) -> web.Response:
    body = await _body(request)
    connector, address = _customer(request, _token(body))
    request.app[LIMITS].receipts.take(topic(address))
    context = request.app[WEB]
    told = _parse(connector, "/chat/receipts", body)
    for receipt in told:
        await _shown(context, address, receipt.refers_to)
    return await _receive(context, told)


async def events(request: web.Request) -> web.StreamResponse:
    connector, address = _customer(request, request.query.get("customer", ""))
    context = request.app[WEB]
    name = topic(address)
    feed = stream.Feed(context.store, name, _position(request), connector.client_id)
    response = web.StreamResponse(headers=stream.HEADERS)
    with request.app[STREAMS].one(name) as ended, metrics.STREAMS.labels("chat").track_inprogress():
        async with context.broadcast.subscribe(name) as hints:
            await feed.rewind_if_ahead()  # the store's first word comes before the headers: it may be a 503
            first, _ = await feed.read()
            await response.prepare(request)
            with suppress(ConnectionError, TimeoutError):  # whoever left comes back with the last id they had
                await stream.bounded_write(response, stream.RECONNECT + first)
                first = b""  # it may have a megabyte, and a chat stays open for hours
                await stream.follow(feed, lambda data: stream.bounded_write(response, data), hints, ended)
    return response


def _bound(request: web.Request, address: Address, size: int) -> None:
    """Raises `TooManyRequests`."""
    request.app[LIMITS].messages.take(topic(address))
    request.app[LIMITS].volume.take(caller(request), size)


def _position(request: web.Request) -> int:
    """Where to go on: the browser's header is newer than the address it began with."""
    for told in (request.headers.get("Last-Event-ID", ""), request.query.get("after", "")):
        if told.isdecimal() and len(told) < 19:
            return int(told)
    return 0


def _hosted(context: Web) -> Iterator[Hosted]:
    for connector in context.connectors.values():
        if isinstance(connector, Hosted):
            yield connector


def _account(context: Web, name: str) -> Hosted:
    """The account of that name, or the first."""
    for connector in _hosted(context):
        if name in {"", connector.account}:
            return connector
    raise Unknown("There is no web chat account of that name.")


def _customer(request: web.Request, token: str) -> tuple[Hosted, Address]:
    """Who asks, proven by the token, from a site that may; raises `BadSignature` or `NotAllowed`."""
    for connector in _hosted(request.app[WEB]):
        with suppress(BadSignature):
            address = connector.address(token)
            embedding.admit(request, connector.account)
            return connector, address
    raise BadSignature("The customer token is missing or not ours; POST /chat/sessions gives a new one.")


def _parse(connector: Hosted, path: str, body: bytes) -> tuple[Inbound, ...]:
    asked = Request(method="POST", path=path, query={}, headers={}, body=body)
    connector.authenticate(asked)
    return connector.parse(asked)


async def _receive(context: Web, told: tuple[Inbound, ...]) -> web.Response:
    ids = await context.receiving.receive(told)
    return _json({"id": ids[0]}, status=202)


async def _shown(context: Web, address: Address, id: str) -> Message:
    """A message of this chat; raises `Unknown`."""
    message = await context.store.get(Message, id) if id else None
    if message is None or message.direction is Direction.NOTE or topic(message.address) != topic(address):
        raise Unknown("There is no such message in this chat.")
    return message


def _token(body: bytes) -> str:
    """The token in a body; the standard library reads what a browser sends of an emoji that was cut in half."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise MalformedPayload("The body is not JSON.") from exc
    token = found.get("customer", "") if isinstance(found, dict) else ""
    return token if isinstance(token, str) else ""


async def _body(request: web.Request) -> bytes:
    return await read_body(request, BODY_LIMIT, TEXT_TOO_LARGE)


async def _form(request: web.Request) -> Form:
    """A multipart body with one file; its fields may come in any order."""
    form = Form()
    for part in await read_parts(request, FORM_LIMIT, FILE_TOO_LARGE):
        if part.name == "file":
            form.name, form.content = part.filename, _within(part, FILE_LIMIT, FILE_TOO_LARGE)
        elif part.name in FIELDS:
            text = _within(part, BODY_LIMIT, TEXT_TOO_LARGE)
            form.fields[part.name] = text.decode("utf-8", "replace")
    return form


def _within(part: Part, limit: int, otherwise: str) -> bytes:
    if len(part.content) > limit:
        raise PayloadTooLarge(otherwise)
    return part.content


def _json(body: object, status: int = 200) -> web.Response:
    data = msgspec.json.encode(body)
    return web.Response(body=data, status=status, content_type="application/json", headers=PRIVATE)


async def _begin(app: web.Application) -> None:
    app[LIMITS] = Limits(app[WEB])


async def _end(app: web.Application) -> None:
    """Browsers come back by themselves, to whichever process is there."""
    app[STREAMS].end_all()
