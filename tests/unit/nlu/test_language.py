"""German, English or neither, in a handful of words."""

import pytest

from nlu.features import normalise, tokens
from nlu.rules.language import language


def told(text: str, hint: str = "") -> str:
    return language(tokens(normalise(text)), hint)


@pytest.mark.parametrize(
    "text",
    [
        "wo bleibt mein paket",
        "Rücksendung?",
        "bestellung stornieren",
        "wos is mit meiner lieferung",
        "is mein paket schon da",
        "moin",
        "danke!!",
        "Kundennummer vergessen",
        "neeee",
        "4711 unterwegs?",
        "moinsen",
        "brauchs nimmer, bitte cancel",
        "ich möchte mein shirt zurückgeben, order 4711",
    ],
)
def test_german_is_told(text: str) -> None:
    assert told(text) == "de"


@pytest.mark.parametrize(
    "text",
    [
        "where's my parcel",
        "refund?",
        "cancel my order pls",
        "thx",
        "u charged me twice",
        "gimme my money back",
        "heya",
        "the Lieferung is late again",
    ],
)
def test_english_is_told(text: str) -> None:
    assert told(text) == "en"


@pytest.mark.parametrize(
    "text",
    [
        "Où est mon colis ?",
        "dónde está mi pedido",
        "mijn bestelling is niet aangekomen",
        "gdzie jest moja paczka",
        "siparişim nerede",
        "var är mitt paket",
        "где мой заказ",
        "أين طلبي",
        "我的包裹在哪里",
    ],
)
def test_another_language_is_neither_even_in_a_german_chat(text: str) -> None:
    assert told(text) == ""
    assert told(text, "de") == ""


@pytest.mark.parametrize("text", ["", "4711", "👍", "ok", "???"])
def test_what_says_nothing_takes_the_conversations_language(text: str) -> None:
    assert told(text) == ""
    assert (told(text, "de"), told(text, "en")) == ("de", "en")


def test_a_clear_sentence_beats_the_conversation() -> None:
    assert told("where is my parcel please", "de") == "en"
    assert told("wo ist denn mein Paket", "en") == "de"
