"""Another process at the same store: writes as fast as it can and tells each id once it was applied."""

import asyncio
import itertools
import sys
from pathlib import Path

from bot.domain.ports import Applied, Insert
from bot.stores.sqlite import SqliteStore
from tests.contracts.records import entry, event
from tests.contracts.store_contract import unit

CALLERS = 20


async def write(store: SqliteStore, name: str, numbers: "itertools.count[int]", most: int) -> None:
    while (n := next(numbers)) < most:
        writes = Insert(record=event(f"{name}{n}"), scope="k1"), Insert(record=entry(f"{name}{n}"))
        assert isinstance(await store.apply(unit(*writes)), Applied)
        sys.stdout.write(f"{name}{n}\n")
        sys.stdout.flush()


async def main(path: str, name: str, most: str) -> None:
    store = SqliteStore(Path(path))
    numbers = itertools.count()
    await asyncio.gather(*(write(store, name, numbers, int(most)) for _ in range(CALLERS)))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
