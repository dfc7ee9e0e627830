"""Sending when it goes wrong: in parts, in doubt, for ever, and with the process killed in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from bot.domain.actions import Act
from bot.domain.cases import CaseState, Reason
from bot.domain.errors import SendDeferred, SendInDoubt, SendRejected, StoreUnavailable
from bot.domain.journal import Did, Entry
from bot.domain.messages import Message, MessageState
from bot.domain.outbox import Receipt
from bot.domain.ports import Changes, Conflict, Insert, Outcome, Payload, Rate, Update, Write
from bot.queues.memory import MemoryPace
from tests.builders import HERE, inbound
from tests.fakes.channel import AskableChannel, FakeChannel
from tests.world import World, world

PARTS = ["About hours./0", "About hours./1", "About hours./2"]


class Busy(AskableChannel):
    """One that has no time to say whether a message arrived."""

    async def find(self, payload: Payload) -> Receipt | None:
        raise SendDeferred("429", timedelta(seconds=5))


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


async def asked_for_a_person(here: World) -> None:
    await here.hear(inbound("A person please"))
    await here.act(Act.CLAIM)


async def test_a_found_part_does_not_stand_for_those_after_it(tmp_path: Path) -> None:
    async with world(tmp_path, channel=AskableChannel(parts=3)) as here:
        here.channel.fails(SendInDoubt("timed out"), arrives=True)
        await here.hear(inbound("When are you open?"))
        assert here.channel.texts == PARTS


async def test_a_retry_does_not_repeat_the_parts_that_arrived(tmp_path: Path) -> None:
    async with world(tmp_path, channel=FakeChannel(parts=3)) as here:
        await asked_for_a_person(here)
        here.channel.arrived.clear()
        here.channel.attempts = 0
        here.channel.before_send = lambda: (
            here.channel.fails(SendRejected("no")) if here.channel.attempts == 2 else None
        )
        await here.act(Act.REPLY, text="Hello!")
        await here.send()
        await here.act(Act.RETRY, message=(await here.transcript())[-1].id)
        await here.send()
        assert here.channel.texts == ["Hello!/0", "Hello!/1", "Hello!/2"]


async def test_what_cannot_be_asked_yet_is_asked_later_and_not_sent_on_a_guess(tmp_path: Path) -> None:
    async with world(tmp_path, channel=Busy()) as here:
        await asked_for_a_person(here)
        here.channel.fails(SendInDoubt("timed out"), arrives=True)
        await here.act(Act.REPLY, text="Hello!")
        for _ in range(20):
            await here.send()
            here.clock.forward(minutes=6)
        assert here.channel.texts.count("Hello!") == 1
        assert (await here.transcript())[-1].state is MessageState.IN_DOUBT


async def test_a_message_that_never_arrives_is_given_up_and_the_log_says_so(tmp_path: Path) -> None:
    async with world(tmp_path, channel=AskableChannel()) as here:
        for _ in range(50):
            here.channel.fails(SendInDoubt("timed out"))
        with capture_logs() as lines:
            await here.hear(inbound("When are you open?"))
            for _ in range(20):
                here.clock.forward(minutes=6)
                await here.send()
        assert {line["error"] for line in lines if line["event"] == "send.failed"} == {"GaveUp"}
        assert (await here.transcript())[1].state is MessageState.FAILED
        assert (await here.case()).state is CaseState.WAITING


async def test_a_bots_answer_is_sent_once_more_and_not_a_third_time(here: World) -> None:
    for error in (SendInDoubt("timed out"), SendDeferred("429"), SendInDoubt("timed out")):
        here.channel.fails(error, arrives=isinstance(error, SendInDoubt))
    await here.hear(inbound("When are you open?"))
    here.clock.forward(minutes=6)
    await here.send()
    assert here.channel.texts == ["About hours."] * 2
    assert (await here.transcript())[1].state is MessageState.IN_DOUBT


async def test_a_failure_and_the_person_it_calls_are_one_transaction(here: World) -> None:
    here.channel.fails(SendRejected("text not allowed"))
    await here.receive(inbound("When are you open?"))
    await here.answer()
    units = watched(here)
    await here.send()
    case = await here.case()
    assert case.handoff
    assert case.handoff.reason is Reason.SEND_FAILED
    (unit,) = [unit for unit in units if any(is_new(write, case.id) for write in unit.writes)]
    facts = [write.record for write in unit.writes if isinstance(write, Insert)]
    assert Did.FAILED in {fact.kind for fact in facts if isinstance(fact, Entry)}


async def test_what_became_of_a_row_is_asked_where_it_could_not_be_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others change the message faster than we can write: that is said aloud, and nothing goes twice."""
    async with world(tmp_path, channel=AskableChannel()) as here:
        await here.receive(inbound("When are you open?"))
        await here.answer()
        with monkeypatch.context() as patch:
            patch.setattr(here.sending, "_commit", lambda _: _always(Conflict(kind=Message, id="m1")))
            with pytest.raises(StoreUnavailable, match="could not be stored"):
                await here.send()
        await here.send()
        assert here.channel.texts == ["About hours."]
        assert (await here.transcript())[1].state is MessageState.SENT


