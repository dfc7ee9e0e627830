"""Units of one process that would get in each other's way go one after another, in the order they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager


class Turns:
    """Nobody waits in a circle: a unit only waits for units that came before it."""

    def __init__(self) -> None:
        self._last: dict[str, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def after(self, keys: Collection[str]) -> AsyncIterator[None]:
        """Wait for everybody before who has one of the keys."""
        before = {self._last[key] for key in keys if key in self._last}
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._last |= dict.fromkeys(keys, mine)
        try:
            if before:
                await asyncio.wait(before)
            yield
        finally:
            mine.set_result(None)
            for key in keys:
                if self._last.get(key) is mine:
                    del self._last[key]
