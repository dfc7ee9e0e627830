"""Numbers, addresses, dates and amounts in sentences as people write them."""

from unicodedata import normalize

import pytest

from bot.domain.understanding import Context, Entity
from nlu.entities import Entities
from nlu.facts import Knowledge
from nlu.rules.listed import LONGEST

BUILT_IN = Entities(Knowledge())
ASKED = Context(expects="order_number")


def found(text: str, context: Context = Context()) -> list[tuple[str, str]]:  # noqa: B008 - it is frozen
    return [(one.entity, one.value) for one in BUILT_IN.find(text, context)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4711", "4711"),
        ("4711.", "4711"),
        ("meine nummer ist 104711", "104711"),
        ("it's 104711 thanks", "104711"),
        ("NW-4711", "4711"),
        ("nw4711", "4711"),
        ("NW 00912", "00912"),
        ("Wurde #30918 schon verschickt?", "30918"),
        ("Bestellnummer: 104711", "104711"),
        ("Best.-Nr. 39011", "39011"),
        ("Guten Tag, Bestellnr. 104711, bitte um Auskunft", "104711"),
        ("order no. 66203 please", "66203"),
        ("Wo ist mein Paket 4711?", "4711"),
        ("verspätet sich meine lieferung? nummer 901 77 45", "9017745"),
        ("bestellung 40 117 abbrechen", "40117"),
        ("pls tell me the shipping status for 20256631", "20256631"),
        ("Bestellung 2024", "2024"),
        ("order 44120 from 3 May 2026", "44120"),
        ("Meine neue Adresse für Bestellung 12209", "12209"),
        ("please email me the invoice for 66203", "66203"),
        ("Rechnungskopie zu 66203 bitte", "66203"),
        ("أين طلبي رقم ٤٧١١", "4711"),
    ],
)
def test_an_order_number_is_found(text: str, number: str) -> None:
    assert [value for name, value in found(text) if name == "order_number"] == [number]


@pytest.mark.parametrize(
    "text",
    [
        "läuft die garantie noch? gekauft 2024",
        "I bought it in 2022",
        "Lindenweg 3, 24103 Kiel",
        "statt PLZ 80331 muss es 80337 heißen",
        "Umzug nach 10437 Berlin",
        "kostet das 1500 Euro?",
        "ein Gerät mit 2000 W und 5000 mAh",
        "Ist Artikel 40231 lieferbar?",
        "art. 30221 wann wieder da",
        "Karte 5510 9921, wie viel ist drauf?",
        "my customer number is 88123",
        "PIN 1234 geht nicht",
        "Fehler 5031 beim Bezahlen",
        "Tracking 00340434161094042557",
        "IBAN DE89 3704 0044 0532 0130 00",
        "ruf mich an: 0151 2345678",
        "nur 123",
        "am 24.12.2026 um 10 Uhr",
        "ich habe 12000 Follower",
        "SOMMER2025",
        "version 1.2345",
        "31.02.2026",
        "99/99/2026",
        "192.168.0.1",
        "24.12",
        "24-12",
        "24 12 2026",
        "12/25",
        "19.99",
        "1299.00",
        "1.299",
        "10.30 - 12.00",
        "10 - 12",
        "03-2026",
        "03 2026",
        "2026-03",
        "2025-2026",
        "22.11 16.30",
        "die 4711/2",
    ],
)
def test_another_number_is_no_order_number(text: str) -> None:
    assert "order_number" not in dict(found(text))


LONE = ["4711", "901 77 45", "901-77-45", "104-711", "47-11", "2026-4711", "ok, 20 44 71 bitte"]


@pytest.mark.parametrize("text", LONE)
def test_a_lone_number_may_be_written_in_groups(text: str) -> None:
    entities = BUILT_IN.find(text, Context())
    assert [(one.entity, one.confidence) for one in entities] == [("order_number", 0.95)]


@pytest.mark.parametrize(
    "text",
    ["2024", "die 2024", "das ist 2024, danke", "also: 4711", "104.711", "104/711", "2026/4711", *LONE],
)
def test_a_lone_number_is_certain_when_the_bot_asked_for_it(text: str) -> None:
    entities = BUILT_IN.find(text, ASKED)
    assert [(one.entity, one.confidence) for one in entities] == [("order_number", 1.0)]


