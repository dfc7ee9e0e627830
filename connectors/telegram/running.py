"""While the server runs: say who we are, register the webhook, or fetch the updates ourselves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog

from bot.domain.errors import Misconfigured, SendDeferred, SendError, StoreUnavailable
from connectors.telegram.settings import TelegramSettings

if TYPE_CHECKING:
    from connectors.telegram.api import Api

log = structlog.get_logger()

# https://core.telegram.org/bots/api#update; reactions come only when they are named.
UPDATES = ("message", "edited_message", "callback_query", "my_chat_member", "message_reaction")
POLL = 25  # seconds Telegram waits for something to tell
BATCH = 100
FIRST, LONGEST = 2.0, 300.0  # seconds between tries
HOPELESS = 30.0  # a refused token, another poller: until somebody mends it

Take = Callable[[Any], Awaitable[None]]  # stores an update; raises StoreUnavailable
Meet = Callable[[dict[str, Any]], None]  # is told what getMe says


class Running:
    def __init__(
        self, settings: TelegramSettings, api: Callable[[], Api], public_url: str, take: Take, meet: Meet
    ) -> None:
        self._settings = settings
        self._api = api
        self._public_url = public_url
        self._take = take
        self._meet = meet
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    @property
    def polls(self) -> bool:
        return self._settings.mode == "polling"

    @property
    def webhook(self) -> str:
        """Where Telegram shall send to; empty when it cannot reach us."""
        if self._settings.mode != "webhook" or not self._public_url.startswith("https://"):
            return ""
        return f"{self._public_url.rstrip('/')}/webhooks/telegram/{self._settings.account}"

    async def start(self) -> None:
        """Tried once before we listen; what does not work then is tried on, and nobody else waits for it."""
        if not await self._introduced():
            self._task = asyncio.create_task(self._go_on(), name="telegram")
        if not self.polls and not self.webhook:
            log.warning("telegram.no_webhook", account=self._settings.account, why="public_url is not https")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _go_on(self) -> None:
        wait = FIRST
        while not self._ready.is_set():
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST)
            await self._introduced()

    async def _introduced(self) -> bool:
        try:
            self._meet(await self._api().call("getMe", read=5))
            if self.polls:
                await self._api().call("deleteWebhook", read=5)
            elif self.webhook:
                await self._api().call(
                    "setWebhook",
                    read=5,
                    url=self.webhook,
                    secret_token=self._settings.secret,
                    allowed_updates=list(UPDATES),
                )
        except SendError as error:
            self._complain(error)
            return False
        self._ready.set()
        return True

    def _complain(self, error: SendError) -> None:
        log.error("telegram.trouble", account=self._settings.account, why=error.reason)

    # ── Fetching updates ourselves ──────────────────────────────────────────────────────────────

    async def poll(self) -> None:
        """Asking for the next update is what tells Telegram that those before it arrived: only after they are
        stored.
        """
        await self._ready.wait()
        offset: int | None = None
        hopeless = FIRST  # another poller may be the one we follow, which is about to be gone
        while True:
            try:
                updates = await self._api().call(
                    "getUpdates",
                    read=POLL + 10,
                    offset=offset,
                    limit=BATCH,
                    timeout=POLL,
                    allowed_updates=list(UPDATES),
                )
                before, hopeless = offset, FIRST
                for update in updates if isinstance(updates, list) else ():
                    await self._stored(update)
                    offset = _after(update, offset)
                if updates == []:  # all is confirmed, and after a quiet week the numbers begin anywhere
                    offset = None
                elif offset == before:  # what came is nothing we can confirm: not at once again
                    await asyncio.sleep(FIRST)
            except SendDeferred as error:
                self._complain(error)
                await asyncio.sleep(error.retry_after.total_seconds() if error.retry_after else FIRST)
            except SendError as error:
                self._complain(error)
                await asyncio.sleep(hopeless if isinstance(error, Misconfigured) else FIRST)
                hopeless = min(2 * hopeless, HOPELESS)
            except Exception:
                log.exception("telegram.poll", account=self._settings.account)
                await asyncio.sleep(FIRST)

    async def _stored(self, update: Any) -> None:
        while True:
            try:
                await self._take(update)
            except StoreUnavailable:
                log.warning("store.unavailable", work="telegram")
                await asyncio.sleep(FIRST)
            else:
                return


def _after(update: Any, offset: int | None) -> int | None:
    number = update.get("update_id") if isinstance(update, dict) else None
    return number + 1 if isinstance(number, int) else offset
