"""The calls of Slack's Web API that the desk needs; their errors are ours.

https://docs.slack.dev/reference/methods
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from msgspec import Struct
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import Misconfigured, SendDeferred, SendInDoubt, SendRejected
from handoff.desks.slack.meanings import Rejected, meaning, refusal
from handoff.desks.slack.transport import (
    ANSWER_LIMIT,
    CONNECT,
    NEVER_WRITTEN,
    READ,
    Client,
    Lost,
    NotSent,
    Refused,
    TooLong,
    bounded,
)

__all__ = ["Identity", "Rejected", "SlackApi", "Upload", "permalink"]

VIEWS_READ = 2.5  # seconds: a trigger is worth three
UPLOAD = 60.0
PAGE = 200  # messages asked for at once; Slack recommends no more
PAGES = 50  # at most: a thread holds no more than a few thousand messages


class Identity(Struct, frozen=True, kw_only=True):
    """Who a token speaks for: auth.test."""

    team: str
    user: str
    bot: str
    app: str  # may be empty: not every token tells
    url: str  # https://nordwind.slack.com/
    scopes: frozenset[str]


class Upload(Struct, frozen=True, kw_only=True):
    """Where to put a file's bytes, and what it is called from then on."""

    file: str
    url: str


class SlackApi:
    """Every method raises a `SendError`; its type says what happens next.

    What can be done twice without harm is deferred when its answer is lost; a post is in doubt.
    """

    def __init__(self, token: str, api_url: str, http: aiohttp.ClientSession) -> None:
        self._client = Client(token, api_url, http)
        self._quick = Client(token, api_url, http, VIEWS_READ)
        self._http = http
        self._token = token

    def __repr__(self) -> str:
        return f"<SlackApi at {urlsplit(self._client.base_url).hostname}>"

    @property
    def web(self) -> AsyncWebClient:
        """For the library's own parts, which want its client."""
        return self._client

    async def call(self, method: str, *, repeatable: bool = True, **data: Any) -> dict[str, Any]:
        """Any method; None is left out, lists and mappings become JSON."""
        return (await self._answer(method, data, repeatable=repeatable))[0]

    async def _answer(
        self, method: str, data: Mapping[str, Any], *, repeatable: bool
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        client = self._quick if method.startswith("views.") else self._client
        try:
            return await client.call(method, data)
        except SlackApiError as error:
            raise meaning(error.response.data, repeatable=repeatable) from None
        except Refused as error:
            raise refusal(error, repeatable=repeatable) from None
        except NotSent:
            raise SendDeferred("Slack cannot be reached.") from None
        except (Lost, SlackClientError):
            if repeatable:
                raise SendDeferred("Slack's answer did not come.") from None
            raise SendInDoubt("Slack's answer did not come.") from None

    # Messages

    async def post(
        self,
        channel: str,
        *,
        text: str,
        blocks: list[dict[str, Any]] | None = None,
        thread_ts: str = "",
        metadata: Mapping[str, Any] | None = None,
        broadcast: bool = False,
    ) -> str:
        """Its ts. https://docs.slack.dev/reference/methods/chat.postMessage; `text` is what notifications show."""
        answer = await self.call(
            "chat.postMessage",
            repeatable=False,
            channel=channel,
            text=text,
            blocks=blocks or None,
            thread_ts=thread_ts or None,
            reply_broadcast=broadcast or None,
            metadata=metadata,
            **QUIET,
        )
        return _word(answer, "ts")

    async def update(
        self,
        channel: str,
        ts: str,
        *,
        text: str,
        blocks: list[dict[str, Any]] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """https://docs.slack.dev/reference/methods/chat.update; without blocks, those that were there go."""
        await self.call(
            "chat.update",
            channel=channel,
            ts=ts,
            text=text,
            blocks=blocks or [],
            metadata=metadata,
            parse="none",
            link_names=False,
        )

    async def delete(self, channel: str, ts: str) -> None:
        """Our own message; one that is gone is no trouble."""
        await self._unless({"message_not_found"}, "chat.delete", channel=channel, ts=ts)

    async def ephemeral(
        self,
        channel: str,
        user: str,
        *,
        text: str,
        blocks: list[dict[str, Any]] | None = None,
        thread_ts: str = "",
    ) -> None:
        """For one person's eyes, until they reload. https://docs.slack.dev/reference/methods/chat.postEphemeral"""
        await self.call(
            "chat.postEphemeral",
            repeatable=False,
            channel=channel,
            user=user,
            text=text,
            blocks=blocks or None,
            thread_ts=thread_ts or None,
            parse="none",
            link_names=False,
        )

    async def react(self, channel: str, ts: str, name: str) -> None:
        await self._unless({"already_reacted"}, "reactions.add", channel=channel, timestamp=ts, name=name)

    async def unreact(self, channel: str, ts: str, name: str) -> None:
        gone = {"no_reaction", "message_not_found"}
        await self._unless(gone, "reactions.remove", channel=channel, timestamp=ts, name=name)

    async def history(self, channel: str, *, oldest: str = "", latest: str = "") -> list[dict[str, Any]]:
        """What stands in the channel after `oldest` and before `latest`, newest first, with metadata."""
        return await self._messages(
            "conversations.history", channel=channel, oldest=oldest or None, latest=latest or None
        )

    async def replies(self, channel: str, ts: str, *, oldest: str = "") -> list[dict[str, Any]]:
        """A thread's replies after `oldest`, oldest first, with metadata; the root is not among them."""
        found = await self._messages("conversations.replies", channel=channel, ts=ts, oldest=oldest or None)
        return [one for one in found if one.get("ts") != ts]

    async def _messages(self, method: str, **data: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = ""
        for _ in range(PAGES):
            answer = await self.call(
                method, limit=PAGE, cursor=cursor or None, include_all_metadata=True, **data
            )
            page = answer.get("messages")
            found += [one for one in page if isinstance(one, dict)] if isinstance(page, list) else []
            cursor = _cursor(answer)
            if not cursor:
                break
        return found

    async def _unless(self, fine: set[str], method: str, **data: Any) -> None:
        """Doing it twice is doing it once."""
        try:
            await self.call(method, **data)
        except Rejected as error:
            if error.code not in fine:
                raise

    # People and channels

    async def me(self) -> Identity:
        """Whose token it is and what it may: auth.test tells the scopes in a header."""
        answer, headers = await self._answer("auth.test", {}, repeatable=True)
        scopes = headers.get("x-oauth-scopes", "")
        return Identity(
            team=_word(answer, "team_id"),
            user=_word(answer, "user_id"),
            bot=str(answer.get("bot_id") or ""),
            app=str(answer.get("app_id") or ""),
            url=str(answer.get("url") or ""),
            scopes=frozenset(filter(None, (one.strip() for one in scopes.split(",")))),
        )

    async def user(self, user: str) -> dict[str, Any]:
        """https://docs.slack.dev/reference/objects/user-object"""
        return _thing(await self.call("users.info", user=user), "user")

    async def presence(self, user: str) -> str:
        """Active or away"""
        return str((await self.call("users.getPresence", user=user)).get("presence") or "")

    async def groups(self) -> dict[str, str]:
        """The handles of user groups by their ids."""
        found = (await self.call("usergroups.list")).get("usergroups")
        groups = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        return {str(one.get("id")): str(one.get("handle") or one.get("name") or "") for one in groups}

    async def channel(self, channel: str) -> dict[str, Any]:
        """https://docs.slack.dev/reference/objects/conversation-object"""
        return _thing(await self.call("conversations.info", channel=channel), "channel")

    # Views: https://docs.slack.dev/reference/methods?family=views

    async def open_view(self, trigger: str, view: Mapping[str, Any]) -> str:
        """Its id."""
        return await self._view("views.open", trigger_id=trigger, view=view)

    async def push_view(self, trigger: str, view: Mapping[str, Any]) -> str:
        return await self._view("views.push", trigger_id=trigger, view=view)

    async def update_view(self, id: str, view: Mapping[str, Any], *, hash: str = "") -> None:  # noqa: A002 - Slack's word
        """With `hash` only if nobody changed it since."""
        await self._view("views.update", view_id=id, view=view, hash=hash or None)

    async def publish_home(self, user: str, view: Mapping[str, Any]) -> None:
        await self._view("views.publish", user_id=user, view=view)

    async def _view(self, method: str, **data: Any) -> str:
        """A trigger works once: what was lost is not tried again."""
        repeatable = "trigger_id" not in data
        answer = await self.call(method, repeatable=repeatable, **data)
        return _word(_thing(answer, "view"), "id")

    # Files

    async def upload_url(self, name: str, size: int) -> Upload:
        answer = await self.call("files.getUploadURLExternal", filename=name, length=size)
        return Upload(file=_word(answer, "file_id"), url=_word(answer, "upload_url"))

    async def upload(self, upload: Upload, content: bytes) -> None:
        """The address is secret enough: the token stays here."""
        timeout = aiohttp.ClientTimeout(total=UPLOAD + CONNECT, connect=CONNECT, sock_read=UPLOAD)
        try:
            async with self._http.post(
                upload.url, data=content, timeout=timeout, allow_redirects=False
            ) as answer:
                await bounded(answer, ANSWER_LIMIT)
                status = answer.status
        except (Lost, aiohttp.ClientError, TimeoutError, OSError):
            raise SendDeferred("The file could not be handed to Slack.") from None
        if status != HTTPStatus.OK:
            raise SendDeferred(f"The file could not be handed to Slack (status {status}).")

    async def share(self, file: str, title: str, channel: str, thread_ts: str, comment: str = "") -> None:
        """The third step: it appears in the thread."""
        await self.call(
            "files.completeUploadExternal",
            repeatable=False,
            files=[{"id": file, "title": title}],
            channel_id=channel,
            thread_ts=thread_ts or None,
            initial_comment=comment or None,
        )

    async def file(self, file: str) -> dict[str, Any]:
        """https://docs.slack.dev/reference/objects/file-object"""
        return _thing(await self.call("files.info", file=file), "file")

    async def download(self, url: str, limit: int) -> tuple[bytes, str]:
        """The content and its type. Raises `Misconfigured` for Slack's page to log in, which comes with a 200."""
        if not self._may_see_token(url):
            raise SendRejected("The file is not kept at Slack; ask for it in another way.")
        timeout = aiohttp.ClientTimeout(total=UPLOAD + CONNECT, connect=CONNECT, sock_read=READ)
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with self._http.get(url, headers=headers, timeout=timeout, allow_redirects=False) as answer:
                _no_file(answer)
                return await bounded(answer, limit), answer.content_type
        except TooLong:
            raise SendRejected(f"The file is larger than {limit // (1024 * 1024)} MB.") from None
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise SendDeferred("Slack did not hand the file over.") from None

    def _may_see_token(self, url: str) -> bool:
        """Slack's own hosts over TLS, or the host of `api_url` (a stand-in)."""
        asked, api = urlsplit(url), urlsplit(self._client.base_url)
        host = asked.hostname or ""
        slack = asked.scheme == "https" and (host == "slack.com" or host.endswith(".slack.com"))
        return slack or (asked.scheme, asked.netloc) == (api.scheme, api.netloc)

    # Answers to a click

    async def respond(self, response_url: str, message: Mapping[str, Any]) -> None:
        """https://docs.slack.dev/interactivity/handling-user-interaction#message_responses: five in half an hour."""
        timeout = aiohttp.ClientTimeout(total=READ, connect=CONNECT)
        if not self._may_see_token(response_url):  # it sees none, but nobody else sends us such addresses
            raise SendRejected("That is no address of Slack's.")
        try:
            async with self._http.post(
                response_url, json=message, timeout=timeout, allow_redirects=False
            ) as answer:
                status = answer.status
        except NEVER_WRITTEN:
            raise SendDeferred("Slack cannot be reached.") from None
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise SendInDoubt("Slack's answer did not come.") from None
        if status != HTTPStatus.OK:
            raise SendRejected(f"Slack does not want an answer any more (status {status}).")


QUIET: Mapping[str, Any] = {
    "unfurl_links": False,
    "unfurl_media": False,
    "parse": "none",
    "link_names": False,
}


def permalink(workspace: str, channel: str, ts: str, thread_ts: str = "") -> str:
    """The address people open a message with; `workspace` is auth.test's url."""
    link = f"{workspace.rstrip('/')}/archives/{channel}/p{ts.replace('.', '')}"
    return f"{link}?thread_ts={thread_ts}&cid={channel}" if thread_ts not in {"", ts} else link


def _no_file(answer: aiohttp.ClientResponse) -> None:
    """Raises a `SendError`. A page that somebody attached comes with a Content-Disposition."""
    if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        raise SendRejected("The file is not there any more.")
    page = answer.content_type == "text/html" and "Content-Disposition" not in answer.headers
    if 300 <= answer.status < 400 or (answer.status == HTTPStatus.OK and page):
        raise Misconfigured("Slack shows its page to log in instead of the file; add the scope files:read.")
    if answer.status != HTTPStatus.OK:
        raise SendDeferred(f"Slack did not hand the file over (status {answer.status}).")


def _cursor(answer: Mapping[str, Any]) -> str:
    told = answer.get("response_metadata")
    return str(told.get("next_cursor") or "") if isinstance(told, dict) else ""


def _thing(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Raises `SendInDoubt`: it said yes, and not to what."""
    found = answer.get(name)
    if not isinstance(found, dict):
        raise SendInDoubt("Slack's answer could not be read.")
    return found


def _word(answer: Mapping[str, Any], name: str) -> str:
    found = answer.get(name)
    if not isinstance(found, str) or not found:
        raise SendInDoubt("Slack's answer could not be read.")
    return found
