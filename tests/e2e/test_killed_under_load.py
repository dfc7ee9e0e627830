"""`kill -9` under load: what was acknowledged is what is stored, once, in order, in one case per customer."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.server import Api, Customer, Server, serving

CUSTOMERS, MESSAGES, KILLS = 25, 8, 4
SETTLED_WITHIN = 60.0


async def talk(customer: Customer, name: int, acknowledged: dict[str, str], chance: random.Random) -> None:
    await customer.arrive()
    for number in range(MESSAGES):
        text = f"customer {name} message {number}"
        acknowledged[text] = await customer.say(text)
        await asyncio.sleep(chance.random() * 0.2)


async def kill_now_and_then(server: Server, chance: random.Random) -> None:
    for _ in range(KILLS):
        await asyncio.sleep(0.2 + chance.random() * 0.8)
        await server.kill()
        await server.start()


async def settled(api: Api, within: float = SETTLED_WITHIN) -> None:
    """Until nothing is left to process or to send."""
    async with asyncio.timeout(within):
        while True:
            stats = await api.get("stats")
            if stats["oldest_unprocessed_seconds"] is None and not stats["outbox_depth"]:
                return
            await asyncio.sleep(0.1)


async def everything(api: Api) -> list[dict[str, Any]]:
    cases = (await api.get("cases", limit="1000"))["cases"]
    return [await api.get(f"cases/{case['id']}") for case in cases]


@pytest.mark.timeout(240)
async def test_acknowledged_is_stored_once_in_order_and_in_one_case(
    tmp_path: Path, models: Path, http: aiohttp.ClientSession
) -> None:
    chance = random.Random(20261122)
    acknowledged: dict[str, str] = {}
    async with serving(tmp_path, models) as server:
        customers = [Customer(http, server) for _ in range(CUSTOMERS)]
        await asyncio.gather(
            kill_now_and_then(server, chance),
            *(talk(customer, name, acknowledged, chance) for name, customer in enumerate(customers)),
        )
        api = Api(http, server)
        await settled(api)
        cases = await everything(api)
        heard = [await _shown(customer) for customer in customers]
    assert len(acknowledged) == CUSTOMERS * MESSAGES
    _nothing_lost_nothing_twice(cases, acknowledged)
    _in_order(cases)
    assert len(cases) == len({case["customer"] for case in cases}) == CUSTOMERS
    _every_word_of_ours_once(cases, heard)


async def _shown(customer: Customer) -> list[str]:
    """The ids of everything the customer's chat shows."""
    ids = []
    try:
        async with asyncio.timeout(1.0):
            async for event, data in customer.stream():
                if event == "message":
                    ids.append(str(data["id"]))
    except TimeoutError:
        pass
    return ids


def _nothing_lost_nothing_twice(cases: list[dict[str, Any]], acknowledged: dict[str, str]) -> None:
    stored = Counter(line["text"] for case in cases for line in case["messages"] if line["direction"] == "in")
    assert stored == Counter(dict.fromkeys(acknowledged, 1))


def _in_order(cases: list[dict[str, Any]]) -> None:
    for case in cases:
        numbers = [int(line["text"].split()[-1]) for line in case["messages"] if line["direction"] == "in"]
        assert numbers == sorted(numbers), case["id"]


def _every_word_of_ours_once(cases: list[dict[str, Any]], heard: list[list[str]]) -> None:
    said = {
        line["id"]
        for case in cases
        for line in case["messages"]
        if line["state"] in {"sent", "delivered", "read"}
    }
    shown = Counter(one for ids in heard for one in ids)
    assert set(shown.values()) == {1}
    assert said <= set(shown)
