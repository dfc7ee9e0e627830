"""Whether a regex of the training data is safe to ask: `(a+)+$` would keep the server busy for years over forty letters.

Tried out, since it cannot be proved: on long texts of what the pattern itself is made of, against the clock.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from itertools import pairwise
from re import _parser  # type: ignore[attr-defined]  # there is no public way to ask what a pattern consists of
from types import FrameType
from typing import Any

from bot.domain.understanding import UNDERSTOOD_CHARACTERS

LIMIT = 0.1  # seconds of processor time for one text; the rules of the starter data take a thousandth
PAIRS = 30  # of neighbouring characters that are tried
END = "\0"  # matches hardly anything, so that every way to get here has to be tried

_SAMPLES = {
    "CATEGORY_DIGIT": "0",
    "CATEGORY_SPACE": " ",
    "CATEGORY_WORD": "a",
    "CATEGORY_NOT_DIGIT": "a",
    "CATEGORY_NOT_SPACE": "a",
    "CATEGORY_NOT_WORD": "-",
}


def slow_text(pattern: str) -> str:
    """The beginning of a text that the pattern takes longer than `LIMIT` for; empty where there seems to be none.

    For the main thread only, since a signal ends the match; a system without such signals takes every pattern.
    """
    if not hasattr(signal, "setitimer"):
        return ""
    compiled = re.compile(pattern, re.IGNORECASE)
    for piece in _pieces("".join(_letters(_parser.parse(pattern)))):
        text = piece * (UNDERSTOOD_CHARACTERS // len(piece)) + END
        if not _in_time(compiled, text):
            return text[:20]
    return ""


def _pieces(letters: str) -> Iterator[str]:
    yield from dict.fromkeys(letters)
    yield from list(dict.fromkeys(first + second for first, second in pairwise(letters)))[:PAIRS]
    if letters:
        yield letters[:UNDERSTOOD_CHARACTERS]


def _letters(parts: Any) -> Iterator[str]:
    """One character for each place of the pattern, in order."""
    for kind, detail in parts:
        if str(kind) == "LITERAL":
            yield chr(detail)
        elif str(kind) == "IN":
            yield from map(_sample, detail)
        elif str(kind) in {"ANY", "NOT_LITERAL"}:
            yield "a"
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
