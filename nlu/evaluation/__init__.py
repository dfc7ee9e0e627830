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
from nlu.evaluation.chance import CHANCE, at_least
from nlu.evaluation.promises import NEVER, Kept, keep, table
from nlu.features import normalise, tokens
from nlu.models import OUT_OF_SCOPE, Model, learned, out_of_fold
from nlu.reading import Example, TrainingData

BREATH = 50  # messages between two chances for the loop
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
PROMISES = (0.005, 0.01, 0.02, 0.05, 0.1)  # shares of wrong answers
POINTS = 60  # of a curve
MISSED = {
    Level.NORMAL: 1,
    Level.HIGH: 5,
    Level.CRITICAL: 20,
}  # what it costs to take a message for less urgent


class IntentScore(Struct, frozen=True, kw_only=True):
    precision: float
    recall: float
    f1: float
    support: int


class Confusion(Struct, frozen=True, kw_only=True):
    expected: str
    predicted: str
    count: int
    example: str


class Miss(Struct, frozen=True, kw_only=True):
    text: str
    expected: str
    predicted: str
    confidence: float


class OutOfScope(Struct, frozen=True, kw_only=True):
    auroc: float  # of the score, whatever the intent's name
    recall: float  # of the intent's name
    precision: float


class UrgencyScore(Struct, frozen=True, kw_only=True):
    n: int
    accuracy: float
    within_one: float  # level at most one away
    kappa: float  # quadratic weighted: 0 is chance, 1 is perfect
    high_recall: float  # of what should be high or critical
    high_precision: float
    critical_recall: float
    missed_cost: float  # of what the misses could cost (normal 1, high 5, critical 20), the share they did
    false_alarms: float  # share of messages taken for more urgent than they are
    matrix: tuple[tuple[int, ...], ...]  # messages, rows what it should be, columns what was said; low first


class Answering(Struct, frozen=True, kw_only=True):
    """What answering from this confidence on would have meant."""

    threshold: float
    answered: float  # share of all messages
    right: float  # share of those answered


class Bin(Struct, frozen=True, kw_only=True):
    """Messages of about the same confidence; calibrated is where both shares are the same."""

    n: int
    confidence: float  # on average
    right: float


class Point(Struct, frozen=True, kw_only=True):
    """Answering the surest messages first: how many, and how many of those wrongly."""

    answered: float
    wrong: float


class Promise(Struct, frozen=True, kw_only=True):
    """What the thresholds that keep a promise in cross-validation come to on these messages."""

    wrong_answers: float  # promised
    n: int  # messages answered
    mistakes: int  # of those
    answered: float  # share of all
    wrong: float  # share of those answered
    thresholds: dict[str, float | None]  # None: handed off

    @property
    def is_broken(self) -> bool:
        """Whether who keeps the promise would do as badly in fewer than one test of twenty."""
        return at_least(self.mistakes, self.n, self.wrong_answers) < CHANCE


class Automation(Struct, frozen=True, kw_only=True):
    promises: tuple[Promise, ...] = ()  # of a model with a cross-validation
    curve: tuple[Point, ...]


