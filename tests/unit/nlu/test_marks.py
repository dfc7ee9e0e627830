"""Entities that are marked inside an example."""

from pathlib import Path

import pytest

from tests.unit.nlu.files import data_of


def test_entity_marks_are_taken_out_and_kept_beside(tmp_path: Path) -> None:
    text = (
        "- intent: fly\n  examples: |\n    - from [Berlin](city) to "
        '[NYC]{"entity": "city", "role": "to", "value": "New York"} [ok]\n'
    )
    data = data_of(tmp_path, text)
    example = data.examples[0]
    assert example.text == "from Berlin to NYC [ok]"
    assert [(one.value, one.role, example.text[one.start : one.end]) for one in example.entities] == [
        ("Berlin", "", "Berlin"),
        ("New York", "to", "NYC"),
    ]
    assert data.synonyms == {"nyc": "New York"}


def test_numbers_in_a_mark_are_the_text_they_are_written_as(tmp_path: Path) -> None:
    marks = (
        '[five]{"entity": "number", "value": 5} [dear]{"entity": "price", "value": 19.90, "group": 1}'
        ' [x]{"entity": "letter", "role": null}'
    )
    data = data_of(tmp_path, f"- intent: a\n  examples: |\n    - {marks}\n")
    example = data.examples[0]
    assert (example.text, data.warnings) == ("five dear x", ())
    assert [(one.entity, one.value, one.role, one.group) for one in example.entities] == [
        ("number", "5", "", ""),
        ("price", "19.90", "", "1"),
        ("letter", "x", "", ""),
    ]


@pytest.mark.parametrize(
    ("written", "learned"),
    [
        ('to [Paris]{"entity": "city", "role": } now', "to Paris now"),
        ("to [Rome]{'entity': 'city'} now", "to Rome now"),
        ('to [Rome]{"value": "x"} now', "to Rome now"),
        ('to [Rome]{"entity": " "} now', "to Rome now"),
        ('to [Rome]{"entity": "city", "value": true} now', "to Rome now"),
        ("to [Rome]( ) now", "to Rome now"),
        ("to [ ](city) now", "to   now"),
        ("to [](city) now", "to [](city) now"),
        ("to [Rome](city now", "to [Rome](city now"),
        ('to [Rome]{"entity": {"a": 1}} now', 'to [Rome]{"entity": {"a": 1}} now'),
        ("to [New [York]](city) now", "to [New [York]](city) now"),
    ],
)
def test_a_mark_that_cannot_be_used_is_warned_of_and_marks_nothing(
    tmp_path: Path, written: str, learned: str
) -> None:
    data = data_of(tmp_path, f"- intent: a\n  examples: |\n    - from [Kiel](city)\n    - {written}\n")
    assert [(one.text, len(one.entities)) for one in data.examples] == [("from Kiel", 1), (learned, 0)]
    assert len(data.warnings) == 1
    assert "nlu.yml:6: `" in data.warnings[0]
    assert "marks nothing. A mark is `[Paris](city)`" in data.warnings[0]


def test_an_example_that_is_an_empty_mark_is_none(tmp_path: Path) -> None:
    data = data_of(tmp_path, "- intent: a\n  examples: |\n    - one\n    - [ ](city)\n")
    assert ([one.text for one in data.examples], len(data.warnings)) == (["one"], 1)
    assert data.known_values() == {}


def test_brackets_that_look_like_no_mark_need_no_warning(tmp_path: Path) -> None:
    data = data_of(tmp_path, "- intent: a\n  examples: |\n    - [ok] (so) {far} [x] [y]\n")
    assert (data.examples[0].text, data.warnings) == ("[ok] (so) {far} [x] [y]", ())
