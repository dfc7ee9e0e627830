"""Reads training data: Rasa 3 NLU YAML, from files or folders.

The format: https://rasa.com/docs/rasa/training-data-format/#nlu-training-data
The YAML is composed into nodes and never resolved, so an intent called `yes` or `1` stays a string and every
complaint can name its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bot.domain.errors import BadData
from bot.domain.understanding import Entity, Level
from nlu import marks, nodes
from nlu.listed import key

FEW_EXAMPLES = 5  # below this an intent cannot be cross-validated properly
SUFFIXES = (".yml", ".yaml")
SKIPPED_FOLDER = "tests"  # what is held out must not be learned

# What `nlu.entities` finds by itself, by the look of it.
FOUND_BY_RULE = frozenset("order_number email url iban date amount phone".split())

# Files of a Rasa project, and ours, that may lie beside the training data.
NEIGHBOURS = frozenset(
    (
        "version answers sentences labels intents entities slots responses actions forms session_config"
        " stories rules e2e_actions pipeline policies language recipe assistant_id models tracker_store"
        " event_broker action_endpoint nlg rest lock_store credentials"
    ).split()
)
MARKED = 'A mark is `[Paris](city)` or `[Paris]{"entity": "city", "role": "to"}`.'


class Example(Struct, frozen=True, kw_only=True):
    text: str
    intent: str
    urgency: str = ""
    entities: tuple[Entity, ...] = ()
    file: str
    line: int


class Regex(Struct, frozen=True, kw_only=True):
    entity: str
    pattern: str
    file: str
    line: int


class TrainingData(Struct, frozen=True, kw_only=True):
    examples: tuple[Example, ...]
    urgency: dict[str, str] = {}  # intent → level, from `metadata` of the intent
    synonyms: dict[str, str] = {}  # as written, in lower case → the value it stands for
    regexes: tuple[Regex, ...] = ()
    lookups: dict[str, tuple[str, ...]] = {}  # entity → its known values
    files: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def known_values(self) -> dict[str, tuple[str, ...]]:
        """Entity → values of the lookup tables and of the examples' marks; what rules find needs none."""
        found: dict[str, list[str]] = {}
        taken = set[str]()
        tables = ((name, value) for name, values in self.lookups.items() for value in values)
        marked = ((name, value) for name, value, _ in _marked(self.examples))
        for name, value in chain(tables, marked):
            if (known := key(value)) not in taken:  # in two entities: the first one's
                taken.add(known)
                found.setdefault(name, []).append(value)
        return {name: tuple(values) for name, values in found.items()}

    @property
    def intents(self) -> tuple[str, ...]:
        return tuple(sorted({example.intent for example in self.examples}))


def read(paths: Iterable[Path]) -> TrainingData:
    """Everything under `paths`, in a fixed order; raises `BadData` naming file, line and remedy."""
    found = _Found()
    for path in paths:
        for file, named in _files(Path(path)):
            _read_file(file, found, named=named)
    if not found.examples:
        where = ", ".join(str(path) for path in paths) or "the configuration"
        raise BadData(
            f"{where}: there are no training examples. {nodes.EXPECTED}; name such files in `nlu.data`."
        )
    return found.data()


def read_training(paths: Sequence[Path]) -> TrainingData:
    """As `read`, and enough of it to learn from: at least two intents; thin ones are warned of."""
    data = read(paths)
    if len(data.intents) < 2:
        raise BadData(
            f"{data.files[0]}: the only intent is `{data.intents[0]}`; a model needs at least two to tell "
            "apart. Add another intent with examples."
        )
    return replace(data, warnings=(*data.warnings, *_thin(data.examples)))


def _marked(examples: Iterable[Example]) -> Iterator[tuple[str, str, Example]]:
    """Entity, value and example of each mark whose value is to be found again."""
    for example in examples:
        for one in example.entities:
            written = example.text[one.start : one.end].strip()
            if one.entity not in FOUND_BY_RULE and not written.isdigit():
                yield one.entity, written, example


