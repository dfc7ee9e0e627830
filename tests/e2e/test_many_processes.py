"""Two processes that receive and two that work, on one MongoDB and one Redis: seen from outside they are one."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from msgspec.structs import replace

from nlu.models import Models, name
from tests.e2e.cluster import Cluster, clustered
from tests.e2e.server import PASSWORD, Api, Customer, Server
from tests.mongod import ReplicaSet
from tests.redis_server import RedisServer

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

PROMOTED_WITHIN = 2.0  # seconds, everywhere
BACK_WITHIN = 5.0  # seconds after a database is


def fresh(redis: RedisServer) -> str:
    return f"{redis.url}?prefix=test-{uuid4().hex[:8]}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(
    tmp_path_factory: pytest.TempPathFactory, models: Path, mongo: ReplicaSet, redis: RedisServer
) -> AsyncIterator[Cluster]:
    database = f"many_{uuid4().hex[:8]}"
    folder = tmp_path_factory.mktemp("cluster")
    async with clustered(folder, models, mongo.url(database), fresh(redis)) as running:
        yield running
    mongo.forget(database)


@pytest_asyncio.fixture(loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield session


def at(http: aiohttp.ClientSession, customer: Customer, server: Server) -> Customer:
    """The same customer, whose requests another process gets."""
    other = Customer(http, server)
    other.token = customer.token
    return other


async def arrived(http: aiohttp.ClientSession, server: Server) -> Customer:
    customer = Customer(http, server)
    await customer.arrive()
    return customer


async def test_a_chat_goes_on_whichever_process_holds_the_connection(
    cluster: Cluster, http: aiohttp.ClientSession
) -> None:
    one, other = cluster.web
    customer = await arrived(http, one)
    hearing = asyncio.create_task(at(http, customer, other).hears(1, seconds=5))
    await asyncio.sleep(0.3)  # the stream is open, so what comes now comes through Redis
    began = time.monotonic()
    await customer.say("Where is my parcel 4711?")
    (answer,) = await hearing
    assert "4711" in answer
    assert time.monotonic() - began < 3  # the stream looks into the store every 15 s


async def test_an_agent_at_one_process_speaks_to_a_customer_at_another(
    cluster: Cluster, http: aiohttp.ClientSession
) -> None:
    one, other = cluster.web
    customer = await arrived(http, one)
    await customer.say("ich will mit einem Menschen sprechen")
    case = await waiting(Api(http, other))
    assert (await Api(http, one).act(case, "claim"))[0] == 200
    assert (await Api(http, other).act(case, "claim", agent={"id": "ben", "name": "Ben"}))[0] == 409
    assert (await Api(http, one).act(case, "reply", text="Guten Tag, hier ist Ada."))[0] == 200
    assert "Guten Tag, hier ist Ada." in await at(http, customer, other).hears(2)
    assert (await Api(http, other).act(case, "resolve"))[0] == 200


async def waiting(api: Api) -> str:
    async with asyncio.timeout(10):
        while not (cases := (await api.get("cases", state="waiting"))["cases"]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return str(cases[0]["id"])


async def test_a_console_hears_of_what_another_process_received(
    cluster: Cluster, http: aiohttp.ClientSession
) -> None:
    one, other = cluster.web
    async with console(other) as agent, agent.get(f"{other.url}/console/stream") as stream:
        assert stream.status == 200
        customer = await arrived(http, one)
        await customer.say("ich will mit einem Menschen sprechen")
        async with asyncio.timeout(5):
            async for line in stream.content:
                if line.startswith(b"event: case"):
                    break


@asynccontextmanager
async def console(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody who is logged in."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as agent:
        async with agent.get(f"{server.url}/console/login") as page:
            proof = re.search(r'name="proof" value="([^"]+)"', await page.text())
        assert proof
        fields = {"proof": proof[1], "name": "admin", "password": PASSWORD, "next": ""}
        async with agent.post(f"{server.url}/console/login", data=fields) as page:
            assert page.status == 200
        yield agent


async def test_a_promoted_model_is_live_in_every_process_within_two_seconds(
    cluster: Cluster, http: aiohttp.ClientSession
) -> None:
    """Trained on a machine of its own; none of the four has its file."""
    mine = cluster.web[1]
    id = another_model(mine.folder / "models")
    await cluster.run(mine, "promote", id)
    promoted = time.monotonic()
    async with asyncio.timeout(10):
        while not all(follows(server, id) for server in cluster.all):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert time.monotonic() - promoted < PROMOTED_WITHIN
    for server in cluster.web:
        assert (await Api(http, server).post("understand", {"text": "Hallo"}))[1]["model"] == id
    assert all(Models(server.folder / "models").has(id) for server in cluster.all[1:])
    await cluster.run(cluster.workers[0], "rollback")


def another_model(folder: Path) -> str:
    """The starter model, which says that it was trained on one example more."""
    models = Models(folder)
    known = models.load(models.latest())
    facts = replace(known.facts, examples=known.facts.examples + 1)
    other = replace(known, id=name(facts, known.arrays), facts=facts)
    models.save(other)
    return other.id


def follows(server: Server, model: str) -> bool:
    return any("model.live" in line and model in line for line in server.log().splitlines())
