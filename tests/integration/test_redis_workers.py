"""Several workers on one store, who know of each other's work through a real Redis only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from bot import worker as work
from bot.domain.journal import Did
from bot.domain.outbox import Receipt
from bot.domain.ports import Held, Payload, Work
from bot.domain.understanding import Context, Understanding
from bot.queues.redis_streams import Link, RedisQueue
from bot.worker import Worker
from tests.builders import HERE, inbound
from tests.fakes.channel import FakeChannel
from tests.fakes.engine import FakeEngine
from tests.redis_server import RedisServer
from tests.world import KNOWN, World, until, world

TTL = timedelta(seconds=3)


class Gate:
    """Something that takes as long as a test says."""

    def __init__(self) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def passed(self) -> None:
        self.reached.set()
        await self.opened.wait()


class SlowEngine(FakeEngine):
    def __init__(self) -> None:
        super().__init__(KNOWN)
        self.gate = Gate()

    async def understand(self, text: str, context: Context) -> Understanding:
        await self.gate.passed()
        return await super().understand(text, context)


class SlowChannel(FakeChannel):
    def __init__(self, *, parts: int = 1) -> None:
        super().__init__(parts=parts)
        self.gate = Gate()

    async def send(self, payload: Payload) -> Receipt:
        receipt = await super().send(payload)
        await self.gate.passed()
        return receipt


@asynccontextmanager
async def worker(here: World, url: str, engine: FakeEngine | None = None) -> AsyncIterator[Worker]:
    """One more process, with an engine of its own; it has stopped when this is left."""
    async with AsyncExitStack() as stack:
        link = Link(url)
        stack.push_async_callback(link.close)
        queue = RedisQueue(link, ttl=TTL)
        stack.push_async_callback(queue.close)
        here.engine = engine or FakeEngine(KNOWN)
        engine_here = here.engine
        here.queue, here.commit._queue = cast("Any", queue), queue
        here.answering = here.make_answering()
        here.answering._hearing._understander = lambda: engine_here
        here.sending = here.make_sending()
        made = here.make_worker()
        await made.start()
        stack.push_async_callback(made.stop)
        yield made


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def answered(here: World, count: int) -> None:
    async def enough() -> bool:
        return len(here.channel.arrived) >= count

    await until(enough, seconds=15)


async def test_many_workers_answer_every_customer_once(here: World, redis_url: str) -> None:
    async with worker(here, redis_url), worker(here, redis_url), worker(here, redis_url):
        for n in range(40):
            address = replace(HERE, user=f"u{n}", chat=f"c{n}")
            await here.receive(inbound("When are you open?", f"e{n}", address=address))
        await answered(here, 40)
    assert sorted(chat for chat, _ in here.channel.arrived) == sorted(f"c{n}" for n in range(40))


async def test_what_a_stopping_worker_cannot_finish_goes_on_elsewhere_within_a_second(
    here: World, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "GRACE", 0.1)
    hangs = SlowEngine()
    await here.receive(inbound("When are you open?"))
    async with worker(here, redis_url) as stays:
        await stays.stop()  # so that the other one gets the lane first
        async with worker(here, redis_url, hangs) as stops:
            await hangs.gate.reached.wait()
            await stays.start()
            await stops.stop()
            async with asyncio.timeout(1):
                await answered(here, 1)
    assert len(here.channel.arrived) == 1


async def test_a_stopping_worker_finishes_what_it_has_in_hand(here: World, redis_url: str) -> None:
    slow, idle = SlowEngine(), FakeEngine(KNOWN)
    await here.receive(inbound("When are you open?"))
    async with worker(here, redis_url, slow) as stops:
        await slow.gate.reached.wait()
        async with worker(here, redis_url, idle):
            stopping = asyncio.create_task(stops.stop())
            await asyncio.sleep(0.2)
            slow.gate.opened.set()
            await stopping
            await answered(here, 1)
    assert (slow.asked, idle.asked) == (["When are you open?"], [])


async def test_nothing_is_sent_twice_when_redis_forgets_everything_during_a_send(
    tmp_path: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "SWEPT_AFTER", timedelta())
    monkeypatch.setattr(work, "SWEEP_EVERY", 0.1)
    monkeypatch.setattr(work, "EXTEND_EVERY", 0.5)
    slow = SlowChannel()
    async with world(tmp_path, channel=slow) as here:
        await here.receive(inbound("When are you open?"))
        async with worker(here, redis_server.url), worker(here, redis_server.url):
            await slow.gate.reached.wait()
            redis_server.flushall()
            await asyncio.sleep(TTL.total_seconds() * 1.2)  # the other one sweeps, and finds it `sending`
            slow.gate.opened.set()
            await answered(here, 1)
        assert len(slow.arrived) == 1
        assert await here.did(Did.DOUBTED) == []


async def test_who_has_lost_the_lease_of_a_chat_sends_nothing_more_there(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a long freeze: somebody else has it, who would take what we are sending for left behind."""
    lost = asyncio.Event()

    class Lost(RedisQueue):
        async def extend(self, held: Held) -> bool:
            lost.set()
            return held.work is not Work.SEND

        async def done(self, held: Held) -> None:
            if held.work is not Work.SEND:
                await super().done(held)

    monkeypatch.setattr(work, "EXTEND_EVERY", 0.1)
    monkeypatch.setattr("tests.integration.test_redis_workers.RedisQueue", Lost)
    slow = SlowChannel(parts=2)
    async with world(tmp_path, channel=slow) as here:
        await here.receive(inbound("When are you open?"))
        async with worker(here, redis_url):
            await slow.gate.reached.wait()
            lost.clear()
            await lost.wait()
            await asyncio.sleep(0.1)
            slow.gate.opened.set()
            await asyncio.sleep(0.5)
        assert len(slow.arrived) == 1
