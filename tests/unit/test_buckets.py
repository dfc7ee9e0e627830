"""How often somebody may do something."""

import pytest

from bot.domain.errors import TooManyRequests
from bot.web import limits
from bot.web.limits import Buckets
from tests.builders import Ticking


def test_a_burst_passes_and_the_next_is_told_when_to_come() -> None:
    buckets = Buckets(Ticking(), burst=3, per_second=0.5)
    for _ in range(3):
        buckets.take("a")
    with pytest.raises(TooManyRequests) as refused:
        buckets.take("a")
    assert refused.value.retry_after.total_seconds() == 2


def test_a_refusal_costs_nothing() -> None:
    clock = Ticking()
    buckets = Buckets(clock, burst=1, per_second=1)
    buckets.take("a")
    for _ in range(5):
        with pytest.raises(TooManyRequests):
            buckets.take("a")
    clock.forward(seconds=1)
    buckets.take("a")


def test_keys_do_not_share() -> None:
    buckets = Buckets(Ticking(), burst=1, per_second=1)
    buckets.take("a")
    buckets.take("b")


def test_a_pause_saves_up_no_more_than_a_burst() -> None:
    clock = Ticking()
    buckets = Buckets(clock, burst=2, per_second=1)
    clock.forward(days=1)
    buckets.take("a")
    clock.forward(days=1)
    buckets.take("a")
    buckets.take("a")
    with pytest.raises(TooManyRequests):
        buckets.take("a")


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    clock = Ticking()
    buckets = Buckets(clock, burst=2, per_second=1)
    buckets.take("a")
    clock.forward(hours=-1)
    buckets.take("a")


def test_whoever_was_quiet_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REMEMBERED", 2)
    buckets = Buckets(Ticking(), burst=1, per_second=1)
    for key in ("a", "b", "c"):
        buckets.take(key)
    buckets.take("a")
    with pytest.raises(TooManyRequests):
        buckets.take("c")
