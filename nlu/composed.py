"""One spelling of each character, for texts that come with "ü" as two, as macOS and iOS sometimes send them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

MARKS = 30  # in a row, as in Unicode's stream-safe format; thousands in a bad order take long to be sorted
_JAMO = (
    "\u1160",
    "\u11ff",
)  # the later letters of a Korean syllable, which are no marks and join all the same
# Neither letters nor the usual signs and emoji, and so perhaps marks: nothing else is looked at closely.
_CROWD = re.compile(
    rf"(?:[^\x00-\x7f\w\s\u2010-\u205e\u2190-\u2bff\U0001f000-\U0001ffff]|[{_JAMO[0]}-{_JAMO[1]}]){{{MARKS + 1}}}"
)


def is_composed(text: str) -> bool:
    return text.isascii() or (not _CROWD.search(text) and unicodedata.is_normalized("NFC", text))


def composed(text: str) -> str:
    """The text in NFC; what stands on one letter beyond `MARKS` is left out."""
    if _CROWD.search(text):
        text = "".join(text[start : min(end, start + 1 + MARKS)] for start, end in _pieces(text))
    return unicodedata.normalize("NFC", text)


def compose(text: str) -> tuple[str, list[int]]:
    """As `composed`, and for each of its characters, and for its end, the place in `text`."""
    parts: list[str] = []
    places: list[int] = []
    for start, end in _pieces(text):
        parts.append(unicodedata.normalize("NFC", text[start : min(end, start + 1 + MARKS)]))
        places += [min(start + count, end - 1) for count in range(len(parts[-1]))]
    return "".join(parts), [*places, len(text)]


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Beginning and end of each letter with what stands on it."""
    starts = [place for place, sign in enumerate(text) if not (place and _joins(sign))]
    return pairwise([*starts, len(text)])


def _joins(sign: str) -> bool:
    """Whether it may become one with what is before it."""
    return unicodedata.category(sign).startswith("M") or _JAMO[0] <= sign <= _JAMO[1]
