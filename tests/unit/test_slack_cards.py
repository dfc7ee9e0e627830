"""The card: read in two seconds, one per handoff, and nothing a customer writes can act."""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import replace

from bot.domain.cases import Case, CaseState, Handoff, Lease, Reason
from bot.domain.desks import Passport
from bot.domain.messages import Attachment, AttachmentKind
from bot.domain.understanding import Level, Urgency
from bot.web.console.texts import TEXTS as CONSOLE
from handoff.desks.slack import blocks, cards
from handoff.desks.slack.look import Look
from handoff.desks.slack.texts import TEXTS
from handoff.words import LANGUAGES, WORDS
from tests.builders import NOON
from tests.contracts.desk_contract import LIVE
from tests.unit import slack_scenes as scene
from tests.unit.slack_limits import called, shown, strings, wrong_payload
from tests.unit.slack_scenes import DE, EN, claimed, full, hostile_card, said, waiting

LOOKS = pytest.mark.parametrize("look", [DE, EN], ids=LANGUAGES)


def card(about: Case | None = None, look: Look = EN, **changes: Any) -> dict[str, Any]:
    return cards.card(full(about, **changes), look, "C0CARDS")


def read(about: Case | None = None, look: Look = EN, **changes: Any) -> str:
    return shown(card(about, look, **changes)["arguments"]["blocks"])


def buttons(payload: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [block for block in payload["arguments"]["blocks"] if block["type"] == "actions"]
    return [(one["action_id"], one["value"]) for row in rows for one in row["elements"]]


def test_the_first_line_says_who_and_what() -> None:
    assert read().splitlines()[0] == "#1042 · Customer 7F3A · Telegram · Where is my refund?"
    assert read(look=DE).splitlines()[0] == "#1042 · Kunde 7F3A · Telegram · Wo bleibt mein Geld?"


def test_the_second_line_says_why_and_how_urgent_and_the_third_is_what_they_said() -> None:
    lines = read().splitlines()
    assert lines[1] == "Asked for a person · 🟠 High: legal steps: “my lawyer”"
    assert lines[2] == "I want to talk to a person!"


def test_it_tells_what_was_asked_answered_and_given_so_that_nobody_has_to_tell_it_again() -> None:
    told = read()
    for fact in (
        "Bot asked “Which order is it?”",
        "Bot answered “It is on its way.”",
        "They gave Order number 4711",
        "Also in this case Where is my parcel? (Service)",
        "Earlier cases: #1000 Where is my parcel? (Solved)",
        "Telegram shop · Service · English · 93% sure · mood upset · no consent: pseudonym",
    ):
        assert fact in told


def test_times_are_those_of_the_reader() -> None:
    dates = [part for part in _parts(card()) if part.get("type") == "date"]
    moments = [
        int((NOON + after).timestamp()) for after in (timedelta(), timedelta(minutes=30), timedelta(days=1))
    ]
    assert [date["timestamp"] for date in dates] == moments
    assert "Waiting since Mon 23/11, 13:00 · promised by Mon 23/11, 13:30" in read()
    assert "Antwort möglich bis Di 24.11., 13:00" in read(look=DE)


def test_a_promise_that_passed_says_so_and_one_that_was_kept_is_not_shown() -> None:
    assert "13:30 (overdue)" in read(waiting(promise_broken=True))
    assert "promised" not in read(waiting(promise_broken=True, first_reply_at=NOON + timedelta(minutes=5)))


def test_a_claimed_card_says_whose_it_is_first_and_who_had_it_before() -> None:
    about = claimed(lease=Lease(warn_at=NOON, until=NOON + timedelta(minutes=15)))
    assert read(about).splitlines()[1].startswith("Ada has this case · ")
    assert "Before with Ben" in read(about)
    assert "Answer needed by Mon 23/11, 13:15" in read(about)
    assert "What Ada writes in this thread goes to the customer" in read(about)


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (CaseState.WAITING, ["claim", "move", "resolve", "more"]),
        (CaseState.CLAIMED, ["release", "resolve", "snooze", "canned", "more"]),
        (CaseState.SNOOZED, ["claim", "resolve", "more"]),
        (CaseState.BOT, ["claim", "resolve", "more"]),
        (CaseState.RESOLVED, []),
        (CaseState.MERGED, []),
    ],
)
@LOOKS
def test_every_state_has_its_buttons_and_its_limits(look: Look, state: CaseState, wanted: list[str]) -> None:
    about = claimed(state=state, snoozed_until=NOON, resolved_at=NOON, outcome="solved", last_owner=scene.ADA)
    payload = card(about, look)
    assert buttons(payload) == [(name, about.id) for name in wanted]
    assert wrong_payload(payload) == []


