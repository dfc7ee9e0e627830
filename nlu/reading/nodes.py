"""A training file as YAML nodes that know their line, and what is said where they are something else."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from bot.domain.errors import BadData

EXPECTED = "Rasa NLU YAML starts with a key `nlu:` that holds a list of `- intent: …` with `examples: |`"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")  # and what turns the direction
SHORT = 50  # characters of what a message quotes
_HALF = re.compile("[\ud800-\udfff]")  # of an emoji that was cut, or written as JSON escapes it


def printable(text: str) -> str:
    """Without what a terminal would take for a command."""
    return CONTROL.sub("\ufffd", text)


def short(text: str) -> str:
    """The beginning, to be quoted."""
    seen = printable(text)
    return seen if len(seen) <= SHORT else f"{seen[: SHORT - 1]}…"


def compose(file: Path) -> Node | None:
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


def pairs(node: Node, file: Path) -> dict[str, Node]:
    if not isinstance(node, MappingNode):
        raise BadData(f"{file}:{line_of(node)}: expected `key: value` here. {EXPECTED}.")
    pairs: dict[str, Node] = {}
    for key, value in node.value:
        name = text(key, file, "key")
        if name in pairs:
            raise BadData(
                f"{file}:{line_of(key)}: `{short(name)}:` is here twice; the YAML would lose one of them."
            )
        pairs[name] = value
    return pairs


def text(node: Node, file: Path, what: str) -> str:
    if not isinstance(node, ScalarNode):
        raise BadData(f"{file}:{line_of(node)}: `{what}` must be a text.")
    if half := _HALF.search(node.value):
        raise BadData(
            f"{file}:{line_of(node)}: `{what}` holds half a character (\\u{ord(half[0]):x}); write the whole one instead."
        )
    return str(node.value)


def name(node: Node, file: Path, what: str) -> str:
    """Without blanks around it; what would be a command to a terminal is refused."""
    found = text(node, file, what).strip()
    if not found:
        raise BadData(f"{file}:{line_of(node)}: `{what}:` has no name.")
    if control := CONTROL.search(found):
        raise BadData(
            f"{file}:{line_of(node)}: the name of `{what}:` holds a control character (U+{ord(control[0]):04X}); "
            "take it out."
        )
    return found


def key_lines(node: Node) -> dict[str, int]:
    """Each key of `pairs` and its line."""
    return {str(key.value): line_of(key) for key, _ in node.value}


def written(node: Node, file: Path, what: str) -> str:
    """With one spelling of each character: macOS writes "ü" as two."""
    return unicodedata.normalize("NFC", text(node, file, what))


def is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and str(node.tag) == "tag:yaml.org,2002:null"


def line_of(node: Node) -> int:
    return int(node.start_mark.line) + 1
