"""The store for many processes keeps the store's contract."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.domain.ports import Applied
from bot.stores.mongo import MongoStore
from tests.contracts.records import entry, event
from tests.contracts.store_contract import StoreContract, inserts


@pytest.fixture
async def store(mongo_url: str) -> AsyncIterator[MongoStore]:
    opened = MongoStore(mongo_url)
    await opened.open()
    yield opened
    await opened.close()


class TestMongoStore(StoreContract):
    @pytest.fixture
    async def store(self, mongo_url: str) -> AsyncIterator[MongoStore]:
        opened = MongoStore(mongo_url)
        await opened.open()
        yield opened
        await opened.close()


async def test_a_record_that_no_document_holds_fails_alone_and_aloud(store: MongoStore) -> None:
    huge = inserts(entry("j1"), event("e1", text="x" * 16 * 2**20))
    with pytest.raises(ValueError, match=r"A Event of 167.* bytes is more than MongoDB keeps"):
        await store.apply(huge)
    assert await store.apply(inserts(entry("j1"))) == Applied()
