"""What Rasa is handed: every example once, as it was written, with nothing in it that Rasa takes for something else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from nlu.rasa.wording import asked, clean, document, questions, sent
from nlu.reading import read_training

CONFIG = "recipe: default.v1\npipeline: []\n"


def written(folder: Path, nlu: str) -> dict[str, str]:
    """The examples of each intent, read back as Rasa would."""
    file = folder / "nlu.yml"
    file.write_text(f"nlu:\n{nlu}- intent: other\n  examples: |\n    - something else\n", encoding="utf-8")
    data = read_training([file])
    content = YAML(typ="safe", pure=True).load(document(CONFIG, data, data.examples).decode())
    return {entry["intent"]: entry["examples"] for entry in content["nlu"] if "intent" in entry}


def test_entities_keep_their_marks_roles_and_values(tmp_path: Path) -> None:
    nlu = '- intent: a\n  examples: |\n    - from [Husum]{"entity": "city", "role": "from"} to [Kiel](city:KI)\n'
    assert written(tmp_path, nlu)["a"] == (
        '- from [Husum]{"entity": "city", "role": "from"} to [Kiel]{"entity": "city", "value": "KI"}\n'
    )


def test_brackets_that_mark_nothing_do_not_become_marks(tmp_path: Path) -> None:
    nlu = "- intent: a\n  examples: |\n    - see [this] and {that}\n"
    assert written(tmp_path, nlu)["a"] == "- see (this) and (that)\n"


def test_an_intent_called_yes_stays_a_string(tmp_path: Path) -> None:
    assert "yes" in written(tmp_path, "- intent: 'yes'\n  examples: |\n    - sure\n")


def test_a_slash_in_a_name_is_no_response_selectors_business() -> None:
    assert sent("faq/opening") == "faq∕opening"


def test_a_document_is_never_ascii_alone(tmp_path: Path) -> None:
    file = tmp_path / "nlu.yml"
    file.write_text(
        "nlu:\n- intent: a\n  examples: |\n    - x\n- intent: b\n  examples: |\n    - y\n", encoding="utf-8"
    )
    data = read_training([file])
    for made in (document(CONFIG, data, data.examples), questions(data.examples)):
        assert not made.isascii()


def test_intents_entities_and_knowledge_are_declared(tmp_path: Path) -> None:
    file = tmp_path / "nlu.yml"
    file.write_text(
        "nlu:\n- intent: a\n  examples: |\n    - [x](thing) one\n- intent: b\n  examples: |\n    - two\n"
        "- regex: number\n  examples: |\n    - \\d{4}\n- lookup: city\n  examples: |\n    - Kiel\n"
        "- synonym: Kiel\n  examples: |\n    - KI\n".replace("- [x]", "- a [x]"),
        encoding="utf-8",
    )
    data = read_training([file])
    content = YAML(typ="safe", pure=True).load(document(CONFIG, data, data.examples).decode())
    assert (content["intents"], content["entities"]) == (["a", "b"], ["thing"])
    found = {
        (kind, entry[kind], entry["examples"])
        for entry in content["nlu"]
        for kind in ("regex", "lookup", "synonym")
        if kind in entry
    }
    assert found == {
        ("regex", "number", "- \\d{4}\n"),
        ("lookup", "city", "- Kiel\n"),
        ("synonym", "Kiel", "- ki\n"),
    }


@given(st.text(max_size=200))
def test_what_is_asked_is_as_long_as_what_was_written_and_no_command(text: str) -> None:
    found = asked(text)
    assert len(found) == len(text)
    assert not found.strip().startswith("/")
    found.encode()


@given(st.text(max_size=200))
def test_an_example_is_one_line_that_yaml_can_hold(text: str) -> None:
    line = clean(text)
    assert len(line.splitlines()) <= 1
    assert (
        YAML(typ="safe", pure=True).load(f"examples: |\n    - {line}\n")["examples"].strip()
        == f"- {line}".strip()
    )


@pytest.mark.parametrize("space", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_what_python_takes_for_the_end_of_a_line_ends_none(space: str) -> None:
    assert clean(f"wo{space}ist") == "wo ist"
