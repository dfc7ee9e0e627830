"""From received to answered or handed over: the promises, on a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from bot import worker as loops
from bot.domain.actions import Act
from bot.domain.answers import Mode
from bot.domain.cases import CaseState, Reason
from bot.domain.customers import Customer
from bot.domain.errors import (
    LookupFailed,
    NotAllowed,
    RecipientUnreachable,
    SendDeferred,
    SendInDoubt,
    SendRejected,
    TooLate,
)
from bot.domain.journal import Did
from bot.domain.messages import Attachment, AttachmentKind, Direction, EventKind, MessageState, Press
from bot.domain.ports import Changes, Delete, Work
from bot.services import reporting
from tests.builders import ADA, BEN, HERE, answer, book, inbound, policy, understanding
from tests.fakes.channel import AskableChannel, FakeChannel
from tests.world import World, until, world


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


# ── Once, in order, together ────────────────────────────────────────────────────────────────────


async def test_a_question_is_answered(here: World) -> None:
    await here.hear(inbound("When are you open?"))
    assert here.channel.texts == ["About hours."]
    assert [line.direction for line in await here.transcript()] == [Direction.IN, Direction.OUT]


async def test_the_same_event_ten_times_at_once_is_one_message_and_one_answer(here: World) -> None:
    ids = await asyncio.gather(*(here.receive(inbound("When are you open?")) for _ in range(10)))
    await here.answer()
    await here.send()
    assert here.channel.texts == ["About hours."]
    assert len({one for (one,) in ids}) == 1
    stats = await here.reporting.stats()
    assert (stats["received"], stats["duplicate"], stats["stored"]) == (10, 9, 1)


async def test_first_messages_at_once_make_one_customer_and_one_case(here: World) -> None:
    await asyncio.gather(*(here.receive(inbound("Hmm", f"e{number}")) for number in range(20)))
    await here.answer()
    assert len(await here.cases()) == 1
    assert len(await here.transcript()) == 20 + 1


async def test_two_workers_on_one_lane_answer_once(here: World) -> None:
    await here.receive(inbound("When are you open?"))
    (event,) = await here.events("pending")
    await asyncio.gather(*(here.make_answering().work(event.lane) for _ in range(5)))
    await here.send()
    assert here.channel.texts == ["About hours."]


async def test_twenty_short_messages_that_waited_are_one_turn_and_long_ones_are_not(here: World) -> None:
    await here.receive(*(inbound(f"{number}", f"s{number}") for number in range(20)))
    await here.answer()
    assert len(await here.did(Did.UNDERSTOOD)) == 1
    await here.receive(*(inbound("x" * 150_000, f"l{number}") for number in range(3)))
    await here.answer()
    assert len(await here.did(Did.UNDERSTOOD)) == 4
    assert len(await here.transcript()) >= 23


async def test_what_waits_in_a_lane_is_answered_together(here: World) -> None:
    await here.hear(inbound("Hi", "e1"), inbound("a question", "e2"), inbound("When are you open?", "e3"))
    assert here.channel.texts == ["About hours."]


async def test_messages_are_kept_in_the_order_received(here: World) -> None:
    texts = [f"message {number}" for number in range(30)]
    await here.receive(*(inbound(text, text) for text in texts))
    await here.answer()
    said = [line.text for line in await here.transcript() if line.direction is Direction.IN]
    assert said == texts


async def test_a_greeting_waits_a_breath_for_its_question(here: World) -> None:
    await here.receive(inbound("Hi", "e1"))
    (event,) = await here.events("pending")
    patient = here.make_answering()
    patient._patience = timedelta(seconds=2)
    later = await patient.work(event.lane)
    assert later is not None
    assert later.delay == timedelta(seconds=2)
    await here.receive(inbound("When are you open?", "e2"))
    assert await patient.work(event.lane) is None
    await here.send()
    assert here.channel.texts == ["About hours."]


async def test_a_clock_that_is_set_back_holds_up_nobody(here: World) -> None:
    here.answering._patience = timedelta(seconds=2)
    await here.receive(inbound("Hi", "e1"))
    here.clock.forward(hours=-1)
    await here.answer()
    here.clock.forward(hours=-1)
    assert await here.send() is None
    assert here.channel.texts == ["About greeting."]


async def test_a_start_takes_up_what_was_received_under_a_clock_ahead(here: World) -> None:
    await here.receive(inbound("When are you open?"))
    here.queue = type(here.queue)()  # another process, which nobody woke
    here.clock.forward(hours=-1)
    worker = here.make_worker()
    await worker.start()
    await until(lambda: _answered(here))
    await worker.stop()


async def test_a_question_does_not_wait_for_a_breath(here: World) -> None:
    await here.receive(inbound("When are you open?"))
    (event,) = await here.events("pending")
    here.answering._patience = timedelta(seconds=2)
    assert await here.answering.work(event.lane) is None


# ── Lookups and slots ───────────────────────────────────────────────────────────────────────────


async def test_a_number_in_the_question_is_looked_up(here: World) -> None:
    await here.hear(inbound("Where is my parcel 4711?"))
    assert here.channel.texts == ["4711 is on its way."]


async def test_a_number_may_come_alone_in_the_next_message(here: World) -> None:
    await here.hear(inbound("Where is my parcel?", "e1"))
    await here.hear(inbound("4711", "e2"))
    assert here.channel.texts == ["Which order number?", "4711 is on its way."]


async def test_a_lookup_that_fails_brings_the_case_to_a_person_and_the_log_says_why(here: World) -> None:
    here.lookups.error = LookupFailed("the order service did not answer within 2 s")
    with capture_logs() as lines:
        await here.hear(inbound("Where is my parcel 4711?"))
    (line,) = [line for line in lines if line["event"] == "lookup.failed"]
    assert (line["lookup"], line["why"]) == ("order", "the order service did not answer within 2 s")
    case = await here.case()
    assert case.state is CaseState.WAITING
    assert case.handoff
    assert case.handoff.reason is Reason.LOOKUP_FAILED
    assert "2 s" in case.handoff.detail


async def test_a_broken_answer_never_loses_the_message(tmp_path: Path) -> None:
    broken = policy(book=book(answer("hours", text={"en": "Until {closing}."})))
    async with world(tmp_path, policy_=broken) as here:
        await here.hear(inbound("When are you open?"))
        case = await here.case()
        assert case.handoff
        assert case.handoff.reason is Reason.ANSWER_FAILED
        assert "closing" in case.handoff.detail


async def test_without_an_engine_a_person_comes_and_nobody_is_asked_to_say_it_again(here: World) -> None:
    here.engine.away = True
    await here.hear(inbound("When are you open?"))
    case = await here.case()
    assert case.handoff
    assert case.handoff.reason is Reason.ANSWER_FAILED
    assert len(here.channel.texts) == 1


# ── Handoff ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_handoff_is_state_word_and_card_in_one_transaction(here: World) -> None:
    await here.receive(inbound("A person please"))
    await here.answer()
    case, rows = await here.case(), await here.rows()
    assert case.state is CaseState.WAITING
    assert [(row.destination, row.posting) for row in rows] == [("channel", "message"), ("desk", "card")]
    assert len(await here.did(Did.HANDED_OFF)) == 1
    assert len(await here.did(Did.PROMISED)) == 1


async def test_the_department_follows_the_intent(here: World) -> None:
    here.knows("I write for a newspaper", understanding("press"))
    await here.hear(inbound("I write for a newspaper"))
    case = await here.case()
    assert case.department == "press"
    assert here.channel.texts == ["A colleague of Press answers within 30 minutes."]


async def test_while_people_have_a_case_the_bot_is_silent(here: World) -> None:
    await here.hear(inbound("A person please", "e1"))
    await here.act(Act.CLAIM)
    await here.hear(inbound("When are you open?", "e2"))
    assert len(here.channel.texts) == 1
    assert (await here.transcript())[-1].text == "When are you open?"


async def test_taking_over_cancels_what_the_bot_has_not_sent(here: World) -> None:
    await here.receive(inbound("When are you open?"))
    await here.answer()
    await here.act(Act.CLAIM)
    await here.send()
    assert here.channel.texts == []
    assert [line.state for line in await here.transcript()][-1] is MessageState.CANCELLED


async def test_fifty_clicks_on_claim_make_one_owner(here: World) -> None:
    await here.hear(inbound("A person please"))
    agents = [replace(ADA, id=f"a{number}", name=f"Agent {number}") for number in range(50)]
    results = await asyncio.gather(
        *(here.act(Act.CLAIM, agent=agent) for agent in agents), return_exceptions=True
    )
    winners = [one for one in results if not isinstance(one, BaseException)]
    assert len(winners) == 1
    assert all(isinstance(one, TooLate) for one in results if isinstance(one, BaseException))
    assert (await here.case()).owners == (winners[0].owner.name,)  # type: ignore[union-attr]


async def test_the_same_action_twice_is_one_action(here: World) -> None:
    await here.hear(inbound("A person please"))
    await here.act(Act.CLAIM)
    await asyncio.gather(*(here.act(Act.REPLY, id="click", text="Hello!") for _ in range(5)))
    await here.send()
    assert here.channel.texts.count("Hello!") == 1


async def test_only_the_owner_speaks(here: World) -> None:
    await here.hear(inbound("A person please"))
    with pytest.raises(NotAllowed, match="Claim case"):
        await here.act(Act.REPLY, text="Hello!")
    await here.act(Act.CLAIM)
    with pytest.raises(NotAllowed, match="Ada has case"):
        await here.act(Act.REPLY, agent=BEN, text="Hello!")


async def test_a_note_is_never_sent(here: World) -> None:
    await here.hear(inbound("A person please"))
    await here.act(Act.NOTE, agent=BEN, text="He called before.")
    await here.send()
    assert "He called before." not in here.channel.texts
    assert (await here.transcript())[-1].direction is Direction.NOTE


async def test_a_reply_reaches_the_customer_and_stops_the_clock(here: World) -> None:
    await here.hear(inbound("A person please"))
    await here.act(Act.CLAIM)
    case = await here.act(Act.REPLY, text="Here I am.")
    await here.send()
    assert here.channel.texts[-1] == "Here I am."
    assert (case.lease, case.waiting_since) == (None, None)


async def test_after_a_return_to_the_bot_the_bot_answers_again(here: World) -> None:
    await here.hear(inbound("A person please", "e1"))
    await here.act(Act.RETURN_TO_BOT)
    await here.hear(inbound("When are you open?", "e2"))
    assert here.channel.texts[-1] == "About hours."


async def test_a_move_keeps_owner_history_and_waits_there(here: World) -> None:
    await here.hear(inbound("A person please"))
    await here.act(Act.CLAIM)
    case = await here.act(Act.MOVE, department="press")
    assert (case.state, case.department, case.owners) == (CaseState.WAITING, "press", ("Ada",))


async def test_a_relabel_is_kept_as_a_label(here: World) -> None:
    await here.hear(inbound("A person please"))
    await here.act(Act.RELABEL, intent="returns")
    (label,) = await here.reporting.labels()
    assert (label.intent, label.was, label.author) == ("returns", "", "ada")


async def test_customers_are_told_what_it_usually_takes(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many cases the bot ended by itself in between."""
    monkeypatch.setattr(reporting, "SAMPLE", 6)
    for number in range(6):
        who = replace(HERE, user=f"u{number}", chat=f"u{number}")
        await here.hear(inbound("A person please", f"e{number}", address=who))
        here.clock.forward(minutes=4)
        case = (await here.cases())[-1]
        await here.act(Act.CLAIM, case=case.id)
        await here.act(Act.REPLY, case=case.id, text="Here I am.")
    for number in range(6, 13):
        who = replace(HERE, user=f"u{number}", chat=f"u{number}")
        await here.hear(inbound("When are you open?", f"e{number}", address=who))
    await here.hear(inbound("A person please", "last", address=replace(HERE, user="last", chat="last")))
    assert here.channel.texts[-1] == "A colleague of Service answers within 5 minutes."


