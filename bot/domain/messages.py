"""What customers send and what they are sent, whatever the channel."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Raw, Struct, field


class EventKind(StrEnum):
    """The closed vocabulary of what platforms tell us."""

    MESSAGE = "message"  # text, attachments or both
    EDIT = "edit"  # the customer changed an earlier message (`refers_to`)
    DELETE = "delete"  # the customer took an earlier message back (`refers_to`)
    PRESS = "press"  # a button of an earlier question
    REACTION = "reaction"  # emoji on a message (`refers_to`); `text` is all of them, empty: none any more
    DELIVERED = "delivered"  # our message (`refers_to`) reached the device
    READ = "read"  # our message (`refers_to`) and all before it were read
    STARTED = "started"  # the chat was opened, `text` holds a payload (or what was typed to open it)
    BLOCKED = "blocked"  # the customer does not want to hear from us any more
    UNBLOCKED = "unblocked"
    MOVED = "moved"  # the conversation goes by another id now: `refers_to`
    UNKNOWN = "unknown"  # stored, counted, nothing else


class AttachmentKind(StrEnum):
    IMAGE = "image"
    DOCUMENT = "document"
    VOICE = "voice"
    AUDIO = "audio"
    VIDEO = "video"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACT = "contact"
    UNKNOWN = "unknown"


class Attachment(Struct, frozen=True, kw_only=True):
    """A file or a card that came with a message; `file` is its key in our own file store."""

    kind: AttachmentKind
    name: str = ""
    mime: str = ""
    size: int = 0  # bytes
    file: str = ""
    remote: str = ""  # the platform's own handle, until a worker has fetched the file
    missing: str = ""  # why there is no file, in words for people
    data: dict[str, Any] = field(default_factory=dict)  # latitude, longitude, phone…


class Address(Struct, frozen=True, kw_only=True):
    """Where a message came from and where its answer goes."""

    channel: str
    account: str
    user: str  # the platform's id of the person
    chat: str  # the platform's id of the conversation (often the same)
    public: bool = False  # other people can read along


def topic(address: Address) -> str:
    """The feed and the broadcasts of one hosted conversation."""
    return f"{address.channel}:{address.account}:{address.chat}"


class Press(Struct, frozen=True, kw_only=True):
    """A button press names the question it belongs to, since presses and messages may overtake each other."""

    question: str
    choice: str


class Button(Struct, frozen=True, kw_only=True):
    label: str
    choice: str


class Inbound(Struct, frozen=True, kw_only=True):
    """One platform event in our words: what `Connector.parse` returns."""

    external_id: str  # unique within (channel, account); the platform's own dedupe key
    kind: EventKind
    address: Address
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    press: Press | None = None
    refers_to: str = ""  # the platform's id of the message this is about (or ours, for the web chat)
    if_known: bool = False  # worth keeping only where we have that message: else it was not said to us
    quote: str = ""  # the words it answers, where the platform tells
    forwarded: bool = False  # somebody else's words, passed on
    group: str = ""  # messages that the platform shows as one (an album) have this in common
    sent_at: datetime | None = None  # the platform's clock
    language: str = ""  # a hint of the platform, never a fact
    raw: Raw = Raw(b"{}")  # the platform's payload as it came

    def __repr__(self) -> str:
        return f"<Inbound {self.address.channel}/{self.address.account} {self.kind} {self.external_id}>"


class EventState(StrEnum):
    PENDING = "pending"
    DONE = "done"
    PARKED = "parked"  # failed too often; its case went to a person


class Event(Struct, frozen=True, kw_only=True):
    """A platform event as it is stored: once, in its lane, in the order of receipt."""

    id: str
    lane: str  # fixed at receipt: the customer then known
    seq: int = 0  # the lane's sequence, given by the store
    inbound: Inbound
    received_at: datetime
    state: EventState = EventState.PENDING
    attempts: int = 0
    error: str = ""
    version: int = 0

    @property
    def channel(self) -> str:
        return self.inbound.address.channel

    @property
    def account(self) -> str:
        return self.inbound.address.account

    @property
    def external_id(self) -> str:
        return self.inbound.external_id

    def __repr__(self) -> str:
        return f"<Event {self.id} {self.channel} {self.state}>"


class Fetch(Struct, frozen=True, kw_only=True):
    """A message's files are still at the platform: a worker fetches them, however often that takes."""

    id: str  # the message's
    attempts: int = 0
    not_before: datetime
    version: int = 0


class Direction(StrEnum):
    IN = "in"
    OUT = "out"
    NOTE = "note"  # internal, never sent to a customer


class AuthorKind(StrEnum):
    CUSTOMER = "customer"
    BOT = "bot"
    AGENT = "agent"
    SYSTEM = "system"


class Author(Struct, frozen=True, kw_only=True):
    kind: AuthorKind
    id: str = ""
    name: str = ""


BOT = Author(kind=AuthorKind.BOT, id="bot", name="Bot")
SYSTEM = Author(kind=AuthorKind.SYSTEM, id="system", name="Switchboard")


class Role(StrEnum):
    """What an outgoing message is for; response times count some roles and not others."""

    ANSWER = "answer"  # the bot answers a question
    ASK = "ask"  # the bot asks for a slot or which of two was meant
    HOLDING = "holding"  # what happens next, how long it takes
    APOLOGY = "apology"
    FORM = "form"
    CONSENT = "consent"
    REPLY = "reply"  # a person


class MessageState(StrEnum):
    RECEIVED = "received"  # direction in, and notes
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    DEFERRED = "deferred"  # will be tried again by itself
    IN_DOUBT = "in_doubt"  # may have arrived
    FAILED = "failed"
    CANCELLED = "cancelled"


class Message(Struct, frozen=True, kw_only=True):
    """One line of a case's transcript."""

    id: str
    case: str
    customer: str
    seq: int = 0  # the customer's sequence, given by the store
    direction: Direction
    author: Author
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    buttons: tuple[Button, ...] = ()
    question: str = ""  # id of the question the buttons belong to
    role: Role | None = None
    state: MessageState = MessageState.RECEIVED
    reason: str = ""  # why it failed, in words for people
    address: Address
    external_id: str = ""  # the platform's id, once known
    reply_to: str = ""  # external id of the message this one quotes
    quote: str = ""  # what the customer's message answers, in its own words
    forwarded: bool = False  # the customer passed on what somebody else wrote
    intent: str = ""  # what was understood (direction in)
    reaction: str = ""  # the customer's emoji on it, while they leave it there
    written: str = ""  # where an agent wrote it: the desk, and the desk's own name for it
    written_at: datetime | None = None  # by the desk's clock
    undo_until: datetime | None = None  # an agent's words that can still be taken back unseen
    held: bool = False  # the customer wrote before it went out: its author has to look
    ping: str = ""  # a note that calls somebody: "here", "owner", or a group the desk knows
    offered: bool = False  # a note that was meant for the customer, by somebody who may not speak to them
    at: datetime
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    version: int = 0

    def __repr__(self) -> str:
        return f"<Message {self.id} {self.direction} {self.state}>"


class FeedKind(StrEnum):
    MESSAGE = "message"  # a message became visible
    STATE = "state"  # a message changed (ticks, edits)


class FeedEntry(Struct, frozen=True, kw_only=True):
    """One step in what a hosted conversation (the web chat) shows; it points to a message, it holds no text."""

    id: str  # topic, message and what changed: appending twice is one entry
    topic: str
    seq: int = 0  # the topic's sequence, given by the store
    kind: FeedKind
    message: str
    at: datetime
