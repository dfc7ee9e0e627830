"""Files in MongoDB keep the contract of files, and outlive whoever was writing them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
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


async def test_what_a_killed_process_left_is_swept_at_a_start_and_what_is_under_way_is_not(
    files: GridFiles, mongo_url: str
) -> None:
    dead, busy, done = ObjectId(), ObjectId(), ObjectId()
    client: MongoClient[Any] = MongoClient(mongo_url)
    with client:
        db = client.get_default_database()
        for id in (dead, busy, done):
            await files._mark(id)
            db["fs.chunks"].insert_one({"files_id": id, "n": 0, "data": b"content"})
        db["fs.files"].insert_one({"_id": done, "filename": KEY, "length": 7, "chunkSize": 261120})
        hours_ago = datetime.now(UTC) - timedelta(hours=2)
        db["fs.begun"].update_many({"_id": {"$in": [dead, done]}}, {"$set": {"at": hours_ago}})
        again = GridFiles(mongo_url)
        await again.open()
        assert set(db["fs.chunks"].distinct("files_id")) == {busy, done}
        assert db["fs.begun"].distinct("_id") == [busy]
    assert await again.get(KEY) == b"content"
    await again.close()


async def test_a_file_that_came_and_went_leaves_nothing(files: GridFiles, mongo_url: str) -> None:
    await files.delete(await files.put(b"x" * 600_000))
    client: MongoClient[Any] = MongoClient(mongo_url)
    with client:
        db = client.get_default_database()
        counts = {name: db[name].count_documents({}) for name in ("fs.files", "fs.chunks", "fs.begun")}
    assert counts == {"fs.files": 0, "fs.chunks": 0, "fs.begun": 0}
