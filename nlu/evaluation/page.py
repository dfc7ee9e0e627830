"""A report as one HTML file: no script, no font, no image and no request of its own, readable in light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from bot.domain.plural import count
from bot.domain.understanding import Level
from nlu.evaluation import words
from nlu.evaluation.comparison import Change, Comparison
from nlu.evaluation.figures import Automation, Bin, IntentScore, Promise, Report, UrgencyScore
from nlu.evaluation.plots import Axis, Plot
from nlu.evaluation.words import NOTHING, percent

SHOWN = 100  # rows of a list; the JSON has all
PAIRS = 5  # of intents that are mistaken for each other
NOBODY = "–"  # a threshold that no confidence reaches
STEPS = (0.01, 0.02, 0.03, 0.05, 0.1, 0.25)  # between two lines of a plot
SHARES = Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))

STYLE = """
:root { color-scheme: light dark; --page: #fff; --ground: #f6f6f7; --line: #e3e3e7; --text: #18181b; --soft: #5c5c67;
  --accent: #2f55c8; --bad: #a3150f; --bar: #d5defa; --edge: #0004; }
@media (prefers-color-scheme: dark) { :root { --page: #151518; --ground: #1d1d21; --line: #303037; --text: #ededf1;
  --soft: #a6a6b2; --accent: #94aeff; --bad: #ff9d96; --bar: #2b3a70; --edge: #fff5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 32px 16px 64px; max-width: 1080px; background: var(--page); color: var(--text);
  font: 15px/1.5 -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 22px; line-height: 1.3; margin: 0; } h2 { font-size: 17px; margin: 48px 0 8px; }
p { margin: 0 0 8px; max-width: 75ch; color: var(--soft); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(148px, 1fr)); gap: 16px; margin: 24px 0 0; padding: 0; }
.figures div { background: var(--ground); border-radius: 8px; padding: 12px 16px; }
.figures dt { color: var(--soft); } .figures dd { margin: 0; font-size: 22px; font-variant-numeric: tabular-nums; }
.figures dd small { display: block; font-size: 13px; color: var(--soft); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 24px; }
.notice { margin: 16px 0 0; padding: 12px 16px; border-radius: 8px; background: var(--ground); color: var(--text); }
.note { margin-top: 8px; }
figure { margin: 0; } svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--soft); font-size: 12px; } svg .grid { stroke: var(--line); } svg .ideal { stroke: var(--soft); stroke-dasharray: 4 4; }
svg .curve { stroke: var(--accent); fill: none; stroke-width: 2; } svg .dot { fill: var(--accent); } svg .label { fill: var(--text); paint-order: stroke; stroke: var(--page); stroke-width: 4px; }
.table { overflow-x: auto; background: linear-gradient(90deg, var(--page) 40%, transparent) 0 / 32px 100% local,
  linear-gradient(270deg, var(--page) 40%, transparent) 100% / 32px 100% local, linear-gradient(90deg, var(--edge), transparent) 0 / 12px 100% scroll,
  linear-gradient(270deg, var(--edge), transparent) 100% / 12px 100% scroll; background-repeat: no-repeat; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 500; white-space: nowrap; } .number { text-align: right; white-space: nowrap; }
td.said { overflow-wrap: anywhere; min-width: 16ch; } tbody th { color: var(--text); font-weight: 400; }
.share { background: linear-gradient(var(--bar), var(--bar)) no-repeat 0 / var(--at) 100%; border-radius: 3px; }
td small { display: block; color: var(--soft); } td:first-child { overflow-wrap: anywhere; }
@media (max-width: 640px) { svg text { font-size: 17px; } .numbers { font-size: 13px; } .numbers th { white-space: normal; vertical-align: bottom; }
  .numbers :is(th, td) { padding-right: 6px; } .numbers small { font-size: 12px; white-space: normal; }
  .words thead { display: none; } .words tr { display: block; padding: 8px 0; border-bottom: 1px solid var(--line); }
  .words td { display: block; padding: 0; border: 0; text-align: left; } .words td:not(.said)::before { content: attr(data-name) ": "; color: var(--soft); } }
