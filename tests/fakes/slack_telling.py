"""How Slack tells the app: signed over HTTP, or in envelopes over a socket, and again until it is taken.

https://docs.slack.dev/apis/events-api, https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import WSMsgType, web
from msgspec import Struct, field

from tests.fakes.slack_workspace import APP_ID, BOT_USER, TEAM, Ephemeral, Workspace

SIGNING_SECRET = "5f2b7c1e9a3d4c6f8b0e1d2a3c4b5e6f"
PATHS = {
    "events_api": "/slack/events",
    "interactive": "/slack/interactions",
    "slash_commands": "/slack/commands",
}
ACK_SECONDS = 3.0
RETRIES = (0.0, 60.0, 300.0)  # seconds after which Slack comes again
RESPONSES_MOST, RESPONSE_SECONDS = 5, 1800


class Delivery(Struct, kw_only=True):
    """What became of something the app was told."""

    kind: str
    payload: dict[str, Any]
    statuses: list[int] = field(default_factory=list)  # of each try; 0: no answer in time
    answer: Any = None  # the body of the answer that was taken
    seconds: float = 0  # until it was taken

    @property
    def taken(self) -> bool:
        return bool(self.statuses) and 200 <= self.statuses[-1] < 300


class Socket(Struct, kw_only=True, eq=False):
    ws: web.WebSocketResponse
    ticket: str


class Ack(Struct, frozen=True, kw_only=True):
    envelope_id: str
    payload: Any
    at: float  # of the loop's clock


class Held(Struct, kw_only=True):
    kind: str
    payload: dict[str, Any]
    retries: bool


class Telling:
    url: str

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.app_url = ""  # where the app listens; without it, the sockets
        self.signing_secret = SIGNING_SECRET
        self.retry_after: tuple[float, ...] = (0.0, 0.02, 0.05)  # RETRIES, scaled
        self.ack_seconds = ACK_SECONDS
        self.deliveries: list[Delivery] = []
        self.held: list[Held] | None = None  # a list while deliveries are kept back
        self.ephemerals: list[Ephemeral] = []
        self.originals: dict[str, Ephemeral] = {}  # of a response_url: what was pressed
        self.responses: dict[str, tuple[str, str, float, int]] = {}  # id → user, channel, when, uses
        self.sockets: list[Socket] = []
        self.acks: list[Ack] = []
        self.refuse_sockets = False
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._tickets: set[str] = set()
        self._background: set[asyncio.Task[Any]] = set()
        self._turn = 0
        self._http: aiohttp.ClientSession

    # ── Telling the app ─────────────────────────────────────────────────────────────────────────

    async def event(self, event: dict[str, Any]) -> Delivery:
        return await self.tell("events_api", self.envelope(event), retries=True)

    def envelope(self, event: dict[str, Any]) -> dict[str, Any]:
        authorization = {
            "enterprise_id": None,
            "team_id": TEAM,
            "user_id": BOT_USER,
            "is_bot": True,
            "is_enterprise_install": False,
        }
        return {
            "token": "verification-token-of-old",
            "team_id": TEAM,
            "context_team_id": TEAM,
            "api_app_id": APP_ID,
            "event": event,
            "type": "event_callback",
            "event_id": self.workspace.new_id("Ev"),
            "event_time": int(self.workspace.clock()),
            "authorizations": [authorization],
            "is_ext_shared_channel": False,
            "event_context": "4-fake",
        }

    async def tell(self, kind: str, payload: dict[str, Any], *, retries: bool = False) -> Delivery:
        """Over a socket when there is one, else over HTTP; kept back while `held` is a list."""
        if self.held is not None:
            self.held.append(Held(kind=kind, payload=payload, retries=retries))
            return Delivery(kind=kind, payload=payload)
        if self.sockets:
            return await self._over_socket(kind, payload)
        if not self.app_url:  # nobody to tell
            return Delivery(kind=kind, payload=payload)
        return await self._over_http(kind, payload, retries=retries)

    def hold(self) -> None:
        self.held = []

    async def release(self, *, swapped: bool = False, twice: bool = False) -> list[Delivery]:
        """What was kept back, in its order, the other way round, or every one twice."""
        held, self.held = self.held or [], None
        if swapped:
            held.reverse()
        again = [one for one in held for _ in range(2 if twice else 1)]
        return [await self.tell(one.kind, one.payload, retries=one.retries) for one in again]

    async def _over_http(self, kind: str, payload: dict[str, Any], *, retries: bool) -> Delivery:
        body, content_type = _body(kind, payload)
        delivery = Delivery(kind=kind, payload=payload)
        self.deliveries.append(delivery)
        began = asyncio.get_running_loop().time()
        reason = ""
        for number, pause in enumerate((0.0, *self.retry_after) if retries else (0.0,)):
            await asyncio.sleep(pause)
            headers = self.signed(body) | {"Content-Type": content_type}
            if number:
                headers |= {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason}
            status, reason, no_retry = await self._posted(PATHS[kind], body, headers, delivery)
            delivery.statuses.append(status)
            if delivery.taken or no_retry:
                break
        delivery.seconds = asyncio.get_running_loop().time() - began
        return delivery

    async def _posted(
        self, path: str, body: bytes, headers: dict[str, str], delivery: Delivery
    ) -> tuple[int, str, bool]:
        timeout = aiohttp.ClientTimeout(total=self.ack_seconds)
        try:
            async with self._http.post(
                self.app_url + path, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                text = await answer.text()
                delivery.answer = json.loads(text) if text.startswith("{") else text
                return answer.status, "http_error", answer.headers.get("X-Slack-No-Retry") == "1"
        except TimeoutError:
            return 0, "http_timeout", False
        except aiohttp.ClientError:
            return 0, "connection_failed", False

    def signed(self, body: bytes, at: float | None = None) -> dict[str, str]:
        """https://docs.slack.dev/authentication/verifying-requests-from-slack"""
        stamp = str(int(self.workspace.clock() if at is None else at))
        base = b"v0:" + stamp.encode() + b":" + body
        digest = hmac.new(self.signing_secret.encode(), base, hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}

    # ── Sockets ─────────────────────────────────────────────────────────────────────────────────

    def new_ticket(self) -> str:
        ticket = self.workspace.new_id("ticket")
        self._tickets.add(ticket)
        return ticket

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        ticket = request.match_info["ticket"]
        if ticket not in self._tickets or self.refuse_sockets:
            return web.Response(status=403)
        self._tickets.remove(ticket)  # each address opens one socket
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        socket = Socket(ws=ws, ticket=ticket)
        self.sockets.append(socket)
        debug = {"host": "fake-1", "build_number": 7, "approximate_connection_time": 18060}
        hello = {"type": "hello", "num_connections": len(self.sockets), "debug_info": debug}
        await ws.send_json(hello | {"connection_info": {"app_id": APP_ID}})
        try:
            async for frame in ws:
                if frame.type is WSMsgType.TEXT:
                    self._acknowledged(json.loads(frame.data))
        finally:
            with suppress(ValueError):
                self.sockets.remove(socket)
        return ws

    def _acknowledged(self, told: dict[str, Any]) -> None:
        at = asyncio.get_running_loop().time()
        ack = Ack(envelope_id=str(told.get("envelope_id")), payload=told.get("payload"), at=at)
        self.acks.append(ack)
        waiting = self._waiting.get(ack.envelope_id)
        if waiting and not waiting.done():
            waiting.set_result(ack.payload)

    async def _over_socket(self, kind: str, payload: dict[str, Any]) -> Delivery:
        """To any one of the sockets; to another one when it is not acknowledged in time."""
        delivery = Delivery(kind=kind, payload=payload)
        self.deliveries.append(delivery)
        envelope: dict[str, Any] = {
            "envelope_id": self.workspace.new_id("env"),
            "type": kind,
            "payload": payload,
        }
        envelope["accepts_response_payload"] = kind != "events_api"
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[envelope["envelope_id"]] = waiting
        began = asyncio.get_running_loop().time()
        for number in range(4):
            more = {"retry_attempt": number, "retry_reason": "timeout" if number else ""}
            await self._sent(envelope | (more if kind == "events_api" else {}))
            try:
                async with asyncio.timeout(self.ack_seconds):
                    delivery.answer = await asyncio.shield(waiting)
                delivery.statuses.append(200)
                break
            except TimeoutError:
                delivery.statuses.append(0)
        delivery.seconds = asyncio.get_running_loop().time() - began
        return delivery

    async def _sent(self, envelope: dict[str, Any]) -> None:
        if not self.sockets:
            return
        self._turn += 1
        with suppress(ConnectionError, RuntimeError):
            await self.sockets[self._turn % len(self.sockets)].ws.send_json(envelope)

    async def disconnects(self, socket: Socket, *reasons: str) -> None:
        """`warning` comes some seconds ahead of `refresh_requested`; after that the socket is gone."""
        for reason in reasons or ("warning", "refresh_requested"):
            told = {"type": "disconnect", "reason": reason, "debug_info": {"host": "fake-1"}}
            with suppress(ConnectionError, RuntimeError):
                await socket.ws.send_json(told)
        if "refresh_requested" in reasons or not reasons:
            self._later(self._closed_soon(socket))

    async def _closed_soon(self, socket: Socket) -> None:
        await asyncio.sleep(0.05)
        await socket.ws.close()

    async def cuts(self, socket: Socket) -> None:
        """The connection is gone without a word."""
        transport = socket.ws._req.transport if socket.ws._req else None
        if transport is not None:
            transport.abort()

    async def hang_up(self) -> None:
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        for socket in list(self.sockets):
            await socket.ws.close()

    async def settled(self) -> None:
        """Every echo has been delivered."""
        while self._background:
            await asyncio.gather(*self._background, return_exceptions=True)

    def _later(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # ── response_url ────────────────────────────────────────────────────────────────────────────

    def _response(self, user: str, channel: str) -> str:
        id = self.workspace.new_id("R")
        self.responses[id] = (user, channel, self.workspace.clock(), 0)
        return f"{self.url}/response/{id}"

    async def _response_url(self, request: web.Request) -> web.StreamResponse:
        known = self.responses.get(request.match_info["id"])
        if known is None:
            return web.json_response({"ok": False, "error": "expired_url"}, status=404)
        user, channel, at, uses = known
        if uses >= RESPONSES_MOST or self.workspace.clock() - at > RESPONSE_SECONDS:
            return web.json_response({"ok": False, "error": "used_url"}, status=404)
        self.responses[request.match_info["id"]] = (user, channel, at, uses + 1)
        told = await request.json()
        if told.get("delete_original") and self.originals.get(request.match_info["id"]) in self.ephemerals:
            self.ephemerals.remove(self.originals[request.match_info["id"]])
        self._shown(user, channel, told, "response_url")
        return web.Response(text="ok")

    def _shown(self, user: str, channel: str, answer: Any, via: str) -> None:
        told: dict[str, Any] = answer if isinstance(answer, dict) else {"text": answer or ""}
        if told.get("text") or told.get("blocks"):
            seen = Ephemeral(
                channel=channel,
                user=user,
                text=str(told.get("text", "")),
                blocks=told.get("blocks", []),
                via=via,
            )
            self.ephemerals.append(seen)


def _body(kind: str, payload: dict[str, Any]) -> tuple[bytes, str]:
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    form = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode(form).encode(), "application/x-www-form-urlencoded"
