"""A report as one screen of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bot.domain.plural import count
from nlu.calibration import SURE
from nlu.evaluation import words
from nlu.evaluation.comparison import Against, Change, Comparison
from nlu.evaluation.figures import Promise, Report
from nlu.evaluation.words import NOTHING, names, percent
from nlu.reading.nodes import printable
from nlu.training import TrainedModel

SHOWN = 5  # lines of each list
SCORES = {  # of a cross-validation: how they are called, and what they are
    "accuracy": ("right", "of all messages"),
    "macro_f1": ("macro-F1", "how good it is at each intent, all counting alike"),
    "ece": ("confidence", "from the truth on average (ECE, 15 bins)"),
    "answered": (f"from {SURE}", "answered on its own, if that is the threshold"),
    "right_when_answered": ("", "of these right"),
    "out_of_scope_auroc": ("out of scope", "AUROC: how well it is told from all else; 50 % is chance"),
}


def render(found: Report, files: Sequence[Path | str], width: int = 100) -> str:
    """The report on one screen."""
    lines = [f"{words.title(found, files)}: {words.size(found)}", *_learned(found), ""]
    lines += [f"  {label:<14} {value}" for label, value in _figures(found)]
    lines += _section("Most confused, what it is → what was said", _confused(found))
    lines += _section("Weakest intents", _weakest(found))
    lines += _section("Surest errors", _surest(found))
    lines += _section("Answering on its own", list(_promises(found)))
    lines += _section("Learned messages", words.leaks(found))
    lines += _section("Warnings", [*found.warnings[:SHOWN], *_more(len(found.warnings))])
    return "\n".join(_cut(line, width) for line in lines)


def _figures(found: Report) -> Iterator[tuple[str, str]]:
    yield "right", f"{_padded(found.accuracy)}   macro-F1 {_padded(found.macro_f1)}"
    yield "confidence", f"{_padded(found.ece)}   from the truth on average (ECE, 15 bins)"
    for one in found.answering:
        if one.threshold in {0.6, 0.8}:
            yield (
                f"from {one.threshold}",
                f"{_padded(one.answered)}   answered, {_padded(one.right)} of them right",
            )
    if found.out_of_scope:
        rest = f"found {_padded(found.out_of_scope.recall)}, right {_padded(found.out_of_scope.precision)}"
        yield "out of scope", f"{_padded(found.out_of_scope.auroc)}   AUROC; {rest}"
    if found.urgency:
        score = found.urgency
        rest = f"high or critical: found {_padded(score.high_recall)}, right {_padded(score.high_precision)}"
        yield "urgency", f"{_padded(score.accuracy)}   of {score.n}; {rest}"
        yield (
            "missed",
            f"{_padded(score.missed_cost)}   of what misses of urgency could cost; {percent(score.false_alarms)} false alarms",
        )
    if found.parse_ms:
        yield "time", f"{found.parse_ms['p50']:6.2f} ms  half of all, {found.parse_ms['p99']:.2f} ms for 99 %"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title, *(f"  {line}" for line in lines)] if lines else []


def _confused(found: Report) -> list[str]:
    shown = [one for one in found.confusions if one.count > 1][:SHOWN]
    pairs = [f"{one.expected} → {one.predicted or NOTHING}" for one in shown]
    wide = max(map(len, pairs), default=0)
    return [f'{one.count:3}  {pair:<{wide}}  "{one.example}"' for one, pair in zip(shown, pairs, strict=True)]


def _weakest(found: Report) -> list[str]:
    weak = sorted(found.per_intent.items(), key=lambda item: item[1].f1)[:SHOWN]
    return [
        f"F1 {_padded(score.f1)}  {intent}  ({count(score.support, 'message')}, "
        f"found {percent(score.recall)}, right {percent(score.precision)})"
        for intent, score in weak
        if score.f1 < 1
    ]


def _surest(found: Report) -> list[str]:
    return [
        f'{miss.confidence:.2f}  {miss.predicted or NOTHING} instead of {miss.expected}: "{miss.text}"'
        for miss in found.errors[:SHOWN]
    ]


def _promises(found: Report) -> Iterator[str]:
    for one in found.automation.promises:
        yield f"promised {_padded(one.wrong_answers)} wrong: {_padded(one.answered)} answered{_wrong(one)}"
    for promises, intents in words.handed_off(found.automation):
        yield f"handed off at {promises}: {names(intents)}"
    if limit := words.limit(found.automation):
        yield f"{limit}; a larger test can"


def _wrong(one: Promise) -> str:
    if not one.n:
        return ""
    verdict = f", {said}" if (said := words.verdict(one)) else ""
    return f", {percent(one.wrong)} of them wrong ({one.mistakes:,} of {one.n:,}{verdict})"


def _learned(found: Report) -> Iterator[str]:
    if said := words.learned(found):
        yield f"{said}{'' if words.leaks(found) else ' (--json names them)'}."


def _more(many: int) -> list[str]:
    return [f"and {many - SHOWN:,} more; --json lists them"] if many > SHOWN else []


def compared(found: Comparison, width: int = 100) -> str:
    """What another model would have made of the same messages."""
    lines = [
        f"Compared with {found.other.model}: {found.verdict}",
        *([f"{said}."] if (said := words.left_out(found)) else []),
        "",
        f"  {'':<10} {'right':>8} {'macro-F1':>9} {'ECE':>8}",
        *(
            f"  {label:<10} {_padded(one.accuracy)} {_padded(one.macro_f1):>9} {_padded(one.ece):>8}"
            for label, one in (("this", found.this), ("the other", found.other))
        ),
    ]
    lines += _changes("Only this one is right", found.only_this_right)
    lines += _changes("Only the other is right", found.only_other_right)
    lines += _changes("Both are wrong, each in its way", found.both_wrong)
    return "\n".join(_cut(line, width) for line in lines)


def _changes(title: str, changes: Sequence[Change]) -> list[str]:
    return _section(
        f"{title}: {count(len(changes), 'message')}",
        [*(_change(one) for one in changes[:SHOWN]), *_more(len(changes))],
    )


def _change(one: Change) -> str:
    said = {"this": one.this, "the other": one.other}
    wrong = (f"{who} says {intent or NOTHING}" for who, intent in said.items() if intent != one.expected)
    return f'means {one.expected}, {", ".join(wrong)}: "{one.text}"'


def trained(found: TrainedModel, live: Against | None = None) -> str:
    """What a training came to, beside the model that is live."""
    other = live if live and live.model != found.id else None
    lines = [
        f"{count(found.examples, 'example')}, {count(found.intents, 'intent')}.",
        "",
        "Cross-validation, each example judged by a model that had not seen it",
        *([f"  {'':<14} {'this':>7} {'live':>9}"] if other else []),
        *(_score(name, value, other) for name, value in found.scores.items()),
        *(_news(found, live) if live else ()),
    ]
    return "\n".join(lines)


def _score(name: str, value: float, live: Against | None) -> str:
    label, what = SCORES.get(name, (name, ""))
    other = live.scores.get(name) if live else None
    beside = f"{_padded(other):>10}" if other is not None else " " * 10 if live else ""
    return f"  {label:<14} {_padded(value)}{beside}   {what}".rstrip()


def _news(found: TrainedModel, live: Against) -> Iterator[str]:
    yield ""
    if live.model == found.id:
        yield "It is live already: the same examples give the same model."
        return
    if live.new_intents:
        yield f"New to the live model {live.model}: {names(live.new_intents)}."
    if live.lost_intents:
        yield f"Known to the live model only: {names(live.lost_intents)}."
    yield "Each was judged by examples of its own; `evaluate --compare` puts both to the same messages."


def _padded(share: float) -> str:
    """Under each other."""
    return f"{percent(share):>7}"


def _cut(line: str, width: int) -> str:
    line = printable(line)
    return line if len(line) <= width else f"{line[: width - 1]}…"
