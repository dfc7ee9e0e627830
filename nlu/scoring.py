"""What is known about a prediction before it is called a probability; the same in training and in parsing."""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from nlu.calibration import Floats, softmax

NO_SCORE = -2.0  # of an intent the model never saw; a linear SVM seldom goes below -1.5


class Scope(Struct, frozen=True, eq=False):
    """Which columns are intents we can answer, and which one collects what we cannot (-1: none)."""

    inside: NDArray[np.intp]
    outside: int

    def answerable(self, scores: Floats) -> Floats:
        return scores if self.outside < 0 else scores[..., self.inside]

    def best(self, scores: Floats) -> int:
        """The column of the best intent that can be answered."""
        return int(self.inside[self.answerable(scores).argmax()])


class Evidence(Struct, frozen=True):
    shares: Floats  # softmax over `Scope.inside`
    values: tuple[float, ...]  # what the calibration is fitted on


def scope(intents: tuple[str, ...], outside: str) -> Scope:
    inside = [column for column, intent in enumerate(intents) if intent != outside]
    return Scope(np.array(inside, dtype=np.intp), intents.index(outside) if outside in intents else -1)


def evidence(
    scores: Floats, within: Scope, temperature: float, *, nearest: float, known: float, words: int
) -> Evidence:
    """`nearest`: cosine to the nearest example of the best intent; `known`: share of words seen before."""
    inside = within.answerable(scores)
    shares = softmax(inside, temperature)
    top = float(inside.max())
    second = float(np.partition(inside, -2)[-2]) if len(inside) > 1 else NO_SCORE
    beyond = top - float(scores[within.outside]) if within.outside >= 0 else 0.0
    values = (top, top - second, float(shares.max()), nearest, known, math.log1p(words), beyond)
    return Evidence(shares, values)


def nothing_known(intents: int) -> tuple[float, ...]:
    """The evidence of a text that resembles no example at all."""
    return (-1.0, 0.0, 1.0 / max(intents, 1), 0.0, 0.0, math.log1p(5), 0.0)
