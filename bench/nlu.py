"""The embedded engine: how fast it trains, loads and parses, and how often it is right (Linux).

python -m bench.nlu [FOLDER…]

Without a folder it measures on the starter data. A folder with `train.csv` and `test.csv` (columns `text` and
`category`, as BANKING77 comes; any `train_*.csv` beside them is a smaller training set) or with `data_full.json`
(as CLINC150 comes) is measured as well; bring the files, they are not part of the project.
"""

from __future__ import annotations

import asyncio
import csv
import json
import math
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from pathlib import Path

from msgspec import Struct

from nlu.embedded import Embedded
from nlu.evaluation import evaluate
from nlu.evaluation.figures import Report
from nlu.facts import OUT_OF_SCOPE
from nlu.models import Models
from nlu.reading import read
from nlu.training import TrainedModel, train

STARTER = Path(__file__).parent.parent / "nlu" / "data"
COLUMNS = (
    "right",
    "F1",
    "ECE",
    "oos AUROC",
    "examples",
    "train s",
    "cpu s",
    "load ms",
    "p50 ms",
    "p99 ms",
    "intent ms",
    "MB",
)
FEW = (15, 20)  # intents, examples of each
PROCESSES = 4  # that parse, one after another

Rows = list[tuple[str, str]]  # text, intent


class Task(Struct, frozen=True):
    name: str
    training: Path
    test: Path


class Cost(Struct, frozen=True):
    """Of a process that only loads the model and parses."""

    load: float  # seconds
    p50: float  # milliseconds
    p99: float
    intents: (
        float  # milliseconds: the same without urgency, entities, language, sentiment, the wish for a person
    )
    resident: float  # megabytes, at most


class Result(Struct, frozen=True):
    task: str
    model: TrainedModel
    report: Report
    cost: Cost


class Bar(Struct, frozen=True):
    """`least` or `most` of what a task has to reach."""

    task: str
    what: str
    measured: Callable[[Result], float]
    least: float = -math.inf
    most: float = math.inf


def _auroc(one: Result) -> float:
    return 100 * one.report.out_of_scope.auroc if one.report.out_of_scope else math.nan


BARS = (
    Bar("banking77, train", "right, %", lambda one: 100 * one.report.accuracy, least=91.4),
    Bar("banking77, train_10", "right, %", lambda one: 100 * one.report.accuracy, least=75.0),
    Bar(
        "clinc150, full",
        "right of those in scope, %",
        lambda one: 100 * one.report.in_scope_accuracy,
        least=92.6,
    ),
    Bar("clinc150, full", "out of scope, AUROC, %", _auroc, least=96.0),
    Bar("banking77, train", "confidence off by (ECE), %", lambda one: 100 * one.report.ece, most=2.0),
    Bar("banking77, train", "training, s", lambda one: one.model.seconds, most=8.0),
    Bar("banking77, train", "training, cpu s", lambda one: one.model.cpu_seconds, most=14.0),
    Bar("starter, 300 examples", "training, s", lambda one: one.model.seconds, most=0.3),
    Bar("banking77, train", "understanding, half of all, ms", lambda one: one.cost.p50, most=0.15),
    Bar("banking77, train", "intent alone, half of all, ms", lambda one: one.cost.intents, most=0.15),
    Bar("banking77, train", "resident, MB", lambda one: one.cost.resident, most=80.0),
    Bar("banking77, train", "loading, ms", lambda one: 1000 * one.cost.load, most=100.0),
)


# ── Data ────────────────────────────────────────────────────────────────────────────────────────


def tasks(folders: Iterable[Path], work: Path) -> Iterator[Task]:
    for test in sorted((STARTER / "tests").glob("test.*.yml")):
        yield Task(f"starter, {test.name}", STARTER, test)
    yield _few(work)
    for folder in folders:
        if (folder / "data_full.json").exists():
            yield from _clinc(folder, work)
        elif (folder / "test.csv").exists():
            yield from _banking(folder, work)
        else:
            sys.exit(f"{folder}: neither test.csv nor data_full.json is there")


def _few(work: Path) -> Task:
    """A small shop's data: the first examples of a few intents, tested on the next ones."""
    intents, each = FEW
    data = read([STARTER / "nlu.en.yml"])
    rows = {name: [one for one in data.examples if one.intent == name] for name in data.intents[:intents]}
    few = [(one.text, name) for name, mine in rows.items() for one in mine[:each]]
    next_ones = [(one.text, name) for name, mine in rows.items() for one in mine[each : each + 10]]
    test = write(work / "few.test.yml", next_ones)
    return Task(f"starter, {len(few)} examples", write(work / "few.yml", few), test)


