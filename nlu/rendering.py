"""A report as one screen of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from nlu.comparison import Comparison
from nlu.evaluation import Report

SHOWN = 5  # lines of each list


def render(found: Report, files: Sequence[Path | str], width: int = 100) -> str:
    """The report on one screen."""
    names = ", ".join(Path(file).name for file in files) or "its own examples, each held out once"
    lines = [f"Model {found.model} on {names}: {found.n:,} messages, {len(found.per_intent)} intents", ""]
    lines += [f"  {label:<14} {value}" for label, value in _figures(found)]
    lines += _section("Most confused", _confused(found))
    lines += _section("Weakest intents", _weakest(found))
    lines += _section("Surest errors", _surest(found))
    lines += _section("Answering on its own", list(_promises(found)))
    lines += _section("Warnings", [*found.warnings[:SHOWN], *_more(len(found.warnings))])
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
        yield (
            "missed",
            f"{_percent(score.missed_cost)}   of what misses of urgency could cost; {_percent(score.false_alarms).strip()} false alarms",
        )
    if found.parse_ms:
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


def _promises(found: Report) -> Iterator[str]:
    for one in found.automation.promises:
        off = sum(least is None for least in one.thresholds.values())
        rest = f"; {off} {'intent' if off == 1 else 'intents'} handed off" if off else ""
        yield (
            f"promised {_percent(one.wrong_answers)} wrong: {_percent(one.answered)} answered, "
            f"{_percent(one.wrong).strip()} of them wrong{rest}"
        )


def _more(count: int) -> list[str]:
    return [f"and {count - SHOWN} more; --json lists them"] if count > SHOWN else []


def compared(found: Comparison, width: int = 100) -> str:
    """What another model would have made of the same messages."""
    lines = [
        f"Compared with {found.other.model}: {found.verdict}",
        "",
        f"  {'':<10} {'right':>8} {'macro-F1':>9} {'ECE':>8}",
        *(
            f"  {label:<10} {_percent(one.accuracy)} {_percent(one.macro_f1):>9} {_percent(one.ece):>8}"
            for label, one in (("this", found.this), ("the other", found.other))
        ),
    ]
    for title, changes in (("Right now", found.now_right), ("Wrong now", found.now_wrong)):
        lines += _section(
            f"{title}: {len(changes)}",
            [
                f'{one.before or "(nothing)"} → {one.after or "(nothing)"}  "{one.text}"'
                for one in changes[:SHOWN]
            ],
        )
    return "\n".join(_cut(line, width) for line in lines)


def _percent(share: float) -> str:
    return f"{share * 100:5.1f} %"


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 1]}…"
