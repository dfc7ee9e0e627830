"""When Slack is away, slow, forgetful or closed to us: everything arrives later, once, in its order."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from bot.domain.actions import Act
from bot.domain.cases import CaseState
from bot.domain.errors import StoreUnavailable
from bot.domain.journal import Did
from bot.domain.messages import Attachment, AttachmentKind, EventKind
from bot.domain.outbox import UNSENT, OutboxRow
from bot.domain.ports import Changes, Query
from tests.builders import HERE, inbound, understanding
from tests.fakes.channel import FilesChannel
from tests.fakes.slack_api import Trouble
from tests.fakes.slack_workspace import BOT_USER, Post
from tests.slack import ADA, BILLING, DEFAULT, Office, office

pytestmark = pytest.mark.timeout(120)

PARCELS = tuple(f"{number} {'📦' * 390}" for number in range(9))
SAID = ("A person please", *PARCELS, "Here is the invoice", "And the address is new")
REPLY = "It is on its way."
SAID_BEFORE = tuple(text[:30] for text in (*SAID[:-1], REPLY))


@pytest.fixture
def channel() -> FilesChannel:
    return FilesChannel()


@pytest.fixture
async def desk(tmp_path: Path, channel: FilesChannel) -> AsyncIterator[Office]:
    async with office(tmp_path, channel=channel) as made:
        yield made


# ── A case's life, and what has to stand in Slack at its end ────────────────────────────────────


async def mended(desk: Office) -> None:
    """Time passes until nothing waits any more; nothing may wait for ever."""
    for _ in range(60):
        await desk.here.fetch()
        await desk.later(minutes=1)
        if not await waiting(desk):
            return
    raise AssertionError([(row.posting, row.state, row.reason) for row in await waiting(desk)])


async def waiting(desk: Office) -> list[OutboxRow]:
    return await desk.here.store.find(Query(kind=OutboxRow, equals={"state": UNSENT}, limit=1000))


async def life(desk: Office, channel: FilesChannel) -> None:
    """Each kind of posting: card, lines, files, updates, marks, a card that is left, a story of several parts."""
    channel.remote["invoice"] = b"%PDF"
    invoice = Attachment(kind=AttachmentKind.DOCUMENT, name="invoice.pdf", remote="invoice")
    await desk.customer("A person please")
    await mended(desk)
    await desk.here.hear(*(inbound(text, desk.here.new_id()) for text in PARCELS))
    await desk.customer("Here is the invoice", attachments=(invoice,))
    await mended(desk)
    while (await desk.case()).state is CaseState.WAITING:
        await desk.click(ADA, "claim")
    await desk.say(ADA, REPLY)
    await mended(desk)
    await desk.here.act(Act.MOVE, department="press")
    await desk.customer("And the address is new")
    await mended(desk)


def standing(desk: Office) -> dict[str, Any]:
    """Everything but clock times."""
    (reply,) = (post for post in desk.slack.workspace.posts if post.text == REPLY)
    return {
        "channels": [card.channel for card in desk.slack.cards()],
        "threads": [in_thread(desk, card) for card in desk.slack.cards()],
        "marks": desk.slack.reactions(reply),
        "buttons": ["Claim" in str(card.blocks) for card in desk.slack.cards()],
    }


def in_thread(desk: Office, card: Post) -> list[tuple[str, ...]]:
    """Which of the words and files each of our posts holds."""
    found = (told(desk, post) for post in desk.slack.thread(card) if post.bot_id)
    return [one for one in found if one]  # that somebody still waits may be said, too


def told(desk: Office, post: Post) -> tuple[str, ...]:
    words = desk.slack.words(post)
    texts = [text[:30] for text in (*SAID, REPLY) if text[:30] in words]
    return (*texts, *(file.name for file in post.files))


TROUBLES: dict[str, dict[str, Any]] = {
    "done, but the answer was lost": {"lose": True},
    "never done": {"drop": True},
    "an error page": {"status": 500},
    "too fast": {"retry_after": 30},
    "no answer of Slack's": {"body": b"<html>hello</html>"},
    "an answer cut off": {"body": b'{"ok":tr'},
    "broken off": {"error": "internal_error"},
    "busy": {"error": "service_unavailable"},
    "silence": {"hang": 0.3, "drop": True},
}


UNDISTURBED = {
    "channels": [DEFAULT, BILLING],
    "threads": [
        [(text[:30],) for text in SAID[:-1]] + [("invoice.pdf",)],
        [SAID_BEFORE[:2], SAID_BEFORE[2:], ("invoice.pdf",), ("And the address is new",)],
    ],
    "marks": {"white_check_mark"},
    "buttons": [False, True],
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
async def test_a_third_of_all_calls_fails_and_everything_stands_there_once(
    desk: Office, channel: FilesChannel, trouble: dict[str, Any], seed: int
) -> None:
    desk.desk._api._client._limit = aiohttp.ClientTimeout(total=0.2)
    chance = random.Random(seed)
    fails = (chance.random() < 1 / 3 for _ in range(500))
    desk.slack.trouble["*"] = deque(Trouble(**trouble) if fail else Trouble() for fail in fails)
    await life(desk, channel)
    assert standing(desk) == UNDISTURBED


# ── An hour without Slack ───────────────────────────────────────────────────────────────────────


def whole(desk: Office) -> str:
    """Every word that stands in Slack of ours, oldest first."""
    return "\n".join(desk.slack.words(post) for post in desk.slack.posted() if post.is_reply)


async def test_an_hour_without_slack_and_everything_comes_later_once_in_its_order(desk: Office) -> None:
    desk.slack.outage(3600)
    for number in range(3):
        for who in ("u1", "u2"):
            text = "A person please" if number == 0 else f"{who} says {number}"
            await desk.customer(text, address=replace(HERE, user=who, chat=who))
        await desk.later(minutes=15)
    assert desk.slack.posted() == []
    await mended(desk)
    assert len(desk.slack.cards()) == 2
    for who in ("u1", "u2"):
        found = [whole(desk).find(f"{who} says {number}") for number in (1, 2)]
        assert found == sorted(found)
        assert [whole(desk).count(f"{who} says {number}") for number in (1, 2)] == [1, 1]


async def test_meanwhile_the_built_in_desk_works_and_nothing_fails(desk: Office) -> None:
    desk.slack.outage(3600)
    await desk.customer("A person please")
    await desk.here.act(Act.CLAIM)
    await desk.here.act(Act.REPLY, text=REPLY)
    await desk.later(minutes=50)
    assert REPLY in desk.here.channel.texts
    assert {row.state for row in await desk.here.rows()} <= {"sent", "deferred", "queued"}
    assert await desk.here.did(Did.FAILED) == []
    await mended(desk)
    assert whole(desk).count(REPLY) == 1


@pytest.mark.parametrize("how", [{"status": 503}, {"drop": True}, {"error": "token_revoked"}], ids=str)
async def test_a_card_that_was_in_doubt_when_slack_went_away_is_one_card(
    desk: Office, how: dict[str, Any]
) -> None:
    lost = desk.slack.breaks

    def then_nothing(request: Any, method: str, data: Any, trouble: str) -> dict[str, Any]:
        desk.slack._called = called  # type: ignore[method-assign]
        desk.slack.outage(3600, **how)
        return called(request, method, data, trouble)

    called = desk.slack._called
    desk.slack._called = then_nothing  # type: ignore[method-assign]
    lost("chat.postMessage", lose=True)
    await desk.customer("A person please")
    for _ in range(120):
        await desk.later(seconds=30)
    await mended(desk)
    assert len(desk.slack.cards()) == 1
    assert len(desk.thread()) == 1


# ── A process that dies ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("written", ["", "written"], ids=["before it was written", "after it was written"])
@pytest.mark.parametrize("step", range(8))
async def test_whichever_record_a_dying_process_loses_there_is_one_card_with_its_story(
    desk: Office, step: int, written: str
) -> None:
    apply, steps = desk.here.store.apply, count()

    async def dying(changes: Changes) -> Any:
        dies = next(steps) == step
        if dies and not written:
            raise StoreUnavailable("killed")
        outcome = await apply(changes)
        if dies:
            raise StoreUnavailable("killed")
        return outcome

    await desk.here.receive(inbound("A person please"))
    await desk.here.answer()
    desk.here.store.apply = dying  # type: ignore[method-assign]
    with suppress(StoreUnavailable):
        await desk.settle()
    assert next(steps) > step
    await mended(desk)
    await desk.customer("Hello?")
    assert len(desk.slack.cards()) == 1
    assert in_thread(desk, desk.card) == [("A person please",)]
    assert [whole(desk).count(text) for text in ("A person please", "Hello?")] == [1, 1]


# ── What an operator has to mend ────────────────────────────────────────────────────────────────


async def alarms(desk: Office) -> dict[str, str]:
    return {one.id: one.why for one in await desk.here.alarms.sounding()}


async def archive(desk: Office, channel: str) -> None:
    await desk.slack.archives(channel)


async def delete(desk: Office, channel: str) -> None:
    await desk.slack.deletes_channel(channel)


async def remove(desk: Office, channel: str) -> None:
    await desk.slack.removes_bot(channel)


async def remove_unheard(desk: Office, channel: str) -> None:
    desk.slack.workspace.channels[channel].members.discard(BOT_USER)


async def revoke(desk: Office, channel: str) -> None:
    await desk.slack.revokes()


async def uninstall(desk: Office, channel: str) -> None:
    await desk.slack.uninstalls()


async def take_scope(desk: Office, channel: str) -> None:
    desk.slack.scopes.discard("chat:write")


def mend(desk: Office, channel: str) -> None:
    place = desk.slack.workspace.channels[channel]
    place.archived = place.deleted = False
    place.members.add(BOT_USER)
    desk.slack.auth_error = ""
    desk.slack.scopes.add("chat:write")


GONE = {"archived": archive, "deleted": delete, "we were removed": remove, "and nobody said": remove_unheard}
CLOSED = {**GONE, "token revoked": revoke, "uninstalled": uninstall, "a scope is missing": take_scope}


@pytest.mark.parametrize("goes", GONE.values(), ids=GONE)
async def test_when_a_departments_channel_goes_its_cases_go_on_in_the_default_channel(
    desk: Office, goes: Any
) -> None:
    desk.here.knows("Press!", understanding("press"))
    await desk.customer("Press!")
    assert desk.card.channel == BILLING
    await goes(desk, BILLING)
    for number in range(3):
        await desk.here.receive(inbound(f"More {number}", desk.here.new_id()))
        await desk.here.answer()
    await desk.settle()
    assert desk.card.channel == DEFAULT
    assert [" ".join(desk.thread()).count(text) for text in ("Press!", "More 0", "More 1", "More 2")] == [
        1
    ] * 4
    assert f"slack {BILLING}" in await alarms(desk)
    mend(desk, BILLING)
    await desk.customer("Press!", address=replace(HERE, user="u2", chat="u2"))
    assert desk.card.channel == BILLING
    assert await alarms(desk) == {}
    assert len(desk.slack.cards(DEFAULT)) == 1


async def test_a_line_in_a_channel_that_went_is_told_anew_where_the_case_is_now(desk: Office) -> None:
    desk.here.knows("Press!", understanding("press"))
    await desk.customer("Press!")
    await desk.customer("At four")
    await desk.slack.archives(BILLING)
    await desk.customer("Hello?")
    at_four = next(line for line in await desk.here.transcript() if line.text == "At four")
    await desk.customer("At five", kind=EventKind.EDIT, refers_to=at_four.external_id)
    assert [card.channel for card in desk.slack.cards()] == [BILLING, DEFAULT]
    assert " ".join(desk.thread()).count("At five") == 1


async def test_a_card_that_was_left_in_a_channel_that_went_brings_no_other_card(desk: Office) -> None:
    desk.here.knows("Press!", understanding("press"))
    await desk.customer("Press!")
    await desk.slack.archives(BILLING)
    await desk.here.act(Act.MOVE, department="service")
    await mended(desk)
    assert [card.channel for card in desk.slack.cards()] == [BILLING, DEFAULT]


@pytest.mark.parametrize("goes", CLOSED.values(), ids=CLOSED)
async def test_when_slack_is_closed_to_us_the_console_knows_and_everything_comes_when_it_was_mended(
    desk: Office, goes: Any
) -> None:
    await desk.handed_off()
    await goes(desk, DEFAULT)
    for number in range(3):
        await desk.customer(f"More {number}")
        assert await alarms(desk)
        await desk.later(minutes=20)
    await desk.here.act(Act.CLAIM)
    await desk.here.act(Act.REPLY, text=REPLY)
    await desk.settle()
    assert REPLY in desk.here.channel.texts
    assert {"fail"} <= {one.status for one in await desk.desk.check()}
    mend(desk, DEFAULT)
    await mended(desk)
    await desk.customer("Thanks so far")
    said = ("More 0", "More 1", "More 2", REPLY, "Thanks so far")
    assert [" ".join(desk.thread()).count(text) for text in said] == [1] * 5
    assert await alarms(desk) == {}


@pytest.mark.parametrize(
    "goes", [*GONE.values(), revoke, uninstall], ids=[*GONE, "token revoked", "uninstalled"]
)
async def test_an_alarm_ends_by_itself_when_it_was_mended_and_nobody_writes(desk: Office, goes: Any) -> None:
    await goes(desk, BILLING)
    await desk.here.alarms.sound(f"slack {BILLING}", "It was told by a post.")
    await desk.desk._mending.look()
    assert f"slack {BILLING}" in await alarms(desk)
    mend(desk, BILLING)
    await desk.desk._mending.look()
    assert await alarms(desk) == {}


async def test_an_alarm_for_a_channel_that_is_not_configured_any_more_ends(desk: Office) -> None:
    await desk.here.alarms.sound("slack C0FORMER", "It was archived.")
    await desk.here.alarms.sound("rasa", "It does not answer.")
    await desk.desk._mending.look()
    assert list(await alarms(desk)) == ["rasa"]
