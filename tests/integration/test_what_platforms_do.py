"""What platforms do beside delivering messages: files to fetch, albums, presses, chats that move, people who leave."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession
from msgspec.structs import replace

from bot.domain.actions import Act
from bot.domain.cases import CaseState, Reason
from bot.domain.customers import Identity
from bot.domain.errors import (
    ChatMoved,
    NotAllowed,
    RecipientUnreachable,
    SendDeferred,
    SendInDoubt,
    SendRejected,
)
from bot.domain.journal import Did
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    EventKind,
    Fetch,
    Inbound,
    Message,
    MessageState,
    Press,
)
from bot.domain.ports import Later, Query
from bot.services.courtesies import Courtesies
from tests.builders import ADA, BEN, HERE, inbound
from tests.fakes.channel import FakeChannel, FilesChannel
from tests.fakes.telegram_api import TelegramApi
from tests.integration.test_telegram_api import Bench
from tests.world import World, until, world

PHOTO = Attachment(kind=AttachmentKind.IMAGE, remote="r1")


@pytest.fixture
def channel() -> FilesChannel:
    return FilesChannel()


@pytest.fixture
async def here(tmp_path: Path, channel: FilesChannel) -> AsyncIterator[World]:
    async with world(tmp_path, channel=channel) as made:
        yield made


async def pictures(here: World) -> tuple[Attachment, ...]:
    return (await here.transcript())[0].attachments


# ── Files ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_file_is_copied_into_our_own_store(here: World, channel: FilesChannel) -> None:
    channel.remote["r1"] = b"a picture"
    await here.hear(inbound("", attachments=(PHOTO,)))
    await here.fetch()
    (found,) = await pictures(here)
    assert await here.files.get(found.file) == b"a picture"
    assert (found.size, found.missing) == (9, "")
    assert await here.store.count(Query(kind=Fetch)) == 0


async def test_the_customer_is_answered_before_the_file_is_here(here: World, channel: FilesChannel) -> None:
    channel.remote["r1"] = SendDeferred("not now")
    await here.hear(inbound("When are you open?", attachments=(PHOTO,)))
    assert channel.texts == ["About hours."]


async def test_a_file_that_cannot_be_had_now_is_tried_again(here: World, channel: FilesChannel) -> None:
    channel.remote["r1"] = SendDeferred("not now")
    await here.hear(inbound("", attachments=(PHOTO,)))
    await here.fetch()
    channel.remote["r1"] = b"a picture"
    await here.fetch()
    assert not (await pictures(here))[0].file  # not before its time
    here.clock.forward(minutes=1)
    await here.fetch()
    assert (await pictures(here))[0].file


@pytest.mark.parametrize("error", [SendRejected("It is too big."), SendDeferred("It is too big.")])
async def test_why_a_file_is_missing_is_said(
    here: World, channel: FilesChannel, error: SendRejected | SendDeferred
) -> None:
    channel.remote["r1"] = error
    await here.hear(inbound("", attachments=(PHOTO,)))
    for _ in range(10):
        await here.fetch()
        here.clock.forward(hours=1)
    assert (await pictures(here))[0].missing == "It is too big."
    assert await here.store.count(Query(kind=Fetch)) == 0


async def test_one_broken_file_does_not_cost_the_others(here: World, channel: FilesChannel) -> None:
    channel.remote |= {"r1": SendRejected("gone"), "r2": b"two"}
    second = Attachment(kind=AttachmentKind.IMAGE, remote="r2")
    await here.hear(inbound("", attachments=(PHOTO, second)))
    await here.fetch()
    first, other = await pictures(here)
    assert (first.missing, bool(other.file)) == ("gone", True)


async def test_a_running_worker_fetches_by_itself(here: World, channel: FilesChannel) -> None:
    channel.remote["r1"] = b"a picture"
    worker = here.make_worker()
    await worker.start()
    await here.receive(inbound("", attachments=(PHOTO,)))

    async def fetched() -> bool:
        messages = await here.store.find(Query(kind=Message))
        return any(one.file for message in messages for one in message.attachments)

    await until(fetched)
    await worker.stop()


async def test_what_a_worker_left_behind_is_fetched_by_the_next(here: World, channel: FilesChannel) -> None:
    channel.remote["r1"] = b"a picture"
    await here.hear(inbound("", attachments=(PHOTO,)))
    later = here.make_worker()
    await later.start()  # knows of nothing but the store

    async def fetched() -> bool:
        return bool((await pictures(here))[0].file)

    await until(fetched)
    await later.stop()


# ── Albums ──────────────────────────────────────────────────────────────────────────────────────


async def test_an_album_is_one_message(here: World) -> None:
    files = [Attachment(kind=AttachmentKind.IMAGE, remote=f"r{number}") for number in range(3)]
    await here.hear(
        *(
            inbound("When are you open?" if not number else "", f"e{number}", attachments=(one,), group="g")
            for number, one in enumerate(files)
        )
    )
    line, _ = await here.transcript()
    assert (line.text, line.attachments) == ("When are you open?", tuple(files))
    assert await here.events("pending") == []


async def test_the_rest_of_an_album_is_waited_for_a_moment(here: World) -> None:
    here.answering._patience = timedelta(seconds=1.5)
    await here.receive(inbound("When are you open?", attachments=(PHOTO,), group="g"))
    (event,) = await here.events("pending")
    assert await here.answering.work(event.lane) == Later(delay=timedelta(seconds=1.5))
    here.clock.forward(seconds=2)
    assert await here.answering.work(event.lane) is None


async def test_two_albums_are_two_messages(here: World) -> None:
    await here.hear(inbound("one", "e1", group="g"), inbound("two", "e2", group="h"))
    assert [line.text for line in await here.transcript()][:2] == ["one", "two"]


# ── Opening a chat, pressing a button ───────────────────────────────────────────────────────────


async def test_who_opens_the_chat_is_greeted(here: World) -> None:
    await here.hear(inbound("", kind=EventKind.STARTED))
    assert here.channel.texts == ["About greeting."]


async def test_what_a_link_says_is_not_taken_for_a_question(here: World) -> None:
    await here.hear(inbound("A person please", kind=EventKind.STARTED))
    assert here.channel.texts == ["About greeting."]


async def test_a_press_is_acknowledged(here: World, channel: FilesChannel) -> None:
    press = Press(question="q", choice="hours")
    await here.hear(inbound("", "p1", kind=EventKind.PRESS, press=press))

    async def acknowledged() -> bool:
        return channel.acknowledged == ["p1"]

    await until(acknowledged)


async def test_typing_is_shown_when_an_answer_takes_a_while(channel: FilesChannel) -> None:
    courtesies = Courtesies({("test", "shop"): channel}, after=0)

    async def typed() -> bool:
        return channel.typed == ["u1"]

    async with courtesies.typing(HERE, wanted=True):
        await until(typed)


async def test_a_platform_that_fails_a_courtesy_holds_up_nobody(here: World, channel: FilesChannel) -> None:
    async def broken(_: object) -> None:
        raise SendDeferred("500")

    channel.acknowledge = broken  # type: ignore[method-assign, assignment]
    await here.hear(inbound("", "p1", kind=EventKind.PRESS, press=Press(question="q", choice="person")))
    assert (await here.case()).handoff is not None


# ── Chats that move, people who leave ───────────────────────────────────────────────────────────


async def test_a_chat_that_moved_is_followed(here: World, channel: FilesChannel) -> None:
    channel.fails(ChatMoved("It is another chat now.", "u1-new"))
    await here.hear(inbound("When are you open?"))
    assert channel.arrived == [("u1-new", "About hours.")]
    assert (await here.case()).address.chat == "u1-new"


async def test_a_move_the_platform_tells_of_is_followed(here: World) -> None:
    await here.hear(inbound("When are you open?", "e1"))
    await here.hear(inbound("", "e2", kind=EventKind.MOVED, refers_to="u1-new"))
    assert (await here.case()).address.chat == "u1-new"
    (identity,) = await here.store.find(Query(kind=Identity))
    assert identity.chat == "u1-new"


async def test_nothing_is_sent_to_who_blocked_us_until_they_are_back(
    here: World, channel: FilesChannel
) -> None:
    await here.receive(inbound("When are you open?", "e1"))
    await here.receive(inbound("", "e2", kind=EventKind.BLOCKED))
    await here.answer()
    await here.send()
    assert channel.attempts == 0
    assert (await here.case()).handoff is not None  # an agent is told
    assert (await here.transcript())[1].state is MessageState.FAILED
    await here.hear(inbound("", "e3", kind=EventKind.UNBLOCKED))
    await here.act(Act.CLAIM)
    await here.act(Act.REPLY, text="Hello again")
    await here.send()
    assert channel.texts == ["Hello again"]


async def test_who_writes_again_can_be_written_to_again(here: World, channel: FilesChannel) -> None:
    channel.fails(RecipientUnreachable("blocked"))
    await here.hear(inbound("When are you open?", "e1"))
    (identity,) = await here.store.find(Query(kind=Identity))
    assert not identity.reachable
    await here.hear(inbound("Can I return it?", "e2"))
    (identity,) = await here.store.find(Query(kind=Identity))
    assert identity.reachable


async def test_what_a_platform_brings_after_our_outage_is_not_answered_as_if_it_were_new(here: World) -> None:
    said = here.clock() - timedelta(hours=7)
    await here.hear(inbound("When are you open?", sent_at=said))
    assert here.channel.texts[0] == "Sorry for the long silence."
    case = await here.case()
    assert case.handoff is not None
    assert case.handoff.reason is Reason.STALE


async def test_a_token_that_is_not_accepted_any_more_is_told_once_per_message_and_by_the_check(
    tmp_path: Path,
) -> None:
    async with (
        TelegramApi().serving() as api,
        ClientSession() as http,
        world(tmp_path) as here,
    ):
        telegram = Bench(api, http, tmp_path).make(token="123456:revoked")
        here.connectors[("telegram", "shop")] = telegram  # type: ignore[assignment]
        await here.hear(inbound("When are you open?", address=replace(HERE, channel="telegram")))
        for _ in range(3):
            here.clock.forward(hours=1)
            await here.send()
        _, *said = await here.transcript()
        assert {line.state for line in said} == {MessageState.FAILED}
        assert all("does not accept the token" in line.reason for line in said)
        assert len(await here.did(Did.FAILED)) == len(said)
        assert (await here.case()).state is CaseState.WAITING
        (finding,) = await telegram.check()
        assert (finding.status, finding.detail) == ("fail", said[0].reason)


# ── Quoting ─────────────────────────────────────────────────────────────────────────────────────


async def test_among_others_an_answer_quotes_what_it_answers(here: World) -> None:
    public = replace(HERE, public=True)
    await here.hear(inbound("When are you open?", "e1", address=public))
    assert (await here.transcript())[1].reply_to == "e1"
    await here.hear(inbound("A person please", "e2", address=public))
    await here.act(Act.CLAIM)
    await here.act(Act.REPLY, text="Here I am")
    assert (await here.transcript())[-1].reply_to == "e2"


async def test_in_private_only_what_an_agent_names_is_quoted(here: World) -> None:
    await here.hear(inbound("When are you open?", "e1"), inbound("A person please", "e2"))
    first, _, *rest = await here.transcript()
    assert [line.reply_to for line in rest] == [""]
    await here.act(Act.CLAIM)
    await here.act(Act.REPLY, text="From eight", message=first.id)
    assert (await here.transcript())[-1].reply_to == "e1"


# ── Edits ───────────────────────────────────────────────────────────────────────────────────────


async def test_an_edit_keeps_the_files_that_are_here_and_fetches_the_new_one(
    here: World, channel: FilesChannel
) -> None:
    channel.remote |= {"r1": b"one", "r2": b"two"}
    await here.hear(inbound("Look", "e1", attachments=(PHOTO,)))
    await here.fetch()
    kept = (await pictures(here))[0]
    second = Attachment(kind=AttachmentKind.IMAGE, remote="r2")
    edit = inbound("Look!", "e2", kind=EventKind.EDIT, refers_to="e1", attachments=(PHOTO, second))
    await here.hear(edit)
    await here.fetch()
    first, other = await pictures(here)
    assert (first, bool(other.file)) == (kept, True)
    assert (await here.transcript())[0].text == "Look!"


async def test_what_a_message_answers_and_whose_words_it_passes_on_is_shown(here: World) -> None:
    await here.hear(inbound("A person please", "e1", quote="Seven euros", forwarded=True))
    line = (await here.transcript())[0]
    assert (line.quote, line.forwarded) == ("Seven euros", True)


async def test_among_others_an_edit_counts_where_the_message_was_said_to_us(here: World) -> None:
    public = replace(HERE, public=True)
    await here.hear(inbound("When are you open?", "e1", address=public))
    changed = inbound("Never mind", "e2", kind=EventKind.EDIT, refers_to="e1", if_known=True, address=public)
    await here.hear(changed)
    line = (await here.transcript())[0]
    assert (line.text, bool(line.edited_at)) == ("Never mind", True)


async def test_what_others_edit_among_themselves_is_not_kept(here: World) -> None:
    public = replace(HERE, user="u9", chat="group", public=True)
    await here.hear(
        inbound("See you on Friday", "e2", kind=EventKind.EDIT, refers_to="e1", if_known=True, address=public)
    )
    (event,) = await here.events("done")
    assert (event.inbound.kind, event.inbound.text, event.inbound.refers_to) == (EventKind.UNKNOWN, "", "")
    (identity,) = await here.store.find(Query(kind=Identity))
    assert identity.user == "group"


def album(*texts: str) -> list[Inbound]:
    return [
        inbound(
            text, f"e{at}", group="g", attachments=(Attachment(kind=AttachmentKind.IMAGE, remote=f"r{at}"),)
        )
        for at, text in enumerate(texts)
    ]


def edit(text: str, external_id: str, refers_to: str, *files: Attachment) -> Inbound:
    return inbound(text, external_id, kind=EventKind.EDIT, refers_to=refers_to, attachments=files)


async def test_an_edit_of_any_picture_of_an_album_leaves_the_others(here: World) -> None:
    await here.hear(*album("one", "", "three"))
    other = Attachment(kind=AttachmentKind.IMAGE, remote="new")
    await here.hear(edit("four", "edit1", "e2"))
    await here.hear(edit("two", "edit2", "e1", other))
    await here.hear(edit("zero", "edit3", "e0"))
    line = (await here.transcript())[0]
    assert (line.text, bool(line.edited_at)) == ("zero\ntwo\nfour", True)
    assert [one.remote for one in line.attachments] == ["r0", "new", "r2"]


async def test_an_edit_finds_the_picture_that_came_too_late_for_its_album(here: World) -> None:
    first, second, late = album("one", "two", "late")
    await here.hear(first, second)
    await here.hear(late)
    await here.hear(edit("later", "edit1", "e2"))
    await here.hear(edit("2", "edit2", "e1"))
    assert [one.text for one in await here.transcript() if one.text in {"later", "one\n2"}] == [
        "one\n2",
        "later",
    ]


# ── What agents change ──────────────────────────────────────────────────────────────────────────


async def replied(here: World, text: str = "Tomorow") -> Message:
    await here.hear(inbound("A person please", "e1"))
    await here.act(Act.CLAIM)
    await here.act(Act.REPLY, text=text)
    return (await here.transcript())[-1]


async def test_what_was_sent_is_put_in_other_words(here: World, channel: FilesChannel) -> None:
    reply = await replied(here)
    await here.send()
    await here.act(Act.EDIT, message=reply.id, text="Tomorrow")
    await here.send()
    assert channel.texts[-1] == "Tomorrow"
    line = (await here.transcript())[-1]
    assert (line.text, line.state, bool(line.edited_at)) == ("Tomorrow", MessageState.SENT, True)
    assert len(await here.did(Did.SENT)) == 2  # the word about the handoff and the reply; no third message


async def test_what_was_sent_is_taken_back(here: World, channel: FilesChannel) -> None:
    reply = await replied(here)
    await here.send()
    await here.act(Act.DELETE, message=reply.id)
    await here.send()
    line = (await here.transcript())[-1]
    assert (channel.texts[-1], line.text, bool(line.deleted_at)) == ("", "", True)


async def test_what_waits_goes_out_in_its_new_words_or_not_at_all(here: World, channel: FilesChannel) -> None:
    reply = await replied(here)
    await here.act(Act.EDIT, message=reply.id, text="Tomorrow")
    await here.act(Act.REPLY, text="Never mind")
    await here.act(Act.DELETE, message=(await here.transcript())[-1].id)
    await here.send()
    assert channel.texts[-1] == "Tomorrow"
    assert "Never mind" not in channel.texts


async def test_a_change_that_did_not_arrive_is_visible_and_can_be_tried_again(
    here: World, channel: FilesChannel
) -> None:
    reply = await replied(here)
    await here.send()
    channel.fails(SendRejected("too old"))
    await here.act(Act.EDIT, message=reply.id, text="Tomorrow")
    await here.send()
    line = (await here.transcript())[-1]
    assert (line.state, line.reason) == (MessageState.FAILED, "too old")
    await here.act(Act.RETRY, message=reply.id)
    await here.send()
    assert channel.texts[-1] == "Tomorrow"


async def test_a_change_in_doubt_is_made_again(here: World, channel: FilesChannel) -> None:
    reply = await replied(here)
    await here.send()
    channel.fails(SendInDoubt("no answer"))
    await here.act(Act.EDIT, message=reply.id, text="Tomorrow")
    await here.send()
    here.clock.forward(minutes=1)
    await here.send()
    assert channel.texts[-1] == "Tomorrow"


async def test_nobody_changes_the_words_of_others(here: World) -> None:
    reply = await replied(here)
    bots = (await here.transcript())[1]
    for message, agent in ((reply, BEN), (bots, ADA)):
        with pytest.raises(NotAllowed, match="own words"):
            await here.act(Act.EDIT, message=message.id, text="Never", agent=agent)


async def test_a_channel_that_cannot_change_what_was_sent_says_so(tmp_path: Path) -> None:
    async with world(tmp_path) as plain:
        reply = await replied(plain)
        await plain.send()
        for act in (Act.EDIT, Act.DELETE):
            with pytest.raises(NotAllowed, match="cannot change"):
                await plain.act(act, message=reply.id, text="Tomorrow")


# ── Reactions ───────────────────────────────────────────────────────────────────────────────────


def reaction(emoji: str, external_id: str, refers_to: str) -> Inbound:
    return inbound(emoji, external_id, kind=EventKind.REACTION, refers_to=refers_to)


async def test_a_reaction_is_shown_on_its_message_until_it_is_taken_back(here: World) -> None:
    await here.hear(inbound("When are you open?", "e1"))
    for number, emoji in enumerate(("👍", "❤👏", "")):
        await here.hear(reaction(emoji, f"r{number}", "x1"))
        assert [line.reaction for line in await here.transcript()] == ["", emoji]
    assert [one.attributes["given"] for one in await here.did(Did.REACTED)] == [True, True, False]


async def test_a_reaction_wakes_nobody_and_reopens_nothing(here: World) -> None:
    await here.hear(inbound("A person please", "e1"))
    await here.act(Act.CLAIM)
    await here.act(Act.RESOLVE)
    before = await here.case(), len(await here.transcript())
    await here.hear(reaction("👍", "r1", "e1"))
    assert (await here.case(), len(await here.transcript())) == before
    assert (await here.transcript())[0].reaction == "👍"


async def test_a_reaction_to_any_part_of_a_long_message_is_found(tmp_path: Path) -> None:
    async with world(tmp_path, channel=FakeChannel(parts=3)) as here:
        await here.hear(inbound("When are you open?", "e1"))
        await here.hear(reaction("👍", "r1", "x1"))
        assert (await here.transcript())[1].reaction == "👍"


async def test_a_reaction_to_what_nobody_knows_or_others_were_told_changes_nothing(here: World) -> None:
    await here.hear(inbound("When are you open?", "e1"))
    other = replace(HERE, user="u2", chat="u2")
    await here.hear(reaction("👍", "r1", "nothing"), replace(reaction("👍", "r2", "x1"), address=other))
    assert [line.reaction for line in await here.transcript()] == ["", ""]
    assert await here.events("pending") == []
