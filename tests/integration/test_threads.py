"""A desk that keeps copies: one card per handoff, its thread follows the case, agents speak there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bot.domain.actions import Act, AgentAction
from bot.domain.cases import Agent, CaseState
from bot.domain.desks import DeskEvent, Gone
from bot.domain.errors import (
    Misconfigured,
    NotAllowed,
    RecipientUnreachable,
    SendDeferred,
    SendInDoubt,
    SendRejected,
)
from bot.domain.messages import Attachment, AttachmentKind, Direction, EventState, Message, MessageState
from bot.domain.ports import Applied, Changes, Insert, Later, Query, Update
from bot.domain.routing import Department, Rule, Span
from bot.domain.understanding import Level, Urgency
from bot.services.alarms import Alarms
from tests.builders import inbound, rules, understanding
from tests.fakes.channel import FakeChannel
from tests.fakes.desk import FakeThreads
from tests.world import World, world

DORA = Agent(id="U1", name="Dora", desk="threads")
EMIL = Agent(id="U2", name="Emil", desk="threads")
NIGHT = Span(weekday=6, opens=time(2), closes=time(3))
AWAY = "The workspace does not answer."


@pytest.fixture
def threads() -> FakeThreads:
    return FakeThreads()


@pytest.fixture
def channel() -> FakeChannel:
    return FakeChannel()


@pytest.fixture
async def here(tmp_path: Path, threads: FakeThreads, channel: FakeChannel) -> AsyncIterator[World]:
    both = rules(desks=("console", "threads"), copies=("threads",), undo={})
    async with world(tmp_path, channel=channel, rules_=both) as made:
        made.desks["threads"] = threads
        yield made


async def handed_off(here: World) -> None:
    await here.hear(inbound("Can I return it?", "e1"), inbound("A person please", "e2"))
    await here.send()


async def says(here: World, text: str, agent: Agent = DORA, **changes: Any) -> str:
    """Under the card, at the desk's own time; returns the message's id."""
    id = here.new_id()
    known = {"text": text, "agent": agent, "id": id, "written": f"threads:{id}", "at": here.clock()}
    await here.act(Act.SAY, **{**known, **changes})
    await here.send()
    return next(line.id for line in await here.transcript() if line.written == f"threads:{id}")


async def line(here: World, id: str) -> Message:
    found = await here.store.get(Message, id)
    assert found
    return found


# ── The card and its thread ─────────────────────────────────────────────────────────────────────


async def test_a_handoff_is_one_card_with_the_story_under_it(here: World, threads: FakeThreads) -> None:
    await handed_off(here)
    (card,), (story,) = threads.of("card"), threads.of("story")
    assert card["state"] == CaseState.WAITING
    assert "A person please" in " ".join(story["words"])
    assert threads.of("threadpost") == []


async def test_what_the_customer_writes_then_follows_once_and_in_order(
    here: World, threads: FakeThreads
) -> None:
    await handed_off(here)
    for number in range(3):
        await here.hear(inbound(f"Line {number}", f"m{number}"))
        await here.send()
    lines = [post["words"][0] for post in threads.of("threadpost")]
    assert [one for one in lines if one.startswith("Line")] == ["Line 0", "Line 1", "Line 2"]
    assert len(threads.of("card")) == 1


async def test_lines_that_come_before_the_card_is_there_are_not_told_twice(
    here: World, threads: FakeThreads
) -> None:
    threads.fails(*[SendDeferred(AWAY)] * 2)
    await handed_off(here)
    await here.hear(inbound("Line 1", "m1"))
    for _ in range(3):
        here.clock.forward(minutes=2)
        await here.send()
    (story,) = threads.of("story")
    assert "Line 1" not in story["words"]
    assert [post["words"] for post in threads.of("threadpost")] == [["Line 1"]]


async def test_a_claim_updates_the_card_in_place(here: World, threads: FakeThreads) -> None:
    await handed_off(here)
    await here.act(Act.CLAIM)
    await here.send()
    (card,) = threads.of("card")
    assert card["state"] == CaseState.CLAIMED


async def test_many_changes_at_once_are_one_update(here: World, threads: FakeThreads) -> None:
    await handed_off(here)
    before = len(threads.sent)
    for act in (Act.CLAIM, Act.RELEASE, Act.CLAIM):
        await here.act(act)
    await here.send()
    assert [payload["kind"] for payload in threads.sent[before:]] == ["card"]


async def test_another_handoff_of_the_case_is_another_card_and_the_earlier_one_leads_there(
    here: World, threads: FakeThreads
) -> None:
    await handed_off(here)
    await here.act(Act.RETURN_TO_BOT)
    here.clock.forward(minutes=1)
    await here.hear(inbound("A person please", "e9"))
    await here.send()
    (first, second) = threads.of("left") + threads.of("card")
    assert first["to"] == next(at for at, post in threads.shown.items() if post is second)
    assert len(threads.of("story")) == 2


async def test_a_case_that_moves_has_its_card_where_it_belongs_now(here: World, threads: FakeThreads) -> None:
    await handed_off(here)
    await here.act(Act.MOVE, department="press")
    await here.send()
    assert [len(threads.of(kind)) for kind in ("left", "card", "story")] == [1, 1, 2]
    await here.act(Act.CLAIM)
    await here.send()
    assert [post["state"] for post in threads.of("card")] == [CaseState.CLAIMED]


async def test_a_case_that_was_claimed_from_the_bot_has_a_card_too(here: World, threads: FakeThreads) -> None:
    await here.hear(inbound("Can I return it?", "e1"))
    assert threads.shown == {}
    await here.act(Act.CLAIM)
    await here.send()
    assert [post["state"] for post in threads.of("card")] == [CaseState.CLAIMED]
    assert threads.of("story")[0]["words"][0] == "Can I return it?"


async def test_a_card_that_was_deleted_comes_anew_with_the_whole_story(
    here: World, threads: FakeThreads
) -> None:
    await handed_off(here)
    threads.fails(RecipientUnreachable("The card is gone."))
    await here.hear(inbound("Line 1", "m1"))
    for _ in range(2):
        await here.send()
    cards, stories = threads.of("card"), threads.of("story")
    assert len(cards) == len(stories) == 2
    assert "Line 1" in stories[1]["words"] or ["Line 1"] in [
        post["words"] for post in threads.of("threadpost")
    ]


async def test_a_desk_that_is_away_for_hours_gets_everything_later_once_and_in_order(
    here: World, threads: FakeThreads
) -> None:
    threads.fails(*[SendDeferred(AWAY)] * 40)
    await handed_off(here)
    for number in range(3):
        await here.hear(inbound(f"Line {number}", f"m{number}"))
    for _ in range(45):
        here.clock.forward(minutes=5)
        await here.send()
    assert len(threads.of("card")) == len(threads.of("story")) == 1
    lines = [post["words"][0] for post in threads.of("threadpost") if post["words"][0].startswith("Line")]
    assert lines == ["Line 0", "Line 1", "Line 2"]


async def test_a_card_that_is_refused_is_said_in_the_case_and_sounds_until_there_is_one(
    here: World, threads: FakeThreads
) -> None:
    threads.fails(SendRejected("It cannot show this (invalid_blocks)."))
    await handed_off(here)
    (alarm,) = await here.alarms.sounding()
    assert (alarm.id, "invalid_blocks" in alarm.why) == ("threads #1001", True)
    case = await here.case()
    notes = [one.text for one in await here.transcript() if one.direction is Direction.NOTE]
    assert any("Threads does not show all of #1001" in note for note in notes)
    await here.takeover.act(AgentAction(id="a", case=case.id, agent=DORA, action=Act.CLAIM, at=here.clock()))
    await here.send()
    assert threads.of("card")
    assert await here.alarms.sounding() == []


async def test_a_case_that_is_closed_needs_no_card_any_more(here: World, threads: FakeThreads) -> None:
    threads.fails(SendRejected("It cannot show this."))
    await handed_off(here)
    threads.fails(SendRejected("It cannot show this."))
    case = await here.case()
    await here.takeover.act(
        AgentAction(id="a", case=case.id, agent=DORA, action=Act.RESOLVE, at=here.clock())
    )
    await here.send()
    assert await here.alarms.sounding() == []


async def test_what_is_refused_is_said_and_that_it_is_refused_to_say_so_is_not(
    here: World, threads: FakeThreads
) -> None:
    await handed_off(here)
    threads.fails(*(SendRejected(f"No {what}.") for what in ("card", "line", "word about it", "other word")))
    await here.hear(inbound("Are you there?", "e3"))
    await here.send()
    notes = [one.text for one in await here.transcript() if "does not show all" in one.text]
    assert [note.split(": ")[1].split(".")[0] for note in notes] == ["No card", "No line"]


async def test_a_clock_that_was_set_back_keeps_no_alarm_sounding(here: World) -> None:
    await here.alarms.clear("threads")
    here.clock.forward(hours=-1)
    of_another_process = Alarms(here.store, here.clock)
    await of_another_process.sound("threads", "The token was revoked.")
    await here.alarms.clear("threads")
    assert await here.alarms.sounding() == []


async def test_what_an_operator_has_to_mend_sounds_an_alarm_until_it_works(
    here: World, threads: FakeThreads
) -> None:
    threads.fails(Misconfigured("The token was revoked."))
    await handed_off(here)
    assert [(alarm.id, alarm.why) for alarm in await here.alarms.sounding()] == [
        ("threads", "The token was revoked.")
    ]
    here.clock.forward(minutes=5)
    await here.send()
    assert await here.alarms.sounding() == []
    assert len(threads.of("card")) == 1


async def test_a_card_in_doubt_is_found_again(here: World, threads: FakeThreads) -> None:
    threads.loses_the_answer(SendInDoubt("No answer."))
    await handed_off(here)
    here.clock.forward(minutes=1)
    await here.send()
    await here.act(Act.CLAIM)
    await here.send()
    assert [post["state"] for post in threads.of("card")] == [CaseState.CLAIMED]


async def test_an_edit_of_the_customers_changes_its_line(here: World, threads: FakeThreads) -> None:
    await handed_off(here)
    await here.hear(inbound("Line 1", "m1"))
    (told,) = [one for one in await here.transcript() if one.text == "Line 1"]
    await here.commit(
        Changes(writes=(Update(record=replace(told, text="Line one", edited_at=here.clock())),))
    )
    await here.send()
    assert [post["words"] for post in threads.of("threadpost")] == [["Line one"]]


async def test_a_file_follows_when_it_was_fetched_and_only_once(here: World, threads: FakeThreads) -> None:
    await handed_off(here)
    await here.hear(inbound("Look", "m1"))
    (told,) = [one for one in await here.transcript() if one.text == "Look"]
    for reaction in ("", "👍"):
        here_now = await line(here, told.id)
        files = (Attachment(kind=AttachmentKind.IMAGE, file="f1"),)
        await here.commit(
            Changes(writes=(Update(record=replace(here_now, attachments=files, reaction=reaction)),))
        )
        await here.send()
    assert [post["words"] for post in threads.sent if post["kind"] == "file"] == [["f1"]]


async def test_words_from_another_desk_follow_with_what_became_of_them(
    here: World, threads: FakeThreads
) -> None:
    await handed_off(here)
    await here.act(Act.CLAIM)
    await here.act(Act.REPLY, text="On my way")
    await here.send()
    lines = [post for post in threads.of("threadpost") if post["words"] == ["On my way"]]
    assert len(lines) == 1


# ── Claim to speak ──────────────────────────────────────────────────────────────────────────────


async def test_the_owners_words_go_to_the_customer_and_are_marked(
    here: World, threads: FakeThreads, channel: FakeChannel
) -> None:
    await handed_off(here)
    await here.act(Act.CLAIM, agent=DORA)
    said = await says(here, "It ships today")
    assert channel.texts[-1] == "It ships today"
    await here.send()
    assert threads.marked[said] == ("sent",)
    assert "It ships today" not in [post["words"][0] for post in threads.of("threadpost")]


async def test_anybody_elses_words_stay_and_are_marked_as_a_note(
    here: World, threads: FakeThreads, channel: FakeChannel
) -> None:
    await handed_off(here)
    await here.act(Act.CLAIM, agent=DORA)
    said = await says(here, "She is a regular", EMIL)
    note = await line(here, said)
    assert (note.direction, note.offered) == (Direction.NOTE, True)
    assert threads.marked[said] == ("note",)
    assert "She is a regular" not in channel.texts


@pytest.mark.parametrize("prefix", ["note: ", ";;", "NOTE:", "  ;; ", "notiz: "])
async def test_the_owners_note_stays_a_note(here: World, channel: FakeChannel, prefix: str) -> None:
    await handed_off(here)
    await here.act(Act.CLAIM, agent=DORA)
    note = await line(here, await says(here, f"{prefix}check the invoice"))
    assert (note.direction, note.text, note.offered) == (Direction.NOTE, "check the invoice", False)
    assert "check the invoice" not in " ".join(channel.texts)


async def test_a_reply_that_overtook_its_claim_counts(here: World, channel: FakeChannel) -> None:
    await handed_off(here)
    clicked = here.clock()
    said = await says(here, "It ships today", at=clicked + timedelta(seconds=2))
    assert (await line(here, said)).offered
    await here.act(Act.CLAIM, agent=DORA, at=clicked)
    await here.send()
    assert channel.texts[-1] == "It ships today"
    assert (await line(here, said)).state is MessageState.SENT


async def test_what_was_said_before_a_claim_stays_internal(here: World, channel: FakeChannel) -> None:
    await handed_off(here)
    clicked = here.clock()
    await says(here, "Who takes this one?", at=clicked)
    await here.act(Act.CLAIM, agent=DORA, at=clicked + timedelta(seconds=2))
    await here.send()
    assert "Who takes this one?" not in channel.texts


async def test_a_claim_can_send_the_note_it_names(here: World, channel: FakeChannel) -> None:
    await handed_off(here)
    said = await says(here, "It ships today")
    await here.act(Act.CLAIM, agent=DORA, message=said)
    await here.send()
    assert channel.texts[-1] == "It ships today"
    with pytest.raises(NotAllowed, match="sent or taken back"):
        await here.act(Act.CLAIM, agent=DORA, message=said)


async def test_nobody_sends_somebody_elses_note(here: World, channel: FakeChannel) -> None:
    await handed_off(here)
    said = await says(here, "It ships today", EMIL)
    with pytest.raises(NotAllowed):
        await here.act(Act.CLAIM, agent=DORA, message=said)
    assert (await here.case()).state is CaseState.WAITING


async def test_the_owner_who_speaks_wakes_a_case_that_sleeps(here: World, channel: FakeChannel) -> None:
    await handed_off(here)
    await here.act(Act.CLAIM, agent=DORA)
    await here.act(Act.SNOOZE, agent=DORA, until=here.clock() + timedelta(days=1))
    await says(here, "News already")
    assert (await here.case()).state is CaseState.CLAIMED
    assert channel.texts[-1] == "News already"


async def test_after_the_end_nothing_goes_to_the_customer(here: World, channel: FakeChannel) -> None:
    await handed_off(here)
    await here.act(Act.CLAIM, agent=DORA)
    await here.act(Act.RESOLVE, agent=DORA)
    said = await says(here, "One more thing")
    assert (await line(here, said)).direction is Direction.NOTE
    sentence = here.takeover.speech.stayed(await here.case(), DORA, here.clock())
    assert "resolved" in sentence


async def test_a_closed_reply_window_keeps_words_here_and_says_what_is_possible(
    here: World, channel: FakeChannel
) -> None:
    channel.capabilities = replace(
        channel.capabilities, window=timedelta(hours=24), beyond=("Send a template.",)
    )
    await handed_off(here)
    await here.act(Act.CLAIM, agent=DORA)
    here.clock.forward(hours=25)
    said = await says(here, "Are you still there?")
    assert (await line(here, said)).offered
    sentence = here.takeover.speech.stayed(await here.case(), DORA, here.clock())
    assert sentence.endswith("Send a template.")
    with pytest.raises(NotAllowed, match="window"):
        await here.act(Act.REPLY, agent=DORA, text="Hello?")


# ── Changing one's words ────────────────────────────────────────────────────────────────────────


async def test_a_note_whose_prefix_is_taken_away_is_never_sent(here: World, channel: FakeChannel) -> None:
    await handed_off(here)
    await here.act(Act.CLAIM, agent=DORA)
    said = await says(here, "note: she pays late")
    await here.act(Act.EDIT, agent=DORA, message=said, text="she pays late")
    await here.send()
    assert (await line(here, said)).direction is Direction.NOTE
    assert "she pays late" not in channel.texts


async def test_making_a_note_of_what_was_sent_is_refused_aloud(here: World) -> None:
    await handed_off(here)
    await here.act(Act.CLAIM, agent=DORA)
    said = await says(here, "It ships today")
    with pytest.raises(NotAllowed, match="customer may have it"):
        await here.act(Act.EDIT, agent=DORA, message=said, text="note: it ships today")


async def test_a_failed_reply_says_why_under_the_card_and_is_marked(
    here: World, threads: FakeThreads, channel: FakeChannel
) -> None:
    await handed_off(here)
    await here.act(Act.CLAIM, agent=DORA)
    channel.fails(RecipientUnreachable("The customer has blocked the account."))
    said = await says(here, "It ships today")
    await here.send()
    assert threads.marked[said] == ("failed",)
    (fate,) = [post for post in threads.of("threadpost") if post["words"] == ["It ships today"]]
    assert fate["state"] == MessageState.FAILED
    await here.act(Act.RETRY, agent=DORA, message=said)
    for _ in range(2):
        await here.send()
    assert threads.marked[said] == ("sent",)
    (fate,) = [post for post in threads.of("threadpost") if post["words"] == ["It ships today"]]
    assert fate["state"] == MessageState.SENT


async def test_a_note_taken_back_leaves_no_words(here: World) -> None:
    await handed_off(here)
    said = await says(here, "Not for her eyes")
    await here.act(Act.DELETE, agent=DORA, message=said)
    gone = await line(here, said)
    assert (gone.text, gone.deleted_at is not None) == ("", True)


# ── The undo window ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def slow(here: World) -> World:
    here.rules = rules(
        desks=("console", "threads"), copies=("threads",), undo={"threads": timedelta(seconds=20)}
    )
    await handed_off(here)
    await here.act(Act.CLAIM, agent=DORA)
    return here


async def test_a_reply_waits_for_its_undo_window(slow: World, channel: FakeChannel) -> None:
    await says(slow, "It ships today")
    assert "It ships today" not in channel.texts
    slow.clock.forward(seconds=21)
    await slow.send()
    assert channel.texts[-1] == "It ships today"


async def test_a_reply_taken_back_in_time_is_never_sent(slow: World, channel: FakeChannel) -> None:
    said = await says(slow, "It ships today")
    await slow.act(Act.DELETE, agent=DORA, message=said)
    slow.clock.forward(minutes=5)
    await slow.send()
    assert "It ships today" not in channel.texts


async def test_a_reply_that_the_customer_overtook_waits_for_a_look(
    slow: World, threads: FakeThreads, channel: FakeChannel
) -> None:
    said = await says(slow, "It ships today")
    await slow.hear(inbound("I have moved house", "m1"))
    slow.clock.forward(minutes=5)
    await slow.send()
    held = await line(slow, said)
    assert (held.held, held.state) == (True, MessageState.DEFERRED)
    assert "It ships today" not in channel.texts
    await slow.act(Act.SEND_NOW, agent=DORA, message=said)
    await slow.send()
    assert channel.texts[-1] == "It ships today"


async def test_editing_a_held_reply_sends_it_in_its_new_words(slow: World, channel: FakeChannel) -> None:
    said = await says(slow, "It ships today")
    await slow.hear(inbound("I have moved house", "m1"))
    await slow.act(Act.EDIT, agent=DORA, message=said, text="Where to?")
    await slow.send()
    assert channel.texts[-1] == "Where to?"


# ── What a desk tells us ────────────────────────────────────────────────────────────────────────


async def tells(
    here: World, name: str, meant: AgentAction | Gone | None, lane: str = "", **changes: Any
) -> Any:
    desk = here.desks["threads"]
    assert isinstance(desk, FakeThreads)
    desk.means[name] = meant
    case = await here.case()
    event = DeskEvent(
        id=here.new_id(),
        desk="threads",
        external_id=name,
        lane=lane or case.id,
        case=case.id,
        happened_at=changes.pop("happened_at", here.clock()),
        received_at=here.clock(),
    )
    return await here.commit(Changes(writes=(Insert(record=event, scope=f"threads:{event.lane}"),)))


async def saying(here: World, text: str, agent: Agent = DORA) -> AgentAction:
    id = here.new_id()
    case = (await here.case()).id
    return AgentAction(
        id=id, case=case, agent=agent, action=Act.SAY, at=here.clock(), text=text, written=f"threads:{id}"
    )


async def test_a_desks_events_are_done_once_and_in_its_own_order(here: World, channel: FakeChannel) -> None:
    await handed_off(here)
    await here.act(Act.CLAIM, agent=DORA)
    first, second = await saying(here, "One"), await saying(here, "Two")
    now = here.clock()
    await tells(here, "b", second, happened_at=now + timedelta(seconds=1))
    await tells(here, "a", first, happened_at=now)
    assert not isinstance(await tells(here, "a", first), Applied)
    await here.attending.work((await here.case()).id)
    await here.send()
    assert channel.texts[-2:] == ["One", "Two"]
    events = await here.store.find(Query(kind=DeskEvent))
    assert {event.state for event in events} == {EventState.DONE}
    assert all(b"One" not in bytes(event.payload) for event in events)


async def test_whoever_speaks_without_the_case_is_told_once(here: World, threads: FakeThreads) -> None:
    await handed_off(here)
    for name in "ab":
        await tells(here, name, await saying(here, f"I think {name}", EMIL))
    await here.attending.work((await here.case()).id)
    ((who, sentence, offered),) = threads.told
    assert (who, (await line(here, offered)).text) == ("a", "I think a")
    assert "Claim" in sentence


async def test_they_are_told_again_after_it_changed_hands(here: World, threads: FakeThreads) -> None:
    await handed_off(here)
    await tells(here, "a", await saying(here, "I think", EMIL))
    await here.attending.work((await here.case()).id)
    await here.act(Act.CLAIM, agent=DORA)
    await tells(here, "b", await saying(here, "I still think", EMIL))
    await here.attending.work((await here.case()).id)
    assert [who for who, _, _ in threads.told] == ["a", "b"]
    assert "Dora has case" in threads.told[1][1]


async def test_what_is_not_allowed_is_said_to_who_did_it(here: World, threads: FakeThreads) -> None:
    await handed_off(here)
    await here.act(Act.CLAIM, agent=DORA)
    said = await says(here, "It ships today")
    edit = replace(await saying(here, "note: x"), action=Act.EDIT, message=said)
    await tells(here, "a", edit)
    await here.attending.work((await here.case()).id)
    assert "cannot become a note" in threads.told[0][1]


async def test_a_desk_that_cannot_be_asked_is_asked_again(here: World, threads: FakeThreads) -> None:
    await handed_off(here)
    await tells(here, "a", None)
    threads.fails(SendDeferred(AWAY, timedelta(seconds=30)))
    lane = (await here.case()).id
    assert await here.attending.work(lane) == Later(delay=timedelta(seconds=30))
    here.clock.forward(seconds=10)
    assert await here.attending.work(lane) == Later(delay=timedelta(seconds=20))
    here.clock.forward(seconds=21)
    assert await here.attending.work(lane) is None


async def test_what_can_never_be_taken_in_is_said_and_the_lane_goes_on(
    here: World, threads: FakeThreads, channel: FakeChannel
) -> None:
    await handed_off(here)
    await here.act(Act.CLAIM, agent=DORA)
    await tells(here, "a", await saying(here, "Lost"))
    await tells(here, "b", await saying(here, "Kept"))
    threads.fails(*[SendDeferred(AWAY)] * 8)
    for _ in range(10):
        await here.attending.work((await here.case()).id)
        here.clock.forward(minutes=2)
    await here.send()
    assert [who for who, _, _ in threads.told] == ["a"]
    assert channel.texts[-1] == "Kept"


async def test_what_somebody_had_who_left_waits_again(here: World) -> None:
    await handed_off(here)
    await here.act(Act.CLAIM, agent=DORA)
    await tells(here, "left", Gone(agent="U1"))
    await here.attending.work((await here.case()).id)
    assert (await here.case()).state is CaseState.WAITING


# ── Nudges ──────────────────────────────────────────────────────────────────────────────────────


def on_duty(**changes: Any) -> Any:
    departments = {
        "service": Department(name="service", label={"en": "Service"}, fallback="second"),
        "second": Department(name="second", label={"en": "Second line"}),
    }
    routing = (Rule(to="service", ping="here"),)
    known: dict[str, Any] = {"desks": ("console", "threads"), "copies": ("threads",), "routing": routing}
    return rules(departments=departments, **{**known, **changes})


def calls(threads: FakeThreads) -> list[tuple[str, str]]:
    return [(post["ping"], post["words"][0]) for post in threads.of("threadpost") if post["ping"]]


async def test_an_urgent_case_calls_whoever_is_on_duty(here: World, threads: FakeThreads) -> None:
    here.rules = on_duty()
    here.knows("It burns!", understanding("hours", urgency=Urgency(level=Level.CRITICAL, reasons=("fire",))))
    await here.hear(inbound("It burns!", "e1"))
    await here.send()
    ((ping, words),) = calls(threads)
    assert ping == "here"
    assert "critical: fire" in words


async def test_a_case_that_waits_half_its_time_calls_too(here: World, threads: FakeThreads) -> None:
    here.rules = on_duty()
    await handed_off(here)
    assert calls(threads) == []
    here.clock.forward(minutes=16)
    await here.takeover.tick(await here.case())
    await here.send()
    assert [ping for ping, _ in calls(threads)] == ["here"]


async def test_outside_the_hours_only_what_is_critical_calls(here: World, threads: FakeThreads) -> None:
    here.rules = on_duty()
    closed = replace(here.rules.departments["service"], hours=(NIGHT,))
    here.rules = replace(here.rules, departments={"service": closed, "second": closed})
    await handed_off(here)
    assert (await here.case()).remind_at is None
    here.clock.forward(hours=30)
    await here.takeover.tick(await here.case())
    await here.send()
    assert calls(threads) == []


async def test_a_claim_without_a_reply_is_reminded_given_back_and_goes_to_the_fallback(
    here: World, threads: FakeThreads
) -> None:
    here.rules = on_duty()
    await handed_off(here)
    await here.act(Act.CLAIM, agent=DORA)
    seen = []
    for _ in range(6):
        here.clock.forward(minutes=8)
        await here.takeover.tick(await here.case())
        await here.send()
        case = await here.case()
        seen.append((case.state, case.department))
    assert seen[0] == (CaseState.CLAIMED, "service")
    assert seen[-1] == (CaseState.WAITING, "second")
    assert ("owner", "Dora, the customer is still waiting for a reply; the case goes back soon.") in calls(
        threads
    )


async def test_fifty_claims_at_once_make_one_owner(here: World) -> None:
    await handed_off(here)
    agents = [Agent(id=f"U{n}", name=f"Agent {n}", desk="threads") for n in range(50)]
    results = await asyncio.gather(
        *(here.act(Act.CLAIM, agent=agent) for agent in agents), return_exceptions=True
    )
    winners = [result for result in results if not isinstance(result, BaseException)]
    assert len(winners) == 1
    owner = (await here.case()).owner
    assert owner
    assert all(owner.name in str(error) for error in results if isinstance(error, BaseException))
