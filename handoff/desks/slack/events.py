"""What Slack tells by itself: what agents say in threads, who left, which channel is gone.

https://docs.slack.dev/apis/events-api. Stored before it is acknowledged, once, whatever the retry header says; what
it means is worked out afterwards, when people and files can be asked for.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from bot.domain.actions import Act, AgentAction
from bot.domain.desks import DeskEvent, Gone
from bot.domain.errors import (
    MalformedPayload,
    Misconfigured,
    NotAllowed,
    SendDeferred,
    SendError,
    SendRejected,
)
from bot.domain.messages import Attachment, Direction
from bot.domain.ports import Add, Changes, Insert
from handoff.desks.base import DeskDeps
from handoff.desks.slack import markup, posts
from handoff.desks.slack.api import SlackApi
from handoff.desks.slack.blocks import receipt_of
from handoff.desks.slack.files import SlackFiles, described
from handoff.desks.slack.look import DESK, Look
from handoff.desks.slack.members import Members
from handoff.desks.slack.reading import Reading
from handoff.desks.slack.settings import SlackSettings

Event = Mapping[str, Any]
Sleep = Callable[[float], Awaitable[None]]
TALK = {"", "file_share", "thread_broadcast", "me_message"}  # subtypes in which an agent speaks
UNKNOWN_TRIES = 4  # until a thread that is nobody's card is let go
OVERTAKEN_TRIES = 2
REFUSED = 1000  # people in threads who were told that they do not speak to customers
FILES = 10
FILE_TRIES = 4  # until a message goes without a file that Slack does not hand over
FILES_ALARM = f"{DESK} files"
NOT_READ = "Slack does not let the app read files; an operator has to add the scope files:read."
TOO_MANY = f"Only {FILES} files of a message are taken along."
LONGEST_NAME = 40
TROUBLE = {
    "channel_archive": "The channel {channel} was archived; its cards go to the default channel.",
    "channel_deleted": "The channel {channel} was deleted; its cards go to the default channel.",
    "group_archive": "The channel {channel} was archived; its cards go to the default channel.",
    "group_deleted": "The channel {channel} was deleted; its cards go to the default channel.",
    "channel_id_changed": "The channel {channel} has a new id; write that into desks.slack.channels.",
    "app_uninstalled": "The app was removed from Slack; install it again. Until then work goes on at /console.",
    "tokens_revoked": "Slack has revoked the app's token; install it again. Until then work goes on at /console.",
}


class Events:
    def __init__(
        self,
        settings: SlackSettings,
        deps: DeskDeps,
        api: SlackApi,
        members: Members,
        files: SlackFiles,
        reading: Reading,
        look: Callable[[], Look],
        show_home: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._deps = deps
        self._api = api
        self._members = members
        self._files = files
        self._reading = reading
        self._look = look
        self._show_home = show_home
        self._refused: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._kinds: dict[str, Callable[[Event, Event], Awaitable[None]]] = {
            "message": self._message,
            "app_mention": self._message,
            "app_home_opened": self._home_opened,
            "user_change": self._user_changed,
            "member_left_channel": self._left_channel,
            "member_joined_channel": self._nothing,
            "reaction_added": self._nothing,
            "reaction_removed": self._nothing,
            **dict.fromkeys(TROUBLE, self._trouble),
        }

    # ── Taking in ───────────────────────────────────────────────────────────────────────────────

    async def take(self, payload: Event) -> dict[str, Any]:
        """What is answered. Raises `MalformedPayload`, `StoreUnavailable`."""
        kind = payload.get("type")
        if kind == "url_verification":
            return {"challenge": str(payload.get("challenge", ""))[:500]}
        event = payload.get("event")
        if kind != "event_callback":
            await self._count(kind)
        elif not isinstance(event, dict):
            raise MalformedPayload("The event is missing.")
        else:
            handle = self._kinds.get(str(event.get("type")))
            await (handle(event, payload) if handle else self._count(event.get("type")))
        return {}

    async def _count(self, kind: Any) -> None:
        """A kind nobody knows: acknowledged, and counted by its name."""
        name = "".join(char for char in str(kind)[:LONGEST_NAME] if char.isalnum() or char in "_-.")
        await self._deps.commit(Changes(writes=(Add(counter=f"unknown:{DESK}:{name}"),)))

    async def _nothing(self, event: Event, payload: Event) -> None:
        """It is subscribed with others, and says nothing about a case."""

    async def _message(self, event: Event, payload: Event) -> None:
        read = {"message_changed": _changed, "message_deleted": _deleted}.get(
            str(event.get("subtype") or ""), _said
        )
        found = read(event)
        if found is None or _is_ours(found["message"], payload):
            return
        message, channel = found["message"], str(event.get("channel") or "")
        root = str(message.get("thread_ts") or "")
        if not root or root == message.get("ts") or not channel:
            return  # not under a card
        receipt = receipt_of(channel, root)
        case = await self._reading.case_of_thread(receipt)
        if not case and not _under_ours(message, payload):
            return
        await self.remember(
            name=f"{channel}:{message.get('ts')}{found['name']}",
            lane=case or receipt,
            case=case,
            happened_at=found["at"],
            told={**found, "channel": channel, "at": found["at"].timestamp()},
        )

    async def remember(
        self, *, name: str, lane: str, case: str, happened_at: datetime, told: Mapping[str, Any]
    ) -> None:
        """Once per name. Raises `StoreUnavailable`."""
        event = DeskEvent(
            id=self._deps.new_id(),
            desk=DESK,
            external_id=name,
            lane=lane,
            case=case,
            happened_at=happened_at,
            received_at=self._deps.clock(),
            payload=Raw(msgspec.json.encode(_storable(told))),
        )
        await self._deps.commit(Changes(writes=(Insert(record=event, scope=f"{DESK}:{lane}"),)))

    async def _home_opened(self, event: Event, payload: Event) -> None:
        if event.get("tab") in {None, "home"}:
            self._show_home(str(event.get("user") or ""))

    async def _user_changed(self, event: Event, payload: Event) -> None:
        user = event.get("user")
        if not isinstance(user, dict) or not isinstance(user.get("id"), str):
            return
        self._members.learn(user)
        if await self._reading.mine(user["id"]):
            told = {"do": "left", "user": user["id"]}
            name = f"user_change:{payload.get('event_id')}"
            now = self._deps.clock()
            await self.remember(name=name, lane=f"member:{user['id']}", case="", happened_at=now, told=told)

    async def _left_channel(self, event: Event, payload: Event) -> None:
        if str(event.get("user")) in _our_ids(payload):
            await self._alarm(event, "The app was removed from the channel {channel}; invite it again.")

    async def _trouble(self, event: Event, payload: Event) -> None:
        await self._alarm(event, TROUBLE[str(event["type"])])

    async def _alarm(self, event: Event, sentence: str) -> None:
        told = event.get("channel") or event.get("old_channel_id") or ""
        channel = str(told.get("id") if isinstance(told, dict) else told)[:LONGEST_NAME]
        ours = set(self._settings.channels.values())
        ours |= {department.desk_channel for department in self._deps.departments.values()}
        if not channel or channel in ours:
            await self._deps.alarm(f"{DESK} {channel}".strip(), sentence.format(channel=channel))

    # ── What it means ───────────────────────────────────────────────────────────────────────────

    async def meant(self, event: DeskEvent) -> AgentAction | Gone | None:
        """Raises `SendError` when Slack has to be asked and does not answer, `NotAllowed`."""
        told = msgspec.json.decode(event.payload)
        if told["do"] == "left":
            return await self._left(told["user"])
        case = event.case or await self._reading.case_of_thread(event.lane)
        if not case:
            _wait_for_the_card(event)
            return None
        message, channel = told["message"], told["channel"]
        agent = await self._members.agent(str(message.get("user") or ""))
        if agent is None:
            await self._refuse(event, told)
            return None
        name = f"{DESK}:{channel}:{message['ts']}"
        known: dict[str, Any] = {"case": case, "agent": agent, "at": event.happened_at}
        act = self._say if told["do"] == "say" else self._change
        return await act(event, told, name, known)

    async def _refuse(self, event: DeskEvent, told: Event) -> None:
        """A person is told once in a thread; machines are not talked to. Raises `NotAllowed`, `SendError`."""
        user = str(told["message"].get("user") or "")
        known = (event.lane, user)
        if told["do"] != "say" or known in self._refused or not await self._members.is_person(user):
            return
        self._refused[known] = None
        while len(self._refused) > REFUSED:
            self._refused.popitem(last=False)
        raise NotAllowed(self._look()("refused.stranger"))

    async def _say(
        self, event: DeskEvent, told: Event, name: str, known: dict[str, Any]
    ) -> AgentAction | None:
        changes = await self._changed_since(event)
        if any(one["do"] == "delete" for one in changes):
            return None
        was = await self._words(told["message"])
        text = await self._words(changes[-1]["message"]) if changes else was
        files = await self._attached(told["message"], event.attempts)
        absent = [one for one in files if one.missing]
        files = tuple(one for one in files if not one.missing)
        if absent:
            await self._left_out(event, absent, alone=not text.strip() and not files)
        if not text.strip() and not files:
            return None
        said: dict[str, Any] = {"text": text, "attachments": files, "was": was}
        said["reworded"] = "edited" in told["message"]
        return AgentAction(id=name, action=Act.SAY, written=name, **said, **known)

    async def _changed_since(self, said: DeskEvent) -> list[Event]:
        """What its author did to a message before we came to it: changed it, took it back."""
        later = await self._reading.to_come(said.lane)
        mine = [one for one in later if one.external_id.startswith(f"{said.external_id}:")]
        return [msgspec.json.decode(one.payload) for one in mine]

    async def _change(
        self, event: DeskEvent, told: Event, name: str, known: dict[str, Any]
    ) -> AgentAction | None:
        said = await self._reading.message_of(name)
        line = await self._reading.message(said) if said else None
        if line is None:
            _wait_for_the_words(event)
            return None
        if told["do"] == "delete" and line.deleted_at:  # by its button already
            return None
        if told["do"] == "delete":
            return AgentAction(id=f"{name}:delete", action=Act.DELETE, message=said, written=name, **known)
        text = await self._words(told["message"])
        if text == line.text and line.direction is not Direction.NOTE:  # it says so already
            return None
        changed: dict[str, Any] = {"message": said, "text": text, "written": name}
        return AgentAction(id=f"{name}{told['name']}", action=Act.EDIT, **changed, **known)

    async def _left(self, user: str) -> Gone | None:
        """Who cannot speak any more has left, however that came."""
        self._members.forget(user)
        return Gone(agent=user) if await self._members.agent(user) is None else None

    async def _words(self, message: Event) -> str:
        names = await self._members.names(markup.named(message))
        return markup.words(message, names).replace("\0", "")

    async def _attached(self, message: Event, attempts: int) -> tuple[Attachment, ...]:
        files = message.get("files")
        found = [one for one in files if isinstance(one, dict)] if isinstance(files, list) else []
        had = [await self._had(described(one), attempts) for one in found[:FILES]]
        more = (replace(described(one), missing=TOO_MANY) for one in found[FILES:])
        return (*had, *more)

    async def _had(self, file: Attachment, attempts: int) -> Attachment:
        """A file that cannot be had keeps back neither the words nor the other files."""
        try:
            had = await self._files.fetched(file)
        except Misconfigured as error:
            await self._deps.alarm(FILES_ALARM, error.reason)
            return replace(file, missing=NOT_READ)
        except SendDeferred as error:
            if attempts < FILE_TRIES:
                raise
            return replace(file, missing=error.reason)
        await self._deps.works(FILES_ALARM)
        return had

    async def _left_out(self, event: DeskEvent, files: Sequence[Attachment], *, alone: bool) -> None:
        """Its author hears which of their files did not come along. Raises `NotAllowed` when that is all."""
        look = self._look()
        why = " ".join(look("refused.file", name=one.name, why=look.note(one.missing)) for one in files)
        if alone:
            raise NotAllowed(why)
        with suppress(SendError):
            await self.tell(event, why)

    # ── Telling ─────────────────────────────────────────────────────────────────────────────────

    async def tell(self, event: DeskEvent, sentence: str, offered: str = "") -> None:
        """Raises a `SendError`."""
        told = msgspec.json.decode(event.payload)
        message = told.get("message")
        user = str(message.get("user") or "") if isinstance(message, dict) else ""
        if not user:
            return
        receipt = receipt_of(told["channel"], str(message.get("thread_ts") or ""))
        case = await self._reading.case(event.case or await self._reading.case_of_thread(receipt))
        said = self._look().note(sentence)
        if not offered or not case or not case.is_open:
            payload = posts.whisper(told["channel"], receipt, user, said)
        elif case.owner is None:
            payload = posts.hint(case, self._look(), receipt, user, offered)
        else:
            closed = case.owner.id == user and bool(self._deps.closed(case))
            payload = posts.kept(case, self._look(), receipt, user, said, offered, closed=closed)
        await self._api.ephemeral(payload["channel"], **payload["arguments"])

    # ── Gaps ────────────────────────────────────────────────────────────────────────────────────

    async def fill_gaps(self, threads: int, since: datetime, sleep: Sleep = asyncio.sleep) -> int:
        """What was said and changed under open cards while nobody listened, taken in now, and who left; how many
        messages were looked at.

        Raises a `SendError`, `StoreUnavailable`.
        """
        us, seen = await self._api.me(), 0
        payload = {"authorizations": [{"user_id": us.user}], "api_app_id": us.app}
        open_now = await self._reading.open_threads(threads)
        for owner in {case.owner.id for case, _ in open_now if case.owner and case.owner.desk == DESK}:
            await self._still_here(owner)
        for _, receipt in open_now:
            channel, _, root = receipt.rpartition(":")
            for message in await self._said_since(channel, root, since, sleep):
                for told in _as_it_happened({"thread_ts": root, **message, "channel": channel}):
                    await self._message(told, payload)
                seen += 1
        return seen

    async def _still_here(self, owner: str) -> None:
        """Slack tells only once that somebody was deactivated."""
        if await self._members.agent(owner) is not None:
            return
        now = self._deps.clock()
        told = {"do": "left", "user": owner}
        name = f"gone:{owner}:{now:%Y-%m-%dT%H}"
        await self.remember(name=name, lane=f"member:{owner}", case="", happened_at=now, told=told)

    async def _said_since(
        self, channel: str, root: str, since: datetime, sleep: Sleep
    ) -> list[dict[str, Any]]:
        """A thread or channel that is gone keeps the others waiting for nothing. Slack allows about fifty looks a
        minute: a busy desk has more threads than that.
        """
        while True:
            try:
                return await self._api.replies(channel, root, oldest=f"{since.timestamp():.6f}")
            except SendDeferred as error:
                if error.retry_after is None:
                    raise
                await sleep(error.retry_after.total_seconds())
            except Misconfigured:
                raise
            except SendRejected:
                return []


# ── Reading an event: pure ──────────────────────────────────────────────────────────────────────


def _said(event: Event) -> dict[str, Any] | None:
    if str(event.get("subtype") or "") not in TALK or event.get("hidden"):
        return None
    at = moment(event.get("ts"))
    return {"do": "say", "message": dict(event), "name": "", "at": at} if at and event.get("user") else None


def _changed(event: Event) -> dict[str, Any] | None:
    """An edit; a deletion where others had replied; nothing where Slack only added a preview."""
    message, before = event.get("message"), event.get("previous_message")
    at = moment(event.get("ts"))
    if not isinstance(message, dict) or not isinstance(before, dict) or at is None:
        return None
    if message.get("subtype") == "tombstone":
        gone = {**before, "thread_ts": before.get("thread_ts") or message.get("thread_ts")}
        return {"do": "delete", "message": gone, "name": ":delete", "at": at}
    edited = message.get("edited")
    stamp = edited.get("ts") if isinstance(edited, dict) else None
    same = all(message.get(part) == before.get(part) for part in ("text", "blocks"))
    if same or stamp is None:
        return None
    return {"do": "edit", "message": message, "name": f":edit:{stamp}", "at": moment(stamp) or at}


def _as_it_happened(message: Event) -> list[Event]:
    """A message as it stands in a thread: that it was said, and that it was changed."""
    edited = message.get("edited")
    if not isinstance(edited, dict):
        return [message]
    place = {"channel": message.get("channel"), "ts": edited.get("ts")}
    return [message, {"subtype": "message_changed", "message": message, "previous_message": {}, **place}]


def _deleted(event: Event) -> dict[str, Any] | None:
    before, at = event.get("previous_message"), moment(event.get("ts"))
    if not isinstance(before, dict) or at is None:
        return None
    return {"do": "delete", "message": before, "name": ":delete", "at": at}


def moment(ts: Any) -> datetime | None:
    """Slack's timestamps are seconds with six decimals, and name a message too."""
    try:
        return datetime.fromtimestamp(float(ts), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _our_ids(payload: Event) -> set[str]:
    granted = payload.get("authorizations")
    found = [one for one in granted if isinstance(one, dict)] if isinstance(granted, list) else []
    return {str(one.get("user_id")) for one in found if one.get("user_id")}


def _is_ours(message: Event, payload: Event) -> bool:
    """Our own posts and those of all other machines."""
    return bool(message.get("bot_id") or message.get("bot_profile")) or message.get("user") in _our_ids(
        payload
    )


def _under_ours(message: Event, payload: Event) -> bool:
    """A reply to us: perhaps the card is so new that we have not noted it yet."""
    return message.get("parent_user_id") in _our_ids(payload)


def _wait_for_the_words(event: DeskEvent) -> None:
    """A change may overtake what it changes; what was never taken in needs no change."""
    if event.attempts < OVERTAKEN_TRIES:
        raise SendDeferred("What was changed is not known yet.")


def _wait_for_the_card(event: DeskEvent) -> None:
    if event.attempts < UNKNOWN_TRIES:
        raise SendDeferred("The card is not known yet.")


KEPT = ("type", "subtype", "user", "text", "ts", "thread_ts", "blocks", "files", "edited")


def _storable(told: Mapping[str, Any]) -> dict[str, Any]:
    """What is needed to understand it later, and no more."""
    message = told.get("message")
    if not isinstance(message, Mapping):
        return dict(told)
    return {**told, "message": {name: message[name] for name in KEPT if name in message}}
