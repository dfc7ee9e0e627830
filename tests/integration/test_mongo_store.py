"""The store for many processes keeps the store's contract."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.stores.mongo import MongoStore
from tests.contracts.store_contract import StoreContract


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
