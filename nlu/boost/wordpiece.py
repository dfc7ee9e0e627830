"""Words to the pieces a BERT model knows: as its own tokenizer for lower-case text does it.

The rules: https://github.com/google-research/bert#tokenization
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

LONGEST = 100  # characters of a word; longer ones are unknown
MOST = 128  # pieces of a text, with the two that frame it
_IDEOGRAPHS = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


class WordPiece:
    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._ids = {piece: place for place, piece in enumerate(vocabulary)}
        self._unknown = self._ids["[UNK]"]
        self._start, self._end = self._ids["[CLS]"], self._ids["[SEP]"]
        self._pieces = lru_cache(maxsize=8192)(self._split)

    def ids(self, text: str) -> list[int]:
        """Framed, and cut off where the model was never trained to go on."""
        found = [piece for word in _words(text) for piece in self._pieces(word)]
        return [self._start, *found[: MOST - 2], self._end]

    def _split(self, word: str) -> tuple[int, ...]:
        """The longest piece that fits, again and again; a word with a rest that fits nothing is unknown."""
        if len(word) > LONGEST:
            return (self._unknown,)
        found: list[int] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            fits = ((end, self._ids.get(mark + word[start:end])) for end in range(len(word), start, -1))
            end, piece = next(((end, piece) for end, piece in fits if piece is not None), (0, self._unknown))
            if not end:
                return (self._unknown,)
            found.append(piece)
            start = end
        return tuple(found)


def _words(text: str) -> Iterator[str]:
    """Lower case without accents; punctuation and ideographs stand alone."""
    cleaned = "".join(map(_cleaned, text))
    plain = "".join(
        sign for sign in unicodedata.normalize("NFD", cleaned.lower()) if unicodedata.category(sign) != "Mn"
    )
    for word in plain.split():
        yield from _apart(word)


def _cleaned(sign: str) -> str:
    code = ord(sign)
    if sign in "\t\n\r" or unicodedata.category(sign) == "Zs":
        return " "
    if code in {0, 0xFFFD} or unicodedata.category(sign).startswith("C"):
        return ""
    if code > 0x2E7F and any(low <= code <= high for low, high in _IDEOGRAPHS):
        return f" {sign} "
    return sign


def _apart(word: str) -> Iterator[str]:
    start = 0
    for place, sign in enumerate(word):
        if _is_punctuation(sign):
            if start < place:
                yield word[start:place]
            yield sign
            start = place + 1
    if start < len(word):
        yield word[start:]


@lru_cache(maxsize=4096)
def _is_punctuation(sign: str) -> bool:
    """As BERT has it: every ASCII sign that is neither letter nor digit counts."""
    code = ord(sign)
    ascii_sign = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_sign or unicodedata.category(sign).startswith("P")
