"""Talking to the Bot API: python-telegram-bot over aiohttp, and what its failures mean to us.

https://core.telegram.org/bots/api#making-requests. The token is part of every address: no error that is raised here
holds one, and nothing here logs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from io import BytesIO
from typing import Any, cast
from urllib.parse import quote

import aiohttp
from telegram import Bot, InputFile
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
    TimedOut,
)
from telegram.request import BaseRequest, RequestData

from bot.domain.errors import (
    ChatMoved,
    Misconfigured,
    RecipientUnreachable,
    SendDeferred,
    SendError,
    SendInDoubt,
    SendRejected,
)

CONNECT = 5.0  # seconds
READ = 15.0
UPLOAD = 60.0
NEVER_WRITTEN = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)
LONGEST_WAIT = timedelta(hours=1)  # then what waits is looked at again: by then it may be too old to be sent
ANSWER_LIMIT = 25 * 1024 * 1024  # bytes of a file or an answer; the cloud's own limit for files is 20 MB

ON_ITS_DISK = re.compile(
    r"/|[A-Za-z]:[\\/]"
)  # an absolute path, https://core.telegram.org/bots/api#using-a-local-bot-api-server
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class NotSent(NetworkError):
    """The request never got there."""


class Flooded(TelegramError):
    """429; the library's own error warns of its coming changes each time it is made."""

    def __init__(self, wait: timedelta | None) -> None:
        super().__init__("Too Many Requests")
        self.wait = wait


class AlreadyDone(SendRejected):
    """What was asked for is so already: nothing to be done, nothing to be told."""


class BadEntities(SendRejected):
    """Telegram does not like how the text is marked up: send it plain."""

    @staticmethod
    def simpler(call: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in call.items() if not key.endswith("entities")}


class BadPicture(SendRejected):
    """Too long, too narrow or not what its name says: as a document it arrives as it is."""

    @staticmethod
    def simpler(call: Mapping[str, Any]) -> dict[str, Any]:
        if "photo" not in call:
            return dict(call)
        rest = {key: value for key, value in call.items() if key != "photo"}
        return {**rest, "method": "sendDocument", "document": call["photo"]}


class Transport(BaseRequest):
    """One shared aiohttp session; four times the messages per second of the stock transport, and it can tell
    "not sent" from "in doubt".
    """

    __slots__ = ("_http", "_read")

    def __init__(self, http: aiohttp.ClientSession, read: float = READ) -> None:
        self._http = http
        self._read = read

    @property
    def read_timeout(self) -> float | None:
        return self._read

    async def initialize(self) -> None: ...

    async def shutdown(self) -> None: ...

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Raises `Flooded`, `NotSent`, or `TimedOut` when the request was written and its answer did not come whole."""
        read = self._read if read_timeout is BaseRequest.DEFAULT_NONE else read_timeout
        upload = UPLOAD if request_data is not None and request_data.contains_files else 0
        timeout = aiohttp.ClientTimeout(
            total=read + upload + CONNECT, connect=CONNECT, sock_read=read + upload
        )
        try:
            # Never after a redirect: the token would go along.
            async with self._http.request(
                method, url, data=_form(request_data), timeout=timeout, allow_redirects=False
            ) as answer:
                body = await _bounded(answer)
                status = answer.status if method == "GET" else _said(answer.status, body)
                _refused(status, answer, body)
                return status, body
        # Without `from`: the library's error holds the address, and with it the token.
        except NEVER_WRITTEN as error:
            raise NotSent(type(error).__name__) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TimedOut(type(error).__name__) from None

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The library's own would log the payload. Raises `TelegramError`."""
        try:
            found = json.loads(payload)
        except (ValueError, RecursionError):
            raise TelegramError("The answer is no JSON.") from None
        if not isinstance(found, dict):
            raise TelegramError("The answer is no JSON object.")
        return _as_documented(found)


