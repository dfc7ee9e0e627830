"""Rasa NLU YAML as people write it, and what they are told when it is something else."""

import os
from collections.abc import Iterator
from pathlib import Path
from unicodedata import normalize

import pytest

from bot.domain.errors import BadData
from nlu.reading import read
from tests.unit.nlu.files import EXAMPLE, HEAD, complaint, data_of, write


def test_examples_come_from_a_block_of_lines(tmp_path: Path) -> None:
    data = data_of(tmp_path, "- intent: greet\n  examples: |\n    - hallo\n    - guten Tag\n")
    assert [(one.text, one.intent, one.line) for one in data.examples] == [
        ("hallo", "greet", 5),
        ("guten Tag", "greet", 6),
    ]


def test_examples_come_from_a_list_with_their_own_urgency(tmp_path: Path) -> None:
    text = (
        "- intent: lost\n  metadata: {urgency: high}\n  examples:\n"
        "  - text: |\n      - card stolen\n    metadata: {urgency: critical}\n  - text: card lost\n"
    )
    data = data_of(tmp_path, text)
    assert data.urgency == {"lost": "high"}
    assert [(one.text, one.urgency) for one in data.examples] == [
        ("card stolen", "critical"),
        ("card lost", ""),
    ]


def test_an_example_of_two_lines_is_two_examples(tmp_path: Path) -> None:
    text = '- intent: a\n  examples:\n  - "one\\nmore"\n  - ""\n  - {text: "x\\ny"}\n'
    data = data_of(tmp_path, text)
    assert [one.text for one in data.examples] == ["one", "more", "x", "y"]
    assert "nlu.yml:6: an example without text is not read" in data.warnings[0]


@pytest.mark.parametrize("name", ["yes", "no", "on", "1", "1.0", "null", "2026-01-01"])
def test_an_intent_is_a_string_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    assert data_of(tmp_path, f"- intent: {name}\n  examples: |\n    - ja\n").intents == (name,)


def test_retrieval_intents_keep_their_full_name(tmp_path: Path) -> None:
    assert data_of(tmp_path, "- intent: faq/hours\n  examples: |\n    - when open\n").intents == (
        "faq/hours",
    )


def test_data_in_decomposed_letters_is_read_composed(tmp_path: Path) -> None:
    text = "- intent: a\n  examples: |\n    - grüße aus [Köln](city)\n- regex: b\n  examples: |\n    - ä+\n"
    data = data_of(tmp_path, normalize("NFD", text))
    assert (data.examples[0].text, data.regexes[0].pattern) == ("grüße aus Köln", "ä+")
    assert data.known_values() == {"city": ("Köln",)}


def test_synonyms_regexes_and_lookups_are_read(tmp_path: Path) -> None:
    data = data_of(
        tmp_path,
        "- intent: a\n  examples: |\n    - x\n- synonym: credit card\n  examples: |\n    - Visa\n"
        "- regex: zip\n  examples: |\n    - \\d{5}\n- lookup: city\n  examples:\n  - Bonn\n  - Ulm\n",
    )
    assert data.synonyms == {"visa": "credit card"}
    assert [(one.entity, one.pattern, one.line) for one in data.regexes] == [("zip", r"\d{5}", 11)]
    assert data.lookups == {"city": ("Bonn", "Ulm")}


def test_a_folder_is_read_without_its_tests_and_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path, HEAD + "- intent: b\n  examples: |\n    - two\n", "de/b.yaml")
    write(tmp_path, HEAD + "- intent: a\n  examples: |\n    - one\n", "a.yml")
    write(tmp_path, HEAD + "- intent: held_out\n  examples: |\n    - three\n", "tests/test.yml")
    write(tmp_path, "answers: {}\nsentences: {}\n", "answers.yml")
    write(tmp_path, 'version: "3.1"\nintents: [a]\nresponses: {}\n', "domain.yml")
    (tmp_path / "notes.txt").write_text("no data")
    assert read([tmp_path]).intents == ("a", "b")


def test_a_folder_of_tests_that_is_named_is_read(tmp_path: Path) -> None:
    write(tmp_path, HEAD + "- intent: a\n  examples: |\n    - one\n", "tests/test.yml")
    assert read([tmp_path / "tests"]).intents == ("a",)


def test_an_intent_may_be_spread_over_files(tmp_path: Path) -> None:
    for name, text in (("a.yml", "one"), ("b.yml", "two")):
        write(
            tmp_path, HEAD + f"- intent: a\n  metadata: {{urgency: low}}\n  examples: |\n    - {text}\n", name
        )
    assert [one.text for one in read([tmp_path]).examples] == ["one", "two"]


