"""A crowd on one messenger: customers who write at the same time, and a platform that retries until it hears 200.

A lean Bot API, made for tens of thousands of messages; `telegram_api` is the one that knows the rules.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum

import aiohttp
from aiohttp import web
from msgspec import Struct

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
SECRET = "the-crowds-own-secret"
ACCOUNT = "shop"
RETRY_FROM, RETRY_TO = 0.02, 1.0  # seconds between deliveries of the same update
PATIENCE = 8.0  # seconds the platform waits for our answer
FIRST_CHAT = 1000  # of customer 0
GIVEN_UP = 180.0  # seconds: a delivery that takes longer fails the test

Say = Callable[[int, int], str]


class Trouble(StrEnum):
    """What the platform's own API does for a while."""

    NONE = "none"
    BROKEN = "broken"  # 500
    HANGING = "hanging"
    LOSING = "losing"  # it sends the message, and hangs up instead of answering


class Sent(Struct, frozen=True):
    chat: int
    text: str
    at: float


class Crowd:
    def __init__(self, seed: int = 20261122) -> None:
        self.chance = random.Random(seed)
        self.webs: list[str] = []  # where the load balancer sends updates
        self.sent: list[Sent] = []
        self.acknowledged: dict[str, float] = {}  # text → when
        self.begun: dict[str, float] = {}
        self.refused: Counter[int] = Counter()  # status → how often; 0: no answer at all
        self.trouble = Trouble.NONE
        self.url = ""
        self._updates = itertools.count(1)
        self._messages = itertools.count(1)

    # ── The platform's API ──────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Crowd]:
        app = web.Application()
        app.router.add_post("/bot{token}/{method}", self._called)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _called(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"].lower()
        if method == "getme":
            return _ok({"id": 7, "is_bot": True, "first_name": "Nordwind", "username": "nordwind_bot"})
        if method != "sendmessage":
            return _ok(True)
        if self.trouble is Trouble.BROKEN:
            return web.json_response(
                {"ok": False, "error_code": 500, "description": "Internal Server Error"}, status=500
            )
        if self.trouble is Trouble.HANGING:
            await asyncio.sleep(60)
        told = await request.json() if request.content_type == "application/json" else await request.post()
        chat, text = int(str(told["chat_id"])), str(told["text"])
        self.sent.append(Sent(chat, text, time.monotonic()))
        if self.trouble is Trouble.LOSING and request.transport:
            request.transport.close()
        about = {"id": chat, "type": "private"}
        return _ok(
            {"message_id": next(self._messages), "date": int(time.time()), "chat": about, "text": text}
        )

    # ── The customers ───────────────────────────────────────────────────────────────────────────

    async def talk(self, customers: int, messages: int, say: Say, *, pause: float = 0.0) -> None:
        """Everybody writes `messages` one after another; the platform keeps a chat's order, as the real one does."""
        limit = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with aiohttp.ClientSession(connector=limit, timeout=timeout) as http:
            await asyncio.gather(*(self._one(http, one, messages, say, pause) for one in range(customers)))

    async def _one(
        self, http: aiohttp.ClientSession, customer: int, messages: int, say: Say, pause: float
    ) -> None:
        for number in range(messages):
            text = say(customer, number)
            self.begun.setdefault(text, time.monotonic())
            await self._delivered(http, _update(next(self._updates), customer, number, text))
            self.acknowledged[text] = time.monotonic()
            await asyncio.sleep(pause * self.chance.random() * 2)

    async def _delivered(self, http: aiohttp.ClientSession, update: dict[str, object]) -> None:
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
        deadline, wait = time.monotonic() + GIVEN_UP, RETRY_FROM
        while time.monotonic() < deadline:
            url = f"{self.chance.choice(self.webs)}/webhooks/telegram/{ACCOUNT}"
            try:
                async with http.post(url, json=update, headers=headers) as answer:
                    status = answer.status
            except (aiohttp.ClientError, TimeoutError, OSError):
                status = 0
            if status == 200:
                return
            self.refused[status] += 1
            await asyncio.sleep(wait * (0.5 + self.chance.random()))
            wait = min(RETRY_TO, wait * 2)
        raise TimeoutError(f"An update was not taken within {GIVEN_UP:.0f} s: {dict(self.refused)}")

    # ── What came of it ─────────────────────────────────────────────────────────────────────────

    def doubled(self) -> dict[int, list[str]]:
        """Texts that a chat got more than once."""
        found: dict[int, list[str]] = defaultdict(list)
        for (chat, text), times in Counter((one.chat, one.text) for one in self.sent).items():
            if times > 1:
                found[chat].append(text)
        return found


def configuration(url: str) -> str:
    """The account, as lines under `channels:`."""
    return f"""\
  telegram:
    - account: {ACCOUNT}
      token: "{TOKEN}"
      secret: "{SECRET}"
      api_url: {url}
      username: nordwind_bot
      limits: {{per_second: 1000, per_chat: 100}}
"""


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _update(id: int, customer: int, number: int, text: str) -> dict[str, object]:
    person = {"id": FIRST_CHAT + customer, "is_bot": False, "first_name": "C", "language_code": "de"}
    chat = {"id": FIRST_CHAT + customer, "first_name": "C", "type": "private"}
    message = {"message_id": number + 1, "from": person, "chat": chat, "date": int(time.time()), "text": text}
    return {"update_id": id, "message": message}


def _ok(result: object) -> web.Response:
    return web.json_response({"ok": True, "result": result})
