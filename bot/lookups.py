"""Facts from the brand's own systems over HTTP: one GET per question, bounded in time and size."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout
from msgspec import Struct, field
from yarl import URL

from bot.domain.errors import LookupFailed

PLACE = re.compile(r"\{(\w+)\}")
LIMIT = 64 * 1024  # bytes of an answer
LONGEST = 200  # characters of a value; no number that customers are given is longer
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}  # so that the limit counts what is read
NOT_FOUND = {404, 410}


class LookupConfig(Struct, frozen=True, kw_only=True):
    url: str  # with a {place} for each value
    timeout: float = 2.0  # seconds, for the whole answer
    headers: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "<LookupConfig>"


class HttpLookups:
    """Errors and logs name the lookup and what went wrong, never a value of the customer's or a header."""

    def __init__(self, configs: Mapping[str, LookupConfig], session: ClientSession) -> None:
        self._configs = configs
        self._session = session

    def has(self, name: str) -> bool:
        return name in self._configs

    async def fetch(self, name: str, values: Mapping[str, str]) -> Mapping[str, object] | None:
        """The JSON object at the lookup's URL, None for 404 or 410. Raises `LookupFailed`.

        Redirects are not followed: the address that was configured answers, or nobody does.
        """
        config = self._configs[name]
        url = _filled(name, config.url, values)
        try:
            async with self._session.get(
                url,
                headers={**HEADERS, **config.headers},
                timeout=ClientTimeout(total=config.timeout),
                allow_redirects=False,
            ) as response:
                return await _record(name, response)
        except TimeoutError as exc:
            raise LookupFailed(f'The lookup "{name}" did not answer within {config.timeout:g} s.') from exc
        except (ClientError, OSError) as exc:  # from None: the library's message can hold the whole address
            reason = type(exc).__name__
            raise LookupFailed(f'The lookup "{name}" could not be reached ({reason}).') from None


def _filled(name: str, template: str, values: Mapping[str, str]) -> URL:
    """Every value percent-encoded, so that no number a customer types changes where we ask."""

    def value(match: re.Match[str]) -> str:
        found = values.get(match[1], "").strip()
        if not 0 < len(found) <= LONGEST or found in {".", ".."}:
            raise LookupFailed(f'The lookup "{name}" needs {match[1]}, and there is no usable one.')
        return quote(found, safe="", errors="replace")

    return URL(PLACE.sub(value, template), encoded=True)


async def _record(name: str, response: ClientResponse) -> dict[str, Any] | None:
    if response.status in NOT_FOUND:
        return None
    if response.status != 200:
        raise LookupFailed(f'The lookup "{name}" answered with status {response.status}.')
    if response.content_type != "application/json":
        raise LookupFailed(f'The lookup "{name}" answered with something that is not JSON.')
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LIMIT:
            raise LookupFailed(f'The lookup "{name}" answered with more than {LIMIT // 1024} KiB.')
    return _object(name, bytes(body))


def _object(name: str, body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (
        msgspec.DecodeError,
        UnicodeDecodeError,
        RecursionError,
    ):  # from None: it can quote what was answered
        raise LookupFailed(f'The lookup "{name}" answered with JSON that is no object.') from None
