"""Training data in memory: what was read of the files, and what can be found again of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain

from msgspec import Struct

from bot.domain.understanding import Entity
from nlu.rules.listed import key

# What `nlu.entities` finds by itself, by the look of it.
FOUND_BY_RULE = frozenset("order_number email url iban date amount phone".split())


class Example(Struct, frozen=True, kw_only=True):
    text: str
    intent: str
    urgency: str = ""
    entities: tuple[Entity, ...] = ()
    file: str
    line: int


class Regex(Struct, frozen=True, kw_only=True):
    entity: str
    pattern: str
    file: str
    line: int


class TrainingData(Struct, frozen=True, kw_only=True):
    examples: tuple[Example, ...]
    urgency: dict[str, str] = {}  # intent → level, from `metadata` of the intent
    synonyms: dict[str, str] = {}  # as written, in lower case → the value it stands for
    regexes: tuple[Regex, ...] = ()
    lookups: dict[str, tuple[str, ...]] = {}  # entity → its known values
    files: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def known_values(self) -> dict[str, tuple[str, ...]]:
        """Entity → values of the lookup tables, of the examples' marks, and other spellings of these.

        What rules find needs none; what two entities have is the first one's.
        """
        found: dict[str, list[str]] = {}
        taken = set[str]()
        for name, value in chain(self._values(), self._spellings()):
            if (known := key(value)) not in taken:
                taken.add(known)
                found.setdefault(name, []).append(value)
        return {name: tuple(values) for name, values in found.items()}

    def synonyms_known(self) -> dict[str, str]:
        """What synonyms stand for → the entity that it, or one of its spellings, is a value of."""
        owners: dict[str, str] = {}
        meant = ((one.entity, one.value) for example in self.examples for one in example.entities)
        for name, value in chain(self._values(), meant):
            owners.setdefault(key(value), name)
        found = {
            value: next(filter(None, (owners.get(key(one)) for one in (value, *spellings))), "")
            for value, spellings in self.spellings().items()
        }
        return {value: name for value, name in found.items() if name}

    def spellings(self) -> dict[str, list[str]]:
        found = defaultdict[str, list[str]](list)
        for written, value in self.synonyms.items():
            found[value].append(written)
        return found

    def _values(self) -> Iterator[tuple[str, str]]:
        yield from ((name, value) for name, values in self.lookups.items() for value in values)
        yield from ((name, value) for name, value, _ in marked(self.examples))

    def _spellings(self) -> Iterator[tuple[str, str]]:
        names = self.synonyms_known()
        for written, value in self.synonyms.items():
            name = names.get(value, "")
            if name and name not in FOUND_BY_RULE and not written.isdigit():
                yield name, written

    @property
    def intents(self) -> tuple[str, ...]:
        return tuple(sorted({example.intent for example in self.examples}))


def marked(examples: Iterable[Example]) -> Iterator[tuple[str, str, Example]]:
    """Entity, value and example of each mark whose value is to be found again."""
    for example in examples:
        for one in example.entities:
            written = example.text[one.start : one.end].strip()
            if one.entity not in FOUND_BY_RULE and not written.isdigit():
                yield one.entity, written, example
