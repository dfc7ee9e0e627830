"""Reading: cases, transcripts and figures, all from the store."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.domain.actions import Label
from bot.domain.cases import Case, CaseState
from bot.domain.errors import MalformedPayload, Unknown
from bot.domain.journal import Did, Entry
from bot.domain.messages import Event, EventState, Message, MessageState
from bot.domain.outbox import UNSENT, OutboxRow
from bot.domain.ports import Clock, Query, Store
from bot.domain.routing import Department, business_time

PAGE = 50
MOST = 1000
NUMBER = re.compile(r"[0-9]{1,18}")
TRANSCRIPT = 2000  # messages
SAMPLE = 100  # handoffs a median is taken from
ENOUGH = 5
REMEMBERED = timedelta(minutes=1)

COUNTED = {
    "stored": Did.RECEIVED,
    "answered": Did.ANSWERED,
    "handed_off": Did.HANDED_OFF,
    "sent": Did.SENT,
    "failed": Did.FAILED,
}


class Reporting:
    def __init__(self, store: Store, clock: Clock, channels: Iterable[str]) -> None:
        self._store = store
        self._clock = clock
        self._channels = tuple(dict.fromkeys(channels))
        self._medians: dict[str, tuple[datetime, timedelta | None]] = {}

    async def cases(
        self, *, state: str = "", department: str = "", customer: str = "", limit: int = PAGE, after: str = ""
    ) -> tuple[list[Case], str]:
        """A page of cases, the newest first, and where the next page starts ("" at the end).

        Raises `MalformedPayload` for a state that does not exist and for an `after` that no page gave.
        """
        if state and state not in set(CaseState):
            raise MalformedPayload(f"There is no state {state!r}; choose one of {', '.join(CaseState)}.")
        if after and not NUMBER.fullmatch(after):
            raise MalformedPayload("`after` is the `next` of the page before.")
        equals = {"state": state, "department": department, "customer": customer}
        query = Query(
            kind=Case,
            equals={name: value for name, value in equals.items() if value},
            until={"number": int(after)} if after else {},
            order="-number",
            limit=min(max(limit, 1), MOST) + 1,
        )
        found = await self._store.find(query)
        page, more = found[: query.limit - 1], found[query.limit - 1 :]
        return page, str(more[0].number) if more else ""

    async def case(self, id: str) -> Case:
        """Raises `Unknown`."""
        case = await self._store.get(Case, id)
        if case is None:
            raise Unknown(f"There is no case {id}.")
        return case

    async def by_number(self, number: int) -> Case | None:
        found = await self._store.find(Query(kind=Case, equals={"number": number}, limit=1))
        return found[0] if found else None

    async def transcript(self, case: str) -> list[Message]:
        """The newest lines of a case, in order."""
        query = Query(kind=Message, equals={"case": case}, order="-seq", limit=TRANSCRIPT)
        return list(reversed(await self._store.find(query)))

    async def journal(self, case: str) -> list[Entry]:
        query = Query(kind=Entry, equals={"case": case}, order="-seq", limit=TRANSCRIPT)
        return list(reversed(await self._store.find(query)))

    async def previous(self, case: Case, limit: int = 5) -> list[Case]:
        """The customer's other cases, the latest first."""
        query = Query(kind=Case, equals={"customer": case.customer}, order="-opened_at", limit=limit + 1)
        return [other for other in await self._store.find(query) if other.id != case.id][:limit]

    async def counts(self, department: str = "") -> dict[CaseState, int]:
        """How many cases are in each state."""
        where = {"department": department} if department else {}
        return {
            state: await self._store.count(Query(kind=Case, equals={"state": state, **where}))
            for state in CaseState
        }

    async def usual(self, department: Department, zone: ZoneInfo) -> timedelta | None:
        """The median opening time from handoff to first reply; None until there is enough to tell.

        Nobody answers at night, and who writes at noon should not be told what the night took.
        """
        now = self._clock()
        known = self._medians.get(department.name)
        if known and now - known[0] < REMEMBERED:
            return known[1]
        handed = {"department": department.name, "kind": Did.HANDED_OFF}
        latest = await self._store.find(Query(kind=Entry, equals=handed, order="-at", limit=SAMPLE))
        ids = tuple({entry.case for entry in latest})
        cases = await self._store.find(Query(kind=Case, equals={"id": ids}, limit=SAMPLE)) if ids else []
        median = _median(cases, department, zone)
        self._medians[department.name] = (now, median)
        return median

    async def today(self, zone: ZoneInfo) -> dict[str, Any]:
        """The figures since midnight by the brand's clock; `first_reply` is the median of today's."""
        now = self._clock()
        midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        kinds = {
            "received": Did.RECEIVED,
            "answered": Did.ANSWERED,
            "handed_off": Did.HANDED_OFF,
            "resolved": Did.RESOLVED,
        }
        found = {name: await self._since(kind, midnight) for name, kind in kinds.items()}
        waiting = await self._store.count(Query(kind=Case, equals={"state": CaseState.WAITING}))
        return {**found, "waiting": waiting, "first_reply": await self._first_reply(midnight)}

    async def _since(self, kind: Did, start: datetime) -> int:
        counts = [
            await self._store.count(
                Query(kind=Entry, equals={"kind": kind, "channel": channel}, after={"at": start})
            )
            for channel in self._channels
        ]
        return sum(counts)

    async def _first_reply(self, start: datetime) -> timedelta | None:
        query = Query(kind=Case, after={"updated_at": start}, order="-updated_at", limit=SAMPLE)
        waits = [
            case.first_reply_at - case.handoff.at
            for case in await self._store.find(query)
            if case.handoff and case.first_reply_at and case.first_reply_at > max(case.handoff.at, start)
        ]
        return timedelta(seconds=statistics.median(wait.total_seconds() for wait in waits)) if waits else None

    async def labels(self, limit: int = PAGE) -> list[Label]:
        return await self._store.find(Query(kind=Label, order="-at", limit=limit))

    async def stats(self) -> dict[str, Any]:
        """The counters of every channel, and how far behind we are."""
        duplicates = await self._store.counters("duplicate:")
        channels = {}
        for channel in self._channels:
            counts = {name: await self._did(kind, channel) for name, kind in COUNTED.items()}
            duplicate = duplicates.get(f"duplicate:{channel}", 0)
            channels[channel] = {"received": counts["stored"] + duplicate, "duplicate": duplicate, **counts}
        names = ("received", "duplicate", *COUNTED)
        return {
            "channels": channels,
            **{name: sum(channel[name] for channel in channels.values()) for name in names},
            "oldest_unprocessed_seconds": await self.oldest_unprocessed(),
            "outbox_depth": await self._store.count(Query(kind=OutboxRow, equals={"state": UNSENT})),
            "outbox_failed": await self._rows(MessageState.FAILED),
            "outbox_in_doubt": await self._rows(MessageState.IN_DOUBT),
            "cases": {state: count for state, count in (await self.counts()).items() if count},
        }

    async def oldest_unprocessed(self) -> float | None:
        """Age in seconds of the oldest event nobody has processed; None when there is none."""
        query = Query(kind=Event, equals={"state": EventState.PENDING}, order="received_at", limit=1)
        oldest = await self._store.find(query)
        return (self._clock() - oldest[0].received_at).total_seconds() if oldest else None

    async def _did(self, kind: Did, channel: str) -> int:
        return await self._store.count(Query(kind=Entry, equals={"kind": kind, "channel": channel}))

    async def _rows(self, state: MessageState) -> int:
        return await self._store.count(Query(kind=OutboxRow, equals={"state": state}))


def _median(cases: Sequence[Case], department: Department, zone: ZoneInfo) -> timedelta | None:
    waits = [
        business_time(department, case.handoff.at, case.first_reply_at, zone)
        for case in cases
        if case.handoff and case.first_reply_at and case.first_reply_at > case.handoff.at
    ]
    if len(waits) < ENOUGH:
        return None
    return timedelta(seconds=statistics.median(wait.total_seconds() for wait in waits))
