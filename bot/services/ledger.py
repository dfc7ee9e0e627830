"""Writing and then waking: who has to know follows from what was written, so no use case can forget."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

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
        """All at once: each is a round trip where the queue is another machine's."""
        records = [write.record for write in changes.writes if isinstance(write, Insert | Update)]
        cases = {key for record in records if (key := _case_of(record))}
        await asyncio.gather(
            *(self._queue.wake(work, key) for work, key in _lanes(records)),
            *(self._wake_sender(row) for row in _next_rows(records)),
            *(self._wake_fetcher(record) for record in records if isinstance(record, Fetch)),
            *(self._broadcast.publish(where, b"{}") for where in _topics(records)),
            *(self._broadcast.publish(CASES, msgspec.json.encode({"case": case})) for case in cases),
        )

    async def _wake_sender(self, row: OutboxRow) -> None:
        await self._queue.wake(Work.SEND, row.order_key, urgent=row.urgent, delay=self._until(row.not_before))

    async def _wake_fetcher(self, fetch: Fetch) -> None:
        await self._queue.wake(Work.FETCH, fetch.id, delay=self._until(fetch.not_before))

    def _until(self, moment: datetime) -> timedelta:
        return max(moment - self._clock(), timedelta())


def _lanes(records: Sequence[Struct]) -> set[tuple[Work, str]]:
    customers = {(Work.LANE, one.lane) for one in records if isinstance(one, Event) and _undone(one)}
    return customers | {
        (Work.DESK, one.lane) for one in records if isinstance(one, DeskEvent) and _undone(one)
    }


def _next_rows(records: Sequence[Struct]) -> list[OutboxRow]:
    """Of each order key, what is due first."""
    rows = [record for record in records if isinstance(record, OutboxRow) and record.state in WAITING]
    return list({row.order_key: row for row in sorted(rows, key=_latest_first)}.values())


def _topics(records: Sequence[Struct]) -> set[str]:
    return {record.topic for record in records if isinstance(record, FeedEntry)}


def _latest_first(row: OutboxRow) -> float:
    return -row.not_before.timestamp()


def _undone(event: Event | DeskEvent) -> bool:
    return event.state is EventState.PENDING


def _case_of(record: Struct) -> str:
    if isinstance(record, Case):
        return record.id
    return record.case if isinstance(record, Message) else ""
