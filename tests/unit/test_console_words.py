"""Every word of the console in both languages, and times as people write them."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from aiohttp.test_utils import make_mocked_request

from bot.domain.actions import Act
from bot.domain.cases import CaseState, Reason
from bot.domain.journal import Did
from bot.domain.messages import AttachmentKind, MessageState
from bot.domain.understanding import Level
from bot.web.console import TEMPLATES
from bot.web.console.casepage import OUTCOMES
from bot.web.console.language import Words, choose
from bot.web.console.listing import TABS
from bot.web.console.pages import FOR_SCRIPT
from bot.web.console.reasons import note, urgency_reason
from bot.web.console.texts import TEXTS
from bot.web.console.timeline import Vocabulary
from bot.web.console.visits import Rank
from handoff.words import LANGUAGES
from nlu.rules.signals import SIGNALS
from nlu.urgency import signals

SOURCES = Path(TEMPLATES).parent
KEY = re.compile(r"""['"]([a-z_]+(?:\.[a-z0-9_]*)+)['"]""")
BUILT = re.compile(r"""['"]([a-z_]+\.(?:when\.)?)['"]\s*[+~]|f['"]([a-z_]+\.)\{""")
KNOWN = re.compile(r"""known\(\s*['"](\w+)['"]""")
PLACES = re.compile(r"\{(\w+)\}")
COUNTED = {"list.new", "case.new_below"}  # these come in singular and plural
NO_OUTCOME = "outcome."
VOCABULARIES: tuple[tuple[str, Iterable[str]], ...] = (
    ("reason", Reason),
    ("state", CaseState),
    ("message_state", MessageState),
    ("level", Level),
    ("act", Act),
    ("did", Did),
    ("attachment", AttachmentKind),
    ("role", Rank),
    ("outcome", OUTCOMES),
    ("tab", TABS),
    ("empty", TABS),
    ("list.when", TABS),
    ("sentiment", ("positive", "neutral", "negative")),
)
GERMAN, ENGLISH = (Words(language, ZoneInfo("Europe/Berlin")) for language in ("de", "en"))
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def sources(*endings: str) -> str:
    files = [path for path in SOURCES.rglob("*") if path.suffix in endings and path.name != "texts.py"]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_every_text_has_both_languages_with_the_same_places() -> None:
    lacking = [key for key, texts in TEXTS.items() if not all(texts) and key != NO_OUTCOME]
    differing = [key for key, (de, en) in TEXTS.items() if set(PLACES.findall(de)) != set(PLACES.findall(en))]
    assert lacking == differing == []


@pytest.mark.parametrize(("group", "values"), VOCABULARIES, ids=[group for group, _ in VOCABULARIES])
def test_every_value_of_a_vocabulary_has_its_word(group: str, values: Iterable[str]) -> None:
    names = [value.value if isinstance(value, StrEnum) else value for value in values]
    assert [name for name in names if not TEXTS.get(f"{group}.{name}", ("",))[0]] == []


def test_every_key_that_a_page_or_script_asks_for_is_there() -> None:
    families = {key.split(".")[0] for key in TEXTS}
    asked = {key for key in KEY.findall(sources(".html", ".py", ".js")) if key.split(".")[0] in families}
    files = {path.name for path in SOURCES.rglob("*.*")}
    exact = {key for key in asked - files - COUNTED if not key.endswith(".")}
    assert sorted(key for key in exact if key not in TEXTS) == []


def test_every_text_is_used() -> None:
    everything = sources(".html", ".py", ".js")
    named = set(KEY.findall(everything))
    built = {prefix for pair in BUILT.findall(everything) for prefix in pair if prefix}
    groups = (*KNOWN.findall(everything), *COUNTED, *(group for group, _ in VOCABULARIES))
    built |= {f"{group}." for group in groups}
    unused = [key for key in TEXTS if key not in named and not any(key.startswith(known) for known in built)]
    assert unused == []


def test_the_script_is_given_the_texts_it_asks_for() -> None:
    asked = set(re.findall(r"""\bt\(\s*"([\w.]+)\"""", sources(".js")))
    counted = {f"{key}.{form}" for key in COUNTED for form in ("one", "other")}
    assert asked
    assert asked | counted <= set(FOR_SCRIPT)


def known(words: Words) -> Vocabulary:
    labels = {"safety_issue": {"de": "Sicherheitsproblem", "en": "Safety problem"}}
    return Vocabulary(words=words, labels=labels, departments={})


def test_every_sign_of_urgency_has_its_word() -> None:
    names = [
        *(signal.name for signal in SIGNALS),
        *(found.signal.name for found in signals("AAA BBB CCC DDD!!!")),
    ]
    assert len(names) > len(SIGNALS)
    assert [name for name in names if f"signal.{name.replace(' ', '_')}" not in TEXTS] == []


