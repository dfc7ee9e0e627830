"""The writes a use case is made of: a message with its outbox row, a card, a journal entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from bot.domain.cases import Case
from bot.domain.journal import Did, Entry
from bot.domain.messages import (
    BOT,
    SYSTEM,
    Attachment,
    Author,
    Direction,
    Event,
    FeedEntry,
    FeedKind,
    Message,
    MessageState,
    Role,
    topic,
)
from bot.domain.outbox import Destination, OutboxRow, Posting
from bot.domain.ports import Insert, NewId, Update, Write
from bot.domain.turns import Saying
from bot.domain.understanding import Level

Attributes = Mapping[str, str | int | float | bool | None]


def entry(
    kind: Did,
    case: Case,
    now: datetime,
    new_id: NewId,
    *,
    actor: str,
    happened_at: datetime | None = None,
    attributes: Attributes | None = None,
) -> Insert:
    """A fact about a case."""
    return Insert(
        scope=f"customer:{case.customer}",
        record=Entry(
            id=new_id(),
            kind=kind,
            customer=case.customer,
            case=case.id,
            channel=case.address.channel,
            account=case.address.account,
            department=case.department,
            actor=actor,
            attributes=dict(attributes or {}),
            happened_at=happened_at or now,
            at=now,
        ),
    )


def event_entry(
    kind: Did, event: Event, case: str, now: datetime, new_id: NewId, attributes: Attributes | None = None
) -> Insert:
    """A fact about an event, whether it has a case or not."""
    return Insert(
        scope=f"customer:{event.lane}",
        record=Entry(
            id=new_id(),
            kind=kind,
            customer=event.lane,
            case=case,
            channel=event.channel,
            account=event.account,
            actor="customer",
            attributes=dict(attributes or {}),
            happened_at=event.inbound.sent_at or now,
            at=now,
        ),
    )


def taken_in(event: Event, case: Case, intent: str, author: Author) -> Insert:
    """The customer's message, as a line of the transcript."""
    inbound = event.inbound
    return Insert(
        scope=f"customer:{case.customer}",
        record=Message(
            id=event.id,
            case=case.id,
            customer=case.customer,
            direction=Direction.IN,
            author=author,
            text=inbound.text,
            attachments=inbound.attachments,
            address=inbound.address,
            external_id=inbound.external_id,
            reply_to=inbound.refers_to,
            quote=inbound.quote,
            forwarded=inbound.forwarded,
            intent=intent,
            at=event.received_at,
        ),
    )


def shown(message: Message, kind: FeedKind, now: datetime) -> Insert:
    """A step in what a hosted conversation shows."""
    where = topic(message.address)
    step = "shown" if kind is FeedKind.MESSAGE else message.state
    return Insert(
        scope=where,
        record=FeedEntry(
            id=f"{where}:{message.id}:{step}", topic=where, kind=kind, message=message.id, at=now
        ),
    )


def said(case: Case, saying: Saying, now: datetime, new_id: NewId, *, reply_to: str = "") -> list[Write]:
    """The bot's words: a message and the row that carries it; `reply_to` is quoted where the platform can."""
    message = Message(
        id=new_id(),
        case=case.id,
        customer=case.customer,
        direction=Direction.OUT,
        author=BOT,
        text=saying.text,
        buttons=saying.buttons,
        question=saying.question,
        role=saying.role,
        state=MessageState.QUEUED,
        address=case.address,
        reply_to=reply_to,
        at=now,
    )
    return _outgoing(case, message, now, new_id, by_agent=False)


def replied(
    case: Case,
    author: Author,
    text: str,
    attachments: tuple[Attachment, ...],
    now: datetime,
    new_id: NewId,
    *,
    reply_to: str = "",
    **known: Any,
) -> list[Write]:
    """A person's words to the customer; `known` are further fields of the message."""
    message = Message(
        id=new_id(),
        case=case.id,
        customer=case.customer,
        direction=Direction.OUT,
        author=author,
        text=text,
        attachments=attachments,
        role=Role.REPLY,
        state=MessageState.QUEUED,
        address=case.address,
        reply_to=reply_to,
        at=now,
        **known,
    )
    return _outgoing(case, message, now, new_id, by_agent=True)


def spoken(case: Case, note: Message, now: datetime, new_id: NewId) -> list[Write]:
    """A note that was meant for the customer goes to them after all; its place in the transcript stays."""
    message = replace(
        note,
        direction=Direction.OUT,
        role=Role.REPLY,
        state=MessageState.QUEUED,
        address=case.address,
        offered=False,
    )
    return [Update(record=message), *_carried(case, message, now, new_id, by_agent=True)]


def _outgoing(case: Case, message: Message, now: datetime, new_id: NewId, *, by_agent: bool) -> list[Write]:
    new = Insert(record=message, scope=f"customer:{case.customer}")
    return [new, *_carried(case, message, now, new_id, by_agent=by_agent)]


def _carried(case: Case, message: Message, now: datetime, new_id: NewId, *, by_agent: bool) -> list[Write]:
    """The row that brings a message to its address."""
    address = message.address
    order_key = f"{address.channel}:{address.account}:{address.chat}"
    row = OutboxRow(
        id=new_id(),
        destination=Destination.CHANNEL,
        channel=address.channel,
        account=address.account,
        case=case.id,
        customer=case.customer,
        message=message.id,
        role=message.role,
        by_agent=by_agent,
        order_key=order_key,
        urgent=case.urgency.level.rank >= Level.HIGH.rank,
        not_before=message.undo_until or now,
        created_at=now,
    )
    facts: Attributes = {"role": message.role, "message": message.id}
    return [
        Insert(record=row, scope=order_key),
        entry(Did.QUEUED, case, now, new_id, actor=message.author.id, attributes=facts),
    ]


def noted(case: Case, author: Author, text: str, now: datetime, new_id: NewId, **known: Any) -> Insert:
    """An internal line; nothing carries it to the customer. `known` are further fields of the message."""
    return Insert(
        scope=f"customer:{case.customer}",
        record=Message(
            id=new_id(),
            case=case.id,
            customer=case.customer,
            direction=Direction.NOTE,
            author=author,
            text=text,
            address=case.address,
            at=now,
            **known,
        ),
    )


def system_note(case: Case, text: str, now: datetime, new_id: NewId, ping: str = "") -> Insert:
    """What the server says to the agents; `ping` calls somebody."""
    return noted(case, SYSTEM, text, now, new_id, ping=ping)


def left(case: Case, desk: str, receipt: str, now: datetime, new_id: NewId) -> Insert:
    """An earlier card says where its case goes on."""
    (row,) = posted(case, [desk], Posting.LEFT, now, new_id)
    assert isinstance(row, Insert)
    assert isinstance(row.record, OutboxRow)
    return replace(row, record=replace(row.record, about=receipt))


def posted(
    case: Case, desks: Sequence[str], posting: Posting, now: datetime, new_id: NewId, message: str = ""
) -> list[Write]:
    """A card (or a line under it) for every desk named."""
    return [
        Insert(
            scope=f"{desk}:{case.id}",
            record=OutboxRow(
                id=new_id(),
                destination=Destination.DESK,
                posting=posting,
                channel=desk,
                case=case.id,
                customer=case.customer,
                message=message,
                order_key=f"{desk}:{case.id}",
                urgent=case.urgency.level.rank >= Level.HIGH.rank,
                not_before=now,
                created_at=now,
            ),
        )
        for desk in desks
    ]
