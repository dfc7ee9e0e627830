"""Noticing: everything platforms tell beside talk (receipts, edits, who left), applied to what it is about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from msgspec.structs import replace

from bot.domain import drafts
from bot.domain.batches import as_lines
from bot.domain.journal import Did
from bot.domain.messages import Direction, Event, EventKind, Fetch, Inbound, Message, MessageState
from bot.domain.ports import Clock, Connector, NewId, Query, Store, Update, Write
from bot.services.fetching import remembered
from bot.services.finding import about, about_part, album, identities, last_case

BEFORE = 50  # messages that one read receipt can move on
LONGEST_REACTION = 64  # characters
PRESENCE = {EventKind.BLOCKED: False, EventKind.UNBLOCKED: True}
RECEIPTS = {EventKind.DELIVERED: MessageState.DELIVERED, EventKind.READ: MessageState.READ}
ARRIVED = (MessageState.SENT, MessageState.DELIVERED, MessageState.READ)


class Noticing:
    def __init__(
        self, store: Store, connectors: Mapping[tuple[str, str], Connector], clock: Clock, new_id: NewId
    ) -> None:
        self._store = store
        self._connectors = connectors
        self._clock = clock
        self._new_id = new_id
        self._kinds: dict[EventKind, Callable[[Event], Awaitable[list[Write]]]] = {
            EventKind.EDIT: self._edited,
            EventKind.DELETE: self._deleted,
            EventKind.REACTION: self._reacted,
            EventKind.DELIVERED: self._receipt,
            EventKind.READ: self._receipt,
            EventKind.BLOCKED: self._presence,
            EventKind.UNBLOCKED: self._presence,
            EventKind.MOVED: self._moved,
        }

    async def notice(self, event: Event) -> list[Write]:
        """What an event changes; nothing for a kind nobody knows, which is stored and counted all the same."""
        handle = self._kinds.get(event.inbound.kind)
        return await handle(event) if handle else []

    async def _receipt(self, event: Event) -> list[Write]:
        """Receipts only move messages on; a read one says the same of all before it."""
        message = await about(self._store, event)
        if message is None:
            return []
        state = RECEIPTS[event.inbound.kind]
        before = await self._sent_before(message) if state is MessageState.READ else []
        moved = [one for one in (message, *before) if _moves_on(one.state, state)]
        if not moved:
            return []
        kind = Did.READ if state is MessageState.READ else Did.DELIVERED
        changed: list[Write] = [Update(record=replace(one, state=state)) for one in moved]
        return [*changed, self._entry(kind, event, message.case)]

    async def _sent_before(self, message: Message) -> list[Message]:
        query = Query(
            kind=Message,
            equals={"customer": message.customer},
            until={"seq": message.seq - 1},
            order="-seq",
            limit=BEFORE,
        )
        ours = [one for one in await self._store.find(query) if one.direction is Direction.OUT]
        return [one for one in ours if one.address == message.address and one.state in ARRIVED]

    async def _edited(self, event: Event) -> list[Write]:
        message = await about_part(self._store, event)
        if message is None:
            return []
        now, writes = await self._says_now(event, message)
        known = {one.remote: one for one in message.attachments if one.remote}
        files = tuple(known.get(one.remote, one) for one in now.attachments)
        at = event.received_at
        edited = replace(message, text=now.text, attachments=files or message.attachments, edited_at=at)
        fetched_already = await self._store.get(Fetch, message.id) is not None
        return [
            Update(record=edited),
            *writes,
            *([] if fetched_already else remembered(edited, self._connectors.get(_account(edited)))),
        ]

    async def _says_now(self, event: Event, message: Message) -> tuple[Inbound, list[Write]]:
        """What the line says after an edit. One picture of an album leaves the others as they were, and the next
        edit has to know what this one made of it.
        """
        new = event.inbound
        parts = await album(self._store, message)
        place = next((at for at, part in enumerate(parts) if part.external_id == new.refers_to), None)
        if place is None or len(parts) == 1:
            return new, []
        old = parts[place].inbound
        inbound = replace(old, text=new.text, attachments=new.attachments or old.attachments)
        parts[place] = replace(parts[place], inbound=inbound)
        return as_lines(parts)[0].inbound, [Update(record=parts[place])]

    async def _reacted(self, event: Event) -> list[Write]:
        """Agents see it; it is no word of the customer's, so it wakes nobody."""
        message = await about_part(self._store, event)
        reaction = event.inbound.text[:LONGEST_REACTION]
        if message is None or message.reaction == reaction:
            return []
        facts: drafts.Attributes = {"message": message.id, "given": bool(reaction)}
        told = drafts.event_entry(Did.REACTED, event, message.case, self._clock(), self._new_id, facts)
        return [Update(record=replace(message, reaction=reaction)), told]

    async def _deleted(self, event: Event) -> list[Write]:
        message = await about(self._store, event)
        if message is None:
            return []
        gone = replace(message, text="", quote="", attachments=(), deleted_at=event.received_at)
        return [Update(record=gone)]

    async def _presence(self, event: Event) -> list[Write]:
        known = await identities(self._store, event.inbound.address)
        reachable = PRESENCE[event.inbound.kind]
        kind = Did.UNBLOCKED if reachable else Did.BLOCKED
        changed: list[Write] = [Update(record=replace(one, reachable=reachable)) for one in known]
        last = await last_case(self._store, event.lane)
        return [*changed, self._entry(kind, event, last.id if last else "")]

    async def _moved(self, event: Event) -> list[Write]:
        """The conversation goes on under another id: so does whatever is still to be said in it."""
        chat, address = event.inbound.refers_to, event.inbound.address
        known = [one for one in await identities(self._store, address) if one.chat == address.chat]
        last = await last_case(self._store, event.lane)
        writes: list[Write] = [Update(record=replace(one, chat=chat)) for one in known]
        if last and last.address.chat == address.chat:
            writes.append(Update(record=replace(last, address=replace(last.address, chat=chat))))
        return writes

    def _entry(self, kind: Did, event: Event, case: str) -> Write:
        return drafts.event_entry(kind, event, case, self._clock(), self._new_id)


def _moves_on(known: MessageState, new: MessageState) -> bool:
    """A receipt may be faster than our own note that the message was sent."""
    order = (MessageState.SENDING, *ARRIVED)
    return known in order and order.index(known) < order.index(new)


def _account(message: Message) -> tuple[str, str]:
    return message.address.channel, message.address.account
