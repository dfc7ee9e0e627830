"""Every query the server makes; each store shows with them that an index answers it.

A query that is not in here fails the test that comes upon it: add it, and the index it needs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from bot.domain.accounts import Session, User
from bot.domain.actions import Label
from bot.domain.cases import Case, CaseState
from bot.domain.customers import Customer, Identity
from bot.domain.desks import Alarm, DeskEvent, SavedAnswer
from bot.domain.journal import Did, Entry
from bot.domain.messages import Event, EventState, FeedEntry, Fetch, Message, MessageState
from bot.domain.outbox import UNSENT, OutboxRow
from bot.domain.ports import Query
from tests.contracts.records import NOW

T = TypeVar("T")

ROOT = Path(__file__).parents[1]
SERVER = (str(ROOT / "bot"), str(ROOT / "handoff"))


class Asked(NamedTuple):
    """`sorts` says why few enough are found to be sorted afterwards, `scans` why all may be looked at."""

    query: Query[Any]
    sorts: str = ""
    scans: str = ""


def case_(order: str = "", until: Mapping[str, Any] | None = None, /, **equals: Any) -> Query[Case]:
    return Query(kind=Case, equals=equals, order=order, until=until or {}, limit=51)


def rows(order: str = "", /, **equals: Any) -> Query[OutboxRow]:
    return Query(kind=OutboxRow, equals=equals, order=order)


LONG_AGO = datetime.min.replace(tzinfo=UTC)
WAIT = "no more cases than people can work on"
QUEUE = "what one chat is still to be sent"
LIFE = "what one customer wrote"

ASKED: Mapping[str, Asked] = {
    # receiving and answering
    "the identity of an address": Asked(
        Query(kind=Identity, equals={"channel": "telegram", "account": "shop", "user": "u1"}, limit=1)
    ),
    "the identities of a customer": Asked(Query(kind=Identity, equals={"customer": "k1"})),
    "an event by the platform's id": Asked(
        Query(kind=Event, equals={"channel": "telegram", "account": "shop", "external_id": "x"}, limit=1)
    ),
    "what waits in a lane": Asked(
        Query(kind=Event, equals={"lane": "k1", "state": EventState.PENDING}, order="seq", limit=50)
    ),
    "lanes that were forgotten": Asked(
        Query(
            kind=Event,
            equals={"state": EventState.PENDING},
            until={"received_at": NOW},
            after={"received_at": LONG_AGO},
            order="received_at",
            limit=500,
        )
    ),
    "the oldest event": Asked(
        Query(kind=Event, equals={"state": EventState.PENDING}, order="received_at", limit=1)
    ),
    "the next of an album": Asked(
        Query(kind=Event, equals={"lane": "k1"}, after={"seq": 3}, order="seq", limit=50), sorts=LIFE
    ),
    "the ones before of an album": Asked(
        Query(kind=Event, equals={"lane": "k1"}, until={"seq": 3}, order="-seq", limit=50), sorts=LIFE
    ),
    "the open case of a customer": Asked(case_(customer="k1", is_open=True)),
    "the last case of a customer": Asked(case_("-opened_at", customer="k1")),
    "a message by the platform's id": Asked(
        Query(kind=Message, equals={"customer": "k1", "external_id": "x"}, limit=1)
    ),
    "files that are due": Asked(
        Query(
            kind=Fetch,
            until={"not_before": NOW},
            after={"not_before": LONG_AGO},
            order="not_before",
            limit=500,
        )
    ),
    "what was said before": Asked(
        Query(kind=Message, equals={"customer": "k1"}, until={"seq": 5}, order="-seq", limit=50)
    ),
    "cases that are due": Asked(Query(kind=Case, until={"due_at": NOW}, order="due_at")),
    "what a desk's lane has": Asked(
        Query(kind=DeskEvent, equals={"lane": "s1", "state": EventState.PENDING}, order="seq", limit=50)
    ),
    "desk lanes that were forgotten": Asked(
        Query(
            kind=DeskEvent,
            equals={"state": EventState.PENDING},
            until={"received_at": NOW},
            after={"received_at": LONG_AGO},
            order="received_at",
            limit=500,
        )
    ),
    # sending
    "the next row of an order key": Asked(rows("seq", order_key="k", state=UNSENT), sorts=QUEUE),
    "the rows after one that are unsent": Asked(
        Query(kind=OutboxRow, equals={"order_key": "k", "state": UNSENT}, after={"seq": 3}, order="seq"),
        sorts=QUEUE,
    ),
    "the rows of a state in order": Asked(rows("seq", order_key="k", state=MessageState.QUEUED)),
    "what was sent lately": Asked(rows("-seq", order_key="k"), sorts="what one chat was sent"),
    "rows that are due": Asked(
        Query(
            kind=OutboxRow,
            equals={"state": MessageState.QUEUED},
            until={"not_before": NOW},
            after={"not_before": LONG_AGO},
            order="not_before",
            limit=500,
        )
    ),
    "the rows of a case": Asked(rows(case="s1", state=UNSENT)),
    "the rows of a message": Asked(rows(message="m1")),
    "rows of a state": Asked(rows(state=MessageState.FAILED)),
    "rows of states": Asked(rows(state=UNSENT)),
    # transcripts, feeds and the journal
    "a transcript": Asked(Query(kind=Message, equals={"case": "s1"}, order="-seq", limit=2000)),
    "messages by id": Asked(Query(kind=Message, equals={"id": ("m1", "m2")})),
    "the feed since": Asked(Query(kind=FeedEntry, equals={"topic": "t"}, after={"seq": 7}, order="seq")),
    "the end of a feed": Asked(Query(kind=FeedEntry, equals={"topic": "t"}, order="-seq", limit=1)),
    "a case's journal": Asked(Query(kind=Entry, equals={"case": "s1"}, order="-seq", limit=2000)),
    "a department's last handoffs": Asked(
        Query(kind=Entry, equals={"department": "d", "kind": Did.HANDED_OFF}, order="-at", limit=100)
    ),
    "a channel's entries of today": Asked(
        Query(kind=Entry, equals={"kind": Did.RECEIVED, "channel": "telegram"}, after={"at": NOW})
    ),
    "a channel's entries": Asked(Query(kind=Entry, equals={"kind": Did.SENT, "channel": "telegram"})),
    # the console and the API
    "cases by id": Asked(case_(id=("s1", "s2"))),
    "a case by number": Asked(case_(number=7)),
    "cases by number": Asked(case_("-number")),
    "cases by number, the next page": Asked(case_("-number", {"number": 7})),
    "cases of a state by number": Asked(case_("-number", state=CaseState.WAITING), sorts=WAIT),
    "cases of a customer by number": Asked(case_("-number", customer="k1"), sorts="one customer's cases"),
    "cases of a department by number": Asked(case_("-number", department="d"), sorts="stops at its limit"),
    "who waits": Asked(case_("turn", state=CaseState.WAITING)),
    "who waits, the next page": Asked(
        Query(kind=Case, equals={"state": CaseState.WAITING}, after={"turn": "1"}, order="turn", limit=251)
    ),
    "who waits for a department": Asked(case_("turn", state=CaseState.WAITING, department="d"), sorts=WAIT),
    "my cases": Asked(case_("turn", owner_id="ada"), sorts=WAIT),
    "my cases of a department": Asked(case_("turn", owner_id="ada", department="d"), sorts=WAIT),
    "what an agent holds": Asked(
        case_(owner_id="ada", state=(CaseState.CLAIMED, CaseState.SNOOZED)),
    ),
    "cases of a state": Asked(case_("-updated_at", state=CaseState.RESOLVED)),
    "cases of a state, the next page": Asked(
        case_("-updated_at", {"updated_at": NOW}, state=CaseState.RESOLVED)
    ),
    "cases of a state and department": Asked(
        case_("-updated_at", state=CaseState.RESOLVED, department="d"), sorts="stops at its limit"
    ),
    "the cases that people have, the latest first": Asked(
        case_("-updated_at", state=(CaseState.WAITING, CaseState.CLAIMED, CaseState.SNOOZED)), sorts=WAIT
    ),
    "snoozed cases": Asked(case_("due_at", state=CaseState.SNOOZED), sorts=WAIT),
    "snoozed cases, the next page": Asked(
        Query(kind=Case, equals={"state": CaseState.SNOOZED}, after={"due_at": NOW}, order="due_at"),
        sorts=WAIT,
    ),
    "all cases": Asked(case_("-updated_at")),
    "all cases, the next page": Asked(case_("-updated_at", {"updated_at": NOW})),
    "cases that changed today": Asked(
        Query(kind=Case, after={"updated_at": NOW}, order="-updated_at", limit=1000)
    ),
    "all cases of a department": Asked(case_("-updated_at", department="d"), sorts="stops at its limit"),
    "how many of a state": Asked(case_(state=CaseState.BOT)),
    "how many of a department": Asked(case_(department="d")),
    "how many of a state and department": Asked(case_(state=CaseState.BOT, department="d")),
    "how many are mine": Asked(case_(owner_id="ada")),
    "how many are mine of a department": Asked(case_(owner_id="ada", department="d")),
    "how many cases": Asked(case_(), scans="counting all is what it is for"),
    "labels": Asked(Query(kind=Label, order="-at")),
    "saved answers": Asked(Query(kind=SavedAnswer, order="-at", limit=500)),
    "alarms": Asked(Query(kind=Alarm, order="since")),
    "users": Asked(Query(kind=User, order="id", limit=500)),
    "a user": Asked(Query(kind=User, limit=1), scans="looks at one"),
    "users without an order": Asked(Query(kind=User, limit=1000), scans="the accounts of a console are few"),
    "a customer": Asked(Query(kind=Customer, limit=1), scans="looks at one"),
    "sessions that are over": Asked(Query(kind=Session, until={"expires_at": NOW})),
    "sessions that are over, in order": Asked(
        Query(kind=Session, until={"expires_at": NOW}, order="expires_at")
    ),
    "the sessions of a user": Asked(Query(kind=Session, equals={"user": "ada"})),
}


def shape(query: Query[Any]) -> tuple[object, ...]:
    """Queries of one shape are answered the same way."""
    equals = tuple(sorted((name, isinstance(value, tuple)) for name, value in query.equals.items()))
    return (query.kind, equals, *map(tuple, map(sorted, (query.until, query.after))), query.order)


_LISTED = frozenset(shape(asked.query) for asked in ASKED.values())


def watched(store: Any) -> list[str]:
    """What code of the server asks this store for and is not listed above, as long as it lives."""
    missing: list[str] = []
    for name in ("find", "count"):
        setattr(store, name, _watching(getattr(store, name), missing))
    return missing


def _watching(method: Callable[[Query[Any]], T], missing: list[str]) -> Callable[[Query[Any]], T]:
    def ask(query: Query[Any]) -> T:
        asking = sys._getframe(1)
        if asking.f_code.co_filename.startswith(SERVER) and shape(query) not in _LISTED:
            missing.append(f"{asking.f_code.co_filename}:{asking.f_lineno} asks for {query}")
        return method(query)

    return ask
