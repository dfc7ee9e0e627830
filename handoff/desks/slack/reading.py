"""What the desk reads from the store: whose thread it is, whose cases these are, what a card shows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from bot.domain.actions import ActionDone
from bot.domain.cases import Agent, Case, CaseState
from bot.domain.customers import Customer
from bot.domain.desks import Card, DeskEvent
from bot.domain.messages import AuthorKind, Direction, EventState, Message
from bot.domain.outbox import Posted, posted_id, thread_id
from bot.domain.ports import Query, Store
from handoff.desks.slack.api import permalink
from handoff.desks.slack.blocks import place
from handoff.desks.slack.home import SHOWN, Row
from handoff.desks.slack.look import DESK, Look

PREVIOUS = 3  # earlier cases on a card
LATEST = 50  # lines in which the last words are looked for
LISTED = SHOWN + 80
MINE = (CaseState.CLAIMED, CaseState.SNOOZED)


class Reading:
    """Raises `StoreUnavailable`."""

    def __init__(self, store: Store, look: Callable[[], Look]) -> None:
        self._store = store
        self._look = look

    async def case(self, id: str) -> Case | None:
        return await self._store.get(Case, id) if id else None

    async def numbered(self, number: int) -> Case | None:
        found = await self._store.find(Query(kind=Case, equals={"number": number}, limit=1))
        return found[0] if found else None

    async def case_of_thread(self, receipt: str) -> str:
        """The case of a card, also of one that was left; empty when the thread is none of ours."""
        known = await self._store.get(Posted, thread_id(DESK, receipt))
        return known.case if known else ""

    async def card_receipt(self, case: str) -> str:
        known = await self._store.get(Posted, posted_id(DESK, case))
        return known.receipt if known else ""

    async def message_of(self, action: str) -> str:
        """The message that an action made."""
        done = await self._store.get(ActionDone, action)
        return done.message if done else ""

    async def to_come(self, lane: str) -> list[DeskEvent]:
        """What was heard of in a lane and is not done yet, the earliest first."""
        equals = {"lane": lane, "state": EventState.PENDING}
        found = await self._store.find(Query(kind=DeskEvent, equals=equals, order="seq", limit=LATEST))
        return sorted(found, key=lambda event: event.happened_at)

    async def message(self, id: str) -> Message | None:
        return await self._store.get(Message, id)

    async def open_threads(self, limit: int) -> list[tuple[Case, str]]:
        """Cases that people have, with their cards, the latest first."""
        states = (CaseState.WAITING, *MINE)
        query = Query(kind=Case, equals={"state": states}, order="-updated_at", limit=limit)
        found = [(case, await self.card_receipt(case.id)) for case in await self._store.find(query)]
        return [(case, receipt) for case, receipt in found if receipt]

    # ── Lists ───────────────────────────────────────────────────────────────────────────────────

    async def mine(self, user: str) -> list[Row]:
        query = Query(kind=Case, equals={"owner_id": user, "state": MINE}, limit=LISTED)
        found = await self._store.find(query)
        return await self._rows(sorted(found, key=lambda case: case.turn))

    async def waiting(self) -> list[Row]:
        query = Query(kind=Case, equals={"state": CaseState.WAITING}, order="turn", limit=LISTED)
        return await self._rows(await self._store.find(query))

    async def _rows(self, cases: Sequence[Case]) -> list[Row]:
        shown, rest = cases[:SHOWN], cases[SHOWN:]
        rows = await asyncio.gather(*map(self._row, shown))
        return [*rows, *(Row(case=case) for case in rest)]

    async def _row(self, case: Case) -> Row:
        words, link = await asyncio.gather(self._last(case, Direction.IN), self.link(case))
        return Row(case=case, words=words, link=link)

    async def link(self, case: Case) -> str:
        receipt = await self.card_receipt(case.id)
        return permalink(self._look().workspace, *place(receipt)) if receipt else ""

    # ── One case ────────────────────────────────────────────────────────────────────────────────

    async def card(self, case: Case) -> Card:
        lines = tuple(reversed(await self._lines(case)))
        customer = await self._store.get(Customer, case.customer)
        query = Query(kind=Case, equals={"customer": case.customer}, order="-opened_at", limit=PREVIOUS + 1)
        previous = [one for one in await self._store.find(query) if one.id != case.id]
        return Card(case=case, transcript=lines, customer=customer, previous=tuple(previous[:PREVIOUS]))

    async def last_reply(self, case: Case, agent: Agent) -> Message | None:
        for line in await self._lines(case):
            said = line.direction is Direction.OUT and not line.deleted_at
            if said and line.author.kind is AuthorKind.AGENT and line.author.id == agent.id:
                return line
        return None

    async def _last(self, case: Case, direction: Direction) -> str:
        lines = await self._lines(case)
        return next((line.text for line in lines if line.direction is direction and line.text), "")

    async def last_words(self, case: Case) -> str:
        return await self._last(case, Direction.IN)

    async def _lines(self, case: Case) -> list[Message]:
        query = Query(kind=Message, equals={"case": case.id}, order="-seq", limit=LATEST)
        return await self._store.find(query)
