"""Whose event it is, and which case it belongs to."""

from __future__ import annotations

from bot.domain.cases import Case
from bot.domain.customers import Identity
from bot.domain.messages import Address
from bot.domain.ports import Query, Store


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
