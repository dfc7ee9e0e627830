"""What the renderings for Slack are tested with: a desk's look in both languages, a case, and every hostile text."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from bot.domain.cases import Agent, Case, CaseState, Handoff, Matter, Reason
from bot.domain.desks import Card, ThreadPost
from bot.domain.messages import (
    BOT,
    Address,
    Attachment,
    AttachmentKind,
    Author,
    AuthorKind,
    Direction,
    Message,
    MessageState,
    Role,
)
from bot.domain.routing import Department, Span
from bot.domain.understanding import Level, Sentiment, Urgency
from handoff.desks.slack.look import Look
from tests.builders import NOON, case
from tests.contracts.desk_contract import HOSTILE

CARD = "C0CARDS:1763900000.000100"
HERE = Address(channel="telegram", account="shop", user="u1", chat="u1")
CUSTOMER = Author(kind=AuthorKind.CUSTOMER, id="c1")
ADA = Agent(id="U012ADA", name="Ada", desk="slack")
BY_ADA = Author(kind=AuthorKind.AGENT, id=ADA.id, name=ADA.name)
# Hypothesis leaves halves of characters out unless asked for them.
TEXTS = st.one_of(st.sampled_from([*HOSTILE.values()]), st.text(st.characters(), max_size=400))
INTENTS = {
    "refund": {"de": "Wo bleibt mein Geld?", "en": "Where is my refund?"},
    "parcel": {"de": "Wo ist mein Paket?", "en": "Where is my parcel?"},
}
WEEK = tuple(Span(weekday=day, opens=time(9), closes=time(17)) for day in range(5))
DEPARTMENTS = {
    "service": Department(name="service", label={"de": "Kundenservice", "en": "Service"}),
    "press": Department(name="press", label={"de": "Presse", "en": "Press"}, hours=WEEK),
}


def look(language: str = "en") -> Look:
    return Look(
        language=language,
        zone=ZoneInfo("Europe/Berlin"),
        public_url="https://desk.example/",
        intents=INTENTS,
        departments=DEPARTMENTS,
        workspace="https://nordwind.slack.com/",
    )


DE, EN = look("de"), look("en")


def said(text: str = "Hello", direction: Direction = Direction.IN, **changes: Any) -> Message:
    authors = {Direction.IN: CUSTOMER, Direction.OUT: BOT, Direction.NOTE: BY_ADA}
    known: dict[str, Any] = {
        "id": "m1",
        "case": "case1",
        "customer": "c1",
        "author": authors[direction],
        "text": text,
        "address": HERE,
        "at": NOON,
    }
    return Message(direction=direction, **{**known, **changes})


def written(text: str = "We are on it.", **changes: Any) -> Message:
    """By Ada, in the thread."""
    known = {"author": BY_ADA, "role": Role.REPLY, "written": "slack:C0CARDS:1763900001.000200"}
    return said(text, Direction.OUT, **{**known, **changes})


def waiting(**changes: Any) -> Case:
    known: dict[str, Any] = {
        "number": 1042,
        "address": HERE,
        "state": CaseState.WAITING,
        "intent": "refund",
        "confidence": 0.93,
        "urgency": Urgency(level=Level.HIGH, reasons=('legal: "my lawyer"', "about: refund")),
        "sentiment": Sentiment(label="negative"),
        "handoff": Handoff(reason=Reason.ASKED_FOR_PERSON, at=NOON, promised=NOON + timedelta(minutes=30)),
        "waiting_since": NOON,
        "slots": {"order_number": "4711"},
        "matters": (Matter(intent="parcel", department="service", at=NOON),),
    }
    return case(**{**known, **changes})


def claimed(**changes: Any) -> Case:
    return waiting(**{"state": CaseState.CLAIMED, "owner": ADA, "owners": ("Ben", "Ada"), **changes})


TRANSCRIPT = (
    said("Where is my money?"),
    said("Which order is it?", Direction.OUT, role=Role.ASK, state=MessageState.SENT),
    said("4711"),
    said("It is on its way.", Direction.OUT, role=Role.ANSWER, state=MessageState.SENT),
    said("I want to talk to a person!"),
)


def full(about: Case | None = None, **changes: Any) -> Card:
    known: dict[str, Any] = {
        "case": about or waiting(),
        "transcript": TRANSCRIPT,
        "previous": (case(id="case0", number=1000, intent="parcel", outcome="solved"),),
        "deadline": NOON + timedelta(days=1),
    }
    return Card(**{**known, **changes})


def thread(message: Message, **changes: Any) -> ThreadPost:
    return ThreadPost(**{"case": claimed(), "message": message, "card_receipt": CARD, **changes})


def hostile_card(text: str) -> Card:
    """Everything that somebody outside could have a hand in says the same."""
    file = Attachment(kind=AttachmentKind.DOCUMENT, name=text, file="f1", missing=text)
    message = said(text, attachments=(file,))
    about = claimed(
        slots={"order_number": text, text[:50]: text},
        outcome=text,
        owners=(text, "Ada"),
        urgency=Urgency(level=Level.CRITICAL, reasons=(f'legal: "{text}"', text)),
        handoff=Handoff(reason=Reason.LOOKUP_FAILED, detail=text, at=NOON),
    )
    asked = said(text, Direction.OUT, role=Role.ASK), said(text, Direction.OUT, role=Role.ANSWER)
    return full(about, transcript=(message, *asked), previous=(case(id="case0", outcome=text),))


def hostile_post(text: str) -> ThreadPost:
    file = Attachment(kind=AttachmentKind.DOCUMENT, name=text, file="f1", missing=text)
    return thread(said(text, attachments=(file,), quote=text, reaction=text, forwarded=True))
