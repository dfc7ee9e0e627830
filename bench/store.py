"""How fast a store takes in webhooks, and how long a point read takes: `python -m bench.store [FOLDER | mongodb]`.

SQLite in the folder named, MongoDB as a replica set of one for the time being; without an argument both.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from msgspec import Raw

from bot.domain.journal import Did, Entry
from bot.domain.messages import Address, Event, EventKind, Inbound
from bot.domain.ports import Applied, Changes, Insert, Query, Store
from bot.stores.mongo import MongoStore
from bot.stores.sqlite import SqliteStore
from tests.mongod import executable, replica_set

SECONDS = 2.0  # per line
CALLERS = (1, 10, 100, 500)
LANES = 300
READS = 5000
NOW = datetime(2026, 1, 1, tzinfo=UTC)
RAW = Raw(b'{"update_id": 1, "message": {"text": "' + b"Wo ist mein Paket 4711? " * 12 + b'"}}')


def received(number: int) -> Changes:
    """What receiving writes for one message of a known customer: the event and its journal entry."""
    lane = f"customer{number % LANES}"
    address = Address(channel="telegram", account="shop", user=lane, chat=lane)
    inbound = Inbound(
        external_id=f"x{number}",
        kind=EventKind.MESSAGE,
        address=address,
        text="Wo ist mein Paket 4711?",
        raw=RAW,
    )
    event = Event(id=f"event{number:020}", lane=lane, inbound=inbound, received_at=NOW)
    entry = Entry(
        id=f"entry{number:020}",
        kind=Did.RECEIVED,
        customer=lane,
        channel="telegram",
        account="shop",
        actor="customer",
        attributes={"event": event.id},
        happened_at=NOW,
        at=NOW,
    )
    return Changes(
        writes=(Insert(record=event, scope=f"lane:{lane}"), Insert(record=entry, scope=f"customer:{lane}"))
    )


async def caller(store: Store, numbers: Iterator[int], until: float, waits: list[float]) -> None:
    while (started := time.perf_counter()) < until:
        outcome = await store.apply(received(next(numbers)))
        assert isinstance(outcome, Applied)
        waits.append(time.perf_counter() - started)


async def applies(store: Store, numbers: Iterator[int], callers: int) -> str:
    waits: list[float] = []
    cpu, started = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller(store, numbers, started + SECONDS, waits) for _ in range(callers)))
    seconds = time.perf_counter() - started
    cpu = time.process_time() - cpu
    waits.sort()
    return (
        f"{callers:4} callers: {len(waits) / seconds:7.0f} applies/s, "
        f"wait p50 {median(waits) * 1e3:6.2f} ms, p99 {waits[int(len(waits) * 0.99)] * 1e3:6.2f} ms, "
        f"CPU {cpu / len(waits) * 1e6:4.0f} µs each"
    )


async def reads(store: Store) -> AsyncIterator[str]:
    queries: dict[str, Callable[[int], Awaitable[object]]] = {
        "get": lambda at: store.get(Event, f"event{at:020}"),
        "find, next of a lane": lambda at: store.find(
            Query(
                kind=Event, equals={"lane": f"customer{at % LANES}", "state": "pending"}, order="seq", limit=1
            )
        ),
        "find, 50 of a lane": lambda at: store.find(
            Query(
                kind=Event,
                equals={"lane": f"customer{at % LANES}", "state": "pending"},
                order="seq",
                limit=50,
            )
        ),
        "count of a lane": lambda at: store.count(
            Query(kind=Event, equals={"lane": f"customer{at % LANES}"})
        ),
    }
    for name, read in queries.items():
        waits = []
        for at in range(READS if name == "get" else READS // 10):
            started = time.perf_counter()
            await read(at % 1000)
            waits.append(time.perf_counter() - started)
        waits.sort()
        p99 = waits[int(len(waits) * 0.99)]
        yield f"{name:21}: p50 {median(waits) * 1e6:6.0f} µs, p99 {p99 * 1e6:6.0f} µs"


async def measure(store: Store) -> None:
    numbers = iter(range(sys.maxsize))
    for callers in CALLERS:
        print(await applies(store, numbers, callers))
    async for line in reads(store):
        print(line)
    await store.close()


async def embedded(folder: Path) -> None:
    await measure(SqliteStore(folder / "bench.db"))


async def shared(url: str) -> None:
    store = MongoStore(url)
    await store.open()
    await measure(store)


if __name__ == "__main__":
    where = sys.argv[1] if len(sys.argv) > 1 else None
    if where != "mongodb":
        with tempfile.TemporaryDirectory(dir=where) as folder:
            asyncio.run(embedded(Path(folder)))
    if where == "mongodb" or (where is None and executable()):
        print("MongoDB, a replica set of one:")
        with replica_set() as running:
            asyncio.run(shared(running.url()))
