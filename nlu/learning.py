"""Learns a model from examples: TF-IDF of words and characters, a linear SVM, calibrated out-of-fold.

The only module that imports scikit-learn (https://scikit-learn.org/stable/modules/svm.html), and it runs in a
process of its own: see `nlu.training`.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from bot.domain.understanding import Level
from nlu import ordinal
from nlu.calibration import (
    SURE,
    Floats,
    Logistic,
    calibration_error,
    fit_logistic,
    fit_temperature,
    logistic,
    macro_f1,
    separation,
)
from nlu.features import grams, normalise, tokens
from nlu.models import OUT_OF_SCOPE, Arrays, Facts, Knowledge, Model, blob, name
from nlu.ordinal import Labelled, Step
from nlu.reading import TrainingData
from nlu.rules import roles
from nlu.scoring import NO_SCORE, Scope, evidence, nothing_known, scope, standings
from nlu.urgency import floor, points, signals

FOLDS = 5
SEED = 0
PENALTY = 0.5  # C of the SVM
TOLERANCE = 0.1  # measured: a hundred times finer changes no accuracy, only the time
PASSES = 1000  # over the examples, at most
# Many examples of many intents need few: on Banking77 and CLINC150 seven are as good as all twelve.
# For what a model says of examples it has not seen, three are enough.
MANY, FEW_PASSES, HELD_PASSES = 500_000, 7, 3  # examples x intents
WORTH_A_PROCESS = 200_000  # examples x intents from which forking pays
PRINTED = 32  # n-grams of an example that are kept to tell what is near it
UNUSUAL = 0.05  # share of our own examples that may look strange when nothing taught us what strange is

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


class Fitted(Struct, frozen=True):
    """A linear model over some rows of the corpus."""

    weights: Floats  # [n-grams (and numbers of an embedding), intents]
    bias: Floats
    idf: tuple[Floats, Floats]
    rows: Matrix  # every row of the corpus as n-grams, as this model weighs them
    seen: Matrix  # the same, with the sentence embeddings behind where there are some
    characters: Matrix  # the second block of those rows
    prints: Matrix  # the same, but only the weightiest n-grams of each row


class Judged(Struct, frozen=True):
    """What rows got from a model that had not seen them."""

    scores: Floats
    nearest: Floats
    known: Floats


def learn(data: TrainingData, now: datetime, boost: Boost | None = None) -> Model:
    """A model of `data`; the same data give the same id."""
    corpus = _corpus(data, boost)
    within = scope(corpus.intents, OUT_OF_SCOPE)
    fitted, judged = _fit_all(corpus, within)
    truth_inside = _inside_truth(corpus.truth, within)
    answerable = truth_inside >= 0
    temperature = fit_temperature(within.answerable(judged.scores)[answerable], truth_inside[answerable])
    values, choices = _evidence(corpus, judged, within, temperature)
    correct = _fit_correct(values, choices == corpus.truth, within)
    strange = _fit_strange(values, corpus.truth == within.outside, within)
    table = _out_of_fold(corpus, within, values, choices, correct, strange)
    urgent, lines = _urgency(data, fitted)
    arrays = _arrays(corpus, fitted) | table | ({} if lines is None else {"urgent": lines})
    if boost:
        arrays["boost"] = fitted.weights[fitted.rows.shape[1] :].astype(np.float16)
    facts = Facts(
        boost=boost.name if boost else "",
        intents=corpus.intents,
        examples=len(corpus.texts),
        data=_digest(data),
        temperature=temperature,
        correct=correct,
        strange=strange,
        urgent=urgent,
        knowledge=Knowledge(
            urgency=data.urgency,
            synonyms=data.synonyms,
            regexes=tuple((one.entity, one.pattern) for one in data.regexes),
            lookups=data.known_values(),
            roles=roles.learn((one.text, one.entities) for one in data.examples),
        ),
        scores=scores(corpus.truth, table, within),
        warnings=data.warnings,
    )
    return Model(id=name(facts, arrays), created_at=now, facts=facts, arrays=arrays)


def scores(truth: Rows, table: Arrays, within: Scope) -> dict[str, float]:
    """Cross-validation in a few numbers, all 0..1."""
    predicted, confidence = table["oof_predicted"].astype(np.intp), table["oof_confidence"].astype(float)
    correct = predicted == truth
    answered = (confidence >= SURE) & (predicted != within.outside)
    found = {
        "accuracy": float(correct.mean()),
        "macro_f1": macro_f1(truth.tolist(), predicted.tolist()),
        "ece": calibration_error(confidence, correct),
        "answered": float(answered.mean()),
        "right_when_answered": float(correct[answered].mean()) if answered.any() else 0.0,
    }
    if within.outside >= 0:
        found["out_of_scope_auroc"] = separation(table["oof_strange"].astype(float), truth == within.outside)
    return {key: round(value, 4) for key, value in found.items()}


# ── Counting ────────────────────────────────────────────────────────────────────────────────────


def _corpus(data: TrainingData, boost: Boost | None = None) -> Corpus:
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


def _idf(block: Matrix, rows: Rows) -> Floats:
    """Smooth inverse document frequency over `rows`; 0 for what does not occur in them."""
    frequency = np.bincount(block[rows].indices, minlength=block.shape[1])
    weights: Floats = np.where(frequency > 0, np.log((1 + len(rows)) / (1 + frequency)) + 1, 0.0)
    return weights


def _weighed(block: Matrix, idf: Floats) -> Matrix:
    """Rows of length one."""
    values = block.data * idf[block.indices]
    owners = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
    lengths = np.sqrt(np.bincount(owners, values**2, block.shape[0]))
    lengths[lengths == 0] = 1.0
    return sparse.csr_matrix((values / lengths[owners], block.indices, block.indptr), shape=block.shape)


# ── Fitting ─────────────────────────────────────────────────────────────────────────────────────


def _fit(corpus: Corpus, rows: Rows, few: int = FEW_PASSES) -> Fitted:
    idf = (_idf(corpus.words, rows), _idf(corpus.characters, rows))
    blocks = [_weighed(corpus.words, idf[0]), _weighed(corpus.characters, idf[1])]
    matrix = sparse.hstack(blocks, format="csr")
    seen = matrix if corpus.meanings is None else sparse.hstack([matrix, corpus.meanings], format="csr")
    weights, bias = _separate(seen[rows], corpus.truth[rows], len(corpus.intents), few)
    return Fitted(weights, bias, idf, matrix, seen, blocks[1], _prints(blocks[1]))


def _separate(matrix: Matrix, truth: Rows, intents: int, few: int) -> tuple[Floats, Floats]:
    """Weights and bias per intent; an intent without examples here never wins."""
    weights, bias = np.zeros((matrix.shape[1], intents)), np.full(intents, NO_SCORE)
    present = np.unique(truth)
    if len(present) < 2:
        return weights, bias
    passes = few if len(truth) * len(present) > MANY else PASSES
    machine = LinearSVC(C=PENALTY, tol=TOLERANCE, random_state=SEED, max_iter=passes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # that is what the passes are for
        machine.fit(matrix, truth)
    lines, offsets = machine.coef_, machine.intercept_
    if len(present) == 2:  # scikit-learn keeps one line for two classes
        lines, offsets = np.vstack([-lines, lines]), np.concatenate([-offsets, offsets])
    weights[:, present], bias[present] = lines.T, offsets
    return weights, bias


def folds(truth: Rows) -> Rows:
    """A fold for each row: shuffled once, spread evenly over each intent, however few examples it has."""
    found = np.zeros(len(truth), dtype=np.intp)
    order = np.random.default_rng(SEED).permutation(len(truth))
    dealt = 0
    for intent in np.unique(truth):
        mine = order[truth[order] == intent]
        found[mine] = (dealt + np.arange(len(mine))) % FOLDS
        dealt += len(mine)
    return found


def _fit_all(corpus: Corpus, within: Scope) -> tuple[Fitted, Judged]:
    """The model of everything, and for each row what a model said that had not seen it."""
    fold = folds(corpus.truth)
    everything = np.arange(len(fold))
    jobs = [
        (corpus, within, everything[fold != number], everything[fold == number]) for number in range(FOLDS)
    ]
    if (
        len(fold) * len(corpus.intents) < WORTH_A_PROCESS
        or (os.cpu_count() or 1) < 2
        or not hasattr(os, "fork")
    ):
        return _fit(corpus, everything), _together([_judge(*job) for job in jobs], fold)
    # liblinear keeps its random state in a global, so threads would spoil each other's; processes do not.
    with multiprocessing.get_context("fork").Pool(min(os.cpu_count() or 1, FOLDS)) as pool:
        pending = [pool.apply_async(_judge, job) for job in jobs]
        fitted = _fit(corpus, everything)
        return fitted, _together([result.get() for result in pending], fold)


def _judge(corpus: Corpus, within: Scope, seen: Rows, held: Rows) -> Judged:
    fitted = _fit(corpus, seen, HELD_PASSES)
    found = fitted.seen[held] @ fitted.weights + fitted.bias
    choices = within.inside[within.answerable(found).argmax(1)]
    nearest = _nearest(fitted, corpus.truth, seen, held, choices)
    return Judged(found, nearest, _known(corpus, fitted.idf[0], held))


def _prints(characters: Matrix) -> Matrix:
    """Rows of length one with the `PRINTED` weightiest n-grams: as good as all of them to see what is near."""
    prints = characters.copy()
    for start, end in pairwise(prints.indptr):
        values = prints.data[start:end]
        if len(values) > PRINTED:
            values[values < np.partition(values, -PRINTED)[-PRINTED]] = 0.0
        values /= np.sqrt(values.dot(values)) or 1.0
    prints.eliminate_zeros()
    return prints


def _nearest(fitted: Fitted, truth: Rows, seen: Rows, held: Rows, choices: Rows) -> Floats:
    """Cosine (0..1) of each held row to the nearest seen example of the intent chosen for it."""
    found = np.zeros(len(held))
    for intent in np.unique(choices):
        mine, examples = np.flatnonzero(choices == intent), seen[truth[seen] == intent]
        if len(examples):
            cosines = fitted.characters[held[mine]] @ fitted.prints[examples].T
            found[mine] = cosines.max(axis=1).toarray().ravel()
    return found


def _known(corpus: Corpus, idf: Floats, held: Rows) -> Floats:
    """Share of each row's different words that the seen rows hold."""
    single = np.array([" " not in gram for gram in corpus.vocabulary[0]], dtype=float)
    pattern = corpus.words[held].copy()
    pattern.data = np.ones_like(pattern.data)
    known: Floats = (pattern @ (single * (idf > 0))) / np.maximum(pattern @ single, 1)
    return known


