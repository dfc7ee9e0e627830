"""Queue, broadcast and pace inside one process: what a single server needs, lost with it and missed by nobody.

The store is the truth, so a restart starts empty and the sweeper wakes what has work.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from itertools import count

from bot.domain.ports import Held, Rate, Work

TTL = timedelta(seconds=30)
HINTS_KEPT = 256  # per subscriber
REMEMBERED = 10_000  # rates, until those that have passed are forgotten
LONGEST_BURST = 3600.0  # seconds that a rate may look back


class MemoryQueue:
    """Keys that have work; a lease not extended within `ttl` is handed out again.

    A key waits for one delayed wake at a time, the earliest; `close` cancels those who wait in `take`.
    """

    def __init__(self, *, ttl: timedelta = TTL) -> None:
        self._shelves = {work: _Shelf(work, ttl.total_seconds()) for work in Work}
        self._closed = False

    async def wake(
        self, work: Work, key: str, *, urgent: bool = False, delay: timedelta = timedelta()
    ) -> None:
        if self._closed:
            return
        if delay > timedelta():
            self._shelves[work].wake_later(key, urgent, delay.total_seconds())
        else:
            self._shelves[work].wake(key, urgent)

    async def take(self, work: Work) -> Held:
        if self._closed:
            raise asyncio.CancelledError
        return await self._shelves[work].take()

    async def extend(self, held: Held) -> bool:
        return self._shelves[held.work].extend(held)

    async def done(self, held: Held) -> None:
        self._shelves[held.work].done(held)

    async def close(self) -> None:
        self._closed = True
        for shelf in self._shelves.values():
            shelf.close()


class _Lease:
    """Who has a key, until when, and whether it was woken meanwhile (None: no; else: urgently?)."""

    __slots__ = ("again", "expiry", "token", "urgent")

    def __init__(self, token: str, expiry: asyncio.TimerHandle, *, urgent: bool) -> None:
        self.token = token
        self.expiry = expiry
        self.urgent = urgent
        self.again: bool | None = None


class _Shelf:
    """All keys of one kind of work. A key is in one place: ready, or held."""

    def __init__(self, work: Work, ttl: float) -> None:
        self._work = work
        self._ttl = ttl
        self._tokens = count(1)
        self._urgent: dict[str, None] = {}  # dicts: in order, and each key once
        self._normal: dict[str, None] = {}
        self._held: dict[str, _Lease] = {}
        self._later: dict[str, tuple[asyncio.TimerHandle, bool]] = {}
        self._waiting: deque[asyncio.Future[None]] = deque()

    def wake(self, key: str, urgent: bool) -> None:  # noqa: FBT001 - passed on from a named argument
        if lease := self._held.get(key):
            lease.again = bool(lease.again) or urgent
        elif urgent:
            self._normal.pop(key, None)
            self._urgent[key] = None
            self._call_one()
        elif key not in self._urgent:
            self._normal[key] = None
            self._call_one()

    def wake_later(self, key: str, urgent: bool, seconds: float) -> None:  # noqa: FBT001 - as above
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if known := self._later.get(key):
            timer, was_urgent = known
            timer.cancel()
            at, urgent = min(at, timer.when()), urgent or was_urgent
        self._later[key] = loop.call_at(at, self._due, key), urgent

    async def take(self) -> Held:
        while not (self._urgent or self._normal):
            await self._called()
        return self._hold()

    def extend(self, held: Held) -> bool:
        lease = self._lease(held)
        if lease is None:
            return False
        lease.expiry.cancel()
        lease.expiry = self._expiry(held)
        return True

    def done(self, held: Held) -> None:
        if lease := self._lease(held):
            self._release(held.key, lease)
            if lease.again is not None:
                self.wake(held.key, lease.again)

    def close(self) -> None:
        for timer, _ in self._later.values():
            timer.cancel()
        for lease in self._held.values():
            lease.expiry.cancel()
        for waiter in self._waiting:
            waiter.cancel()
        self._waiting.clear()

    def _hold(self) -> Held:
        urgent = bool(self._urgent)
        shelf = self._urgent if urgent else self._normal
        key = next(iter(shelf))
        del shelf[key]
        held = Held(work=self._work, key=key, token=str(next(self._tokens)))
        self._held[key] = _Lease(held.token, self._expiry(held), urgent=urgent)
        return held

    def _expiry(self, held: Held) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._ttl, self._expired, held)

    def _expired(self, held: Held) -> None:
        if lease := self._lease(held):
            self._release(held.key, lease)
            self.wake(held.key, lease.urgent or bool(lease.again))

    def _release(self, key: str, lease: _Lease) -> None:
        lease.expiry.cancel()
        del self._held[key]

    def _lease(self, held: Held) -> _Lease | None:
        """The lease, as long as it is this holder's."""
        lease = self._held.get(held.key)
        return lease if lease and lease.token == held.token else None

    def _due(self, key: str) -> None:
        _, urgent = self._later.pop(key)
        self.wake(key, urgent)

    async def _called(self) -> None:
        """Wait to be called; whoever is cancelled just then passes the call on, so that no key is left lying."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif waiter.done() and not waiter.cancelled():
                self._call_one()
            raise

    def _call_one(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


class MemoryBroadcast:
    """Hints for whoever listens now; one who is slow loses the oldest, and reads the store anyway."""

    def __init__(self, *, kept: int = HINTS_KEPT) -> None:
        self._kept = kept
        self._topics: dict[str, set[_Subscriber]] = {}

    async def publish(self, topic: str, data: bytes) -> None:
        for subscriber in self._topics.get(topic, ()):
            subscriber.put(data)

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[AsyncIterator[bytes]]:
        with self._listening(topic) as subscriber:
            yield subscriber

    @contextmanager
    def _listening(self, topic: str) -> Iterator[_Subscriber]:
        subscriber = _Subscriber(self._kept)
        listeners = self._topics.setdefault(topic, set())
        listeners.add(subscriber)
        try:
            yield subscriber
        finally:
            listeners.discard(subscriber)
            if not listeners and self._topics.get(topic) is listeners:
                del self._topics[topic]


class _Subscriber:
    """An endless iterator over the hints that fit its buffer."""

    def __init__(self, kept: int) -> None:
        self._hints: deque[bytes] = deque(maxlen=kept)
        self._some = asyncio.Event()

    def put(self, data: bytes) -> None:
        self._hints.append(data)
        self._some.set()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._hints:
            self._some.clear()
            await self._some.wait()
        return self._hints.popleft()


class MemoryPace:
    """When each rate is free again, by this process' clock (seconds)."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._free_at: dict[str, float] = {}
        self._most = REMEMBERED

    async def expected(self, rates: Sequence[Rate]) -> float:
        now = self._now()
        return max([0.0, *(self._due(rate, now) - now for rate in rates)])

    async def reserve(self, rates: Sequence[Rate]) -> float:
        now = self._now()
        wait = 0.0
        for rate in rates:
            due = self._due(rate, now)
            self._free_at[rate.key] = due + 1 / rate.per_second
            wait = max(wait, due - now)
        if len(self._free_at) > self._most:
            self._forget(now)
        return wait

    def _due(self, rate: Rate, now: float) -> float:
        return max(self._free_at.get(rate.key, 0.0), now - (rate.burst - 1) / rate.per_second)

    def _forget(self, now: float) -> None:
        """A key whose time has passed long ago says nothing any more: chats come and go for years."""
        self._free_at = {key: at for key, at in self._free_at.items() if at > now - LONGEST_BURST}
        self._most = max(REMEMBERED, 2 * len(self._free_at))
