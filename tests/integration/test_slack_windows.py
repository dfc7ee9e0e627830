"""Every window of a card, filled in by agents, and what they read in it when it did not work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.actions import Act, Label
from bot.domain.cases import CaseState
from bot.domain.desks import SavedAnswer
from bot.domain.errors import SendRejected
from bot.domain.journal import Did
from bot.domain.messages import Direction, MessageState
from bot.domain.ports import Capabilities, Query
from tests.fakes.channel import FilesChannel
from tests.slack import ADA, BEN, CLEO, Office, office, opened, said


@pytest.fixture
def channel() -> FilesChannel:
    return FilesChannel()


@pytest.fixture
async def desk(tmp_path: Path, channel: FilesChannel) -> AsyncIterator[Office]:
    async with office(tmp_path, channel=channel) as made:
        yield made


async def labels(desk: Office) -> list[Label]:
    return await desk.here.store.find(Query(kind=Label, limit=100))


# ── Resolve ─────────────────────────────────────────────────────────────────────────────────────


async def test_resolving_asks_for_the_outcome(desk: Office) -> None:
    await desk.claimed(ADA)
    view = await opened(desk, ADA, "resolve")
    assert "Outcome" in said(view)
    await desk.submit(ADA, outcome="not_possible")
    case = await desk.case()
    assert (case.state, case.outcome) == (CaseState.RESOLVED, "not_possible")
    assert not desk.slack.open_views.get(ADA)
    assert "Not possible" in desk.slack.words(desk.card)


async def test_a_good_reply_can_be_kept_and_is_offered_from_then_on(desk: Office) -> None:
    await desk.claimed(ADA)
    await desk.say(ADA, "Send it back with the label enclosed.")
    view = await opened(desk, ADA, "resolve")
    assert "Send it back with the label enclosed." in said(view)
    await desk.submit(ADA, outcome="solved", save=["save"], intent="returns")
    (kept,) = await desk.here.store.find(Query(kind=SavedAnswer, limit=10))
    assert (kept.intent, kept.author) == ("returns", ADA)
    await desk.later(days=8)
    await desk.customer("A person please")
    await desk.click(BEN, "claim")
    await opened(desk, BEN, "canned")
    offered = await desk.slack.suggests(BEN, "answer", "label enclosed")
    assert [option["value"] for option in offered] == [kept.id]


async def test_without_a_reply_of_ones_own_nothing_is_suggested(desk: Office) -> None:
    await desk.claimed(ADA)
    assert "The last reply" not in said(await opened(desk, ADA, "resolve"))


async def test_a_window_sent_twice_is_one_action(desk: Office) -> None:
    await desk.claimed(ADA)
    await desk.say(ADA, "Done.")
    await opened(desk, ADA, "resolve")
    desk.slack.hold()
    await desk.slack.submits(ADA, {"outcome": "solved", "save": ["save"]})
    answers = await desk.slack.release(twice=True)
    await desk.settle()
    assert [one.statuses for one in answers] == [[200], [200]]
    assert [one.answer for one in answers] == [{"response_action": "clear"}] * 2
    assert len(await desk.here.did(Did.RESOLVED)) == 1
    assert len(await desk.here.store.find(Query(kind=SavedAnswer, limit=10))) == 1


async def test_resolving_what_somebody_resolved_meanwhile_says_so_inside_the_window(desk: Office) -> None:
    await desk.claimed(ADA)
    await opened(desk, ADA, "resolve")
    await desk.here.act(Act.RESOLVE, outcome="no_reply")
    await desk.submit(ADA, outcome="solved")
    assert "is closed" in desk.slack.view_of(ADA).errors["outcome"]
    assert (await desk.case()).outcome == "no_reply"


# ── Snooze ──────────────────────────────────────────────────────────────────────────────────────


async def test_snoozing_is_meant_by_the_readers_own_clock(desk: Office) -> None:
    desk.slack.workspace.people[ADA].zone = "America/New_York"
    await desk.claimed(ADA)
    view = await opened(desk, ADA, "snooze")
    assert "Tomorrow (Tue 24/11, 09:00)" in said(view)
    await desk.submit(ADA, preset="tomorrow")
    case = await desk.case()
    assert case.snoozed_until is not None
    assert case.snoozed_until.isoformat() == "2026-11-24T14:00:00+00:00"
    assert case.state is CaseState.SNOOZED


async def test_a_snoozed_case_is_its_owners_again_when_the_time_has_come(desk: Office) -> None:
    await desk.claimed(ADA)
    await opened(desk, ADA, "snooze")
    await desk.submit(ADA, preset="hour")
    await desk.later(minutes=61)
    assert await desk.here.takeover.tick(await desk.case())
    await desk.settle()
    assert (await desk.case()).state is CaseState.CLAIMED
    assert "is awake again" in " ".join(desk.thread())
    assert f"<@{ADA}>" in " ".join(desk.thread())


async def test_a_time_that_has_passed_is_refused_at_its_field(desk: Office) -> None:
    await desk.claimed(ADA)
    await opened(desk, ADA, "snooze")
    past = int((desk.here.clock() - timedelta(hours=1)).timestamp())
    await desk.submit(ADA, until=past)
    assert "This time has passed" in desk.slack.view_of(ADA).errors["until"]
    later = int((desk.here.clock() + timedelta(hours=5)).timestamp())
    await desk.submit(ADA, until=later)
    assert (await desk.case()).state is CaseState.SNOOZED


async def test_time_that_passes_while_the_window_is_open_is_noticed(desk: Office) -> None:
    await desk.claimed(ADA)
    await opened(desk, ADA, "snooze")
    soon = int((desk.here.clock() + timedelta(minutes=5)).timestamp())
    desk.here.clock.forward(minutes=10)
    await desk.submit(ADA, until=soon)
    assert "This time has passed" in desk.slack.view_of(ADA).errors["until"]


async def test_snoozing_what_is_not_claimed_any_more_says_why(desk: Office) -> None:
    await desk.claimed(ADA)
    await opened(desk, ADA, "snooze")
    await desk.here.act(Act.RELEASE)
    await desk.submit(ADA, preset="hour")
    assert "claim it before you snooze it" in desk.slack.view_of(ADA).errors["preset"]


# ── Move ────────────────────────────────────────────────────────────────────────────────────────


async def test_moving_offers_the_other_departments_and_says_whether_somebody_is_there(desk: Office) -> None:
    await desk.handed_off()
    view = await opened(desk, ADA, "move")
    assert "Press · open now" in said(view)
    await desk.submit(ADA, department="press")
    case = await desk.case()
    assert (case.department, case.state) == ("press", CaseState.WAITING)


async def test_moving_a_case_that_moved_meanwhile_says_so(desk: Office) -> None:
    await desk.handed_off()
    await opened(desk, ADA, "move")
    await desk.here.act(Act.MOVE, department="press")
    await desk.submit(ADA, department="press")
    assert "is in press already" in desk.slack.view_of(ADA).errors["department"]


# ── Assign ──────────────────────────────────────────────────────────────────────────────────────


async def test_assigning_gives_it_to_somebody_who_may_speak(desk: Office) -> None:
    await desk.handed_off()
    await opened(desk, ADA, "assign")
    await desk.submit(ADA, user=BEN)
    case = await desk.case()
    assert case.owner is not None
    assert (case.owner.id, case.owner.name, case.owner.desk) == (BEN, "Ben", "slack")
    assert f"<@{BEN}> Ada assigned #{case.number} to Ben." in desk.thread()
    said_by_ben = await desk.say(BEN, "Hello, Ben here.")
    assert (await desk.line(said_by_ben)).direction is Direction.OUT


async def test_who_assigns_it_to_themselves_is_not_called(desk: Office) -> None:
    await desk.handed_off()
    await opened(desk, ADA, "assign")
    await desk.submit(ADA, user=ADA)
    assert (await desk.case()).owner_id == ADA
    assert "assigned" not in " ".join(desk.thread())


@pytest.mark.parametrize("user", ["U0GUEST", "U0STRANGER", "U0OTHERBOT", "U0WORKFLOW", "U0GONE"])
async def test_nobody_else_can_be_made_the_owner(desk: Office, user: str) -> None:
    await desk.handed_off()
    await opened(desk, ADA, "assign")
    await desk.submit(ADA, user=user)
    assert "may not speak to customers" in desk.slack.view_of(ADA).errors["user"]
    assert (await desk.case()).owner is None


async def test_with_a_list_of_agents_only_they_work_on_cases(tmp_path: Path) -> None:
    listed = {ADA: {"name": "Ada L."}, BEN: {}}
    async with office(tmp_path, agents=_settings(listed)) as desk:
        await desk.claimed(ADA)
        assert (await desk.case()).owner.name == "Ada L."  # type: ignore[union-attr]
        await desk.click(CLEO, "resolve")
        assert "Only members of the team" in desk.whispers(CLEO)[0]
        await opened(desk, ADA, "assign")
        await desk.submit(ADA, user=CLEO)
        assert "may not speak" in desk.slack.view_of(ADA).errors["user"]


def _settings(listed: dict[str, Any]) -> Any:
    from handoff.desks.slack.settings import AgentSetting

    return {id: AgentSetting(**told) for id, told in listed.items()}


# ── Labels ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_wrong_intent_becomes_a_label_with_its_author(desk: Office) -> None:
    await desk.handed_off()
    await opened(desk, ADA, "relabel")
    assert [one["value"] for one in await desk.slack.suggests(ADA, "intent", "parcel")] == ["parcel"]
    await desk.submit(ADA, intent="parcel")
    (label,) = await labels(desk)
    assert (label.intent, label.author) == ("parcel", ADA)
    assert (await desk.case()).intent == "parcel"
    assert "parcel?" in desk.slack.words(desk.card)


async def test_an_intent_that_does_not_exist_is_refused_at_its_field(desk: Office) -> None:
    await desk.handed_off()
    await opened(desk, ADA, "relabel")
    await desk.submit(ADA, intent="made_up")
    assert "no such subject" in desk.slack.view_of(ADA).errors["intent"]
    assert await labels(desk) == []


@pytest.mark.parametrize("level", ["low", "critical"])
async def test_urgency_is_set_by_hand_and_becomes_a_label(desk: Office, level: str) -> None:
    await desk.handed_off()
    await opened(desk, ADA, "set_urgency")
    await desk.submit(ADA, level=level)
    (label,) = await labels(desk)
    assert (label.urgency, label.author) == (level, ADA)
    assert (await desk.case()).urgency.level == level
    assert level.capitalize() in desk.slack.words(desk.card)
    assert "set by Ada" in desk.slack.words(desk.card)


# ── Back to the bot ─────────────────────────────────────────────────────────────────────────────


async def test_back_to_the_bot_asks_first_and_the_bot_goes_on(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    view = await opened(desk, ADA, "return_to_bot")
    assert "Should the bot go on" in said(view)
    await desk.submit(ADA)
    assert (await desk.case()).state is CaseState.BOT
    await desk.customer("When are you open?")
    assert channel.texts[-1] == "About hours."


async def test_what_the_bot_has_already_is_said_in_a_window_without_fields(desk: Office) -> None:
    await desk.claimed(ADA)
    await opened(desk, ADA, "return_to_bot")
    await desk.here.act(Act.RESOLVE)
    await desk.submit(ADA)
    assert "is closed" in said(desk.slack.view_of(ADA).body)


# ── Canned answers ──────────────────────────────────────────────────────────────────────────────


async def test_a_canned_answer_is_searched_read_changed_and_sent(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    await opened(desk, ADA, "canned")
    found, *_ = await desk.slack.suggests(ADA, "answer", "retu")
    await desk.slack.clicks_in_view(ADA, "answer", found["value"])
    await desk.settle()
    view = desk.slack.view_of(ADA)
    (field,) = [block for block in view.body["blocks"] if block["type"] == "input"]
    assert field["element"]["initial_value"] == "About returns."
    await desk.submit(ADA, **{field["block_id"]: "About *your* returns."})
    assert channel.texts[-1] == "About *your* returns."
    assert "*your* returns" in " ".join(desk.thread())
    assert not desk.slack.open_views.get(ADA)


async def test_a_search_without_a_match_offers_nothing(desk: Office) -> None:
    await desk.claimed(ADA)
    await opened(desk, ADA, "canned")
    assert await desk.slack.suggests(ADA, "answer", "zebra") == []


async def test_a_canned_answer_that_was_emptied_is_not_sent(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    before = len(channel.texts)
    await opened(desk, ADA, "canned")
    await desk.slack.clicks_in_view(ADA, "answer", "answer:returns")
    await desk.settle()
    block = next(one["block_id"] for one in desk.slack.view_of(ADA).body["blocks"] if one["type"] == "input")
    await desk.submit(ADA, **{block: "   "})
    assert "There is no text yet" in desk.slack.view_of(ADA).errors[block]
    assert len(channel.texts) == before


async def test_only_the_owner_sends_a_canned_answer_and_reads_it_in_the_window(
    desk: Office, channel: FilesChannel
) -> None:
    await desk.claimed(ADA)
    before = len(channel.texts)
    await opened(desk, ADA, "canned")
    await desk.slack.clicks_in_view(ADA, "answer", "answer:returns")
    await desk.settle()
    await desk.here.act(Act.RELEASE)
    block = next(one["block_id"] for one in desk.slack.view_of(ADA).body["blocks"] if one["type"] == "input")
    await desk.submit(ADA)
    assert "only its owner speaks to the customer" in desk.slack.view_of(ADA).errors[block]
    assert len(channel.texts) == before


async def test_sending_a_canned_answer_twice_sends_it_once(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    await opened(desk, ADA, "canned")
    await desk.slack.clicks_in_view(ADA, "answer", "answer:returns")
    await desk.settle()
    desk.slack.hold()
    await desk.slack.submits(ADA)
    await desk.slack.release(twice=True)
    await desk.settle()
    assert channel.texts[2:] == ["About returns."]


# ── When the reply window is closed ─────────────────────────────────────────────────────────────


async def test_where_the_window_is_closed_it_says_what_is_still_allowed(
    desk: Office, channel: FilesChannel
) -> None:
    channel.capabilities = Capabilities(
        window=timedelta(hours=24), beyond=("An approved template message.", "Another channel.")
    )
    await desk.claimed(ADA)
    await desk.later(hours=25)
    before = len(channel.texts)
    view = await opened(desk, ADA, "canned")
    assert "An approved template message." in said(view)
    assert "Another channel." in said(view)
    assert "submit" not in view
    stayed = await desk.say(ADA, "Still there?")
    assert (await desk.line(stayed)).direction is Direction.NOTE
    assert "reply window" in desk.whispers(ADA)[-1]
    assert len(channel.texts) == before


async def test_a_failed_reply_offers_what_is_allowed_once_the_window_has_closed(
    desk: Office, channel: FilesChannel
) -> None:
    channel.capabilities = Capabilities(window=timedelta(hours=24), beyond=("A template.",))
    await desk.claimed(ADA)
    desk.here.clock.forward(hours=23, minutes=59)
    channel.fails(SendRejected("The text was refused."))
    failed = await desk.say(ADA, "Here is your refund.")
    assert (await desk.line(failed)).state is MessageState.FAILED
    fate = desk.slack.thread(desk.card)[-1]
    assert "The text was refused." in desk.slack.words(fate)
    desk.here.clock.forward(hours=1)
    await desk.click(ADA, "retry", fate)
    await desk.settle()
    assert "A template." in said(desk.slack.view_of(ADA).body)
    assert "Here is your refund." not in channel.texts
