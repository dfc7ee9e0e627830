"""Which store, files and queue: picked by their URLs, opened in order, closed in the reverse one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from bot.config import ConfigError, Settings
from bot.domain.ports import Broadcast, Files, Queue, Store
from bot.queues.memory import MemoryBroadcast, MemoryQueue
from bot.stores.files import LocalFiles
from bot.stores.sqlite import SqliteStore


class Engines(Struct, frozen=True, kw_only=True):
    """What holds the state of a server."""

    store: Store
    files: Files
    queue: Queue
    broadcast: Broadcast


def now() -> datetime:
    return datetime.now(UTC)


def store_path(settings: Settings) -> Path:
    """Of a store that is a file."""
    return Path(settings.store.removeprefix("sqlite:///"))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Engines]:
    """Raises `BadData`, `StoreUnavailable`."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(settings))
        files = await stack.enter_async_context(opened_files(settings))
        queue, broadcast = MemoryQueue(), MemoryBroadcast()
        stack.push_async_callback(queue.close)
        yield Engines(store=store, files=files, queue=queue, broadcast=broadcast)


@asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[Store]:
    """Raises `BadData`, `StoreUnavailable`."""
    if settings.shared:
        raise ConfigError(
            f"{settings.file}: store: mongodb is not available yet; use sqlite:///var/switchboard.db."
        )
    store = SqliteStore(store_path(settings))
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def opened_files(settings: Settings) -> AsyncIterator[Files]:
    """Raises `BadData`, `StoreUnavailable`."""
    yield LocalFiles(Path(settings.files))
