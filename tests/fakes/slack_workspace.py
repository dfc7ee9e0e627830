"""Who and what there is in the workspace that the loopback Slack stands for, and how Slack shows it as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

TEAM, OTHER_TEAM = "T0NORDWIND", "T0ELSEWHERE"
BOT_USER, BOT_ID, APP_ID = "U0SWITCHBRD", "B0SWITCHBRD", "A0SWITCHBRD"
HOME = "nordwind"  # https://nordwind.slack.com


class Person(Struct, kw_only=True):
    id: str
    name: str
    team: str = TEAM
    is_bot: bool = False
    is_workflow_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    deleted: bool = False
    presence: str = "active"
    zone: str = "Europe/Berlin"


class Channel(Struct, kw_only=True):
    id: str
    name: str
    members: set[str] = field(default_factory=set)
    archived: bool = False
    private: bool = False
    shared: bool = False  # with another company
    deleted: bool = False


class File(Struct, kw_only=True):
    id: str
    name: str
    title: str = ""
    user: str = ""
    mime: str = "application/octet-stream"
    content: bytes = b""
    mode: str = "hosted"
    check_info: bool = False  # Slack Connect: urls come with files.info only
    url: str = ""
    length: int = 0  # promised by whoever uploads
    uploaded: bool = False
    completed: bool = False


class Post(Struct, kw_only=True):
    """A message as the channel shows it."""

    channel: str
    ts: str
    user: str
    text: str = ""
    blocks: list[dict[str, Any]] = field(default_factory=list)
    thread_ts: str = ""
    bot_id: str = ""
    subtype: str = ""
    files: list[File] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    edited: str = ""
    attachments: list[dict[str, Any]] = field(default_factory=list)
    broadcast: bool = False
    client_msg_id: str = ""
    calls: int = 1  # times it was written: 1 + updates
    deleted: bool = False

    @property
    def is_reply(self) -> bool:
        return self.thread_ts not in {"", self.ts}


class Ephemeral(Struct, frozen=True, kw_only=True):
    """What one person sees for a moment."""

    channel: str
    user: str
    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)
    thread_ts: str = ""
    via: str = "api"  # or response_url, command


class View(Struct, kw_only=True):
    id: str
    hash: str
    user: str
    body: dict[str, Any]
    root: str = ""
    previous: str = ""
    errors: dict[str, str] = field(default_factory=dict)  # what the app answered to the last submission


class Workspace:
    def __init__(self, clock: Callable[[], float], url: Callable[[], str]) -> None:
        self.clock = clock
        self._url = url
        self.people: dict[str, Person] = {}
        self.channels: dict[str, Channel] = {}
        self.posts: list[Post] = []
        self.files: dict[str, File] = {}
        self.groups: dict[str, tuple[str, list[str]]] = {}  # id → handle, members
        self._last_ts = 0
        self._ids = 0
        self._furnish()

    def _furnish(self) -> None:
        self.add(Person(id=BOT_USER, name="Switchboard", is_bot=True))
        for id, name in (("U0ADA", "Ada"), ("U0BEN", "Ben"), ("U0CLEO", "Cleo")):
            self.add(Person(id=id, name=name))
        self.add(Person(id="U0GUEST", name="Gustav", is_restricted=True))
        self.add(Person(id="U0SINGLE", name="Singa", is_restricted=True, is_ultra_restricted=True))
        self.add(Person(id="U0STRANGER", name="Stig", team=OTHER_TEAM, is_stranger=True, is_restricted=False))
        self.add(Person(id="U0OTHERBOT", name="Polly", is_bot=True))
        self.add(Person(id="U0WORKFLOW", name="Weekly report", is_bot=True, is_workflow_bot=True))
        self.add(Person(id="U0GONE", name="Gerd", deleted=True))
        self.open_channel("C0DEFAULT", "service")
        self.open_channel("C0BILLING", "billing")
        self.groups["S0ONDUTY"] = ("on-duty", ["U0ADA", "U0BEN"])

    def add(self, person: Person) -> Person:
        self.people[person.id] = person
        return person

    def open_channel(self, id: str, name: str, *, bot: bool = True, private: bool = False) -> Channel:
        members = {one for one in self.people if one != BOT_USER or bot}
        self.channels[id] = Channel(id=id, name=name, members=members, private=private)
        return self.channels[id]

    def new_id(self, kind: str) -> str:
        self._ids += 1
        return f"{kind}{self._ids:010d}"

    def new_ts(self) -> str:
        """Unique and rising, as Slack's are within a channel."""
        self._last_ts = max(int(self.clock() * 1_000_000), self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    # ── Posts ───────────────────────────────────────────────────────────────────────────────────

    def post(self, channel: str, ts: str) -> Post | None:
        return next((one for one in self.posts if (one.channel, one.ts) == (channel, ts)), None)

    def replies(self, root: Post) -> list[Post]:
        found = [one for one in self.posts if (one.channel, one.thread_ts) == (root.channel, root.ts)]
        return sorted((one for one in found if one.ts != root.ts), key=lambda one: one.ts)

    def take_away(self, post: Post) -> bool:
        """True when only a tombstone is left, because others replied to it."""
        post.deleted = True
        if self.replies(post):
            post.subtype, post.text, post.user = "tombstone", "This message was deleted.", "USLACKBOT"
            post.blocks, post.files, post.bot_id = [], [], ""
            return True
        self.posts.remove(post)
        return False

    # ── As JSON ─────────────────────────────────────────────────────────────────────────────────

    def message(self, post: Post, *, metadata: bool = False) -> dict[str, Any]:
        """https://docs.slack.dev/reference/events/message"""
        found: dict[str, Any] = {"type": "message", "user": post.user, "text": post.text, "ts": post.ts}
        person = self.people.get(post.user)
        found |= {"team": person.team if person else TEAM}
        if post.bot_id:
            name = person.name if person else "bot"
            profile = {"id": post.bot_id, "name": name, "team_id": TEAM, "deleted": False}
            app = APP_ID if post.bot_id == BOT_ID else "A0OTHER"
            found |= {"bot_id": post.bot_id, "app_id": app, "bot_profile": {**profile, "app_id": app}}
        optional = {
            "subtype": post.subtype,
            "blocks": post.blocks,
            "client_msg_id": post.client_msg_id,
            "attachments": post.attachments,
            "files": [self.file(one) for one in post.files],
            "hidden": post.subtype == "tombstone",
        }
        found |= {key: value for key, value in optional.items() if value}
        if post.edited:
            found["edited"] = {"user": post.user, "ts": post.edited}
        if metadata and post.metadata:
            found["metadata"] = post.metadata
        if post.reactions:
            found["reactions"] = [
                {"name": name, "users": users, "count": len(users)} for name, users in post.reactions.items()
            ]
        return found | self._threading(post)

    def _threading(self, post: Post) -> dict[str, Any]:
        if post.is_reply:
            root = self.post(post.channel, post.thread_ts)
            found: dict[str, Any] = {"thread_ts": post.thread_ts}
            if root:
                found["parent_user_id"] = root.user
            if root and post.subtype == "thread_broadcast":
                found["root"] = self.message(root)
            return found
        replies = self.replies(post)
        if not replies:
            return {}
        who = list(dict.fromkeys(one.user for one in replies))
        return {
            "thread_ts": post.ts,
            "reply_count": len(replies),
            "reply_users": who,
            "reply_users_count": len(who),
            "latest_reply": replies[-1].ts,
        }

    def file(self, file: File, *, whole: bool = False) -> dict[str, Any]:
        """https://docs.slack.dev/reference/objects/file-object"""
        if file.check_info and not whole:
            return {"id": file.id, "created": 0, "user": file.user, "file_access": "check_file_info"}
        if file.mode == "tombstone":
            return {"id": file.id, "mode": "tombstone"}
        if file.mode == "hidden_by_limit":
            return {"id": file.id, "mode": "hidden_by_limit"}
        url = file.url or f"{self._url()}/files-pri/{TEAM}-{file.id}/{file.name}"
        return {
            "id": file.id,
            "name": file.name,
            "title": file.title or file.name,
            "mimetype": file.mime,
            "filetype": file.name.rpartition(".")[2],
            "user": file.user,
            "size": file.length or len(file.content),
            "mode": file.mode,
            "is_external": file.mode == "external",
            "url_private": url,
            "url_private_download": f"{url}?download" if file.mode != "external" else "",
            "permalink": f"https://{HOME}.slack.com/files/{file.user}/{file.id}/{file.name}",
            "file_access": "visible",
        }

    def user(self, person: Person) -> dict[str, Any]:
        """https://docs.slack.dev/reference/objects/user-object"""
        profile = {
            "real_name": f"{person.name} Example",
            "display_name": "" if person.is_bot else person.name,
            "team": person.team,
        }
        found: dict[str, Any] = {
            "id": person.id,
            "team_id": person.team,
            "name": person.name.lower().replace(" ", "."),
            "real_name": profile["real_name"],
            "deleted": person.deleted,
            "profile": profile,
            "is_bot": person.is_bot,
            "is_app_user": not person.is_bot,  # they use the app; it does not make them one
            "updated": int(self.clock()),
        }
        if person.deleted:  # Slack says little about who is gone
            return found
        return found | {
            "tz": person.zone,
            "is_admin": False,
            "is_owner": False,
            "is_restricted": person.is_restricted,
            "is_ultra_restricted": person.is_ultra_restricted,
            **({"is_stranger": True} if person.is_stranger else {}),
            **({"is_workflow_bot": True} if person.is_workflow_bot else {}),
        }

    def channel(self, channel: Channel) -> dict[str, Any]:
        """https://docs.slack.dev/reference/objects/conversation-object"""
        return {
            "id": channel.id,
            "name": channel.name,
            "is_channel": not channel.private,
            "is_group": False,
            "is_im": False,
            "is_private": channel.private,
            "is_archived": channel.archived,
            "is_member": BOT_USER in channel.members,
            "is_ext_shared": channel.shared,
            "num_members": len(channel.members),
        }

    def view(self, view: View) -> dict[str, Any]:
        body = {"private_metadata": "", "callback_id": "", "external_id": "", "submit": None, "close": None}
        return {
            **body,
            "notify_on_close": False,
            "clear_on_close": False,
            **view.body,
            "id": view.id,
            "team_id": TEAM,
            "hash": view.hash,
            "root_view_id": view.root or view.id,
            "previous_view_id": view.previous or None,
            "app_id": APP_ID,
            "bot_id": BOT_ID,
            "state": {"values": {}},
        }
