"""Marks of the Rasa format at work: values, synonyms, roles and groups."""

from datetime import UTC, datetime

import pytest

from bot.domain.understanding import Context, Entity
from nlu.embedded import Embedded
from nlu.learning import learn
from nlu.models import Models
from nlu.reading import read_training

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DATA = """\
nlu:
- intent: move
  examples: |
    - I move from [Kiel]{"entity": "city", "role": "departure"} to [Husum]{"entity": "city", "role": "destination"}
    - moving from [Bremen]{"entity": "city", "role": "departure"} to [New York]{"entity": "city", "role": "destination"}
    - I go to [Hamburg]{"entity": "city", "role": "destination"} from [Kiel]{"entity": "city", "role": "departure"}
    - I like [Kiel](city) a lot
    - we leave [NYC]{"entity": "city", "role": "departure", "value": "New York"} soon
    - ich ziehe von [Köln]{"entity": "city", "role": "departure"} nach [Husum]{"entity": "city", "role": "destination"}
    - swap order [4711]{"entity": "order_number", "role": "old"} for 4712
- intent: pizza
  examples: |
    - one [small]{"entity": "size", "group": "1"} and then one [large]{"entity": "size", "group": "2"}
    - first [large]{"entity": "size", "group": "1"} and then another [small]{"entity": "size", "group": "2"}
    - a pizza please
    - pizza
- lookup: city
  examples: |
    - Dresden
- synonym: Dresden
  examples: |
    - the city on the Elbe
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Embedded:
    folder = tmp_path_factory.mktemp("roles")
    (folder / "nlu.yml").write_text(DATA, encoding="utf-8")
    model = learn(read_training([folder / "nlu.yml"]), NOW)
    Models(folder).save(model)
    return Embedded(Models(folder).load(model.id))


def found(engine: Embedded, text: str, name: str = "city") -> list[tuple[str, str]]:
    return [(one.value, one.role) for one in engine.parse(text).entities if one.entity == name]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("please help, moving from Dresden to Bremen", [("Dresden", "departure"), ("Bremen", "destination")]),
        ("to Kiel from Husum", [("Kiel", "destination"), ("Husum", "departure")]),
        ("wir ziehen von Dresden nach Köln um", [("Dresden", "departure"), ("Köln", "destination")]),
        ("going from hamburg to new york", [("hamburg", "departure"), ("new york", "destination")]),
        ("Dresden?!", [("Dresden", "")]),
        ("they like Dresden", [("Dresden", "")]),
    ],
)
def test_the_words_around_an_entity_tell_its_role(
    engine: Embedded, text: str, wanted: list[tuple[str, str]]
) -> None:
    assert found(engine, text) == wanted


def test_a_marked_value_is_found_again_and_stands_for_what_it_means(engine: Embedded) -> None:
    assert found(engine, "when we leave nyc") == [("New York", "departure")]


def test_another_spelling_of_a_value_is_found_and_stands_for_it(engine: Embedded) -> None:
    assert found(engine, "moving to The city on the Elbe") == [("Dresden", "destination")]


def test_groups_are_told_apart_as_roles_are(engine: Embedded) -> None:
    sizes = engine.parse("first small and then another large").entities
    assert [(one.value, one.group) for one in sizes] == [("small", "1"), ("large", "2")]


def test_numbers_that_were_marked_are_no_values_of_their_own(engine: Embedded) -> None:
    assert [
        one.value
        for one in engine.parse("in the year 4711 of that shop").entities
        if one.extractor == "lookup"
    ] == []


def test_what_no_example_marks_has_no_role(engine: Embedded) -> None:
    (mail,) = engine.parse("from a@b.de to Kiel").entities[:1]
    assert mail == Entity(entity="email", value="a@b.de", start=5, end=11, extractor="rule")


def test_offsets_are_those_of_the_text_as_it_was_written(engine: Embedded) -> None:
    text = "🙂 ok – from  Dresden"
    (city,) = engine.parse(text, Context()).entities
    assert text[city.start : city.end] == "Dresden"
