"""Two models on the same messages: which is better, which messages changed, and whether that can be chance."""

from __future__ import annotations

import math

from msgspec import Struct

from nlu.evaluation import Pairs, Report

CHANCE = 0.05  # a difference this likely to be chance is called none


class Change(Struct, frozen=True, kw_only=True):
    text: str
    expected: str
    before: str  # what the other model says
    after: str
    confidence: float  # of this one


class Comparison(Struct, frozen=True, kw_only=True):
    this: Report
    other: Report
    now_right: tuple[Change, ...]  # the other was wrong
    now_wrong: tuple[Change, ...]
    otherwise_wrong: tuple[Change, ...]
    chance: float  # how likely so uneven a change is between two equally good models

    @property
    def verdict(self) -> str:
        gained, lost = len(self.now_right), len(self.now_wrong)
        if self.chance > CHANCE:
            return f"no clear difference ({gained} right now, {lost} wrong now)"
        return f"{'better' if gained > lost else 'worse'} ({gained} right now, {lost} wrong now)"


def compare(this: Report, pairs: Pairs, other: Report, others: Pairs) -> Comparison:
    """`pairs` of both are about the same examples, in the same order."""
    changes = [
        (
            Change(
                text=example.text,
                expected=example.intent,
                before=before.intent.name,
                after=after.intent.name,
                confidence=round(after.intent.confidence, 4),
            )
        )
        for (example, after), (_, before) in zip(pairs, others, strict=True)
        if before.intent.name != after.intent.name
    ]
    gained = tuple(one for one in changes if one.after == one.expected)
    lost = tuple(one for one in changes if one.before == one.expected)
    neither = tuple(one for one in changes if one.expected not in {one.after, one.before})
    return Comparison(
        this=this,
        other=other,
        now_right=gained,
        now_wrong=lost,
        otherwise_wrong=neither,
        chance=round(_sign_test(len(gained), len(lost)), 4),
    )


def _sign_test(gained: int, lost: int) -> float:
    """Two-sided: as McNemar's test, exact."""
    total, fewer = gained + lost, min(gained, lost)
    tail = sum(math.comb(total, count) for count in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << total))  # of whole numbers, which no number of messages is too large for
