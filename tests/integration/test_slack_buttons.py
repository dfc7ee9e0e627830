"""Every button of a card, of its lines and its menu, pressed by agents, and what they read when it did not work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.actions import Act
from bot.domain.cases import CaseState
from bot.domain.journal import Did
from bot.domain.messages import Direction
from tests.fakes.channel import FilesChannel
from tests.fakes.slack_blocks import elements
from tests.slack import ADA, BEN, CLEO, Office, office, opened, said

WINDOWS = ("resolve", "snooze", "move", "assign", "relabel", "set_urgency", "return_to_bot", "canned")


@pytest.fixture
def channel() -> FilesChannel:
    return FilesChannel()


@pytest.fixture
async def desk(tmp_path: Path, channel: FilesChannel) -> AsyncIterator[Office]:
    async with office(tmp_path, channel=channel) as made:
        yield made


# ── Claim and release ───────────────────────────────────────────────────────────────────────────


async def test_claiming_makes_an_owner_and_says_what_that_means(desk: Office) -> None:
    await desk.claimed(ADA)
    case = await desk.case()
    assert case.owner is not None
    assert (case.state, case.owner.id, case.owner.desk) == (CaseState.CLAIMED, ADA, "slack")
    assert "What Ada writes in this thread goes to the customer" in desk.slack.words(desk.card)


async def test_fifty_claims_at_once_make_one_owner_and_the_others_see_who(desk: Office) -> None:
    card = await desk.handed_off()
    people = [ADA, BEN, CLEO]
    await asyncio.gather(*(desk.slack.clicks(people[n % 3], card, "claim") for n in range(50)))
    await desk.settle()
    case = await desk.case()
    assert case.owner is not None
    others = [user for user in people if user != case.owner.id]
    assert all(f"{case.owner.name} has this case" in desk.whispers(user)[0] for user in others)
    assert len(case.owners) == 1
    assert desk.whispers(case.owner.id) == []


async def test_releasing_makes_it_wait_again_with_who_had_it(desk: Office) -> None:
    await desk.claimed(ADA)
    await desk.click(ADA, "release")
    case = await desk.case()
    assert (case.state, case.owner, case.owners) == (CaseState.WAITING, None, ("Ada",))
    assert "has this case" not in desk.slack.words(desk.card)


async def test_guests_and_strangers_press_in_vain_and_read_why(desk: Office) -> None:
    card = await desk.handed_off()
    for user in ("U0GUEST", "U0SINGLE", "U0STRANGER"):
        for action in ("claim", "resolve", "more"):
            assert (await desk.slack.clicks(user, card, action)).taken
            await desk.settle()
        assert not desk.slack.open_views.get(user)
        assert "Only members of the team" in desk.whispers(user)[0]
    assert (await desk.case()).state is CaseState.WAITING


async def test_a_button_of_a_card_that_is_over_says_so(desk: Office) -> None:
    card = await desk.handed_off()
    old = [dict(block) for block in card.blocks]
    await desk.here.act(Act.RESOLVE)
    await desk.settle()
    card.blocks = old  # a client that shows what stood there a moment ago
    await desk.click(ADA, "claim", card)
    assert f"Case #{(await desk.case()).number} is closed" in desk.whispers(ADA)[0]


# ── More, and windows on windows ────────────────────────────────────────────────────────────────


async def test_the_menu_offers_what_the_card_has_no_button_for(desk: Office) -> None:
    await desk.claimed(ADA)
    view = await opened(desk, ADA, "more")
    names = [element["action_id"] for _, element in elements(view["blocks"])]
    assert names == ["move", "assign", "relabel", "set_urgency", "return_to_bot", "console"]
    await desk.slack.clicks_in_view(ADA, "console")
    await desk.settle()
    assert len(desk.slack.open_views[ADA]) == 1


async def test_a_window_on_top_of_the_menu_closes_both_when_it_is_done(desk: Office) -> None:
    await desk.claimed(ADA)
    await opened(desk, ADA, "set_urgency")
    assert len(desk.slack.open_views[ADA]) == 2
    await desk.submit(ADA, level="high")
    assert desk.slack.open_views[ADA] == []


async def test_releasing_from_the_menu_is_done_at_once(desk: Office) -> None:
    await desk.claimed(ADA)
    await opened(desk, ADA, "snooze")
    await desk.submit(ADA, preset="hour")
    await opened(desk, ADA, "release")
    assert (await desk.case()).state is CaseState.WAITING


async def test_a_refusal_inside_the_menu_is_shown_on_top_of_it(desk: Office) -> None:
    await desk.claimed(ADA)
    await opened(desk, ADA, "snooze")
    await desk.submit(ADA, preset="hour")
    await opened(desk, ADA, "more")
    await desk.here.act(Act.RESOLVE)
    await desk.slack.clicks_in_view(ADA, "release")
    await desk.settle()
    assert "is closed" in said(desk.slack.view_of(ADA).body)


@pytest.mark.parametrize("name", WINDOWS)
async def test_somebody_else_may_work_on_the_case_too_but_not_speak(desk: Office, name: str) -> None:
    """What moves a case is everybody's; only words to the customer are the owner's."""
    await desk.claimed(ADA)
    view = await opened(desk, BEN, name)
    assert view["type"] == "modal"


# ── Held replies ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def slow(tmp_path: Path, channel: FilesChannel) -> AsyncIterator[Office]:
    async with office(tmp_path, channel=channel, undo_seconds=10) as made:
        yield made


async def held(slow: Office) -> Any:
    """A reply that the customer's next message holds; the line that says so."""
    await slow.claimed(ADA)
    await slow.say(ADA, "It comes on Monday.")
    await slow.customer("I mean the other one")
    await slow.settle()
    return next(post for post in slow.slack.thread(slow.card) if "Not sent yet" in slow.slack.words(post))