class _Found:
    """What has been read so far, over all files."""

    def __init__(self) -> None:
        self.examples: dict[tuple[str, str], Example] = {}
        self.read: dict[tuple[str, str, str], int] = {}  # example, intent and file → line
        self.urgency: dict[str, str] = {}
        self.synonyms: dict[str, str] = {}
        self.regexes: dict[tuple[str, str], Regex] = {}
        self.lookups: dict[str, dict[str, str]] = {}  # entity → value → where it is
        self.files: list[str] = []
        self.warnings: list[str] = []

    def add(self, example: Example) -> None:
        same, intent = key(example.text), example.intent
        first = self.examples.setdefault((same, intent), example)
        # Files of two languages share their "hello", and labels may stand apart; twice in one file is a slip.
        if line := self.read.get((same, intent, example.file)):
            what = f'"{_short(example.text)}" is in `{intent}` twice, first in line {line}; it counts once'
            self.warn(example.file, example.line, what)
        self.read[same, intent, example.file] = line or example.line
        if first is example:
            return
        if example.entities and not first.entities:
            first = replace(first, text=example.text, entities=example.entities)
        if example.urgency and example.urgency != first.urgency:
            first = self._labelled(first, example)
        self.examples[same, intent] = first

    def _labelled(self, first: Example, again: Example) -> Example:
        if not first.urgency:
            return replace(first, urgency=again.urgency)
        self.warn(
            again.file,
            again.line,
            f'"{_short(again.text)}" is {first.urgency} and {again.urgency} urgent; the higher one counts',
        )
        return replace(first, urgency=max(first.urgency, again.urgency, key=_rank))

    def warn(self, file: str, line: int, what: str) -> None:
        self.warnings.append(f"{file}:{line}: {what}")

    def set_urgency(self, intent: str, level: str, file: str, line: int) -> None:
        known = self.urgency.setdefault(intent, level)
        if known != level:
            self.urgency[intent] = max(known, level, key=_rank)
            self.warn(file, line, f"`{intent}` is {known} and {level} urgent; the higher one counts")

    def data(self) -> TrainingData:
        return TrainingData(
            examples=tuple(self.examples.values()),
            urgency=dict(sorted(self.urgency.items())),
            synonyms=self.synonyms,
            regexes=tuple(self.regexes.values()),
            lookups={name: tuple(values) for name, values in self.lookups.items()},
            files=tuple(self.files),
            warnings=(*self.warnings, *_contradictions(self.examples.values()), *self._shared()),
        )

    def _shared(self) -> Iterator[str]:
        """Values of two entities."""
        tables = ((name, *one) for name, values in self.lookups.items() for one in values.items())
        marked = (
            (name, value, f"{one.file}:{one.line}") for name, value, one in _marked(self.examples.values())
        )
        seen: dict[str, dict[str, str]] = {}
        for name, value, place in chain(tables, marked):
            names = seen.setdefault(key(value), {})
            if names and name not in names:
                first, where = next(iter(names.items()))
                yield (
                    f'{place}: "{_short(value)}" is a value of `{name}` and of `{first}` ({where}); '
                    f"`{first}` is found"
                )
            names.setdefault(name, place)


def _rank(level: str) -> int:
    return Level(level).rank


def _contradictions(examples: Iterable[Example]) -> Iterator[str]:
    seen: dict[str, Example] = {}
    for example in examples:
        first = seen.setdefault(key(example.text), example)
        if first.intent != example.intent:
            yield (
                f'{example.file}:{example.line}: "{_short(example.text)}" is in `{example.intent}` and in '
                f"`{first.intent}` ({first.file}:{first.line}); the model cannot learn both"
            )


def _thin(examples: Iterable[Example]) -> Iterator[str]:
    counts: dict[str, int] = {}
    for example in examples:
        counts[example.intent] = counts.get(example.intent, 0) + 1
    for intent, count in counts.items():
        if count < FEW_EXAMPLES:
            noun = "example" if count == 1 else "examples"
            yield f"`{intent}` has {count} {noun}; it needs {FEW_EXAMPLES} to be checked, 25 to be good"


# ── Files ───────────────────────────────────────────────────────────────────────────────────────


def _files(path: Path) -> Iterator[tuple[Path, bool]]:
    """Files to read, and whether somebody named them (then they must be training data)."""
    if path.is_file():
        yield path, True
    elif path.is_dir():
        inside = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
        for file in inside:
            if SKIPPED_FOLDER not in file.relative_to(path).parts[:-1]:
                yield file, False
    else:
        raise BadData(f"{path}: there is no such file or folder; check `nlu.data`.")


def _read_file(file: Path, found: _Found, *, named: bool) -> None:
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
        _read_entry(entry, file, found)


# ── Entries ─────────────────────────────────────────────────────────────────────────────────────


def _read_entry(entry: Node, file: Path, found: _Found) -> None:
    pairs = nodes.pairs(entry, file)
    kind = next((kind for kind in READERS if kind in pairs), None)
    if kind is None:
        raise BadData(
            f"{file}:{nodes.line_of(entry)}: an entry of `nlu:` is one of {', '.join(READERS)}, "
            f"not {', '.join(pairs) or 'empty'}."
        )
    name = nodes.text(pairs[kind], file, kind).strip()
    if not name:
        raise BadData(f"{file}:{nodes.line_of(entry)}: `{kind}:` has no name.")
    READERS[kind](name, pairs, file, found)


