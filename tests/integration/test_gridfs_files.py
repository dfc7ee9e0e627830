"""Files in MongoDB keep the contract of files, and outlive whoever was writing them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient

from bot.domain.errors import BadData, StoreUnavailable
from bot.stores.gridfs import GridFiles
from tests.contracts.files_contract import FilesContract
from tests.mongod import ReplicaSet

KEY = hashlib.sha256(b"content").hexdigest()


@pytest.fixture
async def files(mongo_url: str) -> AsyncIterator[GridFiles]:
    opened = GridFiles(mongo_url)
    await opened.open()
    yield opened
    await opened.close()


class TestGridFiles(FilesContract):
    @pytest.fixture
    async def files(self, mongo_url: str) -> AsyncIterator[GridFiles]:
        opened = GridFiles(mongo_url)
        await opened.open()
        yield opened
        await opened.close()


async def test_another_process_finds_the_file(files: GridFiles, mongo_url: str) -> None:
    key = await files.put(b"content")
    other = GridFiles(mongo_url)
    await other.open()
    assert await other.get(key) == b"content"
    await other.close()


async def test_what_a_killed_process_left_half_written_hinders_nobody(
    files: GridFiles, mongo_url: str
) -> None:
    half = files._bucket().open_upload_stream(KEY)
    await half.write(b"x" * 600_000)  # more than a chunk: that is in the database already
    assert await files.get(KEY) is None
    assert await files.put(b"content") == KEY
    assert await files.get(KEY) == b"content"
    await half.abort()


async def test_twenty_at_once_leave_no_chunk_of_their_own(files: GridFiles, mongo_url: str) -> None:
    await TestGridFiles().test_the_same_content_is_one_file(files)
    client: MongoClient[Any] = MongoClient(mongo_url)
    with client:
        assert client.get_default_database()["fs.chunks"].count_documents({}) == 0


async def test_a_closed_file_store_says_so(files: GridFiles) -> None:
    await files.close()
    await files.close()
    for call in (files.put(b"content"), files.get(KEY), files.delete(KEY)):
        with pytest.raises(StoreUnavailable):
            await call


async def test_a_database_that_is_away_is_unavailable(own_mongo: ReplicaSet) -> None:
    files = GridFiles(own_mongo.url(), patience=timedelta(seconds=0.5))
    await files.open()
    member = own_mongo.kill()
    for call in (files.put(b"content"), files.get(KEY), files.delete(KEY)):
        with pytest.raises(StoreUnavailable, match="MongoDB could not be used"):
            await call
    member.start()
    own_mongo.primary()
    assert await files.put(b"content") == KEY
    await files.close()


async def test_a_wrong_address_says_what_one_looks_like() -> None:
    with pytest.raises(BadData, match="it looks like mongodb://"):
        await GridFiles("mongodb://").open()
