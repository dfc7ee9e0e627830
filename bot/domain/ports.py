"""What the core needs from the outside, as small roles; adapters fulfil them, `bootstrap` picks the adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from msgspec import Struct, field

from bot.domain.actions import AgentAction
from bot.domain.cases import Case
from bot.domain.desks import DeskEvent, Gone, Post
from bot.domain.messages import Attachment, Inbound, Message
from bot.domain.outbox import Posting, Receipt
from bot.domain.understanding import Context, Understanding

T = TypeVar("T", bound=Struct)

Clock = Callable[[], datetime]  # aware, UTC
NewId = Callable[[], str]  # unique, sorted by time


# ── Store: a transaction is data ────────────────────────────────────────────────────────────────


class Insert(Struct, frozen=True, kw_only=True):
    """A new record; a record that breaks a unique constraint makes the whole unit a `Duplicate`.

    With `scope`, the store gives the record the scope's next sequence (1, 2, 3…) as its `seq`.
    """

    record: Struct
    scope: str = ""


class Update(Struct, frozen=True, kw_only=True):
    """A new value of a record whose stored version must still be `record.version`; the store counts it up."""

    record: Struct


class Delete(Struct, frozen=True, kw_only=True):
    kind: type[Struct]
    id: str


class Add(Struct, frozen=True, kw_only=True):
    """Count something up: `counter` is a name like "duplicate:webchat"."""

    counter: str
    by: int = 1


class Expect(Struct, frozen=True, kw_only=True):
    """A guard: the record is still at this version."""

    kind: type[Struct]
    id: str
    version: int


Write = Insert | Update | Delete | Add


class Changes(Struct, frozen=True, kw_only=True):
    """One unit: all of it is written, or none."""

    writes: tuple[Write, ...]
    guards: tuple[Expect, ...] = ()


class Applied(Struct, frozen=True, kw_only=True):
    sequences: tuple[int, ...] = ()  # of the inserts with a scope, in their order


class Conflict(Struct, frozen=True, kw_only=True):
    """A version had moved on; read again and decide again."""

    kind: type[Struct]
    id: str


class Duplicate(Struct, frozen=True, kw_only=True):
    """A unique constraint was met: this record (or its twin) is there already."""

    kind: type[Struct]
    id: str


Outcome = Applied | Conflict | Duplicate


class Query(Struct, Generic[T], frozen=True, kw_only=True):
    """Which records, in which order; only the fields named in `bot.domain.schema` can be asked for.

    `equals` compares with a value, or with any of a tuple of values (None asks for "not set").
    `until` is field ≤ value, `after` is field > value. `order` is a field, with "-" in front for descending.
    """

    kind: type[T]
    equals: Mapping[str, Any] = field(default_factory=dict)
    until: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    order: str = ""
    limit: int = 100


class Store(Protocol):
    """The truth. Every method raises `StoreUnavailable` when the database cannot be reached."""

    async def apply(self, changes: Changes) -> Outcome: ...
    async def get(self, kind: type[T], id: str) -> T | None: ...
    async def find(self, query: Query[T]) -> list[T]: ...
    async def count(self, query: Query[Any]) -> int: ...
    async def counters(self, prefix: str) -> dict[str, int]: ...
    async def number(self) -> int:
        """The next case number; there may be gaps, there is no transaction."""

    async def close(self) -> None: ...


@runtime_checkable
class Movable(Store, Protocol):
    """A store that can be copied into another one, whichever database is behind it."""

    def everything(self, kind: type[T]) -> AsyncIterator[list[T]]:
        """All records of a kind in pages, about in the order they came."""

    async def sequences(self) -> dict[str, int]:
        """The last sequence given in each scope; the case numbers are a scope too."""

    async def go_on_after(self, sequences: Mapping[str, int]) -> None:
        """Give what comes behind these; a scope that is further already stays."""


class Commit(Protocol):
    """Apply changes, then wake whoever they concern (lanes, senders, streams)."""

    async def __call__(self, changes: Changes) -> Outcome: ...


# ── Queue: a hint, never the truth ──────────────────────────────────────────────────────────────


class Work(StrEnum):
    LANE = "lane"  # a customer's events
    SEND = "send"  # an order key of the outbox
    DESK = "desk"  # what agents said and did under a card
    FETCH = "fetch"  # a message whose files are still at the platform
    POLL = "poll"  # an account whose events are fetched, in one process at a time


class Held(Struct, frozen=True, kw_only=True):
    """A key under a lease: nobody else gets it until `done`, or until the lease has run out."""

    work: Work
    key: str
    token: str


class Later(Struct, frozen=True, kw_only=True):
    """What a key's work says when something has to wait: look at the key again after this long."""

    delay: timedelta
    urgent: bool = False


