"""Letters: what a row brings to a customer, read when it is sent; and where it goes."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from bot.domain.cases import Case
from bot.domain.customers import Identity
from bot.domain.errors import Misconfigured, RecipientUnreachable, SendRejected, Unknown
from bot.domain.messages import Message
from bot.domain.outbox import OutboxRow, Posting, Receipt
from bot.domain.ports import Connector, Deletes, Edits, Payload, Query, Rate, Store, Update, Write
from bot.services.posts import Rendered


class Letters:
    def __init__(self, store: Store, connectors: Mapping[tuple[str, str], Connector]) -> None:
        self._store = store
        self._connectors = connectors

    async def rendered(self, row: OutboxRow) -> Rendered:
        """Raises `Unknown`, `Misconfigured`, `RecipientUnreachable`."""
        message = await self.message(row)
        if not row.by_agent:  # a person may try all the same, and is told what comes of it
            await self._reachable(message)
        return Rendered(payloads=self.connector(row).render(message))

    async def send(self, row: OutboxRow, payload: Payload) -> Receipt:
        return await self.connector(row).send(payload)

    async def change(self, row: OutboxRow) -> None:
        """Put what was sent in other words, or take it back. Raises a `SendError`."""
        connector: object = self.connector(row)
        message = await self.message(row)
        if row.posting is Posting.EDIT and isinstance(connector, Edits):
            await connector.edit(row.receipts, message)
        elif row.posting is Posting.DELETE and isinstance(connector, Deletes):
            await connector.delete(row.receipts)
        else:
            raise SendRejected("This channel cannot change what was sent.")

    async def rates(self, row: OutboxRow) -> tuple[Rate, ...]:
        message = await self.message(row)
        return self.connector(row).rates(message.address.chat)

    def connector(self, row: OutboxRow) -> Connector:
        """Raises `Misconfigured`."""
        connector = self._connectors.get((row.channel, row.account))
        if connector is None:
            raise Misconfigured(f"The account {row.channel}/{row.account} is not configured any more.")
        return connector

    def destination(self, row: OutboxRow) -> object:
        """What may be asked about a row in doubt, if it is still there."""
        return self._connectors.get((row.channel, row.account))

    async def message(self, row: OutboxRow) -> Message:
        """Raises `Unknown`."""
        message = await self._store.get(Message, row.message)
        if message is None:
            raise Unknown("The message was erased before it was sent.")
        return message

    # ── Who is there, and where ─────────────────────────────────────────────────────────────────

    async def moved(self, case: Case, message: Message, chat: str) -> list[Write]:
        """Identity and case take the new chat, unless they have one already."""
        old = message.address.chat
        known = [one for one in await self._identities(message) if one.chat == old]
        moved: list[Write] = [Update(record=replace(one, chat=chat)) for one in known]
        if case.address.chat == old:
            moved.append(Update(record=replace(case, address=replace(case.address, chat=chat))))
        return moved

    async def unreachable(self, row: OutboxRow) -> list[Write]:
        """Nothing more is sent to this customer here until they are back."""
        identities = await self._store.find(Query(kind=Identity, equals={"customer": row.customer}))
        return [
            Update(record=replace(one, reachable=False))
            for one in identities
            if (one.channel, one.account) == (row.channel, row.account)
        ]

    async def _reachable(self, message: Message) -> None:
        """Raises `RecipientUnreachable`: who blocked us is not tried again until they are back."""
        for one in await self._identities(message):
            if not one.reachable:
                raise RecipientUnreachable("The customer has blocked this account or is gone.")

    async def _identities(self, message: Message) -> list[Identity]:
        address = message.address
        equals = {"channel": address.channel, "account": address.account, "user": address.user}
        return await self._store.find(Query(kind=Identity, equals=equals, limit=1))
