"""What is known about a prediction before it is called a probability; the same in training and in parsing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from nlu.calibration import Floats

NO_SCORE = -2.0  # of an intent the model never saw; a linear SVM seldom goes below -1.5


class Scope(Struct, frozen=True, eq=False):
    """Which columns are intents we can answer, and which one collects what we cannot (-1: none)."""

    inside: NDArray[np.intp]
    outside: int

    def answerable(self, scores: Floats) -> Floats:
        return scores if self.outside < 0 else scores.take(self.inside, -1)


def scope(intents: tuple[str, ...], outside: str) -> Scope:
    inside = [column for column, intent in enumerate(intents) if intent != outside]
    return Scope(np.array(inside, dtype=np.intp), intents.index(outside) if outside in intents else -1)


class Standing(Struct, frozen=True, eq=False):
    """How the intents that can be answered compare; numbers for one text, arrays for many."""

    top: Any
    second: Any
    share: Any  # softmax of the best one
    beyond: Any  # the best one's lead over what is out of scope; 0 where nothing is


def standings(scores: Floats, within: Scope, temperature: float) -> Standing:
    """Of many texts, a row each. The parser does the same for one, in fewer steps."""
    inside = within.answerable(scores)
    ordered = np.sort(inside, axis=1)
    top = ordered[:, -1]
    second = ordered[:, -2] if inside.shape[1] > 1 else np.full_like(top, NO_SCORE)
    share = 1 / np.exp((inside - top[:, None]) / temperature).sum(1)
    beyond = top - scores[:, within.outside] if within.outside >= 0 else np.zeros_like(top)
    return Standing(top, second, share, beyond)


def evidence(found: Standing, *, nearest: Any, known: Any, words: Any) -> tuple[Any, ...]:
    """What the calibration is fitted on; `words` is the logarithm of one more than their number.

    `nearest`: cosine to the nearest example of the best intent; `known`: share of words seen before.
    """
    return (found.top, found.top - found.second, found.share, nearest, known, words, found.beyond)


def nothing_known(intents: int) -> tuple[float, ...]:
    """The evidence of a text that resembles no example at all."""
    return (-1.0, 0.0, 1.0 / max(intents, 1), 0.0, 0.0, math.log1p(5), 0.0)