# ── Reopening ───────────────────────────────────────────────────────────────────────────────────


async def test_thanks_after_the_end_reopen_nothing(here: World) -> None:
    await here.hear(inbound("A person please", "e1"))
    await here.act(Act.CLAIM)
    await here.act(Act.RESOLVE, outcome="solved")
    await here.hear(inbound("Thanks!", "e2"))
    assert (await here.case()).state is CaseState.RESOLVED
    assert (await here.transcript())[-1].text == "Thanks!"


async def test_going_on_with_a_persons_case_reopens_it_for_people(here: World) -> None:
    await here.hear(inbound("A person please", "e1"))
    await here.act(Act.CLAIM)
    await here.act(Act.RESOLVE)
    await here.hear(inbound("It still does not work", "e2"))
    case = await here.case()
    assert case.state is CaseState.WAITING
    assert case.handoff
    assert case.handoff.reason is Reason.REOPENED
    assert here.channel.texts[-1] == "Welcome back, Service knows your case."
    assert case.last_owner == ADA


async def test_long_after_the_end_a_new_case_knows_the_old_one(here: World) -> None:
    await here.hear(inbound("When are you open?", "e1"))
    await here.act(Act.RESOLVE)
    here.clock.forward(days=8)
    await here.hear(inbound("Can I return it?", "e2"))
    old, new = await here.cases()
    assert new.previous == old.id


