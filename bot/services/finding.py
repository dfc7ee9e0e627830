"""Whose event it is, which case it belongs to, and which message it is about."""

from __future__ import annotations

from bot.domain.cases import Case
from bot.domain.customers import Identity
from bot.domain.messages import Address, Event, Message
from bot.domain.outbox import OutboxRow
from bot.domain.ports import Query, Store

ALBUM = 50  # events of a lane among which the rest of an album is looked for
SENT_LATELY = 100  # rows among which the part of a long message is looked for


async def identities(store: Store, address: Address) -> list[Identity]:
    """The identity behind an address; none for a stranger."""
    equals = {"channel": address.channel, "account": address.account, "user": address.user}
    return await store.find(Query(kind=Identity, equals=equals, limit=1))


async def last_case(store: Store, customer: str) -> Case | None:
    """The open case, else the latest one."""
    found = await store.find(
        Query(kind=Case, equals={"customer": customer, "is_open": True}, limit=1)
    ) or await store.find(Query(kind=Case, equals={"customer": customer}, order="-opened_at", limit=1))
    return found[0] if found else None


async def about(store: Store, event: Event) -> Message | None:
    """The message an event refers to, by the platform's id or by ours."""
    if not event.inbound.refers_to:
        return None
    found = await store.get(Message, event.inbound.refers_to) or await _by_external_id(store, event)
    return found if found is not None and found.customer == event.lane else None


async def about_part(store: Store, event: Event) -> Message | None:
    """The same for an event that may be about one part of several."""
    if not event.inbound.refers_to:
        return None
    if whole := await about(store, event):
        return whole
    found = await _by_picture(store, event) or await _by_part(store, event)
    return found if found is not None and found.customer == event.lane else None


async def album(store: Store, message: Message) -> list[Event]:
    """The events that a line of the transcript is made of, in their order; none unless it is an album."""
    head = await store.get(Event, message.id)
    if head is None or not head.inbound.group:
        return []
    query = Query(kind=Event, equals={"lane": head.lane}, after={"seq": head.seq}, order="seq", limit=ALBUM)
    parts = [head]
    for event in await store.find(query):
        if event.inbound.group != head.inbound.group:
            continue
        if await store.get(Message, event.id):  # it came too late to be part of this line
            break
        parts.append(event)
    return parts


async def _by_external_id(store: Store, event: Event) -> Message | None:
    equals = {"customer": event.lane, "external_id": event.inbound.refers_to}
    return next(iter(await store.find(Query(kind=Message, equals=equals, limit=1))), None)


async def _by_picture(store: Store, event: Event) -> Message | None:
    """A later picture of an album has no line of its own: it is in the line of one before it."""
    equals = {"channel": event.channel, "account": event.account, "external_id": event.inbound.refers_to}
    part = next(iter(await store.find(Query(kind=Event, equals=equals, limit=1))), None)
    if part is None or not part.inbound.group:
        return None
    query = Query(kind=Event, equals={"lane": part.lane}, until={"seq": part.seq}, order="-seq", limit=ALBUM)
    for one in await store.find(query):
        if one.inbound.group == part.inbound.group and (line := await store.get(Message, one.id)):
            return line
    return None


async def _by_part(store: Store, event: Event) -> Message | None:
    """A long message of ours went out in several; the message remembers the last, its row all of them."""
    address = event.inbound.address
    equals = {"order_key": f"{address.channel}:{address.account}:{address.chat}"}
    rows = await store.find(Query(kind=OutboxRow, equals=equals, order="-seq", limit=SENT_LATELY))
    row = next((row for row in rows if event.inbound.refers_to in row.receipts), None)
    return await store.get(Message, row.message) if row else None
