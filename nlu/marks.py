"""Entities marked inside an example: `[Paris](city)` and `[Paris]{"entity": "city", "role": "to"}`.

The format: https://rasa.com/docs/rasa/training-data-format/#entities
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from bot.domain.understanding import Entity

MARK = re.compile(r"\[(?P<text>[^\[\]]+)\](?:\((?P<name>[^()]+)\)|(?P<json>\{[^{}]*\}))")


class _Details(msgspec.Struct):
    entity: str
    value: str = ""
    role: str = ""
    group: str = ""


def strip(marked: str) -> tuple[str, tuple[Entity, ...]]:
    """The text a customer would have written, and its entities with offsets into it."""
    plain: list[str] = []
    entities: list[Entity] = []
    length = last = 0
    for match in MARK.finditer(marked):
        before = marked[last : match.start()]
        details = _details(match)
        if details is None:
            continue
        start = length + len(before)
        length = start + len(match["text"])
        plain += (before, match["text"])
        entities.append(_entity(match["text"], details, start, length))
        last = match.end()
    return "".join(plain) + marked[last:], tuple(entities)


def _details(match: re.Match[str]) -> _Details | None:
    if match["name"]:
        name, _, value = match["name"].partition(":")
        return _Details(entity=name.strip(), value=value.strip())
    try:
        return msgspec.convert(msgspec.json.decode(match["json"]), _Details, strict=False)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def _entity(text: str, details: _Details, start: int, end: int) -> Entity:
    fields: dict[str, Any] = {"entity": details.entity, "role": details.role, "group": details.group}
    return Entity(value=details.value or text, start=start, end=end, extractor="example", **fields)