async def test_another_question_after_a_persons_case_goes_to_its_own_department(here: World) -> None:
    await here.hear(inbound("A person please", "e1"))
    await here.act(Act.CLAIM)
    await here.act(Act.RESOLVE)
    here.knows("I write for a newspaper", understanding("press"))
    await here.hear(inbound("I write for a newspaper", "e2"))
    assert (await here.case()).department == "press"


async def test_going_on_with_a_case_stays_where_people_put_it(here: World) -> None:
    await here.hear(inbound("A person please", "e1"))
    await here.act(Act.CLAIM)
    await here.act(Act.MOVE, department="press")
    await here.act(Act.CLAIM)
    await here.act(Act.RESOLVE)
    await here.hear(inbound("It still does not work", "e2"))
    assert (await here.case()).department == "press"


async def test_a_second_matter_names_the_department_whose_business_it_is(here: World) -> None:
    await here.hear(inbound("A person please", "e1"))
    here.knows("I write for a newspaper", understanding("press"))
    await here.hear(inbound("I write for a newspaper", "e2"))
    case = await here.case()
    assert case.department == "service"
    assert [(matter.intent, matter.department) for matter in case.matters] == [("press", "press")]


# ── What the journal says ───────────────────────────────────────────────────────────────────────


async def test_a_question_is_in_the_journal_once_with_its_slot(here: World) -> None:
    await here.hear(inbound("Where is my parcel?", "e1"))
    await here.hear(inbound("Hi", "e2"))
    (asked, again) = await here.did(Did.ASKED)
    assert (asked.attributes["slot"], again.attributes["slot"]) == ("order_number", "order_number")
    await here.hear(inbound("", "e3", kind=EventKind.PRESS, press=Press(question="q0", choice="hours")))
    assert len(await here.did(Did.ASKED)) == 2


