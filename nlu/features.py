"""From a text to n-grams: one way for training and for parsing, so that both see the same."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from msgspec import Struct

from bot.domain.understanding import UNDERSTOOD_CHARACTERS
from nlu.composed import composed

CHARACTER_GRAMS = (2, 3, 4)
LONGEST_WORD = (
    40  # characters; a longer one is several, so that nobody fills what is remembered with endless ones
)

# One private-use character each, so that no customer's word can look like a placeholder.
NUMBER, MAIL, LINK, MENTION = "\ue001", "\ue002", "\ue003", "\ue004"

_EMOJI = "\u2600-\u27bf\u2b50\u2b55\U0001f1e6-\U0001faff"
_UNSEEN = re.compile(
    "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff\ue000-\uf8ff\x00]"
    "|[\U0001f3fb-\U0001f3ff]"
)
# Full-width letters of East Asian keyboards, which are the same ones.
_WIDE = re.compile("[\u3000\uff01-\uff5e]")
_NARROW = {sign: chr(sign - 0xFEE0) for sign in range(0xFF01, 0xFF5F)} | {0x3000: " "}
_SPACED = re.compile(r"(?<!\w)[^\W\d_](?: [^\W\d_]){3,}(?!\w)")
_LONE_LETTERS = re.compile(r" [^\W\d_] [^\W\d_] ")  # asked first, since it costs a fifth
_MASKS = (  # with a sign that has to be there, since most messages have none
    ("http", re.compile(r"https?://\S+"), f" {LINK} "),
    ("www.", re.compile(r"www\.\S+"), f" {LINK} "),
    ("@", re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), f" {MAIL} "),
    ("@", re.compile(r"(?<![\w@])@\w+"), f" {MENTION} "),
)
_SPOKEN = re.compile(r"[^\W_]")
_LONG_NUMBER = re.compile(r"\d{4,}")
_ELONGATION = re.compile(r"([^\W\d_]|[!?.])\1{2,}")
_THREE_OF_A_KIND = re.compile(r"(.)\1\1")  # asked first, since it costs a sixth
_TOKEN = re.compile(rf"\w{{1,{LONGEST_WORD}}}|[?!€$£%{NUMBER}{MAIL}{LINK}{MENTION}]|[{_EMOJI}]")
_FOLD = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_FOLDED = frozenset("äöüß")


class Grams(Struct, frozen=True):
    """The n-grams of a text, with repetitions: words 1-2 and characters 2-4 inside words."""

    words: list[str]
    pairs: list[str]
    characters: list[str]


def visible(text: str) -> str:
    """What is read of a text: its beginning, one spelling of each character, and none that cannot be seen.

    "H E L L O" is a word, and so is one in full-width letters.
    """
    seen = text[:UNDERSTOOD_CHARACTERS]
    if not (seen.isascii() and seen.isprintable()):
        seen = _UNSEEN.sub("", composed(seen))
        if _WIDE.search(seen):
            seen = seen.translate(_NARROW)
    return _SPACED.sub(_together, seen) if _LONE_LETTERS.search(seen) else seen


def _together(spaced: re.Match[str]) -> str:
    return spaced[0][::2]


def is_spoken(text: str) -> bool:
    """Whether there is a letter or a digit in what is read of it; without one there is nothing to ask a model about."""
    return bool(_SPOKEN.search(text, 0, UNDERSTOOD_CHARACTERS))


def normalise(text: str) -> str:
    """Lower case, one spelling of each character, numbers and addresses masked, "haaallo" as "hallo"."""
    seen = visible(text).lower()
    for sign, pattern, placeholder in _MASKS:
        if sign in seen:
            seen = pattern.sub(placeholder, seen)
    seen = _LONG_NUMBER.sub(f" {NUMBER} ", seen)
    return _ELONGATION.sub(r"\1", seen) if _THREE_OF_A_KIND.search(seen) else seen


def tokens(normalised: str) -> list[str]:
    """Words, emoji, ?, !, currency signs and placeholders, in order."""
    return _TOKEN.findall(normalised)


def grams(words: list[str]) -> Grams:
    """The n-grams of `tokens`; a word with an umlaut counts in its ae/oe/ue/ss spelling as well."""
    spelled = spellings(words)
    return Grams(spelled, pairs(words), [gram for word in spelled for gram in _remembered(word)])


def spellings(words: list[str]) -> list[str]:
    return words + [fold(word) for word in words if not word.isascii() and not _FOLDED.isdisjoint(word)]


def pairs(words: list[str]) -> list[str]:
    return [f"{first} {second}" for first, second in pairwise(words)]


def fold(word: str) -> str:
    return word.translate(_FOLD)


def inside(word: str) -> tuple[str, ...]:
    """The characters 2-4 of a word and its edges."""
    padded = f" {word} "
    found: list[str] = []
    for size in CHARACTER_GRAMS:
        found += [padded[start : start + size] for start in range(max(len(padded) - size + 1, 1))]
        if len(padded) <= size:
            break
    return tuple(found)


_remembered = lru_cache(maxsize=4096)(inside)  # people use the same few thousand words all the time
