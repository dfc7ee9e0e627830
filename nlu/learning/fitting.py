"""A linear model of a corpus, and for each example what a model says that has not seen it.

The only module that imports scikit-learn: https://scikit-learn.org/stable/modules/svm.html
"""

from __future__ import annotations

import multiprocessing
import os
import warnings
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from nlu.calibration import Floats
from nlu.learning.corpus import Corpus, Matrix, Rows, inverse_frequency, weighed
from nlu.scoring import NO_SCORE, Scope

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


def fit(corpus: Corpus, rows: Rows, few: int = FEW_PASSES) -> Fitted:
    idf = (inverse_frequency(corpus.words, rows), inverse_frequency(corpus.characters, rows))
    blocks = [weighed(corpus.words, idf[0]), weighed(corpus.characters, idf[1])]
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


def halve(matrix: Matrix, target: NDArray[np.bool_], counts: Floats) -> tuple[Floats, float]:
    """Weights and bias of one line between two sides that count alike; `counts`: what each row does."""
    machine = LinearSVC(C=PENALTY, tol=TOLERANCE, random_state=SEED, class_weight="balanced")
    machine.fit(matrix, target, sample_weight=counts)
    return machine.coef_[0], float(machine.intercept_[0])


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


def fit_and_judge(corpus: Corpus, within: Scope) -> tuple[Fitted, Judged]:
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
        return fit(corpus, everything), _together([_judge(*job) for job in jobs], fold)
    # liblinear keeps its random state in a global, so threads would spoil each other's; processes do not.
    with multiprocessing.get_context("fork").Pool(min(os.cpu_count() or 1, FOLDS)) as pool:
        pending = [pool.apply_async(_judge, job) for job in jobs]
        fitted = fit(corpus, everything)
        return fitted, _together([result.get() for result in pending], fold)


def _judge(corpus: Corpus, within: Scope, seen: Rows, held: Rows) -> Judged:
    fitted = fit(corpus, seen, HELD_PASSES)
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
