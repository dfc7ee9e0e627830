"""Entities marked inside an example: `[Paris](city)` and `[Paris]{"entity": "city", "role": "to"}`.

The format: https://rasa.com/docs/rasa/training-data-format/#entities
"""

from __future__ import annotations

import json
import re
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from bot.domain.understanding import Entity

MARK = re.compile(r"\[(?P<text>[^\[\]]+)\](?:\((?P<name>[^()]+)\)|(?P<json>\{[^{}]*\}))")
_LIKE_ONE = re.compile(r"(?:\[[^\[\]]*)?\][({].*")  # in what is left


class Unmarked(Struct, frozen=True, kw_only=True):
    """The text a customer would have written, its entities with offsets into it, and marks that cannot be used."""

    text: str
    entities: tuple[Entity, ...]
    broken: tuple[str, ...]


class _Details(Struct):
    entity: Annotated[str, Meta(pattern=r"\S")]
    value: str | None = None
    role: str | None = None
    group: str | None = None


def strip(marked: str) -> Unmarked:
    """What a mark that cannot be used encloses is text; what only begins like one stays as it is."""
    plain: list[str] = []
    entities: list[Entity] = []
    broken: list[str] = []
    length = last = 0
    for match in MARK.finditer(marked):
        before = marked[last : match.start()]
        start = length + len(before)
        length = start + len(match["text"])
        plain += (before, match["text"])
        last = match.end()
        details = _details(match) if match["text"].strip() else None
        if details is None:
            broken.append(match[0])
        else:
            entities.append(_entity(match["text"], details, start, length))
    between = (*plain[::2], marked[last:])
    broken += [match[0] for left in between for match in _LIKE_ONE.finditer(left)]
    return Unmarked(text="".join(plain) + marked[last:], entities=tuple(entities), broken=tuple(broken))


def _details(match: re.Match[str]) -> _Details | None:
    if match["name"]:
        name, _, value = match["name"].partition(":")
        return _Details(entity=name.strip(), value=value.strip()) if name.strip() else None
    try:  # a number is the text it is written as
        return msgspec.convert(json.loads(match["json"], parse_int=str, parse_float=str), _Details)
    except (json.JSONDecodeError, RecursionError, msgspec.ValidationError):
        return None


def _entity(text: str, details: _Details, start: int, end: int) -> Entity:
    return Entity(
        entity=details.entity,
        value=details.value or text,
        role=details.role or "",
        group=details.group or "",
        start=start,
        end=end,
        extractor="example",
    )
