"""What the doctor says about a Redis, and the addresses a Redis may have."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from redis.asyncio import Redis, SSLConnection

from bot.domain.ports import Finding, Work
from bot.queues.memory import MemoryBroadcast, MemoryPace
from bot.queues.redis_streams import Link, RedisBroadcast, RedisPace, RedisQueue
from tests.conftest import Require
from tests.contracts.broadcast_contract import BroadcastContract
from tests.contracts.pace_contract import PaceContract
from tests.contracts.queue_contract import QueueContract
from tests.redis_server import HOW, RedisServer, executables, running


async def findings(url: str) -> dict[str, Finding]:
    link = Link(url)
    queue = RedisQueue(link)
    try:
        return {finding.name: finding for finding in await queue.check()}
    finally:
        await queue.close()
        await link.close()


async def test_a_healthy_redis_is_measured(redis_url: str) -> None:
    found = await findings(redis_url)
    assert {finding.status for finding in found.values()} == {"ok"}
    assert "ms" in found["redis"].detail
    assert found["redis version"].detail.startswith(("Redis ", "Valkey "))


async def test_a_redis_that_drops_keys_is_warned_about(redis_server: RedisServer) -> None:
    redis_server.command("CONFIG", "SET", "maxmemory", "100mb")
    assert (await findings(redis_server.url))["redis memory"].status == "ok"
    redis_server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    found = (await findings(redis_server.url))["redis memory"]
    assert (found.status, "allkeys-lru" in found.detail) == ("warn", True)
    assert "noeviction" in found.fix


async def test_a_redis_that_tells_nothing_about_itself_is_no_failure(redis_server: RedisServer) -> None:
    redis_server.command(*"ACL SETUSER shy on >secret ~* &* +@all -info".split())
    shy = redis_server.url.replace("://", "://shy:secret@")
    found = await findings(shy)
    assert [finding.status for finding in found.values()] == ["ok", "ok"]
    assert "could not be asked" in found["redis settings"].detail


async def test_a_redis_that_is_away_is_a_failure_with_a_remedy(redis_server: RedisServer) -> None:
    redis_server.kill()
    found = (await findings(redis_server.url))["redis"]
    assert (found.status, bool(found.fix)) == ("fail", True)


async def test_a_wrong_password_is_a_failure_and_is_not_shown(redis_server: RedisServer) -> None:
    redis_server.command("CONFIG", "SET", "requirepass", "right")
    found = (await findings(redis_server.url.replace("://", "://:wrong-one@")))["redis"]
    assert found.status == "fail"
    assert "wrong-one" not in repr(found)


async def test_user_password_and_database_of_the_address_are_used(redis_server: RedisServer) -> None:
    redis_server.command(*"ACL SETUSER bot on >p@ss ~* &* +@all".split())
    link = Link(redis_server.url.replace("://", "://bot:p%40ss@").replace("/0", "/3?prefix=shop"))
    queue = RedisQueue(link)
    await queue.wake(Work.LANE, "k1", delay=timedelta(hours=1))
    await queue.close()
    await link.close()
    assert b"db3" in redis_server.text("INFO", "keyspace").encode()


async def test_tls_checks_the_certificate() -> None:
    link = Link("rediss://127.0.0.1:1/0?ssl_ca_certs=/etc/ca.pem")
    assert isinstance(link._client, Redis)
    pool = link._client.connection_pool
    assert pool.connection_class is SSLConnection
    assert pool.connection_kwargs["ssl_ca_certs"] == "/etc/ca.pem"
    assert pool.connection_kwargs.get("ssl_cert_reqs", "required") == "required"
    await link.close()


# ── Redis Cluster ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module", params=executables() or [""], ids=lambda path: path.rpartition("/")[2])
def cluster(request: pytest.FixtureRequest, require: Require) -> Iterator[str]:
    """The URL of two nodes that share the slots, so that a wrong hash tag shows."""
    require("redis", bool(request.param), HOW)
    with (
        running(request.param, "--cluster-enabled", "yes") as one,
        running(request.param, "--cluster-enabled", "yes") as two,
    ):
        slots = [str(slot) for slot in range(16384)]
        one.command("CLUSTER", "ADDSLOTS", *slots[:8192])
        two.command("CLUSTER", "ADDSLOTS", *slots[8192:])
        two.command("CLUSTER", "SET-CONFIG-EPOCH", "2")
        one.command("CLUSTER", "MEET", "127.0.0.1", str(two.port))
        one.wait_for(lambda: all("cluster_state:ok" in node.text("CLUSTER", "INFO") for node in (one, two)))
        yield f"redis+cluster://127.0.0.1:{one.port},127.0.0.1:{two.port}"


@pytest.fixture
async def clustered(cluster: str) -> AsyncIterator[Link]:
    link = Link(f"{cluster}?prefix={uuid4().hex}")
    yield link
    await link.close()


class TestQueueOnCluster(QueueContract):
    @pytest.fixture
    async def queue(self, clustered: Link) -> AsyncIterator[RedisQueue]:
        queue = RedisQueue(clustered, ttl=self.ttl)
        yield queue
        await queue.close()


class TestBroadcastOnCluster(BroadcastContract):
    @pytest.fixture
    async def broadcast(self, clustered: Link) -> AsyncIterator[RedisBroadcast]:
        broadcast = RedisBroadcast(clustered, MemoryBroadcast(kept=self.kept))
        yield broadcast
        await broadcast.close()


class TestPaceOnCluster(PaceContract):
    @pytest.fixture
    def pace(self, clustered: Link) -> RedisPace:
        return RedisPace(clustered, alone=MemoryPace())
