"""Scores a text against a model with numpy alone: look the n-grams up, gather their weights, add up.

scikit-learn's own `predict` costs eight to a hundred times as much for one message.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from nlu.calibration import Floats
from nlu.features import Grams, grams
from nlu.models import OUT_OF_SCOPE, Model, texts
from nlu.scoring import evidence, scope

RANKED = 10  # as many as Rasa names


class Parsed(Struct, frozen=True):
    """`ranking`: intents with the calibrated probability of each, best first; they add up to at most 1."""

    ranking: tuple[tuple[str, float], ...]
    strange: float  # 0..1


class Parser:
    """One model, ready to be asked; holds no state between texts, so any thread may ask."""

    def __init__(self, model: Model) -> None:
        arrays, self._facts = model.arrays, model.facts
        words = texts(arrays["words"])
        self._words = {gram: row for row, gram in enumerate(words)}
        self._characters = {gram: row for row, gram in enumerate(texts(arrays["characters"]), len(words))}
        self._idf = arrays["idf"]
        self._weights = arrays["weights"].astype(np.float32)
        self._bias = arrays["bias"]
        self._near_columns = arrays["near_columns"]
        self._near_values = arrays["near_values"].astype(np.float32)
        self._near_starts = arrays["near_starts"]
        self._near_intents = arrays["near_intents"]
        self._scope = scope(self._facts.intents, OUT_OF_SCOPE)

    def parse(self, words: list[str]) -> Parsed | None:
        """What `tokens` of a normalised text mean; None when not one n-gram of it is known."""
        found = grams(words)
        columns, values = self._row(found)
        if not len(columns):
            return None
        scores = values @ self._weights[columns] + self._bias
        best = self._scope.best(scores)
        nearest = self._nearest(columns, values, best)
        different = set(found.words)
        known = len(different & self._words.keys()) / len(different)
        return self._judge(scores, best, nearest=nearest, known=known, words=len(found.words))

    def _row(self, found: Grams) -> tuple[NDArray[np.intp], Floats]:
        """The text's TF-IDF row: columns and values, each of the two blocks of length one."""
        first = _counted(self._words, found.words + found.pairs)
        second = _counted(self._characters, found.characters)
        columns = np.array([*first, *second], dtype=np.intp)
        counts = np.array([*first.values(), *second.values()], dtype=np.float32)
        values = (1 + np.log(counts)) * self._idf[columns]
        _shorten(values[: len(first)])
        _shorten(values[len(first) :])
        return columns, values

    def _nearest(self, columns: NDArray[np.intp], values: Floats, intent: int) -> float:
        """Cosine (0..1) of the characters to the nearest training example of `intent`."""
        first, last = self._near_intents[intent], self._near_intents[intent + 1]
        if first == last:
            return 0.0
        start, end = self._near_starts[first], self._near_starts[last]
        dense = np.zeros(len(self._idf), dtype=np.float32)
        dense[columns] = values
        seen = dense.take(self._near_columns[start:end], mode="clip")  # twice as fast as indexing with uint16
        products = seen * self._near_values[start:end]
        rows = self._near_starts[first:last] - start
        return min(float(np.add.reduceat(products, rows).max()), 1.0)

    def _judge(self, scores: Floats, best: int, *, nearest: float, known: float, words: int) -> Parsed:
        facts = self._facts
        seen = evidence(scores, self._scope, facts.temperature, nearest=nearest, known=known, words=words)
        right, strange = facts.correct(seen.values), facts.strange(seen.values)
        outside = strange if self._scope.outside >= 0 else 0.0
        # Two calibrations of one text: what is left after the stronger one bounds the weaker one.
        right, outside = (
            (right, min(outside, 1 - right)) if right >= outside else (min(right, 1 - outside), outside)
        )
        return Parsed(self._ranking(best, seen.shares, right, outside), strange)

    def _ranking(
        self, winner: int, shares: Floats, right: float, outside: float
    ) -> tuple[tuple[str, float], ...]:
        """What the winner and `out_of_scope` leave is shared out by score; nobody passes the winner."""
        intents = self._facts.intents
        order = np.argsort(-shares, kind="stable")[:RANKED]
        best, *others = zip(self._scope.inside[order].tolist(), shares[order].tolist(), strict=True)
        left = 1.0 - best[1]
        scale = (1.0 - right - outside) / left if left > 1e-9 else 0.0
        ranking = [(intents[winner], right)]
        ranking += [(intents[column], min(share * scale, right)) for column, share in others]
        if self._scope.outside >= 0:
            ranking.append((OUT_OF_SCOPE, outside))
        ranking.sort(key=lambda pair: -pair[1])
        return tuple(ranking[:RANKED])


def _shorten(block: Floats) -> None:
    """Make the block, a view, one long."""
    block /= math.sqrt(float(block @ block)) or 1.0


def _counted(vocabulary: dict[str, int], found: list[str]) -> Counter[int]:
    """How often each known n-gram occurs, by row; written so that the loop runs inside the interpreter."""
    counts = Counter(map(vocabulary.get, found))
    del counts[None]
    return counts  # type: ignore[return-value]
