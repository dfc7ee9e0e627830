"""A Slack on 127.0.0.1 that enforces what the real one enforces, and can go wrong like it.

Methods, limits and errors follow https://docs.slack.dev/reference/methods; what people do in it is in `slack_people`.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from msgspec import Struct

from tests.fakes.slack_blocks import mentions, shown, wrong_blocks, wrong_view
from tests.fakes.slack_people import SIGNING_SECRET, People
from tests.fakes.slack_workspace import (
    APP_ID,
    BOT_ID,
    BOT_USER,
    HOME,
    TEAM,
    Channel,
    Ephemeral,
    File,
    Person,
    Post,
    View,
    Workspace,
)

__all__ = ["APP_TOKEN", "SIGNING_SECRET", "TOKEN", "SlackApi", "Trouble"]

TOKEN = "xoxb-101-fake-token-for-tests"
APP_TOKEN = "xapp-1-A0SWITCHBRD-fake-for-tests"
SCOPES = (
    "channels:history", "channels:join", "channels:read", "chat:write", "commands", "files:read", "files:write",
    "groups:history", "groups:read", "metadata.message:read", "reactions:read", "reactions:write", "usergroups:read",
    "users:read",
)  # fmt: skip
TEXT_CUT, TEXT_LIMIT = 4040, 40_000
METADATA_BYTES = 8_000
BURST = 3
TRIGGER_SECONDS = 3.0
REACTIONS_MOST = 23

# method → its scope, what it must be told, whether it takes JSON
METHODS: Mapping[str, tuple[str, tuple[str, ...], bool]] = {
    "auth.test": ("", (), True),
    "chat.postMessage": ("chat:write", ("channel",), True),
    "chat.update": ("chat:write", ("channel", "ts"), True),
    "chat.delete": ("chat:write", ("channel", "ts"), True),
    "chat.postEphemeral": ("chat:write", ("channel", "user"), True),
    "chat.getPermalink": ("", ("channel", "message_ts"), False),
    "reactions.add": ("reactions:write", ("channel", "timestamp", "name"), True),
    "reactions.remove": ("reactions:write", ("name",), True),
    "reactions.get": ("reactions:read", ("channel", "timestamp"), False),
    "conversations.history": ("channels:history", ("channel",), False),
    "conversations.replies": ("channels:history", ("channel", "ts"), False),
    "conversations.info": ("channels:read", ("channel",), False),
    "conversations.members": ("channels:read", ("channel",), False),
    "conversations.join": ("channels:join", ("channel",), True),
    "users.info": ("users:read", ("user",), False),
    "users.list": ("users:read", (), False),
    "users.getPresence": ("users:read", ("user",), False),
    "usergroups.list": ("usergroups:read", (), False),
    "bots.info": ("users:read", (), False),
    "files.getUploadURLExternal": ("files:write", ("filename", "length"), False),
    "files.completeUploadExternal": ("files:write", ("files",), True),
    "files.info": ("files:read", ("file",), False),
    "views.open": ("", ("view",), True),
    "views.push": ("", ("view",), True),
    "views.update": ("", ("view",), True),
    "views.publish": ("", ("user_id", "view"), True),
    "apps.connections.open": ("", (), True),
}
NESTED = ("blocks", "metadata", "view", "files", "attachments")
POSTS = ("chat.postMessage", "chat.postEphemeral", "files.completeUploadExternal")


class Refusal(Exception):
    """ok: false, with Slack's word for it."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.error, self.more = error, more


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


class Notified(Struct, frozen=True, kw_only=True):
    """Somebody's screen lit up."""

    channel: str
    ts: str
    mention: str


