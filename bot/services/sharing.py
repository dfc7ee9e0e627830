"""A trained model's file goes where every process can fetch it; one that goes live is nobody's own."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, Protocol

import structlog

from bot.domain.accounts import Setting
from bot.domain.errors import StoreUnavailable
from bot.domain.ports import Applied, Changes, Clock, Files, Insert, Store, Update

log = structlog.get_logger()

SHARED = "models"  # the setting: model id → {"file": key in the files, "at": …, and what lists show}
KEPT = 20
TRIES = 5


class Folder(Protocol):
    """The model files of this machine. Blocking; called in a thread."""

    def has(self, id: str) -> bool: ...
    def prune(self, keep: int, protect: Collection[str] = ()) -> list[str]: ...
    def read(self, id: str) -> bytes: ...
    def describe(self, id: str) -> dict[str, Any]: ...

    def write(self, id: str, content: bytes) -> None:
        """All of it or nothing. Raises `BadData` when the content is not that model, and `OSError`."""


class SharedModels:
    def __init__(self, store: Store, files: Files, folder: Folder, clock: Clock) -> None:
        self._store = store
        self._files = files
        self._folder = folder
        self._clock = clock

    async def known(self) -> dict[str, dict[str, Any]]:
        """What has been shared, by id. Raises `StoreUnavailable`."""
        setting = await self._store.get(Setting, SHARED)
        return dict(setting.value) if setting else {}

    async def ensure(self, id: str, keep: frozenset[str] = frozenset()) -> None:
        """Have the model here and share it if it is only here; where it is nowhere, loading it will say so.

        Raises `BadData`, `StoreUnavailable`.
        """
        here = await asyncio.to_thread(self._folder.has, id)
        shared = (await self.known()).get(id)
        if here and not shared:
            await self._share(id, keep)
        elif shared and not here:
            await self._fetch(id, shared["file"], keep | {id})

    async def _fetch(self, id: str, key: str, keep: frozenset[str]) -> None:
        content = await self._files.get(key)
        if content is None:
            return
        try:
            await asyncio.to_thread(self._folder.write, id, content)
        except OSError as exc:
            raise StoreUnavailable(f"Model {id} cannot be written here ({exc.strerror}); make room.") from exc
        await asyncio.to_thread(self._folder.prune, KEPT, keep)  # those that went can be fetched again
        log.info("model.fetched", model=id, bytes=len(content))

    async def _share(self, id: str, keep: frozenset[str]) -> None:
        key = await self._files.put(await asyncio.to_thread(self._folder.read, id))
        about = await asyncio.to_thread(self._folder.describe, id)
        entry = {**about, "file": key, "at": self._clock().isoformat()}
        for _ in range(TRIES):
            setting = await self._store.get(Setting, SHARED)
            old: Mapping[str, Any] = setting.value if setting else {}
            value = _newest({**old, id: entry}, keep | {id})
            if await self._set(setting, value):
                for gone in old.keys() - value.keys():
                    await self._files.delete(old[gone]["file"])
                return
        raise StoreUnavailable("The model could not be shared just now; try again.")

    async def _set(self, setting: Setting | None, value: dict[str, Any]) -> bool:
        version = setting.version if setting else 0
        new = Setting(id=SHARED, value=value, at=self._clock(), version=version)
        write = Update(record=new) if setting else Insert(record=new)
        return isinstance(await self._store.apply(Changes(writes=(write,))), Applied)


def _newest(value: dict[str, Any], keep: frozenset[str]) -> dict[str, Any]:
    """The latest, and those one can go back to."""
    latest = sorted(value, key=lambda id: str(value[id]["at"]))[-KEPT:]
    return {id: entry for id, entry in value.items() if id in keep or id in latest}
