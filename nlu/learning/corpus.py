"""Training examples as counts of their n-grams, and as TF-IDF of some of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy import sparse

from nlu.calibration import Floats
from nlu.features import grams, normalise, tokens
from nlu.reading import TrainingData

Rows = NDArray[np.intp]
Matrix = Any  # scipy.sparse has no types


class Boost(Struct, frozen=True):
    """Sentence embeddings: texts → [texts, numbers]."""

    name: str
    meanings: Callable[[Sequence[str]], Floats]


class Corpus(Struct, frozen=True):
    """The examples as counts: `words` and `characters` hold 1 + log(count) per n-gram."""

    texts: list[str]
    truth: Rows
    intents: tuple[str, ...]
    words: Matrix
    characters: Matrix
    vocabulary: tuple[list[str], list[str]]
    lengths: NDArray[np.intp]
    meanings: Matrix | None = None  # sentence embeddings, a row each


def corpus_of(data: TrainingData, boost: Boost | None = None) -> Corpus:
    intents = data.intents
    words, characters = _Counts(), _Counts()
    lengths = []
    for example in data.examples:
        found = grams(tokens(normalise(example.text)))
        words.add(found.words + found.pairs)
        characters.add(found.characters)
        lengths.append(len(found.words))
    return Corpus(
        texts=[example.text for example in data.examples],
        truth=np.array([intents.index(example.intent) for example in data.examples]),
        intents=intents,
        words=words.matrix(),
        characters=characters.matrix(),
        vocabulary=(list(words.vocabulary), list(characters.vocabulary)),
        lengths=np.array(lengths),
        meanings=boost and sparse.csr_matrix(boost.meanings([one.text for one in data.examples])),
    )


class _Counts:
    def __init__(self) -> None:
        self.vocabulary = defaultdict[str, int]()
        self.vocabulary.default_factory = self.vocabulary.__len__  # a new n-gram gets the next column
        self._starts, self._columns, self._values = [0], list[int](), list[int]()

    def add(self, found: list[str]) -> None:
        counts = Counter(found)
        self._columns += map(self.vocabulary.__getitem__, counts)
        self._values += counts.values()
        self._starts.append(len(self._columns))

    def matrix(self) -> Matrix:
        values = 1 + np.log(np.array(self._values, dtype=np.float64))
        shape = (len(self._starts) - 1, len(self.vocabulary))
        return sparse.csr_matrix((values, self._columns, self._starts), shape=shape)


def inverse_frequency(block: Matrix, rows: Rows) -> Floats:
    """Smooth inverse document frequency over `rows`; 0 for what does not occur in them."""
    frequency = np.bincount(block[rows].indices, minlength=block.shape[1])
    weights: Floats = np.where(frequency > 0, np.log((1 + len(rows)) / (1 + frequency)) + 1, 0.0)
    return weights


def weighed(block: Matrix, idf: Floats) -> Matrix:
    """Rows of length one."""
    values = block.data * idf[block.indices]
    owners = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
    lengths = np.sqrt(np.bincount(owners, values**2, block.shape[0]))
    lengths[lengths == 0] = 1.0
    return sparse.csr_matrix((values / lengths[owners], block.indices, block.indptr), shape=block.shape)