def _together(parts: Sequence[Judged], fold: Rows) -> Judged:
    order = np.argsort(np.concatenate([np.flatnonzero(fold == number) for number in range(FOLDS)]))
    return Judged(
        np.concatenate([part.scores for part in parts])[order],
        np.concatenate([part.nearest for part in parts])[order],
        np.concatenate([part.known for part in parts])[order],
    )


# ── Calibrating ─────────────────────────────────────────────────────────────────────────────────


def _inside_truth(truth: Rows, within: Scope) -> Rows:
    """Positions within `Scope.inside`; -1 for what is outside."""
    places = {column: place for place, column in enumerate(within.inside.tolist())}
    return np.array([places.get(int(column), -1) for column in truth])


def _evidence(corpus: Corpus, judged: Judged, within: Scope, temperature: float) -> tuple[Floats, Rows]:
    found = standings(judged.scores, within, temperature)
    columns = evidence(found, nearest=judged.nearest, known=judged.known, words=np.log1p(corpus.lengths))
    return np.column_stack(columns), within.inside[within.answerable(judged.scores).argmax(1)]


def _fit_correct(values: Floats, correct: NDArray[np.bool_], within: Scope) -> Logistic:
    """One row of nothing known keeps a small, perfect training set from trusting everything."""
    rows = np.vstack([values, nothing_known(len(within.inside))])
    return fit_logistic(rows, np.append(correct, False))


