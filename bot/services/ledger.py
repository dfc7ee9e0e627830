"""Writing and then waking: who has to know follows from what was written, so no use case can forget."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from msgspec import Struct

from bot.domain.cases import Case
from bot.domain.messages import Event, EventState, FeedEntry, Fetch, Message
from bot.domain.outbox import WAITING, OutboxRow
from bot.domain.ports import Applied, Broadcast, Changes, Clock, Insert, Outcome, Queue, Store, Update, Work

CASES = "cases"


class Ledger:
    """The `Commit` everybody is handed: `store.apply`, then the wake-ups the writes call for."""

    def __init__(self, store: Store, queue: Queue, broadcast: Broadcast, clock: Clock) -> None:
        self._store = store
        self._queue = queue
        self._broadcast = broadcast
        self._clock = clock

    async def __call__(self, changes: Changes) -> Outcome:
        outcome = await self._store.apply(changes)
        if isinstance(outcome, Applied):
            await self._wake(changes)
        return outcome

    async def _wake(self, changes: Changes) -> None:
        records = [write.record for write in changes.writes if isinstance(write, Insert | Update)]
        rows = {record.order_key: record for record in records if isinstance(record, OutboxRow)}
        for lane in {record.lane for record in records if isinstance(record, Event) and _undone(record)}:
            await self._queue.wake(Work.LANE, lane)
        for key, row in rows.items():
            if row.state in WAITING:
                delay = max(row.not_before - self._clock(), timedelta())
                await self._queue.wake(Work.SEND, key, urgent=row.urgent, delay=delay)
        for fetch in (record for record in records if isinstance(record, Fetch)):
            delay = max(fetch.not_before - self._clock(), timedelta())
            await self._queue.wake(Work.FETCH, fetch.id, delay=delay)
        for where in {record.topic for record in records if isinstance(record, FeedEntry)}:
            await self._broadcast.publish(where, b"{}")
        for case in {key for record in records if (key := _case_of(record))}:
            await self._broadcast.publish(CASES, msgspec.json.encode({"case": case}))


def _undone(event: Event) -> bool:
    return event.state is EventState.PENDING


def _case_of(record: Struct) -> str:
    if isinstance(record, Case):
        return record.id
    return record.case if isinstance(record, Message) else ""
