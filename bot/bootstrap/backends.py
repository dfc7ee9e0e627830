"""Which store, files and queue: picked by their URLs, opened in order, closed in the reverse one.

The libraries of MongoDB and Redis take their time to load, so whoever needs neither does not wait for them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from bot.config import Settings, Url
from bot.domain.errors import StoreUnavailable
from bot.domain.ports import Broadcast, Files, Pace, Queue, Store
from bot.queues.memory import MemoryBroadcast, MemoryPace, MemoryQueue
from bot.services.copying import refuse_half
from bot.stores.files import LocalFiles
from bot.stores.sqlite import SqliteStore


class Backends(Struct, frozen=True, kw_only=True):
    """What holds the state of a server."""

    store: Store
    files: Files
    queue: Queue
    broadcast: Broadcast
    pace: Pace


def now() -> datetime:
    return datetime.now(UTC)


def store_path(settings: Settings) -> Path:
    """Of a store that is a file."""
    return Path(settings.store.removeprefix("sqlite:///"))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Backends]:
    """Raises `BadData`, `StoreUnavailable`. A queue that is away is no reason not to start."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(settings))
        await refuse_half(store)
        files = await stack.enter_async_context(opened_files(settings))
        queue, broadcast, pace = await stack.enter_async_context(_opened_queue(settings))
        yield Backends(store=store, files=files, queue=queue, broadcast=broadcast, pace=pace)


@asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[Store]:
    """Raises `BadData`, `StoreUnavailable`."""
    store = await _mongo_store(settings) if settings.shared else SqliteStore(store_path(settings))
    try:
        yield store
    finally:
        await store.close()


async def _mongo_store(settings: Settings) -> Store:
    from bot.stores.mongo import MongoStore

    store = MongoStore(str(settings.store))
    with _begun(settings.store):
        await store.open()
    return store


@contextmanager
def _begun(url: Url) -> Iterator[None]:
    """Nobody has been there yet, so it may be the address that is wrong, or a replica set that was never made."""
    try:
        yield
    except StoreUnavailable as exc:
        if exc.__cause__ is None:  # somebody answered
            raise
        raise StoreUnavailable(
            f"{str(exc).removesuffix('; try again.')} at {url.shown}; start it, correct the address, or make its "
            "replica set with rs.initiate(), once: docs/scaling.md."
        ) from exc


@asynccontextmanager
async def opened_files(settings: Settings) -> AsyncIterator[Files]:
    """Raises `BadData`, `StoreUnavailable`."""
    if settings.files_on_this_machine:
        yield LocalFiles(Path(settings.files))
        return
    from bot.stores.gridfs import GridFiles

    files = GridFiles(str(settings.files))
    with _begun(settings.files):
        await files.open()
    try:
        yield files
    finally:
        await files.close()


@asynccontextmanager
async def _opened_queue(settings: Settings) -> AsyncIterator[tuple[Queue, Broadcast, Pace]]:
    if not settings.shared:
        memory = MemoryQueue()
        try:
            yield memory, MemoryBroadcast(), MemoryPace()
        finally:
            await memory.close()
        return
    from bot.queues.redis_streams import Link, RedisBroadcast, RedisPace, RedisQueue

    link = Link(str(settings.queue))
    queue, broadcast = RedisQueue(link), RedisBroadcast(link, MemoryBroadcast())
    try:
        yield queue, broadcast, RedisPace(link, MemoryPace())
    finally:
        await queue.close()
        await broadcast.close()
        await link.close()
