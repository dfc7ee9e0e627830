"""Two processes that receive and two that work, on one MongoDB and one Redis: seen from outside they are one."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from msgspec.structs import replace

from bot.queues.redis_streams.queue import TTL
from nlu.models import Models, name
from tests.e2e.cluster import Cluster, clustered
from tests.e2e.server import PASSWORD, Api, Customer, Server
from tests.e2e.test_killed_under_load import everything, settled
from tests.fakes.telegram_api import TOKEN, TelegramApi, text_update
from tests.mongod import ReplicaSet
from tests.redis_server import RedisServer

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

PROMOTED_WITHIN = 2.0  # seconds, everywhere
BACK_WITHIN = 5.0  # seconds after a database is
LEASE = TTL.total_seconds()


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
    hearing = asyncio.create_task(at(http, customer, other).hears(1, seconds=10))
    await asyncio.sleep(0.3)  # the stream is open, so what comes now comes through Redis
    began = time.monotonic()
    await customer.say("Where is my parcel 4711?")
    (answer,) = await hearing
    assert "4711" in answer
    assert time.monotonic() - began < 10  # the stream looks into the store every 15 s


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
    known = models.load(models.summaries()[0].id)
    facts = replace(known.facts, examples=known.facts.examples + 1)
    other = replace(known, id=name(facts, known.arrays), facts=facts)
    models.save(other)
    return other.id


def follows(server: Server, model: str) -> bool:
    return any("model.live" in line and model in line for line in server.log().splitlines())


# ── Restarts ────────────────────────────────────────────────────────────────────────────────────

TALKERS, MESSAGES = 6, 12


async def talk(customer: Customer, name: str, acknowledged: dict[str, str]) -> None:
    for message in range(MESSAGES):
        text = f"{name} message {message}"
        acknowledged[text] = await customer.say(text)
        await asyncio.sleep(0.5)


async def restart_each(cluster: Cluster) -> None:
    for server in cluster.all:
        assert await server.stop() == 0
        await server.start()


async def test_restarting_one_after_the_other_loses_nothing(
    cluster: Cluster, http: aiohttp.ClientSession
) -> None:
    acknowledged: dict[str, str] = {}
    customers = [await arrived(http, cluster.web[number % 2]) for number in range(TALKERS)]
    await asyncio.gather(
        restart_each(cluster),
        *(talk(customer, f"restarted {number}", acknowledged) for number, customer in enumerate(customers)),
    )
    api = Api(http, cluster.web[0])
    await settled(api)
    cases = [case for case in await everything(api) if case["messages"][0]["text"].startswith("restarted ")]
    assert_stored_once(cases, acknowledged)


async def kill_each(cluster: Cluster, redis: RedisServer, chance: random.Random) -> None:
    """With `kill -9`, and started again; in the middle of it Redis forgets everything."""
    for number, server in enumerate(chance.sample(cluster.all, len(cluster.all))):
        await asyncio.sleep(0.5 + chance.random())
        await server.kill()
        if number == 1:
            redis.flushall()
        await server.start()


async def test_killing_one_after_the_other_loses_nothing_and_doubles_nothing(
    cluster: Cluster, redis: RedisServer, http: aiohttp.ClientSession
) -> None:
    acknowledged: dict[str, str] = {}
    customers = [await arrived(http, cluster.web[number % 2]) for number in range(TALKERS)]
    await asyncio.gather(
        kill_each(cluster, redis, random.Random(20261122)),
        *(talk(customer, f"killed {number}", acknowledged) for number, customer in enumerate(customers)),
    )
    api = Api(http, cluster.web[0])
    await settled(api)
    cases = [case for case in await everything(api) if case["messages"][0]["text"].startswith("killed ")]
    assert len(cases) == len({case["customer"] for case in cases}) == TALKERS
    assert_stored_once(cases, acknowledged)
    for case in cases:
        numbers = [int(line["text"].split()[-1]) for line in case["messages"] if line["direction"] == "in"]
        assert numbers == sorted(numbers)
    for customer in customers:
        shown = Counter(await shown_to(customer))
        assert set(shown.values()) == {1}


async def shown_to(customer: Customer) -> list[str]:
    """The ids of everything the customer's chat shows."""
    ids = []
    with suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            async for event, data in customer.stream():
                if event == "message":
                    ids.append(str(data["id"]))
    return ids


def assert_stored_once(cases: list[dict[str, Any]], acknowledged: dict[str, str]) -> None:
    stored = Counter(line["text"] for case in cases for line in case["messages"] if line["direction"] == "in")
    assert stored == Counter(dict.fromkeys(acknowledged, 1))
    assert len(acknowledged) == TALKERS * MESSAGES


# ── One poller ──────────────────────────────────────────────────────────────────────────────────


async def test_one_worker_polls_and_when_it_stops_or_dies_the_other_goes_on(
    tmp_path: Path, models: Path, mongo_url: str, redis: RedisServer
) -> None:
    async with TelegramApi().serving() as telegram:
        account = (
            f"  telegram: [{{account: shop, token: '{TOKEN}', mode: polling, api_url: '{telegram.url}'}}]\n"
        )
        async with clustered(tmp_path, models, mongo_url, fresh(redis), account, web=0, workers=3) as cluster:
            await answered(telegram, 1, within=LEASE - 5)
            (first,) = pollers(cluster)
            assert await first.stop() == 0
            await answered(telegram, 2, within=LEASE - 5)
            (second,) = pollers(cluster) - {first}
            await second.kill()
            await answered(telegram, 3, within=LEASE + 10)
            assert len(pollers(cluster)) == 3


