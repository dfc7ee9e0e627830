"""answers.yml: what is read, what is refused, and that everything the bot can say can be said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.domain.answers import PLACEHOLDER, Answer, AnswerBook, Mode, Texts, fill
from bot.domain.brand import Brand
from bot.domain.errors import BadData
from nlu.answers import SENTENCES, check, load_answers
from nlu.reading import read

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "nlu" / "data" / "answers.yml"
SIE = Brand(name="Nordwind")
DU = Brand(name="Nordwind", address="du")
SAID = "sentences:\n" + "".join(f"  {name}: {{de: x}}\n" for name in SENTENCES)
DUMMIES = {
    "order_number": "4711",
    "carrier": "DHL",
    "expected": "2026-11-24",
    "department": "Kundenservice",
    "wait": "10 Minuten",
    "opening": "morgen um 09:00 Uhr",
    "number": "#1042",
    "question": "Wie lautet die Bestellnummer?",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "answers.yml"


def load(file: Path, intents: str, brand: Brand = SIE, sentences: str = SAID) -> AnswerBook:
    file.write_text(f"intents:\n{intents}\n{sentences}", encoding="utf-8")
    return load_answers(file, brand)


def refusal(file: Path, intents: str, sentences: str = SAID) -> str:
    with pytest.raises(BadData) as caught:
        load(file, intents, sentences=sentences)
    return str(caught.value).removeprefix(f"{file}: ")


# ── The shipped answers ─────────────────────────────────────────────────────────────────────────


def texts_of(answer: Answer) -> Iterator[Texts]:
    yield from (answer.label, answer.text, answer.general, answer.public, answer.not_found)
    yield from (variant.text for variant in answer.variants)
    yield from (need.ask for need in answer.needs)


def everything(book: AnswerBook) -> Iterator[Texts]:
    yield from (texts for answer in book.answers.values() for texts in texts_of(answer) if texts)
    yield from book.sentences.values()


@pytest.mark.parametrize("brand", [SIE, DU], ids=["sie", "du"])
@pytest.mark.parametrize("language", ["de", "en"])
def test_everything_the_bot_says_can_be_filled_in_every_language_and_form(
    brand: Brand, language: str
) -> None:
    for texts in everything(load_answers(SHIPPED, brand)):
        text = fill(texts[language], DUMMIES, language)
        assert text == text.strip()
        assert not set("{}\n") & set(text), text
        assert "  " not in text, text
        assert len(text) <= 500, text


def test_the_polite_form_says_nothing_familiar() -> None:
    familiar = re.compile(r"\b(du|dir|dich|dein\w*|Du|Dir|Dich|Dein\w*|Schreib|Wähle|Sieh)\b")
    found = [texts["de"] for texts in everything(load_answers(SHIPPED, SIE)) if familiar.search(texts["de"])]
    assert found == ["Bist du ein Bot?"]  # what customers ask, not what we say


def test_the_familiar_form_says_nothing_polite() -> None:
    polite = re.compile(r"\b(Ihnen|Ihre?[rmns]?|[a-zäöüß]+ Sie)\b")
    found = [texts["de"] for texts in everything(load_answers(SHIPPED, DU)) if polite.search(texts["de"])]
    assert found == []


def test_every_intent_of_the_training_data_is_answered_and_translated() -> None:
    intents = read([ROOT / "nlu" / "data"]).intents
    for brand in (SIE, DU):
        assert check(load_answers(SHIPPED, brand), intents, ["order"]) == []


def test_what_needs_a_person_is_never_answered_by_the_bot() -> None:
    book = load_answers(SHIPPED, SIE)
    by_people = {name for name, answer in book.answers.items() if answer.mode is Mode.HUMAN}
    assert {"safety_issue", "complaint", "charged_twice", "parcel_not_received", "press"} <= by_people


def test_nothing_that_others_may_read_holds_a_value() -> None:
    for answer in load_answers(SHIPPED, SIE).answers.values():
        assert not any(PLACEHOLDER.search(text) for text in answer.public.values())


def test_a_parcel_is_told_by_its_status() -> None:
    parcel = load_answers(SHIPPED, SIE).answers["where_is_parcel"]
    shipped = next(variant for variant in parcel.variants if variant.when == {"status": "shipped"})
    assert "DHL unterwegs und kommt voraussichtlich am 24.11.2026" in fill(shipped.text["de"], DUMMIES, "de")
    assert "with DHL and should reach you on 24/11/2026" in fill(shipped.text["en"], DUMMIES, "en")


def test_only_thanks_and_goodbye_end_a_case() -> None:
    book = load_answers(SHIPPED, SIE)
    assert {name for name, answer in book.answers.items() if answer.resolves} == {"thanks", "goodbye"}


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────

HOURS = "  hours: {label: {de: Zeiten}, text: {de: {sie: Kommen Sie, du: Komm}, en: Come}, public: true}"


def test_the_brands_form_is_chosen(file: Path) -> None:
    assert load(file, HOURS, SIE).answers["hours"].text == {"de": "Kommen Sie", "en": "Come"}
    assert load(file, HOURS, DU).answers["hours"].text == {"de": "Komm", "en": "Come"}


def test_languages_the_brand_does_not_speak_are_left_out(file: Path) -> None:
    book = load(file, HOURS, Brand(name="N", languages=("de",)))
    assert book.answers["hours"].text == {"de": "Kommen Sie"}


def test_a_public_text_may_be_the_text_itself(file: Path) -> None:
    answer = load(file, HOURS).answers["hours"]
    assert answer.public == answer.text


def test_the_brands_language_is_the_first_to_fall_back_to(file: Path) -> None:
    book = load(file, HOURS, Brand(name="N", language="de", languages=("en", "de")))
    assert book.languages == ("de", "en")
    assert book.choose({"de": "ja", "fr": "oui"}, "en") == "ja"


def test_a_need_is_recognised_by_the_entity_of_its_name(file: Path) -> None:
    text = "  a: {label: {de: A}, text: {de: '{size}'}, public: {de: x}, needs: [{slot: size, ask: {de: Größe?}}]}"
    (need,) = load(file, text).answers["a"].needs
    assert (need.slot, need.entity, need.ask) == ("size", "size", {"de": "Größe?"})


def test_the_version_follows_what_is_said_and_nothing_else(file: Path) -> None:
    first = load(file, HOURS).version
    assert load(file, f"  # a comment\n{HOURS}").version == first
    assert load(file, HOURS, DU).version != first
    assert load(file, HOURS.replace("Come", "Come in")).version != first


# ── Mistakes ────────────────────────────────────────────────────────────────────────────────────

OK = "label: {de: A}, text: {de: x}"
LOOKUP = "lookup: order, general: {de: g}, public: {de: p}"
MISTAKES = [
    ("a: {label: {de: A}}", "intents.a.text: is missing; write the answer, or say mode: human."),
    ("a: {text: {de: x}}", "intents.a.label: is missing; add it."),
    ("a: {label: , text: {de: x}}", "intents.a.label: is missing; it is what a button"),
    ("a: {label: {de: A}, txt: {de: x}}", 'intents.a.txt: there is no such key here; did you mean "text"?'),
    ("a: {label: {de: A}, mode: robot}", "intents.a.mode: is none of the possible values; known: answer, human."),
    ("a: {label: {de: A}, text: Hallo}", "intents.a.text: name the language of the text: {de: …}."),
    ("a: {label: {de: A}, text: {en: x}}", "intents.a.text.de: is missing; the brand's first language"),
    ("a: {label: {de: A}, text: {DE: x}}", "intents.a.text.DE: is no language code; write one like de."),
    ("a: {label: {de: A}, text: {de: ' '}}", "intents.a.text.de: is empty; write the text or remove the key."),
    ("a: {label: {de: A}, text: {de: 4711}}", "intents.a.text.de: a text is expected here; put quotes around it."),
    ("a: {label: {de: A}, text: {de: {du: x}}}", 'intents.a.text.de.sie: is missing; the brand says "sie"'),
    ("a: {label: {de: A}, text: {de: {Sie: x}}}", 'intents.a.text.de.Sie: is no form of address; did you mean "sie"?'),
    ("a: {label: {de: A}, text: {de: 'Nr. {number}'}}", "intents.a.text.de: {number} can be filled by nothing here; write it"),
    ("a: {label: {de: A}, text: {de: 'Nr. {order number}'}}", "intents.a.text.de: has a brace that belongs to no value;"),
    ("a: {label: {de: A}, text: {de: 'Nr. {0'}}", "intents.a.text.de: has a brace that belongs to no value;"),
    (
        "a: {label: {de: A}, text: {de: '{order}'}, public: {de: x}, needs: [{slot: order_no, ask: {de: Nr?}}]}",
        'intents.a.text.de: {order} can be filled by nothing here; did you mean "order_no"?',
    ),
    (
        "a: {label: {de: A}, text: {de: '{nr}'}, public: true, needs: [{slot: nr, ask: {de: Nr?}}]}",
        "intents.a.public (text.de): {nr} can be filled by nothing here;",
    ),
    (f"a: {{{OK}, needs: [{{slot: nr, ask: {{de: Nr?}}}}]}}", "intents.a.public: is missing; a number must not be"),
    (f"a: {{{OK}, needs: [{{slot: nr}}]}}", "intents.a.needs[0].ask: is missing; add it."),
    (f"a: {{{OK}, needs: [{{slot: nr, ask: }}]}}", "intents.a.needs[0].ask: is missing; write how the bot asks"),
    (f"a: {{{OK}, needs: {{slot: nr}}}}", "intents.a.needs: a list is expected here"),
    (f"a: {{{OK}, lookup: order, public: {{de: p}}}}", "intents.a.general: is missing; it is said where no lookup"),
    (f"a: {{{OK}, {LOOKUP}, general: {{de: '{{x}}'}}}}".replace("general: {de: g}, ", ""), "intents.a.general.de: {x} can be"),
    (f"a: {{{OK}, variants: [{{when: {{s: x}}, text: {{de: x}}}}]}}", "intents.a.variants: choose by a lookup's answer;"),
    (f"a: {{{OK}, {LOOKUP}, variants: [{{when: {{}}, text: {{de: x}}}}]}}", "intents.a.variants[0].when: is empty;"),
    (f"a: {{{OK}, {LOOKUP}, variants: [{{when: {{s: x}}, text: }}]}}", "intents.a.variants[0].text: is missing;"),
    (f"a: {{{OK}, {LOOKUP}, variants: [{{when: {{s: [x]}}, text: {{de: x}}}}]}}", "intents.a.variants[0].when.s: "),
    (f"a: {{label: {{de: A}}, mode: human, {LOOKUP}}}", "intents.a.mode: a person asks and looks up;"),
    ("a: {label: {de: A}, mode: human, smalltalk: true}", "intents.a.smalltalk: is for what the bot says itself;"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_says_where_and_what_to_do(file: Path, text: str, problem: str) -> None:
    assert refusal(file, f"  {text}").startswith(problem)


@pytest.mark.parametrize(
    ("sentences", "problem"),
    [
        (
            f"{SAID}  hand_off: {{de: x}}\n",
            'sentences.hand_off: there is no such sentence; did you mean "handed_off"?',
        ),
        (SAID.replace("  clarify: {de: x}\n", ""), "sentences.clarify: is missing; add it,"),
        (
            SAID.replace("clarify: {de: x}", "clarify: {de: '{wait}'}"),
            "sentences.clarify.de: {wait} can be filled by",
        ),
        ("", "sentences.handed_off: is missing;"),
    ],
)
def test_the_fixed_sentences_are_complete_and_known(file: Path, sentences: str, problem: str) -> None:
    assert refusal(file, HOURS, sentences).startswith(problem)


def test_broken_yaml_names_file_and_line(file: Path) -> None:
    with pytest.raises(BadData, match=r"answers\.yml line 2: not valid YAML \("):
        load(file, "  a: {label: ]}")


def test_what_only_looks_like_a_date_is_no_traceback(file: Path) -> None:
    with pytest.raises(
        BadData, match=r"answers\.yml: not valid YAML \(month must be .*\); put quotes around"
    ):
        load(file, "  a: {label: 2026-13-45}")


def test_yaml_without_a_bottom_is_no_traceback(file: Path) -> None:
    file.write_text("[" * 5000, encoding="utf-8")
    with pytest.raises(BadData, match="nested too deeply"):
        load_answers(file, SIE)


def test_a_file_that_is_not_there_says_which_setting_names_it(file: Path) -> None:
    with pytest.raises(BadData, match=r"cannot be read .* check nlu\.answers in config\.yml"):
        load_answers(file, SIE)


def test_a_file_in_another_encoding_says_so(file: Path) -> None:
    file.write_bytes("intents: {ä: {}}".encode("latin-1"))
    with pytest.raises(BadData, match="is not UTF-8 text"):
        load_answers(file, SIE)


# ── What is merely unfinished ───────────────────────────────────────────────────────────────────


def test_the_doctor_names_what_the_bot_could_not_say(file: Path) -> None:
    book = load(file, f"  hours: {{{OK}, {LOOKUP}}}\n  extra: {{{OK}}}", Brand(name="N", languages=("de",)))
    found = check(book, ["hours", "refund", "person"], [])
    assert [(one.name, one.status, one.detail.partition(",")[0]) for one in found] == [
        ("answers", "warn", "`refund` has no answer: its messages go to people"),
        ("answers", "warn", 'The answer "extra" belongs to no intent of the training data'),
        ("answers", "warn", 'The answer "hours" uses the lookup "order"'),
    ]


def test_an_answer_that_waits_for_the_next_model_is_not_called_wrong(file: Path) -> None:
    book = load(file, f"  hours: {{{OK}}}\n  tent_rental: {{{OK}}}", Brand(name="N", languages=("de",)))
    (found,) = check(book, ["hours"], [], lambda: ["hours", "tent_rental"])
    assert found.detail == "The live model does not know `tent_rental` yet, which has an answer"
    assert found.fix.startswith("Train and promote")


def test_a_slip_in_a_name_is_told_with_the_right_one(file: Path) -> None:
    text = f"  hours: {{{OK}, {LOOKUP.replace('order', 'orders', 1)}}}\n  huors: {{{OK}}}"
    intent, lookup = check(load(file, text, Brand(name="N", languages=("de",))), ["hours"], ["order"])
    assert intent.fix == 'Correct its name (did you mean "hours"?), or add examples.'
    assert lookup.fix == 'Correct its name; did you mean "order"?'


def test_what_holds_itself_is_looked_through_once(file: Path) -> None:
    text = "  a: &a\n    text: *a\n    label: {de: A, de: B}"
    assert refusal(file, text).startswith("`de` is here twice (lines 4 and 4)")


@pytest.mark.parametrize(
    ("text", "twice"),
    [
        (f"  tent: {{{OK}}}\n  hours: {{{OK}}}\n  tent: {{{OK}}}", "`tent` is here twice (lines 2 and 4)"),
        ("  tent:\n    label: {de: A}\n    text: {de: A, de: B}", "`de` is here twice (lines 4 and 4)"),
        (
            f"  a: &a {{{OK}}}\n  b:\n    needs:\n      - {{slot: x, slot: y}}",
            "`slot` is here twice (lines 5 and 5)",
        ),
    ],
)
def test_what_is_there_twice_is_told_with_its_lines(file: Path, text: str, twice: str) -> None:
    assert refusal(file, text).startswith(twice)


def test_the_doctor_names_what_is_not_translated(file: Path) -> None:
    warnings = [one.detail for one in check(load(file, f"  hours: {{{OK}}}"), ["hours"], [])]
    assert len(warnings) == len(SENTENCES) + 1
    assert (
        warnings[-1]
        == 'answers.yml has no "en" for intents.hours.text; those customers are answered in "de".'
    )


def test_every_key_and_sentence_has_its_line_in_the_docs() -> None:
    text = (ROOT / "docs" / "answers.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert rows == {*(name for name in Answer.__struct_fields__ if name != "intent"), *SENTENCES}
