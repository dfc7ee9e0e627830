"""The `Store` port on one SQLite file, for one machine; other processes may read and write it meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from bot.domain.errors import StoreUnavailable
from bot.domain.ports import Changes, Outcome, Query
from bot.stores.records import Value, column, decode, text
from bot.stores.sqlite.backup import copy_to
from bot.stores.sqlite.database import connect_reader, connect_writer, explained, prepare
from bot.stores.sqlite.tables import table
from bot.stores.sqlite.units import Refused, advance, apply, give_back, reserve
from bot.stores.sqlite.writer import Writer

T = TypeVar("T", bound=Struct)
R = TypeVar("R")

PATIENCE = timedelta(seconds=5)  # for another process that writes
NEAR_ROWS = 100  # as many are read on the loop: about what a hop to a thread and back costs
NUMBERS_AT_ONCE = 20
PAGE = 50  # records that are copied at once; one may have a megabyte

_COUNTERS = "SELECT name, value FROM counters WHERE name >= ? AND name < ?"
_LAST_CHARACTER = "\U0010ffff"


class SqliteStore:
    """Opens `path` (made and migrated where needed); raises `BadData` or `StoreUnavailable`.

    Point reads and small indexed queries run on the loop (a hop to a thread costs more), everything else and
    all writing does not. What `apply` returned `Applied` for is on the disk and seen by every later read.
    """

    def __init__(self, path: Path, *, patience: timedelta = PATIENCE) -> None:
        with explained(path):
            prepare(path, patience)
            self._near = connect_reader(path, patience)
            self._far = connect_reader(path, patience)
            self._db = connect_writer(path, patience)
        self._writer = Writer(self._db)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="sqlite-reader")
        self._small: dict[str, bool] = {}  # SQL → is it answered from an index, in order
        self._numbers = range(0)
        self._numbering = asyncio.Lock()

    @property
    def commits(self) -> int:
        """How many transactions were written; far fewer than units under load."""
        return self._writer.commits

    async def apply(self, changes: Changes) -> Outcome:
        try:
            return await self._writer.submit(partial(apply, changes=changes))
        except Refused as refused:
            return refused.outcome

    async def get(self, kind: type[T], id: str) -> T | None:
        with _reading():
            rows = self._near.execute(table(kind).get, (column(id),)).fetchall()
        return decode(kind, rows[0][0]) if rows else None

    async def find(self, query: Query[T]) -> list[T]:
        """Raises `ValueError` for a field that `bot.domain.schema` does not name."""
        asked = table(query.kind)
        where, values = asked.select("body", query)
        sql = f"{where}{asked.order(query)} LIMIT ?"
        values.append(query.limit)
        if query.limit <= NEAR_ROWS and self._is_small(sql, values):
            return _records(self._near, query.kind, sql, values)
        return await self._off_the_loop(partial(_records, self._far, query.kind, sql, values))

    async def count(self, query: Query[Any]) -> int:
        """How many there are, whatever the query's limit."""
        sql, values = table(query.kind).select("count(*)", query)
        ((found,),) = await self._off_the_loop(partial(_rows, self._far, sql, values))
        return int(found)

    async def counters(self, prefix: str) -> dict[str, int]:
        rows = _rows(self._near, _COUNTERS, [column(prefix), column(prefix + _LAST_CHARACTER)])
        return {text(name): value for name, value in rows}

    async def number(self) -> int:
        """The next case number, 1001 at first; reserved in blocks, so a crash leaves a gap."""
        async with self._numbering:
            if not self._numbers:
                self._numbers = await self._writer.submit(partial(reserve, count=NUMBERS_AT_ONCE))
            number, self._numbers = self._numbers[0], self._numbers[1:]
            return number

    async def everything(self, kind: type[T]) -> AsyncIterator[list[T]]:
        """In the order they came."""
        sql, last = f"SELECT rowid, body FROM {table(kind).name} WHERE rowid > ? ORDER BY rowid LIMIT ?", 0  # noqa: S608 - a name of the schema
        while rows := await self._off_the_loop(partial(_rows, self._far, sql, [last, PAGE])):
            yield [decode(kind, body) for _, body in rows]
            last = rows[-1][0]

    async def sequences(self) -> dict[str, int]:
        rows = await self._off_the_loop(partial(_rows, self._far, "SELECT scope, value FROM sequences", []))
        return {text(scope): value for scope, value in rows}

    async def go_on_after(self, sequences: Mapping[str, int]) -> None:
        await self._writer.submit(partial(advance, sequences=sequences))

    async def backup(self, path: Path) -> int:
        """Copy everything as it is at this moment into a new file, while others write; returns its bytes.

        Raises `BadData` when `path` is there already or cannot be written.
        """
        return await self._off_the_loop(partial(copy_to, self._far, path))

    async def close(self) -> None:
        """Finish what was accepted; every later call raises `StoreUnavailable`."""
        if self._numbers:
            unused, self._numbers = self._numbers, range(0)
            with suppress(StoreUnavailable):  # then there is a gap
                await self._writer.submit(partial(give_back, unused=unused))
        await self._writer.close()
        await asyncio.to_thread(self._reader.shutdown)
        for connection in (self._near, self._far, self._db):
            connection.close()

    def _is_small(self, sql: str, values: list[Value]) -> bool:
        """Whether an index finds the rows in their order: then the limit bounds the work."""
        if sql not in self._small:
            plan = _rows(self._near, f"EXPLAIN QUERY PLAN {sql}", values)
            self._small[sql] = not any("SCAN" in step or "TEMP B-TREE" in step for *_, step in plan)
        return self._small[sql]

    async def _off_the_loop(self, read: Callable[[], R]) -> R:
        try:
            job = asyncio.get_running_loop().run_in_executor(self._reader, read)
        except RuntimeError as exc:
            raise StoreUnavailable("The store is closed; the server is stopping.") from exc
        return await job


def _records(db: sqlite3.Connection, kind: type[T], sql: str, values: list[Value]) -> list[T]:
    return [decode(kind, body) for (body,) in _rows(db, sql, values)]


def _rows(db: sqlite3.Connection, sql: str, values: list[Value]) -> list[Any]:
    """All rows at once: a cursor left open would hold an old view of the data, and the log with it."""
    with _reading():
        return db.execute(sql, values).fetchall()


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise StoreUnavailable(f"The store could not be read ({exc}); try again.") from exc