async def test_a_notice_is_no_answer(here: World) -> None:
    await here.hear(inbound("A person please", "e1"))
    here.clock.forward(minutes=11)
    await here.hear(inbound("Hello?", "e2"))
    assert here.channel.texts[-1] == "Still waiting."
    assert await here.did(Did.ANSWERED) == []


async def test_whoever_wakes_a_case_is_in_the_journal(here: World) -> None:
    await here.hear(inbound("A person please", "e1"))
    await here.act(Act.CLAIM)
    await here.act(Act.SNOOZE, until=here.clock() + timedelta(days=1))
    await here.hear(inbound("Hello?", "e2"))
    (woken,) = await here.did(Did.WOKEN)
    assert woken.actor == "customer"
    assert (await here.case()).lease is not None


# ── Sending ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_deferred_message_is_sent_later_and_overtaken_by_none(here: World) -> None:
    here.channel.fails(SendDeferred("slow down", timedelta(seconds=7)))
    await here.hear(inbound("When are you open?", "e1"))
    await here.hear(inbound("Can I return it?", "e2"))
    assert here.channel.texts == []
    here.clock.forward(seconds=8)
    await here.send()
    assert here.channel.texts == ["About hours.", "About returns."]


async def test_a_refused_answer_is_visible_and_brings_a_person(here: World) -> None:
    here.channel.fails(SendRejected("text not allowed"))
    await here.hear(inbound("When are you open?"))
    failed = (await here.transcript())[1]
    assert (failed.state, failed.reason) == (MessageState.FAILED, "text not allowed")
    case = await here.case()
    assert case.handoff
    assert case.handoff.reason is Reason.SEND_FAILED


