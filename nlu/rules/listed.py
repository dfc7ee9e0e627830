"""Finds again what the training data lists: values of lookup tables and of marks, as whole words and signs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

_PIECE = re.compile(r"\w+|[^\w\s\0]")  # a word or a sign; nothing where another finder has been
LONGEST = 30  # words and signs of a value
_PART_OF_WORD = re.compile(r"\w")


def key(text: str) -> str:
    """The same for texts that differ in letter case or in the width of spaces only."""
    return " ".join(text.lower().split())


def pieces(text: str) -> int:
    """How many words and signs it has."""
    return len(_PIECE.findall(text))


class Listed:
    """Time does not depend on how many values there are: most words begin none, and the rest are looked up."""

    def __init__(self, values: Mapping[str, Iterable[str]]) -> None:
        """`values`: entity → values; one that two entities have is the first one's, and one of more than `LONGEST`
        words and signs is not found, since every word of a text may begin it.
        """
        self._names: dict[str, str] = {}
        self._longest: dict[str, int] = {}  # first word or sign → how many the longest value has
        for name, listed in values.items():
            for value in listed:
                found = _joined(value)
                if 0 < len(found) <= LONGEST:
                    first = found[0][0]
                    self._names.setdefault("".join(piece for piece, _, _ in found), name)
                    self._longest[first] = max(self._longest.get(first, 0), len(found))

    def __bool__(self) -> bool:
        return bool(self._names)

    def find(self, text: str) -> Iterator[tuple[str, tuple[int, int]]]:
        """Entity and span of each value; where several begin at one word, of the longest."""
        found = _joined(text)
        taken = 0
        for place, (piece, start, _) in enumerate(found):
            longest = self._longest.get(piece.lstrip("\0 "))
            if longest and start >= taken and (hit := self._longest_at(text, found[place : place + longest])):
                yield hit[0], (start, hit[1])
                taken = hit[1]

    def _longest_at(self, text: str, found: list[tuple[str, int, int]]) -> tuple[str, int] | None:
        """Entity and end of the longest value that begins with the first of `found`."""
        written, hit, start = "", None, found[0][1]
        for piece, _, stop in found:
            written += piece if written else piece.lstrip("\0 ")
            name = self._names.get(written)
            if name and _stands_alone(text, start, stop):
                hit = name, stop
        return hit


def _joined(text: str) -> list[tuple[str, int, int]]:
    """Each word or sign and its span; before it stands the space, or what marks the place of another finder."""
    found: list[tuple[str, int, int]] = []
    last = 0
    for match in _PIECE.finditer(text):
        start, stop = match.span()
        gap = text[last:start]
        before = "" if not (gap and found) else " " if gap.isspace() else "\0"
        found.append((before + match[0].lower(), start, stop))
        last = stop
    return found


def _stands_alone(text: str, start: int, stop: int) -> bool:
    before = start and _PART_OF_WORD.match(text, start - 1)
    return not (before or _PART_OF_WORD.match(text, stop))
