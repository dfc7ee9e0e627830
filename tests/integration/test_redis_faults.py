"""Several processes on one real Redis, and what may become of it: away, hanging, emptied, restarted."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Any

import pytest
import structlog

from bot.domain.ports import Held, Rate, Work
from bot.queues.memory import MemoryBroadcast, MemoryPace
from bot.queues.redis_streams import Link, RedisBroadcast, RedisPace, RedisQueue
from bot.queues.redis_streams.link import ended
from tests.contracts.broadcast_contract import assert_silence, hint
from tests.contracts.queue_contract import assert_nothing, take
from tests.redis_server import RedisServer

SHORT = timedelta(seconds=1)  # a lease that tests wait for
LONG = timedelta(seconds=10)  # one that they do not
NO_TIME = 0.5  # seconds; far less than a long lease, and than a timeout


@asynccontextmanager
async def process(url: str, ttl: timedelta = LONG) -> AsyncIterator[RedisQueue]:
    """What one server process has of the queue."""
    async with AsyncExitStack() as stack:
        link = Link(url)
        stack.push_async_callback(link.close)
        queue = RedisQueue(link, ttl=ttl)
        stack.push_async_callback(queue.close)
        yield queue


@asynccontextmanager
async def processes(url: str, ttl: timedelta = LONG) -> AsyncIterator[tuple[RedisQueue, RedisQueue]]:
    async with process(url, ttl) as one, process(url, ttl) as other:
        yield one, other


async def vanish(queue: RedisQueue) -> None:
    """As a process that was killed: it says nothing more, and hands nothing back."""
    for shelf in queue._shelves.values():
        for loop in shelf._loops.values():
            loop.cancel()
    await asyncio.gather(
        *(loop for shelf in queue._shelves.values() for loop in shelf._loops.values()), return_exceptions=True
    )
    await queue._link.close()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  the condition asks a server
            await asyncio.sleep(0.01)


async def works_again(queue: RedisQueue) -> None:
    """Until wakes arrive; those made while Redis is away are lost, and found by the sweeper."""

    async def woken() -> bool:
        await queue.wake(Work.FETCH, "probe")
        try:
            async with asyncio.timeout(0.1):
                await queue.done(await queue.take(Work.FETCH))
        except TimeoutError:
            return False
        return True

    await until(woken)


# ── Several processes ───────────────────────────────────────────────────────────────────────────


async def test_a_key_woken_in_one_process_is_worked_on_in_another(redis_url: str) -> None:
    async with processes(redis_url) as (web, worker):
        waiting = asyncio.create_task(take(worker))
        await web.wake(Work.LANE, "k1")
        assert (await waiting).key == "k1"


async def test_every_key_goes_to_one_process(redis_url: str) -> None:
    async with processes(redis_url) as queues:
        takers = [asyncio.create_task(take(queue)) for queue in queues for _ in range(100)]
        await asyncio.gather(*(queues[0].wake(Work.LANE, f"k{n}") for n in range(200)))
        assert sorted(held.key for held in await asyncio.gather(*takers)) == sorted(
            f"k{n}" for n in range(200)
        )


class Load:
    """Keys whose work grows by one before each wake; whoever takes a key does all of it, alone."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.asked: Counter[str] = Counter()
        self.done: dict[str, int] = {}
        self.held: set[str] = set()
        self.shared: list[str] = []

    async def wake(self, queue: RedisQueue, wakes: int) -> None:
        for _ in range(wakes):
            key = f"k{self.chance.randrange(30)}"
            self.asked[key] += 1
            delay = timedelta(milliseconds=self.chance.choice([0, 0, 0, 15]))
            await queue.wake(Work.LANE, key, urgent=self.chance.random() < 0.2, delay=delay)
            await asyncio.sleep(self.chance.choice([0, 0.003]))

    async def work(self, queue: RedisQueue) -> None:
        while True:
            held = await queue.take(Work.LANE)
            self.shared += [held.key] if held.key in self.held else []
            self.held.add(held.key)
            seen = self.asked[held.key]
            await asyncio.sleep(self.chance.choice([0, 0, 0.005]))
            self.done[held.key] = seen
            self.held.discard(held.key)
            await queue.done(held)


@pytest.mark.parametrize("seed", range(3))
async def test_under_load_no_wake_is_lost_and_no_key_is_in_two_hands(redis_url: str, seed: int) -> None:
    load = Load(Random(seed))
    async with processes(redis_url) as queues, process(redis_url) as third:
        await third.wake(Work.LANE, "first")
        await third.done(await take(third))  # it hands out by now
        workers = [asyncio.create_task(load.work(queue)) for queue in (*queues, third) for _ in range(5)]
        await asyncio.gather(*(load.wake(queue, 300) for queue in queues))

        async def all_done() -> bool:
            return load.done == dict(load.asked)

        await until(all_done)
        await ended(workers)
    assert load.shared == []


