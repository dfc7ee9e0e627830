"""The methods of Slack's Web API, with what each wants, refuses and changes.

https://docs.slack.dev/reference/methods
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from tests.fakes.slack_blocks import VIEW_BYTES, blocks_too_long, mentions, wrong_blocks, wrong_view
from tests.fakes.slack_people import People
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

TEXT_CUT, TEXT_LIMIT = 4040, 40_000
METADATA_BYTES = 8_000
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


# Calls a minute, https://docs.slack.dev/apis/web-api/rate-limits: those that are not named take hundreds.
PER_MINUTE: Mapping[str, int] = {
    "apps.connections.open": 1,
    "chat.delete": 50,
    "chat.postEphemeral": 100,
    "chat.update": 50,
    "conversations.history": 50,
    "conversations.info": 50,
    "conversations.members": 100,
    "conversations.replies": 50,
    "files.completeUploadExternal": 100,
    "files.getUploadURLExternal": 100,
    "files.info": 100,
    "reactions.add": 50,
    "reactions.get": 50,
    "reactions.remove": 20,
    "usergroups.list": 20,
    "users.getPresence": 50,
    "users.info": 100,
    "users.list": 20,
    "views.open": 100,
    "views.publish": 100,
    "views.push": 100,
    "views.update": 100,
}


class Refusal(Exception):
    """ok: false, with Slack's word for it."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.error, self.more = error, more


class Notified(Struct, frozen=True, kw_only=True):
    """Somebody's screen lit up."""

    channel: str
    ts: str
    mention: str


class Methods(People):
    """Each takes its arguments and returns what stands beside `ok: true`, or raises `Refusal`."""

    def __init__(self, workspace: Workspace, edit_window: float) -> None:
        super().__init__(workspace)
        self.notified: list[Notified] = []
        self.split = 0  # texts that Slack would have cut into several messages
        self._edit_window = edit_window
        self.methods: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            name: getattr(self, _snake(name)) for name in METHODS
        }

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
        if blocks_too_long(blocks):
            raise Refusal("msg_blocks_too_long")
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
        if self._edit_window and self.workspace.clock() - float(post.ts) > self._edit_window:
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
        if self.workspace.clock() - at > TRIGGER_SECONDS:
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
        if len(json.dumps(view)) > VIEW_BYTES:
            raise Refusal("view_too_large")
        for block in view["blocks"]:
            block.setdefault("block_id", self.workspace.new_id("b"))
        return dict(view)

    # ── Sockets and response_url ────────────────────────────────────────────────────────────────

    def _apps_connections_open(self, data: dict[str, Any]) -> dict[str, Any]:
        if len(self.sockets) >= 10:
            raise Refusal("too_many_websockets")
        return {"url": f"{self.url.replace('http', 'ws', 1)}/socket/{self.new_ticket()}"}


def _snake(method: str) -> str:
    """chat.postMessage → _chat_post_message"""
    return "_" + re.sub(r"[.A-Z]", lambda at: "_" + at[0].lower().strip("."), method.replace("URL", "Url"))


def unnested(name: str, value: str) -> Any:
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
