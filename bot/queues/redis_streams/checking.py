"""What the doctor says about a Redis."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from bot.domain.ports import Finding
from bot.queues.redis_streams.link import Link, RedisAway

OLDEST = (6, 2)
SLOW = 20.0  # milliseconds of a round trip
ROUNDS = 5


async def checked(link: Link) -> list[Finding]:
    """Can it be reached, how fast, is it new enough, will it keep what it is given?"""
    try:
        await link.ask(lambda client: client.ping())
        millis = await _round_trip(link)
    except RedisAway as exc:
        fix = "Start Redis, and check host, port, user and password in `queue`; messages wait in the store."
        return [Finding(name="redis", status="fail", detail=f"It does not answer ({exc}).", fix=fix)]
    try:
        facts = _one(await link.ask(lambda client: client.info()))
    except RedisAway:
        unknown = "Version and eviction policy could not be asked: this user may not use INFO."
        return [speed(millis), Finding(name="redis settings", status="ok", detail=unknown)]
    return [speed(millis), version(facts), eviction(facts)]


async def _round_trip(link: Link) -> float:
    """Milliseconds, the median of a few."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await link.ask(lambda client: client.ping())
        times.append((time.perf_counter() - started) * 1000)
    return sorted(times)[ROUNDS // 2]


def _one(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """A cluster answers per node; what holds for the first holds for all as far as we care."""
    first = next(iter(facts.values()), None)
    return first if isinstance(first, Mapping) and "redis_version" in first else facts


def speed(millis: float) -> Finding:
    if millis > SLOW:
        fix = "Put Redis into the same network as the server; each message takes a few round trips."
        return Finding(name="redis", status="warn", detail=f"A round trip takes {millis:.1f} ms.", fix=fix)
    return Finding(name="redis", status="ok", detail=f"A round trip takes {millis:.1f} ms.")


def version(facts: Mapping[str, Any]) -> Finding:
    brand = "Valkey" if "valkey_version" in facts else "Redis"
    version = str(facts.get("valkey_version") or facts.get("redis_version", "?"))
    if brand == "Redis" and tuple(map(int, version.split(".")[:2])) < OLDEST:
        fix = "Use Redis 6.2 or newer, or Valkey."
        return Finding(name="redis version", status="fail", detail=f"Redis {version} is too old.", fix=fix)
    return Finding(name="redis version", status="ok", detail=f"{brand} {version}")


def eviction(facts: Mapping[str, Any]) -> Finding:
    policy, limit = facts.get("maxmemory_policy", "noeviction"), int(facts.get("maxmemory", 0))
    if limit and policy != "noeviction":
        return Finding(
            name="redis memory",
            status="warn",
            detail=f"When its memory is full, Redis drops keys ({policy}); answers would come seconds late.",
            fix="Set maxmemory-policy to noeviction, or give Switchboard a Redis of its own.",
        )
    return Finding(name="redis memory", status="ok", detail=f"Keys are kept ({policy}).")
