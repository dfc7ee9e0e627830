"""What a connector is built from: the settings of its account, and these few things of the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from msgspec import Struct

from bot.domain.messages import FeedEntry
from bot.domain.ports import Clock, Connector


class Deps(Struct, frozen=True, kw_only=True):
    secret: bytes  # of the server; derive a key of your own from it
    clock: Clock
    # For hosted channels, whose customers read a feed of ours. `append` and `known` raise StoreUnavailable;
    # appending a known entry changes nothing.
    append: Callable[[FeedEntry], Awaitable[None]]
    known: Callable[[str], Awaitable[bool]]
    publish: Callable[[str, bytes], Awaitable[None]]  # topic and data, to whoever listens now


class ConnectorClass(Protocol):
    """A connector as the registry sees it; the configuration of an account is read into `Settings`."""

    Settings: type[Struct]

    def __call__(self, settings: Any, deps: Deps) -> Connector: ...
