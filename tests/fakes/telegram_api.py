"""A Bot API on 127.0.0.1 that enforces what the real one enforces, and can go wrong like it.

Limits, error texts and delivery follow https://core.telegram.org/bots/api and github.com/tdlib/telegram-bot-api.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from msgspec import Struct

TOKEN = "123456:AAFakeTokenForTests"
ME = {"id": 123456, "is_bot": True, "first_name": "Nordwind", "username": "nordwind_bot"}
TEXT_LIMIT, CAPTION_LIMIT, CALLBACK_LIMIT = 4096, 1024, 64
FILE_LIMIT = 20 * 1024 * 1024
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
OURS = re.compile(r"(?P<prefix>/file)?/bot(?P<token>[^/]+)/(?P<rest>.+)")

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "getMe": (),
    "getWebhookInfo": (),
    "deleteWebhook": (),
    "getUpdates": (),
    "setWebhook": ("url",),
    "sendMessage": ("chat_id", "text"),
    "sendPhoto": ("chat_id", "photo"),
    "sendDocument": ("chat_id", "document"),
    "sendChatAction": ("chat_id", "action"),
    "answerCallbackQuery": ("callback_query_id",),
    "editMessageText": ("chat_id", "message_id", "text"),
    "editMessageCaption": ("chat_id", "message_id"),
    "deleteMessage": ("chat_id", "message_id"),
    "getFile": ("file_id",),
}
UNAUTHORIZED = {"ok": False, "error_code": 401, "description": "Unauthorized"}
SENDS = ("sendMessage", "sendPhoto", "sendDocument")


class Refusal(Exception):
    """An answer that is none: code, description, parameters."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


class Sent(Struct, kw_only=True):
    """A message as the chat shows it."""

    chat: str
    id: int
    text: str
    method: str
    data: dict[str, Any]
    file: bytes = b""
    at: float


