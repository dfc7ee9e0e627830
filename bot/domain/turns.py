"""A turn, the policy it is met with, and what comes of it: the values decisions are made of."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field

from bot.domain.answers import AnswerBook
from bot.domain.cases import Case, Reason
from bot.domain.messages import Address, Button, Press, Role
from bot.domain.understanding import Understanding

PERSON = "person"  # the intent, and the choice on a button
NONE = "none"
OUT_OF_SCOPE = "out_of_scope"
AFFIRM = "affirm"
GREETING = "greeting"  # who opens a chat is answered as if they had said hello


class LookupCall(Struct, frozen=True, kw_only=True):
    """Fetch this, then decide again."""

    name: str
    values: dict[str, str]


class LookupResult(Struct, frozen=True, kw_only=True):
    failed: str = ""  # why, for people
    record: dict[str, Any] | None = None  # None: there is no such thing


class Turn(Struct, frozen=True, kw_only=True):
    """What the customer just said: everything that waited in the lane, as one."""

    question: str  # the id a question asked now would get
    understanding: Understanding
    address: Address
    at: datetime  # when the first of it was received
    press: Press | None = None
    message: str = ""  # the platform's id of the last of it
    deaf: str = ""  # why nothing could be understood: the engine is away
    readable: bool = True  # False: a voice message, a sticker, a photo without words
    lookup: LookupResult | None = None


class Policy(Struct, frozen=True, kw_only=True):
    book: AnswerBook
    lookups: frozenset[str] = frozenset()
    language: str = "de"  # when a customer's cannot be told
    threshold: float = 0.6
    thresholds: dict[str, float] = field(default_factory=dict)
    reopen: timedelta = timedelta(days=7)
    notice: timedelta = timedelta(minutes=10)
    stale: timedelta = timedelta(hours=6)
    upset: float = -0.7


class Saying(Struct, frozen=True, kw_only=True):
    text: str
    role: Role
    buttons: tuple[Button, ...] = ()
    question: str = ""


class Decision(Struct, frozen=True, kw_only=True):
    """The case as it shall be, what is said, and what happens next."""

    case: Case
    rule: str  # which rule decided, for the journal
    says: tuple[Saying, ...] = ()
    hand_off: Reason | None = None
    detail: str = ""
    lookup: LookupCall | None = None
    resolve: str = ""  # the outcome


def threshold(intent: str, policy: Policy) -> float:
    return policy.thresholds.get(intent, policy.threshold)


def is_sure(understood: Understanding, policy: Policy) -> bool:
    intent = understood.intent
    return bool(intent.name) and intent.confidence >= threshold(intent.name, policy)


def sentence(case: Case, policy: Policy, name: str, role: Role) -> Saying:
    return Saying(text=policy.book.sentence(name, case.language, {}), role=role)