class Queue(Protocol):
    async def wake(
        self, work: Work, key: str, *, urgent: bool = False, delay: timedelta = timedelta()
    ) -> None:
        """This key has work (after `delay`). Waking a key twice is waking it once; waking a held key hands it
        out again after `done`.
        """

    async def take(self, work: Work) -> Held:
        """Wait for a key that has work, urgent ones first, and hold it."""

    async def extend(self, held: Held) -> bool:
        """Keep the lease; False when it was lost."""

    async def done(self, held: Held) -> None: ...

    async def close(self) -> None: ...


class Broadcast(Protocol):
    """Tell whoever listens right now, in every process; nothing is kept.

    A hint is a JSON object; an empty one says that anything may have happened, so that one has to look.
    """

    async def publish(self, topic: str, data: bytes) -> None: ...
    def subscribe(self, topic: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]: ...


# ── Channels and desks ──────────────────────────────────────────────────────────────────────────


class Request(Struct, frozen=True, kw_only=True):
    """An HTTP request as far as a connector may see it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class Response(Struct, frozen=True, kw_only=True):
    body: bytes = b""
    content_type: str = "text/plain"


class Rate(Struct, frozen=True, kw_only=True):
    """At most `per_second` under `key`, with `burst` at once."""

    key: str
    per_second: float
    burst: int = 1


class Pace(Protocol):
    """How fast an account may send, over all processes; the rates of a message hold together."""

    async def expected(self, rates: Sequence[Rate]) -> float:
        """Seconds a message would have to wait now."""

    async def reserve(self, rates: Sequence[Rate]) -> float:
        """Seconds to wait before sending; the message is counted as sent."""


class Capabilities(Struct, frozen=True, kw_only=True):
    text_limit: int = 4000  # characters of one message
    buttons: int = 0  # how many one message can carry
    files: bool = False
    edits: bool = False
    deletes: bool = False
    receipts: tuple[str, ...] = ()  # of "delivered", "read": what the platform tells
    window: timedelta | None = None  # how long after the customer's last message we may write; None: always
    beyond: tuple[str, ...] = ()  # what is allowed after that, in words for agents
    hosted: bool = False  # we keep the customer's view ourselves (the web chat)


Payload = dict[str, Any]  # a vendor's message, ready to be sent


class Connector(Protocol):
    """One account on one channel."""

    channel: str
    account: str
    capabilities: Capabilities

    def authenticate(self, request: Request) -> None:
        """Raises `BadSignature`; reads the raw bytes only."""

    def parse(self, request: Request) -> tuple[Inbound, ...]:
        """Pure; raises `MalformedPayload`. What it does not know becomes `EventKind.UNKNOWN`."""

    def render(self, message: Message) -> tuple[Payload, ...]:
        """Pure; one payload per message the platform will show."""

    def rates(self, chat: str) -> tuple[Rate, ...]: ...

    async def send(self, payload: Payload) -> Receipt:
        """Raises a `SendError`; its type says what happens next."""


@runtime_checkable
class Handshakes(Protocol):
    """A platform that asks before it sends (hub.challenge, CRC)."""

    def handshake(self, request: Request) -> Response: ...


@runtime_checkable
class Finds(Protocol):
    """A destination that can be asked whether a payload in doubt arrived."""

    async def find(self, payload: Payload) -> Receipt | None: ...


@runtime_checkable
class ShowsTyping(Protocol):
    async def typing(self, chat: str) -> None: ...


@runtime_checkable
class Fetches(Protocol):
    """A channel whose files have to be fetched from the platform."""

    async def fetch(self, attachment: Attachment) -> bytes:
        """Raises `SendDeferred` when it is worth another try, and any other `SendError` when it is not."""


@runtime_checkable
class Acknowledges(Protocol):
    """A platform that wants to hear that a press arrived, or its button goes on spinning."""

    async def acknowledge(self, press: Inbound) -> None:
        """Raises a `SendError`; nobody comes back to it, it is a courtesy."""


@runtime_checkable
class Edits(Protocol):
    """A platform on which what was sent can be put in other words."""

    async def edit(self, receipts: tuple[str, ...], message: Message) -> None:
        """`receipts` are the platform's ids of what `message` was sent as. Raises a `SendError`."""


