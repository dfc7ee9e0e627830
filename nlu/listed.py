"""Finds again what the training data lists: values of lookup tables and of marks, as whole words and signs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

_PIECE = re.compile(r"\w+|[^\w\s\0]")  # a word or a sign; nothing where another finder has been
_PART_OF_WORD = re.compile(r"\w")


def key(text: str) -> str:
    """The same for texts that differ in letter case or in the width of spaces only."""
    return " ".join(text.lower().split())


class Listed:
    """Time does not depend on how many values there are: most words begin none, and the rest are looked up."""

    def __init__(self, values: Mapping[str, Iterable[str]]) -> None:
        """`values`: entity → values; one that two entities have is the first one's."""
        self._names: dict[str, str] = {}
        lengths = defaultdict[str, set[int]](set)
        for name, listed in values.items():
            for value in listed:
                if pieces := _PIECE.findall(value):
                    self._names.setdefault(key(value), name)
                    lengths[pieces[0].lower()].add(len(pieces))
        self._lengths = {first: sorted(counts, reverse=True) for first, counts in lengths.items()}

    def __bool__(self) -> bool:
        return bool(self._names)

    def find(self, text: str) -> Iterator[tuple[str, tuple[int, int]]]:
        """Entity and span of each value; where several begin at one word, of the longest."""
        pieces = [match.span() for match in _PIECE.finditer(text)]
        taken = 0
        for place, (start, end) in enumerate(pieces):
            lengths = self._lengths.get(text[start:end].lower())
            if lengths and start >= taken:
                for stop in (
                    pieces[place + count - 1][1] for count in lengths if place + count <= len(pieces)
                ):
                    name = self._names.get(key(text[start:stop]))
                    if name and _stands_alone(text, start, stop):
                        yield name, (start, stop)
                        taken = stop
                        break


def _stands_alone(text: str, start: int, stop: int) -> bool:
    before = start and _PART_OF_WORD.match(text, start - 1)
    return not (before or _PART_OF_WORD.match(text, stop))