class TelegramApi:
    def __init__(self, *, per_chat: float = 0, per_group_minute: int = 0, seed: int = 7) -> None:
        """`per_chat` messages a second (0: as many as you like)."""
        self.sent: list[Sent] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.blocked: set[str] = set()
        self.moved: dict[str, int] = {}
        self.files: dict[str, bytes] = {}
        self.acknowledged: list[str] = []
        self.webhook: dict[str, Any] = {}
        self.proxy = ""  # the address that TLS would end at
        self.trouble: deque[Callable[[], None]] = deque()  # each raises, for one sending call
        self.lost_answers = 0  # so many sending calls are processed, and nobody hears of it
        self.chance_of_429 = 0.0
        self.retry_after = 1
        self.slow_chats: dict[str, int] = {}  # chat → retry_after, once
        self.bad_entities = False
        self.deliveries: list[int] = []  # statuses of webhook posts
        self.waiting: list[dict[str, Any]] = []  # for getUpdates
        self.confirmed = 0
        self._more = asyncio.Event()
        self._chance = random.Random(seed)
        self._per_chat, self._per_group = per_chat, per_group_minute
        self._last: dict[str, deque[float]] = defaultdict(deque)
        self._ids: dict[str, int] = defaultdict(lambda: 100)
        self._updates = 5000
        self.polls = self.refused_polls = 0  # at this moment; in all
        self.url = ""
        self._methods: Mapping[str, Callable[[dict[str, Any]], Any]] = {
            "getMe": lambda _: ME,
            "getWebhookInfo": lambda _: {
                "url": self.webhook.get("url", ""),
                "pending_update_count": len(self.waiting),
                "has_custom_certificate": False,
            },
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
            "sendMessage": self._message,
            "sendPhoto": self._file,
            "sendDocument": self._file,
            "sendChatAction": lambda _: True,
            "answerCallbackQuery": self._acknowledge,
            "editMessageText": self._edit,
            "editMessageCaption": self._edit,
            "deleteMessage": self._delete,
            "getFile": self._get_file,
        }

    # ── Serving ─────────────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[TelegramApi]:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        found = OURS.fullmatch(request.path)
        try:
            if not found or found["token"] != TOKEN:
                return web.json_response(UNAUTHORIZED, status=401)
            if found["prefix"]:
                return self._download(found["rest"])
            return await self._answer(request, found["rest"])
        except Refusal as error:
            body: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
            headers = {}
            if error.parameters:
                body["parameters"] = error.parameters
            if "retry_after" in error.parameters:
                headers["Retry-After"] = str(error.parameters["retry_after"])
            return web.json_response(body, status=error.code, headers=headers)

    async def _answer(self, request: web.Request, method: str) -> web.StreamResponse:
        if method not in REQUIRED:
            raise Refusal(404, "Not Found")
        data = await _parameters(request)
        self.calls.append((method, data))
        for name in REQUIRED[method]:
            if data.get(name) in {None, ""} and not (method == "setWebhook" and name == "url"):
                raise Refusal(
                    400,
                    "Bad Request: message text is empty"
                    if name == "text"
                    else f"Bad Request: {name} is empty",
                )
        if method == "getUpdates":
            return web.json_response({"ok": True, "result": await self._poll(data)})
        if method in SENDS:
            self._may_send(data)
        result = self._methods[method](data)
        if method in SENDS and self.lost_answers:
            self.lost_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"ok": True, "result": result})

    def _download(self, path: str) -> web.Response:
        content = self.files.get(path.removeprefix("documents/"))
        if content is None:
            raise Refusal(404, "Not Found")
        return web.Response(body=content)

    # ── Sending ─────────────────────────────────────────────────────────────────────────────────

    def _may_send(self, data: dict[str, Any]) -> None:
        chat, now = str(data["chat_id"]), time.monotonic()
        if self.trouble:
            self.trouble.popleft()()
        if chat in self.moved:
            text = "Bad Request: group chat was upgraded to a supergroup chat"
            raise Refusal(400, text, migrate_to_chat_id=self.moved[chat])
        if chat in self.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        if wait := self.slow_chats.pop(chat, 0):
            raise Refusal(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
        if self._chance.random() < self.chance_of_429:
            raise Refusal(
                429, f"Too Many Requests: retry after {self.retry_after}", retry_after=self.retry_after
            )
        self._within_limits(chat, now)

    def _within_limits(self, chat: str, now: float) -> None:
        last = self._last[chat]
        while last and now - last[0] > 60:
            last.popleft()
        # Clocks of two processes and a loop in between: a twentieth of a second is no abuse.
        if self._per_chat and last and now - last[-1] < 1 / self._per_chat - 0.05:
            raise Refusal(429, "Too Many Requests: retry after 1", retry_after=1)
        if self._per_group and chat.startswith("-") and len(last) >= self._per_group:
            raise Refusal(429, "Too Many Requests: retry after 30", retry_after=30)
        last.append(now)

    def _message(self, data: dict[str, Any]) -> dict[str, Any]:
        text = str(data["text"])
        if not text.strip():
            raise Refusal(400, "Bad Request: message text is empty")
        if _units(text) > TEXT_LIMIT:
            raise Refusal(400, "Bad Request: message is too long")
        self._check(data, "entities", text)
        return self._keep("sendMessage", data, text)

    def _file(self, data: dict[str, Any]) -> dict[str, Any]:
        method = "sendPhoto" if "photo" in data else "sendDocument"
        content = data["photo" if method == "sendPhoto" else "document"]
        if not isinstance(content, bytes):
            raise Refusal(400, "Bad Request: wrong file identifier/HTTP URL specified")
        caption = str(data.get("caption", ""))
        if _units(caption) > CAPTION_LIMIT:
            raise Refusal(400, "Bad Request: message caption is too long")
        self._check(data, "caption_entities", caption)
        return self._keep(method, data, caption, content)

    def _check(self, data: dict[str, Any], key: str, text: str) -> None:
        for entity in data.get(key, ()):
            end = entity["offset"] + entity["length"]
            if self.bad_entities or end > _units(text) or entity["length"] <= 0:
                raise Refusal(400, "Bad Request: can't parse entities: entity is out of bounds")
        for row in (data.get("reply_markup") or {}).get("inline_keyboard", ()):
            if any(len(button["callback_data"].encode()) > CALLBACK_LIMIT for button in row):
                raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")
        quoted = data.get("reply_parameters")
        if quoted and not quoted.get("allow_sending_without_reply"):
            raise Refusal(400, "Bad Request: message to be replied not found")

    def _keep(self, method: str, data: dict[str, Any], text: str, file: bytes = b"") -> dict[str, Any]:
        chat = str(data["chat_id"])
        self._ids[chat] += 1
        sent = Sent(
            chat=chat, id=self._ids[chat], text=text, method=method, data=data, file=file, at=time.monotonic()
        )
        self.sent.append(sent)
        kind = "private" if not chat.startswith("-") else "supergroup"
        return {
            "message_id": sent.id,
            "from": ME,
            "chat": {"id": int(chat), "type": kind},
            "date": int(time.time()),
            "text": text,
        }

    def _edit(self, data: dict[str, Any]) -> bool:
        sent = self._known(data, "edit")
        text = str(data.get("text", data.get("caption", "")))
        if text == sent.text:
            raise Refusal(
                400, "Bad Request: message is not modified: specified new message content is the same"
            )
        sent.text = text
        return True

    def _delete(self, data: dict[str, Any]) -> bool:
        self.sent.remove(self._known(data, "delete"))
        return True

    def _known(self, data: dict[str, Any], what: str) -> Sent:
        for sent in self.sent:
            if (sent.chat, sent.id) == (str(data["chat_id"]), int(data["message_id"])):
                return sent
        raise Refusal(400, f"Bad Request: message to {what} not found")

    def _acknowledge(self, data: dict[str, Any]) -> bool:
        id = str(data["callback_query_id"])
        if id.startswith("old"):
            words = "query is too old and response timeout expired or query ID is invalid"
            raise Refusal(400, f"Bad Request: {words}")
        self.acknowledged.append(id)
        return True

    def _get_file(self, data: dict[str, Any]) -> dict[str, Any]:
        content = self.files.get(str(data["file_id"]))
        if content is None:
            raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(content) > FILE_LIMIT:
            raise Refusal(400, "Bad Request: file is too big")
        id = data["file_id"]
        return {
            "file_id": id,
            "file_unique_id": id,
            "file_size": len(content),
            "file_path": f"documents/{id}",
        }

    def said_to(self, chat: int | str) -> list[str]:
        return [sent.text for sent in self.sent if sent.chat == str(chat)]

    # ── Telling ─────────────────────────────────────────────────────────────────────────────────

    def _set_webhook(self, data: dict[str, Any]) -> bool:
        if not str(data["url"]).startswith("https://"):
            raise Refusal(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        if "secret_token" in data and not SECRET.fullmatch(str(data["secret_token"])):
            raise Refusal(400, "Bad Request: secret token contains unallowed characters")
        self.webhook = data
        return True

    def _delete_webhook(self, _: dict[str, Any]) -> bool:
        self.webhook = {}
        return True

    async def _poll(self, data: dict[str, Any]) -> list[dict[str, Any]]:
        if self.webhook:
            text = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
            raise Refusal(409, f"Conflict: {text}")
        if self.polls:
            self.refused_polls += 1
            raise Refusal(
                409,
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
            )
        self.polls += 1
        try:
            offset = int(data.get("offset", 0))
            self.confirmed = max(self.confirmed, offset)
            self.waiting = [update for update in self.waiting if update["update_id"] >= offset]
            if not self.waiting:
                self._more.clear()
                try:
                    async with asyncio.timeout(min(float(data.get("timeout", 0)), 5)):
                        await self._more.wait()
                except TimeoutError:
                    return []
            return self.waiting[: int(data.get("limit", 100))]
        finally:
            self.polls -= 1

    def offer(self, update: dict[str, Any]) -> None:
        """For whoever polls."""
        self.waiting.append(self.numbered(update))
        self._more.set()

    def numbered(self, update: dict[str, Any]) -> dict[str, Any]:
        self._updates += 1
        return {"update_id": self._updates, **update}

    async def tell(self, http: aiohttp.ClientSession, update: dict[str, Any]) -> int:
        """Post an update to the registered webhook until it is taken: at once again, then doubling (scaled)."""
        body = json.dumps(self.numbered(update))
        url = self.proxy + urlsplit(self.webhook["url"]).path
        headers = {"Content-Type": "application/json"}
        if "secret_token" in self.webhook:
            headers["X-Telegram-Bot-Api-Secret-Token"] = str(self.webhook["secret_token"])
        delay = 0.0
        for _ in range(8):
            try:
                async with http.post(url, data=body, headers=headers) as answer:
                    self.deliveries.append(answer.status)
                    if 200 <= answer.status < 300:
                        return answer.status
            except aiohttp.ClientError:
                self.deliveries.append(0)
            await asyncio.sleep(delay)
            delay = min(1.0, delay * 2 or 0.02)
        return self.deliveries[-1]


def fails(code: int, description: str, **parameters: int) -> Callable[[], None]:
    def trouble() -> None:
        raise Refusal(code, description, **parameters)

    return trouble


def breaks() -> None:
    """A server in front of the API that has seen better days."""
    raise web.HTTPBadGateway(text="<html>502</html>", content_type="text/html")


def text_update(who: int, text: str, number: int, **changes: Any) -> dict[str, Any]:
    message = {
        "message_id": number,
        "from": {"id": who, "is_bot": False, "first_name": "Mareike", "language_code": "de"},
        "chat": {"id": who, "type": "private", "first_name": "Mareike"},
        "date": int(time.time()),
        "text": text,
    }
    return {"message": {**message, **changes}}


async def _parameters(request: web.Request) -> dict[str, Any]:
    """From the query, a form, JSON or multipart; nested values are JSON in a form."""
    data: dict[str, Any] = dict(request.query)
    kind = request.content_type
    if kind == "application/json":
        body = await request.json()
        if not isinstance(body, dict):
            raise Refusal(400, "Bad Request: object expected as JSON body")
        return data | body
    if kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                data |= {name: value.file.read(), "file_name": value.filename}
            else:
                data[name] = _nested(str(value))
    return data


def _nested(value: str) -> Any:
    if value[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
