"""What every NLU engine must do, whatever it is made of."""

import time
from itertools import pairwise

import pytest

from bot.domain.ports import Understander
from bot.domain.understanding import Context, Entity, Level, Understanding

GERMAN = "Wo ist mein Paket 4711? Ich warte seit Montag!"
ENGLISH = "Where is my parcel 4711? I have been waiting since Monday!"

# Texts no engine may stumble over; what they mean is another matter.
ODD = {
    "empty": "",
    "spaces": " \n\t ",
    "emoji": "😡😡👍🏽",
    "punctuation": "?!…",
    "nul": "wo ist\0mein paket\0",
    "right to left": "أين طلبي؟ \u200f4711",
    "marks of direction": "\u202ewo ist mein paket\u202c",
    "combining": "u\u0308ber ein Pa\u0301ket",
    "lone surrogate": "paket \ud83d weg",
    "private use": "\ue001\ue002 paket",
    "one letter": "a",
    "a number": "4711",
    "one long word": "a" * 5000,
    "longer in lower case": "İSTANBUL'DA PAKET İÇİN " * 5,
    "quotes": "\"„»'" * 50,
    "markup": "<script>alert(1)</script> {{7*7}} ${x} %s",
}
LARGE = {
    "words": "wo ist mein paket ",
    "digits": "12 34 56 ",
    "one word": "a",
    "exclamation": "HILFE!!! ",
    "addresses": "a.b@c.de ",
    "quotes": '"wo" ',
    "denials": "nicht bis morgen ",
}
MEGABYTE = 1_000_000