def _fit_strange(values: Floats, strange: NDArray[np.bool_], within: Scope) -> Logistic:
    if within.outside >= 0:
        rows = np.vstack([values, nothing_known(len(within.inside))])
        return fit_logistic(rows, np.append(strange, True))
    return _unlike(values)


def _unlike(values: Floats) -> Logistic:
    """Without examples of what is out of scope: unlike our own ones in score, in nearness and in words."""
    columns = [0, 3, 4]
    weights = np.zeros(values.shape[1])
    weights[columns] = -1 / (values[:, columns].std(0) + 1e-9)
    bias = -float(np.quantile(values @ weights, 1 - UNUSUAL))
    low, high = np.minimum(values.min(0), nothing_known(1)), values.max(0)
    return logistic(weights, bias, low, high)


def _out_of_fold(
    corpus: Corpus, within: Scope, values: Floats, choices: Rows, correct: Logistic, strange: Logistic
) -> Arrays:
    right = np.array([correct(row) for row in values.tolist()])
    far = np.array([strange(row) for row in values.tolist()])
    outside = (far > right) & (within.outside >= 0)
    return {
        "oof_texts": blob(corpus.texts),
        "oof_expected": corpus.truth.astype(np.uint16),
        "oof_predicted": np.where(outside, within.outside, choices).astype(np.uint16),
        "oof_confidence": np.where(outside, far, right).astype(np.float32),
        "oof_strange": far.astype(np.float32),
    }


