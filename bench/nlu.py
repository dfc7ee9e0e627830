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
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from nlu.embedded import Embedded
from nlu.evaluation import Report, evaluate
from nlu.models import OUT_OF_SCOPE, Models
from nlu.reading import read
from nlu.training import TrainedModel, train

STARTER = Path(__file__).parent.parent / "nlu" / "data"
COLUMNS = ("right", "F1", "ECE", "oos AUROC", "examples", "train s", "load ms", "p50 ms", "p99 ms", "MB")

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
    resident: float  # megabytes, at most


# ── Data ────────────────────────────────────────────────────────────────────────────────────────


def tasks(folders: Iterable[Path], work: Path) -> Iterator[Task]:
    for test in sorted((STARTER / "tests").glob("test.*.yml")):
        yield Task(f"starter, {test.name}", STARTER, test)
    for folder in folders:
        if (folder / "data_full.json").exists():
            yield from _clinc(folder, work)
        elif (folder / "test.csv").exists():
            yield from _banking(folder, work)
        else:
            sys.exit(f"{folder}: neither test.csv nor data_full.json is there")


def _banking(folder: Path, work: Path) -> Iterator[Task]:
    test = _write(work / f"{folder.name}.test.yml", _csv(folder / "test.csv"))
    for path in sorted(folder.glob("train*.csv")):
        name = f"{folder.name}, {path.stem}"
        yield Task(name, _write(work / f"{folder.name}.{path.stem}.yml", _csv(path)), test)


def _clinc(folder: Path, work: Path) -> Iterator[Task]:
    parts = json.loads((folder / "data_full.json").read_text(encoding="utf-8"))
    known: dict[str, Rows] = {
        split: [(text, intent) for text, intent in parts[split]] for split in ("train", "test")
    }
    strange = {split: [(text, OUT_OF_SCOPE) for text, _ in parts[f"oos_{split}"]] for split in known}
    test = _write(work / "clinc.test.yml", known["test"] + strange["test"])
    for name, rows in (("full", known["train"] + strange["train"]), ("without oos examples", known["train"])):
        yield Task(f"{folder.name}, {name}", _write(work / f"clinc.{name}.yml", rows), test)


def _csv(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def _write(path: Path, rows: Rows) -> Path:
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
        for task in tasks(folders, work):
            if task.training not in trained:
                trained[task.training] = await train([task.training], work / "models")
            model = trained[task.training]
            report = await _score(work / "models", model.id, task.test)
            _print(task.name, model, report, _cost(work / "models", model.id, task.test))
    print(
        "\nright: share of all test messages (with out of scope examples: of those in scope), macro-F1 of all;"
    )
    print("train: with the five fits of the cross-validation, process start apart; MB: resident at most.")


async def _score(models: Path, id: str, test: Path) -> Report:
    return await evaluate(Embedded(Models(models).load(id)), read([test]))


def _cost(models: Path, id: str, test: Path) -> Cost:
    command = [sys.executable, "-m", "bench.parsing", str(models), id, str(test)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Cost(*json.loads(done.stdout))


def _print(name: str, model: TrainedModel, report: Report, cost: Cost) -> None:
    strange = report.out_of_scope
    cells = (
        f"{100 * report.in_scope_accuracy:.2f}",
        f"{100 * report.macro_f1:.2f}",
        f"{100 * report.ece:.2f}",
        f"{100 * strange.auroc:.2f}" if strange else "-",
        f"{model.examples:,}",
        f"{model.seconds:.1f}",
        f"{1000 * cost.load:.0f}",
        f"{cost.p50:.3f}",
        f"{cost.p99:.3f}",
        f"{cost.resident:.0f}",
    )
    print(f"{name:34}" + "".join(f"{cell:>10}" for cell in cells), flush=True)


if __name__ == "__main__":
    asyncio.run(main([Path(argument) for argument in sys.argv[1:]]))
