"""Which cases a tab shows, in which order, page by page: queries and rows, no markup."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from bot.domain.cases import Case, CaseState
from bot.domain.messages import Attachment, Direction, Message
from bot.domain.ports import Query, Store

PAGE = 50
MOST_OF_ONES_OWN = 200
TIES = 200  # cases that may share a time: "tomorrow, 9:00" is popular
LOOK_BACK = (8, 200)  # messages read to find the customer's last words
LAST_WORDS = 180  # characters


class Tab(Struct, frozen=True, kw_only=True):
    name: str
    state: CaseState | None = None
    order: str = "-updated_at"
    since: Callable[[Case], datetime | None]
    form: str = "ago"  # how `since` is told
    shows_state: bool = False


TABS = {
    tab.name: tab
    for tab in (
        Tab(
            name="waiting",
            state=CaseState.WAITING,
            order="turn",
            since=lambda case: case.waiting_since,
            form="span",
        ),
        Tab(
            name="mine",
            order="turn",
            since=lambda case: case.waiting_since,
            form="span",
            shows_state=True,
        ),
        Tab(name="claimed", state=CaseState.CLAIMED, since=lambda case: case.waiting_since, form="span"),
        Tab(name="bot", state=CaseState.BOT, since=lambda case: case.customer_at),
        Tab(
            name="snoozed",
            state=CaseState.SNOOZED,
            order="due_at",
            since=lambda case: case.snoozed_until,
            form="short",
        ),
        Tab(name="resolved", state=CaseState.RESOLVED, since=lambda case: case.resolved_at),
        Tab(name="all", since=lambda case: case.updated_at, shows_state=True),
    )
}


class Wanted(Struct, frozen=True, kw_only=True):
    """What the viewer asked for."""

    tab: Tab
    me: str
    department: str = ""
    after: str = ""

    def equals(self, tab: Tab) -> dict[str, Any]:
        pairs = {
            "state": tab.state,
            "department": self.department,
            "owner_id": self.me if tab.name == "mine" else "",
        }
        return {name: value for name, value in pairs.items() if value}


class Row(Struct, frozen=True, kw_only=True):
    case: Case
    words: str
    attachments: tuple[Attachment, ...] = ()
    since: datetime | None

    def __repr__(self) -> str:
        return f"<Row {self.case!r}>"


class Listing(Struct, frozen=True, kw_only=True):
    rows: tuple[Row, ...]
    next: str  # "" at the end
    counts: Mapping[str, int]


async def listing(store: Store, wanted: Wanted) -> Listing:
    found, counts = await asyncio.gather(_cases(store, wanted), counted(store, wanted))
    page = wanted.tab.name == "mine" or len(found) <= PAGE
    cases, after = (found, "") if page else (found[:PAGE], cursor(found[PAGE - 1], wanted.tab))
    last = await asyncio.gather(*(last_words(store, case) for case in cases))
    rows = tuple(
        Row(
            case=case,
            words=shortened(message),
            attachments=message.attachments if message else (),
            since=when,
        )
        for case, message, when in zip(cases, last, map(wanted.tab.since, cases), strict=True)
    )
    return Listing(rows=rows, next=after, counts=counts)


async def counted(store: Store, wanted: Wanted) -> dict[str, int]:
    numbers = await asyncio.gather(
        *(store.count(Query(kind=Case, equals=wanted.equals(tab))) for tab in TABS.values())
    )
    return dict(zip(TABS, numbers, strict=True))


async def _cases(store: Store, wanted: Wanted) -> list[Case]:
    tab = wanted.tab
    if tab.name == "mine":
        query = Query(kind=Case, equals=wanted.equals(tab), order=tab.order, limit=MOST_OF_ONES_OWN)
        return sorted(await store.find(query), key=lambda case: (case.waiting_since is None, case.turn))
    until, after, last = _bounds(wanted.after, tab.order)
    query = Query(
        kind=Case,
        equals=wanted.equals(tab),
        until=until,
        after=after,
        order=tab.order,
        limit=PAGE + 1 + (TIES if wanted.after else 0),
    )
    found = await store.find(query)
    seen = [case.id for case in found]
    return found[seen.index(last) + 1 :] if last in seen else found


def _bounds(cursor: str, order: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """From the case the last page ended with, itself included: others may have its very time."""
    field = order.lstrip("-")
    value, last = _read(cursor, field)
    if value is None:
        return {}, {}, ""
    if order.startswith("-"):
        return {field: value}, {}, last
    return {}, {field: value - timedelta(microseconds=1) if isinstance(value, datetime) else value}, last


def cursor(case: Case, tab: Tab) -> str:
    """Where the next page goes on: the value sorted by, and the case, since times may be equal."""
    value = getattr(case, tab.order.lstrip("-"))
    return f"{value.isoformat() if isinstance(value, datetime) else value}~{case.id}"


def _read(after: str, field: str) -> tuple[Any, str]:
    """A cursor that cannot be read starts at the beginning."""
    value, _, last = after.rpartition("~")
    if field == "turn":
        return value or None, last
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None, ""
    return (moment, last) if moment.tzinfo and moment.year > 1 else (None, "")


async def last_words(store: Store, case: Case) -> Message | None:
    """The customer's last message that says or shows something."""
    for depth in LOOK_BACK:
        query = Query(kind=Message, equals={"case": case.id}, order="-seq", limit=depth)
        messages = await store.find(query)
        found = next((message for message in messages if _says(message)), None)
        if found or len(messages) < depth:
            return found
    return None


def _says(message: Message) -> bool:
    something = bool(message.text.strip() or message.attachments)
    return message.direction is Direction.IN and message.deleted_at is None and something


def shortened(message: Message | None) -> str:
    text = " ".join(message.text[: LAST_WORDS * 4].split()) if message else ""
    return text if len(text) <= LAST_WORDS else f"{text[: LAST_WORDS - 1].rstrip()}…"
