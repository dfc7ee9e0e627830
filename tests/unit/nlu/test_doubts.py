"""What people are told of training data that can be read, and perhaps mean something else."""

from pathlib import Path

import pytest

from nlu.reading import read, read_training
from tests.unit.nlu.files import EXAMPLE, HEAD, data_of, write

STARTER = Path(__file__).parents[3] / "nlu" / "data"


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