@LOOKS
@pytest.mark.parametrize("state", [CaseState.RESOLVED, CaseState.MERGED])
def test_what_is_over_is_two_lines_and_a_link(look: Look, state: CaseState) -> None:
    payload = card(claimed(state=state, outcome="solved", resolved_at=NOON), look)
    (block,) = payload["arguments"]["blocks"]
    assert len(shown(block).strip().splitlines()) == 2
    assert [part["url"] for part in _parts(block) if part.get("type") == "link"] == [look.case_url(waiting())]


def test_a_new_card_is_posted_and_a_known_one_changed_in_its_place() -> None:
    new = card()
    assert (new["do"], new["channel"]) == ("post", "C0CARDS")
    changed = card(receipt="C0OTHER:17.5")
    assert (changed["do"], changed["channel"], changed["arguments"]["ts"]) == ("update", "C0OTHER", "17.5")
    assert changed["key"] == new["key"] == changed["arguments"]["metadata"]["event_payload"]["key"]


def test_another_handoff_has_another_key() -> None:
    again = waiting(handoff=Handoff(reason=Reason.REOPENED, at=NOON + timedelta(days=1)))
    assert card(again)["key"] != card()["key"]
    assert card(replace(again, state=CaseState.RESOLVED))["key"] == card(again)["key"]


def test_the_card_of_another_department_is_not_taken_for_the_one_that_was_left() -> None:
    assert card(waiting(department="press"))["key"] != card()["key"]


def test_an_ordinary_case_is_not_called_ordinary() -> None:
    assert read(waiting(urgency=Urgency())).splitlines()[1] == "Asked for a person"
    assert "🔴 Critical" in read(waiting(urgency=Urgency(level=Level.CRITICAL)))


def test_what_the_title_says_is_not_said_again() -> None:
    human = Handoff(reason=Reason.INTENT_IS_HUMAN, detail="refund", at=NOON)
    assert read(waiting(handoff=human)).count("Where is my refund?") == 1
    unsure = Handoff(reason=Reason.LOW_CONFIDENCE, detail="refund, parcel", at=NOON)
    assert "The bot was not sure: Where is my refund?, Where is my parcel?" in read(waiting(handoff=unsure))


@pytest.mark.parametrize(
    "reason", ["waiting for", "about: ", "set by ", "quoted", "public post, 1 followers"]
)
def test_a_reason_that_only_looks_like_one_we_know_is_shown_as_it_is(reason: str) -> None:
    assert reason.strip() in read(waiting(urgency=Urgency(level=Level.HIGH, reasons=(reason,))))


def test_in_public_it_warns_that_others_read_along() -> None:
    assert "Public: others can read it" in read(waiting(address=replace(scene.HERE, public=True)))


def test_long_last_words_are_cut_and_say_where_the_rest_is() -> None:
    line = read(transcript=(said("lang " * 2000),)).splitlines()[2]
    assert line.endswith("… (all of it in the thread)")
    assert blocks.units(line) <= cards.LAST_WORDS + 40


def test_who_trails_off_was_not_cut() -> None:
    assert read(transcript=(said("Well…"),)).splitlines()[2] == "Well…"


