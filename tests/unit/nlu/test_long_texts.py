"""No message may hold up the others: the longest text that is read takes a few milliseconds, whatever is in it."""

import time

import pytest

from bot.domain.understanding import UNDERSTOOD_CHARACTERS, Context
from nlu.embedded import Embedded
from nlu.entities import Entities
from nlu.facts import Knowledge

ALLOWED = 0.03  # seconds of processor time; a third of it on a quiet machine
ASKED = Context(expects="order_number")

REPEATED = {
    "order numbers": "4711 ",
    "order numbers on lines": "4711\n",
    "order numbers with marks": "#4711 ",
    "prefixed numbers": "NW 4711 ",
    "Arabic digits": "٤٧١١ ",
    "Khmer digits": "\u17e1 ",
    "Khmer numbers": "\u17e1\u17e2\u17e3\u17e4 ",
    "full-width numbers": "４７１１ ",
    "numbers and letters": "12345 A ",
    "short numbers": "123 ",
    "single digits": "0 ",
    "no end of zeros": "0",
    "what stands before a number": "order no. ",
    "orders in groups": "order 12 ",
    "other numbers": "artikel 4711 ",
    "leads": "ok 4711 ",
    "measures": "4711 km ",
    "years": "2024 ",
    "streets": "weg 3, 24103 Kiel ",
    "postcodes": "plz 24103 ",
    "new addresses": "adresse 24103 Kiel ",
    "calls": "ruf ",
    "calls with a digit": "ruf a 1 ",
    "calls on": "call me on 1 ",
    "phones": "0151 2345678 ",
    "countries": "+49 ",
    "brackets": "(0)",
    "ranges": "12-34 ",
    "dates": "1.1.",
    "months": "12 mai ",
    "prices": "1.000",
    "euros": "€1",
    "amounts": "1 € ",
    "IBANs": "DE89 3704 0044 0532 0130 00 ",
    "parts of IBANs": "AB12",
    "dots": "a.",
    "addresses": "a@b.",
    "signs": "@",
    "links": "http://",
    "wishes for a person": "i want a person ",
    "no person": "ich will nicht mit einem ",
    "people": "mensch ",
    "mistyped people": "persom ",
    "clauses": "ich, ",
    "urgency": "dringend ",
    "urgency denied": "nicht dringend ",
    "deadlines": "bis dienstag ",
    "threats": "ich bringe euch um ",
    "lawyers": "ich gehe zum anwalt ",
    "money": "zweimal abgebucht ",
    "long waits": "i have been waiting for 3 weeks ",
    "capital letters": "WARUM ",
    "exclamations": "!",
    "quotation marks": '"a ',
    "quotations never closed": "„abc ",
    "closing marks alone": "“",
    "apostrophes": "a' 'b",
    "apostrophes inside": "'a'b'c'd ",
    "quoted lines": '> a "b\n',
    "moods": "not very good ",
    "stronger and stronger": "super ",
    "French": "où est ma commande ",
    "Thai": "สวัสดี",
    "one word": "a",
    "letters taken apart": "u\u0308",
    "letters of three": "o\u0301\u0323\u0308",
    "Korean taken apart": "\u1112\u1161\u11ab",
    "marks in bad order": "\u0301\u0323",
    "vowels without a syllable": "\u1161",
    "emoji": "😀",
    "families": "👨\u200d👩",
    "nothing visible": "\0",
    "blanks": " ",
    "values": "New York ",
    "half values": "new ",
}
WHOLE = {
    "a number, calls and blanks": "123456 " + "ruf " * 6 + " " * 3960 + "x",
    "a call and blanks": "123456 call" + " " * 3980 + "x",
    "a long call": "123456 " + "ring" * 990,
    "a number behind leads": "die " * 998 + "4711",
    "a number before dots": "4711" + "." * 3990,
    "a server's many names": "a" * 2000 + "@" + "b." * 999,
    "marks of two heights": "a" + "\u0315" * 2000 + "\u0300" * 1999,
    "different words": " ".join(f"word{number}" for number in range(500)),
}
LONG = {
    **{name: (piece * UNDERSTOOD_CHARACTERS)[:UNDERSTOOD_CHARACTERS] for name, piece in REPEATED.items()},
    **WHOLE,
}


def least(engine: Embedded | Entities, text: str, context: Context) -> float:
    """The quietest of three, in seconds of processor time."""
    take = engine.parse if isinstance(engine, Embedded) else engine.find

    def timed() -> float:
        started = time.process_time()
        take(text, context)
        return time.process_time() - started

    return min(timed() for _ in range(3))


@pytest.mark.parametrize("name", LONG)
def test_a_long_text_takes_a_few_milliseconds(engine: Embedded, name: str) -> None:
    assert least(engine, LONG[name], Context()) < ALLOWED


@pytest.mark.parametrize("name", [name for name in LONG if "number" in name or "digit" in name])
def test_a_long_answer_to_the_question_for_a_number_takes_no_longer(engine: Embedded, name: str) -> None:
    assert least(engine, LONG[name], ASKED) < ALLOWED


@pytest.mark.parametrize(
    "values",
    [
        ("a b " * 300, "a", "a b"),
        tuple("a b " * count for count in range(1, 300)),
        tuple("a b " * count + "c" for count in range(300)),
    ],
)
@pytest.mark.parametrize("piece", ["a b ", "a ", "a b c "])
def test_values_of_many_words_take_no_longer(values: tuple[str, ...], piece: str) -> None:
    finder = Entities(Knowledge(lookups={"thing": values}))
    assert least(finder, (piece * UNDERSTOOD_CHARACTERS)[:UNDERSTOOD_CHARACTERS], Context()) < ALLOWED
