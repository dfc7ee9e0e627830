"""The line in front of a rate."""

from __future__ import annotations

import pytest

from bot.domain.ports import Rate
from bot.services import line
from bot.services.line import Line

CHANNEL = (Rate(key="channel", per_second=1.0),)


class Now:
    at = 100.0

    def __call__(self) -> float:
        return self.at


def test_who_finds_the_rate_free_goes_and_those_behind_come_back_one_after_another() -> None:
    here = Line(Now())
    waits = [here.wait(f"case {number}", CHANNEL, 0.0, 0.5, urgent=False) for number in range(4)]
    assert waits == [0.0, 1.0, 2.0, 3.0]


def test_urgent_ones_do_not_stand_behind_the_others() -> None:
    here = Line(Now())
    for number in range(100):
        here.wait(f"case {number}", CHANNEL, 5.0, 0.5, urgent=False)
    assert here.wait("fire", CHANNEL, 5.0, 0.5, urgent=True) == 5.0


def test_who_is_woken_early_keeps_their_place() -> None:
    now = Now()
    here = Line(now)
    first = [here.wait(one, CHANNEL, 5.0, 0.5, urgent=False) for one in ("a", "b")]
    now.at += 2
    assert [here.wait(one, CHANNEL, 3.0, 0.5, urgent=False) for one in ("b", "a")] == [
        first[1] - 2,
        first[0] - 2,
    ]


def test_who_was_let_go_counts_until_the_pace_counts_them() -> None:
    here = Line(Now())
    here.wait("a", CHANNEL, 0.0, 0.5, urgent=False)
    here.counted("a")
    here.counted("a")
    assert here.wait("b", CHANNEL, 0.0, 0.5, urgent=False) == 0.0


def test_turns_that_have_passed_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "KEPT", 10)
    now = Now()
    here = Line(now)
    for number in range(100):
        now.at += 10
        here.wait(f"case {number}", (Rate(key=f"chat {number}", per_second=1.0),), 5.0, 0.5, urgent=False)
    assert max(len(here._turns), len(here._ends)) <= 11