class SlackApi(People):
    def __init__(
        self,
        *,
        per_channel: float = 0,
        clock: Callable[[], float] = time.time,
        scopes: tuple[str, ...] = SCOPES,
        edit_window: float = 0,
    ) -> None:
        """`per_channel` messages a second (0: as many as you like); `edit_window` in seconds (0: for ever)."""
        super().__init__(Workspace(clock, lambda: self.url))
        self.clock = clock
        self.scopes = set(scopes)
        self.url = ""
        self.calls: list[Call] = []
        self.notified: list[Notified] = []
        self.ephemerals: list[Ephemeral] = []
        self.split = 0  # texts that Slack would have cut into several messages
        self.trouble: dict[str, deque[Trouble]] = defaultdict(deque)
        self.auth_error = ""  # of every call: token_revoked, account_inactive…
        self.downloads: list[str] = []
        self._edit_window = edit_window
        self._per_channel = per_channel
        self._last: dict[str, deque[float]] = defaultdict(deque)
        self._out_until = 0.0
        self._out_how = Trouble()
        self._methods: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            name: getattr(self, _snake(name)) for name in METHODS
        }

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
                data[name] = _unnested(name, data[name])
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
        return self._methods[method](data)

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

    # ── Who we are ──────────────────────────────────────────────────────────────────────────────

    def _auth_test(self, data: dict[str, Any]) -> dict[str, Any]:
        return {
            "url": f"https://{HOME}.slack.com/",
            "team": "Nordwind",
            "user": "switchboard",
            "team_id": TEAM,
            "user_id": BOT_USER,
            "bot_id": BOT_ID,
            "app_id": APP_ID,
            "is_enterprise_install": False,
        }

    def _bots_info(self, data: dict[str, Any]) -> dict[str, Any]:
        return {
            "bot": {
                "id": data.get("bot", BOT_ID),
                "app_id": APP_ID,
                "user_id": BOT_USER,
                "name": "Switchboard",
            }
        }

    # ── Posting ─────────────────────────────────────────────────────────────────────────────────

    def _chat_post_message(self, data: dict[str, Any]) -> dict[str, Any]:
        channel = self._writable(data)
        text, blocks = self._content(data)
        thread = self._thread(channel, data)
        metadata = self._metadata(data)
        post = Post(
            channel=channel.id,
            ts=self.workspace.new_ts(),
            user=BOT_USER,
            bot_id=BOT_ID,
            text=text,
            blocks=blocks,
            thread_ts=thread,
            metadata=metadata,
            broadcast=_true(data.get("reply_broadcast")),
        )
        self.workspace.posts.append(post)
        self._notice(post, data)
        self.echo(post)
        return {"channel": channel.id, "ts": post.ts, "message": self.workspace.message(post)}

    def _content(self, data: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        text, blocks = str(data.get("text") or ""), data.get("blocks") or []
        if not text and not blocks and not data.get("attachments"):
            raise Refusal("no_text")
        if len(text) > TEXT_LIMIT:
            raise Refusal("msg_too_long")
        if blocks and (wrong := wrong_blocks(blocks)):
            raise Refusal("invalid_blocks", errors=wrong, response_metadata={"messages": wrong})
        self.split += len(text) > TEXT_CUT and not blocks
        for block in blocks:
            block.setdefault("block_id", self.workspace.new_id("b"))
        return text, blocks

    def _thread(self, channel: Channel, data: dict[str, Any]) -> str:
        ts = str(data.get("thread_ts") or "")
        root = self.workspace.post(channel.id, ts) if ts else None
        if ts and root is None:
            raise Refusal("thread_not_found")
        if root and (root.subtype in {"channel_join", "tombstone"} or root.is_reply):
            raise Refusal("cannot_reply_to_message")
        return ts

    def _metadata(self, data: dict[str, Any]) -> dict[str, Any]:
        metadata = data.get("metadata") or {}
        if metadata and not (
            isinstance(metadata.get("event_type"), str) and isinstance(metadata.get("event_payload"), dict)
        ):
            raise Refusal("invalid_metadata_format")
        if len(json.dumps(metadata)) > METADATA_BYTES:
            raise Refusal("metadata_too_large")
        return dict(metadata)

    def _notice(self, post: Post, data: dict[str, Any]) -> None:
        parsed = data.get("parse") == "full" or _true(data.get("link_names"))
        for mention in mentions(post.text, post.blocks, parsed=parsed):
            self.notified.append(Notified(channel=post.channel, ts=post.ts, mention=mention))

    def _chat_update(self, data: dict[str, Any]) -> dict[str, Any]:
        channel = self._writable(data)
        post = self._own(channel, str(data["ts"]), "cant_update_message")
        if self._edit_window and self.clock() - float(post.ts) > self._edit_window:
            raise Refusal("edit_window_closed")
        before = self.workspace.message(post)
        text, blocks = self._content(data)
        post.text, post.blocks, post.calls = text, blocks, post.calls + 1
        if data.get("metadata"):
            post.metadata = self._metadata(data)
        post.edited = self.workspace.new_ts()
        self._notice(post, data)
        self.echo(post, before)
        return {"channel": channel.id, "ts": post.ts, "text": text, "message": self.workspace.message(post)}

    def _chat_delete(self, data: dict[str, Any]) -> dict[str, Any]:
        channel = self._writable(data)
        post = self._own(channel, str(data["ts"]), "cant_delete_message")
        self.workspace.take_away(post)
        return {"channel": channel.id, "ts": post.ts}

    def _own(self, channel: Channel, ts: str, error: str) -> Post:
        post = self.workspace.post(channel.id, ts)
        if post is None or post.deleted:
            raise Refusal("message_not_found")
        if post.bot_id != BOT_ID:
            raise Refusal(error)
        return post

    def _chat_post_ephemeral(self, data: dict[str, Any]) -> dict[str, Any]:
        channel = self._writable(data)
        text, blocks = self._content(data)
        if str(data["user"]) not in channel.members:
            raise Refusal("user_not_in_channel")
        seen = Ephemeral(
            channel=channel.id,
            user=str(data["user"]),
            text=text,
            blocks=blocks,
            thread_ts=self._thread(channel, data),
        )
        self.ephemerals.append(seen)
        return {"message_ts": self.workspace.new_ts()}

    def _chat_get_permalink(self, data: dict[str, Any]) -> dict[str, Any]:
        channel, ts = self._channel(data), str(data["message_ts"])
        post = self.workspace.post(channel.id, ts)
        if post is None:
            raise Refusal("message_not_found")
        link = f"https://{HOME}.slack.com/archives/{channel.id}/p{ts.replace('.', '')}"
        if post.is_reply:
            link += f"?thread_ts={post.thread_ts}&cid={channel.id}"
        return {"channel": channel.id, "permalink": link}

    # ── Channels ────────────────────────────────────────────────────────────────────────────────

    def _channel(self, data: dict[str, Any]) -> Channel:
        channel = self.workspace.channels.get(str(data.get("channel") or ""))
        hidden = channel is not None and channel.private and BOT_USER not in channel.members
        if channel is None or channel.deleted or hidden:
            raise Refusal("channel_not_found")
        return channel

    def _readable(self, data: dict[str, Any]) -> Channel:
        channel = self._channel(data)
        if BOT_USER not in channel.members:
            raise Refusal("not_in_channel")
        return channel

    def _writable(self, data: dict[str, Any]) -> Channel:
        channel = self._channel(data)
        if channel.archived:
            raise Refusal("is_archived")
        return self._readable(data)

    def _conversations_info(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"channel": self.workspace.channel(self._channel(data))}

    def _conversations_members(self, data: dict[str, Any]) -> dict[str, Any]:
        members = sorted(self._channel(data).members)
        page, cursor = _page(members, data)
        return {"members": page, "response_metadata": {"next_cursor": cursor}}

    def _conversations_join(self, data: dict[str, Any]) -> dict[str, Any]:
        channel = self._channel(data)
        if channel.archived:
            raise Refusal("is_archived")
        channel.members.add(BOT_USER)
        return {"channel": self.workspace.channel(channel)}

    def _conversations_history(self, data: dict[str, Any]) -> dict[str, Any]:
        """Newest first; replies only where they were sent to the channel too."""
        channel = self._readable(data)
        found = [
            one
            for one in self.workspace.posts
            if one.channel == channel.id and (not one.is_reply or one.broadcast)
        ]
        return self._messages(sorted(found, key=lambda one: one.ts, reverse=True), data)

    def _conversations_replies(self, data: dict[str, Any]) -> dict[str, Any]:
        """The root, then its replies, oldest first."""
        channel = self._readable(data)
        root = self.workspace.post(channel.id, str(data["ts"]))
        if root is None:
            raise Refusal("thread_not_found")
        return self._messages(self.workspace.replies(root), data, first=[root])

    def _messages(
        self, posts: list[Post], data: dict[str, Any], first: list[Post] | None = None
    ) -> dict[str, Any]:
        oldest, latest = str(data.get("oldest") or "0"), str(data.get("latest") or "9999999999.999999")
        inclusive = _true(data.get("inclusive"))
        within = [
            one for one in posts if oldest < one.ts < latest or (inclusive and one.ts in {oldest, latest})
        ]
        page, cursor = _page(within, data)
        whole = _true(data.get("include_all_metadata"))
        return {
            "messages": [self.workspace.message(one, metadata=whole) for one in [*(first or []), *page]],
            "has_more": bool(cursor),
            "response_metadata": {"next_cursor": cursor},
        }

    # ── Reactions ───────────────────────────────────────────────────────────────────────────────

    def _reactions_add(self, data: dict[str, Any]) -> dict[str, Any]:
        post = self._reacted(data)
        name = str(data["name"])
        if not re.fullmatch(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?", name):
            raise Refusal("invalid_name")
        if BOT_USER in post.reactions.get(name, []):
            raise Refusal("already_reacted")
        if len(post.reactions) >= REACTIONS_MOST and name not in post.reactions:
            raise Refusal("too_many_emoji")
        post.reactions.setdefault(name, []).append(BOT_USER)
        return {}

    def _reactions_remove(self, data: dict[str, Any]) -> dict[str, Any]:
        post, name = self._reacted(data), str(data["name"])
        if BOT_USER not in post.reactions.get(name, []):
            raise Refusal("no_reaction")
        post.reactions[name].remove(BOT_USER)
        if not post.reactions[name]:
            del post.reactions[name]
        return {}

    def _reactions_get(self, data: dict[str, Any]) -> dict[str, Any]:
        post = self._reacted(data)
        return {"type": "message", "channel": post.channel, "message": self.workspace.message(post)}

    def _reacted(self, data: dict[str, Any]) -> Post:
        channel = self._writable(data)
        post = self.workspace.post(channel.id, str(data.get("timestamp") or ""))
        if post is None or post.deleted:
            raise Refusal("message_not_found")
        return post

    # ── People ──────────────────────────────────────────────────────────────────────────────────

    def _person(self, data: dict[str, Any]) -> Person:
        person = self.workspace.people.get(str(data["user"]))
        if person is None:
            raise Refusal("user_not_found")
        return person

    def _users_info(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"user": self.workspace.user(self._person(data))}

    def _users_list(self, data: dict[str, Any]) -> dict[str, Any]:
        people = [one for one in self.workspace.people.values() if one.team == TEAM]
        page, cursor = _page(people, data)
        return {
            "members": [self.workspace.user(one) for one in page],
            "response_metadata": {"next_cursor": cursor},
        }

    def _users_get_presence(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"presence": self._person(data).presence}

    def _usergroups_list(self, data: dict[str, Any]) -> dict[str, Any]:
        whole = _true(data.get("include_users"))
        return {
            "usergroups": [
                {"id": id, "team_id": TEAM, "handle": handle, "name": handle, "date_delete": 0}
                | ({"users": users} if whole else {})
                for id, (handle, users) in self.workspace.groups.items()
            ]
        }

    # ── Files ───────────────────────────────────────────────────────────────────────────────────

    def _files_get_upload_url_external(self, data: dict[str, Any]) -> dict[str, Any]:
        if not str(data["length"]).isdecimal() or int(data["length"]) <= 0:
            raise Refusal("invalid_arguments")
        file = File(id=self.workspace.new_id("F"), name=str(data["filename"]), user=BOT_USER)
        file.length = int(data["length"])
        self.workspace.files[file.id] = file
        return {"upload_url": f"{self.url}/upload/{file.id}", "file_id": file.id}

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        """The address is the key: a token has no business there."""
        trouble = self._trouble("upload")
        if trouble.drop:
            return _hung_up(request)
        if (early := _instead(trouble)) is not None:
            return early
        file = self.workspace.files.get(request.match_info["file"])
        if file is None or "Authorization" in request.headers:
            return web.Response(status=403, text="forbidden")
        content = await request.read()
        if len(content) != file.length:
            return web.Response(status=400, text="length mismatch")
        file.content, file.uploaded = content, True
        return web.Response(text=f"OK - {len(content)}")

    def _files_complete_upload_external(self, data: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(data["files"], list) or not data["files"]:
            raise Refusal("invalid_arguments")
        done = [self._completed(one) for one in data["files"]]
        if data.get("channel_id"):
            channel = self._writable({"channel": data["channel_id"]})
            post = Post(
                channel=channel.id,
                ts=self.workspace.new_ts(),
                user=BOT_USER,
                bot_id=BOT_ID,
                text=str(data.get("initial_comment") or ""),
                thread_ts=self._thread(channel, data),
                subtype="file_share",
                files=done,
            )
            self.workspace.posts.append(post)
            self._notice(post, {})
            self.echo(post)
        for file in done:
            file.completed = True
        return {"files": [{"id": file.id, "title": file.title} for file in done]}

    def _completed(self, told: Any) -> File:
        file = self.workspace.files.get(str(told.get("id"))) if isinstance(told, dict) else None
        if file is None or not file.uploaded:
            raise Refusal("file_not_found")
        if file.completed:
            raise Refusal("file_already_completed")
        file.title = str(told.get("title") or file.name)
        return file

    def _files_info(self, data: dict[str, Any]) -> dict[str, Any]:
        file = self.workspace.files.get(str(data["file"]))
        if file is None:
            raise Refusal("file_not_found")
        return {"file": self.workspace.file(file, whole=True)}

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

    # ── Views ───────────────────────────────────────────────────────────────────────────────────

    def _views_open(self, data: dict[str, Any]) -> dict[str, Any]:
        user = self._triggered(data)
        self.open_views[user] = [self._new_view(user, data)]
        return {"view": self.workspace.view(self.open_views[user][-1])}

    def _views_push(self, data: dict[str, Any]) -> dict[str, Any]:
        user = self._triggered(data)
        stack = self.open_views.get(user, [])
        if not stack:
            raise Refusal("not_found")
        if len(stack) >= 3:
            raise Refusal("push_limit_reached")
        stack.append(self._new_view(user, data, stack))
        return {"view": self.workspace.view(stack[-1])}

    def _views_update(self, data: dict[str, Any]) -> dict[str, Any]:
        known = [one for stack in self.open_views.values() for one in stack] + list(self.homes.values())
        named = data.get("view_id") or data.get("external_id")
        for view in known:
            if named and named in {view.id, view.body.get("external_id")}:
                if data.get("hash") and data["hash"] != view.hash:
                    raise Refusal("hash_conflict")
                view.body, view.hash = self.checked_view(data["view"]), self.new_hash()
                return {"view": self.workspace.view(view)}
        raise Refusal("not_found")

    def _views_publish(self, data: dict[str, Any]) -> dict[str, Any]:
        user = str(data["user_id"])
        if user not in self.workspace.people:
            raise Refusal("invalid_arguments")
        old = self.homes.get(user)
        if data.get("hash") and old and data["hash"] != old.hash:
            raise Refusal("hash_conflict")
        view = self._new_view(user, data)
        if view.body["type"] != "home":
            raise Refusal("invalid_arguments")
        self.homes[user] = view
        return {"view": self.workspace.view(view)}

    def _triggered(self, data: dict[str, Any]) -> str:
        trigger = str(data.get("trigger_id") or "")
        if not trigger:
            raise Refusal("invalid_arguments")
        user, at, used = self.triggers.get(trigger, ("", 0.0, False))
        if not user:
            raise Refusal("invalid_trigger_id")
        if used:
            raise Refusal("exchanged_trigger_id")
        if self.clock() - at > TRIGGER_SECONDS:
            raise Refusal("expired_trigger_id")
        self.triggers[trigger] = (user, at, True)
        return user

    def _new_view(self, user: str, data: dict[str, Any], stack: list[View] | None = None) -> View:
        body = self.checked_view(data["view"])
        view = View(id=self.workspace.new_id("V"), hash=self.new_hash(), user=user, body=body)
        if stack:
            view.root, view.previous = stack[0].id, stack[-1].id
        return view

    def checked_view(self, view: Any) -> dict[str, Any]:
        if wrong := wrong_view(view):
            raise Refusal("invalid_arguments", response_metadata={"messages": wrong})
        if len(json.dumps(view)) > 250_000:
            raise Refusal("view_too_large")
        for block in view["blocks"]:
            block.setdefault("block_id", self.workspace.new_id("b"))
        return dict(view)

    # ── Sockets and response_url ────────────────────────────────────────────────────────────────

    def _apps_connections_open(self, data: dict[str, Any]) -> dict[str, Any]:
        if len(self.sockets) >= 10:
            raise Refusal("too_many_websockets")
        return {"url": f"{self.url.replace('http', 'ws', 1)}/socket/{self.new_ticket()}"}

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


def _snake(method: str) -> str:
    """chat.postMessage → _chat_post_message"""
    return "_" + re.sub(r"[.A-Z]", lambda at: "_" + at[0].lower().strip("."), method.replace("URL", "Url"))


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


def _unnested(name: str, value: str) -> Any:
    try:
        return json.loads(value) if value else None
    except ValueError:
        error = "invalid_blocks_format" if name == "blocks" else "invalid_arguments"
        raise Refusal(error) from None


def _true(value: Any) -> bool:
    return value in {True, "1", "true", "True"}


def _page(found: list[Any], data: dict[str, Any]) -> tuple[list[Any], str]:
    limit = min(int(data.get("limit") or 100), 1000)
    start = int(str(data.get("cursor") or "cur0").removeprefix("cur") or 0)
    more = len(found) > start + limit
    return found[start : start + limit], f"cur{start + limit}" if more else ""
