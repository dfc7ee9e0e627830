"""The web chat: a channel of our own, so the server also keeps what the customer sees.

The wire format is in docs/channels/webchat.md. Limits: ids of 64 characters (letters, digits and `_ . : -`);
the routes bound a text to 1 MiB and a file to 5 MiB. Nothing is rated: we only write to our own store.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable
from typing import Annotated, ClassVar, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from bot.domain.errors import BadSignature, MalformedPayload, Misconfigured, SendDeferred, StoreUnavailable
from bot.domain.messages import (
    Address,
    Attachment,
    EventKind,
    FeedEntry,
    FeedKind,
    Inbound,
    Message,
    Press,
    topic,
)
from bot.domain.outbox import Receipt
from bot.domain.ports import Capabilities, Payload, Rate, Request
from connectors.base import Deps

T = TypeVar("T")

ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
LANGUAGE = re.compile(r"([A-Za-z]{2,3})([_-].*)?")
PRESS_LIMIT = 200
RECEIPTS = {"delivered": EventKind.DELIVERED, "read": EventKind.READ}

TYPING = b'{"typing": "bot"}'

# A token is "c1." and 48 bytes: the customer's id and its signature. The number is the version of this form.
TOKEN = re.compile(r"c1\.[A-Za-z0-9_-]{64}")
ID_BYTES = 16


# As browsers name a site in their `Origin` header: anything else, a path say, would never be equal to it.
Site = Annotated[
    str,
    Meta(
        pattern=r"^(\*|https?://[^/?#@\s]+/?)$",
        description="an address without a path, such as https://shop.example,",
    ),
]


class WebChatSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    account: str
    origins: tuple[Site, ...] = ()  # sites that may embed the chat; none: only the server's own pages


class Kind(Struct, frozen=True, kw_only=True):
    id: str
    kind: str = "message"


class Note(Struct, frozen=True, kw_only=True):
    """The body of a message."""

    id: str
    text: str = ""
    press: Press | None = None
    language: str = ""


class Upload(Note, frozen=True, kw_only=True):
    """A message with files; only the route that stored and checked them writes this one."""

    attachments: tuple[Attachment, ...]


class Seen(Struct, frozen=True, kw_only=True):
    """The body of a receipt: ids of our messages."""

    delivered: str = ""
    read: str = ""


class WebChat:
    """One site's chat. Also mints and reads the customers' tokens, which the chat routes need."""

    Settings: ClassVar[type[Struct]] = WebChatSettings
    channel = "webchat"
    capabilities = Capabilities(
        text_limit=100_000, buttons=10, files=True, receipts=("delivered", "read"), hosted=True
    )

    def __init__(self, settings: WebChatSettings, deps: Deps) -> None:
        if not deps.secret:
            raise Misconfigured("The web chat signs its tokens and has no key; set SWITCHBOARD_SECRET_KEY.")
        self.account = settings.account
        self._deps = deps
        self._key = _mac(deps.secret, b"webchat customer token\0" + settings.account.encode())

    # Tokens

    def mint(self) -> str:
        """A token for a customer nobody has met yet; nothing is stored."""
        who = secrets.token_bytes(ID_BYTES)
        return "c1." + base64.urlsafe_b64encode(who + _mac(self._key, who)).decode()

    def address(self, token: str) -> Address:
        """Who holds this token; raises `BadSignature`."""
        if not TOKEN.fullmatch(token):
            raise BadSignature("The customer token is missing or broken; ask for a new one.")
        signed = base64.urlsafe_b64decode(token[3:])
        who, signature = signed[:ID_BYTES], signed[ID_BYTES:]
        if not hmac.compare_digest(signature, _mac(self._key, who)):
            raise BadSignature("The customer token is not ours; ask for a new one.")
        return Address(channel=self.channel, account=self.account, user=who.hex(), chat=who.hex())

    def client_id(self, external_id: str) -> str:
        """The id the customer's browser gave a message."""
        return external_id.partition("/")[2]

    # Inbound

    def authenticate(self, request: Request) -> None:
        self.address(_token(request))

    def parse(self, request: Request) -> tuple[Inbound, ...]:
        """By the route it came in on; a message of a kind we do not know is kept as it is."""
        address = self.address(_token(request))
        raw = _readable(request.body)
        return PARSERS.get(request.path, _message)(address, raw)

    # Outbound

    def render(self, message: Message) -> tuple[Payload, ...]:
        """The customer's view reads the message itself, so that no text is kept twice."""
        return ({"topic": topic(message.address), "message": message.id},)

    def rates(self, chat: str) -> tuple[Rate, ...]:
        return ()

    async def send(self, payload: Payload) -> Receipt:
        entry = FeedEntry(
            id=_entry_id(payload),
            topic=payload["topic"],
            kind=FeedKind.MESSAGE,
            message=payload["message"],
            at=self._deps.clock(),
        )
        try:
            await self._deps.append(entry)
        except StoreUnavailable as exc:
            raise SendDeferred("The store is not there just now.") from exc
        return Receipt(external_id=entry.message)

    async def typing(self, chat: str) -> None:
        where = Address(channel=self.channel, account=self.account, user=chat, chat=chat)
        await self._deps.publish(topic(where), TYPING)

    async def find(self, payload: Payload) -> Receipt | None:
        """Whether a payload in doubt arrived; raises `StoreUnavailable`."""
        return Receipt(external_id=payload["message"]) if await self._deps.known(_entry_id(payload)) else None