@pytest.mark.parametrize("context", [Context(), ASKED])
def test_numbers_on_two_lines_are_two(context: Context) -> None:
    assert found("4711\n4712", context) == [("order_number", "4711"), ("order_number", "4712")]
    assert found("030 1234567\n030 7654321", context) == [("phone", "0301234567"), ("phone", "0307654321")]


def test_a_date_is_no_answer_to_the_question_for_a_number() -> None:
    assert found("weiß nicht, das war am 24.12.2026", ASKED) == [("date", "2026-12-24")]


@pytest.mark.parametrize(
    "text",
    [
        "24.12",
        "am 24.12 glaub ich",
        "12/25",
        "03/2026",
        "03-2026",
        "12 2026",
        "24-12-26",
        "19.99",
        "119.99",
        "1500 €",
        "€ 1500",
        "1500 Punkte",
        "22.11 16.30",
        "10.30 - 12.00",
        "192.168.100.200",
        "weiß nicht, gekauft 2024",
    ],
)
def test_what_is_clearly_something_else_is_no_answer_to_it_either(text: str) -> None:
    assert "order_number" not in dict(found(text, ASKED))


def test_a_year_beside_the_number_does_not_hide_it() -> None:
    assert found("von 2024, müsste die 104711 sein", ASKED) == [("order_number", "104711")]


@pytest.mark.parametrize(
    ("text", "entity"),
    [
        ("an max.muster+x@shop-beispiel.co.uk bitte", ("email", "max.muster+x@shop-beispiel.co.uk")),
        ("siehe https://example.org/a?b=c.", ("url", "https://example.org/a?b=c")),
        ("DE89 3704 0044 0532 0130 00", ("iban", "DE89370400440532013000")),
        ("gb29nwbk60161331926819", ("iban", "GB29NWBK60161331926819")),
        ("+49 (0)40 66969-100", ("phone", "+494066969100")),
        ("rufen Sie mich an unter 0151 2345678", ("phone", "01512345678")),
        ("call me on 07700 900123", ("phone", "07700900123")),
        ("am 24.12.2026", ("date", "2026-12-24")),
        ("am 3.5.", ("date", "--05-03")),
        ("bestellt am 3.5", ("date", "--05-03")),
        ("seit 12.10 warte ich", ("date", "--10-12")),
        ("seit dem 3. März 2026", ("date", "2026-03-03")),
        ("on May 3rd, 2026", ("date", "2026-05-03")),
        ("since November 2022", ("date", "2022-11")),
        ("12/25/2026", ("date", "2026-12-25")),
        ("2026-02-01", ("date", "2026-02-01")),
        ("ihr schuldet mir 1.299,50 €", ("amount", "1299.50 EUR")),
        ("$1,299.5", ("amount", "1299.50 USD")),
        ("20 quid", ("amount", "20 GBP")),
        ("1'234.50 CHF", ("amount", "1234.50 CHF")),
        ("CHF 12’000", ("amount", "12000 CHF")),
        ("49,- Euro", ("amount", "49 EUR")),
    ],
)
def test_what_else_is_found(text: str, entity: tuple[str, str]) -> None:
    assert found(text) == [entity]


