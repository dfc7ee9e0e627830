"""What has been read so far, over all files of the training data."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from bot.domain.understanding import Level
from nlu.reading import doubts, nodes
from nlu.reading.examples import Example, Regex, TrainingData
from nlu.rules.listed import key


class Gathered:
    def __init__(self) -> None:
        self.examples: dict[tuple[str, str], Example] = {}
        self.read: dict[tuple[str, str, str], int] = {}  # example, intent and file → line
        self.urgency: dict[str, str] = {}
        self.synonyms: dict[str, str] = {}
        self.regexes: dict[tuple[str, str], Regex] = {}
        self.lookups: dict[str, dict[str, str]] = {}  # entity → value → where it is
        self.names: dict[str, dict[str, str]] = {"intent": {}, "entity": {}}  # kind → name → where it is
        self.meanings: dict[str, str] = {}  # what synonyms stand for → where it is
        self.files: list[str] = []
        self.warnings: dict[str, None] = {}

    def add(self, example: Example) -> None:
        same, intent = key(example.text), example.intent
        first = self.examples.setdefault((same, intent), example)
        # Files of two languages share their "hello", and labels may stand apart; twice in one file is a slip.
        if line := self.read.get((same, intent, example.file)):
            what = (
                f'"{nodes.short(example.text)}" is in `{intent}` twice, first in line {line}; it counts once'
            )
            self.warn(example.file, example.line, what)
        self.read[same, intent, example.file] = line or example.line
        if first is example:
            return
        if example.entities and not first.entities:
            first = replace(first, text=example.text, entities=example.entities)
        if example.urgency and example.urgency != first.urgency:
            first = self._labelled(first, example)
        self.examples[same, intent] = first

    def _labelled(self, first: Example, again: Example) -> Example:
        if not first.urgency:
            return replace(first, urgency=again.urgency)
        self.warn(
            again.file,
            again.line,
            f'"{nodes.short(again.text)}" is {first.urgency} and {again.urgency} urgent; the higher one counts',
        )
        return replace(first, urgency=max(first.urgency, again.urgency, key=_rank))

    def warn(self, file: str, line: int, what: str) -> None:
        self.warnings[f"{file}:{line}: {what}"] = None

    def set_urgency(self, intent: str, level: str, file: str, line: int) -> None:
        known = self.urgency.setdefault(intent, level)
        if known != level:
            self.urgency[intent] = max(known, level, key=_rank)
            self.warn(file, line, f"`{intent}` is {known} and {level} urgent; the higher one counts")

    def data(self) -> TrainingData:
        data = TrainingData(
            examples=tuple(self.examples.values()),
            urgency=dict(sorted(self.urgency.items())),
            synonyms=self.synonyms,
            regexes=tuple(self.regexes.values()),
            lookups={name: tuple(values) for name, values in self.lookups.items()},
            files=tuple(self.files),
        )
        return replace(data, warnings=(*self.warnings, *self._doubts(data)))

    def _doubts(self, data: TrainingData) -> Iterator[str]:
        yield from doubts.contradictions(data.examples)
        for kind, places in self.names.items():
            yield from doubts.alike(kind, places)
        yield from doubts.values(self.lookups, data.examples)
        yield from doubts.idle(self.meanings, data)


def _rank(level: str) -> int:
    return Level(level).rank
