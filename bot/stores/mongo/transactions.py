"""A unit as a transaction: tried again while others are in the way, asked for again when its answer is lost."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AbstractContextManager, suppress

import pymongo
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.read_concern import ReadConcern

from bot.domain.ports import Applied, Changes
from bot.stores.driver import DURABLE, Database
from bot.stores.mongo.units import DUPLICATE_KEY, Session, advance, numbered, scopes, write

SNAPSHOT = ReadConcern("snapshot")
TRANSIENT, UNKNOWN = "TransientTransactionError", "UnknownTransactionCommitResult"

SHORTEST, LONGEST = 0.002, 0.1  # seconds between two tries
FAREWELL = 1.0  # seconds for undoing what will not be committed


async def transact(db: Database, changes: Changes, until: float, *, tries: int = 0) -> Applied:
    """Raises `Refused`, or what the driver raised last; 0 tries stand for as many as there is time for.

    One session serves all tries: each ends what the one before left open.
    """
    pause = SHORTEST
    async with await db.client.start_session() as session:
        while True:
            try:
                return await _try(db, changes, session, until)
            except PyMongoError as exc:
                tries -= 1
                if not is_passing(exc) or not tries or time.monotonic() > until:
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
        with suppress(PyMongoError), pymongo.timeout(FAREWELL):
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


def is_passing(exc: PyMongoError) -> bool:
    """Nothing was written, since others were in the way, or two at once began the same sequence."""
    codes = {getattr(exc, "code", None)}
    if isinstance(exc, BulkWriteError):
        codes = {error["code"] for error in exc.details["writeErrors"]}
    return exc.has_error_label(TRANSIENT) or codes == {DUPLICATE_KEY}
