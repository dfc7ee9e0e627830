"""When Slack is away, slow, forgetful or closed to us: everything arrives later, once, in its order."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.domain.cases import CaseState
from bot.domain.messages import Attachment, AttachmentKind
from bot.domain.outbox import UNSENT, OutboxRow
from bot.domain.ports import Act, Query
from tests.builders import inbound
from tests.fakes.channel import FilesChannel
from tests.fakes.slack_api import Trouble
from tests.fakes.slack_workspace import Post
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
