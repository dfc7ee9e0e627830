"""Everything that can die does, under load: real MongoDB, real Redis, two processes that receive and two that work.

After each: what was acknowledged is stored and processed, once, in order, in one case per customer, with one card per
handoff; a word of ours comes twice only where the platform left us in doubt, and then the journal says so.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from pymongo import MongoClient

from tests.e2e.cluster import Cluster, clustered
from tests.e2e.server import Api, Server
from tests.e2e.test_killed_under_load import everything, settled
from tests.fakes.crowd import FIRST_CHAT, Crowd, Trouble, configuration
from tests.mongod import ReplicaSet
from tests.redis_server import RedisServer

pytestmark = pytest.mark.timeout(300)

CUSTOMERS, MESSAGES, PAUSE = 40, 12, 0.5  # about six seconds of talk, however fast the machine
ASKED_IN = 4  # the message in which every second customer asks for a person
SETTLED_WITHIN = 120.0
BACK_WITHIN = 5.0  # seconds after its return the server takes messages again
FROZEN = 36.0  # seconds: longer than a lease lasts

Fault = Callable[[Cluster], Awaitable[None]]


@asynccontextmanager
async def crowded(
    folder: Path, models: Path, mongo: ReplicaSet, redis: RedisServer
) -> AsyncIterator[tuple[Cluster, Crowd]]:
    database = f"faults_{uuid4().hex[:8]}"
    async with Crowd().serving() as crowd:
        url = f"{redis.url}?prefix={database}"
        async with clustered(folder, models, mongo.url(database), url, configuration(crowd.url)) as cluster:
            crowd.webs = [server.url for server in cluster.web]
            yield cluster, crowd


def say(customer: int, number: int) -> str:
    wish = "wants to speak to a human, " if asks(customer) and number == ASKED_IN else ""
    return f"customer {customer} {wish}message {number}"


def asks(customer: int) -> bool:
    return customer % 2 == 0


async def under_load(cluster: Cluster, crowd: Crowd, fault: Fault, messages: int = MESSAGES) -> None:
    """Talk, let it happen, and look at what is there afterwards."""
    talking = asyncio.create_task(crowd.talk(CUSTOMERS, messages, say, pause=PAUSE))
    await asyncio.sleep(1.0)
    await fault(cluster)
    await talking
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
        api = Api(http, cluster.web[0])
        await settled(api, SETTLED_WITHIN)
        cases = await everything(api)
    nothing_lost_nothing_twice(cases, crowd)
    in_order(cases)
    one_case_each(cases)
    one_card_per_handoff(cases, await asyncio.to_thread(cards_by_case, cluster))
    doubled_only_where_in_doubt(cases, crowd)


def incoming(case: dict[str, Any]) -> list[str]:
    return [line["text"] for line in case["messages"] if line["direction"] == "in"]


def speaker(case: dict[str, Any]) -> int:
    return int(incoming(case)[0].split()[1])


def nothing_lost_nothing_twice(cases: list[dict[str, Any]], crowd: Crowd) -> None:
    stored = Counter(text for case in cases for text in incoming(case))
    assert stored == Counter(dict.fromkeys(crowd.acknowledged, 1))


def in_order(cases: list[dict[str, Any]]) -> None:
    for case in cases:
        numbers = [int(text.split()[-1]) for text in incoming(case)]
        assert numbers == sorted(numbers), case["number"]


def one_case_each(cases: list[dict[str, Any]]) -> None:
    assert len(cases) == len({case["customer"] for case in cases}) == CUSTOMERS


def one_card_per_handoff(cases: list[dict[str, Any]], cards: Counter[str]) -> None:
    """A handoff is one transaction: its promise and its card are there once."""
    for case in cases:
        kinds = Counter(entry["kind"] for entry in case["journal"])
        assert kinds["handed_off"] == kinds["promised"] == cards[case["id"]] <= 1, case["number"]
        assert kinds["handed_off"] or not asks(speaker(case)), case["number"]


def cards_by_case(cluster: Cluster) -> Counter[str]:
    """From the database itself: the built-in desk gets a card by a handoff, and by nothing else."""
    with MongoClient[dict[str, Any]](cluster.engines["store"]) as client:
        rows = client.get_default_database()["outbox"].find({"posting": "card"}, {"case": 1})
        return Counter(row["case"] for row in rows)


def doubled_only_where_in_doubt(cases: list[dict[str, Any]], crowd: Crowd) -> None:
    """Each in the journal of its own case."""
    doubled = crowd.doubled()
    for case in cases:
        doubts = sum(entry["kind"] == "doubted" for entry in case["journal"])
        assert len(doubled.get(FIRST_CHAT + speaker(case), ())) <= doubts, case["number"]


# ── The faults ──────────────────────────────────────────────────────────────────────────────────


async def kill_processes(cluster: Cluster) -> None:
    """Each of the four once, while the others go on."""
    for server in [cluster.workers[0], cluster.web[0], cluster.workers[1], cluster.web[1]]:
        await server.kill()
        await asyncio.sleep(0.3)
        await server.start()


async def test_kill_9_of_every_process(
    tmp_path: Path, models: Path, mongo: ReplicaSet, redis: RedisServer
) -> None:
    async with crowded(tmp_path, models, mongo, redis) as (cluster, crowd):
        await under_load(cluster, crowd, kill_processes)


async def test_the_primary_of_three_is_killed_and_comes_back(
    tmp_path: Path, models: Path, three_mongos: ReplicaSet, redis: RedisServer
) -> None:
    async def fault(_: Cluster) -> None:
        await asyncio.to_thread(three_mongos.kill)
        await asyncio.sleep(5)
        await asyncio.to_thread(three_mongos.restart)

    async with crowded(tmp_path, models, three_mongos, redis) as (cluster, crowd):
        await under_load(cluster, crowd, fault)


async def test_while_the_only_database_is_away_nothing_is_acknowledged(
    tmp_path: Path, models: Path, own_mongo: ReplicaSet, redis: RedisServer
) -> None:
    back = 0.0

    async def fault(_: Cluster) -> None:
        nonlocal back
        await asyncio.to_thread(own_mongo.kill)
        await asyncio.sleep(8)
        await asyncio.to_thread(own_mongo.restart)
        back = time.monotonic()

    async with crowded(tmp_path, models, own_mongo, redis) as (cluster, crowd):
        await under_load(cluster, crowd, fault)
        assert crowd.refused[503]
        assert min(at for at in crowd.acknowledged.values() if at > back) - back < BACK_WITHIN


async def test_redis_is_away_flushed_and_empty(
    tmp_path: Path, models: Path, mongo: ReplicaSet, own_redis: RedisServer
) -> None:
    async def fault(_: Cluster) -> None:
        await asyncio.to_thread(own_redis.flushall)
        await asyncio.sleep(1)
        await asyncio.to_thread(own_redis.kill)
        await asyncio.sleep(10)
        await asyncio.to_thread(own_redis.restart_empty)

    async with crowded(tmp_path, models, mongo, own_redis) as (cluster, crowd):
        await under_load(cluster, crowd, fault, messages=2 * MESSAGES)
        assert not crowd.refused[503]  # the queue is a hint


async def test_a_worker_is_frozen_past_its_lease_and_goes_on(
    tmp_path: Path, models: Path, mongo: ReplicaSet, redis: RedisServer
) -> None:
    async def fault(cluster: Cluster) -> None:
        frozen: Server = cluster.workers[0]
        frozen.send_signal(signal.SIGSTOP)
        await asyncio.sleep(FROZEN)
        frozen.send_signal(signal.SIGCONT)

    async with crowded(tmp_path, models, mongo, redis) as (cluster, crowd):
        await under_load(cluster, crowd, fault)


async def test_the_platform_breaks_hangs_and_loses_its_answers(
    tmp_path: Path, models: Path, mongo: ReplicaSet, redis: RedisServer
) -> None:
    async with crowded(tmp_path, models, mongo, redis) as (cluster, crowd):

        async def fault(_: Cluster) -> None:
            for trouble in (Trouble.BROKEN, Trouble.LOSING, Trouble.HANGING):
                crowd.trouble = trouble
                await asyncio.sleep(1.5)
            crowd.trouble = Trouble.NONE

        await under_load(cluster, crowd, fault)
        assert crowd.sent
