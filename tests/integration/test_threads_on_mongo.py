"""A desk with copies on the store for many processes: whoever works at the same time, all is said and shown once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.actions import Act
from bot.domain.desks import DeskEvent
from bot.domain.messages import EventState
from bot.domain.outbox import OutboxRow, Posting
from bot.domain.ports import Query
from bot.stores.mongo import MongoStore
from tests.builders import rules
from tests.fakes.channel import FakeChannel
from tests.fakes.desk import FakeThreads
from tests.integration.test_threads import DORA, handed_off, saying, tells
from tests.world import World, world


@pytest.fixture
async def here(tmp_path: Path, mongo_url: str) -> AsyncIterator[World]:
    store, both = MongoStore(mongo_url), rules(desks=("console", "threads"), copies=("threads",), undo={})
    await store.open()
    async with world(tmp_path, store=store, channel=FakeChannel(), rules_=both) as made:
        made.desks["threads"] = FakeThreads()
        yield made


async def rows_of(here: World, posting: Posting) -> list[OutboxRow]:
    rows = await here.store.find(Query(kind=OutboxRow, equals={"destination": "desk"}))
    return [row for row in rows if row.posting is posting]


async def test_two_workers_in_one_thread_do_what_was_said_once_and_in_order(here: World) -> None:
    await handed_off(here)
    await here.act(Act.CLAIM, agent=DORA)
    now, said = here.clock(), [await saying(here, f"Line {n}") for n in range(6)]
    for n in (3, 1, 5, 0, 2, 4):  # as the desk happens to tell us
        await tells(here, f"e{n}", said[n], happened_at=now + timedelta(seconds=n))
    lane = (await here.case()).id
    await asyncio.gather(*(here.attending.work(lane) for _ in range(3)))
    await here.send()
    assert isinstance(here.channel, FakeChannel)
    assert here.channel.texts[-6:] == [f"Line {n}" for n in range(6)]
    assert here.channel.texts.count("Line 0") == 1
    assert {event.state for event in await here.store.find(Query(kind=DeskEvent))} == {EventState.DONE}


async def test_what_several_processes_change_at_once_makes_one_card_and_one_line_each(here: World) -> None:
    await handed_off(here)
    cards = len(here.desks["threads"].of("card"))  # type: ignore[attr-defined]
    await asyncio.gather(
        here.act(Act.CLAIM, agent=DORA), *(here.act(Act.NOTE, text=f"Note {n}", agent=DORA) for n in range(8))
    )
    lines = [row.message for row in await rows_of(here, Posting.THREAD)]
    assert len(lines) == len(set(lines)) >= 8
    await here.send()
    assert cards == 1
    assert len(await rows_of(here, Posting.STORY)) == 1
