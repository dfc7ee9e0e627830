"""Attachments in MongoDB's GridFS, for servers that share no disk: the same file twice is one file."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from bson import ObjectId
from gridfs.errors import CorruptGridFile, FileExists, NoFile
from motor.motor_asyncio import AsyncIOMotorGridFSBucket

from bot.domain.errors import StoreUnavailable
from bot.stores.driver import PATIENCE, Client, Database, connect, database, reached

FILES, CHUNKS = "fs.files", "fs.chunks"
# Uploads and deletions that are under way: whoever died in one left chunks that nobody names.
BEGUN = "fs.begun"
LONG_AGO = timedelta(hours=1)
KEYS_AT_ONCE = 10_000


class GridFiles:
    """The `Files` port on the database of `url`; a file's name is the hash of its content.

    To be opened before it is used. Every method raises `StoreUnavailable` when the database cannot be reached.
    """

    def __init__(self, url: str, *, patience: timedelta = PATIENCE) -> None:
        self._url, self._patience = url, patience
        self._client: Client | None = None

    async def open(self) -> None:
        """Raises `BadData` for a wrong URL, `StoreUnavailable`."""
        self._client = connect(self._url, self._patience)
        try:
            with reached():
                await self._db()[FILES].create_index("filename", unique=True, name="one_of_a_content")
                await self._sweep()
        except StoreUnavailable:
            await self.close()
            raise

    async def close(self) -> None:
        """Every later call raises `StoreUnavailable`."""
        client, self._client = self._client, None
        if client:
            client.close()

    async def put(self, content: bytes) -> str:
        key = hashlib.sha256(content).hexdigest()
        with reached():
            if await self._db()[FILES].find_one({"filename": key}, {"_id": 1}) is None:
                await self._write(key, content)
        return key

    async def get(self, key: str) -> bytes | None:
        with reached():
            try:
                found = await self._bucket().open_download_stream_by_name(key)
                return bytes(await found.read())
            except (NoFile, CorruptGridFile):  # the second when it was deleted meanwhile
                return None

    async def delete(self, key: str) -> None:
        with reached():
            for found in await self._db()[FILES].find({"filename": key}, {"_id": 1}).to_list(None):
                await self._mark(found["_id"])
                with suppress(NoFile):  # somebody else was faster
                    await self._bucket().delete(found["_id"])
                await self._db()[BEGUN].delete_one({"_id": found["_id"]})

    async def keys(self) -> list[str]:
        found: list[str] = []
        with reached():
            while page := await self._page(found[-1] if found else ""):
                found += page
        return found

    async def _page(self, after: str) -> list[str]:
        """Each page has a patience of its own."""
        behind = self._db()[FILES].find({"filename": {"$gt": after}}, {"filename": 1}, sort=[("filename", 1)])
        return [found["filename"] for found in await behind.to_list(KEYS_AT_ONCE)]

    async def _write(self, key: str, content: bytes) -> None:
        """It has its name when all of it is there; who was faster has it first, and ours is taken back."""
        ours = ObjectId()
        await self._mark(ours)
        upload = self._bucket().open_upload_stream_with_id(ours, key)
        try:
            await upload.write(content)
            await upload.close()
        except FileExists:
            await self._db()[CHUNKS].delete_many({"files_id": ours})
        await self._db()[BEGUN].delete_one({"_id": ours})

    async def _mark(self, id: ObjectId) -> None:
        here = {"$set": {"at": datetime.now(UTC)}}
        await self._db()[BEGUN].update_one({"_id": id}, here, upsert=True)

    async def _sweep(self) -> None:
        """What those who died left: chunks without their file. One that was finished just before stays."""
        before = {"at": {"$lt": datetime.now(UTC) - LONG_AGO}}
        for left in await self._db()[BEGUN].find(before, {"_id": 1}).to_list(None):
            if await self._db()[FILES].find_one({"_id": left["_id"]}, {"_id": 1}) is None:
                await self._db()[CHUNKS].delete_many({"files_id": left["_id"]})
            await self._db()[BEGUN].delete_one({"_id": left["_id"]})

    def _bucket(self) -> AsyncIOMotorGridFSBucket:
        return AsyncIOMotorGridFSBucket(self._db())

    def _db(self) -> Database:
        if self._client is None:
            raise StoreUnavailable("The file store is closed; the server is stopping.")
        return database(self._client)
