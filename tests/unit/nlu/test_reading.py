"""Rasa NLU YAML as people write it, and what they are told when it is something else."""

import os
from collections.abc import Iterator
from pathlib import Path
from unicodedata import normalize

import pytest

from bot.domain.errors import BadData
from nlu.reading import TrainingData, read, read_training

STARTER = Path(__file__).parents[3] / "nlu" / "data"
HEAD = 'version: "3.1"\nnlu:\n'


def write(folder: Path, text: str, name: str = "nlu.yml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def data_of(folder: Path, text: str) -> TrainingData:
    return read([write(folder, HEAD + text)])


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(BadData) as caught:
        read_training([write(folder, text)])
    return str(caught.value)


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


def test_a_value_of_two_entities_is_warned_of_and_found_as_the_first(tmp_path: Path) -> None:
    text = (
        "- intent: a\n  examples: |\n    - in [Kiel](city)\n    - at [kiel](shop)\n    - to [Kiel](shop)\n"
        "    - in [Bonn](shop) for [4](hours) or [4](days)\n- lookup: city\n  examples: |\n    - Bonn\n"
    )
    data = data_of(tmp_path, text)
    path = tmp_path / "nlu.yml"
    assert data.warnings == (
        (
            f'{path}:6: "kiel" is a value of `shop` and of `city` ({path}:5); only `city` is found, '
            "and `shop` is not; take it out of one of them or give both one name"
        ),
        (
            f'{path}:8: "Bonn" is a value of `shop` and of `city` ({path}:11); only `city` is found, '
            "and `shop` is not; take it out of one of them or give both one name"
        ),
    )
    assert data.known_values() == {"city": ("Bonn", "Kiel")}


def test_a_lookup_that_silences_roles_says_so(tmp_path: Path) -> None:
    text = (
        '- intent: a\n  examples: |\n    - from [Kiel]{"entity": "city", "role": "origin"}\n'
        "- lookup: shop\n  examples: |\n    - Kiel\n"
    )
    (warning,) = data_of(tmp_path, text).warnings
    assert "only `shop` is found, and `city` and its roles are not; take it out of one of them" in warning


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


EXAMPLE = "- intent: a\n  examples: |\n    - x\n"


@pytest.mark.parametrize(
    ("entry", "warning"),
    [
        (
            "- intent: b\n  metadata: {urgncy: high}\n  examples: |\n    - y\n",
            ':7: `urgncy` is not read; did you mean "urgency"?',
        ),
        (
            "- intent: b\n  metadata:\n    Urgency: high\n  examples: |\n    - y\n",
            ':8: `Urgency` is not read; did you mean "urgency"?',
        ),
        (
            "- intent: b\n  examples:\n  - {text: y, metadata: {urgent: high}}\n",
            ':8: `urgent` is not read; did you mean "urgency"?',
        ),
        (
            "- intent: b\n  urgency: high\n  examples: |\n    - y\n",
            ":7: `urgency` is not read; write `metadata: {urgency: high}`, in a list",
        ),
        (
            "- intent: b\n  examples:\n  - {text: y, urgency: critical}\n",
            ":8: `urgency` is not read; write `metadata: {urgency: high}`, in a list `- {text: …, metadata",
        ),
        (
            "- intent: b\n  examples:\n  - text: y\n    metdata: {urgency: high}\n",
            ':9: `metdata` is not read; did you mean "metadata"?',
        ),
        (
            "- intent: b\n  examples:\n  - {text: y, words: z}\n",
            ":8: `words` is not read; known: text, metadata",
        ),
        ("- intent: b\n  exmaples:\n  - y\n", ':7: `exmaples` is not read; did you mean "examples"?'),
        ("- intent: b\n  examples: |\n", ":6: `b` has no examples"),
        ("- intent: b\n  examples: []\n", ":6: `b` has no examples"),
        (
            '- intent: b\n  examples: |\n    - in [Husum]{"entiti": "city"}\n',
            ':8: "entiti" of a mark is not read; did you mean "entity"?',
        ),
        (
            '- intent: b\n  examples: |\n    - in [Husum]{"entity": "city", "rolle": "origin"}\n',
            ':8: "rolle" of a mark is not read; did you mean "role"?',
        ),
        (
            "- intent: b\n  examples: |\n    - in [Husum(city) und [Kiel](city)\n",
            ":8: `[Husum(city) und ` marks nothing. A mark is",
        ),
        (
            '- intent: b\n  examples: |\n    - [Husum{"entity": "city"}\n',
            ':8: `[Husum{"entity": "city"}` marks nothing',
        ),
        (
            '- intent: b\n  examples:\n  - "[Husum](ci\\ety)"\n',
            ":8: `[Husum](ci\ufffdty)` marks nothing",
        ),
        ("- intent: A\n  examples: |\n    - y\n", ":6: the intent `A` is nearly `a` ("),
        (
            "- lookup: my city\n  examples: |\n    - Kiel\n- lookup: my_city\n  examples: |\n    - Bonn\n",
            ":9: the entity `my_city` is nearly `my city` (",
        ),
        (
            "- synonym: card\n  examples: |\n    - plastic\n",
            ":6: the synonym `card` is never used: neither it nor a spelling of it is a value",
        ),
        (
            (
                "- lookup: x\n  examples: |\n    - p\n    - q\n"
                "- synonym: p\n  examples: |\n    - z\n- synonym: q\n  examples: |\n    - Z\n"
            ),
            ':15: "Z" stands for `q` and for `p`; `q` counts',
        ),
        (
            f"- lookup: x\n  examples: |\n    - {'so ' * 31}\n",
            "has more than 30 words and signs, and is not found in messages",
        ),
    ],
)
def test_what_is_not_read_is_warned_of_with_its_line(tmp_path: Path, entry: str, warning: str) -> None:
    warnings = data_of(tmp_path, EXAMPLE + entry).warnings
    assert any(f"nlu.yml{warning}" in one or warning in one for one in warnings), warnings


@pytest.mark.parametrize(
    "entry",
    [
        "- intent: b\n  metadata: {currency: EUR, sentiment: high, emergency_number: 112}\n  examples: |\n    - y\n",
        "- intent: b\n  examples:\n  - {text: y, metadata: {source: chat}}\n",
        "- intent: ab\n  examples: |\n    - y (z) [ok] [see (there)] and [more\n",
        "- regex: size\n  examples: |\n    - X+L\n- synonym: extra large\n  examples: |\n    - xxl\n",
        "- lookup: size\n  examples: |\n    - XL\n- synonym: extra large\n  examples: |\n    - xl\n    - huge\n",
    ],
)
def test_what_is_read_or_means_something_to_others_is_not_warned_of(tmp_path: Path, entry: str) -> None:
    assert data_of(tmp_path, EXAMPLE + entry).warnings == ()


@pytest.mark.parametrize(
    "knowledge",
    [
        "- lookup: shop\n  examples: |\n    - Husum\n",
        "- intent: b\n  examples: |\n    - to [Husum](shop)\n",
        '- intent: b\n  examples: |\n    - at the [quay]{"entity": "shop", "value": "Husum"}\n',
        "- lookup: shop\n  examples: |\n    - quay\n",
    ],
)
def test_what_a_synonym_is_written_as_is_a_known_value_too(tmp_path: Path, knowledge: str) -> None:
    synonym = "- synonym: Husum\n  examples: |\n    - the shop at the harbour\n    - quay\n    - 4\n"
    data = data_of(tmp_path, EXAMPLE + knowledge + synonym)
    assert data.warnings == ()
    assert "the shop at the harbour" in data.known_values()["shop"]
    assert "4" not in data.known_values()["shop"]


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


def test_two_files_may_share_an_example(tmp_path: Path) -> None:
    for name in ("de.yml", "en.yml"):
        write(tmp_path, HEAD + "- intent: greeting\n  examples: |\n    - hello\n", name)
    found = read([tmp_path])
    assert [one.text for one in found.examples] == ["hello"]
    assert not any("twice" in warning for warning in found.warnings)


def test_letter_case_and_spaces_make_no_other_example(tmp_path: Path) -> None:
    path = write(
        tmp_path, HEAD + "- intent: a\n  examples: |\n    - Hallo\n    - hallo\n    - HAL  LO\n    - hal lo\n"
    )
    data = read([path])
    assert [one.text for one in data.examples] == ["Hallo", "HAL  LO"]
    assert data.warnings == (
        f'{path}:6: "hallo" is in `a` twice, first in line 5; it counts once',
        f'{path}:8: "hal lo" is in `a` twice, first in line 7; it counts once',
    )


def test_an_example_that_is_twice_in_the_second_file_is_warned_of(tmp_path: Path) -> None:
    write(tmp_path, HEAD + "- intent: a\n  examples: |\n    - hi\n", "a.yml")
    other = write(tmp_path, HEAD + "- intent: a\n  examples: |\n    - Hi\n    - hI\n", "b.yml")
    assert read([tmp_path]).warnings == (f'{other}:6: "hI" is in `a` twice, first in line 5; it counts once',)


def test_a_double_brings_its_marks_where_the_first_has_none(tmp_path: Path) -> None:
    write(tmp_path, HEAD + "- intent: a\n  examples: |\n    - in kiel\n", "a.yml")
    write(tmp_path, HEAD + "- intent: a\n  examples: |\n    - in [Kiel](city)\n", "b.yml")
    assert read([tmp_path]).known_values() == {"city": ("Kiel",)}


def test_the_starter_data_need_no_warning() -> None:
    assert read_training([STARTER]).warnings == ()


def test_doubtful_examples_are_warned_of_by_name(tmp_path: Path) -> None:
    text = (
        "- intent: a\n  examples: |\n    - same text\n    - same text\n    no dash\n"
        "- intent: b\n  examples: |\n    - Same  text\n- intent: c\n"
    )
    path = write(tmp_path, HEAD + text)
    warnings = "\n".join(read([path]).warnings)
    assert f'{path}:6: "same text" is in `a` twice' in warnings
    assert f'{path}:7: "no dash" is not read' in warnings
    assert f'"Same  text" is in `b` and in `a` ({path}:5)' in warnings
    assert "`c` has no examples" in warnings
    assert "`b` has 1 example; it needs 5" in "\n".join(read_training([path]).warnings)


def test_a_test_file_may_have_few_examples_of_an_intent(tmp_path: Path) -> None:
    path = write(
        tmp_path, HEAD + "- intent: a\n  examples: |\n    - one\n- intent: b\n  examples: |\n    - two\n"
    )
    assert read([path]).warnings == ()


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
