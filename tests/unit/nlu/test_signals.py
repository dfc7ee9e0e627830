"""The short way to the signals of a text leaves none out."""

from pathlib import Path

import pytest

from nlu.reading import read
from nlu.signals import OPENING, SIGNALS, candidates, openings

STARTER = Path(__file__).parents[3] / "nlu" / "data"


@pytest.mark.parametrize("language", ["de", "en"])
def test_no_signal_of_a_text_is_passed_over(language: str) -> None:
    texts = [example.text.lower() for example in read([STARTER / f"nlu.{language}.yml"]).examples]
    found = 0
    for text in texts:
        there = {signal.name for signal in SIGNALS if signal.pattern.search(text)}
        found += len(there)
        assert there <= {signal.name for signal in candidates(text)}, text
    assert found > 100


def test_most_texts_have_few_candidates() -> None:
    assert len(list(candidates("wo ist mein paket mit der blauen jacke"))) <= 3


def test_every_signal_says_what_it_can_start_with() -> None:
    for signal in SIGNALS:
        starts = openings(signal.pattern)
        assert "" not in starts
        assert max(map(len, starts)) <= OPENING