def test_labels_of_urgency_may_stand_in_another_file(tmp_path: Path) -> None:
    write(tmp_path, HEAD + "- intent: a\n  examples: |\n    - fire\n    - calm\n", "examples.yml")
    label = "- intent: a\n  examples:\n  - {{text: fire, metadata: {{urgency: {0}}}}}\n"
    write(tmp_path, HEAD + label.format("high"), "urgency.yml")
    assert [(one.text, one.urgency) for one in read([tmp_path]).examples] == [("fire", "high"), ("calm", "")]
    other = write(tmp_path, HEAD + label.format("low"), "z.yml")
    found = read([tmp_path])
    assert found.examples[0].urgency == "high"
    assert f'{other}:5: "fire" is high and low urgent; the higher one counts' in "\n".join(found.warnings)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", ":1: this is not Rasa NLU training data"),
        ("just words", ":1: this is not Rasa NLU training data"),
        ("pipeline: []\n", "this is not Rasa NLU training data"),
        ("nlu: hello", ":1: `nlu:` must hold a list"),
        ("nlu:\n- intent\n", ":2: expected `key: value`"),
        ("nlu:\n- story: x\n", ":2: an entry of `nlu:` is one of intent, synonym, regex, lookup, not story"),
        (
            "nlu:\n- intnet: x\n  examples: |\n    - a\n",
            ':2: an entry of `nlu:` is one of intent, synonym, regex, lookup, not intnet; did you mean "intent"?',
        ),
        ("nlu:\n- examples: |\n    - a\n", "is one of intent, synonym, regex, lookup, not empty."),
        (
            "nlu:\n- intent: a\n  examples: >\n    - b\n    - c\n",
            ":3: `examples:` of `a` must be a block (`|`)",
        ),
        (
            'nlu:\n- intent: "a\\e[31m"\n',
            ":2: the name of `intent:` holds a control character (U+001B); take",
        ),
        ('nlu:\n- "\\e": a\n  "\\e": b\n', ":3: `\ufffd:` is here twice"),
        ('nlu:\n- intent: a\n  metadata: {urgency: "\\e"}\n', ":3: urgency `\ufffd` is not one of"),
        ('nlu:\n- lookup: "a\\nb"\n', ":2: the name of `lookup:` holds a control character (U+000A)"),
        (
            "nlu:\n- intent: a\n  examples:\n  - txt: x\n",
            ":4: an example in a list needs `text:`; did you mean",
        ),
        (
            f"nlu:\n- regex: a\n  examples: |\n    - {'(' * 5000}{')' * 5000}\n",
            "expression (nested too deeply)",
        ),
        (
            "nlu:\n- regex: a\n  examples: |\n    - a{4294967296}\n",
            ":4: `a{4294967296}` is not a regular expr",
        ),
        (
            "nlu:\n- intent: a\n  example: |\n    - x\n- intent: b\n  examples: |\n    - y\n",
            "the only intent is `b`",
        ),
        (
            "nlu:\n- intent: a\n  examples: |\n    - ?!\n- intent: b\n  examples: |\n    - ...\n",
            ": no example has a letter or a digit",
        ),
        ("nlu:\n- intent: [a, b]\n", ":2: `intent` must be a text"),
        ("nlu:\n- intent: ''\n  examples: |\n    - a\n", ":2: `intent:` has no name"),
        ("nlu:\n- intent: a\n  examples: {x: y}\n", ":3: `examples:` of `a` must be a block"),
        ("nlu:\n- intent: a\n  examples:\n  - words: x\n", ":4: an example in a list needs `text:`"),
        ("nlu:\n- intent: a\n  intent: b\n", ":3: `intent:` is here twice"),
        ("nlu:\n- intent: a\n  metadata: {urgency: panic}\n", ":3: urgency `panic` is not one of low"),
        ("nlu:\n- intent: a\n  metadata: high\n", ":3: `metadata:` must hold `key: value`, as in"),
        (
            "nlu:\n- intent: a\n  examples:\n  - {text: x, metadata: [high]}\n",
            ":4: `metadata:` must hold `key: value`",
        ),
        ("nlu:\n- regex: a\n  examples: |\n    - (\n", ":4: `(` is not a regular expression"),
        ("nlu:\n- intent: a\n  examples: |\n    - b\n   bad: indent\n", "the YAML is broken"),
        ("nlu:\n\t- intent: a\n", ":2: the YAML is broken"),
        ('nlu:\n- intent: a\n  examples:\n  - "oh \\ud83d"\n', ":4: `text` holds half a character (\\ud83d)"),
        ('nlu:\n- intent: "a\\ud83d"\n', ":2: `intent` holds half a character"),
        ("nlu: &a\n- *a\n", ":1: expected `key: value`"),
        ("[" * 5000, "nested too deeply"),
        ("nlu: []\n", "there are no training examples"),
        ("nlu:\n- intent: a\n  examples: |\n    - b\n", "the only intent is `a`"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path: Path, text: str, part: str) -> None:
    said = complaint(tmp_path, text)
    assert part in said
    assert str(tmp_path / "nlu.yml") in said


def test_an_error_tells_what_was_noticed_before_it(tmp_path: Path) -> None:
    said = complaint(
        tmp_path, HEAD + "- intent: a\n  example: |\n    - x\n- intent: b\n  examples: |\n    - y\n"
    )
    assert f'{tmp_path / "nlu.yml"}:4: `example` is not read; did you mean "examples"?' in said
    alone = complaint(tmp_path, HEAD + "- intent: a\n  example: |\n    - x\n")
    assert "there are no training examples" in alone
    assert "`example` is not read" in alone


def test_a_folder_that_cannot_be_read_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, HEAD + EXAMPLE, "a.yml")
    write(tmp_path, HEAD + EXAMPLE, "closed/b.yml")
    scan = os.scandir

    def refusing(path: str) -> Iterator[os.DirEntry[str]]:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    (warning,) = read([tmp_path]).warnings
    assert (
        f"{tmp_path / 'closed'}: cannot be read (Permission denied), so what is in it is left out" in warning
    )


def test_a_file_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "nlu.yml"
    path.write_bytes(HEAD.encode() + "- intent: größe\n".encode("latin-1"))
    with pytest.raises(BadData, match=r"nlu\.yml:3: this is not UTF-8"):
        read([path])


def test_a_byte_order_mark_is_no_part_of_the_data(tmp_path: Path) -> None:
    path = tmp_path / "nlu.yml"
    path.write_text(HEAD + "- intent: a\n  examples: |\n    - b\n", encoding="utf-8-sig")
    assert read([path]).intents == ("a",)


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="there is no such file or folder"):
        read([tmp_path / "nowhere"])


def test_an_empty_folder_has_no_examples(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="there are no training examples"):
        read([tmp_path])
