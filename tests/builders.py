"""Values and small worlds for tests: everything that is not under test is handed in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from bot.domain.answers import Answer, AnswerBook, Mode, Need, Variant
from bot.domain.cases import Agent, Case
from bot.domain.messages import Address, EventKind, Inbound
from bot.domain.routing import Department, Rule
from bot.domain.turns import Policy, Turn
from bot.domain.understanding import Entity, Intent, Sentiment, Understanding, Urgency
from handoff.policy import HandoffRules

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday
HERE = Address(channel="test", account="shop", user="u1", chat="u1")
ADA = Agent(id="ada", name="Ada", desk="console")
BEN = Agent(id="ben", name="Ben", desk="console")

SENTENCES = {
    "handed_off": "A colleague of {department} answers within {wait}.",
    "handed_off_closed": "{department} is back {opening}.",
    "reopened": "Welcome back, {department} knows your case.",
    "still_waiting": "Still waiting.",
    "promise_broken": "Sorry, it takes longer.",
    "clarify": "Which did you mean?",
    "not_understood": "I did not understand.",
    "person_button": "A person",
    "none_button": "Neither",
    "unreadable": "I cannot read that.",
    "no_longer_open": "That question is closed.",
    "ask_again": "Once more: {question}",
    "late_apology": "Sorry for the long silence.",
    "public_to_private": "Please write to us privately.",
}


class Ticking:
    """A clock that stands still until it is told."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **amount: float) -> None:
        self.at += timedelta(**amount)


def numbered_ids() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"id{next(numbers):06d}"


def answer(intent: str, **changes: Any) -> Answer:
    known: dict[str, Any] = {"label": {"en": f"{intent}?"}, "text": {"en": f"About {intent}."}}
    return Answer(intent=intent, **{**known, **changes})


ORDER = Need(slot="order_number", entity="order_number", ask={"en": "Which order number?"})


def book(*extra: Answer) -> AnswerBook:
    answers = [
        answer("hours"),
        answer("returns"),
        answer("press", mode=Mode.HUMAN),
        answer("greeting", smalltalk=True),
        answer("affirm", smalltalk=True),
        answer("thanks", smalltalk=True, resolves=True),
        answer(
            "parcel",
            needs=(ORDER,),
            lookup="order",
            text={"en": "Order {order_number} is {status}."},
            general={"en": "Usually three days."},
            public={"en": "Please write to us privately."},
            not_found={"en": "I cannot find {order_number}."},
            variants=(Variant(when={"status": "shipped"}, text={"en": "{order_number} is on its way."}),),
        ),
        *extra,
    ]
    return AnswerBook(
        answers={one.intent: one for one in answers},
        sentences={name: {"en": text} for name, text in SENTENCES.items()},
        languages=("en",),
    )


def policy(**changes: Any) -> Policy:
    known: dict[str, Any] = {"book": book(), "lookups": frozenset({"order"}), "language": "en"}
    return Policy(**{**known, **changes})


def rules(**changes: Any) -> HandoffRules:
    departments = {
        "service": Department(name="service", label={"en": "Service"}),
        "press": Department(name="press", label={"en": "Press"}),
    }
    known: dict[str, Any] = {
        "departments": departments,
        "routing": (Rule(to="press", intent=("press",)),),
        "default": "service",
        "zone": ZoneInfo("Europe/Berlin"),
    }
    return HandoffRules(**{**known, **changes})


def understanding(intent: str = "hours", confidence: float = 0.9, **changes: Any) -> Understanding:
    ranking = tuple(Intent(name=name, confidence=confidence) for name in (intent, "hours", "returns") if name)
    known: dict[str, Any] = {
        "text": "…",
        "intent": Intent(name=intent, confidence=confidence),
        "intent_ranking": tuple(dict.fromkeys(ranking)),
        "language": "en",
        "urgency": Urgency(),
        "sentiment": Sentiment(),
    }
    return Understanding(**{**known, **changes})


def order_number(value: str) -> Entity:
    return Entity(entity="order_number", value=value, start=0, end=len(value))


def turn(intent: str = "hours", confidence: float = 0.9, **changes: Any) -> Turn:
    about = {
        key: changes.pop(key)
        for key in ("entities", "urgency", "sentiment", "wants_person")
        if key in changes
    }
    known: dict[str, Any] = {
        "question": "q1",
        "understanding": understanding(intent, confidence, **about),
        "address": HERE,
        "at": NOON,
    }
    return Turn(**{**known, **changes})


def case(**changes: Any) -> Case:
    known: dict[str, Any] = {
        "id": "case1",
        "number": 1001,
        "customer": "c1",
        "pseudonym": "7F3A",
        "department": "service",
        "address": HERE,
        "language": "en",
        "opened_at": NOON,
        "updated_at": NOON,
        "customer_at": NOON,
    }
    return Case(**{**known, **changes})


def inbound(text: str = "Hello", external_id: str = "e1", **changes: Any) -> Inbound:
    known: dict[str, Any] = {
        "external_id": external_id,
        "kind": EventKind.MESSAGE,
        "address": HERE,
        "text": text,
    }
    return Inbound(**{**known, **changes})
