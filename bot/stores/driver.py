"""MongoDB's driver, as everything here that keeps something in MongoDB uses it: bounded waits, one kind of error."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo import ReadPreference
from pymongo.errors import (
    ConnectionFailure,
    ExecutionTimeout,
    NetworkTimeout,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteConcernError,
    WTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from bot.domain.errors import BadData, StoreUnavailable

Document = dict[str, Any]
Client = AsyncIOMotorClient[Document]
Database = AsyncIOMotorDatabase[Document]

PATIENCE = timedelta(seconds=5)  # for a new primary, a lock, an answer; then the caller hears of it
DATABASE = "switchboard"  # where the URL names none

DURABLE = WriteConcern("majority", j=True)
CONFIRMED = ReadConcern("majority")


def connect(url: str, patience: timedelta) -> Client:
    """A client of the running loop; it connects when it is first used. Raises `BadData` for a wrong URL."""
    milliseconds = round(patience.total_seconds() * 1000)
    waits: Any = dict.fromkeys(("timeoutMS", "serverSelectionTimeoutMS", "connectTimeoutMS"), milliseconds)
    try:
        return AsyncIOMotorClient(url, io_loop=asyncio.get_running_loop(), **waits)
    except (PyMongoError, ValueError) as exc:
        raise BadData(
            "The address of MongoDB cannot be used; it looks like "
            "mongodb://user:password@host1,host2,host3/switchboard?replicaSet=rs0. Check its port and the options "
            "behind `?`; signs like @ : / % in user or password are written %40 %3A %2F %25."
        ) from exc  # whose text may quote a password


def database(client: Client) -> Database:
    """What is read was confirmed by a majority, what is written will be, whatever the URL says."""
    return client.get_default_database(
        DATABASE, write_concern=DURABLE, read_concern=CONFIRMED, read_preference=ReadPreference.PRIMARY
    )


@contextmanager
def reached() -> Iterator[None]:
    """Whatever the driver raises is one thing to the callers: nothing is known to be written, come again."""
    try:
        yield
    except PyMongoError as exc:
        raise unavailable(exc) from exc
    except TimeoutError as exc:
        raise StoreUnavailable("MongoDB could not be used (no answer in time); try again.") from exc


def unavailable(cause: PyMongoError) -> StoreUnavailable:
    """One error per caller: a shared one would collect everybody's traceback."""
    error = StoreUnavailable(f"MongoDB could not be used ({explain(cause)}); try again.")
    error.__cause__ = cause
    return error


def explain(exc: PyMongoError) -> str:
    """Short, and without what was written: a server's message may quote a document."""
    details = getattr(exc, "details", None) or {}
    plain = next((words for kind, words in _PLAIN.items() if isinstance(exc, kind)), type(exc).__name__)
    return str(details.get("codeName") or plain)


_PLAIN: Mapping[type[PyMongoError], str] = {
    ServerSelectionTimeoutError: "no primary is in reach",
    NetworkTimeout: "no answer in time",
    ConnectionFailure: "the connection broke",
    ExecutionTimeout: "no answer in time",
    WTimeoutError: "a majority did not confirm in time",
    WriteConcernError: "a majority did not confirm",
}
