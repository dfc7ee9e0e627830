"""A whole Switchboard in one test: a real store and queue, a clock and ids by hand, a channel that can fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.domain.actions import Act, AgentAction
from bot.domain.cases import Case
from bot.domain.journal import Did, Entry
from bot.domain.messages import Event, Fetch, Inbound, Message
from bot.domain.outbox import OutboxRow
from bot.domain.ports import Desk, Later, NewId, Pace, Query, Store
from bot.domain.turns import Policy
from bot.domain.understanding import Understanding
from bot.queues.memory import MemoryBroadcast, MemoryPace, MemoryQueue
from bot.services.alarms import Alarms
from bot.services.answering import Answering
from bot.services.attending import Attending
from bot.services.fetching import Fetching
from bot.services.following import Following
from bot.services.ledger import Ledger
from bot.services.posts import Posts
from bot.services.receiving import Receiving
from bot.services.reporting import Reporting
from bot.services.sending import Sending
from bot.stores.files import LocalFiles
from bot.stores.sqlite import SqliteStore
from bot.worker import Worker
from handoff.policy import HandoffRules
from handoff.takeover import Takeover
from tests.builders import ADA, NOON, Ticking, numbered_ids, order_number, policy, rules, understanding
from tests.fakes.channel import FakeChannel
from tests.fakes.desk import FakeDesk
from tests.fakes.engine import FakeEngine, FakeLookups
from tests.queries import watched

KNOWN = {
    "Hi": understanding("greeting", 0.95),
    "When are you open?": understanding("hours"),
    "Can I return it?": understanding("returns"),
    "Where is my parcel 4711?": understanding("parcel", entities=(order_number("4711"),)),
    "Where is my parcel?": understanding("parcel"),
    "4711": understanding("", 0.0, entities=(order_number("4711"),)),
    "A person please": understanding("person", wants_person=True),
    "Thanks!": understanding("thanks"),
    "Hmm": understanding("hours", 0.2),
}


class World:
    def __init__(
        self,
        store: Store,
        channel: FakeChannel,
        policy_: Policy,
        rules_: HandoffRules,
        new_id: NewId,
        folder: Path,
    ) -> None:
        self.clock, self.new_id = Ticking(NOON), new_id
        self.store, self.channel, self.engine = store, channel, FakeEngine(KNOWN)
        self.policy, self.rules, self.desk = policy_, rules_, FakeDesk()
        self.lookups = FakeLookups({"4711": {"status": "shipped"}})
        self.queue, self.broadcast = MemoryQueue(), MemoryBroadcast()
        self.pace: Pace = MemoryPace()
        self.desks: dict[str, Desk] = {"console": self.desk}
        self.alarms = Alarms(store, self.clock)
        follow = Following(store, lambda: self.rules.copies, self.clock, self.new_id)
        self.commit = Ledger(store, self.queue, self.broadcast, self.clock, follow)
        self.reporting = Reporting(store, self.clock, ["test"])
        self.connectors = {("test", "shop"): channel}
        self.takeover = Takeover(
            store,
            self.commit,
            lambda: self.rules,
            lambda: self.policy.book,
            self.reporting.usual,
            self.clock,
            self.new_id,
            lambda _: channel.capabilities,
        )
        self.receiving = Receiving(store, self.commit, self.clock, self.new_id, b"secret")
        self.answering = self.make_answering()
        self.sending = self.make_sending()
        self.files = LocalFiles(folder / "files")
        self.fetching = Fetching(
            store=store,
            commit=self.commit,
            connectors=self.connectors,
            files=self.files,
            clock=self.clock,
            chance=lambda: 1.0,
        )

        self.attending = Attending(store=store, desks=self.desks, takeover=self.takeover, clock=self.clock)

    def make_answering(self) -> Answering:
        return Answering(
            store=self.store,
            commit=self.commit,
            understander=lambda: self.engine,
            policy=lambda: self.policy,
            lookups=self.lookups,
            rules=lambda: self.rules,
            connectors=self.connectors,
            usual=self.reporting.usual,
            clock=self.clock,
            new_id=self.new_id,
            patience=timedelta(),
        )

    def make_sending(self) -> Sending:
        return Sending(
            store=self.store,
            commit=self.commit,
            connectors=self.connectors,
            posts=Posts(self.store, self.desks, lambda _: self.channel.capabilities, self.clock, self.new_id),
            alarms=self.alarms,
            takeover=self.takeover,
            pace=self.pace,
            clock=self.clock,
            new_id=self.new_id,
            stale=timedelta(hours=6),
            chance=lambda: 1.0,
        )

    def make_worker(self) -> Worker:
        return Worker(
            store=self.store,
            queue=self.queue,
            answering=self.answering,
            sending=self.sending,
            fetching=self.fetching,
            attending=self.attending,
            takeover=self.takeover,
            clock=self.clock,
        )

    # ── What happens ────────────────────────────────────────────────────────────────────────────

    async def receive(self, *events: Inbound) -> list[str]:
        return await self.receiving.receive(events)

    async def answer(self) -> None:
        """Work on every lane until nothing is left to do."""
        for lane in sorted({event.lane for event in await self.events("pending")}):
            await self.answering.work(lane)

    async def send(self) -> Later | None:
        """Work on every order key once."""
        rows = await self.rows()
        later = [await self.sending.work(key) for key in dict.fromkeys(row.order_key for row in rows)]
        return next((one for one in later if one), None)

    async def fetch(self) -> None:
        """Work on every message whose files are away, once."""
        for fetch in await self.store.find(Query(kind=Fetch, limit=1000)):
            await self.fetching.work(fetch.id)

    async def hear(self, *events: Inbound) -> None:
        await self.receive(*events)
        await self.answer()
        await self.send()

    async def act(self, action: Act, **changes: Any) -> Case:
        known: dict[str, Any] = {"id": self.new_id(), "agent": ADA, "at": self.clock()}
        case = changes.pop("case", None) or (await self.case()).id
        return await self.takeover.act(AgentAction(**{**known, "case": case, "action": action, **changes}))

    # ── What is there ───────────────────────────────────────────────────────────────────────────

    async def events(self, state: str) -> list[Any]:
        return await self.store.find(Query(kind=Event, equals={"state": state}, limit=1000))

    async def cases(self) -> list[Case]:
        return await self.store.find(Query(kind=Case, order="number", limit=1000))

    async def case(self) -> Case:
        (case,) = await self.cases()
        return case

    async def rows(self) -> list[OutboxRow]:
        rows = await self.store.find(Query(kind=OutboxRow, limit=1000))
        return sorted(rows, key=lambda row: row.id)

    async def transcript(self) -> list[Message]:
        return await self.reporting.transcript((await self.case()).id)

    async def did(self, kind: Did) -> list[Entry]:
        return await self.store.find(Query(kind=Entry, equals={"kind": kind}, limit=1000))

    def knows(self, text: str, understood: Understanding) -> None:
        self.engine.known[text] = understood


@asynccontextmanager
async def world(
    folder: Path,
    *,
    channel: FakeChannel | None = None,
    policy_: Policy | None = None,
    rules_: HandoffRules | None = None,
    ids: NewId | None = None,
    store: Store | None = None,
) -> AsyncIterator[World]:
    store = store or SqliteStore(folder / "test.db")
    unlisted = watched(store)
    made = World(
        store, channel or FakeChannel(), policy_ or policy(), rules_ or rules(), ids or numbered_ids(), folder
    )
    try:
        yield made
    finally:
        await made.queue.close()
        await store.close()
    assert not unlisted, f"not in tests/queries.py: {unlisted}"


async def until(condition: Any, seconds: float = 5.0) -> None:
    """Wait for something real to happen; a bound, not a pause."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  the condition is a read of the store
            await asyncio.sleep(0.005)
