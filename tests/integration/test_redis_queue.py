"""The queue on a real Redis keeps its contract, and what only shows with several processes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.queues.redis_streams import Link, RedisQueue
from tests.contracts.queue_contract import QueueContract


class TestRedisQueue(QueueContract):
    @pytest.fixture
    async def queue(self, redis_url: str) -> AsyncIterator[RedisQueue]:
        link = Link(redis_url)
        queue = RedisQueue(link, ttl=self.ttl)
        yield queue
        await queue.close()
        await link.close()
