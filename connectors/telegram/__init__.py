"""Telegram, through the Bot API: https://core.telegram.org/bots/api.

Limits: 4096 characters of text, 1024 of a caption, 64 bytes in a button; files of 20 MB in, 50 MB out; 30 messages a
second, 1 in a chat, 20 a minute in a group. There are no receipts, and what was sent cannot be asked for: an answer
that was lost on its way leaves us in doubt.
"""

from __future__ import annotations

import hmac
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct

from bot.domain.errors import (
    BadSignature,
    MalformedPayload,
    Misconfigured,
    SendDeferred,
    SendError,
    SendRejected,
)
from bot.domain.messages import Attachment, Inbound, Message
from bot.domain.outbox import Receipt
from bot.domain.ports import Capabilities, Finding, Payload, Rate, Request
from connectors.base import Deps, readable
from connectors.telegram import rendering, updates
from connectors.telegram.running import UPDATES, Running
from connectors.telegram.settings import TelegramLimits, TelegramSettings
from connectors.telegram.text import TEXT_LIMIT

if TYPE_CHECKING:
    from connectors.telegram.api import Api

HEADER = "x-telegram-bot-api-secret-token"
DOWNLOAD_LIMIT = 20 * 1024 * 1024
GROUP_BURST = 5
RECENT = timedelta(hours=1)  # Telegram tries a refused update again within two minutes, and says so

__all__ = ["Telegram", "TelegramLimits", "TelegramSettings"]


class Telegram:
    """One bot."""

    Settings: ClassVar[type[Struct]] = TelegramSettings
    channel = updates.CHANNEL
    capabilities = Capabilities(
        text_limit=TEXT_LIMIT, buttons=rendering.BUTTONS, files=True, edits=True, deletes=True
    )

    def __init__(self, settings: TelegramSettings, deps: Deps) -> None:
        settings.require_secret()
        self.account = settings.account
        self._settings = settings
        self._deps = deps
        self._me = updates.Me(
            account=settings.account, id=settings.bot, username=settings.username.removeprefix("@")
        )
        self._made: Api | None = None
        self._running = Running(settings, self._api, deps.public_url, self._take, self._meet)

    def _api(self) -> Api:
        """Made when it is first needed: the library takes a quarter of a second to load."""
        if self._made is None:
            from connectors.telegram.api import Api

            if self._deps.http is None:
                raise Misconfigured("This connector was given no way to reach Telegram.")
            self._made = Api(self._settings.token, self._settings.api_url, self._deps.http)
        return self._made

    # Inbound

    def authenticate(self, request: Request) -> None:
        given = request.headers.get(HEADER, "").encode(errors="replace")
        secret = self._settings.secret.encode()
        if not secret or not hmac.compare_digest(given, secret):
            raise BadSignature("The secret is missing or wrong; register the webhook with the account's own.")

    def parse(self, request: Request) -> tuple[Inbound, ...]:
        return (updates.read(readable(request.body), self._me),)

    # Outbound

    def render(self, message: Message) -> tuple[Payload, ...]:
        return rendering.render(message, html=self._settings.format == "html")

    def rates(self, chat: str) -> tuple[Rate, ...]:
        limits, where = self._settings.limits, f"telegram:{self.account}"
        whole = Rate(key=where, per_second=limits.per_second)  # a burst would come on top of it
        place = chat.partition("/")[0]  # the topics of a forum share what their group may get
        one = Rate(key=f"{where}:{place}", per_second=limits.per_chat)
        if not chat.startswith("-"):
            return (whole, one)
        # A burst and what follows it within the minute are together what the group may get.
        burst = max(1, min(GROUP_BURST, int(limits.per_group) - 1))
        group = f"{where}:{place}:minute"
        return (whole, one, Rate(key=group, per_second=max(limits.per_group - burst, 1) / 60, burst=burst))

    async def send(self, payload: Payload) -> Receipt:
        sent = await self._called(await self._with_file(payload))
        return Receipt(external_id=_external_id(sent, payload))

    async def _called(self, call: Payload) -> Any:
        """Text whose markup Telegram does not like goes plain, a picture it cannot show as a document."""
        from connectors.telegram.api import BadEntities, BadPicture

        try:
            return await self._api().call(**call)
        except (BadEntities, BadPicture) as error:
            simpler = error.simpler(call)
            if simpler == call:
                raise
            return await self._called(simpler)

    async def _with_file(self, payload: Payload) -> Payload:
        from connectors.telegram.api import upload

        if "file" not in payload:
            return payload
        content = await self._deps.files.get(payload["file"]) if self._deps.files else None
        if content is None:
            raise SendRejected("The file is not in our store any more; attach it again.")
        call = {key: value for key, value in payload.items() if key not in {"file", "field", "name"}}
        return {**call, payload["field"]: upload(content, payload["name"])}

    async def edit(self, receipts: tuple[str, ...], message: Message) -> None:
        for call in rendering.edits(receipts, message, html=self._settings.format == "html"):
            await self._done(call)

    async def delete(self, receipts: tuple[str, ...]) -> None:
        """Telegram lets a bot take back what is younger than two days."""
        for call in rendering.deletions(receipts):
            await self._done(call)

    async def _done(self, call: Payload) -> None:
        """Doing it twice is doing it once."""
        from connectors.telegram.api import AlreadyDone

        with suppress(AlreadyDone):
            await self._called(call)

    async def typing(self, chat: str) -> None:
        place, _, topic = chat.partition("/")
        await self._api().call(
            "sendChatAction", chat_id=place, action="typing", message_thread_id=topic or None
        )

    async def acknowledge(self, press: Inbound) -> None:
        """Or the button goes on spinning. A press that waited too long is past that."""
        query = press.external_id.removeprefix("callback/")
        await self._done({"method": "answerCallbackQuery", "callback_query_id": query})

    async def fetch(self, attachment: Attachment) -> bytes:
        """https://core.telegram.org/bots/api#getfile: the address holds the token and is kept nowhere."""
        if attachment.size > DOWNLOAD_LIMIT:
            raise SendRejected("It is larger than 20 MB; Telegram gives a bot no more.")
        found = await self._api().call("getFile", file_id=attachment.remote)
        path = found.get("file_path") if isinstance(found, dict) else None
        if not isinstance(path, str) or not path:
            raise SendRejected("Telegram does not say where the file is.")
        content = await self._api().download(path)
        if content and found.get("file_size") in (None, len(content)):
            return content
        raise SendDeferred("What came is not the whole file.")

    # Running

    async def start(self) -> None:
        await self._running.start()

    async def stop(self) -> None:
        await self._running.stop()

    @property
    def polls(self) -> bool:
        return self._running.polls

    async def poll(self) -> None:
        await self._running.poll()

    def _meet(self, told: Any) -> None:
        name = told.get("username") if isinstance(told, dict) else None
        if isinstance(name, str):
            self._me = updates.Me(account=self.account, id=self._me.id, username=name)

    async def _take(self, update: Any) -> None:
        """Store one polled update; what is none cannot be told from nothing, and must not come for ever."""
        if not isinstance(update, dict):
            return
        try:
            inbound = updates.read(update, self._me)
        except MalformedPayload:
            return
        await self._deps.receive((inbound,))

    async def check(self) -> list[Finding]:
        name = f"telegram/{self.account}"
        try:
            me = await self._api().call("getMe", read=5)
            info = await self._api().call("getWebhookInfo", read=5)
        except SendError as error:
            fix = "Check the token, api_url and the way out of this machine."
            return [Finding(name=name, status="fail", detail=error.reason, fix=fix)]
        self._meet(me)
        return [
            Finding(name=name, status="ok", detail=f"the token is that of @{self._me.username}"),
            _webhook(
                f"{name} webhook",
                info if isinstance(info, dict) else {},
                self._running.webhook,
                self._settings,
                self._deps.clock(),
            ),
        ]


