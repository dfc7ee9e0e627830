"""The one writer: whatever is asked for at the same time shares a transaction, and so an fsync."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from bot.domain.errors import StoreUnavailable

T = TypeVar("T")

MOST_UNITS = 500  # of a group
MOST_SECONDS = 0.1  # that a group goes on taking newcomers

Job = Callable[[sqlite3.Connection], T]


class Unit(NamedTuple):
    job: Job[Any]
    future: asyncio.Future[Any]


class Answer(NamedTuple):
    future: asyncio.Future[Any]
    result: Any
    error: BaseException | None


class Writer:
    """Runs jobs on its own thread, each in a savepoint; a job that raises is undone alone.

    `commits` counts transactions. When a commit fails, every job of its group gets `StoreUnavailable`.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self.commits = 0
        self._db = db
        self._units: SimpleQueue[Unit | None] = SimpleQueue()
        self._accepts = True
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job[T]) -> asyncio.Future[T]:
        """Hand a job over; it is written even when whoever waits for it gives up."""
        if not self._accepts:
            raise StoreUnavailable("The store is closed; the server is stopping.")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._units.put(Unit(job, future))
        return future

    async def close(self) -> None:
        """Finish what was accepted, then end the thread."""
        if self._accepts:
            self._accepts = False
            self._units.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (unit := self._units.get()) is not None:
            for loop, answers in _by_loop(self._group(unit)).items():
                with suppress(RuntimeError):  # that loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(_give, answers)

    def _group(self, first: Unit) -> list[Answer]:
        taken: list[Unit] = []
        try:
            return self._transaction(first, taken)
        except Exception as exc:  # noqa: BLE001 - whatever it was, the callers must hear of it and the thread live on
            self._undo()
            return [Answer(unit.future, None, _unavailable(exc)) for unit in taken]

    def _transaction(self, first: Unit, taken: list[Unit]) -> list[Answer]:
        """Run `first` and whatever else waits; `taken` tells the caller how far it came."""
        taken.append(first)
        self._db.execute("BEGIN IMMEDIATE")
        answers = [self._step(first)]
        until = time.monotonic() + MOST_SECONDS
        while len(taken) < MOST_UNITS and time.monotonic() < until and (unit := self._next()):
            taken.append(unit)
            answers.append(self._step(unit))
        self._db.execute("COMMIT")
        self.commits += 1
        return answers

    def _next(self) -> Unit | None:
        try:
            unit = self._units.get_nowait()
        except Empty:
            return None
        if unit is None:
            self._units.put(None)  # the end is for `_run`
        return unit

    def _step(self, unit: Unit) -> Answer:
        self._db.execute("SAVEPOINT unit")
        try:
            answer = Answer(unit.future, unit.job(self._db), None)
        except sqlite3.Error:
            raise
        except Exception as exc:  # noqa: BLE001 - one caller's mistake must not reach its neighbours
            self._db.execute("ROLLBACK TO unit")
            answer = Answer(unit.future, None, exc)
        self._db.execute("RELEASE unit")
        return answer

    def _undo(self) -> None:
        with suppress(sqlite3.Error):  # SQLite has rolled back already where it had to
            self._db.execute("ROLLBACK")


def _by_loop(answers: list[Answer]) -> dict[asyncio.AbstractEventLoop, list[Answer]]:
    loops: dict[asyncio.AbstractEventLoop, list[Answer]] = {}
    for answer in answers:
        loops.setdefault(answer.future.get_loop(), []).append(answer)
    return loops


def _give(answers: list[Answer]) -> None:
    for future, result, error in answers:
        if future.done():  # given up
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def _unavailable(cause: Exception) -> StoreUnavailable:
    """One error per caller: a shared one would collect everybody's traceback."""
    error = StoreUnavailable(f"The store could not write ({cause}); nothing was stored, try again.")
    error.__cause__ = cause
    return error
