"""Accounts whose events are fetched: one worker at a time does it, and there is always one again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import worker as workers
from bot.domain.ports import Held
from bot.queues.memory import MemoryQueue
from bot.worker import Worker
from tests.world import World, until, world

LEASE = timedelta(milliseconds=300)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "EXTEND_EVERY", 0.05)
    monkeypatch.setattr(workers, "SWEEP_EVERY", 0.05)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        made.queue = MemoryQueue(ttl=LEASE)
        yield made


class Account:
    """Who polls it now."""

    def __init__(self) -> None:
        self.polling: list[str] = []
        self.most = 0

    async def poll(self, who: str) -> None:
        self.polling.append(who)
        self.most = max(self.most, len(self.polling))
        try:
            await asyncio.Event().wait()
        finally:
            self.polling.remove(who)


class Unsteady:
    """The queue as one worker sees it."""

    def __init__(self, queue: MemoryQueue) -> None:
        self._queue = queue
        self.away = False
        self.lost = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def extend(self, held: Held) -> bool:
        if self.away:
            raise ConnectionError("away")
        return not self.lost and await self._queue.extend(held)


@asynccontextmanager
async def working(here: World, account: Account, who: str, queue: Any = None) -> AsyncIterator[Worker]:
    worker = Worker(
        store=here.store,
        queue=queue or here.queue,
        answering=here.answering,
        sending=here.sending,
        fetching=here.fetching,
        attending=here.attending,
        takeover=here.takeover,
        clock=here.clock,
        polls={"telegram:shop": lambda: account.poll(who)},
    )
    await worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


def polled(account: Account, *by: str) -> Any:
    async def condition() -> bool:
        return account.polling == list(by)

    return condition


async def test_of_two_workers_one_polls(here: World) -> None:
    account = Account()
    async with working(here, account, "one"), working(here, account, "other"):
        await until(lambda: polled_by_one(account))
        await asyncio.sleep(LEASE.total_seconds() * 2)
        assert (len(account.polling), account.most) == (1, 1)


async def polled_by_one(account: Account) -> bool:
    return len(account.polling) == 1


async def test_a_worker_that_stops_hands_it_over_at_once(here: World) -> None:
    account = Account()
    async with working(here, account, "one") as one:
        await until(polled(account, "one"))
        async with working(here, account, "other"):
            await one.stop()
            await until(polled(account, "other"), LEASE.total_seconds() / 2)
    assert (account.polling, account.most) == ([], 1)


async def test_a_worker_that_lost_its_lease_leaves_it_to_the_other(here: World) -> None:
    account, queue = Account(), Unsteady(here.queue)
    async with working(here, account, "one", queue):
        await until(polled(account, "one"))
        async with working(here, account, "other"):
            queue.lost = True
            await until(polled(account, "other"))


async def test_a_worker_goes_on_while_the_queue_is_away(here: World) -> None:
    account, queue = Account(), Unsteady(here.queue)
    async with working(here, account, "one", queue):
        await until(polled(account, "one"))
        queue.away = True
        await asyncio.sleep(0.2)
        assert account.polling == ["one"]


async def test_what_ends_by_itself_is_begun_again(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "AFTER_TROUBLE", timedelta(milliseconds=20))
    begun: list[int] = []

    class Broken(Account):
        async def poll(self, who: str) -> None:
            begun.append(1)
            raise RuntimeError(who)

    async def twice() -> bool:
        return len(begun) > 1

    async with working(here, Broken(), "one"):
        await until(twice)
