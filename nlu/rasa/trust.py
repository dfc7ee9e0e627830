"""What Rasa's confidence is worth: fitted on examples its model had not seen, with the embedded engine as witness.

Measured on Banking77, Rasa's own numbers are 8 % from the truth on average; and where the two engines agree, they
are right far more often than either says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from nlu import calibration
from nlu.calibration import Floats, Logistic, fit_logistic
from nlu.facts import OUT_OF_SCOPE

PENALTY = 1.0  # on standardised weights: three hundred cases must not make anybody sure of everything
FURTHEST = 5.0  # of a log-odds; 99.3 % and 99.9 % differ in nothing that was counted

Flags = NDArray[np.bool_]


class Said(Struct, frozen=True):
    """An engine's word on a text: intent, confidence (0..1), and how unlike everything known the text is (0..1)."""

    intent: str
    confidence: float
    strange: float = 0.0


class Case(Struct, frozen=True, kw_only=True):
    """A held-out example: what it means, what Rasa said (an empty intent: none), what the stand-in said, neither
    having seen it.
    """

    truth: str
    rasa: Said
    witness: Said


class Trust(Struct, frozen=True, kw_only=True):
    right: Logistic
    strange: Logistic | None


def evidence(rasa: Said, witness: Said) -> tuple[float, ...]:
    agreed = rasa.intent == witness.intent
    seconded = _odds(witness.confidence)
    outside = _odds(rasa.confidence) if rasa.intent == OUT_OF_SCOPE else -FURTHEST
    return (
        _odds(rasa.confidence),
        float(agreed),
        seconded if agreed else 0.0,
        0.0 if agreed else seconded,
        _odds(witness.strange),
        outside,
    )


def fit(cases: Sequence[Case]) -> Trust:
    """An imagined text that nobody understands, and one that everybody does, keep small sets from extremes."""
    rows = [evidence(case.rasa, case.witness) for case in cases]
    named = np.array([*(bool(case.rasa.intent) for case in cases), True, True])  # others are never answered
    lost = evidence(Said("-", 0.1), Said("", 0.0, 1.0))
    plain = evidence(Said("-", 0.99), Said("-", 0.99, 0.01))
    table = np.array([*rows, lost, plain])
    right = np.array([*(case.rasa.intent == case.truth for case in cases), False, True])
    strange = np.array([*(case.truth == OUT_OF_SCOPE for case in cases), True, False])
    known = strange[: len(cases)].any()
    return Trust(
        right=fit_logistic(table[named], right[named], PENALTY),
        strange=fit_logistic(table, strange, PENALTY) if known else None,
    )


def _odds(share: float) -> float:
    share = min(max(share, 1e-6), 1 - 1e-6)
    return min(max(math.log(share / (1 - share)), -FURTHEST), FURTHEST)


# ── How good it is ──────────────────────────────────────────────────────────────────────────────


def confidences(cases: Sequence[Case]) -> tuple[Floats, Floats]:
    """Confidence (0 where Rasa named no intent) and strangeness of each case, by a fit on the other half."""
    half = np.arange(len(cases)) % 2 == 0
    right, strange = np.zeros(len(cases)), np.zeros(len(cases))
    for held in (half, ~half):
        trust = fit([case for case, skip in zip(cases, held, strict=True) if not skip])
        for number in np.flatnonzero(held).tolist():
            case = cases[number]
            seen = evidence(case.rasa, case.witness)
            right[number] = trust.right(seen) if case.rasa.intent else 0.0
            strange[number] = trust.strange(seen) if trust.strange else case.witness.strange
    return right, strange


def scores(cases: Sequence[Case]) -> dict[str, float]:
    """The same numbers as the embedded engine's cross-validation gives, all 0..1."""
    right, strange = confidences(cases)
    truth, said = np.array([case.truth for case in cases]), np.array([case.rasa.intent for case in cases])
    return calibration.scores(truth, said, right, strange, outside=OUT_OF_SCOPE)
