"""Courtesies: typing shown and presses acknowledged, beside the work; none of them may hold it up or fail it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog

from bot.domain.errors import SwitchboardError
from bot.domain.messages import Address, EventKind, Inbound
from bot.domain.ports import Acknowledges, Connector, ShowsTyping

log = structlog.get_logger()

AFTER = 0.3  # seconds: most answers are there sooner, and a platform shows typing for longer than that
EVERY = 4.0  # platforms forget it after five seconds
AT_MOST = 5.0  # seconds for one call
MOST = 64  # courtesies at once; more are left out


class Courtesies:
    def __init__(self, connectors: Mapping[tuple[str, str], Connector], after: float = AFTER) -> None:
        self._connectors = connectors
        self._after = after
        self._running: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def typing(self, address: Address, *, wanted: bool) -> AsyncIterator[None]:
        """The customer sees that an answer is being made, if that takes a while."""
        connector = self._connectors.get((address.channel, address.account))
        shows: object = connector
        if not wanted or connector is None or not isinstance(shows, ShowsTyping):
            yield
            return
        if connector.capabilities.hosted:  # our own page: at once, and it costs nothing
            await _tried(shows.typing(address.chat), "typing")
            yield
            return
        task = self._beside(self._keep_typing(shows, address.chat))
        try:
            yield
        finally:
            if task:
                task.cancel()

    def acknowledge(self, inbound: Inbound) -> None:
        """Tell the platform that a press arrived."""
        address = inbound.address
        connector: object = self._connectors.get((address.channel, address.account))
        if inbound.kind is EventKind.PRESS and isinstance(connector, Acknowledges):
            self._beside(_tried(connector.acknowledge(inbound), "acknowledge"))

    async def _keep_typing(self, connector: ShowsTyping, chat: str) -> None:
        await asyncio.sleep(self._after)
        while True:
            await _tried(connector.typing(chat), "typing")
            await asyncio.sleep(EVERY)

    def _beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        if len(self._running) >= MOST:
            work.close()
            return None
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


async def _tried(work: Coroutine[Any, Any, None], what: str) -> None:
    try:
        async with asyncio.timeout(AT_MOST):
            await work
    except (SwitchboardError, TimeoutError) as error:
        log.info("courtesy.failed", what=what, error=type(error).__name__)
    except Exception:
        log.exception("courtesy.broke", what=what)
