"""What a regex can start with, and whether it is safe to ask: `(a+)+$` would take years over forty letters.

Both are read off its parts, for which the standard library has no public way: this is the only module that asks.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterable, Iterator
from re import _parser  # type: ignore[attr-defined]
from types import FrameType
from typing import Any

from bot.domain.understanding import UNDERSTOOD_CHARACTERS

LIMIT = 0.1  # seconds of processor time for one text; the rules of the starter data take a thousandth
ENOUGH = 2.0  # seconds of processor time for one pattern; whatever took no `LIMIT` by then is taken
END = "\0"  # matches hardly anything, so that every way to get here has to be tried
REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}
MANY, BROAD = 40, 4  # samples of a sequence, and of a class of characters
OTHERS = "a0 -.x\n\x01"

_SAMPLES = {
    "CATEGORY_DIGIT": "0",
    "CATEGORY_SPACE": " ",
    "CATEGORY_WORD": "a",
    "CATEGORY_NOT_DIGIT": "a",
    "CATEGORY_NOT_SPACE": "a",
    "CATEGORY_NOT_WORD": "-",
}
_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_NOT_WORD": r"\W",
}


# ── Is it slow? Tried out, since it cannot be proved ────────────────────────────────────────────


def slow_text(pattern: str) -> str:
    """The beginning of a text that the pattern takes longer than `LIMIT` for; empty where there seems to be none.

    For the main thread only, since a signal ends the match; a system without such signals takes every pattern.
    """
    if not hasattr(signal, "setitimer"):
        return ""
    compiled = re.compile(pattern, re.IGNORECASE)
    until = time.process_time() + ENOUGH
    for beginning, piece in dict.fromkeys(_floods(_parser.parse(pattern), [""])):
        text = beginning + piece * ((UNDERSTOOD_CHARACTERS - len(beginning)) // len(piece)) + END
        if not _in_time(compiled, text):
            return text[:40]
        if time.process_time() > until:
            break
    return ""


def _floods(parts: Any, before: list[str]) -> Iterator[tuple[str, str]]:
    """For each repeat: what has to stand before it, and what it can be flooded with."""
    for kind, detail in parts:
        if str(kind) in REPEATS:
            _, most, inner = detail
            if most > 1:
                pieces = dict.fromkeys(
                    piece for one in _samples(inner, BROAD) for piece in (one, *one) if piece
                )
                yield from ((beginning, piece) for beginning in before for piece in pieces)
        for inner in _inside(detail):
            yield from _floods(inner, before)
        before = _joined(before, _one(str(kind), detail, 1))


def _samples(parts: Any, broad: int) -> list[str]:
    """Some texts that fit; of a class of characters, so many."""
    found = [""]
    for kind, detail in parts:
        found = _joined(found, _one(str(kind), detail, broad))
    return found


def _one(kind: str, detail: Any, broad: int) -> list[str]:
    """The same for one part of a pattern."""
    if kind == "LITERAL":
        return [chr(detail)]
    if kind == "NOT_LITERAL":
        return [sign for sign in OTHERS if sign.lower() != chr(detail).lower()][:broad]
    if kind == "IN":
        return _members(detail)[:broad]
    if kind in REPEATS:
        fewest, _, inner = detail
        once = [sample * min(max(fewest, 1), MANY) for sample in _samples(inner, broad)]
        return once if fewest else [*once, ""]
    if kind == "BRANCH":
        return [sample for branch in detail[1] for sample in _samples(branch, broad)]
    if (kind == "ASSERT" and detail[0] > 0) or kind in {"ASSERT_NOT", "AT"}:  # they take no room
        return [""]
    inside = list(_inside(detail))
    return _samples(inside[0], broad) if inside else ["a"]


def _joined(starts: list[str], ends: list[str]) -> list[str]:
    return [start + end for end in ends for start in starts][:MANY]


def _members(members: list[tuple[Any, Any]]) -> list[str]:
    """One character for each part of a class; of what it leaves out, some others."""
    if str(members[0][0]) == "NEGATE":
        return [sign for sign in OTHERS if not re.fullmatch(_class(members[1:]), sign)] or ["a"]
    return [_member(str(kind), detail) for kind, detail in members]


def _member(kind: str, detail: Any) -> str:
    if kind == "LITERAL":
        return chr(detail)
    return chr(detail[0]) if kind == "RANGE" else _SAMPLES.get(str(detail), "a")


def _class(members: list[tuple[Any, Any]]) -> str:
    """As it is written, without the brackets' "^"."""
    parts = {
        "LITERAL": lambda detail: re.escape(chr(detail)),
        "RANGE": lambda detail: f"{re.escape(chr(detail[0]))}-{re.escape(chr(detail[1]))}",
        "CATEGORY": lambda detail: _CATEGORIES.get(str(detail), ""),
    }
    return "[" + "".join(parts[str(kind)](detail) for kind, detail in members) + "]"


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