# ── Urgency ─────────────────────────────────────────────────────────────────────────────────────


def _urgency(data: TrainingData, fitted: Fitted) -> tuple[tuple[Step, ...], Floats | None]:
    """Lines for the levels of urgency, from the labels of examples and of intents."""
    if not any(example.urgency for example in data.examples):
        return (), None
    levels = [example.urgency or data.urgency.get(example.intent, "") for example in data.examples]
    rows = np.array([row for row, level in enumerate(levels) if level], dtype=np.intp)
    found = [list(signals(data.examples[row].text)) for row in rows]
    labelled = Labelled(
        rows,
        np.array([Level(levels[row]).rank for row in rows], dtype=np.intp),
        np.array([bool(data.examples[row].urgency) for row in rows], dtype=np.bool_),
        np.array([points(one) for one in found]),
        np.array([float(floor(one).rank) for one in found]),
    )

    def separate(rows: Rows, target: NDArray[np.bool_], counts: Floats) -> tuple[Floats, float]:
        machine = LinearSVC(C=PENALTY, tol=TOLERANCE, random_state=SEED, class_weight="balanced")
        machine.fit(fitted.rows[rows], target, sample_weight=counts)
        return machine.coef_[0], float(machine.intercept_[0])

    def score(rows: Rows, weights: Floats, bias: float) -> Floats:
        distances: Floats = fitted.rows[rows] @ weights + bias
        return distances

    steps, lines = ordinal.learn(labelled, separate, score)
    return steps, None if lines is None else lines.astype(np.float16)


# ── The model's arrays ──────────────────────────────────────────────────────────────────────────


def _arrays(corpus: Corpus, fitted: Fitted) -> Arrays:
    order = np.argsort(corpus.truth, kind="stable")
    # An example without a single word is near to nothing.
    order = order[np.diff(fitted.prints.indptr)[order] > 0]
    near = fitted.prints[order]
    columns = near.indices + corpus.words.shape[1]
    small = np.uint16 if fitted.rows.shape[1] <= np.iinfo(np.uint16).max else np.uint32
    return {
        "words": blob(corpus.vocabulary[0]),
        "characters": blob(corpus.vocabulary[1]),
        "idf": np.concatenate(fitted.idf).astype(np.float32),
        "weights": fitted.weights[: fitted.rows.shape[1]].astype(np.float16),
        "bias": fitted.bias.astype(np.float32),
        "near_starts": near.indptr.astype(np.uint32),
        "near_columns": columns.astype(small),
        "near_values": near.data.astype(np.float16),
        "near_intents": np.searchsorted(corpus.truth[order], np.arange(len(corpus.intents) + 1)).astype(
            np.uint32
        ),
    }


def _digest(data: TrainingData) -> str:
    digest = hashlib.sha256()
    for example in data.examples:
        digest.update(f"{example.intent}\t{example.urgency}\t{example.text}\n".encode())
    return digest.hexdigest()
