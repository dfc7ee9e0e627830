"""Slack as a desk: what is posted there, in the right channel, and found again when its answer was lost."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from bot.domain.cases import Case
from bot.domain.desks import Card, Left, Mark, Post, Story
from bot.domain.errors import Misconfigured, RecipientUnreachable, SendError, SendRejected
from bot.domain.messages import Attachment, AttachmentKind
from bot.domain.outbox import Posting, Receipt
from bot.domain.ports import Clock, Payload, Rate
from handoff.desks.slack import cards, posts
from handoff.desks.slack.api import Rejected, SlackApi
from handoff.desks.slack.blocks import receipt_of
from handoff.desks.slack.files import SlackFiles
from handoff.desks.slack.look import DESK, Look
from handoff.desks.slack.meanings import Unpermitted
from handoff.desks.slack.settings import DEFAULT, SlackSettings

GONE = {"message_not_found", "thread_not_found", "cannot_reply_to_message"}
FINAL = {*GONE, "cant_update_message", "edit_window_closed"}  # what stands there stays as it is
LOOKED_BACK = timedelta(days=7)  # for a card whose answer was lost
REACTIONS = Rate(key=f"{DESK}:reactions", per_second=50 / 60, burst=20)
PER_CHANNEL, AT_ONCE = (
    1.0,
    2,
)  # messages a second and in a burst, https://docs.slack.dev/apis/web-api/rate-limits
CARD = "card:"
MARKS_ALARM, UPLOADS_ALARM = f"{DESK} marks", f"{DESK} uploads"
Sound = Callable[[str, str], Awaitable[None]]
Works = Callable[[str], Awaitable[None]]


async def _nobody_knows(user: str) -> bool:
    return False


class SlackDesk:
    """Cards in the departments' channels, threads under them; `alarm` and `works` tell the operator."""

    name = DESK
    copies = True

    def __init__(
        self,
        settings: SlackSettings,
        api: SlackApi,
        look: Callable[[], Look],
        files: SlackFiles,
        clock: Clock,
        alarm: Sound,
        works: Works,
        away: Callable[[str], Awaitable[bool]] = _nobody_knows,
    ) -> None:
        self._settings = settings
        self._default = settings.channels[DEFAULT]
        self._api = api
        self._look = look
        self._files = files
        self._clock = clock
        self._alarm = alarm
        self._works = works
        self._away = away
        self._do: dict[str, Callable[[Payload], Awaitable[str]]] = {
            "post": self._post,
            "update": self._update,
            "remove": self._remove,
            "react": self._react,
            "unreact": self._unreact,
            "upload": self._upload,
            "ephemeral": self._whisper,
        }

    def __repr__(self) -> str:
        return f"<SlackDesk {self._settings}>"

    # ── Rendering ───────────────────────────────────────────────────────────────────────────────

    def home(self, case: Case) -> str:
        known = self._look().departments.get(case.department)
        of_department = known.desk_channel if known else ""
        return self._settings.channels.get(case.department) or of_department or self._default

    def rates(self, case: Case, posting: Posting) -> tuple[Rate, ...]:
        if posting is Posting.MARK:
            return (REACTIONS,)
        return (Rate(key=f"{DESK}:{self.home(case)}", per_second=PER_CHANNEL, burst=AT_ONCE),)

    def render(self, post: Post) -> tuple[Payload, ...]:
        look = self._look()
        match post:
            case Card():
                return (cards.card(post, look, self.home(post.case)),)
            case Story():
                return posts.story(post, look)
            case Mark():
                return posts.marks(post)
            case Left():
                return (posts.left(post, look),)
            case _:
                return posts.line(post, look)

    # ── Sending ─────────────────────────────────────────────────────────────────────────────────

    async def send(self, payload: Payload) -> Receipt:
        """Raises a `SendError`: `RecipientUnreachable` when a card or its channel is gone."""
        return Receipt(external_id=await self._do[payload["do"]](payload))

    async def _post(self, payload: Payload) -> str:
        channel, default = payload["channel"], self._default
        is_card = payload["key"].startswith(CARD)
        try:
            return await self._posted(channel, payload)
        except RecipientUnreachable as error:
            if not is_card:
                raise
            await self._alarm(_channel(channel), error.reason)
            if channel == default:
                raise Misconfigured(f"Cards cannot be posted: {error.reason}") from error
        try:
            return await self._posted(default, payload)
        except RecipientUnreachable as error:
            await self._alarm(_channel(default), error.reason)
            raise Misconfigured(f"Cards cannot be posted: {error.reason}") from error

    async def _posted(self, channel: str, payload: Payload) -> str:
        try:
            ts = await self._api.post(channel, **_said(await self._considerate(payload)))
        except Rejected as error:
            raise _gone(error) from error
        await self._works(_channel(channel))
        return receipt_of(channel, ts)

    async def _considerate(self, payload: Payload) -> Payload:
        """Who is away is told without being called; where Slack does not say, they are called."""
        if not payload.get("calls") or self._settings.ping_away:
            return payload
        try:
            if not await self._away(payload["calls"]):
                return payload
        except SendError:
            return payload
        return {**payload, "arguments": {**payload["arguments"], "blocks": payload["quiet"]}}

    async def _update(self, payload: Payload) -> str:
        """A card that is gone has to come anew; a line that is gone is nobody's loss."""
        channel, arguments = payload["channel"], dict(payload["arguments"])
        ts = arguments.pop("ts")
        try:
            await self._api.update(channel, ts, **arguments)
        except Rejected as error:
            if error.code not in FINAL:
                raise
            if payload["key"].startswith(CARD):
                raise RecipientUnreachable("The card is gone from Slack.") from error
        return receipt_of(channel, ts)

    async def _remove(self, payload: Payload) -> str:
        """A line that has nothing to say any more; it has no receipt from then on."""
        with suppress(Rejected, RecipientUnreachable):
            await self._api.delete(payload["channel"], payload["arguments"]["ts"])
        return ""

    async def _react(self, payload: Payload) -> str:
        channel, ts, name = _mark(payload)
        return await self._marked(self._api.react(channel, ts, name), receipt_of(channel, ts))

    async def _unreact(self, payload: Payload) -> str:
        channel, ts, name = _mark(payload)
        return await self._marked(self._api.unreact(channel, ts, name), receipt_of(channel, ts))

    async def _marked(self, marking: Awaitable[None], receipt: str) -> str:
        """A mark is worth no waiting thread: nobody sees a message that is gone, and a scope is an operator's."""
        try:
            await marking
            await self._works(MARKS_ALARM)
        except Unpermitted as error:
            await self._alarm(MARKS_ALARM, error.reason)
        except (Rejected, RecipientUnreachable):
            pass
        return receipt

    async def _upload(self, payload: Payload) -> str:
        told = payload["arguments"]
        known = Attachment(
            kind=AttachmentKind.UNKNOWN, name=told["name"], mime=told["mime"], file=told["file"]
        )
        try:
            shared = await self._files.share(payload["channel"], told["thread_ts"], known, _title(payload))
        except RecipientUnreachable:
            raise
        except Unpermitted as error:
            await self._alarm(UPLOADS_ALARM, error.reason)
            return await self._without(payload, error)
        except Misconfigured:
            raise
        except SendRejected as error:
            if isinstance(error, Rejected) and error.code in GONE:
                raise _gone(error) from error
            return await self._without(payload, error)
        await self._works(UPLOADS_ALARM)
        return shared

    async def _without(self, payload: Payload, error: SendRejected) -> str:
        """A file that Slack does not take is said to be missing where it would stand; the thread goes on."""
        return await self._posted(payload["channel"], posts.no_file(payload, error.reason, self._look()))

    async def _whisper(self, payload: Payload) -> str:
        await self._api.ephemeral(payload["channel"], **payload["arguments"])
        return receipt_of(payload["channel"], "")

    # ── In doubt ────────────────────────────────────────────────────────────────────────────────

    async def find(self, payload: Payload) -> Receipt | None:
        """By the key in its metadata; what can be done twice is simply done again. Raises a `SendError`."""
        if payload["do"] == "upload":
            thread = payload["arguments"]["thread_ts"]
            found = await self._files.find(payload["channel"], thread, _title(payload))
            return Receipt(external_id=found) if found else None
        if payload["do"] != "post":
            return None
        thread = payload["arguments"].get("thread_ts", "")
        channels = (payload["channel"],) if thread else dict.fromkeys((payload["channel"], self._default))
        for channel in channels:
            for message in await self._standing(channel, thread):
                if _key(message) == payload["key"]:
                    return Receipt(external_id=receipt_of(channel, str(message.get("ts"))))
        return None

    async def _standing(self, channel: str, thread: str) -> list[dict[str, Any]]:
        try:
            if thread:
                return await self._api.replies(channel, thread)
            oldest = self._clock() - LOOKED_BACK
            return await self._api.history(channel, oldest=f"{oldest.timestamp():.6f}")
        except (Rejected, RecipientUnreachable):
            return []  # gone, and with it what may have arrived


def _said(payload: Payload) -> dict[str, Any]:
    quiet = ("unfurl_links", "unfurl_media")  # the client never unfurls
    return {name: value for name, value in payload["arguments"].items() if name not in quiet}


def _mark(payload: Payload) -> tuple[str, str, str]:
    return payload["channel"], payload["arguments"]["timestamp"], payload["arguments"]["name"]


def _title(payload: Payload) -> str:
    """What it is called, and a sign that tells it from others of the same name."""
    sign = hashlib.sha256(payload["key"].encode()).hexdigest()[:4]
    return f"{payload['arguments']['name']} · {sign}"


def _key(message: dict[str, Any]) -> str:
    metadata = message.get("metadata")
    told = metadata.get("event_payload") if isinstance(metadata, dict) else None
    return str(told.get("key", "")) if isinstance(told, dict) else ""


def _gone(error: Rejected) -> SendRejected:
    return RecipientUnreachable("The card is gone from Slack.") if error.code in GONE else error


def _channel(channel: str) -> str:
    """An alarm of its own: one channel that is archived does not stop the others."""
    return f"{DESK} {channel}"