def _form(data: RequestData | None) -> Any:
    if data is None:
        return None
    if not data.contains_files:
        return data.json_parameters
    # Quoted, a customer would read Rechnung%20M%C3%A4rz.pdf: Telegram takes names as they stand.
    form = aiohttp.FormData(data.json_parameters, quote_fields=False)
    for name, (filename, content, mime) in cast(
        "Mapping[str, tuple[str, bytes, str]]", data.multipart_data
    ).items():
        # As a file it is read and written in pieces: one piece of 50 MB would hold up everybody else.
        form.add_field(name, BytesIO(content), filename=filename, content_type=mime)
    return form


def _said(status: int, body: bytes) -> int:
    """Whatever stands between may answer 200 to everything: what Telegram says of itself counts."""
    if status != HTTPStatus.OK or b'"error_code"' not in body[:1000]:
        return status
    with suppress(TelegramError):
        found = Transport.parse_json_payload(body)
        code = found.get("error_code")
        if found.get("ok") is False and isinstance(code, int) and 400 <= code <= 599:
            return code
    return status


def _refused(status: int, answer: aiohttp.ClientResponse, body: bytes) -> None:
    """Raises what the library would not tell apart. A page of a proxy is no word of Telegram's about a customer, and
    may quote the address with the token.
    """
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise Flooded(_wait(answer, body))
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        raise BadRequest("it is too large")
    if status >= 300 and status not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND}:
        try:
            Transport.parse_json_payload(body)
        except TelegramError:
            raise NetworkError(f"status {status}") from None


def _as_documented(found: dict[str, Any]) -> dict[str, Any]:
    """The library breaks on a description or on parameters of another shape."""
    told = found.get("parameters")
    moved = told.get("migrate_to_chat_id") if isinstance(told, dict) else None
    description = found.get("description")
    return {
        **found,
        "description": description if isinstance(description, str) else "",
        "parameters": {"migrate_to_chat_id": moved} if type(moved) is int else None,
    }


def _wait(answer: aiohttp.ClientResponse, body: bytes) -> timedelta | None:
    """The header and `parameters.retry_after` say the same; a proxy may keep the one, or have its own body."""
    after = answer.headers.get("Retry-After", "")
    found = re.search(rb'"retry_after"\s*:\s*(\d{1,6})\b', body)
    seconds = after if re.fullmatch(r"\d{1,6}", after) else found[1] if found else ""
    return min(timedelta(seconds=int(seconds)), LONGEST_WAIT) if seconds else None


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(65536):
        body += chunk
        if len(body) > ANSWER_LIMIT:
            raise BadRequest("file is too big")
    return bytes(body)


class Api(Bot):
    """The library's bot, called by the method's name: its own methods read every answer into classes, and raise
    on one that has a field they do not know, after the message was sent.
    """

    __slots__ = ()

    def __init__(self, token: str, api_url: str, http: aiohttp.ClientSession) -> None:
        base = api_url.rstrip("/")
        transport = Transport(http)
        super().__init__(
            token,
            base_url=f"{base}/bot",
            base_file_url=f"{base}/file/bot",
            request=transport,
            get_updates_request=transport,
        )

    async def call(self, method: str, *, read: float = READ, **data: Any) -> Any:
        """The `result` of a method. Raises a `SendError`; which one says what to do next."""
        try:
            return await self._post(method, data, read_timeout=read)
        except TelegramError as error:
            raise meaning(error) from None
        except (KeyError, TypeError) as error:
            raise SendInDoubt(f"Telegram's answer could not be read ({type(error).__name__}).") from None

    async def download(self, file_path: str) -> bytes:
        """Raises a `SendError`."""
        if ON_ITS_DISK.match(file_path):
            raise SendRejected(
                "The Bot API server keeps files on its own disk, where we cannot read: start it without --local."
            )
        if ".." in file_path.split("/"):
            raise SendRejected("Telegram names no place of a file.")
        try:
            # Its end is the customer's: a # or ? would cut it off.
            return await self.request.retrieve(
                f"{self.base_file_url}/{quote(file_path)}", read_timeout=UPLOAD
            )
        except InvalidToken:
            raise SendDeferred("Telegram does not have the file at hand.") from None
        except TelegramError as error:
            raise meaning(error) from None


