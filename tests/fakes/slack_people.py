"""What people do in Slack: write, press, fill in, run the workspace; and what Slack tells the app of it.

https://docs.slack.dev/reference/events, https://docs.slack.dev/interactivity
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.fakes.slack_blocks import elements
from tests.fakes.slack_telling import SIGNING_SECRET, Delivery, Telling
from tests.fakes.slack_workspace import APP_ID, BOT_USER, TEAM, Ephemeral, File, Post, View, Workspace

__all__ = ["SIGNING_SECRET", "Delivery", "People", "rich_text"]


class People(Telling):
    """Mixed into the fake's API: all share one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self.echoes = True  # the app hears of its own posts
        self.open_views: dict[str, list[View]] = {}
        self.homes: dict[str, View] = {}
        self.triggers: dict[str, tuple[str, float, bool]] = {}  # id → whose, when, used

    # ── Writing ─────────────────────────────────────────────────────────────────────────────────

    async def says(
        self,
        user: str,
        text: str,
        *,
        thread: Post | None = None,
        channel: str = "C0DEFAULT",
        files: Iterable[File] = (),
        broadcast: bool = False,
        **changes: Any,
    ) -> Post:
        """A message as somebody types it; `Delivery` is the last of `deliveries`."""
        post = Post(
            channel=thread.channel if thread else channel,
            ts=self.workspace.new_ts(),
            user=user,
            text=text,
            blocks=[rich_text(text)] if text else [],
            thread_ts=thread.ts if thread else "",
            files=list(files),
            broadcast=broadcast,
            subtype="thread_broadcast" if broadcast else "file_share" if files else "",
            client_msg_id=self.workspace.new_id("m"),
        )
        if self.workspace.people[user].is_bot:  # also workflows speak as bots
            post.bot_id, post.client_msg_id = f"B{user[1:]}", ""
        for name, value in changes.items():
            setattr(post, name, value)
        for file in post.files:
            self.workspace.files[file.id] = file
        self.workspace.posts.append(post)
        await self.event(self._message(post))
        return post

    async def edits(self, post: Post, text: str) -> Delivery:
        before = self.workspace.message(post)
        post.text, post.blocks, post.edited = text, [rich_text(text)], self.workspace.new_ts()
        return await self.event(self._changed(post, before))

    async def unfurls(self, post: Post, url: str = "https://nordwind.example/") -> Delivery:
        """Slack adds a preview some seconds after a link was posted."""
        before = self.workspace.message(post)
        post.attachments = [{"id": 1, "from_url": url, "fallback": "Nordwind", "title": "Nordwind"}]
        return await self.event(self._changed(post, before))

    async def deletes(self, post: Post) -> Delivery:
        before = self.workspace.message(post)
        if self.workspace.take_away(post):
            return await self.event(self._changed(post, before))
        now = self.workspace.new_ts()
        place = {"channel": post.channel, "channel_type": self._type(post.channel)}
        told = {
            "subtype": "message_deleted",
            "hidden": True,
            "deleted_ts": post.ts,
            "previous_message": before,
        }
        return await self.event({"type": "message", **told, **place, "ts": now, "event_ts": now})

    async def reacts(self, user: str, post: Post, name: str) -> Delivery:
        post.reactions.setdefault(name, []).append(user)
        item = {"type": "message", "channel": post.channel, "ts": post.ts}
        told = {"user": user, "reaction": name, "item": item, "item_user": post.user}
        return await self.event({"type": "reaction_added", **told, "event_ts": self.workspace.new_ts()})

    def echo(self, post: Post, before: dict[str, Any] | None = None) -> None:
        """The app hears of what it posted itself, like of any other message."""
        if self.echoes and (self.app_url or self.sockets):
            told = self._changed(post, before) if before else self._message(post)
            self._later(self.event(told))

    def _message(self, post: Post) -> dict[str, Any]:
        place = {"channel": post.channel, "channel_type": self._type(post.channel)}
        return self.workspace.message(post) | place | {"event_ts": post.ts}

    def _changed(self, post: Post, before: dict[str, Any]) -> dict[str, Any]:
        now = self.workspace.new_ts()
        place = {"channel": post.channel, "channel_type": self._type(post.channel)}
        told = {"subtype": "message_changed", "hidden": True, "message": self.workspace.message(post)}
        return {
            "type": "message", **told, **place, "previous_message": before, "ts": now, "event_ts": now,
        }  # fmt: skip

    def _type(self, channel: str) -> str:
        return "group" if self.workspace.channels[channel].private else "channel"

    # ── Pressing and filling in ─────────────────────────────────────────────────────────────────

    async def clicks(self, user: str, post: Post, action: str, choice: str = "", block: str = "") -> Delivery:
        """A button (or an option of a menu) of a message, found by its action_id."""
        block_id, element = _found(post.blocks, action, block)
        container = {
            "type": "message",
            "message_ts": post.ts,
            "channel_id": post.channel,
            "is_ephemeral": False,
        }
        if post.thread_ts:
            container["thread_ts"] = post.thread_ts
        return await self._acts(user, block_id, element, choice, container, post)

    async def clicks_ephemeral(self, user: str, seen: Ephemeral, action: str) -> Delivery:
        block_id, element = _found(seen.blocks, action, "")
        ts = self.workspace.new_ts()
        container = {"type": "message", "message_ts": ts, "channel_id": seen.channel, "is_ephemeral": True}
        if seen.thread_ts:
            container["thread_ts"] = seen.thread_ts
        return await self._acts(user, block_id, element, "", container, None, seen=seen)

    async def clicks_in_view(self, user: str, action: str, choice: str = "", block: str = "") -> Delivery:
        view = self.view_of(user) if self.open_views.get(user) else self.homes[user]
        block_id, element = _found(view.body["blocks"], action, block)
        container = {"type": "view", "view_id": view.id}
        return await self._acts(user, block_id, element, choice, container, None, view)

    async def _acts(
        self,
        user: str,
        block_id: str,
        element: dict[str, Any],
        choice: str,
        container: dict[str, Any],
        post: Post | None,
        view: View | None = None,
        seen: Ephemeral | None = None,
    ) -> Delivery:
        given = {"type": element["type"], "action_id": element.get("action_id", ""), "block_id": block_id}
        given |= _chosen(element, choice) if choice else {}
        if element["type"] == "button":
            given |= {"text": element["text"]}
            given |= {"value": element["value"]} if "value" in element else {}
        told = self._interaction("block_actions", user) | {
            "container": container,
            "actions": [given | {"action_ts": self.workspace.new_ts()}],
            "trigger_id": self.trigger(user),
        }
        if view is not None:
            told["view"] = self.workspace.view(view)
        else:
            told |= self._place(user, str(container["channel_id"])) | {"state": {"values": {}}}
            if post is not None:
                told["message"] = self.workspace.message(post)
            if seen is not None:  # its message is not told, only where it stands
                self.originals[told["response_url"].rpartition("/")[2]] = seen
        return await self.tell("interactive", told)

    async def suggests(self, user: str, action: str, typed: str) -> list[dict[str, Any]]:
        """What a menu offers while somebody types in it."""
        view = self.view_of(user)
        block_id, _ = _found(view.body["blocks"], action, "")
        told = self._interaction("block_suggestion", user) | {
            "container": {"type": "view", "view_id": view.id},
            "view": self.workspace.view(view),
            "action_id": action,
            "block_id": block_id,
            "value": typed,
        }
        answer = (await self.tell("interactive", told)).answer
        found = answer.get("options", []) if isinstance(answer, dict) else []
        assert len(found) <= 100, "Slack shows at most 100 options"
        return list(found)

    def view_of(self, user: str) -> View:
        """The modal on top."""
        assert self.open_views.get(user), f"{user} has no modal open"
        return self.open_views[user][-1]

    async def submits(self, user: str, values: Mapping[str, Any] | None = None) -> Delivery:
        """Fill in by block_id and press the button. Slack's client would not submit what misses something."""
        view = self.view_of(user)
        state = _state(view, dict(values or {}))
        told = self._interaction("view_submission", user) | {
            "view": self.workspace.view(view) | {"state": {"values": state}},
            "trigger_id": self.trigger(user),
            "response_urls": [],
        }
        done = await self.tell("interactive", told)
        if done.taken:
            self._respond(user, view, done.answer)
        return done

    def _respond(self, user: str, view: View, answer: Any) -> None:
        stack, told = self.open_views[user], answer if isinstance(answer, dict) else {}
        action = told.get("response_action")
        if action == "errors":
            blocks = {block["block_id"] for block in view.body["blocks"] if block["type"] == "input"}
            assert set(told["errors"]) <= blocks, "errors have to name blocks of inputs"
            view.errors = dict(told["errors"])
        elif action == "clear":
            stack.clear()
        elif action in {"update", "push"}:
            body = self.checked_view(told["view"])
            if action == "update":
                view.body, view.hash, view.errors = body, self.new_hash(), {}
            else:
                root = stack[0].id
                new = View(id=self.workspace.new_id("V"), hash=self.new_hash(), user=user, body=body)
                new.root, new.previous = root, view.id
                stack.append(new)
        else:
            assert not told, f"Slack does not understand {told}"
            if view in stack:
                stack.remove(view)

    def checked_view(self, view: Any) -> dict[str, Any]:
        raise NotImplementedError

    async def closes(self, user: str) -> Delivery | None:
        view = self.view_of(user)
        self.open_views[user].remove(view)
        if not view.body.get("notify_on_close"):
            return None
        told = {"view": self.workspace.view(view), "is_cleared": False}
        return await self.tell("interactive", self._interaction("view_closed", user) | told)

    async def shortcut(self, user: str, callback_id: str, post: Post | None = None) -> Delivery:
        """Of a message, or the global one."""
        kind = "message_action" if post else "shortcut"
        told = self._interaction(kind, user) | {"callback_id": callback_id, "trigger_id": self.trigger(user)}
        told["action_ts"] = self.workspace.new_ts()
        if post:
            told |= self._place(user, post.channel) | {"message_ts": post.ts}
            told["message"] = self.workspace.message(post)
        return await self.tell("interactive", told)

    async def commands(
        self, user: str, text: str, *, command: str = "/case", channel: str = "C0DEFAULT"
    ) -> Delivery:
        told = {
            "token": "verification-token-of-old",
            "team_id": TEAM,
            "team_domain": "nordwind",
            "channel_id": channel,
            "channel_name": self.workspace.channels[channel].name,
            "user_id": user,
            "user_name": self.workspace.people[user].name.lower(),
            "command": command,
            "text": text,
            "api_app_id": APP_ID,
            "is_enterprise_install": "false",
            "response_url": self._response(user, channel),
            "trigger_id": self.trigger(user),
        }
        done = await self.tell("slash_commands", told)
        self._shown(user, channel, done.answer, "command")
        return done

    async def opens_home(self, user: str) -> Delivery:
        told: dict[str, Any] = {"type": "app_home_opened", "user": user, "channel": "D0HOME", "tab": "home"}
        if user in self.homes:
            told["view"] = self.workspace.view(self.homes[user])
        return await self.event(told | {"event_ts": self.workspace.new_ts()})

    # ── Running the workspace ───────────────────────────────────────────────────────────────────

    async def archives(self, channel: str) -> Delivery:
        self.workspace.channels[channel].archived = True
        return await self._happened("channel_archive", channel=channel, user="U0ADA", is_moved=0)

    async def deletes_channel(self, channel: str) -> Delivery:
        self.workspace.channels[channel].deleted = True
        return await self._happened("channel_deleted", channel=channel, actor_id="U0ADA")

    async def removes_bot(self, channel: str) -> Delivery:
        self.workspace.channels[channel].members.discard(BOT_USER)
        return await self._happened(
            "member_left_channel", user=BOT_USER, channel=channel, channel_type="C", team=TEAM
        )

    async def deactivates(self, user: str) -> Delivery:
        self.workspace.people[user].deleted = True
        return await self._happened("user_change", user=self.workspace.user(self.workspace.people[user]))

    async def revokes(self) -> Delivery:
        self.auth_error = "token_revoked"
        return await self._happened("tokens_revoked", tokens={"oauth": [], "bot": [BOT_USER]})

    async def uninstalls(self) -> Delivery:
        self.auth_error = "account_inactive"
        return await self._happened("app_uninstalled")

    auth_error: str

    async def _happened(self, kind: str, **told: Any) -> Delivery:
        return await self.event({"type": kind, **told, "event_ts": self.workspace.new_ts()})

    async def verifies_url(self, challenge: str = "3eZbrw1aBm2rZgRNFdxV") -> Delivery:
        told = {"type": "url_verification", "token": "verification-token-of-old", "challenge": challenge}
        return await self._over_http("events_api", told, retries=False)

    # ── Parts ───────────────────────────────────────────────────────────────────────────────────

    def trigger(self, user: str) -> str:
        id = f"{self.workspace.new_id('')}.{TEAM}.fake"
        self.triggers[id] = (user, self.workspace.clock(), False)
        return id

    def new_hash(self) -> str:
        return f"{int(self.workspace.clock())}.{self.workspace.new_id('h')}"

    def _interaction(self, kind: str, user: str) -> dict[str, Any]:
        person = self.workspace.people[user]
        name = person.name.lower()
        return {
            "type": kind,
            "token": "verification-token-of-old",
            "team": {"id": TEAM, "domain": "nordwind"},
            "enterprise": None,
            "is_enterprise_install": False,
            "api_app_id": APP_ID,
            "user": {"id": user, "username": name, "name": name, "team_id": person.team},
        }

    def _place(self, user: str, channel: str) -> dict[str, Any]:
        return {
            "channel": {"id": channel, "name": self.workspace.channels[channel].name},
            "response_url": self._response(user, channel),
        }


