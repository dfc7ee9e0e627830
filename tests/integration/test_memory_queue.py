"""The in-process queue, broadcast and pace keep their contracts."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.domain.ports import Rate, Work
from bot.queues.memory import REMEMBERED, MemoryBroadcast, MemoryPace, MemoryQueue
from tests.contracts.broadcast_contract import BroadcastContract
from tests.contracts.pace_contract import PaceContract
from tests.contracts.queue_contract import QueueContract, take


class TestMemoryQueue(QueueContract):
    @pytest.fixture
    async def queue(self) -> AsyncIterator[MemoryQueue]:
        queue = MemoryQueue(ttl=self.ttl)
        yield queue
        await queue.close()


class TestMemoryBroadcast(BroadcastContract):
    @pytest.fixture
    def broadcast(self) -> MemoryBroadcast:
        return MemoryBroadcast(kept=self.kept)


class TestMemoryPace(PaceContract):
    @pytest.fixture
    def pace(self) -> MemoryPace:
        return MemoryPace()


async def test_rates_of_chats_that_are_long_over_are_forgotten() -> None:
    now = 0.0
    pace = MemoryPace(lambda: now)
    for number in range(REMEMBERED):
        await pace.reserve([Rate(key=f"chat{number}", per_second=1)])
    now = 10_000.0
    await pace.reserve([Rate(key="another", per_second=1)])
    assert set(pace._free_at) == {"another"}


async def test_closing_ends_whoever_waits_and_leaves_no_timer() -> None:
    queue = MemoryQueue()
    await queue.wake(Work.LANE, "k1")
    await take(queue)
    waiting = [asyncio.create_task(queue.take(Work.LANE)) for _ in range(3)]
    await asyncio.sleep(0)
    await queue.close()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert all(waiter.cancelled() for waiter in waiting)
    with pytest.raises(asyncio.CancelledError):
        await queue.take(Work.LANE)


async def test_a_cancelled_taker_passes_its_call_on() -> None:
    queue = MemoryQueue()
    first, second = (asyncio.create_task(queue.take(Work.LANE)) for _ in range(2))
    await asyncio.sleep(0)
    await queue.wake(Work.LANE, "k1")  # calls the first, which has no time to answer
    first.cancel()
    async with asyncio.timeout(1):
        assert (await second).key == "k1"


async def test_a_topic_nobody_listens_to_costs_nothing() -> None:
    broadcast = MemoryBroadcast()
    async with broadcast.subscribe("cases"), broadcast.subscribe("cases"):
        assert len(broadcast._topics) == 1
    await broadcast.publish("cases", b"to nobody")
    assert broadcast._topics == {}