def _external_id(sent: Any, payload: Payload) -> str:
    found = sent if isinstance(sent, dict) else {}
    chat = found.get("chat") or {}
    place = chat.get("id") if isinstance(chat, dict) else None
    return f"{place or payload['chat_id']}/{found.get('message_id', '')}"


def _webhook(
    name: str, info: dict[str, Any], wanted: str, settings: TelegramSettings, now: datetime
) -> Finding:
    """What getWebhookInfo says, against what we want."""
    url, waiting = str(info.get("url") or ""), info.get("pending_update_count") or 0
    if settings.mode == "polling":
        if not url:
            return Finding(name=name, status="ok", detail=f"none: updates are fetched, {waiting} wait")
        fix = "`switchboard serve` takes it away when it starts; is another server using this bot?"
        return Finding(
            name=name, status="warn", detail="one is registered, so nothing can be fetched", fix=fix
        )
    if not wanted:
        fix = "Set server.public_url to the https address Telegram can reach, or mode: polling for this account."
        return Finding(name=name, status="fail", detail="server.public_url is not https", fix=fix)
    if url != wanted:
        detail = "another address is registered" if url else "none is registered"
        return Finding(name=name, status="warn", detail=detail, fix="Start the server: it registers it.")
    missing = set(UPDATES) - set(info.get("allowed_updates") or UPDATES)
    if missing:
        detail = f"registered without {', '.join(sorted(missing))}"
        return Finding(name=name, status="warn", detail=detail, fix="Start the server: it registers them.")
    if trouble := _trouble(info, now):
        fix = "See that this address is reached from outside, and that its certificate is valid."
        detail = f"registered, {waiting} wait; {trouble}"
        return Finding(name=name, status="warn", detail=detail, fix=fix)
    return Finding(name=name, status="ok", detail=f"registered, {waiting} wait")


def _trouble(info: dict[str, Any], now: datetime) -> str:
    """The last failure stays in what Telegram says for ever, however well all went since: only a recent one counts."""
    words, failed = info.get("last_error_message"), updates.time_of(info.get("last_error_date"))
    if not words or not failed:
        return ""
    return f"a delivery failed at {failed:%Y-%m-%d %H:%M} UTC: {words}" if now - failed < RECENT else ""
