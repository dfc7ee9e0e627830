"""One spelling of each character, and the way back to the text as it was sent."""

from itertools import pairwise
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.composed import MARKS, compose, composed, is_composed

# What joins in more than one way: Latin with several accents, Korean, Bengali, and a letter that comes apart instead.
JOINING = "aouAz \u0308\u0301\u0323\u0327\u1112\u1161\u11ab\uac00\u11a8\u09c7\u09be\u0958\u2126\U0001d15e"
TEXTS = st.one_of(st.text(), st.text(JOINING), st.lists(st.text(JOINING)).map("".join))


@given(st.one_of(st.text(max_size=MARKS), st.text(JOINING, max_size=MARKS)))
def test_a_text_is_composed_as_a_whole_would_be(text: str) -> None:
    assert composed(text) == normalize("NFC", text)


@given(TEXTS)
def test_every_place_is_in_the_text_as_it_was_sent(text: str) -> None:
    one, places = compose(text)
    assert one == composed(text)
    assert len(places) == len(one) + 1
    assert (places[-1], places) == (len(text), sorted(places))


def test_a_letter_keeps_some_marks_of_thousands() -> None:
    text = "x" + "\u0323\u0301" * 2000 + "y"
    assert composed(text) == normalize("NFC", text[: MARKS + 1] + "y")
    assert composed("😀" * 100) == "😀" * 100


@given(st.text("äöüßÄ abc1."))
def test_what_was_taken_apart_is_found_at_its_place(text: str) -> None:
    sent = normalize("NFD", text)
    one, places = compose(sent)
    assert [normalize("NFC", sent[start:end]) for start, end in pairwise(places)] == list(one)


@pytest.mark.parametrize("text", ["plain", "Grüße", ""])
def test_usual_texts_are_composed_already(text: str) -> None:
    assert is_composed(text)


def test_an_umlaut_of_two_characters_is_not_composed() -> None:
    assert not is_composed("Gru\u0308\u00dfe")
