"""`/case`, App Home, how soon Slack is answered, and what is no request of Slack's or none we know."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from bot.domain.actions import Act
from bot.domain.cases import CaseState
from bot.domain.messages import Address
from bot.domain.understanding import Level, Urgency
from tests.builders import understanding
from tests.fakes.channel import FilesChannel
from tests.fakes.slack_blocks import elements, shown
from tests.slack import ADA, BEN, Office, office

SOON = 1.0  # seconds; 0.3 are promised, and a machine that does other things too gets more
PATHS = ("/slack/events", "/slack/interactions", "/slack/commands")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path, channel=FilesChannel()) as made:
        yield made


async def typed(desk: Office, text: str, user: str = ADA) -> str:
    """What they are shown, and nobody else."""
    done = await desk.slack.commands(user, text)
    assert done.taken
    seen = desk.slack.ephemerals[-1]
    assert (seen.user, seen.via) == (user, "command")
    return shown(seen.text, seen.blocks)


async def more_customers(desk: Office, many: int) -> None:
    for number in range(many):
        desk.here.clock.forward(minutes=1)
        address = Address(channel="test", account="shop", user=f"u{number + 10}", chat=f"u{number + 10}")
        await desk.customer("A person please", address=address)


# ── /case ───────────────────────────────────────────────────────────────────────────────────────


async def test_my_cases(desk: Office) -> None:
    await desk.claimed(ADA)
    number = (await desk.case()).number
    assert f"#{number}" in await typed(desk, "mine")
    assert "You have no cases." in await typed(desk, "mine", BEN)


async def test_who_waits_the_most_urgent_first(desk: Office) -> None:
    urgent = Urgency(level=Level.HIGH, score=0.9)
    desk.here.knows("Help, a person please", understanding("parcel", wants_person=True, urgency=urgent))
    await more_customers(desk, 2)
    await desk.customer(
        "Help, a person please", address=Address(channel="test", account="shop", user="u99", chat="u99")
    )
    told = await typed(desk, "waiting")
    assert [told.index(f"#{number}") for number in (1003, 1001, 1002)] == sorted(
        told.index(f"#{number}") for number in (1001, 1002, 1003)
    )
    assert "🟠 High" in told
    assert "waiting since" in told


@pytest.mark.parametrize("spelled", ["{}", "#{}", "  {} "])
async def test_a_case_by_its_number_with_its_buttons(desk: Office, spelled: str) -> None:
    card = await desk.handed_off()
    number = (await desk.case()).number
    told = await typed(desk, spelled.format(number))
    seen = desk.slack.ephemerals[-1]
    assert f"#{number}" in told
    assert f"/archives/{card.channel}/p{card.ts.replace('.', '')}" in told
    assert "claim" in [element.get("action_id") for _, element in elements(seen.blocks)]
    await desk.slack.clicks_ephemeral(ADA, seen, "claim")
    await desk.settle()
    assert (await desk.case()).owner_id == ADA


async def test_a_case_that_is_over_is_told_with_the_ones_before(desk: Office) -> None:
    await desk.claimed(ADA)
    await desk.here.act(Act.RESOLVE, outcome="solved")
    await desk.later(days=8)
    await desk.customer("A person please")
    assert "Resolved: Solved" in await typed(desk, "1001")
    assert "Earlier cases: #1001 returns? (Solved)" in await typed(desk, "1002")


async def test_a_number_that_no_case_has(desk: Office) -> None:
    assert "There is no case #4711." in await typed(desk, "4711")
    assert "There is no case" in await typed(desk, "9" * 18)


async def test_todays_numbers(desk: Office) -> None:
    await desk.claimed(ADA)
    told = await typed(desk, "stats")
    assert "*2*\nmessages from customers" in told
    assert "*1*\nhanded to people" in told
    assert "*0*\nwaiting right now" in told


async def test_help_and_nonsense_are_answered_alike(desk: Office) -> None:
    assert "/case mine" in await typed(desk, "")
    assert "/case mine" in await typed(desk, "help")
    told = await typed(desk, "<!channel> please")
    assert "That is no command" in told
    assert "/case mine" in told
    assert "<!channel>" not in told


@pytest.mark.parametrize("text", ["mine", "waiting", "stats", "1001", "help", "nonsense"])
@pytest.mark.parametrize("user", ["U0GUEST", "U0STRANGER"])
async def test_strangers_are_told_nothing(desk: Office, user: str, text: str) -> None:
    await desk.handed_off()
    told = await typed(desk, text, user)
    assert told == "Only members of the team work on cases here."


async def test_while_slack_does_not_say_who_it_is_nothing_is_told(desk: Office) -> None:
    await desk.handed_off()
    desk.slack.breaks("users.info", times=5, status=503)
    assert "Slack does not answer" in await typed(desk, "waiting")


# ── App Home ────────────────────────────────────────────────────────────────────────────────────


async def home(desk: Office, user: str = ADA) -> str:
    await desk.slack.opens_home(user)
    await desk.settle()
    return shown("", desk.slack.homes[user].body["blocks"])


async def test_an_empty_home_says_what_to_do(desk: Office) -> None:
    told = await home(desk)
    assert "You have no cases." in told
    assert "Press “Claim”" in told
    assert "Nobody is waiting." in told
    assert "messages from customers" in told


async def test_home_shows_mine_then_who_waits_by_age_then_the_numbers(desk: Office) -> None:
    await desk.claimed(ADA)
    await more_customers(desk, 2)
    told = await home(desk)
    parts = (
        "My cases",
        "#1001",
        "Claimed: Ada",
        "Waiting",
        "#1002",
        "#1003",
        "Today",
        "3*\nhanded to people",
    )
    places = [told.index(part) for part in parts]
    assert places == sorted(places)


async def test_its_buttons_work(desk: Office) -> None:
    await desk.handed_off()
    await home(desk)
    await desk.slack.clicks_in_view(ADA, "claim")
    await desk.settle()
    assert (await desk.case()).owner_id == ADA
    await home(desk)
    await desk.slack.clicks_in_view(ADA, "more")
    await desk.settle()
    assert desk.slack.view_of(ADA).body["callback_id"] == "more"


async def test_after_a_button_of_home_it_shows_what_is_now(desk: Office) -> None:
    await desk.handed_off()
    await home(desk)
    await desk.slack.clicks_in_view(ADA, "claim")
    await desk.settle()
    assert "Claimed: Ada" in shown("", desk.slack.homes[ADA].body["blocks"])
    await desk.slack.clicks_in_view(ADA, "more")
    await desk.settle()
    await desk.slack.clicks_in_view(ADA, "set_urgency")
    await desk.settle()
    await desk.submit(ADA, level="critical")
    assert "🔴 Critical" in shown("", desk.slack.homes[ADA].body["blocks"])


async def test_a_case_that_was_taken_meanwhile_says_by_whom(desk: Office) -> None:
    await desk.handed_off()
    await home(desk)
    await desk.click(BEN, "claim")
    await desk.slack.clicks_in_view(ADA, "claim")
    await desk.settle()
    view = desk.slack.view_of(ADA)
    assert "Ben has this case." in shown("", view.body["blocks"])


async def test_many_cases_are_cut_and_lead_to_the_rest(desk: Office) -> None:
    await more_customers(desk, 23)
    told = await home(desk)
    assert "#1020" in told
    assert "#1021" not in told
    assert "3 more cases in the console" in told
    assert (await desk.slack.commands(ADA, "waiting")).seconds < SOON


async def test_who_may_not_work_on_cases_sees_none(desk: Office) -> None:
    await desk.handed_off()
    assert await home(desk, "U0GUEST") == "Only members of the team work on cases here."
    assert "A person please" in await home(desk, BEN)
    desk.slack.workspace.people[BEN].is_restricted = True
    desk.desk.actions._members.forget(BEN)
    assert await home(desk, BEN) == "Only members of the team work on cases here."


# ── How soon ────────────────────────────────────────────────────────────────────────────────────


async def test_slack_has_its_answer_at_once_whatever_happens(desk: Office) -> None:
    card = await desk.handed_off()
    done = [
        await desk.slack.clicks(ADA, card, "claim"),
        await desk.slack.clicks(ADA, card, "more"),
        await desk.slack.commands(ADA, "waiting"),
        await desk.slack.opens_home(ADA),
    ]
    await desk.slack.says(ADA, "Hello", thread=card)
    done.append(desk.slack.deliveries[-1])
    assert all(one.taken and one.seconds < SOON for one in done), [one.seconds for one in done]


async def test_a_window_is_asked_for_while_slack_already_has_its_answer(desk: Office) -> None:
    card = await desk.claimed(ADA)
    desk.slack.breaks("views.open", hang=1.3)
    done = await desk.slack.clicks(ADA, card, "resolve")
    assert done.seconds < SOON
    await desk.settle()
    assert desk.slack.open_views[ADA]


# ── What is not Slack's, or not known ───────────────────────────────────────────────────────────


async def posted(desk: Office, path: str, body: bytes, headers: dict[str, str]) -> int:
    kind = "application/json" if path.endswith("events") else "application/x-www-form-urlencoded"
    async with (
        aiohttp.ClientSession() as http,
        http.post(desk.slack.app_url + path, data=body, headers={"Content-Type": kind, **headers}) as answer,
    ):
        return answer.status


@pytest.mark.parametrize("path", PATHS)
async def test_what_slack_did_not_sign_is_refused(desk: Office, path: str) -> None:
    body = b'{"type":"event_callback","event":{}}'
    good = desk.slack.signed(body)
    wrong = {**good, "X-Slack-Signature": "v0=" + "0" * 64}
    garbage = {**good, "X-Slack-Request-Timestamp": "yesterday"}
    now = desk.here.clock().timestamp()
    old, ahead = desk.slack.signed(body, now - 301), desk.slack.signed(body, now + 301)
    for headers in ({}, wrong, garbage, old, ahead, {"X-Slack-Signature": good["X-Slack-Signature"]}):
        assert await posted(desk, path, body, headers) == 401
    assert await posted(desk, path, body + b" ", good) == 401


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/slack/events", b"{"),
        ("/slack/events", b"[]"),
        ("/slack/events", b"null"),
        ("/slack/events", b'{"type":"event_callback"}'),
        ("/slack/interactions", b"payload=%7B"),
        ("/slack/interactions", b"payload=[]"),
        ("/slack/interactions", b"nothing=1"),
        ("/slack/interactions", urlencode({"payload": '{"type":"block_actions"}'}).encode()),
        ("/slack/interactions", urlencode({"payload": '{"type":"view_submission","view":{}}'}).encode()),
        (
            "/slack/interactions",
            urlencode({"payload": '{"type":"block_suggestion","action_id":"answer","view":1}'}).encode(),
        ),
        ("/slack/commands", b"&".join(b"a=1" for _ in range(60))),
    ],
)
async def test_what_is_malformed_is_told_so(desk: Office, path: str, body: bytes) -> None:
    assert await posted(desk, path, body, desk.slack.signed(body)) == 400


async def counted(desk: Office, name: str) -> int:
    return (await desk.here.store.counters("unknown:")).get(f"unknown:slack:{name}", 0)


async def test_a_payload_of_a_kind_we_do_not_know_is_taken_and_counted(desk: Office) -> None:
    event = json.dumps({"type": "event_callback", "event_id": "Ev1", "event": {"type": "next_year"}}).encode()
    assert await posted(desk, "/slack/events", event, desk.slack.signed(event)) == 200
    body = urlencode({"payload": json.dumps({"type": "hologram", "user": {"id": ADA}})}).encode()
    assert await posted(desk, "/slack/interactions", body, desk.slack.signed(body)) == 200
    assert await counted(desk, "next_year") == 1
    assert await counted(desk, "hologram") == 1


async def test_a_button_we_do_not_know_is_taken_and_changes_nothing(desk: Office) -> None:
    card = await desk.handed_off()
    for _, element in elements(card.blocks):
        if element.get("action_id") == "claim":
            element["action_id"] = "claim_of_an_older_version"
    done = await desk.click(ADA, "claim_of_an_older_version", card)
    assert done.taken
    assert (await desk.case()).state is CaseState.WAITING
    assert desk.whispers(ADA) == []


async def test_slacks_own_check_of_a_command_is_answered(desk: Office) -> None:
    body = b"ssl_check=1&token=x"
    assert await posted(desk, "/slack/commands", body, desk.slack.signed(body)) == 200


async def test_the_address_is_verified_with_its_challenge(desk: Office) -> None:
    done = await desk.slack.verifies_url("abc")
    assert done.answer == {"challenge": "abc"}


async def test_a_snoozed_case_is_still_mine(desk: Office) -> None:
    await desk.claimed(ADA)
    await desk.click(ADA, "snooze")
    await desk.submit(ADA, preset="hour")
    told: Any = await home(desk)
    assert "Snoozed until" in told
    await desk.here.act(Act.RESOLVE)
    assert "You have no cases." in await home(desk)
