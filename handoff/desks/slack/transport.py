"""slack-sdk's client over the server's own HTTP session.

https://docs.slack.dev/apis/web-api. The token is in a header of every request, and the library's errors hold the whole
request: what is raised here holds none of it, and nothing here logs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, cast

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

CONNECT = 5.0  # seconds
READ = 10.0
ANSWER_LIMIT = 8 * 1024 * 1024  # bytes of an answer
LONGEST_WAIT = timedelta(hours=1)
NEVER_WRITTEN = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)


class NotSent(Exception):
    """The request never got there."""


class Lost(Exception):
    """It was written, and its answer did not come whole."""


class TooLong(Lost):
    """There is more than we read."""


class Refused(Exception):
    """An error page instead of an answer; 429 says how long to wait."""

    def __init__(self, status: int, wait: timedelta | None = None) -> None:
        super().__init__(f"status {status}")
        self.status, self.wait = status, wait


class Client(AsyncWebClient):
    """The library's client with its own transport: it can tell "not sent" from "in doubt", follows no redirect with
    the token, uses no proxy behind our back, and logs no text.
    """

    def __init__(self, token: str, api_url: str, http: aiohttp.ClientSession, read: float = READ) -> None:
        super().__init__(token=token, base_url=api_url, session=http, retry_handlers=[])
        self._http = http
        self._limit = aiohttp.ClientTimeout(total=read + CONNECT, connect=CONNECT, sock_read=read)

    async def call(self, method: str, data: Mapping[str, Any]) -> tuple[dict[str, Any], Mapping[str, str]]:
        """The answer and its headers. Raises `SlackApiError` (an answer that says no), `Refused`, `NotSent`, `Lost`."""
        # A form is taken by every method, JSON only by those that write.
        form = {name: _field(value) for name, value in data.items() if value is not None}
        found = await self.api_call(method, data=form)
        return cast("dict[str, Any]", found.data), found.headers

    async def _request(self, *, http_verb: str, api_url: str, req_args: dict[str, Any]) -> dict[str, Any]:
        try:
            async with self._http.request(
                http_verb,
                api_url,
                params=req_args["params"],
                data=req_args["data"],
                headers=req_args["headers"],
                timeout=self._limit,
                allow_redirects=False,
            ) as answer:
                body = await bounded(answer, ANSWER_LIMIT)
                _no_page(answer)
                return {"data": _read(body), "headers": answer.headers, "status_code": answer.status}
        # Without `from`: the session's error may hold the request, and with it the token.
        except NEVER_WRITTEN as error:
            raise NotSent(type(error).__name__) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Lost(type(error).__name__) from None


def _field(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _no_page(answer: aiohttp.ClientResponse) -> None:
    """Raises `Refused`."""
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        after = answer.headers.get("Retry-After", "")
        wait = timedelta(seconds=int(after)) if re.fullmatch(r"[0-9]{1,6}", after) else None
        raise Refused(answer.status, min(wait, LONGEST_WAIT) if wait is not None else None)
    if answer.status != HTTPStatus.OK:
        raise Refused(answer.status)


def _read(body: bytes) -> dict[str, Any]:
    """Raises `Lost`: what is no answer says nothing about what was done."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Lost("no JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("ok"), bool):
        raise Lost("no answer of Slack's")
    return found


async def bounded(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """Raises `TooLong`."""
    body = bytearray()
    async for chunk in answer.content.iter_chunked(65536):
        body += chunk
        if len(body) > limit:
            raise TooLong("too long")
    return bytes(body)
