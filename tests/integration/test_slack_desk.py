"""A case in Slack, from the customer's message to the end, without leaving."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.cases import CaseState
from bot.domain.messages import Direction, MessageState
from tests.fakes.channel import FilesChannel
from tests.slack import ADA, BEN, DEFAULT, Office, office


@pytest.fixture
def channel() -> FilesChannel:
    return FilesChannel()


@pytest.fixture
async def desk(tmp_path: Path, channel: FilesChannel) -> AsyncIterator[Office]:
    async with office(tmp_path, channel=channel) as made:
        yield made


async def test_a_case_from_handoff_to_resolve(desk: Office, channel: FilesChannel) -> None:
    card = await desk.handed_off()
    assert card.channel == DEFAULT
    assert "A person please" in " ".join(desk.thread())
    await desk.click(ADA, "claim")
    owner = (await desk.case()).owner
    assert owner
    assert (owner.name, owner.desk) == ("Ada", "slack")
    said = await desk.say(ADA, "It *ships* today :tada:")
    assert channel.texts[-1] == "It *ships* today 🎉" or "ships" in channel.texts[-1]
    assert desk.slack.reactions(said) == {"white_check_mark"}
    await desk.click(ADA, "resolve")
    await desk.submit(ADA, outcome="solved")
    assert (await desk.case()).state is CaseState.RESOLVED
    assert len(desk.slack.cards()) == 1


async def test_somebody_elses_words_stay_and_they_are_told(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    note = await desk.say(BEN, "She is a regular")
    assert (await desk.line(note)).direction is Direction.NOTE
    assert desk.slack.reactions(note) == {"memo"}
    assert len(desk.whispers(BEN)) == 1
    assert "She is a regular" not in channel.texts


async def test_an_edit_and_a_deletion_reach_the_customer(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    said = await desk.say(ADA, "It ships today")
    await desk.slack.edits(said, "It ships tomorrow")
    await desk.settle()
    assert (await desk.line(said)).text == "It ships tomorrow"
    await desk.slack.deletes(said)
    await desk.settle()
    assert (await desk.line(said)).deleted_at is not None
    assert (await desk.line(said)).state is MessageState.SENT
