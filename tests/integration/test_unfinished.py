"""What answers and configuration name that the other does not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import config
from bot.bootstrap.unfinished import unfinished
from nlu.answers import load_answers

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("slot", "warned"), [("order_number", 0), ("customer_number", 5)])
def test_a_lookup_that_asks_for_what_no_answer_has_is_named(tmp_path: Path, slot: str, warned: int) -> None:
    file = tmp_path / "config.yml"
    file.write_text(f"lookups: {{order: {{url: 'http://shop.example/{{{slot}}}'}}}}", encoding="utf-8")
    settings = config.load(file, {})
    book = load_answers(ROOT / "nlu" / "data" / "answers.yml", settings.brand)
    said = [one.detail for one in unfinished(settings, book, book.answers) if "asks for {" in one.detail]
    assert len(said) == warned
    assert all(
        one.startswith('The lookup "order" asks for {customer_number}, which the answer') for one in said
    )
