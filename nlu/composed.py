"""One spelling of each character, for texts that come with "ü" as two, as macOS and iOS sometimes send them."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

_JAMO = (
    "\u1160",
    "\u11ff",
)  # the later letters of a Korean syllable, which are no marks and join all the same


def is_composed(text: str) -> bool:
    return text.isascii() or unicodedata.is_normalized("NFC", text)


def compose(text: str) -> tuple[str, list[int]]:
    """The text in NFC, and for each of its characters, and for its end, the place in `text`."""
    starts = [place for place, sign in enumerate(text) if not (place and _joins(sign))]
    parts: list[str] = []
    places: list[int] = []
    for start, end in pairwise([*starts, len(text)]):
        parts.append(unicodedata.normalize("NFC", text[start:end]))
        places += [min(start + count, end - 1) for count in range(len(parts[-1]))]
    return "".join(parts), [*places, len(text)]


def _joins(sign: str) -> bool:
    """Whether it may become one with what is before it."""
    return unicodedata.category(sign).startswith("M") or _JAMO[0] <= sign <= _JAMO[1]
