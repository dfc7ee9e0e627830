"""The `Store` port on a MongoDB replica set, for any number of processes on any number of machines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from msgspec import Struct
from pymongo import ReturnDocument, UpdateOne

from bot.domain.errors import BadData, StoreUnavailable
from bot.domain.ports import Applied, Changes, Finding, Outcome, Query
from bot.stores.driver import PATIENCE, Client, Database, Document, connect, database, reached
from bot.stores.mongo.checks import checked, refuse_unfit
from bot.stores.mongo.documents import documents
from bot.stores.mongo.groups import Groups
from bot.stores.mongo.migrations import prepare
from bot.stores.mongo.turns import Turns
from bot.stores.mongo.units import COUNTERS, SEQUENCES, keys
from bot.stores.records import FIRST_NUMBER, NUMBERS, column, decode, text

T = TypeVar("T", bound=Struct)

AT_ONCE = 1000  # documents per answer of the server
PAGE = 50  # records that are copied at once; one may have a megabyte
THREADS = 5 * (
    os.cpu_count() or 1
)  # that the driver has: more reads would wait there, and nobody could call them off
LATE = 0.5  # seconds more, so that the driver can say itself what is wrong


class MongoStore:
    """The store behind `url`, to be opened before it is used.

    What `apply` returned `Applied` for is in the journal of a majority of the replica set.
    """

    def __init__(self, url: str, *, patience: timedelta = PATIENCE) -> None:
        self._url, self._patience = url, patience
        self._client: Client | None = None
        self._turns, self._groups = Turns(), Groups(patience)
        self._threads = asyncio.Semaphore(THREADS)
        self._accepted: set[asyncio.Task[Outcome]] = set()

    async def open(self) -> None:
        """Connect, and bring the database up to date. Raises `BadData`, `StoreUnavailable`."""
        self._client = connect(self._url, self._patience)
        try:
            with reached():
                await refuse_unfit(self._db())
                await prepare(self._db())
        except BaseException:
            await self.close()
            raise

    async def check(self) -> list[Finding]:
        """What the doctor says, also of a store that could not be opened."""
        try:
            client = connect(self._url, self._patience)
        except BadData as exc:
            return [Finding(name="store", status="fail", detail=str(exc), fix="Correct `store`.")]
        try:
            return await checked(database(client))
        finally:
            client.close()

    async def apply(self, changes: Changes) -> Outcome:
        """What was handed over is written, also when whoever waits for it gives up.

        A lost answer is asked for again. Where none came in time, `StoreUnavailable` may stand for a unit that was
        written: handed over again, one that inserts or updates is a `Duplicate` or `Conflict`, not written twice.
        """
        task = asyncio.create_task(self._apply(self._db(), changes))
        self._accepted.add(task)
        task.add_done_callback(self._over)
        with reached():  # behind others that hang, too
            async with asyncio.timeout(2 * self._patience.total_seconds() + LATE):
                return await asyncio.shield(task)

    def _over(self, task: asyncio.Task[Outcome]) -> None:
        """What became of a unit whose caller could not wait is nobody's to hear."""
        self._accepted.discard(task)
        if not task.cancelled():
            task.exception()

    async def get(self, kind: type[T], id: str) -> T | None:
        async with self._read() as db:
            found = await db[documents(kind).name].find_one({"_id": column(id)}, {"body": 1})
        return decode(kind, found["body"]) if found else None

    async def find(self, query: Query[T]) -> list[T]:
        """Raises `ValueError` for a field that `bot.domain.schema` does not name."""
        asked = documents(query.kind)
        async with self._read() as db:
            cursor = db[asked.name].find(
                asked.filter(query),
                {"_id": 0, "body": 1},
                sort=asked.sort(query) or None,
                limit=query.limit,
                batch_size=min(query.limit + 1, AT_ONCE),
            )
            found = await cursor.to_list(None)
        return [decode(query.kind, document["body"]) for document in found]

    async def count(self, query: Query[Any]) -> int:
        """How many there are, whatever the query's limit."""
        asked = documents(query.kind)
        async with self._read() as db:
            here = asked.filter(query)
            along: Any = {} if here else {"hint": "_id_"}  # an index is smaller than what it points to
            return await db[asked.name].count_documents(here, **along)

    async def counters(self, prefix: str) -> dict[str, int]:
        here = {"name": {"$gte": column(prefix), "$lt": column(prefix + "\U0010ffff")}}
        total = {"_id": "$name", "value": {"$sum": "$value"}}
        async with self._read() as db:
            found = await db[COUNTERS].aggregate([{"$match": here}, {"$group": total}]).to_list(None)
        return {text(one["_id"]): one["value"] for one in found}

    async def number(self) -> int:
        """The next case number, 1001 at first; one at a time, so that a later case has the higher number."""
        before = {"$ifNull": ["$value", FIRST_NUMBER - 1]}
        async with self._read() as db:
            found = await db[SEQUENCES].find_one_and_update(
                {"_id": NUMBERS},
                [{"$set": {"value": {"$add": [before, 1]}}}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        return int(found["value"])

    async def everything(self, kind: type[T]) -> AsyncIterator[list[T]]:
        """Ids sort by time, so their order is about that in which records came."""
        async for page in self._pages(documents(kind).name, "body"):
            yield [decode(kind, found["body"]) for found in page]

    async def sequences(self) -> dict[str, int]:
        pages = self._pages(SEQUENCES, "value")
        return {text(found["_id"]): found["value"] async for page in pages for found in page}

    async def go_on_after(self, sequences: Mapping[str, int]) -> None:
        advances = [
            UpdateOne({"_id": column(scope)}, {"$max": {"value": value}}, upsert=True)
            for scope, value in sequences.items()
        ]
        for start in range(0, len(advances), AT_ONCE):
            with reached():
                await self._db()[SEQUENCES].bulk_write(advances[start : start + AT_ONCE])

    async def _pages(self, name: str, field: str) -> AsyncIterator[list[Document]]:
        """A page is a query of its own, so that none takes longer than our patience."""
        last: list[Any] = []
        while True:
            # As an expression: it goes on from ids that are text to those that are bytes.
            here = {"$expr": {"$gt": ["$_id", {"$literal": last[0]}]}} if last else {}
            async with self._read() as db:
                found = db[name].find(here, {field: 1}, sort=[("_id", 1)], limit=PAGE, batch_size=PAGE + 1)
                page = await found.to_list(None)
            if not page:
                return
            yield page
            last = [page[-1]["_id"]]

    async def close(self) -> None:
        """Finish what was accepted; every later call raises `StoreUnavailable`."""
        client, self._client = self._client, None
        if self._accepted:
            await asyncio.wait(self._accepted)
        if client:
            client.close()

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[Database]:
        """Whoever finds no thread free hears of it as soon as those who have one."""
        with reached():
            async with asyncio.timeout(self._patience.total_seconds() + LATE), self._threads:
                yield self._db()

    def _db(self) -> Database:
        if self._client is None:
            raise StoreUnavailable("The store is closed; the server is stopping.")
        return database(self._client)

    async def _apply(self, db: Database, changes: Changes) -> Outcome:
        if not changes.writes and not changes.guards:
            with reached():
                await db.command("ping")
            return Applied()
        async with self._turns.after(keys(changes)):
            return await self._groups.apply(db, changes)