def _read_intent(name: str, pairs: Mapping[str, Node], file: Path, found: _Found) -> None:
    if level := _urgency(pairs.get("metadata"), file):
        found.set_urgency(name, level, str(file), nodes.line_of(pairs["metadata"]))
    for text, line, metadata in _examples(name, pairs, file, found):
        plain = marks.strip(text)
        for mark in plain.broken:
            found.warn(str(file), line, f"`{_short(mark)}` marks nothing. {MARKED}")
        if not plain.text.strip():
            continue
        found.add(
            Example(
                text=plain.text,
                intent=name,
                urgency=_urgency(metadata, file),
                entities=plain.entities,
                file=str(file),
                line=line,
            )
        )
        for entity in plain.entities:
            written = plain.text[entity.start : entity.end]
            if written != entity.value:
                found.synonyms.setdefault(written.lower(), entity.value)


def _read_synonym(name: str, pairs: Mapping[str, Node], file: Path, found: _Found) -> None:
    for text, _, _ in _examples(name, pairs, file, found):
        found.synonyms[text.lower()] = name


def _read_regex(name: str, pairs: Mapping[str, Node], file: Path, found: _Found) -> None:
    for pattern, line, _ in _examples(name, pairs, file, found):
        try:
            re.compile(pattern)
        except re.error as exc:
            raise BadData(f"{file}:{line}: `{pattern}` is not a regular expression ({exc}).") from exc
        found.regexes.setdefault(
            (name, pattern), Regex(entity=name, pattern=pattern, file=str(file), line=line)
        )


def _read_lookup(name: str, pairs: Mapping[str, Node], file: Path, found: _Found) -> None:
    values = found.lookups.setdefault(name, {})
    for text, line, _ in _examples(name, pairs, file, found):
        values.setdefault(text, f"{file}:{line}")


READERS = {"intent": _read_intent, "synonym": _read_synonym, "regex": _read_regex, "lookup": _read_lookup}


def _examples(
    name: str, pairs: Mapping[str, Node], file: Path, found: _Found
) -> Iterator[tuple[str, int, Node | None]]:
    """Text, line and metadata of each example, from a block of lines or from a list."""
    node = pairs.get("examples")
    if node is None or nodes.is_null(node):
        found.warn(str(file), nodes.line_of(next(iter(pairs.values()))), f"`{name}` has no examples")
    elif isinstance(node, ScalarNode):
        yield from _block(node, file, found)
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from _item(item, file, found)
    else:
        raise BadData(
            f"{file}:{nodes.line_of(node)}: `examples:` of `{name}` must be a block (`|`) or a list."
        )


def _block(node: ScalarNode, file: Path, found: _Found) -> Iterator[tuple[str, int, None]]:
    first = nodes.line_of(node) + (node.style in {"|", ">"})
    for number, line in enumerate(nodes.written(node, file, "examples").splitlines(), first):
        text = line.strip()
        if text.startswith("-") and text[1:].strip():
            yield text[1:].strip(), number, None
        elif text and not text.startswith("#"):
            found.warn(str(file), number, f'"{_short(text)}" is not read; an example starts with "- "')


def _item(item: Node, file: Path, found: _Found) -> Iterator[tuple[str, int, Node | None]]:
    if isinstance(item, ScalarNode):
        yield from _lines_of(item, None, file, found)
        return
    pairs = nodes.pairs(item, file)
    if "text" not in pairs:
        raise BadData(f"{file}:{nodes.line_of(item)}: an example in a list needs `text:`.")
    yield from _lines_of(pairs["text"], pairs.get("metadata"), file, found)


def _lines_of(
    node: Node, metadata: Node | None, file: Path, found: _Found
) -> Iterator[tuple[str, int, Node | None]]:
    """An example is one line; more of them are more examples."""
    lines = [
        line.strip().removeprefix("- ").strip() for line in nodes.written(node, file, "text").splitlines()
    ]
    if not any(lines):
        found.warn(str(file), nodes.line_of(node), "an example without text is not read")
    for text in filter(None, lines):
        yield text, nodes.line_of(node), metadata


def _urgency(metadata: Node | None, file: Path) -> str:
    if metadata is None or nodes.is_null(metadata):
        return ""
    if not isinstance(metadata, MappingNode):
        raise BadData(
            f"{file}:{nodes.line_of(metadata)}: `metadata:` must hold `key: value`, as in `metadata: {{urgency: high}}`."
        )
    node = nodes.pairs(metadata, file).get("urgency")
    if node is None:
        return ""
    level = nodes.text(node, file, "urgency")
    if level not in tuple(Level):
        raise BadData(f"{file}:{nodes.line_of(node)}: urgency `{level}` is not one of {', '.join(Level)}.")
    return level


def _short(text: str) -> str:
    return text if len(text) <= 50 else f"{text[:49]}…"