async def test_a_held_reply_is_edited_with_the_customers_new_words_in_view(
    slow: Office, channel: FilesChannel
) -> None:
    line = await held(slow)
    await slow.click(ADA, "edit_held", line)
    view = slow.slack.view_of(ADA).body
    assert "I mean the other one" in said(view)
    block = next(one["block_id"] for one in view["blocks"] if one["type"] == "input")
    await slow.submit(ADA, **{block: "The other one comes on Tuesday."})
    assert channel.texts[-1] == "The other one comes on Tuesday."
    assert "It comes on Monday." not in channel.texts


async def test_a_held_reply_goes_out_anyway_or_not_at_all(slow: Office, channel: FilesChannel) -> None:
    line = await held(slow)
    await slow.click(ADA, "send_now", line)
    assert channel.texts[-1] == "It comes on Monday."


async def test_only_its_author_decides_about_a_held_reply(slow: Office, channel: FilesChannel) -> None:
    line = await held(slow)
    await slow.click(BEN, "send_now", line)
    assert "It comes on Monday." not in channel.texts
    assert "Only your own words" in slow.whispers(BEN)[-1]


# ── Twice, too late, and not at all ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("action", ["claim", "release"])
async def test_a_double_click_is_one_action(desk: Office, action: str) -> None:
    await desk.handed_off()
    if action == "release":
        await desk.click(ADA, "claim")
    desk.slack.hold()
    await desk.slack.clicks(ADA, desk.card, action)
    await desk.slack.clicks(ADA, desk.card, action)
    await desk.slack.release()
    await desk.settle()
    case = await desk.case()
    assert case.state is (CaseState.CLAIMED if action == "claim" else CaseState.WAITING)
    assert len(case.owners) == 1


async def test_the_same_click_delivered_twice_is_one_action(desk: Office) -> None:
    await desk.handed_off()
    desk.slack.hold()
    await desk.slack.clicks(ADA, desk.card, "claim")
    await desk.slack.release(twice=True)
    await desk.settle()
    assert len(await desk.here.did(Did.CLAIMED)) == 1
    assert desk.whispers(ADA) == []


