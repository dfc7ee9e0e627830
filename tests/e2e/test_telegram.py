"""Telegram from outside: updates go in at the webhook, answers come out at the Bot API."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from bot import bootstrap, config
from tests.e2e.server import ROOT, Api, Server
from tests.fakes.telegram_api import TOKEN, TelegramApi, text_update

pytestmark = pytest.mark.timeout(180)

SECRET = "the-webhooks-own-secret"
PUBLIC = "https://chat.nordwind.example"
ACCOUNT = f"""
  telegram:
    - account: shop
      token: "{TOKEN}"
      api_url: API_URL
      username: nordwind_bot
      limits: {{per_second: PER_SECOND, per_chat: PER_CHAT}}
"""


def configure(server: Server, api: TelegramApi, more: str, per_second: int = 30, per_chat: int = 1) -> None:
    """The shipped config with a Telegram account beside the web chat."""
    text = server.config.read_text(encoding="utf-8")
    account = ACCOUNT.replace("API_URL", api.url).replace("PER_SECOND", str(per_second))
    account = account.replace("PER_CHAT", str(per_chat)) + f"      {more}\n"
    text, found = re.subn(r"(?m)^channels:\n", f"channels:{account}", text)
    assert found == 1
    text, found = re.subn(r"(?m)^  port: 8080\n", f"  port: 8080\n  public_url: {PUBLIC}\n", text)
    assert found == 1
    server.config.write_text(text, encoding="utf-8")


@contextlib.asynccontextmanager
async def started(
    folder: Path, models: Path, api: TelegramApi, more: str = f"secret: {SECRET}", **limits: int
) -> AsyncIterator[Server]:
    server = Server(folder, models)
    configure(server, api, more, **limits)
    # The shipped lookup is a route of the server itself, wherever that listens.
    text = server.config.read_text(encoding="utf-8")
    server.config.write_text(text.replace("{public_url}/demo", f"{server.url}/demo"), encoding="utf-8")
    await server.start()
    api.proxy = server.url
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramApi]:
    async with TelegramApi(per_chat=1).serving() as api:
        yield api


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def sent(desk: Api, case: str, message: str) -> None:
    """Telegram shows it a moment before we have written down that it does."""
    async with asyncio.timeout(10):
        while True:
            messages = (await desk.get(f"cases/{case}"))["messages"]
            if next(one["state"] for one in messages if one["id"] == message) == "sent":
                return
            await asyncio.sleep(0.02)


async def test_an_update_in_an_answer_out(
    tmp_path: Path, models: Path, telegram: TelegramApi, http: aiohttp.ClientSession
) -> None:
    async with started(tmp_path, models, telegram) as server:
        assert telegram.webhook["url"] == f"{PUBLIC}/webhooks/telegram/shop"
        assert await telegram.tell(http, text_update(700, "Wo ist mein Paket 4711?", 1)) == 200
        await until(lambda: len(telegram.sent) == 1)
        assert "4711" in telegram.said_to(700)[0]
        assert TOKEN not in server.log()
        assert SECRET not in server.log()


async def test_an_update_with_a_wrong_secret_is_kept_out(
    tmp_path: Path, models: Path, telegram: TelegramApi, http: aiohttp.ClientSession
) -> None:
    async with started(tmp_path, models, telegram) as server:
        telegram.webhook["secret_token"] = "somebody-elses"
        await telegram.tell(http, text_update(700, "Wo ist mein Paket 4711?", 1))
        assert set(telegram.deliveries) == {401}
        assert (await Api(http, server).get("cases"))["cases"] == []


async def test_the_same_update_ten_times_is_one_answer(
    tmp_path: Path, models: Path, telegram: TelegramApi, http: aiohttp.ClientSession
) -> None:
    async with started(tmp_path, models, telegram):
        update = text_update(700, "Wo ist mein Paket 4711?", 1)
        await asyncio.gather(*(telegram.tell(http, update) for _ in range(10)))
        await telegram.tell(http, text_update(701, "Wo ist mein Paket 4712?", 1))
        await until(lambda: len(telegram.sent) == 2)
        await asyncio.sleep(0.3)  # a second answer would come at once
        assert len(telegram.said_to(700)) == 1


async def test_a_person_answers_in_the_chat_and_sees_the_picture(
    tmp_path: Path, models: Path, telegram: TelegramApi, http: aiohttp.ClientSession
) -> None:
    telegram.files["p1"] = b"\x89PNG picture"
    async with started(tmp_path, models, telegram) as server:
        desk = Api(http, server)
        photo = [{"file_id": "p1", "file_unique_id": "u", "width": 9, "height": 9, "file_size": 11}]
        update = text_update(700, "", 1, photo=photo, caption="Ich will mit einem Menschen sprechen")
        del update["message"]["text"]
        await telegram.tell(http, update)
        await until(lambda: len(telegram.sent) == 1)  # who answers, and how long it takes
        (case,) = (await desk.get("cases", state="waiting"))["cases"]
        assert (await desk.act(case["id"], "claim"))[0] == 200
        assert (await desk.act(case["id"], "reply", text="Guten Tag, hier ist Ada."))[0] == 200
        await until(lambda: "Guten Tag, hier ist Ada." in telegram.said_to(700))
        async with asyncio.timeout(5):
            while True:
                whole = await desk.get(f"cases/{case['id']}")
                (file,) = whole["messages"][0]["attachments"]
                if file["size"] == len(telegram.files["p1"]):  # what was copied, not what Telegram said
                    break
                await asyncio.sleep(0.02)
        assert file["missing"] is None
        assert TOKEN not in json.dumps(whole)
        reply = whole["messages"][-1]["id"]
        await sent(desk, case["id"], reply)
        assert (await desk.act(case["id"], "edit", message=reply, text="Guten Tag, hier ist Ada!"))[0] == 200
        await until(lambda: telegram.said_to(700)[-1] == "Guten Tag, hier ist Ada!")
        await sent(desk, case["id"], reply)
        assert (await desk.act(case["id"], "delete", message=reply))[0] == 200
        await until(lambda: len(telegram.said_to(700)) == 1)


async def test_a_blocked_bot_is_told_to_the_agent(
    tmp_path: Path, models: Path, telegram: TelegramApi, http: aiohttp.ClientSession
) -> None:
    async with started(tmp_path, models, telegram) as server:
        desk = Api(http, server)
        telegram.blocked.add("700")
        await telegram.tell(http, text_update(700, "Wo ist mein Paket 4711?", 1))

        async with asyncio.timeout(5):
            while not (cases := (await desk.get("cases", state="waiting"))["cases"]):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        whole = await desk.get(f"cases/{cases[0]['id']}")
        assert "blocked by the user" in whole["messages"][1]["reason"]


async def test_an_agent_whose_reply_is_held_is_told_until_when(
    tmp_path: Path, models: Path, telegram: TelegramApi, http: aiohttp.ClientSession
) -> None:
    async with started(tmp_path, models, telegram) as server:
        desk = Api(http, server)
        await telegram.tell(http, text_update(700, "Ich will mit einem Menschen sprechen", 1))
        await until(lambda: len(telegram.sent) == 1)
        (case,) = (await desk.get("cases", state="waiting"))["cases"]
        await desk.act(case["id"], "claim")
        telegram.slow_chats["700"] = 1800
        await desk.act(case["id"], "reply", text="Guten Tag, hier ist Ada.")

        async with asyncio.timeout(10):
            while (found := (await desk.get(f"cases/{case['id']}"))["messages"])[-1]["direction"] != "note":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        reply, note = found[-2:]
        assert reply["state"] == "deferred"
        assert re.search(r"goes out by itself at \d\d:\d\d CES?T\.", reply["reason"])
        assert note["text"] == reply["reason"]


async def test_polling_needs_no_address(
    tmp_path: Path, models: Path, telegram: TelegramApi, http: aiohttp.ClientSession
) -> None:
    async with started(tmp_path, models, telegram, "mode: polling"):
        telegram.offer(text_update(700, "Wo ist mein Paket 4711?", 1))
        await until(lambda: len(telegram.sent) == 1)
        assert "4711" in telegram.said_to(700)[0]


async def test_without_its_secret_the_server_does_not_start(
    tmp_path: Path, models: Path, telegram: TelegramApi
) -> None:
    server = Server(tmp_path, models)
    configure(server, telegram, "mode: webhook")
    assert await server.fails_to_start() in {1, 2}
    assert "telegram/shop: the secret is missing" in server.log()
    assert "Traceback" not in server.log()


# ── How good ────────────────────────────────────────────────────────────────────────────────────

CHATS, ROUNDS = 100, 5


async def converse(telegram: TelegramApi, http: aiohttp.ClientSession, chat: int) -> list[float]:
    """Ask five times, each time after the answer; the seconds each answer took."""
    took = []
    for turn in range(ROUNDS):
        began = time.monotonic()
        question = f"Wo ist mein Paket {4000 + chat * 10 + turn}?"
        assert await telegram.tell(http, text_update(chat, question, turn + 1)) == 200
        await until(lambda: len(telegram.said_to(chat)) > turn, seconds=90)  # noqa: B023
        took.append(time.monotonic() - began)
    return took


async def test_every_chat_gets_each_answer_once_in_order_and_waits_for_no_other(
    tmp_path: Path, models: Path, http: aiohttp.ClientSession
) -> None:
    """500 updates of 100 chats, one answer in seven is put off by a 429, and one chat is told to wait for long."""
    async with TelegramApi().serving() as telegram:
        telegram.chance_of_429 = 1 / 7
        telegram.slow_chats["1000"] = 12
        async with started(tmp_path, models, telegram, per_second=200, per_chat=20):
            chats = range(1000, 1000 + CHATS)
            began = time.monotonic()
            took = dict(
                zip(chats, await asyncio.gather(*(converse(telegram, http, c) for c in chats)), strict=True)
            )
            whole = time.monotonic() - began
            await asyncio.sleep(1.5)  # what would come twice, comes by now
    for chat in chats:
        answers = telegram.said_to(chat)
        assert len(answers) == ROUNDS
        for turn, answer in enumerate(answers):
            assert str(4000 + chat * 10 + turn) in answer
    others = sorted(seconds for chat, all_of_it in took.items() if chat != 1000 for seconds in all_of_it)
    slow = max(took[1000])
    p50, p99 = others[len(others) // 2], others[int(len(others) * 0.99)]
    print(
        f"{len(telegram.sent)} answers in {whole:.1f} s; p50 {p50:.2f} s, p99 {p99:.2f} s, slowest chat {slow:.1f} s"
    )
    assert slow >= 12
    # A 429 asks for one second and may come several times in a row; nobody waits the slow chat's twelve.
    assert others[-1] < 10
    assert p50 < 1.5


# ── Recordings ──────────────────────────────────────────────────────────────────────────────────


RECORDINGS = sorted((ROOT / "tests" / "payloads" / "telegram").glob("*.json"))


async def test_every_recorded_update_goes_through_replay(
    tmp_path: Path, models: Path, telegram: TelegramApi
) -> None:
    """In this process, like the command does in one of its own: a running server makes something of each."""
    assert len(RECORDINGS) > 50
    bodies = {path.stem: path.read_bytes() for path in RECORDINGS}
    async with started(tmp_path, models, telegram) as server:
        settings = config.load(server.config, os.environ)
        few = asyncio.Semaphore(20)

        async def replayed(body: bytes) -> list[str]:
            async with few:
                found = await bootstrap.replay(settings, body, "telegram", "shop")
            return [event["state"] for event in found["events"]]

        states = dict(zip(bodies, await asyncio.gather(*map(replayed, bodies.values())), strict=True))
        assert "event.failed" not in server.log()
    assert {name: state for name, state in states.items() if state != ["done"]} == {}


async def test_the_check_command_asks_telegram_and_shows_no_secret(
    tmp_path: Path, models: Path, telegram: TelegramApi
) -> None:
    server = Server(tmp_path, models)
    configure(server, telegram, f"secret: {SECRET}")
    where = ("--config", str(server.config), "check", "--json")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *where), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    found = {one["name"]: one for one in json.loads(said)["findings"]}
    assert "@nordwind_bot" in found["telegram/shop"]["detail"]
    assert found["telegram/shop webhook"]["detail"] == "none is registered"
    assert TOKEN.encode() not in said
    assert SECRET.encode() not in said


async def test_the_replay_command_says_what_became_of_it(
    tmp_path: Path, models: Path, telegram: TelegramApi
) -> None:
    async with started(tmp_path, models, telegram) as server:
        (path,) = [path for path in RECORDINGS if path.stem == "text"]
        where = (
            "--config",
            str(server.config),
            "replay",
            str(path),
            "--channel",
            "telegram",
            "--account",
            "shop",
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", *where), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        assert process.returncode == 0
        assert b"done" in said
        await until(lambda: len(telegram.said_to(700100200)) == 1)
