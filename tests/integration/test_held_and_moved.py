"""Rows that a platform makes wait for long, and rows whose chat has moved: nobody is left to guess."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from bot.domain.actions import Act
from bot.domain.cases import Reason
from bot.domain.errors import ChatMoved, SendDeferred
from bot.domain.journal import Did
from bot.domain.messages import Direction, Message, MessageState
from tests.builders import HERE, inbound
from tests.fakes.channel import FilesChannel
from tests.world import World, world

SLOWLY = "Slow down."
HELD = "Slow down. It goes out by itself at 13:00 CET."  # noon in UTC is one o'clock in Berlin


@pytest.fixture
def channel() -> FilesChannel:
    return FilesChannel()


@pytest.fixture
async def here(tmp_path: Path, channel: FilesChannel) -> AsyncIterator[World]:
    async with world(tmp_path, channel=channel) as made:
        yield made


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


async def replied(here: World, *texts: str) -> list[Message]:
    """A person has the case and has written this; nothing of it has gone out yet."""
    await here.hear(inbound("A person please", "e1"))
    await here.act(Act.CLAIM)
    for text in texts:
        await here.act(Act.REPLY, text=text)
    return [line for line in await here.transcript() if line.text in texts]


async def notes(here: World) -> list[str]:
    return [line.text for line in await here.transcript() if line.direction is Direction.NOTE]


# ── Held ────────────────────────────────────────────────────────────────────────────────────────


async def test_an_agent_is_told_until_when_their_reply_is_held(here: World, channel: FilesChannel) -> None:
    await replied(here, "Tomorrow")
    channel.fails(SendDeferred(SLOWLY, minutes(55)))
    here.clock.forward(minutes=5)
    await here.send()
    line = next(line for line in await here.transcript() if line.text == "Tomorrow")
    assert (line.state, line.reason) == (MessageState.DEFERRED, HELD.replace("13:00", "14:00"))
    assert await notes(here) == [line.reason]
    here.clock.forward(minutes=56)
    await here.send()
    line = next(line for line in await here.transcript() if line.text == "Tomorrow")
    assert (line.state, line.reason) == (MessageState.SENT, "")


async def test_what_is_written_after_a_held_reply_says_that_it_waits_too(
    here: World, channel: FilesChannel
) -> None:
    await replied(here, "One")
    channel.fails(SendDeferred(SLOWLY, minutes(60)))
    await here.send()
    await here.act(Act.REPLY, text="Two")
    await here.send()
    one, two = (line for line in await here.transcript() if line.text in {"One", "Two"})
    assert (two.state, two.reason) == (one.state, one.reason)
    here.clock.forward(minutes=61)
    await here.send()
    assert channel.texts[-2:] == ["One", "Two"]


async def test_a_short_wait_is_no_news(here: World, channel: FilesChannel) -> None:
    await replied(here, "Tomorrow")
    channel.fails(SendDeferred(SLOWLY, timedelta(seconds=20)))
    await here.send()
    assert await notes(here) == []
    assert [line.reason for line in await here.transcript() if line.text == "Tomorrow"] == [SLOWLY]


async def test_a_bots_answer_that_waits_says_until_when_and_bothers_nobody(
    here: World, channel: FilesChannel
) -> None:
    channel.fails(SendDeferred(SLOWLY, minutes(30)))
    await here.hear(inbound("When are you open?"))
    assert "goes out by itself at 13:30 CET" in (await here.transcript())[1].reason
    assert await notes(here) == []


async def test_a_reply_that_would_be_held_beyond_its_age_fails_at_once_and_can_be_sent_again(
    here: World, channel: FilesChannel
) -> None:
    (reply,) = await replied(here, "Tomorrow")
    here.clock.forward(hours=5, minutes=50)
    channel.fails(SendDeferred(SLOWLY, timedelta(hours=1)))
    assert await here.send() is None
    line = next(line for line in await here.transcript() if line.id == reply.id)
    assert line.state is MessageState.FAILED
    assert line.reason.startswith(f"{SLOWLY} That is longer than it may wait")
    await here.act(Act.RETRY, message=reply.id)
    await here.send()
    assert channel.texts[-1] == "Tomorrow"


async def test_an_answer_that_would_be_held_beyond_its_age_becomes_a_persons(
    here: World, channel: FilesChannel
) -> None:
    await here.receive(inbound("When are you open?"))
    await here.answer()
    here.clock.forward(hours=5, minutes=50)
    channel.fails(SendDeferred(SLOWLY, timedelta(hours=1)))
    await here.send()
    case = await here.case()
    assert (await here.transcript())[1].state is MessageState.CANCELLED
    assert case.handoff is not None
    assert case.handoff.reason is Reason.STALE


# ── Moved ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("act", [Act.EDIT, Act.DELETE])
async def test_what_stayed_behind_in_the_old_chat_is_refused_at_once(
    here: World, channel: FilesChannel, act: Act
) -> None:
    (reply,) = await replied(here, "Tomorow")
    await here.send()
    before = channel.attempts
    channel.fails(ChatMoved("It is another chat now.", "u1-new"))
    await here.act(act, message=reply.id, text="Tomorrow")
    await here.send()
    line = next(line for line in await here.transcript() if line.id == reply.id)
    assert channel.attempts == before + 1
    assert line.state is MessageState.FAILED
    assert "stayed behind" in line.reason
    assert len(await here.did(Did.FAILED)) == 1


async def test_after_a_refused_change_the_next_words_go_where_the_chat_is_now(
    here: World, channel: FilesChannel
) -> None:
    (reply,) = await replied(here, "Tomorow")
    await here.send()
    channel.fails(ChatMoved("It is another chat now.", "u1-new"))
    await here.act(Act.EDIT, message=reply.id, text="Tomorrow")
    await here.send()
    assert (await here.case()).address == replace(HERE, chat="u1-new")
    await here.act(Act.REPLY, text="I meant tomorrow")
    await here.send()
    assert channel.arrived[-1] == ("u1-new", "I meant tomorrow")
