"""How good an engine is on examples it has not seen, in numbers; `rendering` and `page` show them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from bot.domain.ports import Understander
from bot.domain.understanding import Context, Intent, Level, Understanding
from nlu.calibration import BINS, calibration_error, macro_f1, separation
from nlu.evaluation import urgency
from nlu.evaluation.figures import (
    Answering,
    Automation,
    Bin,
    Confusion,
    IntentScore,
    Miss,
    OutOfScope,
    Point,
    Promise,
    Report,
    UrgencyScore,
    share,
)
from nlu.evaluation.promises import NEVER, Kept, keep, table
from nlu.facts import OUT_OF_SCOPE
from nlu.features import normalise, tokens
from nlu.models import Model, learned, out_of_fold
from nlu.reading import Example, TrainingData
from nlu.reading.nodes import short

BREATH = 50  # messages between two chances for the loop
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
PROMISES = (0.005, 0.01, 0.02, 0.05, 0.1)  # shares of wrong answers
POINTS = 60  # of a curve

Flags = NDArray[np.bool_]
Pairs = Sequence[tuple[Example, Understanding]]


class _Columns(Struct, frozen=True, eq=False):
    """What most figures are made of, a message each."""

    confidence: NDArray[np.float64]
    right: Flags
    answerable: Flags  # an intent was named, and one that can be answered


async def evaluate(engine: Understander, data: TrainingData, model: Model | None = None) -> Report:
    """Ask `engine` about every example of `data`; raises `EngineUnavailable`. `model`: what it was trained from, to
    see which examples it had learned and what its cross-validation promises.
    """
    return report(engine, data, await ask(engine, data), model)


async def ask(engine: Understander, data: TrainingData) -> Pairs:
    """Every example with what `engine` makes of it; raises `EngineUnavailable`."""
    pairs: list[tuple[Example, Understanding]] = []
    for number, example in enumerate(data.examples):
        pairs.append((example, await engine.understand(example.text, Context())))
        if number % BREATH == 0:
            await asyncio.sleep(0)
    return pairs


def cross_validation(model: Model) -> Report:
    """The report on the training examples, each judged by a model that had not seen it; costs no training."""
    pairs = [
        (
            Example(text=one.text, intent=one.expected, file="", line=0),
            Understanding(
                text=one.text,
                intent=Intent(name=one.predicted, confidence=one.confidence),
                out_of_scope=one.out_of_scope,
            ),
        )
        for one in out_of_fold(model)
    ]
    data = TrainingData(examples=tuple(example for example, _ in pairs))
    return replace(_scored(model.id, data, pairs, model), parse_ms={}, warnings=model.facts.warnings)


def report(engine: Understander, data: TrainingData, pairs: Pairs, model: Model | None = None) -> Report:
    """`pairs` are what `ask` says about `data`."""
    found = _scored(engine.model, data, pairs, model)
    found = replace(found, warnings=(*data.warnings, *_unknown(engine, data)))
    if model is None:
        return found
    leaks = {place: _where(data.examples[place]) for place in leaked(model, data)}
    others = [one.intent == said.intent.name for place, (one, said) in enumerate(pairs) if place not in leaks]
    return replace(
        found,
        learned=len(leaks),
        leaks=tuple(leaks.values()),
        unlearned_accuracy=share(np.array(others)) if leaks and others else None,
    )


def _scored(name: str, data: TrainingData, pairs: Pairs, model: Model | None) -> Report:
    columns = _columns(pairs)
    inside = np.array([example.intent != OUT_OF_SCOPE for example, _ in pairs])
    per_intent = dict(_per_intent(pairs))
    times = np.array([found.ms for _, found in pairs])
    expected, predicted = zip(*((example.intent, found.intent.name) for example, found in pairs), strict=True)
    return Report(
        model=name,
        n=len(pairs),
        accuracy=share(columns.right),
        macro_f1=round(macro_f1(expected, predicted), 4),
        ece=round(calibration_error(columns.confidence, columns.right), 4),
        in_scope_accuracy=share(columns.right[inside]),
        out_of_scope=_out_of_scope(pairs, ~inside, per_intent),
        urgency=_urgency(data, pairs),
        answering=tuple(_answering(columns)),
        per_intent=per_intent,
        confusions=tuple(_confusions(pairs)),
        errors=tuple(_errors(pairs)),
        parse_ms={f"p{mark}": round(float(np.percentile(times, mark)), 3) for mark in (50, 99)},
        reliability=tuple(_reliability(columns)),
        automation=Automation(promises=tuple(_promises(pairs, model)), curve=tuple(_curve(columns))),
    )


def _columns(pairs: Pairs) -> _Columns:
    return _Columns(
        confidence=np.array([found.intent.confidence for _, found in pairs]),
        right=np.array([example.intent == found.intent.name for example, found in pairs]),
        answerable=np.array([found.intent.name not in {OUT_OF_SCOPE, ""} for _, found in pairs]),
    )


def _per_intent(pairs: Pairs) -> Iterator[tuple[str, IntentScore]]:
    support = Counter(example.intent for example, _ in pairs)
    predicted = Counter(found.intent.name for _, found in pairs)
    hits = Counter(example.intent for example, found in pairs if example.intent == found.intent.name)
    for intent in sorted(support):
        precision = hits[intent] / predicted[intent] if predicted[intent] else 0.0
        recall = hits[intent] / support[intent]
        f1 = 2 * hits[intent] / (support[intent] + predicted[intent])
        yield (
            intent,
            IntentScore(
                precision=round(precision, 4),
                recall=round(recall, 4),
                f1=round(f1, 4),
                support=support[intent],
            ),
        )


def _out_of_scope(
    pairs: Pairs, outside: NDArray[np.bool_], per_intent: dict[str, IntentScore]
) -> OutOfScope | None:
    if OUT_OF_SCOPE not in per_intent:
        return None
    scores = np.array([found.out_of_scope for _, found in pairs])
    named = per_intent[OUT_OF_SCOPE]
    return OutOfScope(
        auroc=round(separation(scores, outside), 4), recall=named.recall, precision=named.precision
    )


def _urgency(data: TrainingData, pairs: Pairs) -> UrgencyScore | None:
    labels = ((one.urgency or data.urgency.get(one.intent, ""), said.urgency.level) for one, said in pairs)
    return urgency.score([(Level(label), said) for label, said in labels if label])


def _answering(columns: _Columns) -> Iterator[Answering]:
    for threshold in THRESHOLDS:
        chosen = columns.answerable & (columns.confidence >= threshold)
        yield Answering(threshold=threshold, answered=share(chosen), right=share(columns.right[chosen]))


def _curve(columns: _Columns) -> Iterator[Point]:
    order = np.argsort(-columns.confidence[columns.answerable], kind="stable")
    if not len(order):
        return
    wrong = np.cumsum(~columns.right[columns.answerable][order])
    for place in np.unique(np.linspace(0, len(order) - 1, POINTS).astype(int)).tolist():
        answered = place + 1
        yield Point(
            answered=round(answered / len(columns.right), 4), wrong=round(float(wrong[place] / answered), 4)
        )


def _promises(pairs: Pairs, model: Model | None) -> Iterator[Promise]:
    if model:
        seen = table(model)
        yield from (_promise(pairs, keep(seen, wrong_answers)) for wrong_answers in PROMISES)


def _promise(pairs: Pairs, kept: Kept) -> Promise:
    right = [
        example.intent == found.intent.name
        for example, found in pairs
        if found.intent.confidence >= kept.thresholds.get(found.intent.name, NEVER)
    ]
    mistakes = right.count(False)
    return Promise(
        wrong_answers=kept.wrong_answers,
        n=len(right),
        mistakes=mistakes,
        answered=round(len(right) / len(pairs), 4),
        wrong=round(mistakes / max(len(right), 1), 4),
        thresholds={intent: None if least >= NEVER else least for intent, least in kept.thresholds.items()},
    )


def _reliability(columns: _Columns) -> Iterator[Bin]:
    which = np.minimum((columns.confidence * BINS).astype(int), BINS - 1)
    for place in np.unique(which):
        mine = which == place
        yield Bin(
            n=int(mine.sum()),
            confidence=round(float(columns.confidence[mine].mean()), 4),
            right=share(columns.right[mine]),
        )


def _confusions(pairs: Pairs) -> Iterator[Confusion]:
    wrong = [
        (example.intent, found.intent.name, example.text)
        for example, found in pairs
        if example.intent != found.intent.name
    ]
    examples = {(expected, predicted): text for expected, predicted, text in reversed(wrong)}
    for (expected, predicted), count in Counter(one[:2] for one in wrong).most_common():
        yield Confusion(
            expected=expected, predicted=predicted, count=count, example=examples[expected, predicted]
        )


def _errors(pairs: Pairs) -> list[Miss]:
    found = [
        Miss(
            text=example.text,
            expected=example.intent,
            predicted=found.intent.name,
            confidence=round(found.intent.confidence, 4),
        )
        for example, found in pairs
        if example.intent != found.intent.name
    ]
    return sorted(found, key=lambda miss: -miss.confidence)


def _unknown(engine: Understander, data: TrainingData) -> Iterator[str]:
    for intent in data.intents:
        if intent not in engine.intents:
            yield f"`{intent}` is in the test file, and the model does not know it"


def leaked(model: Model, data: TrainingData) -> list[int]:
    """Places of the examples that the model had learned."""
    known = {_read_as(text) for text in learned(model)}
    return [place for place, one in enumerate(data.examples) if _read_as(one.text) in known]


def _where(leak: Example) -> str:
    where = f"{leak.file}:{leak.line}"
    return f'{where}: "{short(leak.text)}" is in the training data too, so it proves nothing'


def _read_as(text: str) -> str:
    """Texts of which this is the same are the same to a model."""
    return " ".join(tokens(normalise(text))) or text