async def test_a_held_key_is_no_other_process(redis_url: str) -> None:
    async with processes(redis_url) as (one, other):
        await one.wake(Work.LANE, "k1")
        held = await take(one)
        await other.wake(Work.LANE, "k1")
        await assert_nothing(other)
        await one.done(held)
        assert (await take(other)).key == "k1"


async def test_a_delayed_wake_outlives_its_process(redis_url: str) -> None:
    async with process(redis_url, SHORT) as worker:
        async with process(redis_url, SHORT) as web:
            await web.wake(Work.SEND, "k1", delay=timedelta(milliseconds=100))
        assert (await take(worker, Work.SEND)).key == "k1"


async def test_what_a_dead_process_held_goes_to_another(redis_url: str) -> None:
    async with processes(redis_url, SHORT) as (dead, alive):
        await dead.wake(Work.LANE, "k1", urgent=True)
        await take(dead)
        await vanish(dead)
        assert (await take(alive)).key == "k1"


async def test_a_process_that_stops_hands_back_at_once(redis_url: str) -> None:
    async with process(redis_url) as stays:
        async with process(redis_url) as stops:
            await stops.wake(Work.LANE, "k1")
            await take(stops)
        async with asyncio.timeout(NO_TIME):
            assert (await stays.take(Work.LANE)).key == "k1"


async def test_a_frozen_holder_changes_nothing_when_it_is_back(redis_url: str) -> None:
    async with processes(redis_url, SHORT) as (frozen, other):
        await frozen.wake(Work.LANE, "k1")
        old = await take(frozen)  # and no word from it for longer than its lease
        new = await take(other)
        assert int(new.token) > int(old.token)
        assert await frozen.extend(old) is False
        await frozen.done(old)
        await frozen.wake(Work.LANE, "k1")
        await assert_nothing(frozen)
        assert await other.extend(new) is True


async def test_nothing_is_left_of_work_that_is_done(redis_url: str, shared_redis: RedisServer) -> None:
    async with process(redis_url) as queue:
        for n in range(50):
            await queue.wake(Work.LANE, f"k{n}", urgent=n % 2 == 0)
        for _ in range(50):
            await queue.done(await take(queue))
        for sized in (
            "XLEN {}:urgent",
            "XLEN {}:normal",
            "HLEN {}:places",
            "HLEN {}:again",
            "ZCARD {}:later",
        ):
            assert shared_redis.command(*sized.format(_tag(redis_url)).split()) == b":0"


async def test_whoever_waits_costs_next_to_nothing(redis_url: str, redis_server: RedisServer) -> None:
    async with process(redis_server.url) as queue:
        waiting = asyncio.create_task(queue.take(Work.LANE))
        await asyncio.sleep(0.3)
        before = _commands(redis_server)
        await asyncio.sleep(1.5)
        assert _commands(redis_server) - before < 100  # with those inside of scripts
        waiting.cancel()


def _tag(url: str) -> str:
    return f"{{{url.partition('prefix=')[2]}:lane}}"


def _commands(server: RedisServer) -> int:
    facts = server.text("INFO", "stats")
    return int(facts.partition("total_commands_processed:")[2].split()[0])


# ── A Redis that forgets ────────────────────────────────────────────────────────────────────────

Loss = Callable[[RedisServer], Any]
LOSSES = {"FLUSHALL": RedisServer.flushall, "restart": RedisServer.restart_empty}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
async def test_what_is_held_when_everything_is_lost_stays_held(redis_server: RedisServer, loss: Loss) -> None:
    async with processes(redis_server.url, SHORT * 3) as (holder, other):
        await holder.wake(Work.SEND, "k1")
        held = await take(holder, Work.SEND)
        loss(redis_server)
        assert await holder.extend(held) is True  # also when it is the first thing that Redis hears
        await works_again(other)
        for _ in range(10):  # the sweeper, in the other process
            await other.wake(Work.SEND, "k1")
            await assert_nothing(other, Work.SEND)
            assert await holder.extend(held) is True
        await holder.done(held)
        assert (await take(other, Work.SEND)).key == "k1"


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
async def test_what_is_woken_after_everything_was_lost_is_handed_out(
    redis_server: RedisServer, loss: Loss
) -> None:
    async with processes(redis_server.url, SHORT) as (one, other):
        await one.wake(Work.LANE, "lost")
        waiting = asyncio.create_task(take(other, Work.SEND))
        await asyncio.sleep(0.05)
        loss(redis_server)
        await works_again(one)
        await one.wake(Work.SEND, "k1")
        assert (await waiting).key == "k1"
        await one.wake(Work.LANE, "lost")
        assert (await take(other)).key == "lost"


