"""The `Store` port on a MongoDB replica set, for any number of processes on any number of machines."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from typing import Any, TypeVar

import pymongo
from msgspec import Struct
from pymongo import ReturnDocument
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from bot.domain.errors import StoreUnavailable
from bot.domain.ports import Applied, Changes, Outcome, Query
from bot.stores.driver import DURABLE, PATIENCE, Client, Database, connect, database, reached
from bot.stores.mongo.documents import documents
from bot.stores.mongo.migrations import prepare
from bot.stores.mongo.turns import Turns
from bot.stores.mongo.units import (
    COUNTERS,
    DUPLICATE_KEY,
    SEQUENCES,
    Refused,
    Session,
    advance,
    is_one_write,
    keys,
    numbered,
    outcome,
    scopes,
    write,
)
from bot.stores.records import FIRST_NUMBER, NUMBERS, column, decode, text

T = TypeVar("T", bound=Struct)

AT_ONCE = 1000  # documents per answer of the server

SNAPSHOT = ReadConcern("snapshot")

SHORTEST, LONGEST = 0.002, 0.1  # seconds between two tries

TRANSIENT, UNKNOWN = "TransientTransactionError", "UnknownTransactionCommitResult"


class MongoStore:
    """The store behind `url`, to be opened before it is used.

    What `apply` returned `Applied` for is in the journal of a majority of the replica set.
    """

    def __init__(self, url: str, *, patience: timedelta = PATIENCE) -> None:
        self._url, self._patience = url, patience
        self._client: Client | None = None
        self._turns = Turns()
        self._accepted: set[asyncio.Task[Outcome]] = set()

    async def open(self) -> None:
        """Connect, and bring the database up to date. Raises `BadData`, `StoreUnavailable`."""
        self._client = connect(self._url, self._patience)
        try:
            with reached():
                await prepare(self._db())
        except BaseException:
            await self.close()
            raise

    async def apply(self, changes: Changes) -> Outcome:
        """What was handed over is written, also when whoever waits for it gives up.

        `StoreUnavailable` after a lost answer may stand for a unit that was written: the same unit again is then
        a `Duplicate` or a `Conflict`, never written twice.
        """
        task = asyncio.create_task(self._apply(self._db(), changes))
        self._accepted.add(task)
        task.add_done_callback(self._accepted.discard)
        return await asyncio.shield(task)

    async def get(self, kind: type[T], id: str) -> T | None:
        with reached():
            found = await self._db()[documents(kind).name].find_one({"_id": column(id)}, {"body": 1})
        return decode(kind, found["body"]) if found else None

    async def find(self, query: Query[T]) -> list[T]:
        """Raises `ValueError` for a field that `bot.domain.schema` does not name."""
        asked = documents(query.kind)
        with reached():
            cursor = self._db()[asked.name].find(
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
        with reached():
            return await self._db()[asked.name].count_documents(asked.filter(query))

    async def counters(self, prefix: str) -> dict[str, int]:
        here = {"name": {"$gte": column(prefix), "$lt": column(prefix + "\U0010ffff")}}
        total = {"_id": "$name", "value": {"$sum": "$value"}}
        with reached():
            found = await self._db()[COUNTERS].aggregate([{"$match": here}, {"$group": total}]).to_list(None)
        return {text(one["_id"]): one["value"] for one in found}

    async def number(self) -> int:
        """The next case number, 1001 at first; one at a time, so that a later case has the higher number."""
        before = {"$ifNull": ["$value", FIRST_NUMBER - 1]}
        with reached():
            found = await self._db()[SEQUENCES].find_one_and_update(
                {"_id": NUMBERS},
                [{"$set": {"value": {"$add": [before, 1]}}}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        return int(found["value"])

    async def close(self) -> None:
        """Finish what was accepted; every later call raises `StoreUnavailable`."""
        client, self._client = self._client, None
        if self._accepted:
            await asyncio.wait(self._accepted)
        if client:
            client.close()

    def _db(self) -> Database:
        if self._client is None:
            raise StoreUnavailable("The store is closed; the server is stopping.")
        return database(self._client)

    async def _apply(self, db: Database, changes: Changes) -> Outcome:
        with reached():
            async with self._turns.after(keys(changes)):
                try:
                    return await self._write(db, changes)
                except Refused as refused:
                    return await outcome(db, refused)

    async def _write(self, db: Database, changes: Changes) -> Applied:
        """Raises `Refused`."""
        if not changes.writes and not changes.guards:
            await db.command("ping")
            return Applied()
        if is_one_write(changes):
            await write(db, (), list(changes.writes), None)
            return Applied()
        async with await db.client.start_session() as session:
            return await self._transaction(db, changes, session)

    async def _transaction(self, db: Database, changes: Changes, session: Session) -> Applied:
        """Tries again while others are in the way, with the same session: that ends what it left open."""
        until = time.monotonic() + self._patience.total_seconds()
        pause = SHORTEST
        while True:
            try:
                return await _try(db, changes, session, until)
            except PyMongoError as exc:
                if not _is_passing(exc) or time.monotonic() > until:
                    raise
            await asyncio.sleep(pause * random.random())  # noqa: S311 - no secret, only spread
            pause = min(pause * 2, LONGEST)


async def _try(db: Database, changes: Changes, session: Session, until: float) -> Applied:
    session.start_transaction(read_concern=SNAPSHOT, write_concern=DURABLE)
    try:
        with _by(until):
            given = await advance(db, scopes(changes), session)
            writes, sequences = numbered(changes, given)
            await write(db, changes.guards, writes, session)
    except BaseException:
        with suppress(PyMongoError), pymongo.timeout(1):
            await session.abort_transaction()
        raise
    await _commit(session, until)
    return Applied(sequences=sequences)


async def _commit(session: Session, until: float) -> None:
    """Asking again is safe: the server remembers what became of the transaction."""
    while True:
        try:
            with _by(until):
                return await session.commit_transaction()
        except PyMongoError as exc:
            if not exc.has_error_label(UNKNOWN) or time.monotonic() > until:
                raise
        await asyncio.sleep(LONGEST)


def _by(until: float) -> AbstractContextManager[None]:
    """Whatever the driver does inside has to be done by then."""
    return pymongo.timeout(max(until - time.monotonic(), SHORTEST))


def _is_passing(exc: PyMongoError) -> bool:
    """Others were in the way, or two at once began the same sequence."""
    return exc.has_error_label(TRANSIENT) or getattr(exc, "code", None) == DUPLICATE_KEY
