"""Which role an entity plays ("from Kiel to Husum"), told by the words around it, as the marked examples have them.

The format: https://rasa.com/docs/rasa/training-data-format/#entities-roles-and-groups
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from bot.domain.understanding import Entity

BEFORE, AFTER = 2, 1  # words that are looked at
REACH = 60  # characters they are looked for in
SMOOTHED = 0.5  # how often a word counts that a role was never seen with

_WORD = re.compile(r"\w+|[^\w\s]")


class Role(Struct, frozen=True, kw_only=True):
    """One role or group of an entity: how often it is marked, and with which words around it."""

    entity: str
    role: str = ""
    group: str = ""
    count: int
    cues: dict[str, int]


class Roles:
    def __init__(self, known: Iterable[Role]) -> None:
        self._known: dict[str, list[Role]] = {}
        for one in known:
            self._known.setdefault(one.entity, []).append(one)

    def play(self, text: str, entity: Entity) -> Entity:
        """The entity with its role and group, where the words around it tell."""
        known = self._known.get(entity.entity)
        if not known:
            return entity
        told = [cue for cue in cues(text, entity.start, entity.end) if any(cue in one.cues for one in known)]
        if not told:
            return entity
        best = max(known, key=lambda one: _likelihood(one, told))
        return replace(entity, role=best.role, group=best.group)


def _likelihood(one: Role, told: list[str]) -> float:
    """Naive Bayes."""
    hits = (one.cues.get(cue, 0) for cue in told)
    return math.log(one.count) + sum(math.log((hit + SMOOTHED) / (one.count + 1)) for hit in hits)


def cues(text: str, start: int, end: int) -> Iterator[str]:
    """The words before and after, each with its place."""
    before = _WORD.findall(text[max(0, start - REACH) : start].lower())[-BEFORE:]
    after = _WORD.findall(text[end : end + REACH].lower())[:AFTER]
    for place, word in enumerate(reversed(before), 1):
        yield f"-{place} {word}"
    for place, word in enumerate(after, 1):
        yield f"+{place} {word}"


def learn(marked: Iterable[tuple[str, Iterable[Entity]]]) -> tuple[Role, ...]:
    """From texts with their marked entities; an entity without a role counts too, if others of its name have one."""
    found: dict[tuple[str, str, str], list[Counter[str]]] = {}
    for text, entities in marked:
        for one in entities:
            key = (one.entity, one.role, one.group)
            found.setdefault(key, []).append(Counter(cues(text, one.start, one.end)))
    playing = {entity for entity, role, group in found if role or group}
    return tuple(
        Role(entity=entity, role=role, group=group, count=len(seen), cues=_together(seen))
        for (entity, role, group), seen in sorted(found.items())
        if entity in playing
    )


def _together(seen: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total = Counter[str]()
    for one in seen:
        total.update(one)
    return dict(sorted(total.items()))
