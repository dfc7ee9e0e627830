"""Nothing internal slips to a customer, and nothing said to one is lost, in whatever order things come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from bot.domain.actions import Act
from bot.domain.cases import Agent, Case
from bot.domain.errors import NotAllowed, SendDeferred, SendRejected
from bot.domain.messages import Direction, Message, MessageState
from bot.domain.outbox import UNSENT, OutboxRow
from bot.domain.ports import Changes, Delete, Query, Update
from tests.builders import rules
from tests.fakes.channel import FilesChannel
from tests.fakes.slack_workspace import Post
from tests.slack import ADA, BEN, DEFAULT, Office, deletes, edits, office, silently

AGENT = Agent(id=ADA, name="Ada", desk="slack")


@pytest.fixture
def channel() -> FilesChannel:
    return FilesChannel()


@pytest.fixture
async def desk(tmp_path: Path, channel: FilesChannel) -> AsyncIterator[Office]:
    async with office(tmp_path, channel=channel) as made:
        yield made


# ── What was taken back or made internal stays so ───────────────────────────────────────────────


async def waiting_reply(desk: Office, channel: FilesChannel, text: str) -> Post:
    """One that the channel cannot take for a while."""
    await desk.claimed(ADA)
    channel.fails(SendDeferred("Busy.", timedelta(hours=1)))
    return await desk.say(ADA, text)


async def sends_again(desk: Office, said: Post) -> None:
    """With a button that was there before."""
    await desk.here.act(Act.RETRY, agent=AGENT, message=(await desk.line(said)).id)


async def test_send_again_never_sends_what_became_a_note(desk: Office, channel: FilesChannel) -> None:
    said = await waiting_reply(desk, channel, "She pays late")
    await edits(desk, said, "note: She pays late")
    with pytest.raises(NotAllowed):
        await sends_again(desk, said)
    await desk.later(hours=2)
    assert "She pays late" not in channel.texts


async def test_send_again_never_sends_what_was_taken_back(desk: Office, channel: FilesChannel) -> None:
    said = await waiting_reply(desk, channel, "Wrong customer")
    await deletes(desk, said)
    before = channel.attempts
    with pytest.raises(NotAllowed):
        await sends_again(desk, said)
    await desk.later(hours=2)
    assert channel.attempts == before


async def test_words_from_before_an_assignment_that_arrive_after_it_stay_internal(
    desk: Office, channel: FilesChannel
) -> None:
    card = await desk.handed_off()
    remark = await silently(desk, card, "She is lying")
    desk.here.clock.forward(seconds=1)
    await desk.here.act(Act.ASSIGN, agent=replace(AGENT, id=BEN), to=AGENT)
    await desk.slack.event(desk.slack._message(remark))
    await desk.settle()
    assert "She is lying" not in channel.texts
    assert (await desk.line(remark)).direction is Direction.NOTE


async def test_who_was_assigned_a_case_speaks_from_then_on(desk: Office, channel: FilesChannel) -> None:
    await desk.handed_off()
    await desk.here.act(Act.ASSIGN, agent=replace(AGENT, id=BEN), to=AGENT)
    await desk.say(ADA, "It ships today")
    assert channel.texts[-1] == "It ships today"


# ── What the customer has is never said to be gone ──────────────────────────────────────────────


async def test_what_was_sent_and_could_not_be_changed_can_still_be_taken_back(
    desk: Office, channel: FilesChannel
) -> None:
    await desk.claimed(ADA)
    said = await desk.say(ADA, "It ships today")
    channel.fails(SendRejected("Not now."))
    await edits(desk, said, "It ships tomorrow")
    await deletes(desk, said)
    assert "It ships today" not in channel.texts


@pytest.mark.parametrize("change", ["edit", "delete"])
async def test_a_change_that_comes_while_it_is_being_sent_waits_for_that(
    desk: Office, channel: FilesChannel, change: str
) -> None:
    said = await waiting_reply(desk, channel, "It ships today")
    await sending(desk, MessageState.SENDING)
    await (edits(desk, said, "It ships tomorrow") if change == "edit" else deletes(desk, said))
    assert desk.whispers(ADA) == []
    await sending(desk, MessageState.DEFERRED)
    await desk.later(hours=2)
    assert "It ships today" not in channel.texts
    assert ("It ships tomorrow" in channel.texts) == (change == "edit")


async def sending(desk: Office, state: MessageState) -> None:
    """As if a process were handing it over just now, and nobody else looked."""
    rows = await desk.here.store.find(Query(kind=OutboxRow, equals={"state": UNSENT}))
    (row,) = [one for one in rows if one.by_agent]
    await desk.here.store.apply(Changes(writes=(Update(record=replace(row, state=state)),)))


# ── Nothing is lost between two departments, or with what was erased ────────────────────────────


async def test_a_move_within_one_channel_keeps_what_is_said_along_with_it(
    tmp_path: Path, channel: FilesChannel
) -> None:
    known = rules()
    service = replace(known.departments["service"], fallback="press")
    both = rules(departments={**known.departments, "service": service})
    async with office(tmp_path, channel=channel, rules_=both, channels={"default": DEFAULT}) as desk:
        await desk.handed_off()
        desk.here.clock.forward(hours=3)
        await desk.here.takeover.tick(await desk.case())
        await desk.settle()
        assert (await desk.case()).department == "press"
        assert len(desk.slack.cards()) == 1
        under = " ".join(desk.thread())
        assert "Sorry, it takes longer." in under
        assert "promised time has passed" in under


async def test_what_was_erased_holds_nothing_up(desk: Office) -> None:
    card = await desk.handed_off()
    desk.slack.outage(60)
    await desk.customer("And another thing")
    case = await desk.case()
    gone = [Delete(kind=Message, id=line.id) for line in await desk.here.transcript()]
    await desk.here.store.apply(Changes(writes=(*gone, Delete(kind=Case, id=case.id))))
    await desk.later(minutes=10)
    rows = await desk.here.store.find(Query(kind=OutboxRow, equals={"state": UNSENT}))
    assert rows == []
    await desk.slack.says(ADA, "Hello?", thread=card)
    await desk.settle()


# ── One voice ───────────────────────────────────────────────────────────────────────────────────


async def test_nobody_puts_new_words_into_a_case_that_somebody_else_has_by_editing_old_ones(
    desk: Office, channel: FilesChannel
) -> None:
    await desk.claimed(ADA)
    said = await desk.say(ADA, "It ships today")
    await desk.click(ADA, "release")
    await desk.click(BEN, "claim")
    await edits(desk, said, "It never ships")
    assert channel.texts[-1] == "It ships today"
    assert "Ben has case" in desk.whispers(ADA)[-1]


@pytest.mark.parametrize("prefix", ["note : ", "NOTE： ", "\u200bnote: ", "> note: ", "• note: ", "*note:* "])
async def test_however_a_note_begins_it_is_one(desk: Office, channel: FilesChannel, prefix: str) -> None:
    await desk.claimed(ADA)
    line = await desk.line(await desk.say(ADA, f"{prefix}she pays late"))
    assert (line.direction, line.text) == (Direction.NOTE, "she pays late")
    assert "late" not in channel.texts[-1]


async def test_an_open_window_offers_nothing_to_who_has_left(desk: Office) -> None:
    await desk.claimed(ADA)
    await desk.click(ADA, "canned")
    assert await desk.slack.suggests(ADA, "answer", "")
    await desk.slack.deactivates(ADA)
    await desk.settle()
    assert await desk.slack.suggests(ADA, "answer", "") == []
