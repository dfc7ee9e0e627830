"""One text, one set of n-grams, however it is spelled."""

import pytest

from nlu.features import LINK, MAIL, MENTION, NUMBER, grams, normalise, tokens


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("HALLO Welt", "hallo welt"),
        ("haaaallo", "hallo"),
        ("neeeein!!!", "nein!"),
        ("u\u0308ber", "über"),
        ("zero\u200bwidth\u00ad\ufe0f", "zerowidth"),
        ("pass", "pass"),
        ("10000", f" {NUMBER} "),
        ("nw-4711", f"nw- {NUMBER} "),
        ("kurz 123", "kurz 123"),
        ("ＨＡＬＬＯ　Ｗｅｌｔ！", "hallo welt!"),
        ("H A L L O  W E L T", "hallo  welt"),
        ("h a l t", "halt"),
        ("z. B. in S M L", "z. b. in s m l"),
        ("1 2 3 4 5", "1 2 3 4 5"),
    ],
)
def test_spelling_is_evened_out(text: str, normal: str) -> None:
    assert normalise(text) == normal


def test_addresses_become_placeholders() -> None:
    found = tokens(normalise("mail an a.b@c.de oder @shop, siehe https://x.de/1?q=2"))
    assert found == ["mail", "an", MAIL, "oder", MENTION, "siehe", LINK]


def test_a_customer_cannot_write_a_placeholder() -> None:
    assert tokens(normalise(f"a {NUMBER}{MAIL} b")) == ["a", "b"]


def test_emoji_are_words_of_their_own_in_any_skin() -> None:
    assert tokens(normalise("super👍🏽😡")) == ["super", "👍", "😡"]


def test_an_umlaut_counts_in_both_spellings() -> None:
    umlaut, folded = grams(["schön"]), grams(["schoen"])
    assert umlaut.words == ["schön", "schoen"]
    assert set(folded.words) <= set(umlaut.words)
    assert set(folded.characters) <= set(umlaut.characters)


def test_character_ngrams_stay_inside_words() -> None:
    found = grams(["ab", "c"])
    assert found.pairs == ["ab c"]
    assert found.characters == [" a", "ab", "b ", " ab", "ab ", " ab ", " c", "c ", " c "]


def test_only_the_first_4000_characters_are_seen() -> None:
    assert normalise("a " * 5000) == normalise("a " * 2000)
