"""What is to be sent: a row names a message or a card, its order and its rate."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from bot.domain.messages import MessageState, Role


class Destination(StrEnum):
    CHANNEL = "channel"  # to the customer
    DESK = "desk"  # to the agents


class Posting(StrEnum):
    """What a row puts on its destination; the content is read when it is sent, so a row holds no text."""

    MESSAGE = "message"
    CARD = "card"  # the one card of a case: posted once, then updated in place
    THREAD = "thread"  # a message under its card
    STORY = "story"  # the transcript so far, once under each card
    MARK = "mark"  # what became of words that an agent wrote at the desk, shown on them
    LEFT = "left"  # an earlier card of a case that goes on under another one (`about`)
    EDIT = "edit"  # the message was sent, and says something else now
    DELETE = "delete"  # the message was sent, and is taken back


CHANGING = (Posting.EDIT, Posting.DELETE)

WAITING = (MessageState.QUEUED, MessageState.DEFERRED)
UNSENT = (MessageState.QUEUED, MessageState.DEFERRED, MessageState.SENDING)


class OutboxRow(Struct, frozen=True, kw_only=True):
    id: str
    seq: int = 0  # the order key's sequence, given by the store
    destination: Destination
    posting: Posting = Posting.MESSAGE
    channel: str = ""  # or the desk's name
    account: str = ""
    case: str
    customer: str
    message: str = ""
    role: Role | None = None
    by_agent: bool = False  # a person's words are never sent twice on a guess
    order_key: str  # chat or thread: strictly in order
    urgent: bool = False
    state: MessageState = MessageState.QUEUED
    attempts: int = 0
    parts_sent: int = 0
    held: bool = False  # the customer wrote meanwhile: it waits for its author to look
    about: str = ""  # the receipt of the card that was left
    resent: bool = False  # a bot's words that were in doubt were sent once more
    receipts: tuple[str, ...] = ()  # the platform's ids, one per part
    not_before: datetime
    created_at: datetime
    reason: str = ""
    version: int = 0


class Receipt(Struct, frozen=True, kw_only=True):
    """The platform accepted it; `external_id` is its name for the message."""

    external_id: str
    state: MessageState = MessageState.SENT


class Posted(Struct, frozen=True, kw_only=True):
    """Where a desk keeps what was posted: updates and thread posts go there.

    One record for the card of a case (and one for each line under it), and one that leads back from a card.
    """

    id: str  # desk and case (or message), or desk and receipt
    case: str
    receipt: str
    handoff: datetime | None = None  # the handoff this card stands for
    home: str = ""  # where it belonged
    moved: bool = False  # another card stood for the case before, and people may still write under that
    told: str = ""  # the card under which the story was told
    marks: tuple[str, ...] = ()  # on words that were written at the desk
    files: tuple[str, ...] = ()  # of a line: those that were uploaded
    at: datetime
    version: int = 0


def posted_id(desk: str, what: str) -> str:
    """`what` is a case or a message."""
    return f"{desk}:{what}"


def thread_id(desk: str, receipt: str) -> str:
    """Leads from a card back to its case, also from one that was left."""
    return f"{desk}@{receipt}"
