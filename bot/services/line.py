"""The line in front of a rate: whoever has to wait comes back when it is their turn, not all at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

from bot.domain.ports import Rate

KEPT = 10_000  # of turns and ends of lines, until those that have passed are forgotten


class Line:
    """Of one process; what may be sent is the pace's to say. Urgent rows have a line of their own, which goes first."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._turns: dict[str, float] = {}  # of who waits
        self._ends: dict[tuple[str, bool], float] = {}
        self._begun: dict[str, Sequence[Rate]] = {}  # let go, and not counted by the pace yet
        self._ahead: Counter[str] = Counter()

    def wait(
        self, who: str, rates: Sequence[Rate], expected: float, patience: float, *, urgent: bool
    ) -> float:
        """0 lets them go, until `counted`; else seconds to come back after. `expected` is what the pace says."""
        ahead = max((self._ahead[rate.key] / rate.per_second for rate in rates), default=0.0)
        if expected + ahead <= patience:
            self._turns.pop(who, None)
            self._begun[who] = rates
            self._ahead.update(rate.key for rate in rates)
            return 0.0
        if who in self._turns:  # woken early, or overtaken by urgent ones: their place is kept
            self._turns[who] = max(self._turns[who], self._now() + expected + ahead)
            return self._turns[who] - self._now()
        return self._stand(who, rates, expected + ahead, urgent=urgent)

    def counted(self, who: str) -> None:
        """The pace counts them now, or they needed nothing."""
        self._ahead.subtract(rate.key for rate in self._begun.pop(who, ()))
        self._ahead = +self._ahead if len(self._ahead) > KEPT else self._ahead

    def _stand(self, who: str, rates: Sequence[Rate], expected: float, *, urgent: bool) -> float:
        now = self._now()
        ends = [self._ends.get((rate.key, urgent), 0.0) + 1 / rate.per_second for rate in rates]
        turn = max([now + expected, *ends])
        self._ends.update({(rate.key, urgent): turn for rate in rates})
        self._turns[who] = turn
        if len(self._turns) > KEPT or len(self._ends) > KEPT:
            self._forget(now)
        return turn - now

    def _forget(self, now: float) -> None:
        self._turns = {who: turn for who, turn in self._turns.items() if turn > now}
        self._ends = {end: turn for end, turn in self._ends.items() if turn > now}