def _entry_id(payload: Payload) -> str:
    return f"{payload['topic']}:{payload['message']}:shown"


def _mac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def _token(request: Request) -> str:
    """From the query, else from the body."""
    if "customer" in request.query:
        return request.query["customer"]
    try:
        token = json.loads(request.body)["customer"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return token if isinstance(token, str) else ""


def _readable(body: bytes) -> bytes:
    """The body as JSON that every store can keep, and without its token: what is stored must not let anybody
    speak for the customer. A browser that cuts an emoji in half sends half a surrogate pair: it becomes `�`.
    """
    try:
        found = json.loads(body)
        if not isinstance(found, dict):
            raise MalformedPayload("The body is not a JSON object.")
        found.pop("customer", None)
        text = json.dumps(found, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError) as exc:
        raise MalformedPayload("The body is not JSON.") from exc
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _read(raw: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as exc:
        raise MalformedPayload(f"The body is not what this route takes: {exc}.") from exc


def _message(address: Address, raw: bytes) -> tuple[Inbound, ...]:
    if _read(raw, Kind).kind != "message":
        unknown = Inbound(
            external_id=_external_id(address, _read(raw, Kind).id),
            kind=EventKind.UNKNOWN,
            address=address,
            raw=Raw(raw),
        )
        return (unknown,)
    return (_inbound(address, _read(raw, Note), (), raw),)


def _upload(address: Address, raw: bytes) -> tuple[Inbound, ...]:
    upload = _read(raw, Upload)
    return (_inbound(address, upload, upload.attachments, raw),)


def _inbound(address: Address, note: Note, attachments: tuple[Attachment, ...], raw: bytes) -> Inbound:
    text = note.text.replace("\0", "")  # no store keeps it, nobody sees it
    if not (text.strip() or note.press or attachments):
        raise MalformedPayload("The message is empty; send a text, a file or the press of a button.")
    if note.press and max(len(note.press.question), len(note.press.choice)) > PRESS_LIMIT:
        raise MalformedPayload("The press names no button of ours.")
    language = LANGUAGE.fullmatch(note.language)
    return Inbound(
        external_id=_external_id(address, note.id),
        kind=EventKind.PRESS if note.press else EventKind.MESSAGE,
        address=address,
        text=text,
        attachments=attachments,
        press=note.press,
        language=language[1].lower() if language else "",
        raw=Raw(raw),
    )


def _receipts(address: Address, raw: bytes) -> tuple[Inbound, ...]:
    seen = msgspec.structs.asdict(_read(raw, Seen))
    receipts = tuple(
        Inbound(
            external_id=_external_id(address, name, message),
            kind=RECEIPTS[name],
            address=address,
            refers_to=message,
            raw=Raw(raw),
        )
        for name, message in seen.items()
        if message
    )
    if not receipts:
        raise MalformedPayload("The receipt names no message; send its id as `delivered` or `read`.")
    return receipts


def _external_id(address: Address, *parts: str) -> str:
    """Unique within the account. No part can hold the slash, so neither another customer's id nor a receipt
    collides with a message.
    """
    if not all(ID.fullmatch(part) for part in parts):
        raise MalformedPayload("An id is 1 to 64 letters, digits or any of `_ . : -`.")
    return "/".join((address.user, *parts))


PARSERS: dict[str, Callable[[Address, bytes], tuple[Inbound, ...]]] = {
    "/chat/messages": _message,
    "/chat/files": _upload,
    "/chat/receipts": _receipts,
}
