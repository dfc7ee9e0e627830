"""A Slack on 127.0.0.1 that enforces what the real one enforces, and can go wrong like it.

Methods, limits and errors follow https://docs.slack.dev/reference/methods; what people do in it is in `slack_people`.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from msgspec import Struct

from tests.fakes.slack_blocks import shown
from tests.fakes.slack_methods import METHODS, NESTED, PER_MINUTE, Methods, Refusal, unnested
from tests.fakes.slack_people import SIGNING_SECRET
from tests.fakes.slack_workspace import BOT_ID, BOT_USER, Post, Workspace

__all__ = ["APP_TOKEN", "METHODS", "SIGNING_SECRET", "TOKEN", "SlackApi", "Trouble"]

TOKEN = "xoxb-101-fake-token-for-tests"
APP_TOKEN = "xapp-1-A0SWITCHBRD-fake-for-tests"
SCOPES = (
    "channels:history", "channels:join", "channels:read", "chat:write", "commands", "files:read", "files:write",
    "groups:history", "groups:read", "metadata.message:read", "reactions:read", "reactions:write", "usergroups:read",
    "users:read",
)  # fmt: skip
BURST = 3


class Trouble(Struct, frozen=True, kw_only=True):
    """What goes wrong with one call."""

    error: str = ""  # ok: false
    status: int = 0  # an error page
    body: bytes | None = None  # answered with 200 instead of what should be
    retry_after: int = 0  # 429
    hang: float = 0  # seconds before the answer
    drop: bool = False  # the connection ends, nothing was done
    lose: bool = False  # it is done, and the connection ends


class Call(Struct, frozen=True, kw_only=True):
    method: str
    data: dict[str, Any]
    at: float
    error: str = ""


class SlackApi(Methods):
    def __init__(
        self,
        *,
        per_channel: float = 0,
        clock: Callable[[], float] = time.time,
        scopes: tuple[str, ...] = SCOPES,
        edit_window: float = 0,
        per_minute: bool = False,
    ) -> None:
        """`per_channel` messages a second (0: as many as you like); `edit_window` in seconds (0: for ever);
        `per_minute`: each method's own limit holds.
        """
        super().__init__(Workspace(clock, lambda: self.url), edit_window)
        self.clock = clock
        self.scopes = set(scopes)
        self.url = ""
        self.calls: list[Call] = []
        self.trouble: dict[str, deque[Trouble]] = defaultdict(deque)
        self.auth_error = ""  # of every call: token_revoked, account_inactive…
        self.downloads: list[str] = []
        self._per_minute = per_minute
        self._per_channel = per_channel
        self._last: dict[str, deque[float]] = defaultdict(deque)
        self._out_until = 0.0
        self._out_how = Trouble()

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    # ── Serving ─────────────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[SlackApi]:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/api/{method}", self._handle)
        app.router.add_post("/upload/{file}", self._upload)
        app.router.add_get("/files-pri/{file}/{name}", self._download)
        app.router.add_post("/response/{id}", self._response_url)
        app.router.add_get("/socket/{ticket}", self._socket)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession() as http:
            self._http = http
            try:
                yield self
            finally:
                await self.hang_up()
                await runner.cleanup()

    def breaks(self, method: str, times: int = 1, **how: Any) -> None:
        """The next calls of a method (or of every one: "*") meet this trouble."""
        self.trouble[method].extend([Trouble(**how)] * times)

    def outage(self, seconds: float, **how: Any) -> None:
        """By the fake's clock; a 503 unless it is said how."""
        self._out_until = self.clock() + seconds
        self._out_how = Trouble(**(how or {"status": 503}))

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        trouble = self._trouble(method)
        if trouble.hang:
            await asyncio.sleep(trouble.hang)
        if trouble.drop:
            return _hung_up(request)
        if (early := _instead(trouble)) is not None:
            return early
        data: dict[str, Any] = {}
        try:
            data = await self._parameters(request, method)
            answer = {"ok": True, **self._called(request, method, data, trouble.error)}
            error = ""
        except Refusal as refusal:
            error = refusal.error
            answer = {"ok": False, "error": error, **refusal.more}
        self.calls.append(Call(method=method, data=data, at=self.clock(), error=error))
        if trouble.lose:
            return _hung_up(request)
        headers = {"x-oauth-scopes": ",".join(sorted(self.scopes))}
        if error == "ratelimited":
            return web.json_response(
                answer, status=429, headers=headers | {"Retry-After": str(answer.pop("after"))}
            )
        return web.json_response(answer, headers=headers)

    def _trouble(self, method: str) -> Trouble:
        if self.clock() < self._out_until:
            return self._out_how
        for name in (method, "*"):
            if self.trouble[name]:
                return self.trouble[name].popleft()
        return Trouble()

    async def _parameters(self, request: web.Request, method: str) -> dict[str, Any]:
        """From the query, a form or JSON; what reads takes no JSON."""
        data: dict[str, Any] = dict(request.query)
        if request.content_type == "application/json":
            try:
                body = await request.json()
            except ValueError:
                raise Refusal("invalid_json") from None
            if not isinstance(body, dict):
                raise Refusal("json_not_object")
            return data | (body if method in METHODS and METHODS[method][2] else {})
        for name, value in (await request.post()).items():
            data[name] = str(value)
        for name in NESTED:
            if isinstance(data.get(name), str):
                data[name] = unnested(name, data[name])
        return data

    def _called(
        self, request: web.Request, method: str, data: dict[str, Any], trouble: str
    ) -> dict[str, Any]:
        if trouble:
            raise Refusal(trouble)
        if method not in METHODS:
            raise Refusal("unknown_method", req_method=method)
        scope, required, _ = METHODS[method]
        self._authorized(request, method)
        if scope and scope not in self.scopes:
            raise Refusal("missing_scope", needed=scope, provided=",".join(sorted(self.scopes)))
        missing = [name for name in required if data.get(name) is None or data[name] == ""]
        if missing:
            words = [f"[ERROR] missing required field: {name}" for name in missing]
            raise Refusal("invalid_arguments", response_metadata={"messages": words})
        if method == "chat.postMessage":
            self._within_limits(str(data["channel"]))
        if self._per_minute and method in PER_MINUTE:
            self._within_a_minute(method)
        return self.methods[method](data)

    def _authorized(self, request: web.Request, method: str) -> None:
        given = request.headers.get("Authorization", "")
        wanted = APP_TOKEN if method == "apps.connections.open" else TOKEN
        if not given:
            raise Refusal("not_authed")
        if given in {f"Bearer {TOKEN}", f"Bearer {APP_TOKEN}"} and given != f"Bearer {wanted}":
            raise Refusal("not_allowed_token_type")
        if given != f"Bearer {wanted}":
            raise Refusal("invalid_auth")
        if self.auth_error:
            raise Refusal(self.auth_error)

    def _within_limits(self, channel: str) -> None:
        """https://docs.slack.dev/apis/web-api/rate-limits: one a second, and a short burst."""
        if not self._per_channel:
            return
        last, now = self._last[channel], self.clock()
        while last and now - last[0] > BURST / self._per_channel:
            last.popleft()
        # Clocks of two processes and a loop in between: a twentieth of a second is no abuse.
        if len(last) >= BURST and now - last[-1] < 1 / self._per_channel - 0.05:
            raise Refusal("ratelimited", after=1)
        last.append(now)

    def _within_a_minute(self, method: str) -> None:
        last, now = self._last[method], self.clock()
        while last and now - last[0] >= 60:
            last.popleft()
        if len(last) >= PER_MINUTE[method]:
            raise Refusal("ratelimited", after=int(60 - (now - last[0])) + 1)
        last.append(now)

    # ── Files ───────────────────────────────────────────────────────────────────────────────────

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        """The address is the key: a token has no business there."""
        trouble = self._trouble("upload")
        if trouble.drop:
            return _hung_up(request)
        if trouble.body is None and (early := _instead(trouble)) is not None:  # 200 means it has the bytes
            return early
        file = self.workspace.files.get(request.match_info["file"])
        if file is None or "Authorization" in request.headers:
            return web.Response(status=403, text="forbidden")
        content = await request.read()
        if len(content) != file.length:
            return web.Response(status=400, text="length mismatch")
        file.content, file.uploaded = content, True
        return web.Response(text=f"OK - {len(content)}")

    async def _download(self, request: web.Request) -> web.StreamResponse:
        """Without a token that may read files, Slack shows the page to log in, with a 200."""
        trouble = self._trouble("download")
        if trouble.drop:
            return _hung_up(request)
        if (early := _instead(trouble)) is not None:
            return early
        self.downloads.append(request.path)
        given = request.headers.get("Authorization", "")
        if given != f"Bearer {TOKEN}" or self.auth_error or "files:read" not in self.scopes:
            return web.Response(
                text="<!DOCTYPE html><html><title>Sign in</title></html>", content_type="text/html"
            )
        file = self.workspace.files.get(request.match_info["file"].partition("-")[2])
        if file is None:
            return web.Response(status=404, text="<html>gone</html>", content_type="text/html")
        disposition = {"Content-Disposition": "attachment"} if "download" in request.query else {}
        return web.Response(body=file.content, content_type=file.mime, headers=disposition)

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────

    def posted(self, channel: str = "") -> list[Post]:
        """What the app posted and what is still there, oldest first."""
        mine = [one for one in self.workspace.posts if one.bot_id == BOT_ID and not one.deleted]
        return [one for one in mine if channel in {"", one.channel}]

    def cards(self, channel: str = "") -> list[Post]:
        return [one for one in self.posted(channel) if not one.is_reply]

    def thread(self, root: Post) -> list[Post]:
        return self.workspace.replies(root)

    def words(self, post: Post) -> str:
        return shown(post.text, post.blocks)

    def reactions(self, post: Post) -> set[str]:
        return {name for name, users in post.reactions.items() if BOT_USER in users}

    def called(self, method: str) -> list[Call]:
        return [one for one in self.calls if one.method == method]


def _hung_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def _instead(trouble: Trouble) -> web.Response | None:
    if trouble.retry_after:
        headers = {"Retry-After": str(trouble.retry_after)}
        return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
    if trouble.status:
        page = f"<html>{trouble.status} Authorization: Bearer {TOKEN}</html>"  # a proxy that shows too much
        return web.Response(status=trouble.status, text=page, content_type="text/html")
    if trouble.body is not None:
        return web.Response(body=trouble.body, content_type="application/json")
    return None