async def test_a_window_that_comes_too_late_opens_nothing_and_says_so(desk: Office) -> None:
    await desk.claimed(ADA)
    desk.slack.breaks("views.open", error="expired_trigger_id")
    done = await desk.click(ADA, "resolve")
    assert done.taken
    assert not desk.slack.open_views.get(ADA)
    assert "click once more" in desk.whispers(ADA)[-1]
    await desk.click(ADA, "resolve")
    assert desk.slack.open_views[ADA]


async def test_of_two_canned_answers_chosen_in_a_row_the_last_is_shown(desk: Office) -> None:
    await desk.claimed(ADA)
    await opened(desk, ADA, "canned")
    await desk.slack.clicks_in_view(ADA, "answer", "answer:returns")
    await desk.slack.clicks_in_view(ADA, "answer", "answer:hours")
    await desk.settle()
    assert "About hours." in str(desk.slack.view_of(ADA).body)


async def test_while_slack_does_not_say_who_it_is_nobody_acts(desk: Office) -> None:
    card = await desk.handed_off()
    desk.slack.breaks("users.info", times=5, status=503)
    assert (await desk.click(BEN, "claim", card)).taken
    assert (await desk.case()).state is CaseState.WAITING
    assert "click once more" in desk.whispers(BEN)[-1]


# ── Shortcuts ───────────────────────────────────────────────────────────────────────────────────


async def test_shortcuts_work_on_the_card_and_on_every_line_under_it(desk: Office) -> None:
    card = await desk.handed_off()
    await desk.slack.shortcut(ADA, "claim", card)
    await desk.settle()
    assert (await desk.case()).owner_id == ADA
    line = desk.slack.thread(card)[-1]
    await desk.slack.shortcut(ADA, "resolve", line)
    await desk.settle()
    await desk.submit(ADA, outcome="solved")
    assert (await desk.case()).state is CaseState.RESOLVED


@pytest.mark.parametrize("name", ["canned", "more", "resolve"])
async def test_shortcuts_open_the_same_windows(desk: Office, name: str) -> None:
    await desk.claimed(ADA)
    said_by_ada = await desk.say(ADA, "Hello.")
    await desk.slack.shortcut(ADA, name, said_by_ada)
    await desk.settle()
    assert desk.slack.view_of(ADA).body["callback_id"] == name


async def test_a_shortcut_sends_ones_own_note_to_the_customer(desk: Office, channel: FilesChannel) -> None:
    await desk.handed_off()
    note = await desk.say(BEN, "We refund it today.")
    assert (await desk.line(note)).direction is Direction.NOTE
    await desk.slack.shortcut(BEN, "claim_and_send", note)
    await desk.settle()
    assert channel.texts[-1] == "We refund it today."
    assert desk.slack.reactions(note) == {"white_check_mark"}


async def test_a_shortcut_on_a_message_that_belongs_to_no_case_says_so(desk: Office) -> None:
    await desk.handed_off()
    other = await desk.slack.says(ADA, "Lunch?")
    await desk.slack.shortcut(ADA, "claim", other)
    await desk.settle()
    assert "belongs to no case" in desk.whispers(ADA)[-1]
    assert (await desk.case()).state is CaseState.WAITING


async def test_the_words_of_others_are_not_sent_by_a_shortcut(desk: Office, channel: FilesChannel) -> None:
    card = await desk.handed_off()
    before = len(channel.texts)
    await desk.slack.shortcut(BEN, "claim_and_send", card)
    await desk.settle()
    assert "Only your own words" in desk.whispers(BEN)[-1]
    note = await desk.say(ADA, "He is a regular")
    await desk.slack.shortcut(BEN, "claim_and_send", note)
    await desk.settle()
    assert len(channel.texts) == before
