"""One valid record of every kind, to be varied by keyword."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Raw, Struct
from msgspec.structs import replace

from bot.domain.accounts import Session, Setting, User
from bot.domain.actions import ActionDone, Label
from bot.domain.cases import Agent, Case, CaseState, Handoff, Matter, Reason
from bot.domain.customers import Customer, Identity
from bot.domain.desks import Alarm, DeskEvent, SavedAnswer
from bot.domain.journal import Did, Entry
from bot.domain.messages import (
    Address,
    Attachment,
    AttachmentKind,
    Author,
    AuthorKind,
    Button,
    Direction,
    Event,
    EventKind,
    FeedEntry,
    FeedKind,
    Fetch,
    Inbound,
    Message,
    Press,
    Role,
)
from bot.domain.outbox import Destination, OutboxRow, Posted
from bot.domain.understanding import Level, Urgency

NOW = datetime(2026, 3, 29, 1, 59, 59, 123456, tzinfo=UTC)
ADDRESS = Address(channel="telegram", account="shop", user="u1", chat="c1")
AGENT = Agent(id="ada", name="Ada", desk="console")
INBOUND = Inbound(
    external_id="x1",
    kind=EventKind.MESSAGE,
    address=ADDRESS,
    text="Wo ist mein Paket?",
    attachments=(Attachment(kind=AttachmentKind.LOCATION, data={"latitude": 53.55, "near": ["Elbe", None]}),),
    press=Press(question="q1", choice="yes"),
    sent_at=NOW - timedelta(seconds=1),
    raw=Raw(b'{"update_id": 1}'),
)

EXAMPLES: Mapping[type[Struct], Struct] = {
    type(example): example
    for example in (
        Customer(id="k1", pseudonym="7F3A", language="de", created_at=NOW),
        Identity(
            id="i1", channel="telegram", account="shop", user="u1", chat="c1", customer="k1", created_at=NOW
        ),
        Event(id="e1", lane="k1", inbound=INBOUND, received_at=NOW),
        Message(
            id="m1",
            case="s1",
            customer="k1",
            direction=Direction.OUT,
            author=Author(kind=AuthorKind.BOT, id="bot", name="Bot"),
            text="Welches Paket?",
            buttons=(Button(label="4711", choice="4711"),),
            role=Role.ASK,
            address=ADDRESS,
            at=NOW,
        ),
        Case(
            id="s1",
            number=1001,
            customer="k1",
            pseudonym="7F3A",
            department="service",
            address=ADDRESS,
            urgency=Urgency(level=Level.HIGH, score=0.75, reasons=("waits for days",)),
            owner=AGENT,
            handoff=Handoff(reason=Reason.ASKED_FOR_PERSON, at=NOW),
            slots={"order_number": "4711"},
            matters=(Matter(intent="refund_status", department="billing", at=NOW),),
            opened_at=NOW,
            updated_at=NOW,
            customer_at=NOW,
        ),
        OutboxRow(
            id="o1",
            destination=Destination.CHANNEL,
            case="s1",
            customer="k1",
            message="m1",
            order_key="telegram:c1",
            receipts=("1", "2"),
            not_before=NOW,
            created_at=NOW,
        ),
        Fetch(id="m1", not_before=NOW),
        Posted(id="console:s1", case="s1", receipt="r1", handoff=NOW, told="r1", at=NOW),
        DeskEvent(
            id="d1",
            desk="slack",
            external_id="Ev1",
            lane="s1",
            case="s1",
            happened_at=NOW,
            received_at=NOW,
            payload=Raw(b'{"type": "message"}'),
        ),
        SavedAnswer(id="sa1", intent="returns", language="de", text="Gern.", author="ada", at=NOW),
        Alarm(id="slack", why="The token was revoked.", since=NOW, facts={"channel": "C1"}),
        Entry(
            id="j1",
            kind=Did.SENT,
            customer="k1",
            case="s1",
            attributes={"role": "answer", "times": 2, "sure": True, "share": 0.5, "due": None},
            happened_at=NOW,
            at=NOW,
        ),
        FeedEntry(id="f1", topic="webchat:site:c1", kind=FeedKind.STATE, message="m1", at=NOW),
        ActionDone(id="a1", case="s1", action="reply", message="m1", at=NOW),
        Label(id="l1", message="m1", case="s1", intent="refund_status", author="ada", at=NOW),
        User(id="ada", role="agent", password="$argon2id$…", created_at=NOW),
        Session(id="t1", user="ada", csrf="c", created_at=NOW, expires_at=NOW + timedelta(hours=12)),
        Setting(id="model", value={"live": "m7", "previous": None}, at=NOW),
    )
}


def _maker(kind: type[Any]) -> Callable[..., Any]:
    def make(id: str, **changes: Any) -> Any:
        return replace(EXAMPLES[kind], id=id, **changes)

    return make


customer = _maker(Customer)
entry = _maker(Entry)
message = _maker(Message)
row = _maker(OutboxRow)
setting = _maker(Setting)
session = _maker(Session)


def case(id: str, *, number: int, **changes: Any) -> Case:
    """Each of another customer, unless one is named: a customer has one open case."""
    return replace(EXAMPLES[Case], **{"id": id, "number": number, "customer": f"customer of {id}"} | changes)  # type: ignore[return-value]


def closed(id: str, *, number: int, **changes: Any) -> Case:
    return case(id, number=number, state=CaseState.RESOLVED, **changes)


def event(id: str, external_id: str = "", lane: str = "k1", **inbound: Any) -> Event:
    told = replace(INBOUND, external_id=external_id or f"x of {id}", **inbound)
    return Event(id=id, lane=lane, inbound=told, received_at=NOW)
