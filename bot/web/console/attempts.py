"""How often somebody may fail to log in; successes cost nothing, so a whole office can come at nine."""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import datetime, timedelta

from bot.domain.errors import TooManyRequests
from bot.domain.ports import Clock

WINDOW = timedelta(minutes=1)
REMEMBERED = 20_000  # keys; whoever failed longest ago is forgotten first


class Attempts:
    """At most `most` failures a minute under a key, counted in this process."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._most = most
        self._failed: OrderedDict[str, deque[datetime]] = OrderedDict()

    def begin(self, key: str) -> None:
        """Counts as failed until it is forgiven, or many at once would slip through; raises `TooManyRequests`."""
        now = self._clock()
        failed = self._failed.setdefault(key, deque())
        while failed and not now - WINDOW < failed[0] <= now:  # or the clock was set back
            failed.popleft()
        if len(failed) >= self._most:
            raise TooManyRequests("Too many attempts; wait a minute.", failed[0] + WINDOW - now)
        failed.append(now)
        self._failed.move_to_end(key)
        if len(self._failed) > REMEMBERED:
            self._failed.popitem(last=False)

    def forgive(self, key: str) -> None:
        """The attempt that began last under this key succeeded."""
        if failed := self._failed.get(key):
            failed.pop()