async def _always(outcome: Outcome) -> Outcome:
    return outcome


def watched(here: World) -> list[Changes]:
    """Every unit that sending writes from now on."""
    units: list[Changes] = []
    commit = here.sending._commit

    async def watching(changes: Changes) -> Outcome:
        units.append(changes)
        return await commit(changes)

    here.sending._commit = watching
    return units


def is_new(write: Write, id: str) -> bool:
    return isinstance(write, Update) and getattr(write.record, "id", "") == id


async def test_a_failure_meets_a_case_that_changed_meanwhile(here: World) -> None:
    here.channel.fails(SendRejected("text not allowed"))
    await here.receive(inbound("When are you open?"))
    await here.answer()
    case = await here.case()
    handed_off = here.takeover.handed_off

    async def overtaken(case_id: str, reason: Reason, detail: str) -> list[Write]:
        here.takeover.handed_off = handed_off  # type: ignore[method-assign]
        writes = await handed_off(case_id, reason, detail)
        await here.store.apply(Changes(writes=(Update(record=replace(case, language="de")),)))
        return writes

    here.takeover.handed_off = overtaken  # type: ignore[method-assign]
    await here.send()
    case = await here.case()
    assert (case.state, case.language) == (CaseState.WAITING, "de")


async def test_a_message_that_waits_is_told_in_the_journal(here: World) -> None:
    here.channel.fails(SendDeferred("slow down", timedelta(seconds=7)))
    await here.hear(inbound("When are you open?"))
    (waited,) = await here.did(Did.DEFERRED)
    assert waited.attributes["error"] == "SendDeferred"


async def test_a_row_whose_rate_is_used_up_makes_room_and_comes_back(here: World) -> None:
    here.channel.limits = (Rate(key="account", per_second=0.1),)
    await here.receive(inbound("When are you open?", "e1"))
    await here.receive(inbound("When are you open?", "e2", address=replace(HERE, user="u2", chat="u2")))
    await here.answer()
    later = await here.send()
    assert later is not None
    assert 9 < later.delay.total_seconds() <= 10
    assert [row.state for row in await here.rows()] == [MessageState.SENT, MessageState.QUEUED]
    here.channel.limits = ()
    await here.send()
    assert len(here.channel.arrived) == 2


class Frozen(MemoryPace):
    """Time passes while a row is about to be handed over, and another worker takes the chat meanwhile."""

    def __init__(self, here: World) -> None:
        super().__init__()
        self._here, self._frozen = here, False

    async def reserve(self, rates: Sequence[Rate]) -> float:
        if not self._frozen:
            self._frozen = True
            self._here.clock.forward(seconds=36)
            await self._here.make_sending().work((await self._here.rows())[0].order_key)
        return 0.0


async def test_who_was_frozen_before_a_send_does_not_send_what_another_has_sent(here: World) -> None:
    here.pace = Frozen(here)
    here.sending = here.make_sending()
    await here.hear(inbound("When are you open?"))
    assert here.channel.texts == ["About hours."]
    assert [row.state for row in await here.rows()] == [MessageState.SENT]
