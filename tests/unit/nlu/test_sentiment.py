"""Moods, and sentences that only seem to have one."""

import pytest

from nlu.features import normalise, tokens
from nlu.rules.sentiment import sentiment


def label(text: str) -> str:
    return sentiment(tokens(normalise(text))).label


@pytest.mark.parametrize(
    "text",
    [
        "Super Service, bin begeistert",
        "ich liebe eure Jacken 😍",
        "gar nicht schlecht!",
        "great quality, love it",
        "best shop ever",
        "wunderschöne Lampe",
        "Das T-Shirt ist super",
        "The T-shirt is great",
        "das ist mega gut",
        "isn't bad at all",
        "eure Kollegin war so lieb zu meiner Oma",
        "jeden Cent wert",
        "worth every penny",
        "Chapeau!",
    ],
)
def test_praise_is_positive(text: str) -> None:
    assert label(text) == "positive"


@pytest.mark.parametrize(
    "text",
    [
        "Das ist eine Frechheit",
        "nie wieder bei euch",
        "not happy at all",
        "I don't recommend this shop",
        "schlechtester Service",
        "ihr seid das Letzte",
        "worst company, absolutely useless",
        "ich bin sehr enttäuscht 😡",
        "my t-shirt is awful",
        "Das T-Shirt ist furchtbar",
        "super schlecht",
        "super angry with you",
        "mega enttäuscht",
        "it isnt good",
        "Danke für gar nichts",
        "thanks for nothing",
        "ich wurde nur abgewimmelt",
        "your guy laughed at me",
    ],
)
def test_anger_is_negative(text: str) -> None:
    assert label(text) == "negative"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Wo ist mein Paket?",
        "Guten Abend, habt ihr das Zelt noch?",
        "Liebe Grüße",
        "good morning",
        "my order contained a wrong item",
        "die Rechnung vom letzten Kauf",
        "lieber die andere Farbe",
        "I would love a smaller size",
        "Die Lampe ist defekt",
        "danke",
        "danke für die Info",
        "Schönen guten Abend, ich brauche die Rechnung",
        "please cancel it, best regards",
        "thanks for the cooler",
        "Kommt die Gutschrift auf den Cent genau?",
        "ist der Sweater lieferbar",
    ],
)
def test_a_matter_of_fact_is_neutral(text: str) -> None:
    assert label(text) == "neutral"


def test_emphasis_moves_the_score_and_never_past_one() -> None:
    plain, strong, much = (
        sentiment(tokens(text)).score
        for text in ("das ist schlecht", "das ist sehr schlecht", "schlecht " * 500)
    )
    assert -1 <= much < strong < plain < 0
