"""Hints to whoever listens, in every process that shares a Redis."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any

from redis.asyncio.client import PubSub

from bot.domain.ports import Broadcast
from bot.queues.redis_streams.link import TROUBLE, Link, RedisAway, ended, script

PUBLISH = script("publish")
MARK = 8  # bytes before a hint that say which process it comes from
QUIET = 5.0  # seconds without a word until Redis is asked whether it is still there
BREATH = 0.2  # seconds after trouble
ANYTHING = b"{}"  # may have happened while the line was down: look
GREETING = ""  # a topic of nobody: a line has to listen to something


class RedisBroadcast:
    """One connection per process carries all topics; `local` serves who listens here, even while Redis is away."""

    def __init__(self, link: Link, local: Broadcast) -> None:
        self._link = link
        self._local = local
        self._prefix = f"{link.prefix}:topic:"
        self._me = secrets.token_bytes(MARK)
        self._listeners: Counter[str] = Counter()
        self._told: set[str] = set()  # topics the line was told to listen to
        self._missed: set[str] = set()  # topics that nothing was heard of for a while
        self._line: PubSub | None = None
        self._tried = asyncio.Event()
        self._turn = asyncio.Lock()
        self._numbers = count(1)
        self._pongs: dict[bytes, asyncio.Future[None]] = {}
        self._listening: asyncio.Task[None] | None = None

    async def publish(self, topic: str, data: bytes) -> None:
        await self._local.publish(topic, data)
        with suppress(RedisAway):  # a hint: the others look into the store now and then
            await self._link.call(PUBLISH, [self._prefix + topic], self._me + data)

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Listening has begun when this is entered, unless Redis does not answer."""
        self._listeners[topic] += 1
        try:
            async with self._local.subscribe(topic) as hints:
                await self._begun(topic)
                yield hints
        finally:
            self._listeners[topic] -= 1
            if not self._listeners[topic]:
                del self._listeners[topic]
                await self._tell(topic)

    async def close(self) -> None:
        if self._listening:
            await ended([self._listening])
        await self._hang_up()

    # ── What Redis is told ──────────────────────────────────────────────────────────────────────

    async def _begun(self, topic: str) -> None:
        """Whatever was said before a pong has been done before it."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen(), name="redis listen")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._link.timeout):
                await self._tried.wait()
                await self._tell(topic)
                await self._pong()

    async def _pong(self) -> None:
        number = str(next(self._numbers)).encode()
        pong = self._pongs[number] = asyncio.get_running_loop().create_future()
        try:
            async with self._turn:
                if self._line is None:
                    return
                with suppress(*TROUBLE):
                    await self._line.ping(number)
            await pong
        finally:
            del self._pongs[number]

    async def _tell(self, topic: str) -> None:
        """Subscribe or unsubscribe, whichever is right by now; trouble is for the listening loop to find."""
        async with self._turn:
            if self._line is None:
                return  # a new line is told all topics
            with suppress(*TROUBLE):
                if topic in self._listeners and topic not in self._told:
                    self._told.add(topic)
                    await self._line.subscribe(self._prefix + topic)
                elif topic not in self._listeners and topic in self._told:
                    self._told.discard(topic)
                    await self._line.unsubscribe(self._prefix + topic)

    # ── What Redis says ─────────────────────────────────────────────────────────────────────────

    async def _listen(self) -> None:
        while True:
            with suppress(*TROUBLE):
                await self._pick_up()
                self._tried.set()
                await self._forward()
            await self._hang_up()
            self._tried.set()
            await asyncio.sleep(BREATH)
            await self._link.here()

    async def _pick_up(self) -> None:
        async with self._turn:
            self._line = await self._link.pubsub()
            self._told = set(self._listeners)
            await self._line.subscribe(*(self._prefix + topic for topic in {GREETING, *self._told}))

    async def _hang_up(self) -> None:
        async with self._turn:
            line, self._line = self._line, None
            self._told.clear()
            for pong in self._pongs.values():
                if not pong.done():
                    pong.set_result(None)
            if line:
                self._missed = set(self._listeners)
                with suppress(*TROUBLE):
                    await line.aclose()  # type: ignore[no-untyped-call]

    async def _forward(self) -> None:
        """Until the line breaks, or stays silent although it was asked."""
        assert self._line
        asked = False
        while True:
            said = await self._line.get_message(timeout=self._link.timeout if asked else QUIET)
            if said:
                asked = False
                await self._pass_on(said)
            elif asked:
                return
            else:
                asked = True
                await self._line.ping()

    async def _pass_on(self, said: dict[str, Any]) -> None:
        topic = (said["channel"] or b"").decode().removeprefix(self._prefix)
        if said["type"] == "message":
            origin, data = said["data"][:MARK], said["data"][MARK:]
            if origin != self._me:
                await self._local.publish(topic, data)
        elif said["type"] == "subscribe" and topic in self._missed:
            self._missed.discard(topic)
            await self._local.publish(topic, ANYTHING)
        elif said["type"] == "pong" and (pong := self._pongs.get(said["data"])) and not pong.done():
            pong.set_result(None)
