"""Changing one's words in Slack: edits, deletions, the time for Undo, and what was missed meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bot.domain.cases import CaseState
from bot.domain.desks import DeskEvent
from bot.domain.errors import SendRejected
from bot.domain.messages import Direction, EventState
from bot.domain.ports import Query
from tests.fakes.channel import FilesChannel
from tests.fakes.slack_workspace import Post
from tests.slack import (
    ADA,
    BEN,
    Office,
    buttons,
    deletes,
    edits,
    fate,
    hint,
    marks,
    office,
    silently,
)


@pytest.fixture
def channel() -> FilesChannel:
    return FilesChannel()


@pytest.fixture
async def desk(tmp_path: Path, channel: FilesChannel) -> AsyncIterator[Office]:
    async with office(tmp_path, channel=channel) as made:
        yield made


@pytest.fixture
async def slow(tmp_path: Path, channel: FilesChannel) -> AsyncIterator[Office]:
    """Replies can be taken back for twenty seconds."""
    async with office(tmp_path, channel=channel, undo_seconds=20) as made:
        await made.claimed(ADA)
        yield made


# ── Changing one's words ────────────────────────────────────────────────────────────────────────


async def test_taking_the_prefix_away_never_sends_and_says_so(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    note = await desk.say(ADA, "note: she pays late")
    await edits(desk, note, "she pays late")
    assert (await desk.line(note)).direction is Direction.NOTE
    assert not any("pays late" in text for text in channel.texts)
    assert "stays a note" in desk.whispers(ADA)[-1]


async def test_a_note_may_be_reworded_without_a_word(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    note = await desk.say(ADA, "note: she pays late")
    await edits(desk, note, "note: she paid late once")
    assert (await desk.line(note)).text == "she paid late once"
    assert desk.whispers(ADA) == []


async def test_adding_the_prefix_to_what_was_sent_is_refused_aloud(
    desk: Office, channel: FilesChannel
) -> None:
    await desk.claimed(ADA)
    said = await desk.say(ADA, "It ships today")
    await edits(desk, said, "note: it ships today")
    assert "cannot become a note" in desk.whispers(ADA)[-1]
    line = await desk.line(said)
    assert (line.direction, line.text) == (Direction.OUT, "It ships today")
    assert channel.texts[-1] == "It ships today"


async def test_an_offer_that_becomes_a_note_cannot_be_sent_any_more(
    desk: Office, channel: FilesChannel
) -> None:
    await desk.handed_off()
    said = await desk.say(ADA, "she pays late")
    await edits(desk, said, "note: she pays late")
    await desk.slack.clicks_ephemeral(ADA, hint(desk, ADA), "claim_and_send")
    await desk.settle()
    assert not any("pays late" in text for text in channel.texts)


async def test_an_offer_is_sent_as_it_was_reworded(desk: Office, channel: FilesChannel) -> None:
    await desk.handed_off()
    said = await desk.say(ADA, "It ships today")
    await edits(desk, said, "It ships tomorrow")
    await desk.slack.clicks_ephemeral(ADA, hint(desk, ADA), "claim_and_send")
    await desk.settle()
    assert channel.texts[-1] == "It ships tomorrow"


async def test_an_edit_changes_what_the_customer_sees(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    said = await desk.say(ADA, "It ships today")
    await edits(desk, said, "It ships tomorrow")
    assert channel.texts[-1] == "It ships tomorrow"
    assert "It ships today" not in channel.texts
    assert marks(desk, said) == {"white_check_mark"}


async def test_a_preview_that_slack_adds_changes_nothing(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    said = await desk.say(ADA, "See https://nordwind.example/")
    before = channel.attempts
    await desk.slack.unfurls(said)
    await edits(desk, said, "See https://nordwind.example/returns")
    await desk.slack.unfurls(said)
    await desk.settle()
    assert channel.attempts == before + 1, "the edit alone"


async def test_deleting_takes_it_back_at_the_customers(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    said = await desk.say(ADA, "It ships today")
    await deletes(desk, said)
    assert "It ships today" not in channel.texts
    assert (await desk.line(said)).deleted_at


async def test_a_tombstone_is_a_deletion(desk: Office, channel: FilesChannel) -> None:
    """What has replies of its own leaves one; Slack tells it as a change."""
    await desk.claimed(ADA)
    said = await desk.say(ADA, "It ships today")
    before = desk.slack.workspace.message(said)
    said.subtype, said.user, said.blocks = "tombstone", "USLACKBOT", []
    said.text = "This message was deleted."
    await desk.slack.event(desk.slack._changed(said, before))
    await desk.settle()
    assert "It ships today" not in channel.texts


async def test_where_the_channel_cannot_change_it_everybody_reads_what_the_customer_has(
    tmp_path: Path, channel: FilesChannel
) -> None:
    channel.capabilities = replace(channel.capabilities, edits=False, deletes=False)
    async with office(tmp_path, channel=channel) as desk:
        await desk.claimed(ADA)
        said = await desk.say(ADA, "It ships today")
        for change in (edits(desk, said, "It ships tomorrow"), deletes(desk, said)):
            await change
            assert "The customer still reads: It ships today" in desk.thread()[-1]
        assert channel.texts[-1] == "It ships today"
        assert (await desk.line(said)).deleted_at is None


async def test_an_edit_that_overtakes_its_message_is_not_lost(desk: Office, channel: FilesChannel) -> None:
    card = await desk.claimed(ADA)
    desk.slack.hold()
    said = await desk.slack.says(ADA, "It ships today", thread=card)
    desk.here.clock.forward(seconds=1)
    await desk.slack.edits(said, "It ships tomorrow")
    first, second = desk.slack.held or []
    desk.slack.held = None
    await desk.slack.tell(second.kind, second.payload)
    await desk.settle()
    await desk.slack.tell(first.kind, first.payload)
    await desk.settle()
    await desk.later(seconds=5)
    assert channel.texts[-1] == "It ships tomorrow"


async def test_what_is_deleted_before_we_come_to_it_is_never_sent(
    desk: Office, channel: FilesChannel
) -> None:
    card = await desk.claimed(ADA)
    desk.slack.hold()
    said = await desk.slack.says(ADA, "It ships today", thread=card)
    desk.here.clock.forward(seconds=1)
    await desk.slack.deletes(said)
    before = channel.attempts
    await desk.slack.release()
    for _ in range(4):
        await desk.settle()
        await desk.later(seconds=5)
    assert channel.attempts == before
    assert all(line.text != "It ships today" for line in await desk.here.transcript())


@pytest.mark.parametrize(
    ("first", "then", "sent"),
    [
        ("It ships today", "It ships tomorrow", True),
        ("It ships today", "note: it ships tomorrow", False),
        ("note: it ships today", "It ships tomorrow", False),
    ],
)
async def test_what_is_changed_before_we_come_to_it(
    desk: Office, channel: FilesChannel, first: str, then: str, *, sent: bool
) -> None:
    card = await desk.claimed(ADA)
    desk.slack.hold()
    said = await desk.slack.says(ADA, first, thread=card)
    desk.here.clock.forward(seconds=1)
    await desk.slack.edits(said, then)
    await desk.slack.release()
    await desk.settle()
    assert any("ships" in text for text in channel.texts) is sent
    assert "It ships today" not in channel.texts
    assert marks(desk, said) == {"white_check_mark" if sent else "memo"}


async def test_nobody_changes_what_was_never_taken_in(desk: Office, channel: FilesChannel) -> None:
    card = await desk.claimed(ADA)
    post = await silently(desk, card, "Never told")
    before = list(channel.texts)
    await edits(desk, post, "Never told either")
    for _ in range(5):
        await desk.later(minutes=1)
    events = await desk.here.store.find(Query(kind=DeskEvent))
    assert {event.state for event in events} == {EventState.DONE}
    assert (channel.texts, desk.whispers(ADA)) == (before, [])


@pytest.mark.parametrize("changes", [{"broadcast": True}, {"subtype": "me_message", "blocks": []}])
async def test_what_is_also_sent_to_the_channel_and_me_messages_are_replies(
    desk: Office, channel: FilesChannel, changes: dict[str, Any]
) -> None:
    await desk.claimed(ADA)
    said = await desk.say(ADA, "It ships today", **changes)
    assert channel.texts[-1] == "It ships today"
    assert marks(desk, said) == {"white_check_mark"}


# ── The undo window ─────────────────────────────────────────────────────────────────────────────


async def test_a_reply_waits_with_an_undo_button(slow: Office, channel: FilesChannel) -> None:
    said = await slow.say(ADA, "It ships today")
    assert "It ships today" not in channel.texts
    assert buttons(fate(slow).blocks) == ["undo"]
    assert "Goes to the customer" in slow.slack.words(fate(slow))
    line = fate(slow)
    await slow.later(seconds=21)
    assert channel.texts[-1] == "It ships today"
    assert marks(slow, said) == {"white_check_mark"}
    assert line not in slow.slack.thread(slow.card), "the mark says all"


async def test_what_went_out_and_then_fails_to_change_says_so_all_the_same(
    slow: Office, channel: FilesChannel
) -> None:
    said = await slow.say(ADA, "It ships today")
    await slow.later(seconds=21)
    channel.fails(SendRejected("It is too old to be changed."))
    await edits(slow, said, "It ships tomorrow")
    assert marks(slow, said) == {"warning"}
    assert "too old to be changed" in slow.slack.words(fate(slow))


async def test_deleting_in_slack_cancels_a_reply(slow: Office, channel: FilesChannel) -> None:
    said = await slow.say(ADA, "It ships today")
    await deletes(slow, said)
    await slow.later(minutes=5)
    assert "It ships today" not in channel.texts
    assert buttons(fate(slow).blocks) == []
    assert "It ships today" not in " ".join(slow.thread())


async def test_the_undo_button_cancels_a_reply_and_deleting_it_then_says_nothing(
    slow: Office, channel: FilesChannel
) -> None:
    said = await slow.say(ADA, "It ships today")
    await slow.click(ADA, "undo", fate(slow))
    await slow.later(minutes=5)
    assert "It ships today" not in channel.texts
    assert buttons(fate(slow).blocks) == []
    await deletes(slow, said)
    assert slow.whispers(ADA) == []


async def test_undo_comes_too_late_when_it_was_sent(slow: Office, channel: FilesChannel) -> None:
    await slow.say(ADA, "It ships today")
    line = fate(slow)
    before = [dict(block) for block in line.blocks]
    await slow.later(seconds=21)
    line.blocks, shown = before, line.blocks
    await slow.click(ADA, "undo", line)
    line.blocks = shown
    assert channel.texts[-1] == "", "it is taken back where the channel can"


async def test_nobody_undoes_somebody_elses_words(slow: Office, channel: FilesChannel) -> None:
    await slow.say(ADA, "It ships today")
    await slow.click(BEN, "undo", fate(slow))
    assert "Only your own words" in slow.whispers(BEN)[-1]
    await slow.later(seconds=21)
    assert channel.texts[-1] == "It ships today"


async def test_a_reply_taken_back_unsent_leaves_the_customer_waiting(slow: Office) -> None:
    before = await slow.case()
    await slow.say(ADA, "It ships today")
    assert (await slow.case()).waiting_since is None
    await slow.click(ADA, "undo", fate(slow))
    after = await slow.case()
    assert after.waiting_since == before.customer_at
    assert after.lease, "its owner is reminded again"
    assert after.first_reply_at is None


async def test_an_earlier_reply_still_counts_when_the_next_is_taken_back(slow: Office) -> None:
    await slow.say(ADA, "It ships today")
    await slow.later(seconds=21)
    await slow.say(ADA, "Or tomorrow")
    await slow.click(ADA, "undo", fate(slow))
    after = await slow.case()
    assert (after.waiting_since, after.lease) == (None, None)
    assert after.first_reply_at


async def test_an_edit_within_the_window_is_what_goes_out(slow: Office, channel: FilesChannel) -> None:
    said = await slow.say(ADA, "It ships today")
    await edits(slow, said, "It ships tomorrow")
    await slow.later(seconds=21)
    assert channel.texts[-1] == "It ships tomorrow"
    assert "It ships today" not in channel.texts


async def test_a_reply_that_has_not_gone_out_becomes_a_note_by_its_prefix(
    slow: Office, channel: FilesChannel
) -> None:
    said = await slow.say(ADA, "she pays late")
    await edits(slow, said, "note: she pays late")
    await slow.later(minutes=5)
    line = await slow.line(said)
    assert (line.direction, line.text) == (Direction.NOTE, "she pays late")
    assert marks(slow, said) == {"memo"}
    assert not any("pays late" in text for text in channel.texts)
    assert buttons(fate(slow).blocks) == []


async def test_a_customers_message_holds_a_reply_until_send_anyway(
    slow: Office, channel: FilesChannel
) -> None:
    said = await slow.say(ADA, "It ships today")
    await slow.customer("I have moved house")
    await slow.later(minutes=5)
    assert "It ships today" not in channel.texts
    assert marks(slow, said) == {"hourglass_flowing_sand"}
    line = next(post for post in slow.slack.thread(slow.card) if "send_now" in buttons(post.blocks))
    assert buttons(line.blocks) == ["send_now", "edit_held", "undo"]
    await slow.click(ADA, "send_now", line)
    assert channel.texts[-1] == "It ships today"
    assert marks(slow, said) == {"white_check_mark"}
    assert buttons(line.blocks) == []


async def test_a_held_reply_is_edited_in_a_window_that_shows_what_came_between(
    slow: Office, channel: FilesChannel
) -> None:
    await slow.say(ADA, "It ships today")
    await slow.customer("I have moved house")
    line = next(post for post in slow.slack.thread(slow.card) if "edit_held" in buttons(post.blocks))
    await slow.click(ADA, "edit_held", line)
    view = slow.slack.view_of(ADA).body
    assert "I have moved house" in slow.slack.words(Post(channel="", ts="", user="", blocks=view["blocks"]))
    (field,) = [block["block_id"] for block in view["blocks"] if block["type"] == "input"]
    await slow.submit(ADA, **{field: "Where to?"})
    assert channel.texts[-1] == "Where to?"
    assert "It ships today" not in channel.texts


async def test_a_held_reply_is_edited_in_slack_too(slow: Office, channel: FilesChannel) -> None:
    said = await slow.say(ADA, "It ships today")
    await slow.customer("I have moved house")
    await edits(slow, said, "Where to?")
    assert channel.texts[-1] == "Where to?"
    assert marks(slow, said) == {"white_check_mark"}


async def test_a_held_reply_does_not_hold_what_its_author_writes_next(
    slow: Office, channel: FilesChannel
) -> None:
    await slow.say(ADA, "It ships today")
    await slow.customer("I have moved house")
    newer = await slow.say(ADA, "Where to?")
    await slow.later(seconds=21)
    assert channel.texts[-1] == "Where to?"
    assert marks(slow, newer) == {"white_check_mark"}


async def test_a_held_reply_that_is_not_sent_after_all(slow: Office, channel: FilesChannel) -> None:
    said = await slow.say(ADA, "It ships today")
    await slow.customer("I have moved house")
    line = next(post for post in slow.slack.thread(slow.card) if "undo" in buttons(post.blocks))
    await slow.click(ADA, "undo", line)
    await slow.later(hours=7)
    assert "It ships today" not in channel.texts
    assert marks(slow, said) == set()


async def test_a_claim_that_sends_waits_for_its_undo_window_too(
    tmp_path: Path, channel: FilesChannel
) -> None:
    async with office(tmp_path, channel=channel, undo_seconds=20) as desk:
        await desk.handed_off()
        await desk.say(ADA, "It ships today")
        await desk.slack.clicks_ephemeral(ADA, hint(desk, ADA), "claim_and_send")
        await desk.settle()
        assert "It ships today" not in channel.texts
        assert "undo" in [name for post in desk.slack.thread(desk.card) for name in buttons(post.blocks)]
        await desk.later(seconds=21)
        assert channel.texts[-1] == "It ships today"


async def test_without_a_window_nothing_waits(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    await desk.say(ADA, "It ships today")
    await desk.customer("I have moved house")
    assert "It ships today" in channel.texts
    assert not any("undo" in buttons(post.blocks) for post in desk.slack.thread(desk.card))


# ── What was missed ──────────────────────────────────────────────────────────────────────────────


async def missed(desk: Office, *events: Any) -> None:
    """What happened while we were away, for longer than Slack tries."""
    desk.slack.hold()
    for event in events:
        desk.here.clock.forward(seconds=1)
        await event
    desk.slack.held = None


async def looks_back(desk: Office) -> None:
    for _ in range(2):
        await desk.desk._events.fill_gaps(200, desk.here.clock() - timedelta(days=2))
        await desk.settle()


async def test_an_edit_that_we_missed_is_made_up_for(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    said = await desk.say(ADA, "It ships today")
    await missed(desk, desk.slack.edits(said, "It ships tomorrow"))
    await looks_back(desk)
    assert channel.texts[-1] == "It ships tomorrow"
    assert desk.whispers(ADA) == []


async def test_what_was_changed_before_we_heard_of_it_may_have_been_a_note(
    desk: Office, channel: FilesChannel
) -> None:
    await desk.claimed(ADA)
    note = await silently(desk, desk.card, "note: she pays late")
    await missed(desk, desk.slack.edits(note, "she pays late"))
    await looks_back(desk)
    assert not any("pays late" in text for text in channel.texts)
    assert marks(desk, note) == {"memo"}
    offer = hint(desk, ADA)
    assert "changed before we heard of it" in offer.text
    await desk.slack.clicks_ephemeral(ADA, offer, "claim_and_send")
    await desk.settle()
    assert channel.texts[-1] == "she pays late"


async def test_an_owner_who_was_deactivated_while_we_were_away_gives_the_case_back(desk: Office) -> None:
    await desk.claimed(ADA)
    await missed(desk, desk.slack.deactivates(ADA))
    desk.desk._events._members.forget(ADA)  # asked again after ten minutes
    await looks_back(desk)
    assert (await desk.case()).state is CaseState.WAITING