def test_last_words_are_those_that_were_not_taken_back_and_a_picture_is_named() -> None:
    photo = Attachment(kind=AttachmentKind.IMAGE, name="a.jpg", file="f")
    transcript = (said("Look", attachments=(photo,)), said("Oops", deleted_at=NOON))
    assert read(transcript=transcript).splitlines()[2] == "Look 📎 Image"


def test_without_a_transcript_the_passport_tells() -> None:
    told = Passport(
        last_words="Help!", bot_asked=("Which?",), bot_answered=(), given={"email": "x"}, messages=1
    )
    text = read(waiting(slots={}), transcript=(), passport=told)
    assert text.splitlines()[2] == "Help!"
    assert "Bot asked “Which?”" in text
    assert "E-mail address x" in text


@LOOKS
@given(text=scene.TEXTS)
def test_whatever_was_written_stays_text_within_the_limits(look: Look, text: str) -> None:
    for state in CaseState:
        one = hostile_card(text)
        one = replace(one, case=replace(one.case, state=state))
        payload = cards.card(one, look, "C0CARDS")
        assert wrong_payload(payload) == []
        assert called(payload) == []
        assert not [live for found in strings(payload) for live in LIVE if live in found]
        assert cards.card(one, look, "C0CARDS") == payload


@given(text=scene.TEXTS)
def test_customers_words_are_never_where_slack_reads_markup(text: str) -> None:
    """Only our own link is: rich and plain text show `*` and `` ` `` as they are."""
    payload = cards.card(hostile_card(text), EN, "C0CARDS")
    marked = [part["text"] for part in _parts(payload) if part.get("type") == "mrkdwn"]
    assert marked == ["<https://desk.example/console/cases/case1|Open in the console>"]


# ── Cutting ─────────────────────────────────────────────────────────────────────────────────────


@given(text=scene.TEXTS)
def test_a_cut_keeps_its_limit_and_begins_like_the_whole(text: str) -> None:
    cleaned = blocks.clean(text)
    short = blocks.cut(cleaned, 50)
    assert blocks.units(short) <= 50
    assert short == cleaned or cleaned.startswith(short.removesuffix("…"))
    assert "".join(blocks.pieces(cleaned, 50)) == cleaned
    assert all(0 < blocks.units(piece) <= 50 for piece in blocks.pieces(cleaned, 50))


