"""Desks: what agents are shown of a case, and what they said and did at a desk that tells us of it by itself."""

from __future__ import annotations

from datetime import datetime

from msgspec import Raw, Struct, field

from bot.domain.cases import Case
from bot.domain.customers import Customer
from bot.domain.messages import Direction, EventState, Message, MessageState


class Passport(Struct, frozen=True, kw_only=True):
    """The story so far, so that the customer need not tell it again."""

    last_words: str
    bot_asked: tuple[str, ...]
    bot_answered: tuple[str, ...]
    given: dict[str, str]
    messages: int

    def __repr__(self) -> str:
        return f"<Passport of {self.messages} messages>"


# ── What is posted ──────────────────────────────────────────────────────────────────────────────


class Card(Struct, frozen=True, kw_only=True):
    """Everything an agent needs to know about a case at a glance.

    `receipt` is that of the card which stands for this handoff already: it is updated, else a new one is posted.
    """

    case: Case
    transcript: tuple[Message, ...]
    passport: Passport | None = None
    previous: tuple[Case, ...] = ()
    customer: Customer | None = None
    deadline: datetime | None = None  # until then the channel lets us reply
    receipt: str = ""

    def __repr__(self) -> str:
        return f"<Card of #{self.case.number}>"


class Story(Struct, frozen=True, kw_only=True):
    """The transcript up to the card, told once under it."""

    case: Case
    transcript: tuple[Message, ...]
    card_receipt: str

    def __repr__(self) -> str:
        return f"<Story of #{self.case.number}>"


class ThreadPost(Struct, frozen=True, kw_only=True):
    """A message under its card; with a `receipt` it was posted before and says or is something else now.

    One that was written at this very desk (`message.written`) stands there already: what is posted is what
    became of it, and only where that needs more than a mark.
    """

    case: Case
    message: Message
    card_receipt: str
    receipt: str = ""
    uploaded: tuple[str, ...] = ()  # files of it that are there already
    closed: bool = False  # the channel's reply window is over: sending it again would fail again

    def __repr__(self) -> str:
        return f"<ThreadPost of {self.message.id}>"


class Mark(Struct, frozen=True, kw_only=True):
    """What became of words that were written at the desk, shown on them: `due` should be there, `shown` is.

    The words are those of `marks`.
    """

    case: Case
    message: Message
    due: tuple[str, ...]
    shown: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Mark on {self.message.id}>"


MARKS: dict[MessageState, tuple[str, ...]] = {
    MessageState.DEFERRED: ("waits",),
    MessageState.SENT: ("sent",),
    MessageState.DELIVERED: ("sent",),
    MessageState.READ: ("sent", "read"),
    MessageState.FAILED: ("failed",),
    MessageState.IN_DOUBT: ("failed",),
}


def marks(message: Message) -> tuple[str, ...]:
    """What an agent sees on their own words: note, waits, sent, read, failed."""
    if message.deleted_at:
        return ()
    return ("note",) if message.direction is Direction.NOTE else MARKS.get(message.state, ())


class Left(Struct, frozen=True, kw_only=True):
    """An earlier card of a case that goes on under another one."""

    case: Case
    receipt: str
    card_receipt: str


Post = Card | Story | ThreadPost | Mark | Left


# ── What comes from a desk ──────────────────────────────────────────────────────────────────────


class DeskEvent(Struct, frozen=True, kw_only=True):
    """Something a desk told us, stored before it is acknowledged; once, in its lane, by the desk's own time."""

    id: str
    desk: str
    external_id: str  # the desk's own dedupe key
    lane: str  # the case, or the thread while nobody knows whose it is
    seq: int = 0  # the lane's sequence, given by the store
    case: str = ""
    happened_at: datetime  # the desk's clock
    received_at: datetime
    payload: Raw = Raw(b"{}")
    state: EventState = EventState.PENDING
    attempts: int = 0
    not_before: datetime | None = None  # of the next try
    error: str = ""
    version: int = 0

    def __repr__(self) -> str:
        return f"<DeskEvent {self.id} {self.desk} {self.state}>"


class Gone(Struct, frozen=True, kw_only=True):
    """An agent who may not speak any more: what they had waits for somebody again."""

    agent: str


class SavedAnswer(Struct, frozen=True, kw_only=True):
    """A reply that an agent found worth keeping: canned at every desk, and material for a supervisor."""

    id: str
    intent: str = ""
    language: str = ""
    text: str
    author: str
    at: datetime

    def __repr__(self) -> str:
        return f"<SavedAnswer {self.id}>"


class Alarm(Struct, frozen=True, kw_only=True):
    """Something an operator has to mend, shown at the console until it works again."""

    id: str  # what does not work: "slack"
    why: str
    since: datetime
    facts: dict[str, str] = field(default_factory=dict)
    version: int = 0
