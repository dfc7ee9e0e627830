"""From our training data and texts to what Rasa 3.6 reads, around what it stumbles over.

One document holds configuration, domain and examples, as POST /model/train wants it:
https://rasa.com/docs/rasa/pages/http-api#operation/trainModel
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from bot.domain.understanding import UNDERSTOOD_CHARACTERS, Entity
from nlu.reading import Example, TrainingData

# With no other letter than ASCII in it, Rasa takes the backslashes of a document for escapes.
FIRST = "# Nordwärts"
VERSION = 'version: "3.1"'
SLASH, LIKE_A_SLASH = "/", "\u2215"
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\ufeff")
_BRACKETS = str.maketrans("[]{}", "()()")  # they would be read as marks of an entity
_COMMAND = re.compile(r"[\s/]+")


def document(config: str, data: TrainingData, examples: Sequence[Example]) -> bytes:
    """`config`: the text of a config.yml; `examples`: those of `data` to learn from."""
    entities = sorted({one.entity for example in examples for one in example.entities})
    intents = sorted({sent(example.intent) for example in examples})
    domain = [f"intents: {json.dumps(intents)}", f"entities: {json.dumps(entities)}"]
    lines = [FIRST, config, *domain, "nlu:", *_intents(examples), *_knowledge(data)]
    return ("\n".join(lines) + "\n").encode()


def questions(examples: Iterable[Example]) -> bytes:
    """A test file of the examples."""
    return ("\n".join([FIRST, VERSION, "nlu:", *_intents(examples)]) + "\n").encode()


def sent(intent: str) -> str:
    """A slash would make the rest of the name a response selector's business."""
    return intent.replace(SLASH, LIKE_A_SLASH)


def clean(text: str) -> str:
    """An example as Rasa gives it back."""
    return _line(text.translate(_BRACKETS))


def asked(text: str) -> str:
    """A customer's text, as long as it was, but no command: Rasa believes a "/refund" without asking its model."""
    text = text[:UNDERSTOOD_CHARACTERS]
    start = _COMMAND.match(text)
    if start:
        text = " " * start.end() + text[start.end() :]
    return text.encode("utf-8", "replace").decode()


def _intents(examples: Iterable[Example]) -> Iterator[str]:
    texts: dict[str, dict[str, None]] = defaultdict(dict)
    for example in examples:
        texts[example.intent][_marked(example)] = None
    for intent, found in texts.items():
        yield from _block("intent", sent(intent), found)


def _knowledge(data: TrainingData) -> Iterator[str]:
    spellings, patterns = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for written, value in data.synonyms.items():
        spellings[value].append(written)
    for one in data.regexes:
        patterns[one.entity].append(one.pattern)
    for kind, found in (("synonym", spellings), ("regex", patterns), ("lookup", data.lookups)):
        for name, values in found.items():
            yield from _block(kind, name, map(_line, values))


def _line(text: str) -> str:
    """On one line, printable, and no command."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split()).lstrip("/ ")


def _block(kind: str, name: str, lines: Iterable[str]) -> Iterator[str]:
    written = [f"    - {line}" for line in lines if line]
    if written:
        yield f"- {kind}: {json.dumps(name, ensure_ascii=False)}"
        yield "  examples: |"
        yield from written


def _marked(example: Example) -> str:
    """Its text with the entities marked as Rasa reads them, for pipelines that learn entities."""
    parts, done = list[str](), 0
    for one in sorted(example.entities, key=lambda entity: entity.start):
        text = clean(example.text[one.start : one.end])
        if one.start >= done and text:
            parts += [example.text[done : one.start].translate(_BRACKETS), f"[{text}]{_mark(one, text)}"]
            done = one.end
    parts.append(example.text[done:].translate(_BRACKETS))
    return _line("".join(parts))


def _mark(one: Entity, text: str) -> str:
    facts = {"entity": one.entity, "role": one.role, "group": one.group}
    if one.value != text:
        facts["value"] = clean(one.value)
    return json.dumps({key: value for key, value in facts.items() if value}, ensure_ascii=False)
