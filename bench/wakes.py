"""The queue in Redis: how long from a wake to the worker that takes it, and how many in a second.

python -m bench.wakes [REDIS_URL]

Without a URL a Redis of the machine is started for it. Every process takes, and is done at once.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager

import msgspec
import uvloop

from bot.domain.ports import Held, Work
from bot.queues.redis_streams import Link, RedisQueue
from tests.redis_server import executables, running

PROCESSES = (1, 4)
ALONE = 500  # wakes one after the other
PAUSE = 0.005  # seconds between them
AT_ONCE = 20_000
HANDS = 32  # as a worker has for lanes
STOP = "stop"
SETTLED = 4.0  # seconds until an empty Redis hands out


def main() -> None:
    uvloop.install()
    with ExitStack() as stack:
        found = executables()
        if len(sys.argv) < 2 and not found:
            print("No redis-server here; name a Redis: python -m bench.wakes redis://127.0.0.1:6379/0")
            return
        url = sys.argv[1] if len(sys.argv) > 1 else stack.enter_context(running(found[0])).url
        print(f"{'processes':>9} {'p50 ms':>8} {'p99 ms':>8} {'wakes/s':>9} {'done/s':>9}")
        for processes in PROCESSES:
            print(asyncio.run(measure(url, processes)))


async def measure(url: str, processes: int) -> str:
    address = f"{url}{'&' if '?' in url else '?'}prefix=bench{time.monotonic_ns()}"
    command = [sys.executable, "-m", "bench.wakes", address, "worker"]
    workers = [await asyncio.create_subprocess_exec(*command, stdout=PIPE) for _ in range(processes)]
    async with queue_at(address) as queue:
        for worker in workers:
            assert worker.stdout
            await worker.stdout.readline()  # it is there
        await asyncio.sleep(SETTLED)
        for _ in range(ALONE):
            await queue.wake(Work.LANE, str(time.monotonic_ns()))
            await asyncio.sleep(PAUSE)
        started = time.monotonic()
        await asyncio.gather(*(queue.wake(Work.LANE, f"key {n}") for n in range(AT_ONCE)))
        woken = time.monotonic() - started
        for n in range(processes):
            await queue.wake(Work.LANE, f"{STOP} {n}")
        told = [msgspec.json.decode((await worker.communicate())[0]) for worker in workers]
    waits = sorted(wait for worker in told for wait in worker["waits"])
    seconds = max(worker["ended"] for worker in told) - started
    p50, p99 = statistics.median(waits), waits[int(len(waits) * 0.99)]
    return f"{processes:>9} {p50:>8.2f} {p99:>8.2f} {AT_ONCE / woken:>9.0f} {AT_ONCE / seconds:>9.0f}"


async def work(url: str) -> None:
    waits: list[float] = []
    ended = 0.0
    free = asyncio.Semaphore(HANDS)
    async with queue_at(url) as queue:

        async def handle(held: Held) -> None:
            nonlocal ended
            await queue.done(held)
            ended = time.monotonic()
            free.release()

        print(flush=True)
        handling = set()
        while True:
            await free.acquire()
            held = await queue.take(Work.LANE)
            if held.key.isdigit():
                waits.append((time.monotonic_ns() - int(held.key)) / 1e6)
            handling.add(asyncio.create_task(handle(held)))
            if held.key.startswith(STOP):
                break
        await asyncio.gather(*handling)
    sys.stdout.write(msgspec.json.encode({"waits": waits, "ended": ended}).decode())


@asynccontextmanager
async def queue_at(url: str) -> AsyncIterator[RedisQueue]:
    async with AsyncExitStack() as stack:
        link = Link(url)
        stack.push_async_callback(link.close)
        queue = RedisQueue(link)
        stack.push_async_callback(queue.close)
        yield queue


if __name__ == "__main__":
    if sys.argv[-1] == "worker":
        uvloop.install()
        asyncio.run(work(sys.argv[1]))
    else:
        main()
