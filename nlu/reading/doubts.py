"""What a model cannot use or learn of training data that are well written line by line, said with its place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from bot.domain.plural import count
from nlu.reading.examples import Example, TrainingData, marked
from nlu.reading.nodes import short
from nlu.rules.listed import LONGEST, key, pieces

FEW_EXAMPLES = 5  # below this an intent cannot be cross-validated properly
LONGEST_CODE = 24  # characters of a spelling that regexes are tried on: slow ones are not sorted out yet

Places = Mapping[str, Mapping[str, str]]  # entity → value → file and line

_BETWEEN_WORDS = re.compile(r"[\s_-]+")


def contradictions(examples: Iterable[Example]) -> Iterator[str]:
    seen: dict[str, Example] = {}
    for example in examples:
        first = seen.setdefault(key(example.text), example)
        if first.intent != example.intent:
            yield (
                f'{example.file}:{example.line}: "{short(example.text)}" is in `{example.intent}` and in '
                f"`{first.intent}` ({first.file}:{first.line}); the model cannot learn both"
            )


def thin(examples: Iterable[Example]) -> Iterator[str]:
    for intent, many in Counter(example.intent for example in examples).items():
        if many < FEW_EXAMPLES:
            yield f"`{intent}` has {count(many, 'example')}; it needs {FEW_EXAMPLES} to be checked, 25 to be good"


def alike(kind: str, places: Mapping[str, str]) -> Iterator[str]:
    """Of the names of one kind those that differ in letter case or in what is between words only."""
    seen: dict[str, str] = {}
    for name, place in places.items():
        first = seen.setdefault(_BETWEEN_WORDS.sub("_", name.casefold()), name)
        if first != name:
            yield (
                f"{place}: the {kind} `{name}` is nearly `{first}` ({places[first]}), and another one to the "
                "model; write both the same way"
            )


def values(lookups: Places, examples: Iterable[Example]) -> Iterator[str]:
    """Values of two entities, and those that are too long to be found."""
    examples = list(examples)
    played = {one.entity for example in examples for one in example.entities if one.role or one.group}
    seen: dict[str, dict[str, str]] = {}
    for name, value, place in _listed(lookups, examples):
        names = seen.setdefault(key(value), {})
        if not names and pieces(value) > LONGEST:
            yield (
                f'{place}: "{short(value)}" has more than {LONGEST} words and signs, and is not found in messages'
            )
        if names and name not in names:
            first, where = next(iter(names.items()))
            roles = " and its roles are" if name in played else " is"
            yield (
                f'{place}: "{short(value)}" is a value of `{name}` and of `{first}` ({where}); only `{first}` is '
                f"found, and `{name}`{roles} not; take it out of one of them or give both one name"
            )
        names.setdefault(name, place)


def _listed(lookups: Places, examples: Iterable[Example]) -> Iterator[tuple[str, str, str]]:
    tables = ((name, *one) for name, found in lookups.items() for one in found.items())
    return chain(tables, ((name, value, f"{one.file}:{one.line}") for name, value, one in marked(examples)))


def idle(places: Mapping[str, str], data: TrainingData) -> Iterator[str]:
    """Synonyms that nothing finds; `places`: value → where its synonym is written."""
    known, spellings = data.synonyms_known(), data.spellings()
    patterns = [re.compile(one.pattern, re.IGNORECASE) for one in data.regexes]
    for value, place in places.items():
        codes = [one for one in spellings.get(value, ()) if len(one) <= LONGEST_CODE]
        if value not in known and not any(one.fullmatch(code) for one in patterns for code in codes):
            yield (
                f"{place}: the synonym `{short(value)}` is never used: neither it nor a spelling of it is a value "
                f"of a lookup or of a mark; add it to a lookup"
            )
