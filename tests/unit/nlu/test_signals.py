"""The short way to the signals of a text leaves none out."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from nlu.reading import read
from nlu.rules.patterns import openings
from nlu.rules.signals import OPENING, SIGNALS, candidates, matches

STARTER = Path(__file__).parents[3] / "nlu" / "data"


@pytest.mark.parametrize("language", ["de", "en"])
def test_no_signal_of_a_text_is_passed_over(language: str) -> None:
    texts = [example.text.lower() for example in read([STARTER / f"nlu.{language}.yml"]).examples]
    texts += [f"{one}, ({two}) {one}" for one, two in zip(texts[::2], texts[1::2], strict=False)]
    found = 0
    for text in texts:
        there = {signal.name: _spans(signal.pattern.finditer(text)) for signal in SIGNALS}
        found += len([spans for spans in there.values() if spans])
        short = {one.name: _spans(matches(one, places, text)) for one, places in candidates(text)}
        assert {name: short.get(name, []) for name in there} == there, text
    assert found > 200


def _spans(found: Iterable[re.Match[str]]) -> list[tuple[int, int]]:
    return [match.span() for match in found]


def test_most_texts_have_few_candidates() -> None:
    assert len(candidates("wo ist mein paket mit der blauen jacke")) <= 2


def test_every_signal_says_what_it_can_start_with() -> None:
    for signal in SIGNALS:
        starts = openings(signal.pattern.pattern, OPENING)
        assert "" not in starts
        assert max(map(len, starts)) <= OPENING
