"""The embedded engine against the contract of all engines, and what is its own."""

import time
import tracemalloc
from pathlib import Path

import pytest

from bot.domain.ports import Understander
from bot.domain.understanding import Context, Level
from nlu.embedded import Embedded
from nlu.learning import learn
from nlu.reading import read_training
from tests.contracts.understander_contract import UnderstanderContract
from tests.unit.nlu.conftest import NOW, SMALL


class TestEmbedded(UnderstanderContract):
    @pytest.fixture
    def engine(self, engine: Embedded) -> Understander:
        return engine


def test_the_intent_brings_its_own_urgency(engine: Embedded) -> None:
    assert engine.parse("hallo").urgency.level is Level.LOW
    found = engine.parse("warum wurde zweimal Geld abgebucht")
    assert found.urgency.level is Level.HIGH
    assert "about: charged twice" in found.urgency.reasons


def test_what_resembles_no_example_is_out_of_scope_or_uncertain(engine: Embedded) -> None:
    known, strange = engine.parse("Wo ist mein Paket?"), engine.parse("erzähl einen witz vom wetter")
    assert known.out_of_scope < 0.2
    assert strange.out_of_scope > 0.5
    assert strange.intent.name == "out_of_scope"


def test_foreign_letters_without_a_known_ngram_are_nothing_understood(engine: Embedded) -> None:
    found = engine.parse("где мой заказ")
    assert (found.intent.name, found.intent.confidence, found.out_of_scope) == ("", 0.0, 1.0)


def test_who_wants_no_person_is_understood_by_what_else_they_say(tmp_path: Path) -> None:
    person = "- intent: person\n  examples: |\n    - ich will mit einem menschen sprechen\n    - menschen bitte\n    - kann ich mit einem mitarbeiter sprechen\n"
    path = tmp_path / "nlu.yml"
    path.write_text(SMALL.replace("- regex", person + "- regex", 1), encoding="utf-8")
    engine = Embedded(learn(read_training([path]), NOW))
    found = engine.parse("ich will nicht mit einem menschen sprechen, wo ist mein paket")
    assert (found.intent.name, found.wants_person) == ("where_is_parcel", False)
    assert engine.parse("ich will mit keinem menschen sprechen").intent.name != "person"
    assert engine.parse("ich will mit einem menschen sprechen").intent.name == "person"


def test_a_greeting_does_not_drown_the_matter_that_follows(tmp_path: Path) -> None:
    lines = ("hallo liebes team", "hallo liebes team von nordwind", "hallo zusammen", "hallo ihr lieben")
    friendly = "- intent: greeting\n  examples: |\n" + "".join(f"    - {line}\n" for line in lines)
    path = tmp_path / "nlu.yml"
    path.write_text(SMALL.replace("- regex", friendly + "- regex", 1), encoding="utf-8")
    engine = Embedded(learn(read_training([path]), NOW))
    assert engine.parse("Hallo liebes Team Nordwind, ist 4711 da?").intent.name == "where_is_parcel"
    assert engine.parse("Hallo zusammen").intent.name == "greeting"


def test_both_spellings_of_an_umlaut_are_the_same_word(engine: Embedded) -> None:
    for text in ("mein Päckchen ist noch nicht da", "mein Paeckchen ist noch nicht da"):
        assert engine.parse(text).intent.name == "where_is_parcel"


def test_probabilities_of_the_ranking_add_up_to_at_most_one(engine: Embedded) -> None:
    for text in ("Wo ist mein Paket?", "hallo", "Erstattung doppelt", "wetter"):
        assert sum(intent.confidence for intent in engine.parse(text).intent_ranking) <= 1 + 1e-6


def test_lookups_and_synonyms_of_the_training_data_are_found(engine: Embedded) -> None:
    found = engine.parse("Versand nach new york möglich?", Context())
    city = next(entity for entity in found.entities if entity.entity == "city")
    assert (city.value, city.extractor) == ("New York City", "lookup")


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1",
        "1 ",
        "1.1.",
        "+49 0",
        "DE12 3456 ",
        "a@b.",
        "http://",
        "nicht ",
        "nicht dringend ",
        "hat ",
        "in meinem namen ",
        "„",
        '"a',
        "bis zum ",
        "kann ich mit ",
        "ein echter ",
        "😊",
        "ä",
        "İ",
        "\u0301",
        "!?",
        "> ",
        "\n",
    ],
)
def test_a_text_of_a_hundred_kilobytes_costs_no_more_than_its_beginning(engine: Embedded, piece: str) -> None:
    text = piece * (100_000 // len(piece.encode()) + 1)
    engine.parse(text)
    started = time.process_time()
    found = engine.parse(text)
    assert time.process_time() - started < 0.5
    assert found.text == text


def test_a_flood_of_endless_words_is_not_remembered(engine: Embedded) -> None:
    engine.parse("hallo")
    tracemalloc.start()
    for number in range(50):
        engine.parse(f"{number:03}".translate(str.maketrans("0123456789", "abcdefghij")) * 1300)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 5_000_000


def test_signs_alone_are_not_urgent(engine: Embedded) -> None:
    assert engine.parse("!!!!").urgency.level is Level.NORMAL