def upload(content: bytes, name: str) -> InputFile:
    """With its content type by its name; a header cannot hold line breaks."""
    return InputFile(content, filename=UNPRINTABLE.sub("_", name) or "file", attach=False)


# ── What a failure means ────────────────────────────────────────────────────────────────────────

# 400s by a part of their description, https://github.com/tdlib/telegram-bot-api (Client.cpp); no code tells them apart.
DONE = ("message is not modified", "message to delete not found", "query is too old")
LOST_CHATS = (
    "chat not found",
    "peer_id_invalid",
    "user not found",
    "group is deactivated",
    "have no rights to send",
    "not enough rights to send text",
    "chat_write_forbidden",
    "chat_send_plain_forbidden",
    "chat_restricted",
)
ENTITIES = ("entities", "entity")
PICTURES = ("photo_", "image_process_failed", "wrong type of the web page content")
PLAINLY: Mapping[str, str] = {
    "message can't be deleted": "Telegram lets a bot take back only what is younger than 48 hours.",
    "message to edit not found": "The message is not in the chat any more: somebody deleted it there.",
    "message can't be edited": "Telegram does not let us change this message any more; write another one.",
    "topic_closed": "The topic is closed: open it again in Telegram, then send this again.",
    "topic_deleted": "The topic is gone from the group, so nothing can be written there any more.",
    "message thread not found": "The topic is gone from the group, so nothing can be written there any more.",
    "message to be replied not found": "The message this answers is not in the chat any more.",
    "it is too large": "It is larger than 50 MB; Telegram takes no more from a bot.",
}


def meaning(error: TelegramError) -> SendError:
    """Our error for one of the library's. Order matters there: BadRequest and TimedOut are NetworkErrors."""
    for kind, mean in MEANINGS:
        if isinstance(error, kind):
            return mean(error)
    return SendInDoubt(f"Telegram's answer could not be read ({type(error).__name__}).")


def _flooded(error: Any) -> SendError:
    return SendDeferred("Telegram asks to slow down.", error.wait)


def _bad(error: Any) -> SendError:
    words = str(error.message)
    said = words.lower()
    for kind, parts, sentence in REFUSALS:
        if any(part in said for part in parts):
            return kind(f"{sentence}: {words}")
    plainly = (sentence for part, sentence in PLAINLY.items() if part in said)
    return SendRejected(next(plainly, f"Telegram refuses it: {words}"))


REFUSALS: tuple[tuple[type[SendRejected], tuple[str, ...], str], ...] = (
    (AlreadyDone, DONE, "It is so already"),
    (RecipientUnreachable, LOST_CHATS, "Telegram lets us write nothing in this chat"),
    (BadEntities, ENTITIES, "Telegram refuses it"),
    (BadPicture, PICTURES, "Telegram refuses it"),
)


MEANINGS: tuple[tuple[type[TelegramError], Callable[[Any], SendError]], ...] = (
    (Flooded, _flooded),
    (ChatMigrated, lambda error: ChatMoved("The group is a supergroup now.", str(error.new_chat_id))),
    (Forbidden, lambda error: RecipientUnreachable(f"Telegram says: {error.message}")),
    (
        InvalidToken,
        lambda _: Misconfigured("Telegram does not accept the token; get the current one from @BotFather."),
    ),
    (Conflict, lambda error: Misconfigured(f"Somebody else uses this bot's updates: {error.message}")),
    (BadRequest, _bad),
    (TimedOut, lambda _: SendInDoubt("Telegram's answer did not come.")),
    (NotSent, lambda _: SendDeferred("Telegram cannot be reached.")),
    (NetworkError, lambda _: SendDeferred("Telegram has trouble just now.")),
)
