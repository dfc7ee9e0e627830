"""Reads training data: Rasa 3 NLU YAML, from files or folders.

The format: https://rasa.com/docs/rasa/training-data-format/#nlu-training-data
The YAML is composed into nodes and never resolved, so an intent called `yes` or `1` stays a string and every
complaint can name its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bot.domain.errors import BadData
from bot.domain.understanding import Entity, Level
from nlu import marks

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
_HALF = re.compile("[\ud800-\udfff]")  # of an emoji that was cut, or written as JSON escapes it
EXPECTED = "Rasa NLU YAML starts with a key `nlu:` that holds a list of `- intent: …` with `examples: |`"


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
        found = {name: dict.fromkeys(values) for name, values in self.lookups.items()}
        for example in self.examples:
            for one in example.entities:
                written = example.text[one.start : one.end].strip()
                if one.entity not in FOUND_BY_RULE and not written.isdigit():
                    found.setdefault(one.entity, {}).setdefault(written)
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
        raise BadData(f"{where}: there are no training examples. {EXPECTED}; name such files in `nlu.data`.")
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


class _Found:
    """What has been read so far, over all files."""

    def __init__(self) -> None:
        self.examples: dict[tuple[str, str], Example] = {}
        self.urgency: dict[str, str] = {}
        self.synonyms: dict[str, str] = {}
        self.regexes: dict[tuple[str, str], Regex] = {}
        self.lookups: dict[str, dict[str, None]] = {}
        self.files: list[str] = []
        self.warnings: list[str] = []

    def add(self, example: Example) -> None:
        key = (example.text, example.intent)
        first = self.examples.setdefault(key, example)
        if first is example:
            return
        if example.urgency and example.urgency != first.urgency:
            self.examples[key] = self._labelled(first, example)
        # Files of two languages share their "hello", and labels may stand apart; twice in one file is a slip.
        if first.file == example.file:
            self.warn(example.file, example.line, f'"{_short(example.text)}" is in `{first.intent}` twice')

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
            warnings=(*self.warnings, *_contradictions(self.examples.values())),
        )


def _rank(level: str) -> int:
    return Level(level).rank


def _contradictions(examples: Iterable[Example]) -> Iterator[str]:
    seen: dict[str, Example] = {}
    for example in examples:
        key = " ".join(example.text.lower().split())
        first = seen.setdefault(key, example)
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
    root = _compose(file)
    keys = _pairs(root, file) if isinstance(root, MappingNode) else {}
    if "nlu" not in keys:
        if not named and keys and NEIGHBOURS.issuperset(keys):
            return
        raise BadData(f"{file}:{_line(root) if root else 1}: this is not Rasa NLU training data. {EXPECTED}.")
    found.files.append(str(file))
    entries = keys["nlu"]
    if _is_null(entries):
        return
    if not isinstance(entries, SequenceNode):
        raise BadData(f"{file}:{_line(entries)}: `nlu:` must hold a list. {EXPECTED}.")
    for entry in entries.value:
        _read_entry(entry, file, found)


def _compose(file: Path) -> Node | None:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise BadData(f"{file}: cannot be read ({exc.strerror}); check its permissions.") from exc
    except UnicodeDecodeError as exc:
        line = file.read_bytes()[: exc.start].count(b"\n") + 1
        raise BadData(f"{file}:{line}: this is not UTF-8; save the file in UTF-8.") from exc
    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except YAMLError as exc:
        raise BadData(_complaint(file, exc)) from exc
    except RecursionError as exc:
        raise BadData(f"{file}: nested too deeply to be read; check its brackets.") from exc
    return node


def _complaint(file: Path, exc: YAMLError) -> str:
    mark = getattr(exc, "problem_mark", None) or getattr(exc, "context_mark", None)
    place = f"{file}:{mark.line + 1}" if mark else str(file)
    problem = getattr(exc, "problem", None) or str(exc).splitlines()[0]
    return f"{place}: the YAML is broken ({problem}). Check indentation, quotes and colons near that line."


# ── Entries ─────────────────────────────────────────────────────────────────────────────────────


def _read_entry(entry: Node, file: Path, found: _Found) -> None:
    pairs = _pairs(entry, file)
    kind = next((kind for kind in READERS if kind in pairs), None)
    if kind is None:
        raise BadData(
            f"{file}:{_line(entry)}: an entry of `nlu:` is one of {', '.join(READERS)}, "
            f"not {', '.join(pairs) or 'empty'}."
        )
    name = _text(pairs[kind], file, kind).strip()
    if not name:
        raise BadData(f"{file}:{_line(entry)}: `{kind}:` has no name.")
    READERS[kind](name, pairs, file, found)


def _read_intent(name: str, pairs: Mapping[str, Node], file: Path, found: _Found) -> None:
    if level := _urgency(pairs.get("metadata"), file):
        found.set_urgency(name, level, str(file), _line(pairs["metadata"]))
    for text, line, metadata in _examples(name, pairs, file, found):
        plain, entities = marks.strip(text)
        found.add(
            Example(
                text=plain,
                intent=name,
                urgency=_urgency(metadata, file),
                entities=entities,
                file=str(file),
                line=line,
            )
        )
        for entity in entities:
            written = plain[entity.start : entity.end]
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
    values.update(dict.fromkeys(text for text, _, _ in _examples(name, pairs, file, found)))


READERS = {"intent": _read_intent, "synonym": _read_synonym, "regex": _read_regex, "lookup": _read_lookup}


def _examples(
    name: str, pairs: Mapping[str, Node], file: Path, found: _Found
) -> Iterator[tuple[str, int, Node | None]]:
    """Text, line and metadata of each example, from a block of lines or from a list."""
    node = pairs.get("examples")
    if node is None or _is_null(node):
        found.warn(str(file), _line(next(iter(pairs.values()))), f"`{name}` has no examples")
    elif isinstance(node, ScalarNode):
        yield from _block(node, file, found)
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from _item(item, file, found)
    else:
        raise BadData(f"{file}:{_line(node)}: `examples:` of `{name}` must be a block (`|`) or a list.")


def _block(node: ScalarNode, file: Path, found: _Found) -> Iterator[tuple[str, int, None]]:
    first = _line(node) + (node.style in {"|", ">"})
    for number, line in enumerate(_text(node, file, "examples").splitlines(), first):
        text = line.strip()
        if text.startswith("-") and text[1:].strip():
            yield text[1:].strip(), number, None
        elif text and not text.startswith("#"):
            found.warn(str(file), number, f'"{_short(text)}" is not read; an example starts with "- "')


def _item(item: Node, file: Path, found: _Found) -> Iterator[tuple[str, int, Node | None]]:
    if isinstance(item, ScalarNode):
        yield from _lines_of(item, None, file, found)
        return
    pairs = _pairs(item, file)
    if "text" not in pairs:
        raise BadData(f"{file}:{_line(item)}: an example in a list needs `text:`.")
    yield from _lines_of(pairs["text"], pairs.get("metadata"), file, found)


def _lines_of(
    node: Node, metadata: Node | None, file: Path, found: _Found
) -> Iterator[tuple[str, int, Node | None]]:
    """An example is one line; more of them are more examples."""
    lines = [line.strip().removeprefix("- ").strip() for line in _text(node, file, "text").splitlines()]
    if not any(lines):
        found.warn(str(file), _line(node), "an example without text is not read")
    for text in filter(None, lines):
        yield text, _line(node), metadata


def _urgency(metadata: Node | None, file: Path) -> str:
    if not isinstance(metadata, MappingNode):
        return ""
    node = _pairs(metadata, file).get("urgency")
    if node is None:
        return ""
    level = _text(node, file, "urgency")
    if level not in tuple(Level):
        raise BadData(f"{file}:{_line(node)}: urgency `{level}` is not one of {', '.join(Level)}.")
    return level


# ── Nodes ───────────────────────────────────────────────────────────────────────────────────────


def _pairs(node: Node, file: Path) -> dict[str, Node]:
    if not isinstance(node, MappingNode):
        raise BadData(f"{file}:{_line(node)}: expected `key: value` here. {EXPECTED}.")
    pairs: dict[str, Node] = {}
    for key, value in node.value:
        name = _text(key, file, "key")
        if name in pairs:
            raise BadData(f"{file}:{_line(key)}: `{name}:` is here twice; the YAML would lose one of them.")
        pairs[name] = value
    return pairs


def _text(node: Node, file: Path, what: str) -> str:
    if not isinstance(node, ScalarNode):
        raise BadData(f"{file}:{_line(node)}: `{what}` must be a text.")
    if half := _HALF.search(node.value):
        raise BadData(
            f"{file}:{_line(node)}: `{what}` holds half a character (\\u{ord(half[0]):x}); write the whole one instead."
        )
    return str(node.value)


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and str(node.tag) == "tag:yaml.org,2002:null"


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _short(text: str) -> str:
    return text if len(text) <= 50 else f"{text[:49]}…"
