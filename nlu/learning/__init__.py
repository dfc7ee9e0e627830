"""Learns a model from examples: TF-IDF of words and characters, a linear SVM, calibrated out-of-fold.

It runs in a process of its own: see `nlu.training`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from bot.domain.understanding import Level
from nlu import ordinal
from nlu.calibration import Floats, Logistic, fit_logistic, fit_temperature, logistic, scores
from nlu.facts import OUT_OF_SCOPE, Arrays, Facts, Knowledge
from nlu.learning.corpus import Boost, Corpus, Rows, corpus_of
from nlu.learning.fitting import Fitted, Judged, fit_and_judge, halve
from nlu.models import Model, blob, name
from nlu.ordinal import Labelled, Step
from nlu.reading import TrainingData
from nlu.rules import roles
from nlu.scoring import Scope, evidence, nothing_known, scope, standings
from nlu.urgency import floor, points, signals

__all__ = ["Boost", "learn"]

UNUSUAL = 0.05  # share of our own examples that may look strange when nothing taught us what strange is


def learn(data: TrainingData, now: datetime, boost: Boost | None = None) -> Model:
    """A model of `data`; the same data give the same id."""
    corpus = corpus_of(data, boost)
    within = scope(corpus.intents, OUT_OF_SCOPE)
    fitted, judged = fit_and_judge(corpus, within)
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
        scores=scores(
            corpus.truth,
            table["oof_predicted"].astype(np.intp),
            table["oof_confidence"].astype(float),
            table["oof_strange"].astype(float),
            outside=within.outside,
        ),
        warnings=data.warnings,
    )
    return Model(id=name(facts, arrays), created_at=now, facts=facts, arrays=arrays)


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
        return halve(fitted.rows[rows], target, counts)

    def score(rows: Rows, weights: Floats, bias: float) -> Floats:
        distances: Floats = fitted.rows[rows] @ weights + bias
        return distances

    steps, lines = ordinal.learn(labelled, _everyday(data, levels), separate, score)
    return steps, None if lines is None else lines.astype(np.float16)


def _everyday(data: TrainingData, levels: Sequence[str]) -> Rows:
    """Messages that nobody called urgent or not, and nothing in them does: what most people write, most of the time."""
    plain = np.array([row for row, level in enumerate(levels) if not level], dtype=np.intp)
    most = int(ordinal.EVERYDAY * sum(bool(example.urgency) for example in data.examples))
    spread = plain[np.linspace(0, len(plain) - 1, min(most, len(plain)), dtype=np.intp)]
    return np.array([row for row in spread if not any(signals(data.examples[row].text))], dtype=np.intp)


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
