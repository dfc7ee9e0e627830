"""What a regex can start with, and whether it is safe to ask: `(a+)+$` would take years over forty letters.

Both are read off its parts, for which the standard library has no public way: this is the only module that asks.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from re import _parser  # type: ignore[attr-defined]
from types import FrameType
from typing import Any

from bot.domain.understanding import UNDERSTOOD_CHARACTERS

LIMIT = 0.1  # seconds of processor time for one text; the rules of the starter data take a thousandth
PAIRS = BEGINNINGS = (
    30  # neighbouring characters, and lengths of what stands in front of them, that are tried
)
MOST = 40  # repetitions of what has to be there several times
ENOUGH = 0.5  # seconds of processor time for one pattern; whatever took no `LIMIT` by then is taken
END = "\0"  # matches hardly anything, so that every way to get here has to be tried

_SAMPLES = {
    "CATEGORY_DIGIT": "0",
    "CATEGORY_SPACE": " ",
    "CATEGORY_WORD": "a",
    "CATEGORY_NOT_DIGIT": "a",
    "CATEGORY_NOT_SPACE": "a",
    "CATEGORY_NOT_WORD": "-",
}


# ── Is it slow? Tried out on long texts of what it is made of, since it cannot be proved ────────


def slow_text(pattern: str) -> str:
    """The beginning of a text that the pattern takes longer than `LIMIT` for; empty where there seems to be none.

    For the main thread only, since a signal ends the match; a system without such signals takes every pattern.
    """
    if not hasattr(signal, "setitimer"):
        return ""
    compiled = re.compile(pattern, re.IGNORECASE)
    until = time.process_time() + ENOUGH
    for text in _texts("".join(_letters(_parser.parse(pattern)))[:UNDERSTOOD_CHARACTERS]):
        if not _in_time(compiled, text):
            return text[:40]
        if time.process_time() > until:
            break
    return ""


def _texts(letters: str) -> Iterator[str]:
    """Repetitions of what the pattern is made of, behind each of its beginnings: `KD-` has to be there for `KD-(a+)+`."""
    pieces = dict.fromkeys(
        [
            *letters,
            *[first + second for first, second in pairwise(letters)][:PAIRS],
            *[letters] * bool(letters),
        ]
    )
    for beginning in range(min(len(letters), BEGINNINGS)):
        for piece in pieces:
            times = (UNDERSTOOD_CHARACTERS - beginning) // len(piece)
            yield letters[:beginning] + piece * times + END


def _letters(parts: Any) -> Iterator[str]:
    """One character for each place of the pattern, in order."""
    for kind, detail in parts:
        if str(kind) == "LITERAL":
            yield chr(detail)
        elif str(kind) == "IN":
            yield from map(_sample, detail)
        elif str(kind) in {"ANY", "NOT_LITERAL"}:
            yield "a"
        elif str(kind).endswith("_REPEAT"):
            fewest, _, inner = detail
            yield from [*_letters(inner)] * min(max(fewest, 1), MOST)
        else:
            for inner in _inside(detail):
                yield from _letters(inner)


def _sample(member: tuple[Any, Any]) -> str:
    kind, detail = str(member[0]), member[1]
    if kind == "LITERAL":
        return chr(detail)
    return chr(detail[0]) if kind == "RANGE" else _SAMPLES.get(str(detail), "a")


def _inside(detail: Any) -> Iterator[Any]:
    if isinstance(detail, _parser.SubPattern):
        yield detail
    elif isinstance(detail, (tuple, list)):
        for one in detail:
            yield from _inside(one)


class _OutOfTime(Exception):
    """The clock rang."""


def _in_time(pattern: re.Pattern[str], text: str) -> bool:
    def ring(_: int, __: FrameType | None) -> None:
        raise _OutOfTime

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT)
    try:
        for _ in pattern.finditer(text):
            pass
    except _OutOfTime:
        return False
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    return True


# ── What does it start with? ────────────────────────────────────────────────────────────────────


def openings(pattern: str, length: int) -> set[str]:
    """What a match can start with: so many characters, fewer where anything may follow."""
    growing, finished = _grow({""}, _parser.parse(pattern), length)
    return growing | finished


def _grow(growing: set[str], parts: Iterable[tuple[Any, Any]], length: int) -> tuple[set[str], set[str]]:
    finished: set[str] = set()
    for kind, detail in parts:
        longer, ended = _step(growing, str(kind), detail, length)
        finished |= ended | {start for start in longer if len(start) == length}
        growing = {start for start in longer if len(start) < length}
        if not growing:
            break
    return growing, finished


def _step(growing: set[str], kind: str, detail: Any, length: int) -> tuple[set[str], set[str]]:
    if kind in {"AT", "ASSERT", "ASSERT_NOT"}:  # they take no room
        return growing, set()
    if kind == "SUBPATTERN":
        return _grow(growing, detail[-1], length)
    if kind == "BRANCH":
        both = [_grow(growing, branch, length) for branch in detail[1]]
        return set[str]().union(*(one for one, _ in both)), set[str]().union(*(one for _, one in both))
    if kind == "MAX_REPEAT":
        fewest, most, inner = detail
        longer, finished = _grow(growing, inner, length)
        unchanged = growing if fewest == 0 else set()
        if most == 1:
            return unchanged | longer, finished
        # Once more is more letters again: what is still growing may go on with anything.
        return unchanged, finished | longer
    letters = _all_letters(kind, detail)
    if letters is None:
        return set(), growing
    return {start + letter for start in growing for letter in letters}, set()


def _all_letters(kind: str, detail: Any) -> list[str] | None:
    """What may stand at one place; None when that is too much to list."""
    if kind == "LITERAL":
        return [chr(detail)]
    if kind != "IN":
        return None
    found: list[str] = []
    for inner, value in detail:
        if str(inner) == "LITERAL":
            found.append(chr(value))
        elif str(inner) == "RANGE":
            found += map(chr, range(value[0], value[1] + 1))
        elif str(value) == "CATEGORY_DIGIT":
            found += "0123456789"
        else:
            return None
    return found
