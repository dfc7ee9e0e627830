"""Receiving: a 200 means stored, once, in the order of arrival."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Raw
from msgspec.structs import replace

from bot import metrics
from bot.domain import drafts
from bot.domain.customers import Customer, Identity, pseudonym
from bot.domain.errors import StoreUnavailable
from bot.domain.journal import Did
from bot.domain.messages import Event, EventKind, Inbound
from bot.domain.ports import (
    Add,
    Applied,
    Changes,
    Clock,
    Commit,
    Duplicate,
    Insert,
    NewId,
    Query,
    Store,
    Write,
)
from bot.services.finding import identities

TRIES = 5  # two first messages of one customer race at most a few times


class Receiving:
    """One transaction per event: units stay small, so one known event never fails its neighbours."""

    def __init__(self, store: Store, commit: Commit, clock: Clock, new_id: NewId, secret: bytes) -> None:
        self._store = store
        self._commit = commit
        self._clock = clock
        self._new_id = new_id
        self._secret = secret

    async def receive(self, inbound: Sequence[Inbound]) -> list[str]:
        """Store events; returns their ids (the known one's for a duplicate). Raises `StoreUnavailable`."""
        return [await self._one(event) for event in inbound]

    async def _one(self, inbound: Inbound) -> str:
        if inbound.if_known and not await self._knows(inbound):
            inbound = _unsaid(inbound)
        for _ in range(TRIES):
            identity = next(iter(await identities(self._store, inbound.address)), None)
            event, writes = self._writes(inbound, identity)
            outcome = await self._commit(Changes(writes=tuple(writes)))
            if isinstance(outcome, Applied):
                metrics.RECEIVED.labels(inbound.address.channel).inc()
                return event.id
            if isinstance(outcome, Duplicate) and outcome.kind is Event:
                return await self._duplicate(inbound, outcome.id)
        raise StoreUnavailable("The event could not be stored just now; send it again.")

    async def _knows(self, inbound: Inbound) -> bool:
        address = inbound.address
        equals = {"channel": address.channel, "account": address.account, "external_id": inbound.refers_to}
        return bool(await self._store.find(Query(kind=Event, equals=equals, limit=1)))

    def _writes(self, inbound: Inbound, identity: Identity | None) -> tuple[Event, list[Write]]:
        now = self._clock()
        writes: list[Write] = []
        if identity is None:
            identity, writes = self._stranger(inbound, now)
        event = Event(id=self._new_id(), lane=identity.customer, inbound=inbound, received_at=now)
        writes.append(Insert(record=event, scope=f"lane:{event.lane}"))
        facts = {"event": event.id, "kind": event.inbound.kind}
        writes.append(drafts.event_entry(Did.RECEIVED, event, "", now, self._new_id, facts))
        return event, writes

    def _stranger(self, inbound: Inbound, now: datetime) -> tuple[Identity, list[Write]]:
        address = inbound.address
        name = pseudonym(self._secret, address.channel, address.account, address.user)
        customer = Customer(id=self._new_id(), pseudonym=name, language=inbound.language, created_at=now)
        identity = Identity(
            id=self._new_id(),
            channel=address.channel,
            account=address.account,
            user=address.user,
            chat=address.chat,
            customer=customer.id,
            created_at=now,
        )
        return identity, [Insert(record=customer), Insert(record=identity)]

    async def _duplicate(self, inbound: Inbound, known: str) -> str:
        channel = inbound.address.channel
        metrics.DUPLICATES.labels(channel).inc()
        await self._store.apply(Changes(writes=(Add(counter=f"duplicate:{channel}"),)))
        return known


def _unsaid(inbound: Inbound) -> Inbound:
    """Counted and remembered, so that it comes once; what people say among themselves is not kept, nor who they are."""
    nobody = replace(inbound.address, user=inbound.address.chat)
    return Inbound(external_id=inbound.external_id, kind=EventKind.UNKNOWN, address=nobody, raw=Raw(b"{}"))