async def test_retry_really_sends_again(here: World) -> None:
    await here.hear(inbound("A person please"))
    await here.act(Act.CLAIM)
    here.channel.fails(SendRejected("nope"))
    await here.act(Act.REPLY, text="Hello!")
    await here.send()
    assert "Hello!" not in here.channel.texts
    message = (await here.transcript())[-1]
    await here.act(Act.RETRY, message=message.id)
    await here.send()
    assert here.channel.texts[-1] == "Hello!"
    assert (await here.transcript())[-1].state is MessageState.SENT


async def test_nine_failures_in_a_row_are_a_failure(here: World) -> None:
    for _ in range(20):
        here.channel.fails(SendDeferred("500"))
    await here.hear(inbound("When are you open?"))
    for _ in range(20):
        here.clock.forward(minutes=6)
        await here.send()
    assert (await here.transcript())[1].state is MessageState.FAILED
    assert here.channel.attempts >= 9


async def test_a_blocked_customer_is_marked_unreachable(here: World) -> None:
    await here.hear(inbound("A person please"))
    await here.act(Act.CLAIM)
    here.channel.fails(RecipientUnreachable("blocked by the user"))
    await here.act(Act.REPLY, text="Hello?")
    await here.send()
    assert (await here.transcript())[-1].reason == "blocked by the user"


async def test_a_bots_answer_in_doubt_is_sent_once_more_and_the_journal_says_so(here: World) -> None:
    here.channel.fails(SendInDoubt("timed out"), arrives=True)
    await here.hear(inbound("When are you open?"))
    assert here.channel.texts == ["About hours.", "About hours."]
    (sent,) = await here.did(Did.SENT)
    assert sent.attributes["resent"] is True
    assert len(await here.did(Did.DOUBTED)) == 1


async def test_an_agents_reply_in_doubt_waits_for_the_agent(here: World) -> None:
    await here.hear(inbound("A person please"))
    await here.act(Act.CLAIM)
    here.channel.fails(SendInDoubt("timed out"), arrives=True)
    await here.act(Act.REPLY, text="Hello!")
    await here.send()
    message = (await here.transcript())[-1]
    assert message.state is MessageState.IN_DOUBT
    await here.act(Act.ARRIVED, message=message.id)
    assert (await here.transcript())[-1].state is MessageState.SENT
    assert here.channel.texts.count("Hello!") == 1


async def test_where_one_can_ask_nothing_is_sent_twice(tmp_path: Path) -> None:
    async with world(tmp_path, channel=AskableChannel()) as here:
        here.channel.fails(SendInDoubt("timed out"), arrives=True)
        await here.hear(inbound("When are you open?"))
        assert here.channel.texts == ["About hours."]
        assert (await here.transcript())[1].state is MessageState.SENT


async def test_a_message_in_parts_goes_on_where_it_stopped(tmp_path: Path) -> None:
    async with world(tmp_path, channel=FakeChannel(parts=3)) as here:
        here.channel.before_send = lambda: (
            here.channel.fails(SendDeferred("later")) if here.channel.attempts == 2 else None
        )
        await here.hear(inbound("When are you open?"))
        here.clock.forward(minutes=1)
        await here.send()
        assert here.channel.texts == ["About hours./0", "About hours./1", "About hours./2"]


async def test_an_old_answer_is_not_sent_silently(here: World) -> None:
    await here.receive(inbound("When are you open?"))
    await here.answer()
    here.clock.forward(hours=7)
    await here.send()
    await here.send()
    assert "About hours." not in here.channel.texts
    case = await here.case()
    assert case.handoff
    assert case.handoff.reason is Reason.STALE


async def test_an_old_message_gets_an_apology_and_a_person(here: World) -> None:
    await here.receive(inbound("Hi"))
    here.clock.forward(days=1)
    await here.answer()
    await here.send()
    assert here.channel.texts[0] == "Sorry for the long silence."
    assert (await here.case()).state is CaseState.WAITING


# ── Poison, receipts, edits ─────────────────────────────────────────────────────────────────────


