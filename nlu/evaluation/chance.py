"""How likely chance alone would make a difference as large."""

from __future__ import annotations

import math

CHANCE = 0.05  # what is this likely to be chance is called that


def sign_test(gained: int, lost: int) -> float:
    """Two-sided: as McNemar's test, exact."""
    total, fewer = gained + lost, min(gained, lost)
    return min(1.0, 2 * math.fsum(_exactly(count, total, 0.5) for count in range(fewer + 1)))


def at_least(count: int, total: int, share: float) -> float:
    """How likely `count` or more of `total` are when each one is with this probability, 0 < `share` < 1."""
    return max(0.0, 1.0 - math.fsum(_exactly(few, total, share) for few in range(count)))


def _exactly(count: int, total: int, share: float) -> float:
    """The binomial probability; in logarithms, since the powers of many are too small for a float."""
    ways = math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)
    return math.exp(ways + count * math.log(share) + (total - count) * math.log1p(-share))


def hidden(total: int) -> float:
    """The largest share of which not one may turn up among `total`: 0..1."""
    return 1.0 - CHANCE ** (1 / total) if total else 1.0
