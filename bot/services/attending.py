"""Attending: what agents said and did at a desk of their own, one after another, in the order of its clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import structlog
from msgspec import Raw
from msgspec.structs import replace

from bot import metrics
from bot.domain.actions import Act, ActionDone, AgentAction
from bot.domain.cases import Case
from bot.domain.desks import DeskEvent, Gone
from bot.domain.errors import NotAllowed, NotYet, SendDeferred, SendError, StoreUnavailable, TooLate, Unknown
from bot.domain.messages import Direction, EventState, Message
from bot.domain.ports import Changes, Clock, Desk, Hears, Later, Query, Store, Update
from handoff.policy import for_customer
from handoff.speech import STAYS_A_NOTE
from handoff.takeover import Takeover

log = structlog.get_logger()

AT_ONCE = 50  # events of a lane that are put in order
POISON = 8  # tries until an event is parked
BACKOFF = timedelta(seconds=1)
SLOWEST = timedelta(minutes=1)
LOST = "This could not be taken in: neither the customer nor your colleagues see it. Please write it again."


class Attending:
    """An event is done after its action was; doing it again changes nothing, since actions know their ids."""

    def __init__(self, *, store: Store, desks: Mapping[str, Desk], takeover: Takeover, clock: Clock) -> None:
        self._store = store
        self._desks = desks
        self._takeover = takeover
        self._clock = clock

    async def work(self, lane: str) -> Later | None:
        """Do what waits in a lane; says when to come back if something has to wait."""
        while True:
            equals = {"lane": lane, "state": EventState.PENDING}
            events = await self._store.find(Query(kind=DeskEvent, equals=equals, order="seq", limit=AT_ONCE))
            if not events:
                return None
            later = await self._one(min(events, key=lambda event: (event.happened_at, event.seq)))
            if later is not None:
                return later

    async def _one(self, event: DeskEvent) -> Later | None:
        if event.not_before and event.not_before > self._clock():
            return Later(delay=event.not_before - self._clock())
        desk: object = self._desks.get(event.desk)
        if not isinstance(desk, Hears):
            await self._done(event, EventState.PARKED, "The desk is not configured any more.")
            return None
        try:
            await self._attend(desk, event)
        except StoreUnavailable:
            raise
        except SendDeferred as error:
            return await self._again(desk, event, error.reason, error.retry_after)
        except NotYet as error:
            return await self._again(desk, event, str(error), None, str(error))
        except (NotAllowed, TooLate, Unknown) as error:
            await _tell(desk, event, str(error))
        except Exception as error:
            log.exception("desk_event.failed", id=event.id, desk=event.desk)
            return await self._again(desk, event, type(error).__name__, None)
        await self._done(event, EventState.DONE)
        return None

    async def _attend(self, desk: Hears, event: DeskEvent) -> None:
        meant = await desk.meant(event)
        if isinstance(meant, Gone):
            await self._takeover.give_back(
                meant.agent, "Its owner has left; the case waits for somebody again."
            )
        elif meant is not None:
            before = await self._takeover.case(meant.case)
            after = await self._takeover.act(meant)
            if meant.action is Act.SAY:
                await self._hint(desk, event, meant, before, after)
            elif meant.action is Act.EDIT and after.owner_id == meant.agent.id:
                await self._stays(desk, event, meant)

    async def _hint(
        self, desk: Hears, event: DeskEvent, said: AgentAction, before: Case, after: Case
    ) -> None:
        """Who thinks they answer the customer is told that they do not: once, the owner every time."""
        owned = after.owner_id == said.agent.id
        if not owned and (said.agent.id in before.hinted or said.agent.id not in after.hinted):
            return
        done = await self._store.get(ActionDone, said.id)
        note = await self._store.get(Message, done.message) if done else None
        if note and note.offered:
            sentence = self._takeover.speech.stayed(after, said.agent, self._clock())
            await _tell(desk, event, sentence, note.id)

    async def _stays(self, desk: Hears, event: DeskEvent, edited: AgentAction) -> None:
        """The owner took a note's prefix away, and may think that sends it."""
        note = await self._store.get(Message, edited.message)
        meant, _ = for_customer(edited.text)
        if note and meant and note.direction is Direction.NOTE and not note.offered:
            await _tell(desk, event, STAYS_A_NOTE)

    async def _again(
        self, desk: Hears, event: DeskEvent, why: str, retry_after: timedelta | None, lost: str = LOST
    ) -> Later | None:
        if event.attempts + 1 >= POISON:
            log.error("desk_event.parked", id=event.id, desk=event.desk)
            metrics.PARKED.labels(event.desk).inc()
            await _tell(desk, event, lost)
            await self._done(event, EventState.PARKED, why)
            return None
        delay = retry_after or min(SLOWEST, BACKOFF * 2**event.attempts)
        tried = replace(event, attempts=event.attempts + 1, not_before=self._clock() + delay, error=why)
        await self._store.apply(Changes(writes=(Update(record=tried),)))
        return Later(delay=delay)

    async def _done(self, event: DeskEvent, state: EventState, error: str = "") -> None:
        """Its words are in the transcript now; one that is parked keeps them for whoever looks."""
        payload = event.payload if state is EventState.PARKED else Raw(b"{}")
        over = replace(event, state=state, error=error, payload=payload)
        await self._store.apply(Changes(writes=(Update(record=over),)))


async def _tell(desk: Hears, event: DeskEvent, sentence: str, offered: str = "") -> None:
    """A courtesy: the event is dealt with whether they hear of it or not."""
    try:
        await desk.tell(event, sentence, offered)
    except SendError as error:
        log.info("desk.untold", desk=event.desk, error=type(error).__name__)
