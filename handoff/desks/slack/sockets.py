"""Socket Mode: Slack's events over connections that we open, so that no public address is needed.

https://docs.slack.dev/apis/events-api/using-socket-mode. The library keeps the connections (pings, staleness, being
told to reconnect); what we add is that an envelope is acknowledged only after it was taken, that every address is tried
once, and that nothing of an envelope is logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

import aiohttp
import structlog
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from bot.domain.errors import Misconfigured, SendDeferred, SendError, StoreUnavailable
from handoff.desks.slack.api import SlackApi

log = structlog.get_logger()

# Slack closes connections now and then to move them: with two, there is always one. At most ten for an app.
CONNECTIONS = 2
PING = 5.0  # seconds
FIRST, LONGEST = 1.0, 120.0  # seconds between tries
HOPELESS = 30.0  # a refused token: until somebody mends it
REFUSED = {"too_many_websockets", "link_disabled"}  # the library would be back at once, and again
GRACE = 3.0  # seconds for what is under way when we stop

Take = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any] | None]]
"""An envelope's type (events_api, interactive, slash_commands) and payload → what to answer, once it is stored.

Raises `StoreUnavailable`: then it is not acknowledged, and Slack brings it again.
"""


class Sockets:
    """A few connections at once; each envelope comes over any one of them, and again when it was not acknowledged."""

    def __init__(
        self,
        api: SlackApi,
        http: aiohttp.ClientSession,
        take: Take,
        *,
        connections: int = CONNECTIONS,
        ping: float = PING,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`api` speaks with the app-level token (xapp-)."""
        self._api = api
        self._http = http
        self._take = take
        self._connections = connections
        self._ping = ping
        self._sleep = sleep
        self._clients: list[_Client] = []
        self._connecting: list[asyncio.Task[None]] = []
        self._taking: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Nobody waits for Slack: what does not connect now is tried on."""
        for _ in range(self._connections):
            client = _Client(self._api, self._http, self._ping, self._sleep)
            await client.aiohttp_client_session.close()  # the library's own
            client.aiohttp_client_session = cast("aiohttp.ClientSession", _OneTry(client, self._http))
            client.socket_mode_request_listeners.append(self._heard)
            self._clients.append(client)
            self._connecting.append(asyncio.create_task(client.connect(), name="slack socket"))

    async def stop(self) -> None:
        """What is being taken is taken and acknowledged first."""
        if self._taking:
            await asyncio.wait(self._taking, timeout=GRACE)
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for client in self._clients:
            await _closed(client)
        self._clients, self._connecting = [], []

    async def connected(self) -> int:
        """How many connections stand."""
        return sum([await client.is_connected() for client in self._clients])

    async def _heard(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)
        try:
            answer = await self._take(request.type, request.payload)
        except StoreUnavailable:
            log.warning("store.unavailable", work="slack socket")
            return
        except Exception:
            log.exception("slack.socket", kind=request.type)
            return
        response = SocketModeResponse(envelope_id=request.envelope_id, payload=answer)
        # Without its acknowledgement it comes again, and is known by then.
        with suppress(ConnectionError, RuntimeError, aiohttp.ClientError):
            await client.send_socket_mode_response(response)


class _Client(SocketModeClient):
    def __init__(
        self,
        api: SlackApi,
        http: aiohttp.ClientSession,
        ping: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        quiet = logging.getLogger(f"{__name__}.library")
        quiet.setLevel(logging.CRITICAL + 1)  # its lines hold what was written
        super().__init__(app_token="", logger=quiet, web_client=api.web, ping_interval=ping)
        self.proxy = None
        self._opens = api
        self._sleep = sleep

    async def run_message_listeners(self, message: dict[str, Any], raw_message: str) -> None:
        kind, reason = message.get("type"), message.get("reason")
        if kind == "hello":
            log.info("slack.socket", state="open", connections=message.get("num_connections"))
        elif kind == "disconnect":
            log.info("slack.socket", state="told to reconnect", why=reason)
            if reason in REFUSED:
                await self._sleep(HOPELESS)
        await super().run_message_listeners(message, raw_message)

    async def connect(self) -> None:
        await super().connect()  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        await super().close()  # type: ignore[no-untyped-call]

    async def issue_new_wss_url(self) -> str:
        """An address for one connection, however long that takes."""
        wait = FIRST
        while True:
            try:
                answer = await self._opens.call("apps.connections.open")
                return str(answer["url"])
            except SendError as error:
                log.warning("slack.socket", why=error.reason)
                pause = HOPELESS if isinstance(error, Misconfigured) else wait
                told = error.retry_after if isinstance(error, SendDeferred) else None
                await self._sleep(max(pause, told.total_seconds() if told else 0))
                wait = min(wait * 2, LONGEST)


class _OneTry:
    """The library would try an address for ever, and Slack's are good for one connection."""

    def __init__(self, client: _Client, http: aiohttp.ClientSession) -> None:
        self._client = client
        self._http = http

    @property
    def closed(self) -> bool:
        return False  # the server's session outlives the sockets

    async def close(self) -> None: ...

    async def ws_connect(self, url: str, **options: Any) -> Any:
        self._client.wss_uri = cast("str", None)
        return await self._http.ws_connect(url, **options)


async def _closed(client: _Client) -> None:
    with suppress(aiohttp.ClientError, ConnectionError):
        await client.close()
    tasks = (client.message_processor, client.current_session_monitor, client.message_receiver)
    await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)