@pytest.mark.parametrize("words", ["SCRIPT FLUSH", "DEL {tag}:normal {tag}:urgent", "DEL {tag}:places"])
async def test_parts_that_go_missing_are_made_anew(
    redis_url: str, shared_redis: RedisServer, words: str
) -> None:
    async with process(redis_url, SHORT) as queue:
        await works_again(queue)
        await queue.wake(Work.LANE, "k1")
        shared_redis.command(*words.format(tag=_tag(redis_url)).split())
        await queue.wake(Work.LANE, "k1")
        assert (await take(queue)).key == "k1"


async def test_a_clock_that_was_set_back_holds_up_nothing(redis_url: str, shared_redis: RedisServer) -> None:
    async with processes(redis_url, SHORT) as (dead, alive):
        await dead.wake(Work.LANE, "k1")
        await take(dead)
        await vanish(dead)
        future = str(round(time.time() * 1000) + 3_600_000)
        fields = [part for name in ("since", "looked", "resumed") for part in (name, future)]
        shared_redis.command("HSET", f"{_tag(redis_url)}:clock", *fields)
        assert (await take(alive)).key == "k1"


async def test_connections_that_are_cut_are_made_anew(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as queue:
        waiting = asyncio.create_task(take(queue))
        await asyncio.sleep(0.1)
        redis_server.command("CLIENT", "KILL", "TYPE", "normal")
        await works_again(queue)
        await queue.wake(Work.LANE, "k1")
        assert (await waiting).key == "k1"


# ── A Redis that is away ────────────────────────────────────────────────────────────────────────


async def test_while_redis_is_away_nobody_fails_and_nobody_shouts(redis_server: RedisServer) -> None:
    async with process(redis_server.url, SHORT) as queue:
        waiting = asyncio.create_task(take(queue))
        await works_again(queue)
        with structlog.testing.capture_logs() as lines:
            with redis_server.killed():
                async with asyncio.timeout(NO_TIME):
                    await asyncio.gather(*(queue.wake(Work.LANE, f"k{n}") for n in range(100)))
                    await queue.done(Held(work=Work.LANE, key="k", token="1"))
                await asyncio.sleep(2)
            await works_again(queue)
        assert [line["event"] for line in lines] == ["redis.away", "redis.back"]
        await queue.wake(Work.LANE, "k1")
        assert (await waiting).key == "k1"


async def test_a_start_without_redis_works_as_soon_as_it_is_there(redis_server: RedisServer) -> None:
    redis_server.kill()
    async with process(redis_server.url, SHORT) as queue:
        waiting = asyncio.create_task(take(queue))
        await queue.wake(Work.LANE, "k1")
        redis_server.start()
        await works_again(queue)
        await queue.wake(Work.LANE, "k1")
        assert (await waiting).key == "k1"


async def test_a_hanging_redis_costs_one_second_once(redis_server: RedisServer) -> None:
    async with process(redis_server.url) as queue:
        await works_again(queue)
        clock = asyncio.get_running_loop().time
        with redis_server.frozen():
            started = clock()
            await queue.wake(Work.LANE, "k1")
            assert clock() - started < 1 + NO_TIME
            started = clock()
            for _ in range(100):
                await queue.wake(Work.LANE, "k1")
            assert clock() - started < NO_TIME
        await works_again(queue)


async def test_a_lease_survives_a_hanging_redis(redis_server: RedisServer) -> None:
    async with processes(redis_server.url) as (holder, other):
        await holder.wake(Work.LANE, "k1")
        held = await take(holder)
        with redis_server.frozen():
            assert await holder.extend(held) is True  # nobody else can take it either
        await works_again(holder)
        await works_again(other)
        await other.wake(Work.LANE, "k1")
        await assert_nothing(other)
        assert await holder.extend(held) is True


async def test_a_lease_survives_a_redis_that_hung_for_longer(redis_server: RedisServer) -> None:
    async with processes(redis_server.url, SHORT) as (holder, other):
        for shelf in (*holder._shelves.values(), *other._shelves.values()):
            shelf._settle = (
                2.0  # usually three seconds; here a tenth of one, and too little to be found again
            )
        await holder.wake(Work.LANE, "k1")
        held = await take(holder)
        stolen = asyncio.create_task(other.take(Work.LANE))
        with redis_server.frozen():
            await asyncio.sleep(2.5)
        for _ in range(40):
            assert await holder.extend(held) is True
            await asyncio.sleep(0.1)
        assert not stolen.done()
        stolen.cancel()


async def test_what_was_done_while_redis_hung_is_free_long_before_its_lease_ends(
    redis_server: RedisServer,
) -> None:
    async with processes(redis_server.url) as (holder, other):
        await holder.wake(Work.LANE, "k1")
        held = await take(holder)
        waiting = asyncio.create_task(holder.take(Work.LANE))  # as a worker does, for the next
        await asyncio.sleep(0.05)
        with redis_server.frozen():
            await holder.done(held)
        waiting.cancel()
        assert (await take(other)).key == "k1"


async def test_what_was_handed_out_while_redis_hung_is_not_lost(redis_server: RedisServer) -> None:
    async with processes(redis_server.url) as (one, other):
        await works_again(one)
        waiting = asyncio.create_task(take(one))
        await asyncio.sleep(0.05)
        with redis_server.frozen():
            await asyncio.sleep(3.5)  # longer than a blocking read
            await other.wake(Work.LANE, "k1")
        await works_again(other)
        await other.wake(Work.LANE, "k1")
        assert (await waiting).key == "k1"


# ── Broadcast and pace ──────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def broadcasts(url: str) -> AsyncIterator[tuple[RedisBroadcast, RedisBroadcast]]:
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(2):
            link = Link(url)
            stack.push_async_callback(link.close)
            made.append(RedisBroadcast(link, MemoryBroadcast()))
            stack.push_async_callback(made[-1].close)
        yield made[0], made[1]


async def test_a_hint_reaches_the_listeners_of_other_processes(redis_url: str) -> None:
    async with broadcasts(redis_url) as (here, there):
        async with there.subscribe("cases") as hints, there.subscribe("other"):
            await here.publish("cases", b"one")
            await here.publish("cases", b"two")
            assert [await hint(hints), await hint(hints)] == [b"one", b"two"]
        async with there.subscribe("cases") as hints:  # again, on the same line
            await here.publish("cases", b"three")
            assert await hint(hints) == b"three"


@pytest.mark.parametrize(
    "loss", [RedisServer.restart_empty, lambda server: server.command("CLIENT", "KILL", "TYPE", "pubsub")]
)
async def test_listeners_hear_again_after_the_line_broke(redis_server: RedisServer, loss: Loss) -> None:
    async with broadcasts(redis_server.url) as (here, there), there.subscribe("cases") as hints:
        loss(redis_server)

        async def heard() -> bool:
            await here.publish("cases", b"again")
            try:
                async with asyncio.timeout(0.1):
                    return await anext(hints) == b"again"
            except TimeoutError:
                return False

        await until(heard)


async def test_whoever_may_have_missed_a_hint_is_told_to_look(redis_server: RedisServer) -> None:
    async with broadcasts(redis_server.url) as (_, there), there.subscribe("cases") as hints:
        redis_server.command("CLIENT", "KILL", "TYPE", "pubsub")
        assert await hint(hints) == b"{}"
        async with there.subscribe("others") as others:
            await assert_silence(others)


async def test_without_redis_a_hint_reaches_its_own_process_and_waits_for_nobody(
    redis_server: RedisServer,
) -> None:
    redis_server.kill()
    async with (
        broadcasts(redis_server.url) as (here, _),
        asyncio.timeout(NO_TIME),
        here.subscribe("cases") as hints,
    ):
        await here.publish("cases", b"one")
        assert await anext(hints) == b"one"


async def test_a_rate_holds_across_processes_and_without_redis_in_each(redis_server: RedisServer) -> None:
    rate = Rate(key="telegram:shop", per_second=0.01)
    one, other = (Link(redis_server.url) for _ in range(2))
    paces = [RedisPace(link, alone=MemoryPace()) for link in (one, other)]
    assert [round(await pace.reserve([rate]), -1) for pace in paces] == [0, 100]
    redis_server.kill()
    assert [await pace.reserve([rate]) for pace in paces] == [0, 0]
    assert [round(await pace.reserve([rate]), -1) for pace in paces] == [100, 100]
    await asyncio.gather(one.close(), other.close())


async def test_a_clock_that_was_set_back_makes_nobody_wait_longer(
    redis_url: str, shared_redis: RedisServer
) -> None:
    link = Link(redis_url)
    pace = RedisPace(link, alone=MemoryPace())
    key = f"{{{link.prefix}:pace}}:telegram:shop"
    said = time.time() + 3600
    shared_redis.command("SET", key, f"{said + 50:.6f} {said:.6f}")  # 50 seconds to wait, said in an hour
    assert await pace.expected([Rate(key="telegram:shop", per_second=0.01)]) == pytest.approx(50, abs=1)
    await link.close()
