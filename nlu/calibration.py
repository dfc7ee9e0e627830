"""Turns scores into probabilities that mean what they say; fitted on out-of-fold scores only."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

PENALTY = 0.1  # on standardised weights: enough to keep a separable set finite
SURE = 0.6  # from which confidence the shipped configuration answers
BINS = 15  # of the expected calibration error, as in the literature


class Logistic(Struct, frozen=True):
    """A logistic regression over a handful of numbers, plain enough to be evaluated without numpy.

    Inputs are clipped to what was seen in training: a text of 4,000 characters is not judged by a line
    drawn far beyond every example.
    """

    weights: tuple[float, ...]
    bias: float
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __call__(self, values: Sequence[float]) -> float:
        """The probability, 0..1."""
        total = self.bias
        for weight, value, low, high in zip(self.weights, values, self.low, self.high, strict=True):
            total += weight * (low if value < low else high if value > high else value)  # noqa: FURB136 - a third of the time of min
        return 1.0 / (1.0 + math.exp(-min(max(total, -30.0), 30.0)))


def fit_logistic(rows: Floats, target: NDArray[np.bool_], penalty: float = PENALTY) -> Logistic:
    """Newton's method on standardised columns; `target` must hold both outcomes."""
    mean, deviation = rows.mean(0), rows.std(0) + 1e-9
    design = np.column_stack([(rows - mean) / deviation, np.ones(len(rows))])
    ridge = np.full(design.shape[1], penalty)
    ridge[-1] = 1e-9
    weights = np.zeros(design.shape[1])
    for _ in range(50):
        expected = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (expected - target) + ridge * weights
        curve = (design * (expected * (1 - expected))[:, None]).T @ design + np.diag(ridge + 1e-9)
        step = np.linalg.solve(curve, slope)
        weights -= np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-8:
            break
    scaled = weights[:-1] / deviation
    return logistic(scaled, float(weights[-1] - scaled @ mean), rows.min(0), rows.max(0))


def logistic(weights: Floats, bias: float, low: Floats, high: Floats) -> Logistic:
    """Rounded: the last digits depend on how many threads added them up, and a model's id must not."""
    numbers = [tuple(_rounded(number) for number in row) for row in (weights, low, high)]
    return Logistic(weights=numbers[0], bias=_rounded(bias), low=numbers[1], high=numbers[2])


def _rounded(number: float) -> float:
    return float(f"{number:.6g}")


def softmax(scores: Floats, temperature: float) -> Floats:
    """Over the last axis."""
    raised = np.exp((scores - scores.max(-1, keepdims=True)) / temperature)
    shares: Floats = raised / raised.sum(-1, keepdims=True)
    return shares


def fit_temperature(scores: Floats, truth: NDArray[np.intp]) -> float:
    """Under which temperature the right answers are least surprising; golden section over its logarithm."""

    def surprise(logarithm: float) -> float:
        shares = softmax(scores, math.exp(logarithm))
        return float(-np.log(shares[np.arange(len(truth)), truth] + 1e-12).mean())

    ratio = (math.sqrt(5) - 1) / 2
    low, high = math.log(0.02), math.log(5.0)
    while high - low > 0.01:
        span = ratio * (high - low)
        if surprise(high - span) < surprise(low + span):
            high = low + span
        else:
            low = high - span
    return _rounded(math.exp((low + high) / 2))


def calibration_error(confidence: Floats, correct: NDArray[np.bool_], bins: int = BINS) -> float:
    """Expected calibration error, 0..1: how far the confidence is from the share that is right."""
    if not len(confidence):
        return 0.0
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(which, confidence, bins) - np.bincount(which, correct.astype(float), bins)
    return float(np.abs(gaps).sum() / len(confidence))


def macro_f1(truth: Iterable[Hashable], predicted: Iterable[Hashable]) -> float:
    """The mean over all that occurs on either side but "", which is nobody's name; 0..1."""
    pairs = list(zip(truth, predicted, strict=True))
    total = Counter(one for pair in pairs for one in pair if one != "")
    hits = Counter(wanted for wanted, got in pairs if wanted == got)
    return sum(2 * hits[one] / total[one] for one in total) / max(len(total), 1)


def separation(score: Floats, positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: how often a positive scores above a negative; ties count half."""
    order, places = np.unique(score, return_inverse=True)
    counts = np.bincount(places, minlength=len(order))
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    above, below = int(positive.sum()), int((~positive).sum())
    if not above or not below:
        return 0.5
    return float((ranks[positive].sum() - above * (above + 1) / 2) / (above * below))


def scores(
    truth: NDArray[Any], predicted: NDArray[Any], confidence: Floats, strange: Floats, *, outside: Hashable
) -> dict[str, float]:
    """A cross-validation in a few numbers, all 0..1; `outside` is the intent of what is out of scope."""
    correct, beyond = predicted == truth, truth == outside
    answered = (confidence >= SURE) & (predicted != outside)
    found = {
        "accuracy": float(correct.mean()),
        "macro_f1": macro_f1(truth.tolist(), predicted.tolist()),
        "ece": calibration_error(confidence, correct),
        "answered": float(answered.mean()),
        "right_when_answered": float(correct[answered].mean()) if answered.any() else 0.0,
    }
    if beyond.any():
        found["out_of_scope_auroc"] = separation(strange, beyond)
    return {key: round(value, 4) for key, value in found.items()}