def rich_text(text: str) -> dict[str, Any]:
    """What Slack's editor makes of typed text without any markup."""
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "block_id": "typed", "elements": [section]}


def _found(blocks: list[dict[str, Any]], action: str, block: str) -> tuple[str, dict[str, Any]]:
    for block_id, element in elements(blocks):
        if element.get("action_id") == action and block in {"", block_id}:
            return block_id, element
    known = [element.get("action_id") for _, element in elements(blocks)]
    raise AssertionError(f"there is no {action} among {known}")


def _options(element: dict[str, Any]) -> list[dict[str, Any]]:
    groups = element.get("option_groups") or [{"options": element.get("options", [])}]
    return [option for group in groups for option in group["options"]]


def _option(element: dict[str, Any], value: str) -> dict[str, Any]:
    if element["type"] in {"external_select", "multi_external_select"}:
        return {"text": {"type": "plain_text", "text": value}, "value": value}
    values = [one["value"] for one in _options(element)]
    assert value in values, f"{value} is none of {values}"
    return _options(element)[values.index(value)]


def _several(element: dict[str, Any], values: Any) -> list[dict[str, Any]]:
    return [_option(element, one) for one in values]


# The state of an element by its type: name of the value, how it is made from what a test gives.
VALUES: Mapping[str, tuple[str, Callable[[dict[str, Any], Any], Any]]] = {
    "static_select": ("selected_option", _option),
    "external_select": ("selected_option", _option),
    "radio_buttons": ("selected_option", _option),
    "overflow": ("selected_option", _option),
    "multi_static_select": ("selected_options", _several),
    "multi_external_select": ("selected_options", _several),
    "checkboxes": ("selected_options", _several),
    "users_select": ("selected_user", lambda _, value: value),
    "conversations_select": ("selected_conversation", lambda _, value: value),
    "channels_select": ("selected_channel", lambda _, value: value),
    "datepicker": ("selected_date", lambda _, value: value),
    "timepicker": ("selected_time", lambda _, value: value),
    "datetimepicker": ("selected_date_time", lambda _, value: value),
}
FIRSTS = ("initial_value", "initial_option", "initial_options", "initial_user", "initial_conversation",
          "initial_channel", "initial_date", "initial_time", "initial_date_time")  # fmt: skip


def _chosen(element: dict[str, Any], value: Any) -> dict[str, Any]:
    name, make = VALUES.get(element["type"], ("value", lambda _, value: value))
    return {name: make(element, value)}


def _state(view: View, values: dict[str, Any]) -> dict[str, Any]:
    """view.state.values: what was filled in, else what stood there from the beginning."""
    state: dict[str, Any] = {}
    for block in view.body["blocks"]:
        if block["type"] != "input":
            continue
        element, id = block["element"], block["block_id"]
        name = VALUES.get(element["type"], ("value", None))[0]
        empty: Any = [] if name == "selected_options" else None
        first = next((element[one] for one in FIRSTS if one in element), empty)
        given: dict[str, Any] = _chosen(element, values.pop(id)) if id in values else {name: first}
        assert block.get("optional") or given[name] not in (None, "", []), f"{id} has to be filled in"
        most = element.get("max_length", 3000)
        assert not isinstance(given[name], str) or len(given[name]) <= most, f"{id} takes {most} characters"
        state[id] = {element.get("action_id", id): {"type": element["type"], **given}}
    assert not values, f"the modal has no inputs {list(values)}"
    return state
