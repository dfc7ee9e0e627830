"""What a connector is built from: the settings of its account, and these few things of the server."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import aiohttp
from msgspec import Struct

from bot.domain.errors import MalformedPayload, StoreUnavailable
from bot.domain.messages import FeedEntry, Inbound
from bot.domain.ports import Clock, Connector, Files


async def _nowhere(inbound: Sequence[Inbound]) -> list[str]:
    raise StoreUnavailable("Nobody receives here.")


class Deps(Struct, frozen=True, kw_only=True):
    secret: bytes  # of the server; derive a key of your own from it
    clock: Clock
    # For hosted channels, whose customers read a feed of ours. `append` and `known` raise StoreUnavailable;
    # appending a known entry changes nothing.
    append: Callable[[FeedEntry], Awaitable[None]]
    known: Callable[[str], Awaitable[bool]]
    publish: Callable[[str, bytes], Awaitable[None]]  # topic and data, to whoever listens now
    # For channels with a platform behind them. None where nothing is sent or kept: parsing needs neither.
    http: aiohttp.ClientSession | None = None
    files: Files | None = None
    # For those that fetch their events: stores them and returns their ids; raises StoreUnavailable. Only after
    # it returned may the platform be told that they arrived.
    receive: Callable[[Sequence[Inbound]], Awaitable[list[str]]] = _nowhere
    public_url: str = ""  # where the world reaches this server, if it does


def readable(body: bytes) -> dict[str, Any]:
    """A webhook's body as a JSON object. Raises `MalformedPayload`."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise MalformedPayload("The body is not JSON.") from exc
    if not isinstance(found, dict):
        raise MalformedPayload("The body is not a JSON object.")
    return found


def storable(found: dict[str, Any]) -> bytes:
    """The same as JSON that every store can keep: half a surrogate pair becomes `\ufffd`.

    Raises `MalformedPayload`.
    """
    try:
        text = json.dumps(found, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError) as exc:
        raise MalformedPayload("The body holds what is no JSON.") from exc
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


class ConnectorClass(Protocol):
    """A connector as the registry sees it; the configuration of an account is read into `Settings`."""

    Settings: type[Struct]

    def __call__(self, settings: Any, deps: Deps) -> Connector: ...
