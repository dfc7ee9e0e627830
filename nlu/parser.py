"""Scores a text against a model with numpy alone: look the n-grams up, gather their weights, add up.

scikit-learn's own `predict` costs eight to a hundred times as much for one message.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from functools import lru_cache
from itertools import chain, pairwise
from operator import itemgetter

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from nlu.calibration import Floats
from nlu.features import inside, pairs, spellings
from nlu.models import OUT_OF_SCOPE, Arrays, Model, texts
from nlu.scoring import NO_SCORE, Standing, evidence, scope

RANKED = 10  # as many as Rasa names
REMEMBERED = 8192  # words whose n-grams need not be looked up again

Columns = NDArray[np.intp]


class Parsed(Struct, frozen=True):
    """`ranking`: intents with the calibrated probability of each, best first; they add up to at most 1."""

    ranking: tuple[tuple[str, float], ...]
    strange: float  # 0..1


class Row(Struct, frozen=True, eq=False):
    """A text as TF-IDF: columns and values, each of the two blocks of length one."""

    columns: Columns
    values: Floats
    known: float  # share of its different words that are in the vocabulary
    words: int


class Parser:
    """One model, ready to be asked; any thread may ask."""

    def __init__(self, model: Model) -> None:
        arrays, self._facts = model.arrays, model.facts
        words = texts(arrays["words"])
        self._words = {gram: row for row, gram in enumerate(words)}
        characters = {gram: row for row, gram in enumerate(texts(arrays["characters"]), len(words))}

        @lru_cache(maxsize=REMEMBERED)
        def known_inside(word: str) -> tuple[int, ...]:
            return tuple(row for gram in inside(word) if (row := characters.get(gram)) is not None)

        self._known_inside = known_inside
        self._idf = arrays["idf"]
        self._weights = arrays["weights"].astype(np.float32)
        self._boost = arrays["boost"].astype(np.float32) if "boost" in arrays else None
        self._bias = arrays["bias"]
        self._near = Nearest(arrays, len(self._idf))
        self._scope = scope(self._facts.intents, OUT_OF_SCOPE)
        self._inside: list[int] = self._scope.inside.tolist()

    def parse(self, row: Row, meaning: Floats | None = None) -> Parsed | None:
        """What a text means; None when not one n-gram of it is known. `meaning`: the sentence embedding, weighed."""
        if not len(row.columns):
            return None
        scores: list[float] = self.scores(row, meaning).tolist()
        order = sorted(self._inside, key=scores.__getitem__, reverse=True)
        found = self._standing(scores, order)
        nearest = self._near.cosine(row, order[0])
        seen = evidence(found, nearest=nearest, known=row.known, words=math.log1p(row.words))
        right, outside = self._facts.correct(seen), self._facts.strange(seen)
        return Parsed(self._ranking(scores, order, found, right=right, outside=outside), outside)

    def scores(self, row: Row, meaning: Floats | None = None) -> Floats:
        """How far each intent is on its own side of its line."""
        found: Floats = row.values @ self._weights[row.columns] + self._bias
        if meaning is not None and self._boost is not None:
            found += meaning @ self._boost
        return found

    def _standing(self, scores: list[float], order: list[int]) -> Standing:
        """As `nlu.scoring.standings`, of one text."""
        top, outside, temperature = scores[order[0]], self._scope.outside, self._facts.temperature
        return Standing(
            top,
            scores[order[1]] if len(order) > 1 else NO_SCORE,
            1 / sum(math.exp((scores[place] - top) / temperature) for place in order),
            top - scores[outside] if outside >= 0 else 0.0,
        )

    def row(self, words: list[str]) -> Row:
        """From `tokens` of a normalised text."""
        spelled = spellings(words)
        lookup = self._words.get
        first = Counter(map(lookup, spelled + pairs(words)))
        del first[None]
        second = Counter(chain.from_iterable(map(self._known_inside, spelled)))
        columns = np.array([*first, *second], dtype=np.intp)
        counts = np.array([*first.values(), *second.values()], dtype=np.float32)
        values = (1 + np.log(counts)) * self._idf[columns]
        _shorten(values[: len(first)])
        _shorten(values[len(first) :])
        different = set(spelled)
        known = sum(map(self._words.__contains__, different)) / max(len(different), 1)
        return Row(columns, values, known, len(spelled))

    def _ranking(
        self, scores: list[float], order: list[int], found: Standing, *, right: float, outside: float
    ) -> tuple[tuple[str, float], ...]:
        """What the winner and `out_of_scope` leave is shared out by score; nobody passes the winner."""
        intents, temperature = self._facts.intents, self._facts.temperature
        if self._scope.outside < 0:
            outside = 0.0
        # Two calibrations of one text: what is left after the stronger one bounds the weaker one.
        if right >= outside:
            outside = min(outside, 1 - right)
        else:
            right = min(right, 1 - outside)
        left = 1.0 - found.share
        scale = found.share * (1.0 - right - outside) / left if left > 1e-9 else 0.0
        ranking = [(intents[order[0]], right)]
        for place in order[1:RANKED]:
            part = scale * math.exp((scores[place] - found.top) / temperature)
            ranking.append((intents[place], min(part, right)))
        if self._scope.outside >= 0:
            ranking.append((OUT_OF_SCOPE, outside))
        ranking.sort(key=itemgetter(1), reverse=True)
        return tuple(ranking[:RANKED])


class Nearest:
    """How near a text is to the examples of an intent, by the characters of both."""

    def __init__(self, arrays: Arrays, size: int) -> None:
        columns, values = arrays["near_columns"], arrays["near_values"].astype(np.float32)
        starts, intents = arrays["near_starts"].astype(np.intp), arrays["near_intents"].tolist()
        self._examples = [
            (
                columns[starts[first] : starts[last]],
                values[starts[first] : starts[last]],
                starts[first:last] - starts[first],
            )
            for first, last in pairwise(intents)
        ]
        self._size = size
        self._desk = threading.local()  # every thread has a row of its own to write on

    def cosine(self, row: Row, intent: int) -> float:
        """0..1, to the nearest training example of `intent`."""
        columns, values, starts = self._examples[intent]
        if not len(starts):
            return 0.0
        dense = self._row()
        dense[row.columns] = row.values
        seen = dense.take(columns, mode="clip")  # twice as fast as indexing with uint16
        dense[row.columns] = 0.0
        return min(float(np.add.reduceat(seen * values, starts).max()), 1.0)

    def _row(self) -> Floats:
        try:
            dense: Floats = self._desk.row
        except AttributeError:
            dense = self._desk.row = np.zeros(self._size, dtype=np.float32)
        return dense


def _shorten(block: Floats) -> None:
    """Make the block, a view, one long."""
    block /= math.sqrt(float(block @ block)) or 1.0
