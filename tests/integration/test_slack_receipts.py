"""What became of words to the customer, as agents see it in Slack: marks, reasons, and a Retry that sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bot.domain.actions import Act
from bot.domain.cases import CaseState
from bot.domain.errors import RecipientUnreachable, SendDeferred, SendInDoubt, SendRejected, WindowClosed
from bot.domain.messages import AuthorKind, EventKind, Message, MessageState
from tests.fakes.channel import FilesChannel
from tests.fakes.slack_workspace import Post
from tests.slack import ADA, BEN, Office, office

OK, SEEN, TROUBLE, WAITS, NOTE = "white_check_mark", "eyes", "warning", "hourglass_flowing_sand", "memo"
BLOCKED = "The customer has blocked the account."


@pytest.fixture
def channel() -> FilesChannel:
    return FilesChannel()


@pytest.fixture
async def desk(tmp_path: Path, channel: FilesChannel) -> AsyncIterator[Office]:
    async with office(tmp_path, channel=channel) as made:
        await made.claimed(ADA)
        yield made


def buttons(post: Post) -> list[str]:
    actions = [block for block in post.blocks if block["type"] == "actions"]
    return [one["action_id"] for block in actions for one in block["elements"]]


def lines(desk: Office, words: str) -> list[Post]:
    """What we posted under the card with these words."""
    return [post for post in desk.slack.thread(desk.card) if post.bot_id and words in desk.slack.words(post)]


async def receipt(desk: Office, line: Message, kind: EventKind) -> None:
    """From the channel: the customer has it, or has read it."""
    await desk.customer("", kind=kind, refers_to=line.external_id)


async def written(desk: Office, text: str) -> Message:
    return next(line for line in await desk.here.transcript() if line.text == text)


# ── Accepted and read ───────────────────────────────────────────────────────────────────────────


async def test_accepted_delivered_and_read(desk: Office) -> None:
    said = await desk.say(ADA, "It ships today")
    assert desk.slack.reactions(said) == {OK}
    await receipt(desk, await desk.line(said), EventKind.DELIVERED)
    assert desk.slack.reactions(said) == {OK}
    await receipt(desk, await desk.line(said), EventKind.READ)
    assert desk.slack.reactions(said) == {OK, SEEN}
    assert lines(desk, "It ships today") == [], "a mark says all"


async def test_one_receipt_says_that_all_before_it_were_read(desk: Office) -> None:
    first, second = [await desk.say(ADA, text) for text in ("One", "Two")]
    await receipt(desk, await desk.line(second), EventKind.READ)
    assert desk.slack.reactions(first) == desk.slack.reactions(second) == {OK, SEEN}


async def test_a_mark_stands_once_however_often_it_is_set(desk: Office) -> None:
    desk.slack.breaks("reactions.add", lose=True)
    said = await desk.say(ADA, "It ships today")
    await desk.later(minutes=1)
    assert desk.slack.reactions(said) == {OK}
    assert [post for post in desk.slack.workspace.posts if post.ts == said.ts] == [said]


async def test_a_mark_on_a_message_that_is_gone_is_nobodys_trouble(desk: Office) -> None:
    desk.slack.hold()
    said = await desk.slack.says(ADA, "It ships today", thread=desk.card)
    await desk.slack.release()
    desk.slack.workspace.take_away(said)
    await desk.settle()
    newer = await desk.say(ADA, "And tomorrow")
    assert desk.slack.reactions(newer) == {OK}


async def test_marks_wait_while_slack_is_away(desk: Office) -> None:
    desk.slack.hold()
    said = await desk.slack.says(ADA, "It ships today", thread=desk.card)
    await desk.slack.release()
    desk.slack.outage(300)
    await desk.settle()
    assert desk.slack.reactions(said) == set()
    for _ in range(8):
        await desk.later(minutes=2)
    assert desk.slack.reactions(said) == {OK}


# ── Failed ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (RecipientUnreachable(BLOCKED), BLOCKED),
        (SendRejected("The text is too long for this channel."), "too long for this channel"),
        (WindowClosed("The reply window is over."), "The reply window is over."),
    ],
)
async def test_a_failure_is_marked_and_says_why_with_a_retry(
    desk: Office, channel: FilesChannel, error: Any, why: str
) -> None:
    channel.fails(error)
    said = await desk.say(ADA, "It ships today")
    assert desk.slack.reactions(said) == {TROUBLE}
    (line,) = lines(desk, "⚠️")
    assert why in desk.slack.words(line)
    assert buttons(line) == ["retry"]


async def test_retry_really_sends_and_mark_and_line_change(desk: Office, channel: FilesChannel) -> None:
    channel.fails(RecipientUnreachable(BLOCKED))
    said = await desk.say(ADA, "It ships today")
    (line,) = lines(desk, "⚠️")
    await desk.click(ADA, "retry", line)
    assert channel.texts[-1] == "It ships today"
    assert desk.slack.reactions(said) == {OK}
    assert lines(desk, "⚠️") == []
    assert (buttons(line), "✅" in desk.slack.words(line)) == ([], True)
    await receipt(desk, await desk.line(said), EventKind.READ)
    assert desk.slack.reactions(said) == {OK, SEEN}


async def test_a_retry_that_fails_again_says_so_again(desk: Office, channel: FilesChannel) -> None:
    channel.fails(RecipientUnreachable(BLOCKED))
    said = await desk.say(ADA, "It ships today")
    (line,) = lines(desk, "⚠️")
    channel.fails(SendRejected("The number is no longer in service."))
    await desk.click(ADA, "retry", line)
    assert desk.slack.reactions(said) == {TROUBLE}
    assert "no longer in service" in desk.slack.words(line)
    assert buttons(line) == ["retry"]


async def test_two_clicks_on_retry_send_once(desk: Office, channel: FilesChannel) -> None:
    channel.fails(RecipientUnreachable(BLOCKED))
    await desk.say(ADA, "It ships today")
    (line,) = lines(desk, "⚠️")
    stale = replace_blocks(line)
    await desk.click(ADA, "retry", line)
    await desk.click(BEN, "retry", stale)
    assert channel.texts.count("It ships today") == 1
    assert "nothing to send again" in desk.whispers(BEN)[-1]


def replace_blocks(post: Post) -> Post:
    """As somebody still sees it whose window is a moment behind."""
    return replace(post, blocks=[dict(block) for block in post.blocks])


async def test_a_failed_reply_that_is_edited_goes_out_in_its_new_words_on_retry(
    desk: Office, channel: FilesChannel
) -> None:
    channel.fails(SendRejected("The text is too long for this channel."))
    said = await desk.say(ADA, "It ships today, and so on, and so on")
    await desk.slack.edits(said, "It ships today")
    await desk.settle()
    (line,) = lines(desk, "⚠️")
    await desk.click(ADA, "retry", line)
    assert channel.texts[-1] == "It ships today"
    assert desk.slack.reactions(said) == {OK}


async def test_a_failed_reply_that_is_deleted_is_over(desk: Office, channel: FilesChannel) -> None:
    channel.fails(RecipientUnreachable(BLOCKED))
    said = await desk.say(ADA, "It ships today")
    await desk.slack.deletes(said)
    await desk.settle()
    assert lines(desk, "⚠️") == []
    assert not any("retry" in buttons(post) for post in desk.slack.thread(desk.card))


async def test_where_the_reply_window_is_closed_no_retry_is_offered(
    desk: Office, channel: FilesChannel
) -> None:
    channel.capabilities = replace(
        channel.capabilities, window=timedelta(hours=24), beyond=("Send a template.",)
    )
    channel.before_send = lambda: desk.here.clock.forward(hours=25)  # it closed on the way
    channel.fails(WindowClosed("The reply window is over."))
    await desk.say(ADA, "It ships today")
    (line,) = lines(desk, "⚠️")
    assert buttons(line) == ["window"]
    await desk.click(ADA, "window", line)
    assert "Send a template." in desk.slack.words(
        Post(channel="", ts="", user="", blocks=desk.slack.view_of(ADA).body["blocks"])
    )


# ── Delayed and in doubt ────────────────────────────────────────────────────────────────────────


async def test_what_is_tried_again_by_itself_says_that_it_waits(desk: Office, channel: FilesChannel) -> None:
    channel.fails(SendDeferred("The channel does not answer."))
    said = await desk.say(ADA, "It ships today")
    assert desk.slack.reactions(said) == {WAITS}
    await desk.later(minutes=1)
    assert desk.slack.reactions(said) == {OK}


async def test_in_doubt_it_can_be_sent_again(desk: Office, channel: FilesChannel) -> None:
    channel.fails(SendInDoubt("No answer."))
    said = await desk.say(ADA, "It ships today")
    assert desk.slack.reactions(said) == {TROUBLE}
    (line,) = lines(desk, "May have arrived")
    assert buttons(line) == ["retry", "arrived"]
    assert "It ships today" not in channel.texts
    await desk.click(ADA, "retry", line)
    assert channel.texts.count("It ships today") == 1
    assert desk.slack.reactions(said) == {OK}


async def test_in_doubt_somebody_may_know_that_it_arrived(desk: Office, channel: FilesChannel) -> None:
    channel.fails(SendInDoubt("No answer."), arrives=True)
    said = await desk.say(ADA, "It ships today")
    (line,) = lines(desk, "May have arrived")
    await desk.click(ADA, "arrived", line)
    assert channel.texts.count("It ships today") == 1
    assert desk.slack.reactions(said) == {OK}
    assert (buttons(line), "✅" in desk.slack.words(line)) == ([], True)


async def test_deleting_what_is_in_doubt_asks_to_settle_that_first(
    desk: Office, channel: FilesChannel
) -> None:
    channel.fails(SendInDoubt("No answer."))
    said = await desk.say(ADA, "It ships today")
    await desk.slack.deletes(said)
    await desk.settle()
    assert "may have arrived" in desk.whispers(ADA)[-1]
    assert (await desk.line(said)).state is MessageState.IN_DOUBT


async def test_an_edit_that_fails_at_the_channel_says_so(desk: Office, channel: FilesChannel) -> None:
    said = await desk.say(ADA, "It ships today")
    channel.fails(SendRejected("It is too old to be changed."))
    await desk.slack.edits(said, "It ships tomorrow")
    await desk.settle()
    assert desk.slack.reactions(said) == {TROUBLE}
    (line,) = lines(desk, "too old to be changed")
    assert buttons(line) == ["retry"]


# ── Others' words ───────────────────────────────────────────────────────────────────────────────


async def test_a_bots_answer_that_fails_shows_with_its_reason(tmp_path: Path, channel: FilesChannel) -> None:
    async with office(tmp_path, channel=channel) as desk:
        channel.fails(SendRejected("The channel refuses it."))
        await desk.customer("Can I return it?")
        assert (await desk.case()).state is CaseState.WAITING
        story = " ".join(desk.thread())
        assert "About returns." in story
        assert "The channel refuses it." in story


async def test_a_failed_word_of_the_bot_in_a_case_of_ours_can_be_sent_again(
    tmp_path: Path, channel: FilesChannel
) -> None:
    async with office(tmp_path, channel=channel) as desk:
        await desk.customer("Can I return it?")
        channel.fails(SendRejected("The channel refuses it."))
        await desk.customer("A person please")
        (line,) = lines(desk, "The channel refuses it.")
        assert buttons(line) == ["retry"]
        await desk.click(ADA, "retry", line)
        holding = next(
            one for one in reversed(await desk.here.transcript()) if one.author.kind is AuthorKind.BOT
        )
        assert channel.texts[-1] == holding.text
        assert lines(desk, "⚠️") == []


async def test_a_reply_from_the_console_that_fails_is_seen_in_the_thread(
    desk: Office, channel: FilesChannel
) -> None:
    owner = (await desk.case()).owner
    channel.fails(SendRejected("The channel refuses it."))
    assert owner
    await desk.here.act(Act.REPLY, agent=owner, text="From the console")
    await desk.settle()
    (line,) = lines(desk, "From the console")
    assert "The channel refuses it." in desk.slack.words(line)
    await desk.click(ADA, "retry", line)
    assert channel.texts[-1] == "From the console"
    assert "⚠️" not in desk.slack.words(line)


async def test_notes_have_their_own_mark_and_never_another(desk: Office) -> None:
    note = await desk.say(BEN, "She is a regular")
    await desk.customer("Thank you!")
    assert desk.slack.reactions(note) == {NOTE}
    assert (await written(desk, "She is a regular")).state is MessageState.RECEIVED


# ── When it is not as it should be ──────────────────────────────────────────────────────────────


async def test_words_that_are_heard_of_hours_later_wait_for_a_look(
    desk: Office, channel: FilesChannel
) -> None:
    desk.slack.hold()
    said = await desk.slack.says(ADA, "I call you in five minutes", thread=desk.card)
    desk.here.clock.forward(hours=9)
    await desk.slack.release()
    await desk.settle()
    assert "I call you in five minutes" not in channel.texts
    assert desk.slack.reactions(said) == {TROUBLE}
    (line,) = lines(desk, "without a look")
    await desk.click(ADA, "retry", line)
    assert channel.texts[-1] == "I call you in five minutes"


async def test_a_scope_for_marks_that_is_missing_holds_up_no_thread(desk: Office) -> None:
    desk.slack.scopes.discard("reactions:write")
    await desk.say(ADA, "It ships today")
    await desk.customer("Thank you")
    assert "Thank you" in desk.thread()[-1]
    (alarm,) = await desk.here.alarms.sounding()
    assert (alarm.id, "reactions:write" in alarm.why) == ("slack marks", True)
    desk.slack.scopes.add("reactions:write")
    said = await desk.say(ADA, "Anything else?")
    assert desk.slack.reactions(said) == {OK}
    assert await desk.here.alarms.sounding() == []
