"""Writing and then waking: who has to know follows from what was written, so no use case can forget."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
import structlog
from msgspec import Struct

from bot.domain.cases import Case
from bot.domain.desks import DeskEvent
from bot.domain.messages import Event, EventState, FeedEntry, Fetch, Message
from bot.domain.outbox import WAITING, OutboxRow
from bot.domain.ports import Applied, Broadcast, Changes, Clock, Insert, Outcome, Queue, Store, Update, Work

log = structlog.get_logger()

CASES = "cases"
HINT_SECONDS = 2.0

Follow = Callable[[Changes], Awaitable[Changes]]  # adds what desks with copies have to hear


class Ledger:
    """The `Commit` everybody is handed: `store.apply`, then the wake-ups the writes call for."""

    def __init__(
        self, store: Store, queue: Queue, broadcast: Broadcast, clock: Clock, follow: Follow | None = None
    ) -> None:
        self._follow = follow
        self._store = store
        self._queue = queue
        self._broadcast = broadcast
        self._clock = clock

    async def __call__(self, changes: Changes) -> Outcome:
        if self._follow:
            changes = await self._follow(changes)
        outcome = await self._store.apply(changes)
        if isinstance(outcome, Applied):
            await self._tell(changes)
        return outcome

    async def _tell(self, changes: Changes) -> None:
        """It is written, so whoever asked is told so, even if nobody could be woken: the sweeper will."""
        try:
            async with asyncio.timeout(HINT_SECONDS):
                await self._wake(changes)
        except Exception as error:  # noqa: BLE001 - whatever a queue may raise
            log.warning("hint.lost", why=type(error).__name__)

    async def _wake(self, changes: Changes) -> None:
        records = [write.record for write in changes.writes if isinstance(write, Insert | Update)]
        rows = [record for record in records if isinstance(record, OutboxRow) and record.state in WAITING]
        for lane in {record.lane for record in records if isinstance(record, Event) and _undone(record)}:
            await self._queue.wake(Work.LANE, lane)
        for key, row in {row.order_key: row for row in sorted(rows, key=_latest_first)}.items():
            delay = max(row.not_before - self._clock(), timedelta())
            await self._queue.wake(Work.SEND, key, urgent=row.urgent, delay=delay)
        for fetch in (record for record in records if isinstance(record, Fetch)):
            delay = max(fetch.not_before - self._clock(), timedelta())
            await self._queue.wake(Work.FETCH, fetch.id, delay=delay)
        for lane in {one.lane for one in records if isinstance(one, DeskEvent) and _undone(one)}:
            await self._queue.wake(Work.DESK, lane)
        for where in {record.topic for record in records if isinstance(record, FeedEntry)}:
            await self._broadcast.publish(where, b"{}")
        for case in {key for record in records if (key := _case_of(record))}:
            await self._broadcast.publish(CASES, msgspec.json.encode({"case": case}))


def _latest_first(row: OutboxRow) -> float:
    return -row.not_before.timestamp()


def _undone(event: Event | DeskEvent) -> bool:
    return event.state is EventState.PENDING


def _case_of(record: Struct) -> str:
    if isinstance(record, Case):
        return record.id
    return record.case if isinstance(record, Message) else ""
