"""Two models on the same messages: which is better, which messages differ, and whether that can be chance."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from nlu.evaluation import Pairs
from nlu.evaluation.chance import CHANCE, sign_test
from nlu.evaluation.figures import Report
from nlu.facts import Facts


class Change(Struct, frozen=True, kw_only=True):
    """A message the two do not agree on."""

    text: str
    expected: str
    this: str  # what it says
    other: str
    confidence: float  # of this one


class Comparison(Struct, frozen=True, kw_only=True):
    this: Report
    other: Report
    only_this_right: tuple[Change, ...]
    only_other_right: tuple[Change, ...]
    both_wrong: tuple[Change, ...]  # in different ways
    chance: float  # how likely so uneven a difference is between two equally good models
    left_out: int = 0  # messages that one of the two had learned

    @property
    def verdict(self) -> str:
        gained, lost = len(self.only_this_right), len(self.only_other_right)
        better = "better" if gained > lost else "worse"
        said = "no clear difference" if self.chance > CHANCE else f"this one is {better}"
        return f"{said} ({gained:,} right only here, {lost:,} only there)"


def compare(
    this: Report, pairs: Pairs, other: Report, others: Pairs, learned: Collection[int] = ()
) -> Comparison:
    """`pairs` of both are about the same examples, in the same order; those at the places in `learned` are left out."""
    changes = [
        Change(
            text=example.text,
            expected=example.intent,
            this=mine.intent.name,
            other=theirs.intent.name,
            confidence=round(mine.intent.confidence, 4),
        )
        for place, ((example, mine), (_, theirs)) in enumerate(zip(pairs, others, strict=True))
        if mine.intent.name != theirs.intent.name and place not in learned
    ]
    gained = tuple(one for one in changes if one.this == one.expected)
    lost = tuple(one for one in changes if one.other == one.expected)
    neither = tuple(one for one in changes if one.expected not in {one.this, one.other})
    return Comparison(
        this=this,
        other=other,
        only_this_right=gained,
        only_other_right=lost,
        both_wrong=neither,
        chance=round(sign_test(len(gained), len(lost)), 4),
        left_out=len(learned),
    )


class Against(Struct, frozen=True, kw_only=True):
    """The live model beside one that was just trained: what each one's cross-validation says, and who knows what."""

    model: str
    scores: dict[str, float]
    new_intents: tuple[str, ...]  # the live one does not know them
    lost_intents: tuple[str, ...]  # only the live one does


def against(model: str, live: Facts, trained: Facts) -> Against:
    """What is known of the live model, to hold another against it."""
    known, knows = set(live.intents), set(trained.intents)
    return Against(
        model=model,
        scores=live.scores,
        new_intents=tuple(sorted(knows - known)),
        lost_intents=tuple(sorted(known - knows)),
    )
