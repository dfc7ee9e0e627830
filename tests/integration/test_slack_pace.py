"""Two hundred cases at once: Slack's pace is kept, urgent ones go first, and waiting costs next to nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from bot.domain.messages import MessageState
from bot.domain.outbox import OutboxRow
from bot.domain.ports import Query
from bot.domain.understanding import Level, Urgency
from bot.queues.memory import MemoryPace
from bot.services import sending
from handoff.desks.slack import desk as slack_desk
from tests.builders import HERE, inbound, understanding
from tests.fakes.slack_api import SlackApi
from tests.slack import Office, office

SCALE = 25  # times as fast as Slack allows: what a busy machine takes for a turn counts this many times
CASES = 200
FIRE = Urgency(level=Level.CRITICAL, score=1.0, reasons=("danger to life",))
URGENT = understanding("parcel", wants_person=True, urgency=FIRE)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_desk, "PER_CHANNEL", float(SCALE))
    monkeypatch.setattr(sending, "PATIENCE", sending.PATIENCE / SCALE)


async def person(here: Office, number: int, text: str = "A person please") -> None:
    address = replace(HERE, user=f"u{number}", chat=f"u{number}")
    await here.here.receive(inbound(text, here.here.new_id(), address=address))
    await here.here.answer()


async def until(condition: Callable[[], bool]) -> float:
    """Seconds that took."""
    began = time.monotonic()
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    return time.monotonic() - began


async def test_an_urgent_case_overtakes_two_hundred_others_and_none_starves(
    tmp_path: Path, hurried: None
) -> None:
    slack = SlackApi(per_channel=SCALE)
    async with office(tmp_path, slack=slack, pace=MemoryPace()) as here:
        slack.echoes = False
        for number in range(CASES):
            await person(here, number)
        worker = here.here.make_worker()
        await worker.start()
        await until(lambda: len(slack.cards()) > CASES / 10)
        here.here.knows("Fire!", URGENT)
        await person(here, CASES, "Fire!")
        before = len(slack.posted())
        await until(lambda: any("🔴" in slack.words(card) for card in slack.cards()))
        assert len(slack.posted()) - before < CASES / 10
        await until(lambda: len(slack.posted()) == 2 * (CASES + 1))
        await worker.stop()
        assert len(slack.cards()) == CASES + 1
        assert {post.thread_ts for post in slack.posted() if post.is_reply} == {
            one.ts for one in slack.cards()
        }
        assert [call.method for call in slack.calls if call.error] == []


async def test_rows_that_wait_for_their_turn_cost_next_to_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At Slack's real pace, two hundred cards take minutes: one to three go out while we look."""
    slack = SlackApi(per_channel=1)
    async with office(tmp_path, slack=slack, pace=MemoryPace()) as here:
        slack.echoes = False
        for number in range(CASES):
            await person(here, number)
        worker = here.here.make_worker()
        await worker.start()
        await until(lambda: len(slack.posted()) >= 2)
        await asyncio.sleep(0.5)
        cpu, wall = time.process_time(), time.monotonic()
        await asyncio.sleep(3)
        share = (time.process_time() - cpu) / (time.monotonic() - wall)
        query = Query(kind=OutboxRow, equals={"state": MessageState.SENDING})
        taken = await here.here.store.count(query)
        await worker.stop()
        assert taken <= 5, taken  # the others can still be overtaken
        assert len(slack.posted()) <= 8
        assert share < 0.3, share
