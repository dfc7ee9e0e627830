"""Slack from outside: a customer on Telegram, an agent in Slack, and a server in a process of its own between them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.server import Api, Server
from tests.e2e.test_telegram import configure
from tests.fakes.slack_api import APP_TOKEN, SlackApi
from tests.fakes.slack_api import TOKEN as SLACK_TOKEN
from tests.fakes.slack_people import SIGNING_SECRET
from tests.fakes.slack_workspace import Post
from tests.fakes.telegram_api import TelegramApi, text_update

pytestmark = pytest.mark.timeout(180)

ADA, BEN = "U0ADA", "U0BEN"
PERSON = "Ich will mit einem Menschen sprechen"
DESK = f"""
  slack:
    token: "{SLACK_TOKEN}"
    api_url: API_URL
    channels: {{default: C0DEFAULT}}
    language: en
"""
UNSAID = (SLACK_TOKEN, APP_TOKEN, SIGNING_SECRET, PERSON, "Bin gleich", "Stammkundin", "Ada hier")  # in logs
BY = {"http": f'    signing_secret: "{SIGNING_SECRET}"\n', "socket": f'    app_token: "{APP_TOKEN}"\n'}


async def until(condition: Callable[[], object], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def started(
    folder: Path, models: Path, telegram: TelegramApi, slack: SlackApi, way: str
) -> AsyncIterator[Server]:
    server = Server(folder, models)
    configure(server, telegram, "secret: the-webhooks-own-secret")
    text = server.config.read_text(encoding="utf-8")
    assert text.count("\n  console: {}\n") == 1
    desk = DESK.replace("API_URL", slack.api_url) + BY[way]
    server.config.write_text(text.replace("\n  console: {}\n", f"\n  console: {{}}{desk}"), encoding="utf-8")
    await server.start()
    telegram.proxy = server.url
    if way == "http":
        slack.app_url = server.url
    else:
        await until(lambda: slack.sockets)
    try:
        yield server
    finally:
        assert [one for one in UNSAID if one in server.log()] == []
        await server.stop()


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramApi]:
    async with TelegramApi(per_chat=1).serving() as api:
        yield api


@pytest.fixture
async def slack() -> AsyncIterator[SlackApi]:
    async with SlackApi(per_channel=1).serving() as api:
        yield api


async def card_of(
    slack: SlackApi, telegram: TelegramApi, http: aiohttp.ClientSession, chat: int = 700
) -> Post:
    before = len(slack.cards())
    await telegram.tell(http, text_update(chat, PERSON, chat))
    await until(lambda: len(slack.cards()) > before)
    return slack.cards()[-1]


@pytest.mark.parametrize("way", ["http", "socket"])
async def test_a_case_is_worked_in_slack_from_claim_to_resolve(
    tmp_path: Path,
    models: Path,
    telegram: TelegramApi,
    slack: SlackApi,
    http: aiohttp.ClientSession,
    way: str,
) -> None:
    async with started(tmp_path, models, telegram, slack, way) as server:
        card = await card_of(slack, telegram, http)
        assert (await slack.clicks(ADA, card, "claim")).taken
        await until(lambda: "Ada" in slack.words(card))
        said = await slack.says(ADA, "Guten Tag, hier ist Ada.", thread=card)
        await until(lambda: "Guten Tag, hier ist Ada." in telegram.said_to(700))
        await until(lambda: slack.reactions(said) == {"white_check_mark"})
        await slack.edits(said, "Guten Tag, Ada hier.")
        await until(lambda: telegram.said_to(700)[-1] == "Guten Tag, Ada hier.")
        note = await slack.says(BEN, "Stammkundin", thread=card)
        await until(lambda: slack.reactions(note) == {"memo"})
        await slack.clicks(ADA, card, "resolve")
        await until(lambda: slack.open_views.get(ADA))
        await slack.submits(ADA, {"outcome": "solved"})
        (case,) = (await Api(http, server).get("cases"))["cases"]
        assert (case["state"], case["outcome"]) == ("resolved", "solved")
        assert "Stammkundin" not in telegram.said_to(700)
        assert len(slack.cards()) == 1


async def test_the_card_is_there_within_a_second(
    tmp_path: Path, models: Path, telegram: TelegramApi, slack: SlackApi, http: aiohttp.ClientSession
) -> None:
    async with started(tmp_path, models, telegram, slack, "http"):
        await card_of(slack, telegram, http, 700)
        took = []
        for chat in (701, 702, 703):  # the best of three: others may have the machine just then
            await until(lambda: slack.thread(slack.cards()[-1]))
            await asyncio.sleep(3)  # nothing else to do: what the channel takes in a burst is free again
            began = asyncio.get_running_loop().time()
            await card_of(slack, telegram, http, chat)
            took.append(asyncio.get_running_loop().time() - began)
            if took[-1] < 1.0:
                return
        raise AssertionError(took)


async def test_what_was_said_while_the_server_was_away_is_taken_in_when_it_is_back(
    tmp_path: Path, models: Path, telegram: TelegramApi, slack: SlackApi, http: aiohttp.ClientSession
) -> None:
    async with started(tmp_path, models, telegram, slack, "http") as server:
        card = await card_of(slack, telegram, http)
        await slack.clicks(ADA, card, "claim")
        await until(lambda: "Ada" in slack.words(card))
        await server.kill()
        await slack.says(ADA, "Bin gleich bei Ihnen.", thread=card)
        await server.start()
        await until(lambda: "Bin gleich bei Ihnen." in telegram.said_to(700))
        assert telegram.said_to(700).count("Bin gleich bei Ihnen.") == 1


@pytest.mark.parametrize("way", ["http", "socket"])
async def test_killed_between_a_post_and_its_record_and_nothing_is_lost_or_doubled(
    tmp_path: Path,
    models: Path,
    telegram: TelegramApi,
    slack: SlackApi,
    http: aiohttp.ClientSession,
    way: str,
) -> None:
    """Slack has the card and has not answered yet, the agent's words are on their way: then kill -9."""
    async with started(tmp_path, models, telegram, slack, way) as server:
        slack.retry_after = (0.5, 1.0, 2.0, 4.0, 8.0)
        answered, called = asyncio.Event(), slack._called

        def unanswered(request: Any, method: str, data: Any, trouble: str) -> dict[str, Any]:
            done = called(request, method, data, trouble)
            if method == "chat.postMessage":
                server.send_signal(signal.SIGKILL)
                answered.set()
            return done

        slack._called = unanswered  # type: ignore[method-assign]
        await telegram.tell(http, text_update(700, PERSON, 700))
        async with asyncio.timeout(15):
            await answered.wait()
        slack._called = called  # type: ignore[method-assign]
        await server.kill()
        await server.start()
        await until(lambda: slack.cards() and slack.thread(slack.cards()[0]), 30)
        (card,) = slack.cards()
        if way == "socket":
            await until(lambda: slack.sockets)
        await slack.clicks(ADA, card, "claim")
        await until(lambda: "Ada" in slack.words(card))
        saying = asyncio.create_task(slack.says(ADA, "Bin gleich bei Ihnen.", thread=card))
        await asyncio.sleep(0)
        await server.kill()
        await server.start()
        await saying
        await until(lambda: "Bin gleich bei Ihnen." in telegram.said_to(700), 30)
        await asyncio.sleep(1)
        assert telegram.said_to(700).count("Bin gleich bei Ihnen.") == 1
        assert len(slack.cards()) == 1
        assert " ".join(slack.words(post) for post in slack.thread(card)).count(PERSON) == 1
