"""How good an engine is on examples it has not seen, as numbers (JSON) and as one screen of text."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bot.domain.ports import Understander
from bot.domain.understanding import Context, Level, Understanding
from nlu.calibration import calibration_error, separation
from nlu.models import OUT_OF_SCOPE
from nlu.reading import Example, TrainingData

BREATH = 50  # messages between two chances for the loop
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
SHOWN = 5  # lines of each list in the text


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


class Answering(Struct, frozen=True, kw_only=True):
    """What answering from this confidence on would have meant."""

    threshold: float
    answered: float  # share of all messages
    right: float  # share of those answered


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
    parse_ms: dict[str, float]
    warnings: tuple[str, ...] = ()


Pairs = Sequence[tuple[Example, Understanding]]


async def evaluate(engine: Understander, data: TrainingData) -> Report:
    """Ask `engine` about every example of `data`; raises `EngineUnavailable`."""
    pairs: list[tuple[Example, Understanding]] = []
    for number, example in enumerate(data.examples):
        pairs.append((example, await engine.understand(example.text, Context())))
        if number % BREATH == 0:
            await asyncio.sleep(0)
    return report(engine, data, pairs)


def report(engine: Understander, data: TrainingData, pairs: Pairs) -> Report:
    correct = np.array([example.intent == found.intent.name for example, found in pairs])
    confidence = np.array([found.intent.confidence for _, found in pairs])
    inside = np.array([example.intent != OUT_OF_SCOPE for example, _ in pairs])
    per_intent = dict(_per_intent(pairs))
    times = np.array([found.ms for _, found in pairs])
    return Report(
        model=engine.model,
        n=len(pairs),
        accuracy=_share(correct),
        macro_f1=_mean([score.f1 for score in per_intent.values()]),
        ece=round(calibration_error(confidence, correct), 4),
        in_scope_accuracy=_share(correct[inside]),
        out_of_scope=_out_of_scope(pairs, ~inside, per_intent),
        urgency=_urgency(data, pairs),
        answering=tuple(_answering(pairs, confidence, correct)),
        per_intent=per_intent,
        confusions=tuple(_confusions(pairs)),
        errors=tuple(_errors(pairs)),
        parse_ms={f"p{mark}": round(float(np.percentile(times, mark)), 3) for mark in (50, 99)},
        warnings=tuple(_warnings(engine, data)),
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
    )


def _kappa(wanted: NDArray[np.int_], got: NDArray[np.int_]) -> float:
    """Quadratic weighted kappa (Cohen 1968)."""
    levels = len(Level)
    observed = np.zeros((levels, levels))
    np.add.at(observed, (wanted, got), 1)
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


def _warnings(engine: Understander, data: TrainingData) -> Iterator[str]:
    yield from data.warnings
    for intent in data.intents:
        if intent not in engine.intents:
            yield f"`{intent}` is in the test file, and the model does not know it"


def _share(values: NDArray[np.bool_]) -> float:
    return round(float(values.mean()), 4) if len(values) else 0.0


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0


# ── Text ────────────────────────────────────────────────────────────────────────────────────────


def render(found: Report, files: Sequence[Path | str], width: int = 100) -> str:
    """The report on one screen."""
    names = ", ".join(Path(file).name for file in files)
    lines = [f"Model {found.model} on {names}: {found.n:,} messages, {len(found.per_intent)} intents", ""]
    lines += [f"  {label:<14} {value}" for label, value in _figures(found)]
    lines += _section("Most confused", _confused(found))
    lines += _section("Weakest intents", _weakest(found))
    lines += _section("Surest errors", _surest(found))
    lines += _section("Warnings", [*found.warnings[:SHOWN]])
    return "\n".join(_cut(line, width) for line in lines)


def _figures(found: Report) -> Iterator[tuple[str, str]]:
    yield "right", f"{_percent(found.accuracy)}   macro-F1 {_percent(found.macro_f1)}"
    yield "confidence", f"{_percent(found.ece)}   from the truth on average (ECE, 15 bins)"
    for one in found.answering:
        if one.threshold in {0.6, 0.8}:
            yield (
                f"from {one.threshold}",
                f"{_percent(one.answered)}   answered, {_percent(one.right)} of them right",
            )
    if found.out_of_scope:
        rest = f"found {_percent(found.out_of_scope.recall)}, right {_percent(found.out_of_scope.precision)}"
        yield "out of scope", f"{_percent(found.out_of_scope.auroc)}   AUROC; {rest}"
    if found.urgency:
        score = found.urgency
        rest = (
            f"high or critical: found {_percent(score.high_recall)}, right {_percent(score.high_precision)}"
        )
        yield "urgency", f"{_percent(score.accuracy)}   of {score.n}; {rest}"
    yield "time", f"{found.parse_ms['p50']:6.2f} ms  half of all, {found.parse_ms['p99']:.2f} ms for 99 %"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title, *(f"  {line}" for line in lines)] if lines else []


def _confused(found: Report) -> list[str]:
    shown = [one for one in found.confusions if one.count > 1][:SHOWN]
    pairs = [f"{one.expected} → {one.predicted or '(nothing)'}" for one in shown]
    wide = max(map(len, pairs), default=0)
    return [f'{one.count:3}  {pair:<{wide}}  "{one.example}"' for one, pair in zip(shown, pairs, strict=True)]


def _weakest(found: Report) -> list[str]:
    weak = sorted(found.per_intent.items(), key=lambda item: item[1].f1)[:SHOWN]
    return [
        f"F1 {_percent(score.f1)}  {intent}  ({score.support} messages, "
        f"found {_percent(score.recall).strip()}, right {_percent(score.precision).strip()})"
        for intent, score in weak
        if score.f1 < 1
    ]


def _surest(found: Report) -> list[str]:
    return [
        f'{miss.confidence:.2f}  {miss.predicted} instead of {miss.expected}: "{miss.text}"'
        for miss in found.errors[:SHOWN]
    ]


def _percent(share: float) -> str:
    return f"{share * 100:5.1f} %"


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 1]}…"