@pytest.mark.parametrize(
    "text",
    [
        "24/7 erreichbar",
        "a@b",
        "1/2 Portion",
        "am 31.02.2026",
        "on April 31st",
        "bis 3.10 Uhr",
        "bis 19.99",
        "Version 3.5",
        "der Bote war um 1830 da",
        "JD014600003456789012",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_mistyped_iban_is_doubtful_and_no_order_number() -> None:
    entities = BUILT_IN.find("DE00 3704 0044 0532 0130 00", Context())
    assert [(one.entity, one.confidence) for one in entities] == [("iban", 0.5)]


def test_a_price_after_a_word_of_time_is_a_price() -> None:
    assert found("alles bis 3.10 €") == [("amount", "3.10 EUR")]


def test_an_iban_has_only_letters_of_the_alphabet() -> None:
    assert "iban" not in dict(found("İK89 3704 0044 0532 0130 00"))


def test_offsets_count_characters_of_the_text_as_written() -> None:
    text = "😀\0 A\u0308 #4711"
    number = BUILT_IN.find(text, Context())[0]
    assert text[number.start : number.end] == "#4711"


def listed(text: str, **knowledge: object) -> list[Entity]:
    return list(Entities(Knowledge(**knowledge)).find(text, Context()))  # type: ignore[arg-type]


def test_regexes_of_the_data_add_to_the_rules() -> None:
    regexes = (("order_number", r"[A-Z]-\d{3}-[A-Z]"), ("order_number", r"\d{4,10}"), ("part", r"T(\d+)"))
    entities = listed("A-123-B, gekauft 2024, teil T99", regexes=regexes)
    assert [(one.entity, one.value) for one in entities] == [("order_number", "A-123-B"), ("part", "99")]


def test_lookup_values_are_found_as_whole_words_longest_first() -> None:
    entities = listed("York, new york und Yorkshire", lookups={"city": ("York", "New York")})
    assert [one.value for one in entities] == ["York", "new york"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("amazon.de", "ich habe bei Amazon.de, nicht hier bestellt"),
        ("C++", "ein Buch über c++!"),
        ("Yahoo!", "geht das mit Yahoo!?"),
        ("A/B", "Größe A/B."),
        ("24/7 service", "is your 24/7 Service open"),
        ("Nord/Süd Halle", "in der nord/süd  halle"),
        ("T-Shirt (rot)", "das T-Shirt (rot), bitte"),
        (".NET", "läuft .net noch"),
        ("Kiel", "'Kiel', Kiel-Mitte?"),
        ("O'Neill", "jacke von O'Neill."),
        ("H&M", "bei H&M"),
        ("🍕", "eine 🍕 bitte"),
    ],
)
def test_a_value_is_found_wherever_it_is_written(value: str, text: str) -> None:
    first = listed(text, lookups={"thing": (value,)})[0]
    assert " ".join(text[first.start : first.end].lower().split()) == value.lower()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (".NET", "ASP.NET"),
        ("C++", "C++11"),
        ("C", "Cello"),
        ("amazon.de", "amazon.design"),
        ("ok", "https://a.example/ok"),
    ],
)
def test_a_part_of_a_word_is_no_value(value: str, text: str) -> None:
    assert [one for one in listed(text, lookups={"thing": (value,)}) if one.entity == "thing"] == []


def test_values_that_begin_alike_are_told_apart() -> None:
    entities = listed("T-Shirt (rot) und T-Shirt", lookups={"thing": ("T-Shirt", "T-Shirt (rot)", "T")})
    assert [one.value for one in entities] == ["T-Shirt (rot)", "T-Shirt"]


def test_a_value_of_very_many_words_is_not_found() -> None:
    values = ("so " * LONGEST, "so " * (LONGEST + 1))
    assert [one.end for one in listed("so " * (LONGEST + 1), lookups={"thing": values})] == [LONGEST * 3 - 1]


def test_a_value_of_two_entities_is_the_first_ones() -> None:
    entities = listed("kiel", lookups={"city": ("Kiel",), "shop": ("KIEL",)})
    assert [one.entity for one in entities] == ["city"]


@pytest.mark.parametrize(
    ("text", "written", "entity"),
    [
        ("nach Zürich und Köln", "Zürich", ("city", "Zürich")),
        ("überall für 20 €", "20 €", ("amount", "20 EUR")),
        ("grüße, seit dem 3. März 2026", "3. März 2026", ("date", "2026-03-03")),
        ("Größe Ä-1, bitte", "Ä-1", ("size", "Ä-1")),
    ],
)
def test_text_in_decomposed_letters_is_read_and_its_offsets_kept(
    text: str, written: str, entity: tuple[str, str]
) -> None:
    sent = normalize("NFD", text)
    one = listed(sent, lookups={"city": ("Zürich",)}, regexes=(("size", r"[AÄ]-\d"),))[0]
    assert (one.entity, one.value) == entity
    assert sent[one.start : one.end] == normalize("NFD", written)


def test_a_synonym_stands_for_what_was_written() -> None:
    entities = listed("in NYC", lookups={"city": ("NYC",)}, synonyms={"nyc": "New York"})
    assert entities[0].value == "New York"
