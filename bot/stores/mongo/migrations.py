"""Bringing a database up to date: one process at a time, in numbered steps that only add."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pymongo
from pymongo import IndexModel, ReturnDocument
from pymongo.errors import PyMongoError

from bot.domain.errors import BadData, StoreUnavailable
from bot.domain.schema import COLLECTIONS
from bot.stores.driver import Database
from bot.stores.mongo.documents import indexes
from bot.stores.mongo.units import COUNTERS, SEQUENCES

META = "meta"
VERSION, LOCK = "version", "lock"  # ids of its documents

LEASE = timedelta(seconds=30)  # of the process that migrates, by the server's clock; it renews it
PATIENCE = timedelta(minutes=10)  # for another process that migrates: an index over millions takes its time
LONGEST = timedelta(hours=6)  # one step

Migration = Callable[[Database], Awaitable[None]]


async def make_schema(db: Database) -> None:
    """The collections and indexes that `bot.domain.schema` names; what is there already stays."""
    wanted = {collection.name: indexes(kind) for kind, collection in COLLECTIONS.items()}
    wanted |= {SEQUENCES: [], COUNTERS: [IndexModel("name", name="name")]}
    there = set(await db.list_collection_names())
    await asyncio.gather(
        *(db[name].create_indexes(some) for name, some in wanted.items() if some),
        *(db.create_collection(name) for name, some in wanted.items() if not some and name not in there),
    )


async def _begin(_: Database) -> None:
    """Version 1: there was nothing before."""


# Collections and indexes follow the schema by themselves. A field that can be asked for and is new needs a step here,
# which fills it in where it is missing. Steps may be interrupted and begun again; they only add.
MIGRATIONS: tuple[Migration, ...] = (_begin,)


async def prepare(db: Database, *, lease: timedelta = LEASE, patience: timedelta = PATIENCE) -> None:
    """Raises `BadData` for the store of a newer version, `StoreUnavailable` when another process never finishes."""
    ours = _fingerprint()
    if await _stage(db) == (len(MIGRATIONS), ours):
        return
    async with _alone(db, lease, patience):
        done, made = await _stage(db)  # another process may have been faster
        with pymongo.timeout(LONGEST.total_seconds()):
            if made != ours:
                await make_schema(db)
            for number, migrate in enumerate(MIGRATIONS[done:], start=done + 1):
                await migrate(db)
                await db[META].update_one({"_id": VERSION}, {"$max": {"value": number}}, upsert=True)
        await db[META].update_one({"_id": VERSION}, {"$set": {"schema": ours}})


async def _stage(db: Database) -> tuple[int, str]:
    """How far the database is: the last step, and which schema its collections and indexes follow."""
    found = await db[META].find_one({"_id": VERSION}) or {"value": 0}
    version, known = int(found["value"]), len(MIGRATIONS)
    if version > known:
        raise BadData(
            f"The database {db.name} was written by a newer Switchboard (store version {version}, this one knows "
            f"{known}). Start that version again, or restore a backup from before the upgrade."
        )
    return version, str(found.get("schema", ""))


def _fingerprint() -> str:
    made = {
        collection.name: [index.document for index in indexes(kind)]
        for kind, collection in COLLECTIONS.items()
    }
    return hashlib.sha256(json.dumps(made, sort_keys=True, default=str).encode()).hexdigest()


@asynccontextmanager
async def _alone(db: Database, lease: timedelta, patience: timedelta) -> AsyncIterator[None]:
    owner, until = secrets.token_hex(8), time.monotonic() + patience.total_seconds()
    while not await _held(db, owner, lease):
        if time.monotonic() > until:
            raise StoreUnavailable(
                f"Another process has been migrating the database {db.name} for {patience}; look at its log."
            )
        await asyncio.sleep(min(lease.total_seconds() / 10, 1.0))
    keeping = asyncio.create_task(_keep(db, owner, lease))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        with suppress(PyMongoError):  # the lease runs out by itself
            await db[META].delete_one({"_id": LOCK, "owner": owner})


async def _held(db: Database, owner: str, lease: timedelta) -> bool:
    """Take the lock where it is free, run out or ours, and (again) hold it for a lease."""
    until = {"$add": ["$$NOW", round(lease.total_seconds() * 1000)]}
    is_over = {"$lt": [{"$ifNull": ["$until", datetime(1970, 1, 1, tzinfo=UTC)]}, "$$NOW"]}
    may_have_it = {"$or": [is_over, {"$eq": ["$owner", owner]}]}
    taken = {
        "owner": {"$cond": [may_have_it, owner, "$owner"]},
        "until": {"$cond": [may_have_it, until, "$until"]},
    }
    found = await db[META].find_one_and_update(
        {"_id": LOCK}, [{"$set": taken}], upsert=True, return_document=ReturnDocument.AFTER
    )
    return bool(found["owner"] == owner)


async def _keep(db: Database, owner: str, lease: timedelta) -> None:
    while True:
        await asyncio.sleep(lease.total_seconds() / 3)
        with suppress(PyMongoError):  # the next try may be in time
            await _held(db, owner, lease)