@runtime_checkable
class Deletes(Protocol):
    """A platform on which what was sent can be taken back."""

    async def delete(self, receipts: tuple[str, ...]) -> None:
        """Raises a `SendError`."""


class Finding(Struct, frozen=True, kw_only=True):
    """One line of the doctor."""

    name: str
    status: str  # ok, warn, fail
    detail: str
    fix: str = ""


@runtime_checkable
class Checks(Protocol):
    async def check(self) -> list[Finding]: ...


@runtime_checkable
class Runs(Protocol):
    """An adapter with something to do in every process while it runs (say who we are, register a webhook)."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@runtime_checkable
class Polls(Protocol):
    """An account whose events have to be fetched: the worker that holds its lease does it, nobody else."""

    @property
    def polls(self) -> bool:
        """Whether this account is one (others of its channel may be told their events)."""

    async def poll(self) -> None:
        """Until cancelled; nothing may be told to have arrived that was not stored."""


class Desk(Protocol):
    """Where agents work; a destination of the outbox like any channel."""

    name: str
    copies: (
        bool  # holds copies (cards, threads) that must follow the case; the console reads the store itself
    )

    def render(self, post: Post) -> tuple[Payload, ...]:
        """Pure; nothing where a desk has no place for it."""

    def home(self, case: Case) -> str:
        """Where the card of a case belongs: with another home it is another card."""

    def rates(self, case: Case, posting: Posting) -> tuple[Rate, ...]: ...
    async def send(self, payload: Payload) -> Receipt: ...


@runtime_checkable
class Hears(Protocol):
    """A desk that tells us by itself what agents say and do there."""

    def authenticate(self, request: Request) -> None:
        """Raises `BadSignature`; reads the raw bytes only."""

    async def hear(self, request: Request) -> Response:
        """Answer what must be answered at once; whatever has an effect is stored before this returns.

        Raises `MalformedPayload`, `StoreUnavailable`.
        """

    async def meant(self, event: DeskEvent) -> AgentAction | Gone | None:
        """What an agent did; None when it is no concern of ours.

        Raises `SendDeferred` when the desk has to be asked something and does not answer, `NotAllowed` when who
        did it may not.
        """

    async def tell(self, event: DeskEvent, sentence: str, offered: str = "") -> None:
        """A word to who did it, that nobody else sees; `offered` is a message of theirs they could still send.

        Raises a `SendError`; nobody comes back to it, it is a courtesy.
        """


# ── Understanding, lookups, files ───────────────────────────────────────────────────────────────


class Understander(Protocol):
    """An NLU engine with a model."""

    @property
    def model(self) -> str:
        """Id of the live model."""

    @property
    def intents(self) -> tuple[str, ...]: ...

    async def understand(self, text: str, context: Context) -> Understanding:
        """Raises `EngineUnavailable`; an empty text is understood as nothing (confidence 0)."""


@runtime_checkable
class Prepares(Protocol):
    """An engine that is somewhere else, and has to have its model at work there before it goes live."""

    async def prepare(self) -> None:
        """Raises `BadData` when it does not have the model; being away for a moment is no error."""

    def retire(self) -> None:
        """Another engine is at work here from now on."""


class Lookups(Protocol):
    """Facts from the brand's own systems."""

    def has(self, name: str) -> bool: ...

    async def fetch(self, name: str, values: Mapping[str, str]) -> Mapping[str, object] | None:
        """The record, or None when there is none; raises `LookupFailed`."""


class Files(Protocol):
    """Attachments, outside the database, by the hash of their content."""

    async def put(self, content: bytes) -> str: ...
    async def get(self, key: str) -> bytes | None: ...
    async def delete(self, key: str) -> None: ...
    async def keys(self) -> list[str]:
        """Of all files, in no order."""
