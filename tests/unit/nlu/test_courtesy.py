"""A greeting and thanks around a matter are told from those that are all there is."""

import pytest

from nlu.features import normalise, tokens
from nlu.rules.courtesy import without_courtesy


def left(text: str) -> str:
    return " ".join(without_courtesy(tokens(normalise(text))))


@pytest.mark.parametrize(
    ("text", "matter"),
    [
        ("Hallo zusammen, wo bleibt mein Paket? Vielen Dank!", "wo bleibt mein paket ?"),
        ("Guten Morgen, wo bleibt mein Paket", "wo bleibt mein paket"),
        ("Schönen guten Tag, habt ihr samstags offen? LG", "habt ihr samstags offen ?"),
        ("Hi there, where is my parcel? Thanks in advance", "where is my parcel ?"),
        ("Dear team, my code is invalid. Best regards", "my code is invalid"),
        ("wo bleibt mein Paket, danke schon mal", "wo bleibt mein paket"),
    ],
)
def test_what_frames_a_matter_is_taken_off(text: str, matter: str) -> None:
    assert left(text) == matter


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hallo",
        "guten morgen",
        "vielen dank",
        "hallo und danke",
        "good boots i love them",
        "danke dass ihr so nett wart",
        "wo bleibt mein paket",
        "schönen rucksack habt ihr da",
    ],
)
def test_what_is_nothing_but_courtesy_or_none_is_left_alone(text: str) -> None:
    assert left(text) == text
