"""The loops of a worker: answering, sending, timers and the sweeper; they stop gracefully."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from msgspec.structs import replace

from bot import metrics
from bot.domain.accounts import Session
from bot.domain.cases import Case
from bot.domain.desks import DeskEvent
from bot.domain.errors import StoreUnavailable
from bot.domain.messages import Event, EventState, Fetch, MessageState
from bot.domain.outbox import WAITING, OutboxRow
from bot.domain.ports import Changes, Clock, Delete, Held, Later, Query, Queue, Store, Update, Work
from bot.services.answering import Answering
from bot.services.attending import Attending
from bot.services.fetching import Fetching
from bot.services.sending import Sending
from handoff.takeover import Takeover

log = structlog.get_logger()

SWEEP_EVERY = 2.0  # seconds
SWEPT_AFTER = timedelta(seconds=3)  # a wake-up is lost when its work is older than this
TICK_EVERY = 1.0
EXTEND_EVERY = 10.0
GRACE = 10.0  # seconds to finish what is in hand
SWEEP = 500  # keys woken at once
LONG_AGO = datetime.min.replace(tzinfo=UTC)
END_OF_TIME = datetime.max.replace(tzinfo=UTC)
AFTER_TROUBLE = timedelta(seconds=2)
NOT_BY_TWO = {Work.POLL, Work.SEND}  # what a version cannot mend: it is said to somebody outside


Handle = Callable[[str], Awaitable[Later | None]]
Step = Callable[[], Awaitable[object]]
Poll = Callable[[], Awaitable[None]]


class Worker:
    """Any number of workers may run: lanes are leased, and every change is a compare-and-set."""

    def __init__(
        self,
        *,
        store: Store,
        queue: Queue,
        answering: Answering,
        sending: Sending,
        fetching: Fetching,
        attending: Attending,
        takeover: Takeover,
        clock: Clock,
        polls: Mapping[str, Poll] | None = None,  # by account: what goes on until it is cancelled
        lanes: int = 32,
        sends: int = 128,
        desks: int = 16,
        fetches: int = 4,  # a file is held in memory while it is copied
    ) -> None:
        self._store = store
        self._queue = queue
        self._takeover = takeover
        self._clock = clock
        self._polls = polls or {}
        self._work: tuple[tuple[Work, Handle, int], ...] = (
            (Work.LANE, answering.work, lanes),
            (Work.SEND, sending.work, sends),
            (Work.FETCH, fetching.work, fetches),
            (Work.DESK, attending.work, desks),
            (Work.POLL, self._poll, max(len(self._polls), 1)),
        )
        self._loops: list[asyncio.Task[None]] = []
        self._hands: dict[asyncio.Task[None], Work] = {}
        self._behind: dict[tuple[type[Any], str], datetime] = {}  # where a sweep goes on

    async def start(self) -> None:
        await _tried(self.sweep)  # what an earlier process left behind, even if the clock was set back since
        self._loops = [
            *(asyncio.create_task(self._consume(*work), name=f"take {work[0]}") for work in self._work),
            asyncio.create_task(_every(SWEEP_EVERY, lambda: self.sweep(SWEPT_AFTER)), name="sweep"),
            asyncio.create_task(_every(TICK_EVERY, self.tick), name="tick"),
        ]

    async def stop(self) -> None:
        """Take nothing new, finish what is in hand (at most ten seconds), hand back what never ends."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        for hand, work in self._hands.items():
            if work is Work.POLL:
                hand.cancel()
        if self._hands:
            _, late = await asyncio.wait(self._hands, timeout=GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # ── Taking work ─────────────────────────────────────────────────────────────────────────────

    async def _consume(self, work: Work, handle: Handle, most: int) -> None:
        free = asyncio.Semaphore(most)
        while True:
            await free.acquire()
            try:
                held = await self._queue.take(work)
            except asyncio.CancelledError:
                raise
            except Exception:
                log.exception("queue.take", work=work)
                free.release()
                await asyncio.sleep(1)
                continue
            task = asyncio.create_task(self._handle(held, handle))
            self._hands[task] = work
            task.add_done_callback(self._hands.pop)
            task.add_done_callback(lambda _: free.release())

    async def _handle(self, held: Held, handle: Handle) -> None:
        keeper = asyncio.create_task(self._keep(held, asyncio.current_task()))
        later: Later | None = Later(delay=AFTER_TROUBLE)  # whatever breaks below is tried again
        try:
            later = await handle(held.key)
        except asyncio.CancelledError:
            later = Later(delay=timedelta())  # somebody else goes on with it
            raise
        except StoreUnavailable as exc:
            log.warning("store.unavailable", work=held.work, why=str(exc))
        except Exception:
            log.exception("work.broke", work=held.work)
        finally:
            keeper.cancel()
            await self._give_back(held, later)

    async def _give_back(self, held: Held, later: Later | None) -> None:
        with suppress(Exception):  # the sweeper wakes what is not handed back properly
            await self._queue.done(held)
            if later is not None:
                await self._queue.wake(held.work, held.key, delay=later.delay, urgent=later.urgent)

    async def _keep(self, held: Held, hand: asyncio.Task[Any] | None) -> None:
        """Extend the lease; what must not be done by two at once ends with it."""
        while await self._kept(held):
            pass
        log.warning("lease.lost", work=held.work)
        if held.work in NOT_BY_TWO and hand:
            hand.cancel()

    async def _kept(self, held: Held) -> bool:
        """While the queue is away nobody else can have got it."""
        await asyncio.sleep(EXTEND_EVERY)
        try:
            return await self._queue.extend(held)
        except Exception:
            log.warning("lease.unknown", work=held.work, exc_info=True)
            return True

    async def _poll(self, key: str) -> Later | None:
        if poll := self._polls.get(key):  # an account that only other workers have is none of ours
            log.info("poll.begun", account=key)
            await poll()
        return Later(delay=AFTER_TROUBLE) if poll else None

    # ── Time ────────────────────────────────────────────────────────────────────────────────────

    async def sweep(self, age: timedelta | None = None) -> None:
        """Wake whatever should have been worked on by now: losing every wake-up loses nothing."""
        for account in self._polls:
            await self._queue.wake(Work.POLL, account)
        before = END_OF_TIME if age is None else self._clock() - age
        for event in await self._swept(Event, "received_at", before, EventState.PENDING):
            await self._queue.wake(Work.LANE, event.lane)
        for state in (*WAITING, MessageState.SENDING):
            for row in await self._swept(OutboxRow, "not_before", before, state):
                await self._queue.wake(Work.SEND, row.order_key, urgent=row.urgent)
        for told in await self._swept(DeskEvent, "received_at", before, EventState.PENDING):
            await self._queue.wake(Work.DESK, told.lane)
        for fetch in await self._swept(Fetch, "not_before", before):
            await self._queue.wake(Work.FETCH, fetch.id)
        await self._measure()

    async def _swept(self, kind: type[Any], field: str, before: datetime, state: str = "") -> list[Any]:
        """The oldest, and next time those behind them: what cannot be done yet hides nothing that was forgotten."""
        equals, behind = {"state": state} if state else {}, self._behind.pop((kind, state), LONG_AGO)
        between: Any = {"until": {field: before}, "after": {field: behind}}
        found = await self._store.find(Query(kind=kind, equals=equals, **between, order=field, limit=SWEEP))
        if len(found) == SWEEP:
            self._behind[kind, state] = getattr(found[-1], field)
        return found

    async def _measure(self) -> None:
        query = Query(kind=Event, equals={"state": EventState.PENDING}, order="received_at", limit=1)
        oldest = await self._store.find(query)
        age = (self._clock() - oldest[0].received_at).total_seconds() if oldest else 0.0
        metrics.UNPROCESSED.set(age)
        unsent = Query(kind=OutboxRow, equals={"state": (*WAITING, MessageState.SENDING)})
        metrics.OUTBOX.set(await self._store.count(unsent))

    async def tick(self) -> None:
        """Leases, snoozes and promises that are due."""
        due = await self._store.find(Query(kind=Case, until={"due_at": self._clock()}, order="due_at"))
        for case in due:
            try:
                await self._takeover.tick(case)
            except StoreUnavailable:
                raise
            except Exception:
                log.exception("timer.broke", case=case.id)
                await self._put_off(case)
        await self._forget_sessions()

    async def _put_off(self, case: Case) -> None:
        """A case whose timer breaks must not hold up the others."""
        later = replace(case, due_at=self._clock() + timedelta(minutes=5))
        await self._store.apply(Changes(writes=(Update(record=later),)))

    async def _forget_sessions(self) -> None:
        over = await self._store.find(Query(kind=Session, until={"expires_at": self._clock()}))
        if over:
            await self._store.apply(
                Changes(writes=tuple(Delete(kind=Session, id=session.id) for session in over))
            )


async def _every(seconds: float, step: Step) -> None:
    """Repeat until cancelled; trouble is recorded and does not end the loop."""
    while True:
        await asyncio.sleep(seconds)
        await _tried(step)


async def _tried(step: Step) -> None:
    try:
        await step()
    except StoreUnavailable as exc:
        log.warning("store.unavailable", work="timer", why=str(exc))
    except Exception:
        log.exception("timer.broke")