async def test_a_poison_event_is_parked_with_a_person_and_the_lane_goes_on(here: World) -> None:
    here.engine.breaks = True
    await here.receive(inbound("boom", "e1"))
    for _ in range(5):
        await here.answer()
    here.engine.breaks = False
    case = await here.case()
    assert case.handoff
    assert case.handoff.reason is Reason.PARKED
    assert (await here.transcript())[0].text == "boom"
    assert len(await here.events("parked")) == 1
    await here.hear(inbound("still there?", "e2"))
    assert (await here.transcript())[-1].text == "still there?"


async def test_an_event_whose_customer_is_gone_does_not_hold_up_its_lane(here: World) -> None:
    await here.receive(inbound("Hi", "e1"))
    (event,) = await here.events("pending")
    await here.store.apply(Changes(writes=(Delete(kind=Customer, id=event.lane),)))
    for _ in range(5):
        await here.answer()
    assert await here.events("pending") == []
    assert len(await here.events("parked")) == 1


async def test_receipts_move_a_message_on_and_never_back(here: World) -> None:
    await here.hear(inbound("When are you open?", "e1"))
    ours = (await here.transcript())[1]
    read = inbound("", "r1", kind=EventKind.READ, refers_to=ours.id)
    delivered = inbound("", "d1", kind=EventKind.DELIVERED, refers_to=ours.id)
    await here.hear(read, delivered)
    assert (await here.transcript())[1].state is MessageState.READ


async def test_a_read_message_says_the_same_of_those_before_it(here: World) -> None:
    await here.hear(inbound("When are you open?", "e1"))
    await here.hear(inbound("Can I return it?", "e2"))
    last = (await here.transcript())[-1]
    await here.hear(inbound("", "r1", kind=EventKind.READ, refers_to=last.id))
    ours = [line.state for line in await here.transcript() if line.direction is Direction.OUT]
    assert ours == [MessageState.READ, MessageState.READ]


async def test_a_receipt_for_somebody_elses_message_changes_nothing(here: World) -> None:
    await here.hear(inbound("When are you open?", "e1"))
    ours = (await here.transcript())[1]
    stranger = replace(HERE, user="u2", chat="u2")
    await here.hear(inbound("", "r1", kind=EventKind.READ, refers_to=ours.id, address=stranger))
    assert (await here.transcript())[1].state is MessageState.SENT


async def test_an_edit_changes_the_line(here: World) -> None:
    await here.hear(inbound("When are you open?", "e1"))
    await here.hear(inbound("When do you open?", "e2", kind=EventKind.EDIT, refers_to="e1"))
    assert (await here.transcript())[0].text == "When do you open?"


async def test_a_kind_nobody_knows_is_stored_and_done(here: World) -> None:
    await here.hear(inbound("", "e1", kind=EventKind.UNKNOWN))
    assert len(await here.events("done")) == 1
    assert await here.cases() == []


async def test_a_photo_without_words_is_said_to_be_unreadable_once(here: World) -> None:
    photo = (Attachment(kind=AttachmentKind.IMAGE, name="p.jpg"),)
    await here.hear(inbound("", "e1", attachments=photo))
    assert here.channel.texts == ["I cannot read that."]
    await here.hear(inbound("", "e2", attachments=photo))
    assert (await here.case()).state is CaseState.WAITING


async def test_a_button_is_pressed(here: World) -> None:
    await here.hear(inbound("Hmm", "e1"))
    asked = (await here.transcript())[1]
    press = Press(question=asked.question, choice="returns")
    await here.hear(inbound("Returns?", "e2", kind=EventKind.PRESS, press=press))
    assert here.channel.texts[-1] == "About returns."


# ── Time ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_claim_without_a_reply_is_reminded_and_then_goes_back(here: World) -> None:
    await here.hear(inbound("A person please"))
    await here.act(Act.CLAIM)
    here.clock.forward(minutes=11)
    await here.takeover.tick(await here.case())
    assert (await here.case()).owner == ADA
    here.clock.forward(minutes=5)
    await here.takeover.tick(await here.case())
    case = await here.case()
    assert (case.state, case.owner) == (CaseState.WAITING, None)


async def test_a_passed_promise_is_said_once(here: World) -> None:
    await here.hear(inbound("A person please"))
    here.clock.forward(minutes=31)
    worker = here.make_worker()
    await worker.tick()
    await worker.tick()
    await here.send()
    assert here.channel.texts.count("Sorry, it takes longer.") == 1


