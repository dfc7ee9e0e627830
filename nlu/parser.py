"""Scores a text against a model with numpy alone: look the n-grams up, gather their weights, add up.

scikit-learn's own `predict` costs eight to a hundred times as much for one message.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bot.domain.understanding import UNDERSTOOD_CHARACTERS
from nlu.calibration import Floats
from nlu.facts import OUT_OF_SCOPE, Arrays
from nlu.features import inside, pairs, spellings
from nlu.models import Model, texts
from nlu.scoring import NO_SCORE, Standing, evidence, scope

RANKED = 10  # as many as Rasa names
REMEMBERED = 8192  # words whose n-grams need not be looked up again
AT_ONCE = 4096  # rows of weights

Columns = NDArray[np.intp]

# By how often an n-gram is in the text. (`take` and `dot` are used throughout: half the time of [] and @.)
_FREQUENCY = np.concatenate([[0.0], 1 + np.log(np.arange(1, 2 * UNDERSTOOD_CHARACTERS + 1))]).astype(
    np.float32
)


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
        def columns_of(word: str) -> Columns:
            return _columns([self._words.get(word), *map(characters.get, inside(word))])

        self._columns_of = columns_of
        self._idf = arrays["idf"]
        self._weights, self._step = _whole(arrays["weights"])
        self._boost = arrays["boost"].astype(np.float32) if "boost" in arrays else None
        self._bias = arrays["bias"]
        self._near = Nearest(arrays, len(self._idf))
        self._scope = scope(self._facts.intents, OUT_OF_SCOPE)

    def parse(self, row: Row, meaning: Floats | None = None) -> Parsed | None:
        """What a text means; None when not one n-gram of it is known. `meaning`: the sentence embedding, weighed."""
        if not len(row.columns):
            return None
        found = self.scores(row, meaning)
        answerable = self._scope.answerable(found)
        order = self._scope.inside.take(answerable.argsort()[: -RANKED - 1 : -1]).tolist()
        scores: list[float] = found.tolist()
        standing = self._standing(scores, order, answerable)
        nearest = self._near.cosine(row, order[0])
        seen = evidence(standing, nearest=nearest, known=row.known, words=math.log1p(row.words))
        right, outside = self._facts.correct(seen), self._facts.strange(seen)
        return Parsed(self._ranking(scores, order, standing, right=right, outside=outside), outside)

    def scores(self, row: Row, meaning: Floats | None = None) -> Floats:
        """How far each intent is on its own side of its line."""
        weights = self._weights.take(row.columns, axis=0).astype(np.float32)
        found: Floats = row.values.dot(weights) * self._step + self._bias
        if meaning is not None and self._boost is not None:
            found += meaning @ self._boost
        return found

    def _standing(self, scores: list[float], order: list[int], answerable: Floats) -> Standing:
        """As `nlu.scoring.standings`, of one text."""
        top, outside, temperature = scores[order[0]], self._scope.outside, self._facts.temperature
        return Standing(
            top,
            scores[order[1]] if len(order) > 1 else NO_SCORE,
            1 / float(np.exp((answerable - top) / temperature).sum()),
            top - scores[outside] if outside >= 0 else 0.0,
        )

    def row(self, words: list[str]) -> Row:
        """From `tokens` of a normalised text."""
        spelled = spellings(words)
        beside = _columns(map(self._words.get, pairs(words)))
        columns, counts = _counted(np.concatenate([beside, *map(self._columns_of, spelled)]))
        values = self._idf.take(columns) * _FREQUENCY.take(counts, mode="clip")
        characters = columns.searchsorted(len(self._words))
        _shorten(values[:characters])
        _shorten(values[characters:])
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
        for place in order[1:]:
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
        seen = dense.take(columns, mode="clip")
        dense[row.columns] = 0.0
        seen *= values
        return min(float(np.add.reduceat(seen, starts).max()), 1.0)

    def _row(self) -> Floats:
        try:
            dense: Floats = self._desk.row
        except AttributeError:
            dense = self._desk.row = np.zeros(self._size, dtype=np.float32)
        return dense


def _whole(weights: Floats) -> tuple[NDArray[np.int16], np.float32]:
    """As multiples of a step: half the memory of floats, and gathered faster than those."""
    step = max(float(weights.max(initial=0)), -float(weights.min(initial=0))) / np.iinfo(np.int16).max or 1.0
    whole = np.empty(weights.shape, dtype=np.int16)
    for first in range(0, len(weights), AT_ONCE):  # all at once would need the memory that this saves
        block = weights[first : first + AT_ONCE].astype(np.float32)
        whole[first : first + AT_ONCE] = np.rint(block / step)
    return whole, np.float32(step)


def _columns(found: Iterable[int | None]) -> Columns:
    return np.array([column for column in found if column is not None], dtype=np.intp)


def _counted(columns: Columns) -> tuple[Columns, Columns]:
    """Each column once, in order, and how often it was there."""
    columns.sort()
    firsts = np.empty(len(columns) + 1, dtype=np.bool_)
    firsts[0] = firsts[-1] = True
    np.not_equal(columns[1:], columns[:-1], out=firsts[1:-1])
    starts = firsts.nonzero()[0]
    return columns.take(starts[:-1]), starts[1:] - starts[:-1]


def _shorten(block: Floats) -> None:
    """Make the block, a view, one long."""
    block /= math.sqrt(block.dot(block)) or 1.0
