"""From a promise ("at most 2 % of what is answered is wrong") to the confidence from which an intent is answered.

Judged on what each training example got from a model that had not seen it. An intent has some ten or hundred of
those, which prove little: three right ones of three are not "never wrong", and a strict bound for each intent (Clopper
and Pearson) would hand off nearly everything, 97 % of Banking77. So the mistakes of an intent are counted together
with `BORROWED` messages that are as often wrong as those of all intents at the same confidence. Measured on held-out
messages that keeps what was promised (see docs/nlu.md), which the bare share of an intent's own mistakes does not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from nlu.calibration import Floats
from nlu.facts import OUT_OF_SCOPE
from nlu.models import Model

BORROWED = 50  # messages; measured: 10 break the promise, 100 are no better
NEVER = 2.0  # no confidence is as high: the intent's messages are handed off

Flags = NDArray[np.bool_]
Columns = NDArray[np.intp]
Curve = tuple[Floats, Floats]


class Table(Struct, frozen=True, eq=False):
    """What a model's training examples got from models that had not seen them; much smaller than the model."""

    intents: tuple[str, ...]
    expected: Columns
    predicted: Columns  # the number of intents: none was named
    confidence: Floats


def table(model: Model) -> Table:
    arrays = model.arrays
    return Table(
        model.facts.intents,
        arrays["oof_expected"].astype(np.intp),
        arrays["oof_predicted"].astype(np.intp),
        arrays["oof_confidence"].astype(float),
    )


class Kept(Struct, frozen=True, kw_only=True):
    """What a promise comes to on the training examples, each judged by a model that had not seen it."""

    wrong_answers: float  # the promise
    thresholds: dict[str, float]  # intent → least confidence; `NEVER` where it cannot be kept
    answered: float  # share of all messages
    wrong: float  # share of those answered

    @property
    def handed_off(self) -> tuple[str, ...]:
        return tuple(intent for intent, least in self.thresholds.items() if least >= NEVER)


def keep(seen: Table, wrong_answers: float) -> Kept:
    """The least confidence for each intent so that at most `wrong_answers` (0..1) of the answers are wrong."""
    intents, predicted, confidence = seen.intents, seen.predicted, seen.confidence
    wrong = predicted != seen.expected
    outside = intents.index(OUT_OF_SCOPE) if OUT_OF_SCOPE in intents else -1
    answerable = (predicted != outside) & (predicted < len(intents))
    everybody = _curve(confidence[answerable], wrong[answerable])
    least = {
        intent: _least(confidence[predicted == place], wrong[predicted == place], everybody, wrong_answers)
        for place, intent in enumerate(intents)
        if intent != OUT_OF_SCOPE
    }
    answered = answerable & (
        confidence >= np.array([least.get(intent, NEVER) for intent in (*intents, "")])[predicted]
    )
    return Kept(
        wrong_answers=wrong_answers,
        thresholds=least,
        answered=round(float(answered.mean()), 4),
        wrong=round(float(wrong[answered].mean()), 4) if answered.any() else 0.0,
    )


def _curve(confidence: Floats, wrong: Flags) -> Curve:
    """Confidences, the highest first, and the share that is wrong from each on; one right and one wrong message are
    added (Laplace's rule), or a handful of examples would promise anything.
    """
    order = np.argsort(-confidence, kind="stable")
    shares = (np.cumsum(wrong[order]) + 1) / (np.arange(len(order)) + 3)
    return confidence[order], shares


def _least(confidence: Floats, wrong: Flags, everybody: Curve, wrong_answers: float) -> float:
    order = np.argsort(-confidence, kind="stable")
    sorted_confidence = confidence[order]
    mistakes, count = np.cumsum(wrong[order]), np.arange(1, len(order) + 1)
    places = np.searchsorted(-everybody[0], -sorted_confidence, side="right") - 1
    expected = (mistakes + BORROWED * everybody[1][places]) / (count + BORROWED)
    kept = [place for place in _ends(sorted_confidence) if expected[place] <= wrong_answers]
    # Rounded up: a message that was left out must not slip in.
    return float(np.ceil(sorted_confidence[kept[-1]] * 1e4) / 1e4) if kept else NEVER


def _ends(confidence: Floats) -> Iterator[int]:
    """Places where the confidence falls: those of equal confidence are answered together."""
    for place in range(len(confidence)):
        if place + 1 == len(confidence) or confidence[place + 1] < confidence[place]:
            yield place
