"""Queue, broadcast and pace on a real Redis keep their contracts."""

from collections.abc import AsyncIterator

import pytest

from bot.queues.memory import MemoryBroadcast, MemoryPace
from bot.queues.redis_streams import Link, RedisBroadcast, RedisPace, RedisQueue
from tests.contracts.broadcast_contract import BroadcastContract
from tests.contracts.pace_contract import PaceContract
from tests.contracts.queue_contract import QueueContract


@pytest.fixture
async def link(redis_url: str) -> AsyncIterator[Link]:
    link = Link(redis_url)
    yield link
    await link.close()


class TestRedisQueue(QueueContract):
    @pytest.fixture
    async def queue(self, link: Link) -> AsyncIterator[RedisQueue]:
        queue = RedisQueue(link, ttl=self.ttl)
        yield queue
        await queue.close()


class TestRedisBroadcast(BroadcastContract):
    @pytest.fixture
    async def broadcast(self, link: Link) -> AsyncIterator[RedisBroadcast]:
        broadcast = RedisBroadcast(link, MemoryBroadcast(kept=self.kept))
        yield broadcast
        await broadcast.close()


class TestRedisPace(PaceContract):
    @pytest.fixture
    def pace(self, link: Link) -> RedisPace:
        return RedisPace(link, alone=MemoryPace())
