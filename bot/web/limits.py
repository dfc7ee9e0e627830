"""How often somebody may do something: a burst at once, then so many a second. Counted in this process."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

from bot.domain.errors import TooManyRequests
from bot.domain.ports import Clock

REMEMBERED = 20_000  # keys; whoever was quiet longest is forgotten first


class Buckets:
    def __init__(self, clock: Clock, *, burst: int, per_second: float) -> None:
        self._clock = clock
        self._burst = burst
        self._per_second = per_second
        self._left: OrderedDict[str, tuple[float, datetime]] = OrderedDict()

    def take(self, key: str, many: int = 1) -> None:
        """So many more under `key`, at most a burst; raises `TooManyRequests`."""
        now = self._clock()
        left = self._refilled(key, now)
        self._left[key] = (left - many if left >= many else left, now)
        self._left.move_to_end(key)
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        if left < many:
            wait = timedelta(seconds=(many - left) / self._per_second)
            raise TooManyRequests("Too much at once; wait a moment and try again.", wait)

    def _refilled(self, key: str, now: datetime) -> float:
        left, since = self._left.get(key, (float(self._burst), now))
        gained = max((now - since).total_seconds(), 0.0) * self._per_second
        return min(left + gained, self._burst)