async def test_a_passed_promise_brings_the_case_to_the_fallback(here: World) -> None:
    known = here.rules.departments
    covered = {**known, "press": replace(known["press"], fallback="service")}
    here.rules = replace(here.rules, departments=covered)
    here.knows("I write for a newspaper", understanding("press"))
    await here.hear(inbound("I write for a newspaper"))
    here.clock.forward(minutes=31)
    await here.make_worker().tick()
    assert (await here.case()).department == "service"
    (moved,) = await here.did(Did.MOVED)
    assert moved.attributes["before"] == "press"


async def test_an_idle_bot_case_is_resolved(here: World) -> None:
    await here.hear(inbound("When are you open?"))
    here.clock.forward(hours=25)
    await here.make_worker().tick()
    assert (await here.case()).outcome == "idle"


async def test_a_snoozed_case_comes_back_to_its_agent(here: World) -> None:
    await here.hear(inbound("A person please"))
    await here.act(Act.CLAIM)
    await here.act(Act.SNOOZE, until=here.clock() + timedelta(hours=1))
    here.clock.forward(hours=1, seconds=1)
    await here.make_worker().tick()
    case = await here.case()
    assert (case.state, case.owner) == (CaseState.CLAIMED, ADA)


async def test_what_an_agent_who_left_had_waits_for_somebody_again(here: World) -> None:
    await here.hear(inbound("A person please"))
    await here.act(Act.CLAIM)
    assert await here.takeover.give_back("ben", "Ben left.") == 0
    assert await here.takeover.give_back("ada", "Ada left.") == 1
    case = await here.case()
    assert (case.state, case.owner) == (CaseState.WAITING, None)
    assert (await here.transcript())[-1].text == "Ada left."


# ── The loops ───────────────────────────────────────────────────────────────────────────────────


async def test_a_worker_answers_by_itself_and_stops_gracefully(here: World) -> None:
    worker = here.make_worker()
    await worker.start()
    await here.receive(inbound("When are you open?"))
    await until(lambda: _arrived(here, 1))
    await worker.stop()
    assert here.channel.texts == ["About hours."]


async def test_losing_every_wake_up_loses_nothing(here: World) -> None:
    await here.receive(inbound("When are you open?"))
    here.queue = type(here.queue)()  # the ledger goes on waking the old one
    worker = here.make_worker()
    await worker.start()

    async def swept_and_arrived() -> bool:
        await worker.sweep(timedelta())
        return await _arrived(here, 1)

    await until(swept_and_arrived)
    await worker.stop()
    assert here.channel.texts == ["About hours."]


async def test_what_cannot_be_done_yet_hides_nothing_whose_wake_up_was_lost(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "SWEEP", 3)
    for n in range(7):
        address = replace(HERE, user=f"u{n}", chat=f"c{n}")
        await here.receive(inbound("When are you open?", f"e{n}", address=address))
        here.clock.forward(seconds=1)
    here.queue = type(here.queue)()
    worker = here.make_worker()  # it has not started, so that nothing gets done
    for _ in range(3):
        await worker.sweep(timedelta())
    async with asyncio.timeout(2):
        lanes = {(await here.queue.take(Work.LANE)).key for _ in range(7)}
    assert lanes == {event.lane for event in await here.events("pending")}


async def _answered(here: World) -> bool:
    return bool(await here.rows())


async def _arrived(here: World, many: int) -> bool:
    return len(here.channel.arrived) >= many


async def test_human_mode_is_respected_for_every_intent_marked_so(tmp_path: Path) -> None:
    async with world(tmp_path, policy_=policy(book=book(answer("hours", mode=Mode.HUMAN)))) as here:
        await here.hear(inbound("When are you open?"))
        assert (await here.case()).state is CaseState.WAITING


async def test_a_case_outlives_its_department(here: World) -> None:
    """Somebody takes a department out of the configuration while people wait in it."""
    here.knows("I write for a newspaper", understanding("press"))
    await here.hear(inbound("I write for a newspaper"))
    here.rules = replace(here.rules, departments={"service": here.rules.departments["service"]})
    await here.act(Act.CLAIM)
    here.clock.forward(minutes=16)
    await here.takeover.tick(await here.case())
    assert (await here.case()).department == "press"
    await here.act(Act.MOVE, department="service")
