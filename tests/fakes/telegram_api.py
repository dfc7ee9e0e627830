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

from tests.fakes import telegram_rules as rules
from tests.fakes.telegram_rules import Refusal, bad

TOKEN = "123456:AAFakeTokenForTests"
ME = {"id": 123456, "is_bot": True, "first_name": "Nordwind", "username": "nordwind_bot"}
OURS = re.compile(r"(?P<prefix>/file)?/bot(?P<token>\d+:[\w-]+)/(?P<rest>.+)")

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
SENDS = ("sendMessage", "sendPhoto", "sendDocument")
CHANGES = ("editMessageText", "editMessageCaption", "deleteMessage")
LOOKS = ("entities", "caption_entities", "reply_markup")  # an edit that does not name them takes them away
EMPTY = {"text": "message text is empty", "message_id": "message identifier is not specified"}
UNCHANGED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current "
    "content and reply markup of the message"
)


class Sent(Struct, kw_only=True):
    """A message as the chat shows it."""

    chat: str
    id: int
    text: str
    method: str
    data: dict[str, Any]
    file: bytes = b""
    at: float
    hours: float = 0  # since then, as far as Telegram knows


class TelegramApi:
    def __init__(self, *, per_chat: float = 0, per_group_minute: int = 0, seed: int = 7) -> None:
        """`per_chat` messages a second (0: as many as you like)."""
        self.sent: list[Sent] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.blocked: set[str] = set()
        self.forbidden: dict[str, str] = {}  # chat → what it says to every message: "bot was kicked from …"
        self.refused: dict[str, str] = {}  # the same as a bad request: "chat not found", "not enough rights…"
        self.topics: dict[str, dict[int, str]] = {}  # of a forum: number → "open", "closed"
        self.known: set[tuple[str, int]] = set()  # messages of customers that can be quoted
        self.bad_pictures = False
        self.disk = ""  # where a server that runs with --local keeps its files
        self.last_error: tuple[int, str] | None = None  # when and how a delivery failed
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
            "getWebhookInfo": self._webhook_info,
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
            "sendMessage": self._message,
            "sendPhoto": self._file,
            "sendDocument": self._file,
            "sendChatAction": self._chat_action,
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
        # Whoever hangs up polls no more.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            found = _addressed(request.path)
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
                raise bad(EMPTY.get(name, f"{name} is empty"))
        if method == "getUpdates":
            return web.json_response({"ok": True, "result": await self._poll(data)})
        if method in SENDS:
            self._may_send(data)
        if method in CHANGES:
            self._has_moved(data)
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
        self._has_moved(data)
        if chat in self.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        if words := self.forbidden.get(chat):
            raise Refusal(403, f"Forbidden: {words}")
        if not re.fullmatch(r"-?\d+", chat) or chat in self.refused:
            raise bad(self.refused.get(chat, "chat not found"))
        self._into_a_topic(chat, data.get("message_thread_id"))
        if wait := self.slow_chats.pop(chat, 0):
            raise Refusal(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
        if self._chance.random() < self.chance_of_429:
            raise Refusal(
                429, f"Too Many Requests: retry after {self.retry_after}", retry_after=self.retry_after
            )
        self._within_limits(chat, now)

    def _has_moved(self, data: dict[str, Any]) -> None:
        if moved := self.moved.get(str(data["chat_id"])):
            raise bad("group chat was upgraded to a supergroup chat", migrate_to_chat_id=moved)

    def _into_a_topic(self, chat: str, topic: Any) -> None:
        if not topic:
            return
        state = self.topics.get(chat, {}).get(int(topic))
        if state != "open":
            raise bad("TOPIC_CLOSED" if state == "closed" else "message thread not found")

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
        text = rules.check_text(data)
        self._check(data, "entities")
        return self._keep("sendMessage", data, text)

    def _file(self, data: dict[str, Any]) -> dict[str, Any]:
        method = "sendPhoto" if "photo" in data else "sendDocument"
        content = rules.check_upload(method, data["photo" if method == "sendPhoto" else "document"])
        if method == "sendPhoto" and self.bad_pictures:
            raise bad("PHOTO_INVALID_DIMENSIONS")
        caption = rules.check_caption(data)
        self._check(data, "caption_entities")
        return self._keep(method, data, caption, content)

    def _check(self, data: dict[str, Any], entities: str) -> None:
        if self.bad_entities and data.get(entities):
            raise bad("can't parse entities: Can't find end of the entity starting at byte offset 0")
        rules.check_keyboard(data)
        quoted = data.get("reply_parameters")
        if not quoted or quoted.get("allow_sending_without_reply"):
            return
        if "message_id" not in quoted:
            raise bad('can\'t find field "message_id"')
        place = (str(data["chat_id"]), int(quoted["message_id"]))
        if place not in self.known | {(sent.chat, sent.id) for sent in self.sent}:
            raise bad("message to be replied not found")

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
        what = "text" if "text" in data else "caption"
        if (sent.method == "sendMessage") != (what == "text"):
            raise bad(f"there is no {what} in the message to edit")
        text = rules.check_text(data) if what == "text" else rules.check_caption(data)
        self._check(data, "entities" if what == "text" else "caption_entities")
        if text == sent.text and all(data.get(key) == sent.data.get(key) for key in LOOKS):
            raise bad(UNCHANGED)
        sent.text = text
        sent.data = {**{key: value for key, value in sent.data.items() if key not in LOOKS}, **data}
        return True

    def _delete(self, data: dict[str, Any]) -> bool:
        sent = self._known(data, "delete")
        if sent.hours >= rules.DELETABLE:
            raise bad("message can't be deleted for everyone")
        self.sent.remove(sent)
        return True

    def _chat_action(self, data: dict[str, Any]) -> bool:
        if data["action"] not in rules.ACTIONS:
            raise bad("wrong parameter action in request")
        return True

    def _known(self, data: dict[str, Any], what: str) -> Sent:
        for sent in self.sent:
            if (sent.chat, sent.id) == (str(data["chat_id"]), int(data["message_id"])):
                return sent
        raise bad(f"message to {what} not found")

    def _acknowledge(self, data: dict[str, Any]) -> bool:
        id = str(data["callback_query_id"])
        if id.startswith("old"):
            raise bad("query is too old and response timeout expired or query ID is invalid")
        if len(str(data.get("text", ""))) > rules.ALERT_LIMIT:
            raise bad("MESSAGE_TOO_LONG")
        self.acknowledged.append(id)
        return True

    def _get_file(self, data: dict[str, Any]) -> dict[str, Any]:
        content = self.files.get(str(data["file_id"]))
        if content is None:
            raise bad("wrong file_id or the file is temporarily unavailable")
        if len(content) > rules.DOWNLOAD_LIMIT and not self.disk:
            raise bad("file is too big")
        id = data["file_id"]
        return {
            "file_id": id,
            "file_unique_id": id,
            "file_size": len(content),
            "file_path": f"{self.disk}documents/{id}",
        }

    def said_to(self, chat: int | str) -> list[str]:
        return [sent.text for sent in self.sent if sent.chat == str(chat)]

    # ── Telling ─────────────────────────────────────────────────────────────────────────────────

    def _set_webhook(self, data: dict[str, Any]) -> bool:
        if not str(data["url"]).startswith("https://"):
            raise bad("bad webhook: An HTTPS URL must be provided for webhook")
        if urlsplit(str(data["url"])).port not in rules.PORTS:
            raise bad("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
        if "secret_token" in data and not rules.SECRET.fullmatch(str(data["secret_token"])):
            raise bad("secret token contains unallowed characters")
        self.webhook = data
        return True

    def _webhook_info(self, _: dict[str, Any]) -> dict[str, Any]:
        info: dict[str, Any] = {
            "url": self.webhook.get("url", ""),
            "has_custom_certificate": False,
            "pending_update_count": len(self.waiting),
        }
        if self.last_error:
            info |= dict(zip(("last_error_date", "last_error_message"), self.last_error, strict=True))
        if "allowed_updates" in self.webhook:
            info["allowed_updates"] = self.webhook["allowed_updates"]
        return info

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


def _addressed(path: str) -> re.Match[str]:
    found = OURS.fullmatch(path)
    if not found:
        raise Refusal(404, "Not Found")
    if found["token"] != TOKEN:
        raise Refusal(401, "Unauthorized")
    return found


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
