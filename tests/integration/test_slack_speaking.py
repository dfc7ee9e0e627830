"""Claim to speak, in Slack: whose words reach the customer, whose stay, and what each of them is told."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from bot.domain.actions import Act
from bot.domain.cases import CaseState
from bot.domain.desks import DeskEvent
from bot.domain.errors import SendDeferred, SendInDoubt
from bot.domain.messages import Direction, MessageState
from bot.domain.ports import Query
from handoff.desks.slack.settings import AgentSetting
from tests.fakes.channel import FilesChannel
from tests.fakes.slack_workspace import File, Person
from tests.slack import (
    ADA,
    BEN,
    BILLING,
    CLEO,
    DEFAULT,
    Office,
    buttons,
    deletes,
    edits,
    hint,
    marks,
    office,
    silently,
)

GUESTS = ("U0GUEST", "U0SINGLE", "U0STRANGER")
MACHINES = ("U0OTHERBOT", "U0WORKFLOW")
TABLE = {ADA: AgentSetting(name="Ada L."), **{who: AgentSetting() for who in (*GUESTS, *MACHINES, "U0GONE")}}


@pytest.fixture
def channel() -> FilesChannel:
    return FilesChannel()


@pytest.fixture
async def desk(tmp_path: Path, channel: FilesChannel) -> AsyncIterator[Office]:
    async with office(tmp_path, channel=channel) as made:
        yield made


# ── Whose words go ──────────────────────────────────────────────────────────────────────────────


async def test_the_claimers_words_reach_the_customer_and_are_marked(
    desk: Office, channel: FilesChannel
) -> None:
    await desk.claimed(ADA)
    said = await desk.say(ADA, "It ships today")
    assert channel.texts[-1] == "It ships today"
    assert marks(desk, said) == {"white_check_mark"}
    assert desk.whispers(ADA) == []


async def test_a_colleagues_words_are_a_note_and_they_hear_so_once(
    desk: Office, channel: FilesChannel
) -> None:
    await desk.claimed(ADA)
    notes = [await desk.say(BEN, text) for text in ("She is a regular", "And she pays")]
    assert [(await desk.line(note)).direction for note in notes] == [Direction.NOTE] * 2
    assert [marks(desk, note) for note in notes] == [{"memo"}] * 2
    (told,) = desk.whispers(BEN)
    assert "Ada has case" in told
    assert not {"She is a regular", "And she pays"} & set(channel.texts)


async def test_before_a_claim_everybodys_words_are_notes(desk: Office, channel: FilesChannel) -> None:
    await desk.handed_off()
    for user in (ADA, BEN):
        note = await desk.say(user, "Who takes this one?")
        assert marks(desk, note) == {"memo"}
        assert buttons(hint(desk, user).blocks) == ["claim_and_send"]
    assert "Who takes this one?" not in channel.texts


async def test_claim_and_send_this_claims_and_sends_what_was_said(
    desk: Office, channel: FilesChannel
) -> None:
    await desk.handed_off()
    said = await desk.say(ADA, "It ships today")
    await desk.slack.clicks_ephemeral(ADA, hint(desk, ADA), "claim_and_send")
    await desk.settle()
    assert (await desk.case()).owner_id == ADA
    assert channel.texts[-1] == "It ships today"
    assert marks(desk, said) == {"white_check_mark"}


async def test_claim_and_send_pressed_twice_sends_once(desk: Office, channel: FilesChannel) -> None:
    await desk.handed_off()
    await desk.say(ADA, "It ships today")
    offer = hint(desk, ADA)
    for _ in range(2):
        await desk.slack.clicks_ephemeral(ADA, offer, "claim_and_send")
        await desk.settle()
    assert channel.texts.count("It ships today") == 1
    (told,) = desk.whispers(ADA)
    assert "sent or taken back already" in told, "and the offer is gone"


async def test_claim_and_send_is_too_late_when_somebody_was_faster(
    desk: Office, channel: FilesChannel
) -> None:
    await desk.handed_off()
    said = await desk.say(ADA, "It ships today")
    offer = hint(desk, ADA)
    await desk.click(BEN, "claim")
    await desk.slack.clicks_ephemeral(ADA, offer, "claim_and_send")
    await desk.settle()
    refusal = hint(desk, ADA)
    assert ("Ben" in refusal.text, refusal.thread_ts) == (True, desk.card.ts)
    assert "It ships today" not in channel.texts
    assert marks(desk, said) == {"memo"}


async def test_they_are_told_again_after_the_case_changed_hands(desk: Office) -> None:
    await desk.claimed(ADA)
    await desk.say(BEN, "I think")
    await desk.click(ADA, "release")
    await desk.say(BEN, "I still think")
    await desk.click(CLEO, "claim")
    await desk.say(BEN, "And now?")
    told = desk.whispers(BEN)
    assert len(told) == 3
    assert ["Ada" in told[0], "Cleo" in told[2]] == [True, True]


@pytest.mark.parametrize("prefix", ["note: ", "Note:", ";; ", ";;", "notiz: ", "  NOTIZ:\n"])
async def test_the_claimers_note_stays_internal(desk: Office, channel: FilesChannel, prefix: str) -> None:
    await desk.claimed(ADA)
    before = list(channel.texts)
    note = await desk.say(ADA, f"{prefix}she pays late")
    line = await desk.line(note)
    assert (line.direction, line.text, line.offered) == (Direction.NOTE, "she pays late", False)
    assert marks(desk, note) == {"memo"}
    assert (channel.texts, desk.whispers(ADA)) == (before, [])


async def test_a_bold_prefix_is_a_prefix(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    bold = {"type": "text", "text": "note:", "style": {"bold": True}}
    section = {"type": "rich_text_section", "elements": [bold, {"type": "text", "text": " she pays late"}]}
    note = await desk.say(ADA, "*note:* she pays late", blocks=[{"type": "rich_text", "elements": [section]}])
    assert (await desk.line(note)).direction is Direction.NOTE
    assert not any("pays late" in text for text in channel.texts)


async def test_a_reply_after_the_end_stays_here_and_says_so(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    await desk.here.act(Act.RESOLVE, agent=(await desk.case()).owner)
    await desk.settle()
    note = await desk.say(ADA, "One more thing")
    assert marks(desk, note) == {"memo"}
    assert "resolved" in desk.whispers(ADA)[-1]
    assert "One more thing" not in channel.texts


async def test_the_owner_who_speaks_wakes_a_case_that_sleeps(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    owner = (await desk.case()).owner
    await desk.here.act(Act.SNOOZE, agent=owner, until=desk.here.clock() + timedelta(days=1))
    await desk.say(ADA, "News already")
    assert channel.texts[-1] == "News already"
    assert (await desk.case()).state is CaseState.CLAIMED


async def test_words_under_an_earlier_card_count_for_the_case(desk: Office, channel: FilesChannel) -> None:
    first = await desk.claimed(ADA)
    await desk.here.act(Act.MOVE, agent=(await desk.case()).owner, department="press")
    await desk.settle()
    second = desk.card
    assert (first.channel, second.channel) == (DEFAULT, BILLING)
    await desk.click(ADA, "claim", second)
    said = await desk.slack.says(ADA, "It ships today", thread=first)
    await desk.settle()
    assert channel.texts[-1] == "It ships today"
    assert marks(desk, said) == {"white_check_mark"}


async def test_words_under_an_earlier_card_are_shown_where_the_case_goes_on(desk: Office) -> None:
    first = await desk.claimed(ADA)
    await desk.here.act(Act.MOVE, agent=(await desk.case()).owner, department="press")
    await desk.settle()
    await desk.slack.says(BEN, "She called me, too", thread=first)
    await desk.settle()
    assert "She called me, too" in desk.thread(desk.card)[-1]


# ── Who never speaks ────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=["all_members", TABLE], ids=["all members", "a table"])
async def strict(request: Any, tmp_path: Path, channel: FilesChannel) -> AsyncIterator[Office]:
    async with office(tmp_path, channel=channel, agents=request.param) as made:
        made.slack.workspace.channels[DEFAULT].members |= {*GUESTS, *MACHINES}
        yield made


@pytest.mark.parametrize("who", GUESTS)
async def test_guests_and_strangers_are_told_once_and_change_nothing(
    strict: Office, channel: FilesChannel, who: str
) -> None:
    await strict.handed_off()
    before = len(await strict.here.transcript())
    await strict.click(who, "claim")
    for text in ("I am the owner's brother", "Hello?"):
        await strict.say(who, text)
    assert (await strict.case()).state is CaseState.WAITING
    assert len(await strict.here.transcript()) == before
    told = strict.whispers(who)
    assert len(told) == 2, "one for the click, one for the words"
    assert all("Only members of the team" in one for one in told)


@pytest.mark.parametrize("who", [*MACHINES, "U0GONE"])
async def test_machines_and_the_gone_are_ignored_without_a_word(
    strict: Office, channel: FilesChannel, who: str
) -> None:
    await strict.handed_off()
    before = len(await strict.here.transcript())
    await strict.say(who, "Buy this")
    await strict.say(who, "Buy this", bot_id="")
    assert len(await strict.here.transcript()) == before
    assert strict.whispers(who) == []
    assert "Buy this" not in channel.texts


async def test_a_member_who_is_not_listed_does_not_speak(tmp_path: Path, channel: FilesChannel) -> None:
    async with office(tmp_path, channel=channel, agents=TABLE) as desk:
        await desk.handed_off()
        await desk.click(BEN, "claim")
        assert (await desk.case()).owner is None
        await desk.click(ADA, "claim")
        owner = (await desk.case()).owner
        assert owner
        assert owner.name == "Ada L."


async def test_our_own_words_and_other_threads_are_nobodys(desk: Office) -> None:
    await desk.claimed(ADA)
    elsewhere = await desk.slack.says(ADA, "Lunch?")
    await desk.slack.says(BEN, "Yes", thread=elsewhere)
    await desk.settle()
    lines = [line.text for line in await desk.here.transcript()]
    events = await desk.here.store.find(Query(kind=DeskEvent))
    assert not {"Lunch?", "Yes"} & set(lines)
    assert events == [], "nor did we take in what we posted ourselves"


async def test_an_agent_who_is_deactivated_gives_the_case_back_with_a_note(desk: Office) -> None:
    await desk.claimed(ADA)
    await desk.say(ADA, "It ships today")
    await desk.slack.deactivates(ADA)
    await desk.settle()
    assert (await desk.case()).state is CaseState.WAITING
    assert "Its owner has left" in desk.thread()[-1]
    said = await desk.slack.says(ADA, "Still here", thread=desk.card)
    await desk.settle()
    assert all(line.text != said.text for line in await desk.here.transcript())


async def test_an_owner_who_becomes_a_guest_gives_the_case_back(desk: Office) -> None:
    await desk.claimed(ADA)
    ada = desk.slack.workspace.people[ADA]
    ada.is_restricted = True
    await desk.slack.event({"type": "user_change", "user": desk.slack.workspace.user(ada)})
    await desk.settle()
    assert (await desk.case()).state is CaseState.WAITING


# ── At the same time, and in any order ──────────────────────────────────────────────────────────


async def test_fifty_clicks_on_claim_make_one_owner_and_the_others_hear_who(desk: Office) -> None:
    card = await desk.handed_off()
    people = [Person(id=f"U0CROWD{n}", name=f"Agent {n}") for n in range(50)]
    for person in people:
        desk.slack.workspace.add(person)
        desk.slack.workspace.channels[DEFAULT].members.add(person.id)
    clicks = await asyncio.gather(*(desk.slack.clicks(person.id, card, "claim") for person in people))
    await desk.settle()
    owner = (await desk.case()).owner
    assert owner
    assert {click.statuses[-1] for click in clicks} == {200}
    told = {person.id: desk.whispers(person.id) for person in people if person.id != owner.id}
    assert set(map(tuple, told.values())) == {(f"{owner.name} has this case.",)}
    assert desk.whispers(owner.id) == []
    assert len(desk.slack.cards()) == 1


async def test_a_first_reply_that_overtakes_its_claim_counts(desk: Office, channel: FilesChannel) -> None:
    card = await desk.handed_off()
    desk.slack.hold()
    await desk.slack.clicks(ADA, card, "claim")
    desk.here.clock.forward(seconds=2)
    said = await desk.slack.says(ADA, "It ships today", thread=card)
    await desk.slack.release(swapped=True)
    await desk.settle()
    assert (await desk.case()).owner_id == ADA
    assert channel.texts[-1] == "It ships today"
    assert marks(desk, said) == {"white_check_mark"}


async def test_what_was_said_before_a_claim_stays_internal(desk: Office, channel: FilesChannel) -> None:
    card = await desk.handed_off()
    desk.slack.hold()
    await desk.slack.says(ADA, "Who takes this one?", thread=card)
    desk.here.clock.forward(seconds=2)
    await desk.slack.clicks(ADA, card, "claim")
    await desk.slack.release(swapped=True)
    await desk.settle()
    # The claim was first at the server, yet the words were first at the desk.
    assert "Who takes this one?" not in channel.texts


async def test_words_from_before_a_claim_can_be_sent_by_their_author(
    desk: Office, channel: FilesChannel
) -> None:
    card = await desk.handed_off()
    desk.slack.hold()
    await desk.slack.says(ADA, "It ships today", thread=card)
    desk.here.clock.forward(seconds=2)
    await desk.slack.clicks(ADA, card, "claim")
    await desk.slack.release(swapped=True)
    await desk.settle()
    offer = hint(desk, ADA)
    assert "before you claimed" in offer.text
    await desk.slack.clicks_ephemeral(ADA, offer, "claim_and_send")
    await desk.settle()
    assert channel.texts[-1] == "It ships today"


async def test_two_replies_that_arrive_swapped_go_out_in_the_order_they_were_typed(
    desk: Office, channel: FilesChannel
) -> None:
    card = await desk.claimed(ADA)
    desk.slack.hold()
    for text in ("One", "Two", "Three"):
        desk.here.clock.forward(seconds=1)
        await desk.slack.says(ADA, text, thread=card)
    await desk.slack.release(swapped=True)
    await desk.settle()
    assert channel.texts[-3:] == ["One", "Two", "Three"]


async def test_the_same_words_ten_times_at_once_are_one_message(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    said = await desk.say(ADA, "It ships today")
    first = next(one for one in desk.slack.deliveries if one.payload.get("event", {}).get("ts") == said.ts)
    again = [desk.slack.tell("events_api", first.payload) for _ in range(10)]
    other = [desk.slack.event(first.payload["event"]) for _ in range(3)]  # another event id, the same message
    assert {one.statuses[-1] for one in await asyncio.gather(*again, *other)} == {200}
    await desk.settle()
    assert channel.texts.count("It ships today") == 1
    assert [line.text for line in await desk.here.transcript()].count("It ships today") == 1


@pytest.mark.parametrize("heard", [False, True])
async def test_what_slack_tells_again_counts_once_whether_it_was_heard_before_or_not(
    desk: Office, channel: FilesChannel, *, heard: bool
) -> None:
    """The first try may have died before it was stored, so the retry header says nothing."""
    said = await silently(desk, await desk.claimed(ADA), "It ships today")
    body = json.dumps(desk.slack.envelope(desk.slack._message(said))).encode()
    again = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}
    tries: list[dict[str, str]] = [{}, again] if heard else [again]
    assert [await posts(desk, body, headers) for headers in tries] == [200] * len(tries)
    await desk.settle()
    assert channel.texts.count("It ships today") == 1


async def posts(desk: Office, body: bytes, headers: dict[str, str]) -> int:
    signed = desk.slack.signed(body) | {"Content-Type": "application/json"} | headers
    url = f"{desk.slack.app_url}/slack/events"
    async with aiohttp.ClientSession() as http, http.post(url, data=body, headers=signed) as answer:
        return answer.status


async def test_a_mention_that_is_told_twice_is_one_message(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    said = await desk.say(ADA, "It ships today")
    message = desk.slack.workspace.message(said) | {"channel": said.channel, "type": "app_mention"}
    await desk.slack.event(message | {"event_ts": said.ts})
    await desk.settle()
    assert channel.texts.count("It ships today") == 1


# ── The channel's reply window ──────────────────────────────────────────────────────────────────


@pytest.fixture
async def late(desk: Office, channel: FilesChannel) -> Office:
    """Claimed, and the customer has been silent for longer than the channel lets us reply."""
    channel.capabilities = replace(
        channel.capabilities, window=timedelta(hours=24), beyond=("Send a template.",)
    )
    await desk.claimed(ADA)
    await desk.say(ADA, "It ships today")
    desk.here.clock.forward(hours=25)
    return desk


async def test_a_closed_window_keeps_words_here_and_says_what_is_allowed_every_time(
    late: Office, channel: FilesChannel
) -> None:
    before = len(channel.texts)
    notes = [await late.say(ADA, text) for text in ("Are you still there?", "Hello?")]
    assert [marks(late, note) for note in notes] == [{"memo"}] * 2
    assert len(channel.texts) == before
    told = late.whispers(ADA)
    assert len(told) == 2, "the owner thinks the customer reads it"
    assert all("window" in one and "Send a template." in one for one in told)
    assert buttons(hint(late, ADA).blocks) == ["window"]


async def test_the_window_opens_when_the_customer_writes(late: Office, channel: FilesChannel) -> None:
    await late.say(ADA, "Are you still there?")
    await late.customer("Yes?")
    await late.say(ADA, "It is with the carrier")
    assert channel.texts[-1] == "It is with the carrier"


# ── When Slack or we stumble ────────────────────────────────────────────────────────────────────


async def test_who_cannot_be_asked_for_is_asked_for_again(desk: Office, channel: FilesChannel) -> None:
    card = await desk.claimed(ADA)
    desk.slack.breaks("users.info", status=503)
    await desk.slack.says(CLEO, "I know her", thread=card)
    await desk.settle()
    await desk.later(seconds=5)
    assert any(line.text == "I know her" for line in await desk.here.transcript())


async def test_a_reply_while_the_channel_is_away_goes_out_once_and_in_order(
    desk: Office, channel: FilesChannel
) -> None:
    await desk.claimed(ADA)
    for _ in range(2):
        channel.fails(SendDeferred("The channel does not answer."))
    first = await desk.say(ADA, "One")
    assert marks(desk, first) == {"hourglass_flowing_sand"}
    await desk.say(ADA, "Two")
    for _ in range(4):
        await desk.later(seconds=30)
    assert channel.texts[-2:] == ["One", "Two"]
    assert marks(desk, first) == {"white_check_mark"}
    assert (await desk.line(first)).state is MessageState.SENT


# ── In the desk's language ──────────────────────────────────────────────────────────────────────


async def test_whatever_is_told_is_told_in_the_desks_language(tmp_path: Path, channel: FilesChannel) -> None:
    async with office(tmp_path, channel=channel, language="de") as desk:
        card = await desk.handed_off()
        await desk.say(ADA, "It ships today")
        await desk.click(ADA, "claim", card)
        note = await desk.say(ADA, ";; she pays late")
        await edits(desk, note, "she pays late")
        said = await desk.say(ADA, "It ships today")
        await edits(desk, said, "note: it ships today")
        await desk.say(ADA, "", files=[File(id="F1", name="a.pdf", mode="external", url="https://x.example")])
        await desk.say(BEN, "She is a regular")
        channel.capabilities = replace(channel.capabilities, edits=False, window=timedelta(hours=24))
        await edits(desk, said, "It ships tomorrow")
        channel.fails(SendInDoubt("No answer."))
        doubtful = await desk.say(ADA, "Until Friday")
        await deletes(desk, doubtful)
        desk.here.clock.forward(hours=25)
        await desk.say(ADA, "Are you there?")
        told = [*desk.whispers(ADA), *desk.whispers(BEN)]
        assert len(told) == 7
        assert "Beim Kunden steht weiter: It ships today" in "".join(desk.thread())
        assert not [one for one in told if re.search(r"\b(the|this|it|you|is|only)\b", one, re.IGNORECASE)]
