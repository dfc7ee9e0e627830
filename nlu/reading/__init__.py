"""Reads training data: Rasa 3 NLU YAML, from files or folders.

The format: https://rasa.com/docs/rasa/training-data-format/#nlu-training-data
The YAML is composed into nodes and never resolved, so an intent called `yes` or `1` stays a string and every
complaint can name its line.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace
from ruamel.yaml.nodes import MappingNode, SequenceNode

from bot.domain.errors import BadData
from nlu.features import is_spoken
from nlu.reading import doubts, nodes
from nlu.reading.entries import read_entry
from nlu.reading.examples import Example, Regex, TrainingData
from nlu.reading.gathered import Gathered

__all__ = ["Example", "Regex", "TrainingData", "read", "read_training"]

SUFFIXES = (".yml", ".yaml")
SKIPPED_FOLDER = "tests"  # what is held out must not be learned
NOTICED = 5  # warnings that an error mentions

# Files of a Rasa project, and ours, that may lie beside the training data.
NEIGHBOURS = frozenset(
    (
        "version answers sentences labels intents entities slots responses actions forms session_config"
        " stories rules e2e_actions pipeline policies language recipe assistant_id models tracker_store"
        " event_broker action_endpoint nlg rest lock_store credentials"
    ).split()
)


def read(paths: Iterable[Path]) -> TrainingData:
    """Everything under `paths`, in a fixed order; raises `BadData` naming file, line and remedy."""
    found = Gathered()
    for path in paths:
        for file, named in _files(Path(path), found):
            _read_file(file, found, named=named)
    if not found.examples:
        where = ", ".join(str(path) for path in paths) or "the configuration"
        raise BadData(
            f"{where}: there are no training examples. {nodes.EXPECTED}; name such files in `nlu.data` or with --data."
            f"{_noticed(found.warnings)}"
        )
    return found.data()


def read_training(paths: Sequence[Path]) -> TrainingData:
    """As `read`, and enough of it to learn from: at least two intents; thin ones are warned of."""
    data = read(paths)
    if len(data.intents) < 2:
        raise BadData(
            f"{data.files[0]}: the only intent is `{data.intents[0]}`; a model needs at least two to tell "
            f"apart. Add another intent with examples.{_noticed(data.warnings)}"
        )
    if not any(is_spoken(example.text) for example in data.examples):
        raise BadData(
            f"{data.files[0]}: no example has a letter or a digit, so there is nothing to learn. Write examples "
            "as customers would."
        )
    return replace(data, warnings=(*data.warnings, *doubts.thin(data.examples)))


def _noticed(warnings: Iterable[str]) -> str:
    """What may be the cause of an error."""
    found = list(warnings)[:NOTICED]
    return f" Noticed before: {'; '.join(found)}" if found else ""


def _files(path: Path, found: Gathered) -> Iterator[tuple[Path, bool]]:
    """Files to read, and whether somebody named them (then they must be training data)."""
    if _is_file(path):
        yield path, True
    elif path.is_dir():
        yield from ((file, False) for file in sorted(_inside(path, found)))
    else:
        raise BadData(f"{path}: there is no such file or folder; check `nlu.data`.")


def _inside(path: Path, found: Gathered) -> Iterator[Path]:
    def closed(exc: OSError) -> None:
        what = f"cannot be read ({exc.strerror}), so what is in it is left out; check its permissions"
        found.warnings[f"{exc.filename}: {what}"] = None

    for folder, folders, files in os.walk(path, onerror=closed):
        folders[:] = [name for name in folders if name != SKIPPED_FOLDER]
        named = (Path(folder, name) for name in files if name.endswith(SUFFIXES))
        yield from (file for file in named if _is_file(file))


def _is_file(file: Path) -> bool:
    try:
        return stat.S_ISREG(file.stat().st_mode)
    except PermissionError:
        return True  # opening it says so
    except OSError:
        return False  # a link to nowhere


def _read_file(file: Path, found: Gathered, *, named: bool) -> None:
    root = nodes.compose(file)
    keys = nodes.pairs(root, file) if isinstance(root, MappingNode) else {}
    if "nlu" not in keys:
        if not named and keys and NEIGHBOURS.issuperset(keys):
            return
        raise BadData(
            f"{file}:{nodes.line_of(root) if root else 1}: this is not Rasa NLU training data. {nodes.EXPECTED}."
        )
    found.files.append(str(file))
    entries = keys["nlu"]
    if nodes.is_null(entries):
        return
    if not isinstance(entries, SequenceNode):
        raise BadData(f"{file}:{nodes.line_of(entries)}: `nlu:` must hold a list. {nodes.EXPECTED}.")
    for entry in entries.value:
        read_entry(entry, file, found)