.bad { color: var(--bad); } details { margin-top: 8px; } summary { cursor: pointer; color: var(--accent); }
summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
"""


def page(found: Report, files: Sequence[Path | str], compared: Comparison | None = None) -> str:
    """The whole document."""
    title = escape(words.title(found, files))
    parts = [
        f"<h1>{title}</h1>",
        f"<p>{words.size(found)}.</p>",
        _learned(found),
        _figures(found),
        _compared(compared) if compared else "",
        _automation(found.automation),
        _reliability(found.reliability, found.ece),
        _urgency(found.urgency) if found.urgency else "",
        _intents(found.per_intent),
        _errors(found),
        _warnings(found.warnings),
    ]
    body = "\n".join(filter(None, parts))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{STYLE}</style></head>\n"
        f"<body><main>{body}</main></body></html>\n"
    )


def _learned(found: Report) -> str:
    if not (said := words.learned(found)):
        return ""
    kind = ' class="bad"' if found.unlearned_accuracy is None else ""
    leaks = "".join(f"<br>{escape(one)}" for one in words.leaks(found))
    return f'<p class="notice"><strong{kind}>{said}.</strong>{leaks}</p>'


def _figures(found: Report) -> str:
    cells = [
        ("Right", percent(found.accuracy), f"macro-F1 {percent(found.macro_f1)}"),
        ("Confidence off by", percent(found.ece), "on average (ECE, 15 bins)"),
    ]
    if found.out_of_scope:
        strange = found.out_of_scope
        rest = f"found {percent(strange.recall)}, right {percent(strange.precision)}"
        cells.append(("Out of scope, AUROC", percent(strange.auroc), rest))
    if found.urgency:
        rest = f"{percent(found.urgency.false_alarms)} false alarms"
        cells.append(("Urgency missed, by cost", percent(found.urgency.missed_cost), rest))
    if found.parse_ms:
        cells.append(
            (
                "Half of all parsed in",
                f"{found.parse_ms['p50']:.2f} ms",
                f"99 % in {found.parse_ms['p99']:.2f} ms",
            )
        )
    rows = (f"<div><dt>{name}</dt><dd>{value}<small>{rest}</small></dd></div>" for name, value, rest in cells)
    return f'<dl class="figures">{"".join(rows)}</dl>'


# ── Plots ───────────────────────────────────────────────────────────────────────────────────────


def _automation(found: Automation) -> str:
    if not found.curve:
        return ""
    highest = max(point.wrong for point in found.curve)
    step = next((step for step in STEPS if 4 * step >= highest), STEPS[-1])
    up = Axis(0.0, 4 * step, tuple(step * place for place in range(5)))
    plot = Plot(SHARES, up, "answered, surest first", "wrong of these")
    plot.line([(point.answered, point.wrong) for point in found.curve])
    for one in found.promises:
        title = f"promised {percent(one.wrong_answers)} wrong: {percent(one.answered)} answered, {percent(one.wrong)} wrong"
        if one.answered:
            plot.dot(one.answered, one.wrong, title, label=percent(one.wrong_answers))
    body = (
        f'<div class="pair">{_figure(plot, "Share of wrong answers against the share of messages answered")}'
    )
    return _section(
        "Answering on its own",
        "What answering the surest messages first means; dots are promises, each with its own threshold per intent.",
        f"{body}<div>{_promises(found)}</div></div>{_thresholds(found)}",
    )


def _promises(found: Automation) -> str:
    if not found.promises:
        return ""
    rows = (
        (
            percent(one.wrong_answers),
            percent(one.answered),
            _wrong(one),
            str(sum(least is None for least in one.thresholds.values())),
        )
        for one in found.promises
    )
    table = _table(("promised wrong", "answered", "wrong of these", "intents handed off"), rows, numbers=4)
    return table + "".join(f'<p class="note">{note}.</p>' for note in _notes(found))


def _notes(found: Automation) -> Iterator[str]:
    same = "a model that keeps the promise would do as badly in"
    said = {words.verdict(one) for one in found.promises}
    if words.BROKEN in said:
        yield f"Not kept: {same} fewer than one test of twenty"
    if words.UNCLEAR in said:
        yield f"Can be chance: {same} more than one test of twenty"
    if limit := words.limit(found):
        yield f"{limit}; a larger test can"


def _wrong(one: Promise) -> str:
    if not one.n:
        return ""
    verdict = words.verdict(one)
    kind = ' class="bad"' if one.is_broken else ""
    of = f"{one.mistakes:,} of {one.n:,}{f', {verdict}' if verdict else ''}"
    return f"{percent(one.wrong)}<small{kind}>{of}</small>"


def _thresholds(found: Automation) -> str:
    if not found.promises:
        return ""
    intents = sorted({intent for one in found.promises for intent in one.thresholds})
    rows = (
        (_intent(intent), *(_threshold(one.thresholds.get(intent)) for one in found.promises))
        for intent in intents
    )
    head = ("intent", *(percent(one.wrong_answers).replace(" ", "&nbsp;") for one in found.promises))
    table = _table(head, rows, numbers=len(found.promises))
    note = f"From which confidence it is answered, by promise; {NOBODY}: handed off whatever the confidence."
    return f"<details><summary>Thresholds of each intent</summary><p>{note}</p>{table}</details>"


def _threshold(least: float | None) -> str:
    return NOBODY if least is None else f"{least:.2f}"


def _reliability(bins: Sequence[Bin], ece: float) -> str:
    plot = Plot(SHARES, SHARES, "confidence", "right")
    plot.ideal()
    plot.line([(one.confidence, one.right) for one in bins])
    for one in bins:
        title = (
            f"{count(one.n, 'message')} of confidence {percent(one.confidence)}: {percent(one.right)} right"
        )
        plot.dot(one.confidence, one.right, title)
    rows = ((percent(one.confidence), percent(one.right), f"{one.n:,}") for one in bins)
    table = _table(("confidence", "right", "messages"), rows, numbers=3)
    return _section(
        "Is the confidence true?",
        f"On the broken line, a message of 80 % is right in four cases of five. Here it is {percent(ece)} off on average.",
        f'<div class="pair">{_figure(plot, "Share of right answers against confidence")}<div>{table}</div></div>',
    )


def _figure(plot: Plot, what: str) -> str:
    return f"<figure>{plot.svg(what)}</figure>"


# ── Tables ──────────────────────────────────────────────────────────────────────────────────────


def _urgency(found: UrgencyScore) -> str:
    levels = [str(level) for level in Level]
    rows = ((level, *map(str, counts)) for level, counts in zip(levels, found.matrix, strict=True))
    what = (
        f"Of {count(found.n, 'labelled message')} {percent(found.accuracy)} have the right level. High or critical: "
        f"{percent(found.high_recall)} found, {percent(found.high_precision)} right; critical: "
        f"{percent(found.critical_recall)} found. A missed critical message costs 20, a missed high one 5."
    )
    return _section("Urgency", what, _table(("should be, said →", *levels), rows, numbers=len(levels)))


def _intents(scores: dict[str, IntentScore]) -> str:
    weakest = sorted(scores.items(), key=lambda item: (item[1].f1, item[0]))
    rows = (
        (
            _intent(intent),
            f'<div class="share" style="--at:{score.f1:.0%}">{percent(score.f1)}</div>',
            percent(score.recall),
            percent(score.precision),
            f"{score.support:,}",
        )
        for intent, score in weakest
    )
    return _section(
        "Intents, the weakest first",
        "Found: of the messages that mean it. Right: of those taken for it. F1 is their harmonic mean.",
        _table(("intent", "F1", "found", "right", "messages"), rows, numbers=4),
    )


def _errors(found: Report) -> str:
    rows = (
        (
            escape(one.text),
            _intent(one.expected),
            _intent(one.predicted),
            f"{one.confidence:.2f}",
        )
        for one in found.errors[:SHOWN]
    )
    what = (
        f"{_listed(len(found.errors), 'message')}, the surest first.{_pairs(found)}"
        if found.errors
        else "None."
    )
    table = _table(("message", "means", "taken for", "confidence"), rows, numbers=1, said=True)
    return _section("Mistakes", what, table)


def _pairs(found: Report) -> str:
    often = [one for one in found.confusions if one.count > 1][:PAIRS]
    if not often:
        return ""
    pairs = "; ".join(
        f"{_intent(one.expected)} taken for {_intent(one.predicted)} ({one.count:,})" for one in often
    )
    return f" Most often: {pairs}. More examples of these help most."


def _listed(many: int, what: str) -> str:
    return f"{count(many, what)} ({SHOWN} are listed, --json has all)" if many > SHOWN else count(many, what)


def _compared(found: Comparison) -> str:
    rows = (
        (f"{name}<small>{escape(one.model)}</small>", *map(percent, (one.accuracy, one.macro_f1, one.ece)))
        for name, one in (("this", found.this), ("the other", found.other))
    )
    left_out = f" {said}." if (said := words.left_out(found)) else ""
    what = f"On the same messages: {found.verdict}.{left_out}"
    lists = "".join(
        _changes(title, changes)
        for title, changes in (
            ("Only this one is right", found.only_this_right),
            ("Only the other is right", found.only_other_right),
            ("Both are wrong, each in its way", found.both_wrong),
        )
    )
    table = _table(("model", "right", "macro-F1", "confidence off by"), rows, numbers=3)
    return _section(f"Compared with {escape(found.other.model)}", what, table + lists)


def _changes(title: str, changes: Sequence[Change]) -> str:
    if not changes:
        return ""
    rows = (
        (
            escape(one.text),
            _intent(one.expected),
            _intent(one.this),
            _intent(one.other),
        )
        for one in changes[:SHOWN]
    )
    table = _table(("message", "means", "this says", "the other says"), rows, said=True)
    return f"<details open><summary>{title}: {_listed(len(changes), 'message')}</summary>{table}</details>"


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(one)}</li>" for one in warnings[:SHOWN])
    return _section("Warnings", f"{_listed(len(warnings), 'warning')}.", f"<ul>{items}</ul>")


def _section(title: str, what: str, body: str) -> str:
    return f"<section><h2>{title}</h2><p>{what}</p>{body}</section>"


def _table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 0, said: bool = False
) -> str:
    """Cells are HTML. The last `numbers` columns are numbers; `said`: the first column is what customers wrote."""
    kinds = ["said" if said and not place else "" for place in range(len(head) - numbers)] + [
        "number"
    ] * numbers
    heads = "".join(
        f'<th scope="col" class="{kind}">{cell}</th>' for cell, kind in zip(head, kinds, strict=True)
    )
    body = "".join(f"<tr>{''.join(_cells(row, head, kinds))}</tr>" for row in rows)
    if not body:
        return ""
    kind = "table words" if said else "table numbers"
    return f'<div class="{kind}"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def _cells(row: Sequence[str], head: Sequence[str], kinds: Sequence[str]) -> Iterator[str]:
    for cell, name, kind in zip(row, head, kinds, strict=True):
        yield f'<td class="{kind}" data-name="{name}">{cell}</td>'


def _intent(name: str) -> str:
    """May be broken where a word ends."""
    return escape(name).replace("_", "_<wbr>") or NOTHING