@pytest.mark.parametrize(
    ("reason", "german"),
    [
        ('danger: "hat geraucht"', "Gefahr: „hat geraucht“"),
        ("exclamation marks", "Ausrufezeichen"),
        ("about: safety issue", "Anliegen: Sicherheitsproblem"),
        ("3 unanswered messages before", "3 Nachrichten ohne Antwort davor"),
        ("waiting for 26 h", "wartet seit 26 Std."),
        ("public post", "öffentlich geschrieben"),
        ("public post, 12,000 followers", "öffentlich, 12.000 folgen"),
        ("set by Ada", "gesetzt von Ada"),
        ("Grund eines anderen", "Grund eines anderen"),
        ('danger: "a {brace} and\nmore"', "Gefahr: „a {brace} and\nmore“"),
    ],
)
def test_a_reason_is_told_in_the_viewers_language(reason: str, german: str) -> None:
    assert urgency_reason(reason, known(GERMAN)) == german


@pytest.mark.parametrize("name", sorted(key[7:] for key in TEXTS if key.startswith("signal.")))
def test_a_reason_without_the_part_it_is_about_is_shown_and_breaks_no_page(name: str) -> None:
    reason = name.replace("_", " ")
    assert urgency_reason(reason, known(GERMAN))
    assert urgency_reason(f'{reason}: "with words"', known(GERMAN))


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr-FR, de-AT;q=0.7, en;q=0.3", "de"),
        ("en;q=0.1, de;q=0.9", "de"),
        ("en;q=0, fr", "de"),
        ("fr", "de"),
        ("", "de"),
        (";;;,,q=,*", "de"),
        ("a" * 100_000, "de"),
    ],
)
def test_the_browser_says_which_language(accepted: str, chosen: str) -> None:
    request = make_mocked_request("GET", "/console", headers={"Accept-Language": accepted})
    assert choose(request, "de") == chosen


@pytest.mark.parametrize(("cookie", "chosen"), [("de", "de"), ("en", "en"), ("xx", "en"), ("../de", "en")])
def test_the_viewers_choice_wins(cookie: str, chosen: str) -> None:
    headers = {"Accept-Language": "en", "Cookie": f"switchboard_language={cookie}"}
    assert choose(make_mocked_request("GET", "/console", headers=headers), "de") == chosen


def test_a_brand_in_another_language_gets_one_we_have() -> None:
    assert choose(make_mocked_request("GET", "/console"), "fr") in LANGUAGES


@pytest.mark.parametrize(
    ("seconds", "german", "english"),
    [
        (0, "< 1 Min.", "< 1 min"),
        (59, "< 1 Min.", "< 1 min"),
        (60, "1 Min.", "1 min"),
        (3599, "59 Min.", "59 min"),
        (3600, "1 Std.", "1 h"),
        (47.9 * 3600, "47 Std.", "47 h"),
        (48 * 3600, "2 Tage", "2 days"),
        (-5, "< 1 Min.", "< 1 min"),
    ],
)
def test_how_long_something_takes(seconds: float, german: str, english: str) -> None:
    length = timedelta(seconds=seconds)
    assert (GERMAN.span(length), ENGLISH.span(length)) == (german, english)


def test_moments_are_told_in_the_brands_zone() -> None:
    assert GERMAN.exact(NOW) == "Montag, 23. November 2026, 13:00"
    assert ENGLISH.exact(NOW) == "Monday, 23 November 2026, 13:00"


@pytest.mark.parametrize(
    ("later", "german", "english"),
    [
        (timedelta(hours=2), "15:00", "15:00"),
        (timedelta(days=1), "Di 13:00", "Tue 13:00"),
        (timedelta(days=30), "23. Dezember, 13:00", "23 December, 13:00"),
        (timedelta(days=-1), "So 13:00", "Sun 13:00"),
    ],
)
def test_a_moment_near_now_is_short(later: timedelta, german: str, english: str) -> None:
    assert (GERMAN.short(NOW + later, NOW), ENGLISH.short(NOW + later, NOW)) == (german, english)


def test_numbers_are_written_as_people_do() -> None:
    assert (GERMAN.number(1_048_576), ENGLISH.number(1_048_576)) == ("1.048.576", "1,048,576")
    assert (GERMAN.percent(0.923), ENGLISH.percent(0.923)) == ("92 %", "92%")
    assert (GERMAN.size(1_572_864), ENGLISH.size(100)) == ("1,5 MB", "1 kB")


def test_a_value_nobody_has_a_word_for_is_still_readable() -> None:
    assert GERMAN.known("channel", "carrier_pigeon") == "Carrier pigeon"


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("Ada assigned #7 to Ben.", "Ada hat #7 an Ben gegeben."),
        ("#7 is high: may leave.", "#7 ist hoch: droht zu gehen."),
        (
            "Case #7 is resolved and cannot be moved.",
            "Fall #7 ist „Erledigt“ und lässt sich nicht verschieben.",
        ),
        ("Something new {x}.", "Something new {x}."),
    ],
)
def test_what_the_server_says_to_agents_is_said_in_their_language(english: str, german: str) -> None:
    assert note(english, known(GERMAN)) == german
    assert note(english, known(ENGLISH)).lower() == english.lower()
