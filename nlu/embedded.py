"""The embedded engine: a model and the rules, a fraction of a millisecond per message, in process."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from bot.domain.errors import BadData
from bot.domain.understanding import UNDERSTOOD_CHARACTERS, Context, Intent, Sentiment, Understanding, Urgency
from nlu import boost
from nlu.entities import Entities
from nlu.facts import OUT_OF_SCOPE
from nlu.features import is_spoken, normalise, tokens
from nlu.models import Model, texts
from nlu.ordinal import Graded, Ordinal
from nlu.parser import Parsed, Parser, Row
from nlu.rules.courtesy import without_courtesy
from nlu.rules.language import language
from nlu.rules.person import wants_person, without_declined
from nlu.rules.sentiment import sentiment
from nlu.urgency import SURE, Known, urgency

PERSON = "person"  # the intent of those who want one
COURTESIES = frozenset({"greeting", "thanks", "goodbye"})
NO_MATTER = COURTESIES | {"", "affirm", "deny", "praise", "complaint", OUT_OF_SCOPE}
_NOTHING = Parsed((), 1.0)
_NO_INTENT = Intent(name="", confidence=0.0)


class Embedded:
    """Fulfils `bot.domain.ports.Understander`; another model means another `Embedded`."""

    def __init__(self, model: Model) -> None:
        """Raises `BadData` when the model was trained with the booster and that is not installed, or another."""
        self._id = model.id
        self._intents = model.facts.intents
        self._priors = model.facts.knowledge.urgency
        self._parser = Parser(model)
        self._entities = Entities(model.facts.knowledge)
        self._ordinal = _ordinal(model)
        self._is_boosted = bool(model.facts.boost)
        if self._is_boosted and len(model.arrays.get("boost", ())) != boost.encoder().size:
            raise BadData(f"Model {model.id} was trained with another booster; train again.")

    @property
    def model(self) -> str:
        return self._id

    @property
    def intents(self) -> tuple[str, ...]:
        return self._intents

    async def understand(self, text: str, context: Context) -> Understanding:
        if self._is_boosted:  # ten milliseconds are too long for the loop
            return await asyncio.to_thread(self.parse, text, context)
        return self.parse(text, context)

    def parse(self, text: str, context: Context = Context()) -> Understanding:  # noqa: B008 - it is frozen
        """As `understand`, without waiting: bounded work, since only the first 4,000 characters are read.

        The intent's name is empty when nothing was understood: no letter, no digit, or no known n-gram.
        """
        started = time.perf_counter()
        normal = normalise(text)
        words = tokens(normal)
        row = self._parser.row(words)
        asks, parsed = wants_person(normal, words), self._parsed(text, row)
        if parsed.ranking and parsed.ranking[0][0] == PERSON and not asks:
            parsed = self._beside_person(normal, parsed)
        elif parsed.ranking and parsed.ranking[0][0] in COURTESIES:
            parsed = self._beside_courtesy(words, parsed)
        ranking = tuple(Intent(name=name, confidence=confidence) for name, confidence in parsed.ranking)
        best = ranking[0] if ranking else _NO_INTENT
        mood = sentiment(words)
        return Understanding(
            text=text,
            intent=best,
            intent_ranking=ranking,
            entities=self._entities.find(text, context),
            urgency=self._urgency(text, best, mood, context, row),
            sentiment=mood,
            language=language(words, context.language),
            wants_person=asks,
            out_of_scope=parsed.strange,
            engine="embedded",
            model=self._id,
            ms=(time.perf_counter() - started) * 1000,
        )

    def urgency(self, text: str, intent: Intent, mood: Sentiment, context: Context) -> Urgency:
        """Of a text that means `intent`, whichever engine says so."""
        return self._urgency(text, intent, mood, context, self._parser.row(tokens(normalise(text))))

    def _parsed(self, text: str, row: Row) -> Parsed:
        if not is_spoken(text):
            return _NOTHING
        meaning = boost.meanings([text[:UNDERSTOOD_CHARACTERS]])[0] if self._is_boosted else None
        return self._parser.parse(row, meaning) or _NOTHING

    def _beside_person(self, normal: str, parsed: Parsed) -> Parsed:
        """To a model, who wants no person sounds like who wants one: such a text is about what else it says."""
        rest = without_declined(normal)
        return parsed if rest is None else self._parsed(rest, self._parser.row(tokens(rest)))

    def _beside_courtesy(self, words: list[str], parsed: Parsed) -> Parsed:
        """A greeting before a matter and thanks after it may drown it, for a model."""
        rest = without_courtesy(words)
        if len(rest) == len(words):
            return parsed
        matter = self._parsed(" ".join(rest), self._parser.row(rest))
        name, confidence = matter.ranking[0] if matter.ranking else ("", 0.0)
        return parsed if name in NO_MATTER or confidence < SURE else matter

    def _urgency(self, text: str, intent: Intent, mood: Sentiment, context: Context, row: Row) -> Urgency:
        return urgency(text, self._known(text, row, intent, mood, context))

    def _known(self, text: str, row: Row, intent: Intent, mood: Sentiment, context: Context) -> Known:
        graded = self._ordinal and len(row.columns) and is_spoken(text)
        return Known(
            intent=intent.name,
            confidence=intent.confidence,
            prior=self._priors.get(intent.name, ""),
            sentiment=mood,
            context=context,
            grade=partial(self._grade, row) if graded else None,
            again=partial(self._again, mood, context),
        )

    def _grade(self, row: Row, points: float, floor: int) -> Graded:
        assert self._ordinal
        return self._ordinal.grade(row.columns, row.values, points, floor)

    def _again(self, mood: Sentiment, context: Context, rest: str) -> Known:
        row = self._parser.row(tokens(normalise(rest)))
        ranking = self._parsed(rest, row).ranking
        name, confidence = ranking[0] if ranking else ("", 0.0)
        return self._known(rest, row, Intent(name=name, confidence=confidence), mood, context)


def _ordinal(model: Model) -> Ordinal | None:
    if not model.facts.urgent:
        return None
    arrays = model.arrays
    return Ordinal(model.facts.urgent, arrays["urgent"], texts(arrays["words"]), arrays["idf"])
