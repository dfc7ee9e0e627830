"""From received to sent, with everything real: store, queue, model, web chat. Bounded to about 30 seconds.

python -m bench.pipeline [MESSAGES] [CUSTOMERS]
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress

from msgspec.structs import replace

from bot.bootstrap.parts import Parts, assembled
from bot.bootstrap.serving import have_a_model
from bot.config import Settings, load
from bot.domain.ids import new_id
from bot.domain.messages import Address, EventKind, FeedEntry, Inbound, topic
from bot.domain.ports import Query

QUESTIONS = (
    "Wann habt ihr geöffnet?",
    "How can I return something?",
    "Welche Zahlungsarten gibt es?",
    "Hallo",
    "my parcel has not arrived",
    "Ich brauche eine Kopie der Rechnung",
)
SETTLED_WITHIN = 60.0


def message(customer: int, number: int) -> Inbound:
    address = Address(channel="webchat", account="site", user=f"u{customer}", chat=f"u{customer}")
    text = QUESTIONS[(customer + number) % len(QUESTIONS)]
    return Inbound(external_id=new_id(), kind=EventKind.MESSAGE, address=address, text=text)


async def idle(parts: Parts, tries: int = 30) -> list[float]:
    """Seconds from received to the answer on its way, one customer after another."""
    found = []
    for number in range(tries):
        question = replace(message(10_000 + number, 0), text="Wann habt ihr geöffnet?")
        started = time.perf_counter()
        await parts.receiving.receive([question])
        while not await _answered(parts, question.address):  # noqa: ASYNC110 - what is timed is seen from outside
            await asyncio.sleep(0.0005)
        found.append(time.perf_counter() - started)
    return found


async def _answered(parts: Parts, address: Address) -> bool:
    entries = await parts.store.find(
        Query(kind=FeedEntry, equals={"topic": topic(address)}, order="seq", limit=5)
    )
    return len(entries) > 1  # their message, and ours


async def load_it(parts: Parts, messages: int, customers: int) -> tuple[list[float], float, float]:
    waits: list[float] = []

    async def customer(name: int) -> None:
        for number in range(messages // customers):
            started = time.perf_counter()
            await parts.receiving.receive([message(name, number)])
            waits.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(customer(name) for name in range(customers)))
    received = time.perf_counter() - started
    async with asyncio.timeout(SETTLED_WITHIN):
        while await _busy(parts):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    return waits, received, time.perf_counter() - started


async def _busy(parts: Parts) -> bool:
    stats = await parts.reporting.stats()
    return bool(stats["outbox_depth"]) or stats["oldest_unprocessed_seconds"] is not None


def share(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] * 1000


def settings(folder: str) -> Settings:
    shipped = load("config.yml", {})
    return replace(shipped, store=f"sqlite:///{folder}/bench.db", files=f"{folder}/files")


async def main(messages: int, customers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with assembled(settings(folder)) as parts:
            await have_a_model(parts)
            await parts.worker.start()
            alone = await idle(parts)
            waits, received, settled = await load_it(parts, messages, customers)
            with suppress(TimeoutError):
                await parts.worker.stop()
    print(f"one question, server idle     {share(alone, 0.5):7.1f} ms p50  {share(alone, 0.99):7.1f} ms p99")
    print(f"acknowledged under load       {share(waits, 0.5):7.1f} ms p50  {share(waits, 0.99):7.1f} ms p99")
    print(f"acknowledged                  {messages / received:7.0f} a second, {customers} customers at once")
    print(f"answered and sent             {messages / settled:7.0f} a second, until nothing was left")


if __name__ == "__main__":
    os.environ.setdefault("NO_COLOR", "1")
    given = [int(word) for word in sys.argv[1:3]]
    asyncio.run(main(*(given + [5000, 250][len(given) :])))
