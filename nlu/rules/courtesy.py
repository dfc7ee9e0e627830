"""What people say before and after their matter: "Hallo zusammen, …, vielen Dank" is no greeting and no thanks."""

from __future__ import annotations

FEWEST = 3  # words that are a matter of their own; fewer are part of what frames them

_HELLO = frozenset(
    "hallo hallöchen hi hey heya hiya moin moinsen servus tach grüezi gruezi hello hej huhu".split()
)
_HELLO_IN_TWO = {
    first: frozenset(seconds.split())
    for firsts, seconds in (
        (
            "guten schönen schoenen good",
            "tag morgen abend mittag nachmittag morning evening afternoon day guten",
        ),
        ("grüß grüss gruess grias", "gott eich euch di dich"),
        ("liebes dear liebe", "team nordwind all sir madam leute"),
        ("sehr", "geehrte geehrtes"),
    )
    for first in firsts.split()
}
_ADDRESSED = frozenset(
    "zusammen miteinander miteinand beinand leute team there all everyone everybody guys folks nordwind damen und"
    " herren sir or madam tag morgen abend !".split()
)
_THANKS = frozenset(
    "danke dankeschön dank merci thanks thank thx ty cheers ta mfg lg vg grüße gruß grüßen regards 🙏 🙂 😊 👍".split()
)
_AROUND_THANKS = _THANKS | frozenset(
    "vielen lieben besten herzlichen schon schonmal mal im voraus you so much very many in advance a lot ! viele"
    " liebe schöne beste mit freundlichen kind best".split()
)


def without_courtesy(words: list[str]) -> list[str]:
    """`nlu.features.tokens` of a text from its greeting on and up to its thanks; all of them where little is left."""
    start, end = _greeted(words), len(words)
    while end > start and words[end - 1] in _AROUND_THANKS:
        end -= 1
    if _THANKS.isdisjoint(words[end:]):
        end = len(words)
    return words[start:end] if end - start >= FEWEST else words


def _greeted(words: list[str]) -> int:
    """How many words the greeting has."""
    place = 0
    while place < len(words):
        if words[place] in _HELLO or (place and words[place] in _ADDRESSED):
            place += 1
        elif words[place + 1 : place + 2] and words[place + 1] in _HELLO_IN_TWO.get(words[place], ()):
            place += 2
        else:
            break
    return place