def _banking(folder: Path, work: Path) -> Iterator[Task]:
    test = write(work / f"{folder.name}.test.yml", _csv(folder / "test.csv"))
    for path in sorted(folder.glob("train*.csv")):
        name = f"{folder.name}, {path.stem}"
        yield Task(name, write(work / f"{folder.name}.{path.stem}.yml", _csv(path)), test)


def _clinc(folder: Path, work: Path) -> Iterator[Task]:
    parts = json.loads((folder / "data_full.json").read_text(encoding="utf-8"))
    known: dict[str, Rows] = {
        split: [(text, intent) for text, intent in parts[split]] for split in ("train", "test")
    }
    strange = {split: [(text, OUT_OF_SCOPE) for text, _ in parts[f"oos_{split}"]] for split in known}
    test = write(work / "clinc.test.yml", known["test"] + strange["test"])
    for name, rows in (("full", known["train"] + strange["train"]), ("without oos examples", known["train"])):
        yield Task(f"{folder.name}, {name}", write(work / f"clinc.{name}.yml", rows), test)


def _csv(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def write(path: Path, rows: Rows) -> Path:
    """Training data with these examples."""
    intents: dict[str, list[str]] = defaultdict(list)
    for text, intent in rows:
        intents[intent].append(" ".join(text.split()))
    lines = ['version: "3.1"', "nlu:"]
    for intent, texts in intents.items():
        lines += [f"- intent: {intent}", "  examples: |", *(f"    - {text}" for text in texts)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# ── Measuring ───────────────────────────────────────────────────────────────────────────────────


async def main(folders: list[Path]) -> None:
    print(f"{'':34}" + "".join(f"{column:>10}" for column in COLUMNS))
    with tempfile.TemporaryDirectory() as folder:
        work, trained = Path(folder), dict[Path, TrainedModel]()
        results = []
        for task in tasks(folders, work):
            if task.training not in trained:
                trained[task.training] = await train([task.training], work / "models")
            model = trained[task.training]
            report = await _score(work / "models", model.id, task.test)
            results.append(Result(task.name, model, report, _cost(work / "models", model.id, task)))
            _print(results[-1])
    print(
        "\nright: share of all test messages (with out of scope examples: of those in scope), macro-F1 of all;\n"
        "train: with the five fits of the cross-validation, process start apart; MB: resident at most;\n"
        "p50, p99: of messages not seen before, in the quietest of some processes;\n"
        "intent ms: the intent alone, without the rules for urgency, entities, language, sentiment and persons."
    )
    _print_bars(results)


def _print_bars(results: list[Result]) -> None:
    found = {one.task: one for one in results}
    print(f"\n{'bar':60}{'wanted':>12}{'measured':>12}")
    for bar in BARS:
        if bar.task in found:
            value = bar.measured(found[bar.task])
            wanted = f">= {bar.least:g}" if bar.least > -math.inf else f"<= {bar.most:g}"
            kept = "" if bar.least <= value <= bar.most else "  missed"
            print(f"{f'{bar.task}: {bar.what}':60}{wanted:>12}{value:>12.3f}{kept}")


async def _score(models: Path, id: str, test: Path) -> Report:
    return await evaluate(Embedded(Models(models).load(id)), read([test]))


def _cost(models: Path, id: str, task: Task) -> Cost:
    """Of the quietest of several processes, since a machine's other work is not ours."""
    command = [sys.executable, "-m", "bench._parsing", str(models), id, str(task.training), str(task.test)]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(PROCESSES)]
    return min((Cost(*json.loads(run.stdout)) for run in runs), key=attrgetter("p50"))


def _print(one: Result) -> None:
    strange, report, model, cost = one.report.out_of_scope, one.report, one.model, one.cost
    cells = (
        f"{100 * report.in_scope_accuracy:.2f}",
        f"{100 * report.macro_f1:.2f}",
        f"{100 * report.ece:.2f}",
        f"{100 * strange.auroc:.2f}" if strange else "-",
        f"{model.examples:,}",
        f"{model.seconds:.1f}",
        f"{model.cpu_seconds:.1f}",
        f"{1000 * cost.load:.0f}",
        f"{cost.p50:.3f}",
        f"{cost.p99:.3f}",
        f"{cost.intents:.3f}",
        f"{cost.resident:.0f}",
    )
    print(f"{one.task:34}" + "".join(f"{cell:>10}" for cell in cells), flush=True)


if __name__ == "__main__":
    asyncio.run(main([Path(argument) for argument in sys.argv[1:]]))
