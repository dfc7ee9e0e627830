"""Units that wait at the same time share a transaction, and so its answers and its commit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from pymongo.errors import PyMongoError

from bot.domain.ports import Applied, Changes, Insert, Outcome
from bot.stores.driver import Database, unavailable
from bot.stores.mongo.transactions import is_passing, transact
from bot.stores.mongo.units import Refused, is_one_write, outcome, write

MOST_GROUPS = 2  # at the same time: one is prepared while the other is on its way
MOST_UNITS = 16  # of a group: one that meets those of another process costs all of them a second try


class Unit(NamedTuple):
    changes: Changes
    until: float  # when its caller hears that it could not be written
    future: asyncio.Future[Outcome]


class Groups:
    """Writes what it is handed at once while there is little to do, and several units together when there is much.

    Units that are written at the same time must have nothing in common: see `Turns`.
    """

    def __init__(self, patience: timedelta) -> None:
        self._patience = patience
        self._waiting: list[Unit] = []
        self._running: set[asyncio.Task[None]] = set()
        self._patient: set[asyncio.Task[bool]] = set()

    async def apply(self, db: Database, changes: Changes) -> Outcome:
        """Raises `StoreUnavailable`."""
        until = time.monotonic() + self._patience.total_seconds()
        unit = Unit(changes, until, asyncio.get_running_loop().create_future())
        self._waiting.append(unit)
        self._start(db)
        return await unit.future

    def _start(self, db: Database) -> None:
        if self._waiting and len(self._running) < MOST_GROUPS:
            group, self._waiting = self._waiting[:MOST_UNITS], self._waiting[MOST_UNITS:]
            task = asyncio.create_task(self._write(db, group))
            self._running.add(task)
            task.add_done_callback(lambda done: self._next(db, done))

    def _next(self, db: Database, done: asyncio.Task[None]) -> None:
        self._running.discard(done)
        self._start(db)

    async def _write(self, db: Database, group: Sequence[Unit]) -> None:
        first, *more = group
        if await (self._together(db, group) if more else self._alone(db, first, tries=1)):
            return
        for unit in group:  # beside the groups to come: what is in the way of one is not in theirs
            task = asyncio.create_task(self._alone(db, unit))
            self._patient.add(task)
            task.add_done_callback(self._patient.discard)

    async def _together(self, db: Database, group: Sequence[Unit]) -> bool:
        """False when one of them cannot be written, or others are in the way: nothing was written then."""
        merged = Changes(
            guards=tuple(guard for unit in group for guard in unit.changes.guards),
            writes=tuple(one for unit in group for one in unit.changes.writes),
        )
        try:
            applied = await transact(db, merged, group[0].until, tries=1)
        except PyMongoError as exc:
            if is_passing(exc):
                return False
            for unit in group:
                unit.future.set_exception(unavailable(exc))
        except Exception:  # noqa: BLE001 - each of them hears alone what is wrong with it
            return False
        else:
            _share(group, applied)
        return True

    async def _alone(self, db: Database, unit: Unit, *, tries: int = 0) -> bool:
        """False when others were in the way; 0 tries stand for as many as there is time for."""
        try:
            unit.future.set_result(await _single(db, unit, tries))
        except PyMongoError as exc:
            if tries and is_passing(exc):
                return False
            unit.future.set_exception(unavailable(exc))
        except Exception as exc:  # noqa: BLE001 - the caller's mistake, for the caller to hear of
            unit.future.set_exception(exc)
        return True


async def _single(db: Database, unit: Unit, tries: int) -> Outcome:
    try:
        if not is_one_write(unit.changes):
            return await transact(db, unit.changes, unit.until, tries=tries)
        await write(db, (), list(unit.changes.writes), None)
        return Applied()
    except Refused as refused:
        return await outcome(db, refused)


def _share(group: Sequence[Unit], applied: Applied) -> None:
    """To each its own sequences."""
    given = iter(applied.sequences)
    for unit in group:
        scoped = [one for one in unit.changes.writes if isinstance(one, Insert) and one.scope]
        unit.future.set_result(Applied(sequences=tuple(next(given) for _ in scoped)))
