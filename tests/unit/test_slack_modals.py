"""Windows, App Home and /case: what they offer, what they read back, and Slack's limits for both."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.domain.cases import Case, CaseState
from bot.domain.errors import MalformedPayload
from bot.domain.understanding import Level
from handoff.desks.slack import blocks, commands, forms, home, modals
from handoff.desks.slack.forms import Filled, Unfilled
from handoff.desks.slack.look import Look
from handoff.desks.slack.modals import About, Candidate
from handoff.words import LANGUAGES
from tests.builders import NOON
from tests.contracts.desk_contract import LIVE
from tests.fakes.slack_blocks import elements, wrong_blocks
from tests.unit import slack_scenes as scene
from tests.unit.slack_limits import shown, strings, wrong_window
from tests.unit.slack_scenes import DE, EN, claimed, full, hostile_card, waiting, written

LOOKS = pytest.mark.parametrize("look", [DE, EN], ids=LANGUAGES)
ABOUT = About(case="case1", card=scene.CARD)
CANNED = Candidate(value="a1", label="Refund is coming", text="Your refund is on its way.")
OFTEN = 120  # intents: more than a menu holds


def windows(look: Look, about: Case, text: str = "We are on it.") -> list[dict[str, Any]]:
    """One of each."""
    held = written(text)
    return [
        modals.resolve(about, look, ABOUT),
        modals.resolve(about, look, ABOUT, held),
        modals.snooze(about, look, ABOUT, NOON, ZoneInfo("Asia/Tokyo")),
        modals.move(about, look, ABOUT, NOON),
        modals.assign(about, look, ABOUT),
        modals.relabel(about, look, ABOUT),
        modals.set_urgency(about, look, ABOUT),
        modals.canned(about, look, ABOUT),
        modals.canned(about, look, ABOUT, Candidate(value="a1", label=text, text=text)),
        modals.edit_held(look, replace(ABOUT, message="m1"), held, text),
        modals.return_to_bot(about, look, ABOUT),
        modals.window_closed(about, look, (text,) if text.strip() else ()),
        modals.more(about, look, ABOUT),
        modals.notice(look, look("act.claim"), text or "…"),
    ]


def submitted(view: dict[str, Any], **values: Any) -> dict[str, Any]:
    """As Slack sends it back: what stood in the fields, or what was filled in."""
    state: dict[str, dict[str, Any]] = {}
    for block, element in elements(view["blocks"]):
        if element["type"] == "button":
            continue
        name = element["action_id"]
        known = {"selected_option": element.get("initial_option"), "value": element.get("initial_value")}
        state.setdefault(block, {})[name] = values.get(name, known)
    return {**view, "state": {"values": state}}


def chosen(value: str) -> dict[str, Any]:
    return {"selected_option": {"value": value, "text": {"type": "plain_text", "text": value}}}


def read(view: dict[str, Any], **values: Any) -> Filled:
    return forms.read(submitted(view, **values), EN, NOON)


def errors(view: dict[str, Any], **values: Any) -> dict[str, str]:
    with pytest.raises(Unfilled) as caught:
        read(view, **values)
    assert set(caught.value.errors) <= {block.get("block_id") for block in view["blocks"]}
    return caught.value.errors


# ── Limits ──────────────────────────────────────────────────────────────────────────────────────


@LOOKS
@pytest.mark.parametrize("state", CaseState)
def test_every_window_keeps_slacks_limits_in_every_state(look: Look, state: CaseState) -> None:
    for view in windows(look, claimed(state=state)):
        assert wrong_window(view) == [], view["callback_id"]


@LOOKS
@given(text=scene.TEXTS)
def test_whatever_was_written_stays_text_in_windows(look: Look, text: str) -> None:
    for view in windows(look, hostile_card(text).case, text):
        assert wrong_window(view) == []
        typed = {element.get("initial_value") for _, element in elements(view["blocks"])}
        found = [one for one in strings(view["blocks"]) if one not in typed]
        assert not [live for one in found for live in LIVE if live in one]


def test_titles_are_not_cut() -> None:
    for look in (DE, EN):
        for view in windows(look, claimed()):
            assert not view["title"]["text"].endswith("…")
            assert not view.get("submit", {"text": ""})["text"].endswith("…")


# ── What comes back ─────────────────────────────────────────────────────────────────────────────


def test_a_window_brings_back_what_it_was_about() -> None:
    about = replace(ABOUT, message="m7")
    assert read(modals.return_to_bot(claimed(), EN, about)).about == about


def test_resolving_takes_the_outcome_and_keeps_a_reply_only_when_asked() -> None:
    view = modals.resolve(claimed(), EN, ABOUT, written())
    assert "We are on it." in shown(view["blocks"])
    plainly = read(view, outcome=chosen("no_reply"))
    assert (plainly.outcome, plainly.save, plainly.intent) == ("no_reply", False, "")
    kept = read(view, save={"selected_options": [{"value": "save"}]})
    assert (kept.outcome, kept.save, kept.intent) == ("solved", True, "refund")
    assert errors(view, outcome=chosen("bribed")) == {"outcome": "Please choose one."}


def test_an_intent_that_is_gone_keeps_nobody_from_resolving() -> None:
    view = modals.resolve(claimed(intent="of_last_year"), EN, ABOUT, written())
    assert read(view).outcome == "solved"
    assert set(errors(view, save={"selected_options": [{"value": "save"}]})) == {"intent"}


def test_without_a_reply_nothing_is_there_to_keep() -> None:
    names = [element["action_id"] for _, element in elements(modals.resolve(claimed(), EN, ABOUT)["blocks"])]
    assert names == ["outcome"]


@pytest.mark.parametrize(
    ("preset", "until"),
    [
        ("hour", NOON + timedelta(hours=1)),
        ("hours", NOON + timedelta(hours=3)),
        ("tomorrow", datetime(2026, 11, 24, 0, 0, tzinfo=UTC)),  # nine o'clock in Tokyo
        ("monday", datetime(2026, 11, 30, 0, 0, tzinfo=UTC)),
    ],
)
def test_presets_are_meant_by_the_readers_clock(preset: str, until: datetime) -> None:
    view = modals.snooze(claimed(), EN, ABOUT, NOON, ZoneInfo("Asia/Tokyo"))
    assert read(view, preset=chosen(preset)).until == until
    assert "Tomorrow (Tue 24/11, 09:00)" in [*strings(view)]


def test_a_time_of_ones_own_counts_more_than_a_preset_and_has_to_come() -> None:
    view = modals.snooze(claimed(), EN, ABOUT, NOON)
    later = NOON + timedelta(days=40)
    assert read(view, until={"selected_date_time": int(later.timestamp())}).until == later
    assert set(errors(view, until={"selected_date_time": 1})) == {"until"}
    assert set(errors(view, until={"selected_date_time": 10**18})) == {"until"}
    assert set(errors(view, preset=chosen("whenever"))) == {"preset"}


def test_moving_offers_the_other_departments_and_says_who_is_there() -> None:
    friday_evening = datetime(2026, 11, 27, 20, 0, tzinfo=UTC)
    view = modals.move(waiting(), EN, ABOUT, friday_evening)
    assert "Press · closed until Mon 30/11, 09:00" in [*strings(view)]
    assert "Press · open now" in [*strings(modals.move(waiting(), EN, ABOUT, NOON))]
    assert read(view, department=chosen("press")).department == "press"
    assert set(errors(view, department=chosen("moon"))) == {"department"}


def test_with_one_department_there_is_nowhere_to_move_to() -> None:
    alone = replace(EN, departments={"service": scene.DEPARTMENTS["service"]})
    view = modals.move(waiting(), alone, ABOUT, NOON)
    assert "submit" not in view
    assert "only one department" in shown(view["blocks"])


def test_assigning_takes_a_person() -> None:
    view = modals.assign(claimed(), EN, ABOUT)
    assert [element["initial_user"] for _, element in elements(view["blocks"])] == ["U012ADA"]
    assert read(view, user={"selected_user": "U9"}).user == "U9"
    assert set(errors(view, user={"selected_user": None})) == {"user"}


def test_a_wrong_intent_is_corrected_to_one_that_exists() -> None:
    view = modals.relabel(claimed(), EN, ABOUT)
    assert read(view).intent == "refund"
    assert read(view, intent=chosen("parcel")).intent == "parcel"
    assert errors(view, intent=chosen("moon")) == {"intent": "There is no such subject."}
    assert errors(view, intent={"selected_option": None}) == {"intent": "Please choose one."}


def test_urgency_starts_at_what_it_is() -> None:
    view = modals.set_urgency(claimed(), EN, ABOUT)
    assert read(view).level == Level.HIGH
    assert read(view, level=chosen("low")).level == Level.LOW
    assert set(errors(view, level=chosen("mega"))) == {"level"}


def test_a_canned_answer_can_be_read_and_changed_before_it_goes() -> None:
    assert "submit" not in modals.canned(claimed(), EN, ABOUT)
    view = modals.canned(claimed(), EN, ABOUT, CANNED)
    assert (read(view).text, read(view).about.answer) == (CANNED.text, "a1")
    assert read(view, text={"value": " Changed. "}).text == "Changed."
    assert errors(view, text={"value": " \n"}) == {"text:a1": "There is no text yet."}
    assert "Goes to the customer (Telegram)." in shown(view["blocks"])


def test_another_canned_answer_brings_its_own_text() -> None:
    """Slack keeps what stands in a field as long as its block has the same id."""
    one = modals.canned(claimed(), EN, ABOUT, CANNED)
    other = modals.canned(claimed(), EN, ABOUT, replace(CANNED, value="a2", text="Other"))
    ids = [
        {block["block_id"] for block in view["blocks"] if block["type"] == "input"} for view in (one, other)
    ]
    assert ids == [{"text:a1"}, {"text:a2"}]


def test_a_held_reply_is_edited_with_what_the_customer_wrote_meanwhile() -> None:
    about = replace(ABOUT, message="m1")
    view = modals.edit_held(EN, about, written("We are *on* it & more <3"), "Never mind, it came!")
    assert "Never mind, it came!" in shown(view["blocks"])
    assert read(view).text == "We are *on* it & more <3"
    assert read(view).about.message == "m1"


def test_what_is_too_long_for_a_window_is_not_cut_on_the_way() -> None:
    view = modals.edit_held(EN, ABOUT, written("x" * 3001))
    assert "submit" not in view
    assert read(modals.edit_held(EN, ABOUT, written("x" * 3000))).text == "x" * 3000


@given(text=st.text(max_size=200))
def test_what_is_edited_comes_back_as_it_was_written(text: str) -> None:
    """Invisible control characters aside."""
    view = modals.edit_held(EN, ABOUT, written(f"a{text}z"))
    wanted = blocks.clean(f"a{text}z").replace("\u2060", "")
    assert read(view).text == wanted


def test_the_menu_offers_what_the_card_has_no_button_for() -> None:
    offered = [element["action_id"] for _, element in elements(modals.more(claimed(), EN, ABOUT)["blocks"])]
    assert offered == ["move", "assign", "relabel", "set_urgency", "return_to_bot", "console"]
    assert forms.read_about(modals.more(claimed(), EN, ABOUT)) == ABOUT


def test_where_the_window_is_closed_it_says_what_is_still_allowed() -> None:
    view = modals.window_closed(waiting(), EN, ("Send a template.",))
    assert "• Send a template." in shown(view["blocks"])
    assert "as soon as the customer writes again" in shown(modals.window_closed(waiting(), EN, ())["blocks"])


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"callback_id": "resolve"},
        {"callback_id": "resolve", "private_metadata": "{"},
        {"callback_id": "resolve", "private_metadata": '{"case": 1}', "state": {"values": {}}},
        {"callback_id": "resolve", "private_metadata": '{"case": "c"}', "state": {"values": {"a": 1}}},
        {"callback_id": "party", "private_metadata": '{"case": "c"}', "state": {"values": {}}},
    ],
)
def test_what_is_no_window_of_ours_is_malformed(broken: dict[str, Any]) -> None:
    with pytest.raises(MalformedPayload):
        forms.read(broken, EN, NOON)


SHAPES = st.one_of(
    st.none(),
    st.text(),
    st.integers(),
    st.dictionaries(
        st.sampled_from(["value", "selected_option", "selected_date_time", "selected_user"]),
        st.one_of(st.none(), st.integers(), st.text(), st.just({"value": "x"})),
    ),
)
FIELDS = ("outcome", "until", "preset", "text", "user", "level", "department", "intent", "save")


@given(st.sampled_from([*forms.READERS]), st.dictionaries(st.sampled_from(FIELDS), SHAPES))
def test_fields_of_any_shape_are_read_or_told(window: str, fields: dict[str, Any]) -> None:
    view = {"callback_id": window, "private_metadata": '{"case": "c", "zone": "../x"}'}
    with suppress(Unfilled):
        found = forms.read({**view, "state": {"values": {"b": fields}}}, EN, NOON)
        assert found.window == window


# ── Searching ───────────────────────────────────────────────────────────────────────────────────


def test_the_best_match_comes_first() -> None:
    found = [
        Candidate(value="a", label="Other", text="about a refund"),
        Candidate(value="b", label="Where is my refund?"),
        Candidate(value="c", label="Prerefunded"),
        Candidate(value="d", label="Refund is coming"),
        Candidate(value="e", label="Parcel"),
    ]
    assert [one["value"] for one in modals.options("REFUND", found)] == ["d", "b", "c", "a"]
    assert [one["value"] for one in modals.options("", found)] == ["a", "b", "c", "d", "e"]
    assert modals.options("nothing like it", found) == []


@settings(max_examples=20)  # a hundred labels of ten thousand characters each take their time
@given(query=scene.TEXTS, label=scene.TEXTS)
def test_options_keep_slacks_limits(query: str, label: str) -> None:
    many = [Candidate(value=f"v{number}", label=label, text=query) for number in range(OFTEN)]
    found = modals.options(query, [*many, Candidate(value="x" * 151, label=label)])
    assert len(found) <= modals.OPTIONS
    select = {"type": "static_select", "action_id": "a", "options": found}
    assert not found or wrong_blocks([{"type": "actions", "elements": [select]}]) == []


def test_intents_are_searched_by_their_names() -> None:
    assert [one["value"] for one in modals.options("paket", modals.intents(DE))] == ["parcel"]


# ── App Home ────────────────────────────────────────────────────────────────────────────────────

LINK = "https://nordwind.slack.com/archives/C0CARDS/p17"
TODAY = home.Today(
    received=1200, answered=900, handed_off=30, resolved=25, waiting=4, first_reply=timedelta(minutes=7)
)


def test_home_shows_what_is_mine_who_waits_and_todays_numbers() -> None:
    mine = home.Row(case=claimed(), words="Hello?", link=LINK)
    text = shown(home.home(EN, [mine], [home.Row(case=waiting(), words="Help!")], TODAY)["blocks"])
    assert f"*<{LINK}|#1042 · Customer 7F3A · Telegram · Where is my refund?>*" in text
    assert "🟠 High · Waiting · Service · waiting since <!date^" in text
    assert text.index("My cases") < text.index("Hello?") < text.index("Help!") < text.index("Today")
    assert "*1,200*\nmessages from customers" in str(strings_of(home.home(EN, [], [], TODAY)))
    assert "*7 min*" in str(strings_of(home.home(EN, [], [], TODAY)))


def strings_of(view: Any) -> str:
    return "\n".join(strings(view))


@LOOKS
def test_an_empty_home_says_what_to_do(look: Look) -> None:
    view = home.home(look, [], [], home.Today())
    assert wrong_window(view) == []
    assert look("home.mine_hint") in shown(view["blocks"])
    assert look("home.waiting_hint") in shown(view["blocks"])


@LOOKS
@given(text=scene.TEXTS)
def test_home_keeps_slacks_limits_however_much_there_is(look: Look, text: str) -> None:
    rows = [home.Row(case=hostile_card(text).case, words=text, link=LINK)] * 300
    view = home.home(look, rows, rows, TODAY)
    assert wrong_window(view) == []
    assert not [live for found in strings(view) for live in LIVE if live in found]


# ── /case ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("typed", "what", "number"),
    [
        ("", "help", 0),
        ("help", "help", 0),
        (" Mine ", "mine", 0),
        ("meine", "mine", 0),
        ("waiting", "waiting", 0),
        ("stats", "stats", 0),
        ("1042", "case", 1042),
        ("#1042", "case", 1042),
        ("case 1042", "unknown", 0),
        ("9" * 30, "unknown", 0),
        ("²", "unknown", 0),
    ],
)
def test_commands_are_read_as_people_type_them(typed: str, what: str, number: int) -> None:
    assert commands.read(typed) == commands.Asked(what=what, number=number)


@LOOKS
def test_every_command_is_answered_to_one_person_within_the_limits(look: Look) -> None:
    rows = [home.Row(case=claimed(), words="Hello?", link=LINK)] * 30
    answers = [
        commands.mine(rows, look),
        commands.mine([], look),
        commands.waiting(rows, look),
        commands.stats(TODAY, look),
        commands.case(full(), look, LINK),
        commands.no_case(1042, look),
        commands.help(look),
        commands.unknown(look),
    ]
    for answer in answers:
        assert answer["response_type"] == "ephemeral"
        assert answer["text"]
        assert wrong_blocks(answer["blocks"]) == []


def test_a_case_is_shown_with_its_buttons_and_the_way_to_its_card() -> None:
    answer = commands.case(full(), EN, LINK)
    assert "claim" in [element["action_id"] for _, element in elements(answer["blocks"])]
    assert f"<{LINK}|To the card>" in [*strings(answer)]
