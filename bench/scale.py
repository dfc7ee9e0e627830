"""Throughput of many processes on a real MongoDB and Redis, beside the one-process set-up; and, with --faults, 20,000
messages from 500 customers while everything dies once. Bounded in messages and time; loopback only.

python -m bench.scale [--messages N] [--customers N] [--faults]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from tests import mongod, redis_server
from tests.e2e.cluster import Cluster
from tests.e2e.server import Api, Server
from tests.e2e.test_killed_under_load import everything, settled
from tests.fakes.crowd import Crowd, Trouble, configuration, percentile

SETTLED_WITHIN = 900.0
WORKERS = (1, 2, 4)
QUESTIONS = (  # each is answered at once; the same one again would go to a person
    "Wann habt ihr geöffnet?",
    "Welche Zahlungsarten gibt es?",
    "Wie kann ich etwas zurückschicken?",
    "Ich brauche eine Kopie der Rechnung",
    "Was kostet der Versand?",
)


def ask(customer: int, number: int) -> str:
    return f"{QUESTIONS[(customer + number) % len(QUESTIONS)]} ({customer}-{number})"


def say(customer: int, number: int) -> str:
    return f"customer {customer} message {number}"


@asynccontextmanager
async def one_process(folder: Path, models: Path, crowd: Crowd) -> AsyncIterator[list[Server]]:
    """SQLite, the in-process queue, one server."""
    server = Server(folder, models)
    text = server.config.read_text(encoding="utf-8")
    server.config.write_text(
        text.replace("\nchannels:\n", f"\nchannels:\n{configuration(crowd.url)}"), encoding="utf-8"
    )
    await server.start()
    try:
        yield [server]
    finally:
        await server.stop()


@asynccontextmanager
async def many(
    folder: Path, models: Path, crowd: Crowd, workers: int, members: int = 1
) -> AsyncIterator[tuple[Cluster, mongod.ReplicaSet, redis_server.RedisServer]]:
    async with AsyncExitStack() as stack:
        mongo = stack.enter_context(mongod.replica_set(members))
        redis = stack.enter_context(redis_server.running(redis_server.executables()[0]))
        cluster = Cluster(
            folder, models, mongo.url("scale"), redis.url, configuration(crowd.url), workers=workers
        )
        stack.push_async_callback(cluster.stop)
        await cluster.start()
        yield cluster, mongo, redis


async def measured(crowd: Crowd, webs: Sequence[Server], customers: int, messages: int) -> str:
    """Everybody asks at the same time; until all of it is answered (what waits together, together) and sent."""
    crowd.webs = [server.url for server in webs]
    each = min(len(QUESTIONS), max(1, messages // customers))
    began = time.monotonic()
    await crowd.talk(customers, each, ask)
    taken = time.monotonic() - began
    async with aiohttp.ClientSession() as http:
        await settled(Api(http, webs[0]), SETTLED_WITHIN)
    done = time.monotonic() - began
    waits = [crowd.acknowledged[text] - crowd.begun[text] for text in crowd.acknowledged]
    total = customers * each
    return (
        f"{total / taken:6.0f} acknowledged/s   {total / done:6.0f} answered and sent/s   "
        f"acknowledged p50 {percentile(waits, 0.5) * 1e3:.0f} ms, p99 {percentile(waits, 0.99) * 1e3:.0f} ms"
    )


# ── Everything dies once ────────────────────────────────────────────────────────────────────────


async def all_faults(
    cluster: Cluster, mongo: mongod.ReplicaSet, redis: redis_server.RedisServer, crowd: Crowd
) -> None:
    """One after another, each while the crowd talks on."""
    for server in [cluster.web[0], cluster.workers[0], cluster.web[1], cluster.workers[1]]:
        await server.kill()
        await asyncio.sleep(1)
        await server.start()
    await asyncio.to_thread(mongo.kill)
    await asyncio.sleep(5)
    await asyncio.to_thread(mongo.restart)
    await asyncio.to_thread(redis.flushall)
    await asyncio.sleep(1)
    await asyncio.to_thread(redis.kill)
    await asyncio.sleep(10)
    await asyncio.to_thread(redis.restart_empty)
    for trouble in (Trouble.BROKEN, Trouble.LOSING, Trouble.HANGING):
        crowd.trouble = trouble
        await asyncio.sleep(2)
    crowd.trouble = Trouble.NONE
    cluster.workers[0].send_signal(signal.SIGSTOP)
    await asyncio.sleep(36)
    cluster.workers[0].send_signal(signal.SIGCONT)


async def survived(folder: Path, models: Path, customers: int, messages: int) -> str:
    each = max(1, messages // customers)
    async with (
        Crowd().serving() as crowd,
        many(folder, models, crowd, 2, members=3) as (cluster, mongo, redis),
    ):
        crowd.webs = [server.url for server in cluster.web]
        began = time.monotonic()
        talking = asyncio.create_task(crowd.talk(customers, each, say, pause=120 / each))
        await asyncio.sleep(2)
        await all_faults(cluster, mongo, redis, crowd)
        await talking
        async with aiohttp.ClientSession() as http:
            api = Api(http, cluster.web[0])
            await settled(api, SETTLED_WITHIN)
            cases = await everything(api)
        stored = Counter(
            line["text"] for case in cases for line in case["messages"] if line["direction"] == "in"
        )
        lost = len(set(crowd.acknowledged) - set(stored))
        twice = sum(count - 1 for count in stored.values())
        doubled = sum(len(texts) for texts in crowd.doubled().values())
        doubts = sum(entry["kind"] == "doubted" for case in cases for entry in case["journal"])
        return (
            f"{len(crowd.acknowledged)} messages of {customers} customers in {time.monotonic() - began:.0f} s: "
            f"{lost} lost, {twice} processed twice, {len(cases)} cases, {doubled} of our words sent twice "
            f"({doubts} in doubt, each in the journal)"
        )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--customers", type=int, default=400)
    parser.add_argument("--faults", action="store_true")
    given = parser.parse_args()
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, all shared"
    )
    with tempfile.TemporaryDirectory(prefix="scale-") as where:
        folder, models = Path(where), Path(where) / "models"
        if given.faults:
            print(
                await survived(
                    folder / "faults", models, max(given.customers, 500), max(given.messages, 20_000)
                )
            )
            return
        async with Crowd().serving() as crowd, one_process(folder / "one", models, crowd) as servers:
            print(f"one process, SQLite   {await measured(crowd, servers, given.customers, given.messages)}")
        for workers in WORKERS:
            async with (
                Crowd().serving() as crowd,
                many(folder / f"many{workers}", models, crowd, workers) as (cluster, _, _),
            ):
                line = await measured(crowd, cluster.web, given.customers, given.messages)
                print(f"2 web, {workers} worker{'s' if workers > 1 else ' '}      {line}")


if __name__ == "__main__":
    asyncio.run(main())
