"""Texts as Telegram counts them: split into messages, with entities that never break.

Offsets and lengths are UTF-16 code units, https://core.telegram.org/bots/api#messageentity. A message has 4096
characters; counting UTF-16 units is never longer than what the platform counts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024

# The safe subset of https://core.telegram.org/bots/api#html-style; everything else is text like any other.
STYLES = {
    **dict.fromkeys(("b", "strong"), "bold"),
    **dict.fromkeys(("i", "em"), "italic"),
    **dict.fromkeys(("u", "ins"), "underline"),
    **dict.fromkeys(("s", "strike", "del"), "strikethrough"),
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "a": "text_link",
}
TAG = re.compile(
    rf"<(?P<close>/)?(?P<name>{'|'.join(sorted(STYLES, key=len, reverse=True))})"
    r"(?:\s+href=\"(?P<url>https?://[^\"<>\s]{1,2000})\")?\s*>|&(?P<named>lt|gt|amp|quot);",
    re.IGNORECASE,
)
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
# Where a long text is best cut, best first: paragraph, line, sentence, word.
BORDERS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?…:;])\s"), re.compile(r"\s"))
JOINERS = re.compile("[\u200d\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
FLAG_LETTERS = re.compile("[\U0001f1e6-\U0001f1ff]+$")
LONGEST_CLUSTER = 32  # characters that belong together (a family of emoji); more is somebody's game


class Entity(Struct, frozen=True, kw_only=True):
    type: str
    offset: int  # UTF-16 units
    length: int
    url: str = ""

    def as_payload(self) -> dict[str, Any]:
        plain = {"type": self.type, "offset": self.offset, "length": self.length}
        return {**plain, "url": self.url} if self.url else plain


class Piece(Struct, frozen=True, kw_only=True):
    """As much of a text as one message holds."""

    text: str
    entities: tuple[Entity, ...] = ()


def units(text: str) -> int:
    """UTF-16 code units."""
    return len(text) + sum(character > "\uffff" for character in text)


def slice_units(text: str, offset: int, length: int) -> str:
    """The part of a text that an entity names."""
    encoded = text.encode("utf-16-le", "surrogatepass")
    return encoded[2 * offset : 2 * (offset + length)].decode("utf-16-le", "replace")


def whole(text: str, *, html: bool) -> Piece:
    """A text with what its tags mean as entities; tags that have no partner stay as they are written."""
    if not html:
        return Piece(text=text)
    return _without_tags(text)


def _without_tags(text: str) -> Piece:
    tokens = list(TAG.finditer(text))
    partners = _partners(tokens)
    out: list[str] = []
    at, length = 0, 0
    opened: dict[int, int] = {}
    entities: list[Entity] = []
    for index, token in enumerate(tokens):
        known = bool(token["named"]) or index in partners
        before = text[at : token.start() if known else token.end()]
        if token["named"]:
            before += NAMED[token["named"].lower()]
        out.append(before)
        length += units(before)
        at = token.end()
        if token["named"] or not known:
            continue
        if not token["close"]:
            opened[index] = length
            continue
        start = opened[partners[index]]
        entities.append(_entity(tokens[partners[index]], start, length - start))
    out.append(text[at:])
    real = sorted((one for one in entities if one.length), key=lambda one: (one.offset, -one.length))
    return Piece(text="".join(out), entities=tuple(real))


def _entity(opening: re.Match[str], offset: int, length: int) -> Entity:
    return Entity(
        type=STYLES[opening["name"].lower()], offset=offset, length=length, url=opening["url"] or ""
    )


def _partners(tokens: list[re.Match[str]]) -> dict[int, int]:
    """Opening and closing tags that belong to each other, by their places; properly nested ones only."""
    stack: list[int] = []
    found: dict[int, int] = {}
    for index, token in enumerate(tokens):
        if token["named"]:
            continue
        name = token["name"].lower()
        if not token["close"]:
            if (name == "a") == bool(token["url"]):
                stack.append(index)
            continue
        same = next((place for place in reversed(stack) if tokens[place]["name"].lower() == name), None)
        if same is None or token["url"]:
            continue
        del stack[stack.index(same) :]
        found[same], found[index] = index, same
    return found


def split(piece: Piece, limit: int = TEXT_LIMIT) -> tuple[Piece, ...]:
    """Pieces of at most `limit` units, cut at the best border in the second half of each; none is blank."""
    return tuple(_pieces(piece, limit))


def _pieces(piece: Piece, limit: int) -> Iterator[Piece]:
    text, start = piece.text, 0  # `start` in units
    while text:
        end = _cut(text, limit)
        part, text = text[:end], text[end:]
        shown = part.strip()
        if shown:
            lead = len(part) - len(part.lstrip())  # white space is one unit each
            yield Piece(text=shown, entities=_clipped(piece.entities, start + lead, units(shown)))
        start += units(part)


def _cut(text: str, limit: int) -> int:
    """How many characters of a text one message takes."""
    most = _fitting(text, limit)
    if most == len(text):
        return most
    for border in BORDERS:
        found = [match.end() for match in border.finditer(text, most // 2, most)]
        if found:
            return found[-1]
    return _not_within_a_cluster(text, most)


def _fitting(text: str, limit: int) -> int:
    """How many characters make at most `limit` units; a pair of surrogates is one character here."""
    if len(text) * 2 <= limit:
        return len(text)
    used = 0
    for place, character in enumerate(text[:limit]):
        used += 2 if character > "\uffff" else 1
        if used > limit:
            return place
    return min(len(text), limit)


def _not_within_a_cluster(text: str, at: int) -> int:
    for earlier in range(at, max(at - LONGEST_CLUSTER, 0), -1):
        joined = JOINERS.match(text[earlier]) or unicodedata.combining(text[earlier])
        if not joined and text[earlier - 1] != "\u200d" and not _within_a_flag(text, earlier):
            return earlier
    return at


def _within_a_flag(text: str, at: int) -> bool:
    """Two letters make a flag; which two, only counting from the first says."""
    letters = FLAG_LETTERS.search(text, 0, at) if FLAG_LETTERS.match(text[at]) else None
    return letters is not None and len(letters[0]) % 2 == 1


def _clipped(entities: tuple[Entity, ...], start: int, length: int) -> tuple[Entity, ...]:
    """What of the entities lies in this piece, counted from its beginning."""
    found = []
    for one in entities:
        begin, end = max(one.offset, start), min(one.offset + one.length, start + length)
        if begin < end:
            found.append(replace(one, offset=begin - start, length=end - begin))
    return tuple(found)
