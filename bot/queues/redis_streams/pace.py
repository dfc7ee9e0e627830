"""How fast a platform lets us send, counted for all processes together."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.ports import Pace, Rate
from bot.queues.redis_streams.link import Link, RedisAway, script

PACE = script("pace")


class RedisPace:
    """By Redis' own clock. While Redis is away each process keeps the whole pace by itself, with `alone`: together
    they may then be too fast, and the platform says so, which only defers a message.
    """

    def __init__(self, link: Link, alone: Pace) -> None:
        self._link = link
        self._alone = alone

    async def expected(self, rates: Sequence[Rate]) -> float:
        try:
            return await self._wait(rates, count=0)
        except RedisAway:
            return await self._alone.expected(rates)

    async def reserve(self, rates: Sequence[Rate]) -> float:
        try:
            return await self._wait(rates, count=1)
        except RedisAway:
            return await self._alone.reserve(rates)

    async def _wait(self, rates: Sequence[Rate], *, count: int) -> float:
        if not rates:
            return 0.0
        keys = [f"{{{self._link.prefix}:pace}}:{rate.key}" for rate in rates]
        paces = [number for rate in rates for number in (1 / rate.per_second, rate.burst)]
        return float(await self._link.call(PACE, keys, count, *paces))