async def answered(telegram: TelegramApi, many: int, within: float) -> None:
    telegram.offer(text_update(700 + many, "Wo ist mein Paket 4711?", many))
    async with asyncio.timeout(within):
        while len(telegram.sent) < many:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def pollers(cluster: Cluster) -> set[Server]:
    """Whoever polls or has polled."""
    return {server for server in cluster.workers if "poll.begun" in server.log()}


async def test_what_an_account_may_send_holds_for_all_workers_together(
    tmp_path: Path, models: Path, mongo_url: str, redis: RedisServer
) -> None:
    async with TelegramApi().serving() as telegram:
        account = (
            f"  telegram: [{{account: shop, token: '{TOKEN}', mode: polling, api_url: '{telegram.url}', "
        )
        account += "limits: {per_second: 5}}]\n"
        async with clustered(tmp_path, models, mongo_url, fresh(redis), account, web=0, workers=2) as cluster:
            for number in range(20):
                telegram.offer(text_update(800 + number, "Wo ist mein Paket 4711?", number + 1))
            async with asyncio.timeout(30):
                while len(telegram.sent) < 20:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert [await sends(server) for server in cluster.workers] == [True, True]
    at = sorted(one.at for one in telegram.sent)
    assert at[-1] - at[0] > 19 / 5 - 0.5
    assert (
        min(later - first for first, later in zip(at, at[6:], strict=False)) > 0.9
    )  # six more take over a second


async def sends(server: Server) -> bool:
    """Whether this worker took part."""
    async with aiohttp.ClientSession() as http, http.get(f"{server.url}/metrics") as answer:
        found = re.search(r'switchboard_sent_total\{destination="telegram"\} (\d+)', await answer.text())
    return bool(found and int(found[1]))


# ── Away and back ───────────────────────────────────────────────────────────────────────────────


async def test_a_store_that_is_away_is_named_and_worked_with_again_when_it_is_back(
    tmp_path: Path, models: Path, own_mongo: ReplicaSet, redis: RedisServer, http: aiohttp.ClientSession
) -> None:
    async with clustered(tmp_path, models, own_mongo.url(), fresh(redis), web=1, workers=1) as cluster:
        web, worker = cluster.all
        customer = await arrived(http, web)
        own_mongo.kill()
        for server in (web, worker):
            began = time.monotonic()
            assert set(await failing(http, server)) == {"store"}
            assert time.monotonic() - began < 10  # a driver left to itself waits for thirty seconds
        body = {"customer": customer.token, "id": "m1", "text": "Where is my parcel 4711?"}
        async with http.post(f"{web.url}/chat/messages", json=body) as answer:
            assert answer.status == 503
        await asyncio.to_thread(own_mongo.restart)
        async with asyncio.timeout(BACK_WITHIN):
            await customer.say("Where is my parcel 4711?")
            assert "4711" in (await customer.hears(1))[0]
            assert await failing(http, web) == {}


async def test_a_queue_that_is_away_is_named_and_refuses_nobody(
    tmp_path: Path, models: Path, mongo_url: str, own_redis: RedisServer, http: aiohttp.ClientSession
) -> None:
    async with clustered(tmp_path, models, mongo_url, own_redis.url, web=1, workers=1) as cluster:
        web, _ = cluster.all
        customer = await arrived(http, web)
        with own_redis.killed():
            await customer.say("Where is my parcel 4711?")
            assert set(await failing(http, web)) == {"queue"}
        assert "4711" in (await customer.hears(1, seconds=10))[0]


async def failing(http: aiohttp.ClientSession, server: Server) -> dict[str, str]:
    async with http.get(f"{server.url}/readyz") as answer:
        found: dict[str, str] = (await answer.json())["failing"]
        assert answer.status == (503 if found else 200)
    return found


# ── Refused ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("key", "why"),
    [("", "SWITCHBOARD_SECRET_KEY is not set"), ("short", "SWITCHBOARD_SECRET_KEY is too short")],
)
async def test_without_a_long_secret_key_nobody_starts(
    tmp_path: Path, models: Path, mongo_url: str, redis: RedisServer, key: str, why: str
) -> None:
    engines = {"store": mongo_url, "files": mongo_url, "queue": fresh(redis)}
    server = Server(tmp_path, models, role="web", engines=engines, environ={"SWITCHBOARD_SECRET_KEY": key})
    assert await server.fails_to_start() == 2
    assert why in server.log()


async def test_with_another_secret_key_than_the_others_nobody_starts(
    cluster: Cluster, tmp_path: Path, models: Path
) -> None:
    other = Server(
        tmp_path, models, role="web", engines=cluster.engines, environ={"SWITCHBOARD_SECRET_KEY": "x" * 40}
    )
    assert await other.fails_to_start() == 2
    assert "is not the one this database was begun with" in other.log()