class Report(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All shares are 0..1. `accuracy` counts `out_of_scope` as an intent like any other."""

    model: str
    n: int
    accuracy: float
    macro_f1: float
    ece: float
    in_scope_accuracy: float
    out_of_scope: OutOfScope | None = None
    urgency: UrgencyScore | None = None
    answering: tuple[Answering, ...]
    per_intent: dict[str, IntentScore]
    confusions: tuple[Confusion, ...]
    errors: tuple[Miss, ...]  # the surest first
    parse_ms: dict[str, float] = {}
    reliability: tuple[Bin, ...]  # 15 bins, empty ones left out
    automation: Automation
    warnings: tuple[str, ...] = ()
    learned: int | None = (
        None  # messages the model was trained on; None: that is unknown, or each was held out
    )
    leaks: tuple[str, ...] = ()  # where these are in the file


Pairs = Sequence[tuple[Example, Understanding]]


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
    examples = tuple(example for example, _ in pairs)
    found = _report(model.id, TrainingData(examples=examples), pairs)
    return replace(found, parse_ms={}, automation=_automation(pairs, model), warnings=model.facts.warnings)


def report(engine: Understander, data: TrainingData, pairs: Pairs, model: Model | None = None) -> Report:
    found = _report(engine.model, data, pairs)
    warnings, leaks = (*data.warnings, *_unknown(engine, data)), tuple(_leaked(model, data) if model else ())
    return replace(
        found,
        automation=_automation(pairs, model),
        warnings=warnings,
        learned=len(leaks) if model else None,
        leaks=leaks,
    )


def _report(model: str, data: TrainingData, pairs: Pairs) -> Report:
    correct = np.array([example.intent == found.intent.name for example, found in pairs])
    confidence = np.array([found.intent.confidence for _, found in pairs])
    inside = np.array([example.intent != OUT_OF_SCOPE for example, _ in pairs])
    per_intent = dict(_per_intent(pairs))
    times = np.array([found.ms for _, found in pairs])
    return Report(
        model=model,
        n=len(pairs),
        accuracy=_share(correct),
        macro_f1=round(
            macro_f1((example.intent for example, _ in pairs), (found.intent.name for _, found in pairs)),
            4,
        ),
        ece=round(calibration_error(confidence, correct), 4),
        in_scope_accuracy=_share(correct[inside]),
        out_of_scope=_out_of_scope(pairs, ~inside, per_intent),
        urgency=_urgency(data, pairs),
        answering=tuple(_answering(pairs, confidence, correct)),
        per_intent=per_intent,
        confusions=tuple(_confusions(pairs)),
        errors=tuple(_errors(pairs)),
        parse_ms={f"p{mark}": round(float(np.percentile(times, mark)), 3) for mark in (50, 99)},
        reliability=tuple(_reliability(confidence, correct)),
        automation=Automation(curve=()),
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
    labelled = [
        (Level(level).rank, found.urgency.level.rank)
        for example, found in pairs
        if (level := example.urgency or data.urgency.get(example.intent, ""))
    ]
    if not labelled:
        return None
    wanted, got = np.array(labelled).T
    high = Level.HIGH.rank
    return UrgencyScore(
        n=len(labelled),
        accuracy=_share(wanted == got),
        within_one=_share(np.abs(wanted - got) <= 1),
        kappa=round(_kappa(wanted, got), 4),
        high_recall=_share(got[wanted >= high] >= high),
        high_precision=_share(wanted[got >= high] >= high),
        critical_recall=_share(got[wanted == Level.CRITICAL.rank] == Level.CRITICAL.rank),
        missed_cost=_missed_cost(wanted, got),
        false_alarms=_share(got > wanted),
        matrix=tuple(map(tuple, _matrix(wanted, got).astype(int).tolist())),
    )


def _missed_cost(wanted: NDArray[np.int_], got: NDArray[np.int_]) -> float:
    costs = np.array([MISSED.get(level, 0) for level in Level])[wanted]
    return round(float(costs[got < wanted].sum() / costs.sum()), 4) if costs.any() else 0.0


def _matrix(wanted: NDArray[np.int_], got: NDArray[np.int_]) -> NDArray[np.float64]:
    counts = np.zeros((len(Level), len(Level)))
    np.add.at(counts, (wanted, got), 1)
    return counts


def _kappa(wanted: NDArray[np.int_], got: NDArray[np.int_]) -> float:
    """Quadratic weighted kappa (Cohen 1968)."""
    levels, observed = len(Level), _matrix(wanted, got)
    expected = np.outer(observed.sum(1), observed.sum(0)) / len(wanted)
    weights = np.subtract.outer(np.arange(levels), np.arange(levels)) ** 2
    chance = float((weights * expected).sum())
    return 1.0 - float((weights * observed).sum()) / chance if chance else 1.0


def _answering(
    pairs: Pairs, confidence: NDArray[np.float64], correct: NDArray[np.bool_]
) -> Iterator[Answering]:
    answerable = np.array([found.intent.name not in {OUT_OF_SCOPE, ""} for _, found in pairs])
    for threshold in THRESHOLDS:
        chosen = answerable & (confidence >= threshold)
        yield Answering(threshold=threshold, answered=_share(chosen), right=_share(correct[chosen]))


def _automation(pairs: Pairs, model: Model | None) -> Automation:
    sure = np.array([found.intent.confidence for _, found in pairs])
    right = np.array([example.intent == found.intent.name for example, found in pairs])
    answerable = np.array([found.intent.name not in {OUT_OF_SCOPE, ""} for _, found in pairs])
    order = np.argsort(-sure[answerable], kind="stable")
    wrong = np.cumsum(~right[answerable][order])
    places = np.unique(np.linspace(0, len(order) - 1, POINTS).astype(int)).tolist() if len(order) else []
    curve = [
        Point(answered=round((place + 1) / len(pairs), 4), wrong=round(float(wrong[place] / (place + 1)), 4))
        for place in places
    ]
    kept = [keep(table(model), promise) for promise in PROMISES] if model else []
    return Automation(promises=tuple(_promise(pairs, one) for one in kept), curve=tuple(curve))


def _promise(pairs: Pairs, kept: Kept) -> Promise:
    answered = [
        example.intent == found.intent.name
        for example, found in pairs
        if found.intent.confidence >= kept.thresholds.get(found.intent.name, NEVER)
    ]
    return Promise(
        wrong_answers=kept.wrong_answers,
        n=len(answered),
        mistakes=answered.count(False),
        answered=round(len(answered) / max(len(pairs), 1), 4),
        wrong=round(answered.count(False) / max(len(answered), 1), 4),
        thresholds={intent: None if least >= NEVER else least for intent, least in kept.thresholds.items()},
    )


def _reliability(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> Iterator[Bin]:
    which = np.minimum((confidence * BINS).astype(int), BINS - 1)
    for place in range(BINS):
        mine = which == place
        if mine.any():
            yield Bin(
                n=int(mine.sum()),
                confidence=round(float(confidence[mine].mean()), 4),
                right=_share(correct[mine]),
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


def _leaked(model: Model, data: TrainingData) -> Iterator[str]:
    known = {_read_as(text) for text in learned(model)}
    for example in data.examples:
        if _read_as(example.text) in known:
            short = example.text if len(example.text) <= 50 else f"{example.text[:49]}…"
            yield f'{example.file}:{example.line}: "{short}" is in the training data too, so it proves nothing'


def _read_as(text: str) -> str:
    """Texts of which this is the same are the same to a model."""
    return " ".join(tokens(normalise(text))) or text


def _share(values: NDArray[np.bool_]) -> float:
    return round(float(values.mean()), 4) if len(values) else 0.0
