"""What the NLU layer says about a text."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

# Only this much of a text is understood; all of it is stored and shown.
UNDERSTOOD_CHARACTERS = 4000


class Level(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS = {level: rank for rank, level in enumerate(Level)}


class Urgency(Struct, frozen=True, kw_only=True):
    level: Level = Level.NORMAL
    score: float = 0.0  # 0..1, for ordering inside a level
    reasons: tuple[str, ...] = ()  # in words, with what the customer wrote where that helps


class Sentiment(Struct, frozen=True, kw_only=True):
    label: str = "neutral"  # positive, neutral, negative
    score: float = 0.0  # -1..1


class Intent(Struct, frozen=True, kw_only=True):
    name: str
    confidence: float  # calibrated: of those at 0.8, four in five are right


class Entity(Struct, frozen=True, kw_only=True):
    entity: str
    value: str
    start: int  # offsets into the text, in characters
    end: int
    role: str = ""
    group: str = ""
    extractor: str = ""
    confidence: float = 1.0


class Understanding(Struct, frozen=True, kw_only=True):
    """The answer of an engine; a superset of what Rasa's /model/parse returns."""

    text: str
    intent: Intent
    intent_ranking: tuple[Intent, ...] = ()
    entities: tuple[Entity, ...] = ()
    urgency: Urgency = Urgency()
    sentiment: Sentiment = Sentiment()
    language: str = ""  # "de", "en", "" when it cannot be told
    wants_person: bool = False  # by rule, not by the model's mood
    out_of_scope: float = 0.0  # 0..1, higher is further from everything we know
    engine: str = ""  # "embedded", "rasa": who said so, a stand-in included
    model: str = ""
    ms: float = 0.0

    def __repr__(self) -> str:
        return f"<Understanding {self.intent.name} {self.intent.confidence:.2f} {self.urgency.level}>"

    def entity(self, name: str) -> str:
        """The value of the first entity of that name, or an empty string."""
        return next((found.value for found in self.entities if found.entity == name), "")


class Context(Struct, frozen=True, kw_only=True):
    """What is known about the conversation, for urgency and language; never about the person."""

    language: str = ""
    public: bool = False
    reach: int = 0  # followers, where a channel tells
    repeats: int = 0  # unanswered messages before this one
    waited_seconds: float = 0.0
    expects: str = ""  # the entity the bot asked for, if it did
