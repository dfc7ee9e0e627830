"""What the doctor says about a Redis, and the addresses a Redis may have."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from redis.asyncio import RedisCluster, SSLConnection

from bot.domain.errors import Misconfigured
from bot.domain.ports import Finding, Work
from bot.queues.memory import MemoryBroadcast, MemoryPace
from bot.queues.redis_streams import Link, RedisBroadcast, RedisPace, RedisQueue, checking
from tests.conftest import Require
from tests.contracts.broadcast_contract import BroadcastContract
from tests.contracts.pace_contract import PaceContract
from tests.contracts.queue_contract import QueueContract, take
from tests.redis_server import HOW, Forwarder, RedisServer, executables, running


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[RedisQueue]:
    async with AsyncExitStack() as stack:
        link = Link(url)
        stack.push_async_callback(link.close)
        queue = RedisQueue(link, ttl=timedelta(seconds=3))
        stack.push_async_callback(queue.close)
        yield queue


async def findings(url: str) -> dict[str, Finding]:
    async with opened(url) as queue:
        return {finding.name: finding for finding in await queue.check()}


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


@pytest.mark.parametrize(
    ("facts", "status", "said"),
    [
        ({"redis_version": "6.0.16"}, "fail", "Redis 6.0.16 is too old."),
        ({"redis_version": "6.2.14"}, "ok", "Redis 6.2.14"),
        ({"redis_version": "7.2.4", "valkey_version": "8.1.0"}, "ok", "Valkey 8.1.0"),
        ({"redis_version": "255.255.255"}, "ok", "Redis 255.255.255"),
    ],
)
def test_a_redis_without_the_commands_we_need_is_refused(
    facts: dict[str, str], status: str, said: str
) -> None:
    found = checking.version(facts)
    assert (found.status, found.detail) == (status, said)


def test_a_slow_redis_is_warned_about() -> None:
    assert [checking.speed(millis).status for millis in (0.4, 35.0)] == ["ok", "warn"]


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
    async with opened(f"redis://bot:p%40ss@127.0.0.1:{redis_server.port}/3") as queue:
        await queue.wake(Work.LANE, "k1", delay=timedelta(hours=1))
    assert b"db3" in redis_server.text("INFO", "keyspace").encode()


@pytest.mark.parametrize(
    "address",
    ["redis://h:p@ss:word", "redis://h/0?no_such=1", "redis://h/0?db=x", "redis+cluster://h:1/2", "http://h"],
)
def test_an_address_that_cannot_be_used_is_refused_without_quoting_it(address: str) -> None:
    with pytest.raises(Misconfigured, match="check its port") as refused:
        Link(address)
    assert "p@ss" not in str(refused.value)


def test_a_cluster_is_named_by_some_of_its_nodes() -> None:
    client = Link("rediss+cluster://u:p%40@h1:7000,h2,[::1]:7001/0?prefix=x")._client
    assert isinstance(client, RedisCluster)
    nodes = client.nodes_manager.startup_nodes
    assert set(nodes) == {"h1:7000", "h2:6379", "::1:7001"}
    assert {node.connection_class for node in nodes.values()} == {SSLConnection}
    assert client.connection_kwargs["password"] == "p@"


@pytest.fixture
def certificate(tmp_path: Path, require: Require) -> Path:
    """For 127.0.0.1, signed by itself; the key lies in the same file."""
    tool = shutil.which("openssl")
    require("openssl", tool is not None, "install openssl")
    made = tmp_path / "redis.pem"
    options = (
        "req -x509 -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout"
    )
    subprocess.run(
        [str(tool), *options.split(), made, "-out", tmp_path / "cert"], check=True, capture_output=True
    )
    made.write_bytes(made.read_bytes() + (tmp_path / "cert").read_bytes())
    return made


async def test_tls_is_spoken_and_the_certificate_checked(redis_url: str, certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    plain = urlsplit(redis_url)
    async with Forwarder(plain.port or 0, tls) as safe:
        url = f"rediss://127.0.0.1:{safe.port}/0?{plain.query}"
        assert (await findings(f"{url}&ssl_ca_certs={certificate}"))["redis"].status == "ok"
        assert (await findings(url))["redis"].status == "fail"
        async with opened(f"{url}&ssl_ca_certs={certificate}") as queue:
            await queue.wake(Work.LANE, "k1")
            assert (await take(queue)).key == "k1"


async def test_after_a_failover_the_address_leads_to_the_new_redis(redis_server: RedisServer) -> None:
    with running(redis_server.executable) as other:
        async with (
            Forwarder(redis_server.port) as address,
            opened(f"redis://127.0.0.1:{address.port}/0") as queue,
        ):
            await queue.wake(Work.LANE, "k1")
            await queue.done(await take(queue))
            redis_server.command(
                "REPLICAOF", "127.0.0.1", str(other.port)
            )  # it answers, but takes nothing any more
            address.target = other.port
            async with asyncio.timeout(5):
                taken = asyncio.create_task(queue.take(Work.LANE))
                while not taken.done():
                    await queue.wake(Work.LANE, "k2")
                    await asyncio.sleep(0.05)
            assert (await taken).key == "k2"


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
