"""What a report holds: every figure with its unit."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from nlu.evaluation.chance import CHANCE, at_least


class IntentScore(Struct, frozen=True, kw_only=True):
    precision: float
    recall: float
    f1: float
    support: int


class Confusion(Struct, frozen=True, kw_only=True):
    expected: str
    predicted: str
    count: int
    example: str


class Miss(Struct, frozen=True, kw_only=True):
    text: str
    expected: str
    predicted: str
    confidence: float


class OutOfScope(Struct, frozen=True, kw_only=True):
    auroc: float  # of the score, whatever the intent's name
    recall: float  # of the intent's name
    precision: float


class UrgencyScore(Struct, frozen=True, kw_only=True):
    n: int
    accuracy: float
    within_one: float  # level at most one away
    kappa: float  # quadratic weighted: 0 is chance, 1 is perfect
    high_recall: float  # of what should be high or critical
    high_precision: float
    critical_recall: float
    missed_cost: float  # of what the misses could cost (normal 1, high 5, critical 20), the share they did
    false_alarms: float  # share of messages taken for more urgent than they are
    matrix: tuple[tuple[int, ...], ...]  # messages, rows what it should be, columns what was said; low first


class Answering(Struct, frozen=True, kw_only=True):
    """What answering from this confidence on would have meant."""

    threshold: float
    answered: float  # share of all messages
    right: float  # share of those answered


class Bin(Struct, frozen=True, kw_only=True):
    """Messages of about the same confidence; calibrated is where both shares are the same."""

    n: int
    confidence: float  # on average
    right: float


class Point(Struct, frozen=True, kw_only=True):
    """Answering the surest messages first: how many, and how many of those wrongly."""

    answered: float
    wrong: float


class Promise(Struct, frozen=True, kw_only=True):
    """What the thresholds that keep a promise in cross-validation come to on these messages."""

    wrong_answers: float  # promised
    n: int  # messages answered
    mistakes: int  # of those
    answered: float  # share of all
    wrong: float  # share of those answered
    thresholds: dict[str, float | None]  # None: handed off

    @property
    def is_broken(self) -> bool:
        """Whether who keeps the promise would do as badly in fewer than one test of twenty."""
        return at_least(self.mistakes, self.n, self.wrong_answers) < CHANCE


class Automation(Struct, frozen=True, kw_only=True):
    promises: tuple[Promise, ...] = ()  # of a model with a cross-validation
    curve: tuple[Point, ...]


class Report(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All shares are 0..1. `accuracy` counts `out_of_scope` as an intent like any other."""

    model: str
    n: int
    accuracy: float
    macro_f1: float
    ece: float
    in_scope_accuracy: float
    out_of_scope: OutOfScope | None = None
    urgency: UrgencyScore | None = None
    answering: tuple[Answering, ...]
    per_intent: dict[str, IntentScore]
    confusions: tuple[Confusion, ...]
    errors: tuple[Miss, ...]  # the surest first
    parse_ms: dict[str, float] = {}
    reliability: tuple[Bin, ...]  # 15 bins, empty ones left out
    automation: Automation
    warnings: tuple[str, ...] = ()
    learned: int | None = None  # messages the model was trained on; None: unknown, or each was held out
    leaks: tuple[str, ...] = ()  # where these are in the file
    unlearned_accuracy: float | None = None  # of the others; None: there are none, or no others


def share(values: NDArray[np.bool_]) -> float:
    """Of those that are true, as figures have it; none of none is 0."""
    return round(float(values.mean()), 4) if len(values) else 0.0
