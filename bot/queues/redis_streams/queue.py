"""Who works on what next, in every process that shares a Redis."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from bot.domain.ports import Finding, Held, Work
from bot.queues.redis_streams.checking import checked
from bot.queues.redis_streams.link import Link, RedisAway, ended, script

TTL = timedelta(seconds=30)
GROUP = "workers"
NAMES = ("urgent", "normal", "places", "again", "later", "hurry", "clock")
FORGOTTEN = 3_600_000  # milliseconds after which a consumer that was never heard of again is forgotten
BREATH = 0.2  # seconds after a read that failed
SPARED = 0.02  # seconds that a key nobody asked for waits for somebody who does

WAKE, TAKE, KEEP, DONE, HAND_BACK, TICK, RESTORE = (
    script("common", name) for name in ("wake", "take", "keep", "done", "hand_back", "tick", "restore")
)


class RedisQueue:
    """Keys that have work; a lease not extended within `ttl` is handed out again.

    While Redis is away a wake is lost (the sweeper finds what it was for), a lease stays its holder's, and `take`
    waits. An empty Redis hands out nothing for a tenth of `ttl`: until then whoever holds a key has said so again.
    `close` hands back what is still held; the link is closed by whoever made it.
    """

    def __init__(self, link: Link, *, ttl: timedelta = TTL) -> None:
        self._link = link
        me = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._shelves = {work: _Shelf(link, work, ttl.total_seconds(), me) for work in Work}
        self._closed = False

    async def wake(
        self, work: Work, key: str, *, urgent: bool = False, delay: timedelta = timedelta()
    ) -> None:
        if not self._closed:
            with suppress(RedisAway):  # a hint: the store knows, and the sweeper looks there
                await self._shelves[work].wake(key, urgent, max(delay.total_seconds(), 0.0))

    async def take(self, work: Work) -> Held:
        if self._closed:
            raise asyncio.CancelledError
        return await self._shelves[work].take()

    async def extend(self, held: Held) -> bool:
        return await self._shelves[held.work].extend(held)

    async def done(self, held: Held) -> None:
        await self._shelves[held.work].done(held)

    async def check(self) -> list[Finding]:
        return await checked(self._link)

    async def close(self) -> None:
        self._closed = True
        await asyncio.gather(*(shelf.close() for shelf in self._shelves.values()))


class _Shelf:
    """All keys of one kind of work, as one process sees them."""

    def __init__(self, link: Link, work: Work, ttl: float, me: str) -> None:
        self._link = link
        self._work = work
        self._keys = tuple(f"{{{link.prefix}:{work}}}:{name}" for name in NAMES)
        self._ttl = ttl
        self._every = ttl / 30
        self._settle = ttl / 10
        self._me = me
        self._held: dict[str, str] = {}  # token to key
        self._takers: deque[asyncio.Future[Held]] = deque()
        self._spare: deque[Held] = deque()
        self._asked = asyncio.Event()
        self._unsure = True  # something delivered to us may have got lost on the way
        self._confirmed = b""
        self._tick_at = 0.0
        self._sooner = asyncio.Event()
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._closed = False

    async def wake(self, key: str, urgent: bool, seconds: float) -> None:  # noqa: FBT001 - passed on
        if seconds:
            self._look_within(seconds)
        await self._call(WAKE, key, int(urgent), round(seconds * 1000))

    async def take(self) -> Held:
        if self._spare:
            return self._spare.popleft()
        taker: asyncio.Future[Held] = asyncio.get_running_loop().create_future()
        self._takers.append(taker)
        self._asked.set()
        self._run("feed", self._feed)
        self._look_within(self._every)
        try:
            return await taker
        except asyncio.CancelledError:
            if taker.done() and not taker.cancelled():
                self._hand_out(taker.result())
            raise

    async def extend(self, held: Held) -> bool:
        """While Redis is away nobody else can take it."""
        try:
            return bool(await self._call(KEEP, held.key, held.token))
        except RedisAway:
            return True

    async def done(self, held: Held) -> None:
        self._held.pop(held.token, None)
        try:
            await self._call(DONE, held.key, held.token)
        except RedisAway:
            self._unsure = True
            self._asked.set()

    async def close(self) -> None:
        self._closed = True
        await ended([*self._loops.values(), *self._errands])
        for taker in self._takers:
            taker.cancel()
        self._held.clear()
        if self._loops:
            with suppress(RedisAway):
                await self._restore()

    # ── Handing out ─────────────────────────────────────────────────────────────────────────────

    async def _feed(self) -> None:
        """Fetch as many keys as there are takers: one read at a time, so that what is lost can be told."""
        while True:
            await self._asked.wait()
            try:
                if self._unsure:
                    await self._restore()
                wanted = sum(not taker.done() for taker in self._takers)
                if not wanted:
                    self._asked.clear()
                    continue
                for held in await self._read(wanted):
                    self._hand_out(held)
            except RedisAway:
                self._unsure = True
                await asyncio.sleep(BREATH)
                await self._link.here()

    async def _read(self, wanted: int) -> list[Held]:
        """What is ready now, urgent ones first; else what comes next."""
        ready: Sequence[bytes] = await self._call(TAKE, wanted)
        if not ready:
            streams = await self._link.read_group(GROUP, self._me, wanted, self._keys[:2])
            ready = [
                part for _, entries in streams for id, fields in entries for part in (id, fields[b"key"])
            ]
        return [self._holding(id, key) for id, key in zip(ready[::2], ready[1::2], strict=True)]

    def _holding(self, id: bytes, key: bytes) -> Held:
        held = Held(work=self._work, key=key.decode(), token=id.partition(b"-")[0].decode())
        self._held[held.token] = held.key
        return held

    def _hand_out(self, held: Held) -> None:
        """To whoever waits, or asks in a moment; else back, for the other processes."""
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(held)
                return
        self._spare.append(held)
        asyncio.get_running_loop().call_later(SPARED, self._spared, held)

    def _spared(self, held: Held) -> None:
        if held in self._spare and not self._closed:
            self._spare.remove(held)
            errand = asyncio.create_task(self._hand_back(held))
            self._errands.add(errand)
            errand.add_done_callback(self._errands.discard)

    async def _hand_back(self, held: Held) -> None:
        self._held.pop(held.token, None)
        try:
            await self._call(HAND_BACK, held.key, held.token)
        except RedisAway:
            self._unsure = True
            self._asked.set()

    async def _restore(self) -> None:
        await self._call(RESTORE, FORGOTTEN, *self._held)
        self._unsure = False

    # ── Time ────────────────────────────────────────────────────────────────────────────────────

    async def _watch(self) -> None:
        """Delayed wakes that are due, leases that ran out, and whether Redis has to hear again what we hold."""
        clock = asyncio.get_running_loop().time
        while True:
            try:
                confirm, upcoming = await self._call(TICK, round(self._ttl * 1000))
                if confirm != self._confirmed:
                    self._confirmed = confirm
                    await self._call(
                        KEEP, *(part for token, key in self._held.items() for part in (key, token))
                    )
            except RedisAway:
                await self._link.here()
                continue
            self._tick_at = clock() + (min(upcoming / 1000, self._every) if upcoming >= 0 else self._every)
            await self._until_tick()

    async def _until_tick(self) -> None:
        clock = asyncio.get_running_loop().time
        while (left := self._tick_at - clock()) > 0:
            self._sooner.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._sooner.wait()

    def _look_within(self, seconds: float) -> None:
        at = asyncio.get_running_loop().time() + seconds
        if at < self._tick_at:
            self._tick_at = at
            self._sooner.set()
        self._run("watch", self._watch)

    def _run(self, loop: str, step: Any) -> None:
        if loop not in self._loops:
            self._loops[loop] = asyncio.create_task(step(), name=f"redis {loop} {self._work}")

    async def _call(self, script: Any, *args: str | int) -> Any:
        return await self._link.call(script, self._keys, round(self._settle * 1000), self._me, *args)
