"""Live pages: a stream of hints which case changed; what changed is read from the page itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from aiohttp import web

from bot import metrics
from bot.domain.errors import StoreUnavailable
from bot.web.console.pages import seal
from bot.web.console.visits import arrive, the_web

TOPIC = "cases"
HEARTBEAT = 15.0  # seconds
GATHER = 0.15  # seconds: one change writes several hints
RETRY = 2000  # milliseconds until the browser connects again
HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}


class Streams:
    """The streams that are open in this process."""

    def __init__(self) -> None:
        self.tasks: WeakSet[asyncio.Task[Any]] = WeakSet()


STREAMS = web.AppKey("STREAMS", Streams)


async def stream(request: web.Request) -> web.StreamResponse:
    """Until the browser leaves, the session ends or the server stops."""
    response = seal(web.StreamResponse(headers=HEADERS))
    await response.prepare(request)
    if task := asyncio.current_task():
        request.config_dict[STREAMS].tasks.add(task)
    with (
        metrics.STREAMS.labels("console").track_inprogress(),
        suppress(ConnectionResetError, asyncio.CancelledError),
    ):
        async with the_web(request).broadcast.subscribe(TOPIC) as hints:
            await response.write(b"retry: %d\n\n" % RETRY)
            await _forward(request, response, hints)
    return response


async def _forward(request: web.Request, response: web.StreamResponse, hints: AsyncIterator[bytes]) -> None:
    upcoming = asyncio.ensure_future(anext(hints))
    try:
        while True:
            await asyncio.wait({upcoming}, timeout=HEARTBEAT)
            seen: dict[bytes, None] = {}
            while upcoming.done():
                seen[upcoming.result()] = None
                upcoming = asyncio.ensure_future(anext(hints))
                await asyncio.wait({upcoming}, timeout=GATHER if len(seen) == 1 else 0)
            if not await _still_welcome(request):
                await response.write(b"event: over\ndata: {}\n\n")
                return
            await response.write(b"".join(b"event: case\ndata: %b\n\n" % hint for hint in seen) or b": \n\n")
    except StopAsyncIteration:
        return
    finally:
        upcoming.cancel()
        await asyncio.wait({upcoming})


async def _still_welcome(request: web.Request) -> bool:
    """A removed user's page learns nothing more."""
    try:
        return (await arrive(request)).rank is not None
    except StoreUnavailable:
        return True


async def end_streams(app: web.Application) -> None:
    """A server that stops does not wait for browsers to leave."""
    for task in list(app[STREAMS].tasks):
        task.cancel()