class UnderstanderContract:
    """Inherit, and give an engine trained on at least the intents `where_is_parcel` and `greeting`, in German and
    English, and on `order_number` as four to ten digits.
    """

    slowest = 0.2  # seconds of processor time for a text of a megabyte, on a busy machine

    @pytest.fixture
    def engine(self) -> Understander:
        raise NotImplementedError

    # ── Shape ──

    async def test_a_question_is_understood(self, engine: Understander) -> None:
        for text in (GERMAN, ENGLISH):
            found = await engine.understand(text, Context())
            assert found.text == text
            assert found.intent.name == "where_is_parcel"
            assert found.intent.confidence > 0.5

    async def test_it_names_its_model_and_its_intents(self, engine: Understander) -> None:
        found = await engine.understand(GERMAN, Context())
        assert engine.model
        assert found.model == engine.model
        assert {"where_is_parcel", "greeting"} <= set(engine.intents)

    async def test_the_ranking_is_sorted_and_starts_with_the_intent(self, engine: Understander) -> None:
        ranking = (await engine.understand(GERMAN, Context())).intent_ranking
        assert ranking[0].name == "where_is_parcel"
        assert len(ranking) <= 10
        assert len({intent.name for intent in ranking}) == len(ranking)
        assert all(first.confidence >= second.confidence for first, second in pairwise(ranking))

    async def test_asking_twice_gives_the_same(self, engine: Understander) -> None:
        first, second = [await engine.understand(GERMAN, Context()) for _ in range(2)]
        assert without_time(first) == without_time(second)

    async def test_it_says_how_long_it_took(self, engine: Understander) -> None:
        assert (await engine.understand(GERMAN, Context())).ms > 0

    # ── Odd texts ──

    @pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
    async def test_an_odd_text_is_understood_as_something_sound(
        self, engine: Understander, text: str
    ) -> None:
        assert_sound(await engine.understand(text, Context()), text)

    @pytest.mark.parametrize("text", ["", " \n ", "😡", "?!"])
    async def test_a_text_without_words_is_nothing_understood(self, engine: Understander, text: str) -> None:
        found = await engine.understand(text, Context())
        assert found.intent.name == ""
        assert found.intent.confidence == 0
        assert not found.wants_person

    async def test_a_number_alone_is_somebodys_words(self, engine: Understander) -> None:
        assert (await engine.understand("4711", Context())).intent.name

    @pytest.mark.parametrize("piece", LARGE.values(), ids=LARGE.keys())
    async def test_a_megabyte_does_not_hold_up_the_others(self, engine: Understander, piece: str) -> None:
        text = (piece * MEGABYTE)[:MEGABYTE]
        started = time.process_time()
        found = await engine.understand(text, Context())
        assert time.process_time() - started < self.slowest
        assert_sound(found, text)

    async def test_only_the_first_4000_characters_count(self, engine: Understander) -> None:
        start = GERMAN + " " * 4000
        short = await engine.understand(start, Context())
        long = await engine.understand(start + "Der Toaster brennt, ich bin verletzt! 88123", Context())
        assert (long.intent, long.urgency, long.entities) == (short.intent, short.urgency, short.entities)

    # ── Beside the intent ──

    async def test_entities_lie_where_they_say(self, engine: Understander) -> None:
        text = "😀 Bestellung NW-104711, bitte an müller@example.org antworten. Ä\u0308 ok"
        entities = (await engine.understand(text, Context())).entities
        assert {(one.entity, text[one.start : one.end]) for one in entities} >= {
            ("order_number", "NW-104711"),
            ("email", "müller@example.org"),
        }

    async def test_an_order_number_is_its_digits(self, engine: Understander) -> None:
        for written in ("NW-4711", "nw 4711", "#4711", "Bestellung 4711", "order no. 4711"):
            assert (await engine.understand(written, Context())).entity("order_number") == "4711"

    async def test_what_the_bot_asked_for_is_taken(self, engine: Understander) -> None:
        context = Context(expects="order_number")
        number = next(
            one for one in (await engine.understand("2024", context)).entities if one.entity == "order_number"
        )
        assert (number.value, number.confidence) == ("2024", 1.0)

    @pytest.mark.parametrize(
        "text", ["ich will mit einem Menschen sprechen", "I want to talk to a human", "Mitarbeiter!", "agent"]
    )
    async def test_asking_for_a_person_is_heard(self, engine: Understander, text: str) -> None:
        assert (await engine.understand(text, Context())).wants_person

    @pytest.mark.parametrize("text", [GERMAN, ENGLISH, "kein Mensch hat geantwortet", "Are you a human?"])
    async def test_speaking_of_people_is_not_asking_for_one(self, engine: Understander, text: str) -> None:
        assert not (await engine.understand(text, Context())).wants_person

    @pytest.mark.parametrize(
        ("text", "level"),
        [
            ("Der Toaster hat Feuer gefangen und ich bin verletzt", Level.CRITICAL),
            ("The heater caught fire and my son is hurt", Level.CRITICAL),
            ("Mein Konto wurde gehackt", Level.HIGH),
            ("I have been charged twice", Level.HIGH),
            ("Wo ist mein Paket?", Level.NORMAL),
            ("Where is my parcel?", Level.NORMAL),
        ],
    )
    async def test_urgency_follows_what_is_said(self, engine: Understander, text: str, level: Level) -> None:
        urgency = (await engine.understand(text, Context())).urgency
        assert urgency.level is level
        assert bool(urgency.reasons) is (level.rank >= Level.HIGH.rank)

    async def test_the_language_is_told_and_the_conversation_helps(self, engine: Understander) -> None:
        assert (await engine.understand(GERMAN, Context())).language == "de"
        assert (await engine.understand(ENGLISH, Context())).language == "en"
        assert (await engine.understand("ok 4711", Context(language="de"))).language == "de"
        assert (await engine.understand("Où est mon colis ?", Context())).language == ""

    async def test_the_mood_is_told(self, engine: Understander) -> None:
        for text, label in (("super Service, danke!", "positive"), ("this is awful", "negative")):
            assert (await engine.understand(text, Context())).sentiment.label == label
        assert (await engine.understand(GERMAN, Context())).sentiment.label == "neutral"


def assert_sound(found: Understanding, text: str) -> None:
    """Nothing that a reader of an understanding would stumble over."""
    assert found.text == text
    assert 0 <= found.intent.confidence <= 1
    assert all(0 <= intent.confidence <= 1 for intent in found.intent_ranking)
    assert 0 <= found.out_of_scope <= 1
    assert 0 <= found.urgency.score <= 1
    assert -1 <= found.sentiment.score <= 1
    assert found.language in {"", "de", "en"}
    assert all(first.end <= second.start for first, second in pairwise(found.entities))
    for entity in found.entities:
        assert_inside(entity, text)


def assert_inside(entity: Entity, text: str) -> None:
    assert 0 <= entity.start < entity.end <= len(text)
    assert entity.value
    assert 0 < entity.confidence <= 1


def without_time(found: Understanding) -> tuple[object, ...]:
    return tuple(getattr(found, name) for name in found.__struct_fields__ if name != "ms")
