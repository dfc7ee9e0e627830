"""Entities marked inside an example: `[Paris](city)` and `[Paris]{"entity": "city", "role": "to"}`.

The format: https://rasa.com/docs/rasa/training-data-format/#entities
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from bot.domain.understanding import Entity
from nlu.reading.nodes import CONTROL

MARK = re.compile(r"\[(?P<text>[^\[\]]+)\](?:\((?P<name>[^()]+)\)|(?P<json>\{[^{}]*\}))")
KEYS = ("entity", "value", "role", "group")
# In what is left: `](city`, and `[Kiel(city)` without its other bracket.
_LIKE_ONE = re.compile(r"(?:\[[^\[\]]*)?\][({].*|\[[^\[\](){}\s][^\[\](){}]*(?:\(\w+\)|\{\")[^\[\]]*$")


class Unmarked(Struct, frozen=True, kw_only=True):
    """The text a customer would have written, its entities with offsets into it, and marks that cannot be used.

    `unread`: keys that no mark has.
    """

    text: str
    entities: tuple[Entity, ...]
    broken: tuple[str, ...]
    unread: tuple[str, ...] = ()


_PLAIN = rf"(?s)^(?!.*{CONTROL.pattern})"
_Name = Annotated[str, Meta(pattern=_PLAIN)]


class _Details(Struct):
    entity: Annotated[str, Meta(pattern=rf"{_PLAIN}(?=.*\S)")]
    value: str | None = None
    role: _Name | None = None
    group: _Name | None = None


def strip(marked: str) -> Unmarked:
    """What a mark that cannot be used encloses is text; what only begins like one stays as it is."""
    plain: list[str] = []
    entities: list[Entity] = []
    broken: list[str] = []
    unread: list[str] = []
    length = last = 0
    for match in MARK.finditer(marked):
        before = marked[last : match.start()]
        start = length + len(before)
        length = start + len(match["text"])
        plain += (before, match["text"])
        last = match.end()
        raw = _raw(match)
        unread += [key for key in raw if key not in KEYS]
        details = _details(raw) if match["text"].strip() else None
        if details is None:
            broken.append(match[0])
        else:
            entities.append(_entity(match["text"], details, start, length))
    between = (*plain[::2], marked[last:])
    broken += [match[0] for left in between for match in _LIKE_ONE.finditer(left)]
    return Unmarked(
        text="".join(plain) + marked[last:],
        entities=tuple(entities),
        broken=tuple(broken),
        unread=tuple(unread),
    )


def _raw(match: re.Match[str]) -> dict[str, Any]:
    if match["name"]:
        name, colon, value = match["name"].partition(":")
        return {"entity": name.strip()} | ({"value": value.strip()} if colon else {})
    try:  # a number is the text it is written as
        found = json.loads(match["json"], parse_int=str, parse_float=str)
    except (json.JSONDecodeError, RecursionError):
        return {}
    return dict(found)


def _details(raw: dict[str, Any]) -> _Details | None:
    try:
        return msgspec.convert(raw, _Details)
    except msgspec.ValidationError:
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
