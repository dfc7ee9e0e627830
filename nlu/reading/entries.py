"""Entries of training data: intents, synonyms, regexes and lookups with their examples, each with its line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bot.domain import strict
from bot.domain.errors import BadData
from bot.domain.understanding import Level
from nlu.reading import marks, nodes
from nlu.reading.examples import Example, Regex
from nlu.reading.gathered import Gathered

ENTRY, ITEM = ("examples", "metadata"), ("text", "metadata")  # the keys they may have
LIKE_URGENCY, VERY_LIKE_URGENCY = 0.6, 0.85  # of a key with a level, and with anything else
MARKED = 'A mark is `[Paris](city)` or `[Paris]{"entity": "city", "role": "to"}`.'


def read_entry(entry: Node, file: Path, found: Gathered) -> None:
    pairs = nodes.pairs(entry, file)
    kind = next((kind for kind in READERS if kind in pairs), None)
    if kind is None:
        raise BadData(
            f"{file}:{nodes.line_of(entry)}: {_no_kind([key for key in pairs if key not in ENTRY])}"
        )
    name = nodes.name(pairs[kind], file, kind)
    place = f"{file}:{nodes.line_of(entry)}"
    if kind != "synonym":
        found.names["intent" if kind == "intent" else "entity"].setdefault(name, place)
    _check_keys(entry, (kind, *ENTRY), file, found)
    READERS[kind](name, pairs, file, found)


def _no_kind(given: Sequence[str]) -> str:
    hint = next(filter(None, (strict.meant(key, READERS) for key in given)), "")
    named = ", ".join(map(nodes.short, given)) or "empty"
    return f"an entry of `nlu:` is one of {', '.join(READERS)}, not {named}{'; ' if hint else '.'}{hint}"


def _check_keys(node: Node, known: Sequence[str], file: Path, found: Gathered) -> None:
    for name, line in nodes.key_lines(node).items():
        if name not in known:
            found.warn(str(file), line, f"`{nodes.short(name)}` is not read; {_instead(name, known)}")


def _instead(key: str, known: Sequence[str]) -> str:
    if "metadata" in known and strict.meant(key, ("urgency",)):
        return "write `metadata: {urgency: high}`, in a list `- {text: …, metadata: {urgency: high}}`"
    return strict.near(key, known).rstrip(".")


def _read_intent(name: str, pairs: Mapping[str, Node], file: Path, found: Gathered) -> None:
    if level := _urgency(pairs.get("metadata"), file, found):
        found.set_urgency(name, level, str(file), nodes.line_of(pairs["metadata"]))
    for text, line, metadata in _examples(name, pairs, file, found):
        plain = marks.strip(text)
        _check_marks(plain, file, line, found)
        if not plain.text.strip():
            continue
        found.add(
            Example(
                text=plain.text,
                intent=name,
                urgency=_urgency(metadata, file, found),
                entities=plain.entities,
                file=str(file),
                line=line,
            )
        )
        for entity in plain.entities:
            found.names["entity"].setdefault(entity.entity, f"{file}:{line}")
            written = plain.text[entity.start : entity.end]
            if written != entity.value:
                found.synonyms.setdefault(written.lower(), entity.value)


def _check_marks(plain: marks.Unmarked, file: Path, line: int, found: Gathered) -> None:
    for mark in plain.broken:
        found.warn(str(file), line, f"`{nodes.short(mark)}` marks nothing. {MARKED}")
    for name in plain.unread:
        instead = strict.near(name, marks.KEYS).rstrip(".")
        found.warn(str(file), line, f'"{nodes.short(name)}" of a mark is not read; {instead}')


def _read_synonym(name: str, pairs: Mapping[str, Node], file: Path, found: Gathered) -> None:
    for text, line, _ in _examples(name, pairs, file, found):
        first = found.synonyms.get(text.lower(), name)
        if first != name and first in found.meanings:
            what = f'"{nodes.short(text)}" stands for `{name}` and for `{first}`; `{name}` counts'
            found.warn(str(file), line, what)
        found.synonyms[text.lower()] = name
        found.meanings.setdefault(name, f"{file}:{nodes.line_of(pairs['synonym'])}")


def _read_regex(name: str, pairs: Mapping[str, Node], file: Path, found: Gathered) -> None:
    for pattern, line, _ in _examples(name, pairs, file, found):
        try:
            re.compile(pattern, re.IGNORECASE)
        except (re.error, OverflowError, RecursionError) as exc:
            reason = "nested too deeply" if isinstance(exc, RecursionError) else exc
            raise BadData(
                f"{file}:{line}: `{nodes.short(pattern)}` is not a regular expression ({reason})."
            ) from exc
        found.regexes.setdefault(
            (name, pattern), Regex(entity=name, pattern=pattern, file=str(file), line=line)
        )


def _read_lookup(name: str, pairs: Mapping[str, Node], file: Path, found: Gathered) -> None:
    values = found.lookups.setdefault(name, {})
    for text, line, _ in _examples(name, pairs, file, found):
        values.setdefault(text, f"{file}:{line}")


READERS = {"intent": _read_intent, "synonym": _read_synonym, "regex": _read_regex, "lookup": _read_lookup}


def _examples(
    name: str, pairs: Mapping[str, Node], file: Path, found: Gathered
) -> Iterator[tuple[str, int, Node | None]]:
    """Text, line and metadata of each example; none is warned of."""
    count = 0
    for count, one in enumerate(_lines(name, pairs.get("examples"), file, found), 1):  # noqa: B007 - read below
        yield one
    if not count:
        found.warn(str(file), nodes.line_of(next(iter(pairs.values()))), f"`{name}` has no examples")


def _lines(
    name: str, node: Node | None, file: Path, found: Gathered
) -> Iterator[tuple[str, int, Node | None]]:
    """From a block of lines or from a list."""
    if node is None or nodes.is_null(node):
        return
    if isinstance(node, ScalarNode) and node.style != ">":
        yield from _block(node, file, found)
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from _item(item, file, found)
    else:
        folded = "; `>` makes one line of all" if isinstance(node, ScalarNode) else ""
        raise BadData(
            f"{file}:{nodes.line_of(node)}: `examples:` of `{name}` must be a block (`|`) or a list{folded}."
        )


def _block(node: ScalarNode, file: Path, found: Gathered) -> Iterator[tuple[str, int, None]]:
    first = nodes.line_of(node) + (node.style == "|")
    for number, line in enumerate(nodes.written(node, file, "examples").splitlines(), first):
        text = line.strip()
        if text.startswith("-") and text[1:].strip():
            yield text[1:].strip(), number, None
        elif text and not text.startswith("#"):
            found.warn(str(file), number, f'"{nodes.short(text)}" is not read; an example starts with "- "')


def _item(item: Node, file: Path, found: Gathered) -> Iterator[tuple[str, int, Node | None]]:
    if isinstance(item, ScalarNode):
        yield from _lines_of(item, None, file, found)
        return
    pairs = nodes.pairs(item, file)
    if "text" not in pairs:
        hint = next(filter(None, (strict.meant(key, ("text",)) for key in pairs)), "")
        raise BadData(
            f"{file}:{nodes.line_of(item)}: an example in a list needs `text:`{hint and '; '}{hint or '.'}"
        )
    _check_keys(item, ITEM, file, found)
    yield from _lines_of(pairs["text"], pairs.get("metadata"), file, found)


def _lines_of(
    node: Node, metadata: Node | None, file: Path, found: Gathered
) -> Iterator[tuple[str, int, Node | None]]:
    """An example is one line; more of them are more examples."""
    lines = [
        line.strip().removeprefix("- ").strip() for line in nodes.written(node, file, "text").splitlines()
    ]
    if not any(lines):
        found.warn(str(file), nodes.line_of(node), "an example without text is not read")
    for text in filter(None, lines):
        yield text, nodes.line_of(node), metadata


def _urgency(metadata: Node | None, file: Path, found: Gathered) -> str:
    if metadata is None or nodes.is_null(metadata):
        return ""
    if not isinstance(metadata, MappingNode):
        raise BadData(
            f"{file}:{nodes.line_of(metadata)}: `metadata:` must hold `key: value`, as in `metadata: {{urgency: high}}`."
        )
    pairs = nodes.pairs(metadata, file)
    for key, line in nodes.key_lines(metadata).items():
        if key != "urgency" and _is_slip(key, pairs[key]):
            found.warn(str(file), line, f'`{nodes.short(key)}` is not read; did you mean "urgency"?')
    if "urgency" not in pairs:
        return ""
    node = pairs["urgency"]
    level = nodes.text(node, file, "urgency")
    if level not in tuple(Level):
        raise BadData(
            f"{file}:{nodes.line_of(node)}: urgency `{nodes.short(level)}` is not one of {', '.join(Level)}."
        )
    return level


def _is_slip(key: str, value: Node) -> bool:
    """Whether it was to be `urgency`; Rasa's metadata may hold anything, `currency` among it."""
    closeness = difflib.SequenceMatcher(None, key.lower(), "urgency").ratio()
    return closeness >= (LIKE_URGENCY if value.value in tuple(Level) else VERY_LIKE_URGENCY)