@pytest.mark.parametrize("whole", ["👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪", "e\u0301", "1️⃣"])
def test_a_cut_does_not_go_through_an_emoji(whole: str) -> None:
    for most in range(blocks.units(whole) + 1, 40):
        kept = blocks.cut(whole * 20, most).removesuffix("…")
        assert kept == whole * (len(kept) // len(whole))


def test_half_characters_and_turned_text_are_made_harmless() -> None:
    assert blocks.clean("\ud83d a\0b\u202egnihtyna\u2066x") == "\ufffd abgnihtynax"
    assert blocks.clean("a < b & c > d") == "a < b & c > d"


# ── Words ───────────────────────────────────────────────────────────────────────────────────────


def test_what_the_console_says_too_is_written_once() -> None:
    assert TEXTS.keys() & CONSOLE.keys() == WORDS.keys()
    assert TEXTS | WORDS == TEXTS
    assert CONSOLE | WORDS == CONSOLE


def test_every_word_has_both_languages_with_the_same_places() -> None:
    for key, (german, english) in TEXTS.items():
        assert german, key
        assert english, key
        assert _places(german) == _places(english), key


def _places(text: str) -> set[str]:
    return {part.split("}")[0] for part in text.split("{")[1:]}


def _parts(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value, *(part for one in value.values() for part in _parts(one))]
    return [part for one in value for part in _parts(one)] if isinstance(value, list) else []


# ── What others say in English ──────────────────────────────────────────────────────────────────

SAYS = {
    "#1042 is critical: danger, asked_for_person.": "#1042 ist kritisch: Gefahr, Möchte mit einem Menschen sprechen.",
    "#1042 still waits for somebody.": "#1042 wartet noch auf jemanden.",
    "Nobody took #7 over; it is Sales's now.": "Niemand hat #7 übernommen; der Fall liegt jetzt bei Sales.",
    "Nobody took #7 over; it is Press's now.": "Niemand hat #7 übernommen; der Fall liegt jetzt bei Presse.",
    "This stayed internal. Claim case #7 first: only its owner speaks to the customer.": (
        "Das blieb intern. Erst Fall #7 übernehmen: Mit dem Kunden spricht nur, wer ihn hat."
    ),
    "Its owner has left; the case waits for somebody again.": (
        "Wer den Fall hatte, ist nicht mehr da; er wartet wieder auf jemanden."
    ),
    "Ada has left; the case waits for somebody again.": (
        "Ada ist nicht mehr da; der Fall wartet wieder auf jemanden."
    ),
    "Ada assigned #7 to Ben.": "Ada hat #7 an Ben gegeben.",
    "Case #7 is resolved and cannot be moved.": "Fall #7 ist „Erledigt“ und lässt sich nicht verschieben.",
    "Busy. It goes out by itself at 13:00 CET.": "Busy. Sie geht um 13:00 CET von selbst hinaus.",
    "Slack does not show all of #7: The file is empty. All of it is at /console.": (
        "Slack zeigt nicht alles von #7: Die Datei ist leer. Alles steht unter /console."
    ),
    "Something new {x}.": "Something new {x}.",
}
REFUSING = ("NotAllowed", "TooLate")
SOURCES = ("bot/domain/cases.py", "handoff/speech.py", "handoff/takeover.py")
ONLY_OUTSIDE = (
    "There is no department",
    "There is no urgency",
    "Say ",
    "This action id",
)  # no window of ours asks so


@pytest.mark.parametrize("english", SAYS)
def test_the_servers_own_sentences_are_said_in_german(english: str) -> None:
    assert DE.note(english) == SAYS[english]
    assert EN.note(english) == english.replace("asked_for_person", "Asked for a person")


def test_every_refusal_that_agents_can_meet_has_its_german_sentence() -> None:
    said = [
        sentence for source in SOURCES for sentence in _refusals(Path(source).read_text(encoding="utf-8"))
    ]
    assert len(said) > 15
    met = [sentence for sentence in said if not sentence.startswith(ONLY_OUTSIDE)]
    assert [sentence for sentence in met if DE.note(sentence) == sentence] == []


def _refusals(source: str) -> Iterator[str]:
    """The sentences of a module's refusals, about some case."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in REFUSING:
            sentence = node.args[0]
            if isinstance(sentence, ast.Constant):
                yield str(sentence.value)
            elif isinstance(sentence, ast.JoinedStr):
                yield "".join(_sample(part) for part in sentence.values)


def _sample(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    named = ast.unparse(part)
    return "1042" if "number" in named else "resolved" if "state" in named else "Ada"


# ── No word too few, none too many ──────────────────────────────────────────────────────────────

KEY = re.compile(r"""['"]([a-z_]+\.[a-z_.]+)['"]""")
BUILT = re.compile(r"""f['"]([a-z_]+\.)\{""")
GROUPS = re.compile(r"""(?:known|counted)\(\s*['"]([a-z_.]+)['"]""")
HERE = Path(cards.__file__).parent


def test_every_word_that_is_asked_for_is_there_and_every_word_that_is_there_is_asked_for() -> None:
    files = [path for path in HERE.glob("*.py") if path.name != "texts.py"]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    groups = {key.split(".")[0] for key in TEXTS}
    counted = {found for found in GROUPS.findall(source) if "." in found}
    asked = {key for key in KEY.findall(source) if key.split(".")[0] in groups} - counted
    assert {key for key in asked if not key.endswith((".py", ".")) and key not in TEXTS} == set()
    built = (*BUILT.findall(source), *(f"{group}." for group in GROUPS.findall(source)))
    assert {key for key in TEXTS if key not in asked and not key.startswith(tuple(built))} == set()
