"""What several processes have in common, with a store they share: one model, one key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import BadData, StoreUnavailable
from bot.services import sharing
from bot.services.sharing import SharedModels
from bot.stores.files import LocalFiles
from bot.stores.sqlite import SqliteStore
from tests.builders import Ticking


class Folder:
    """The models of one machine."""

    def __init__(self) -> None:
        self.models: dict[str, bytes] = {}

    def has(self, id: str) -> bool:
        return id in self.models

    def read(self, id: str) -> bytes:
        return self.models[id]

    def prune(self, keep: int, protect: Collection[str] = ()) -> list[str]:
        gone = [id for id in list(self.models)[:-keep] if id not in protect]
        for id in gone:
            del self.models[id]
        return gone

    def describe(self, id: str) -> dict[str, Any]:
        return {"id": id, "examples": len(self.models[id])}

    def write(self, id: str, content: bytes) -> None:
        if not content.endswith(id.encode()):
            raise BadData("cut short")
        self.models[id] = content


class Machines:
    """Any number of them with one store and one place for files."""

    def __init__(self, store: SqliteStore, folder: Path) -> None:
        self._store, self.files, self._clock = store, LocalFiles(folder), Ticking()

    def one(self, *models: str) -> tuple[Folder, SharedModels]:
        folder = Folder()
        folder.models = {id: f"model {id}".encode() for id in models}
        return folder, SharedModels(self._store, self.files, folder, self._clock)


@pytest.fixture
async def machines(tmp_path: Path) -> AsyncIterator[Machines]:
    store = SqliteStore(tmp_path / "test.db")
    yield Machines(store, tmp_path / "files")
    await store.close()


async def test_a_model_trained_on_one_machine_is_had_by_another(machines: Machines) -> None:
    _, here = machines.one("m1")
    there_folder, there = machines.one()
    await here.ensure("m1")
    await there.ensure("m1")
    assert there_folder.models == {"m1": b"model m1"}
    assert (await there.known())["m1"]["examples"] == 8


async def test_a_machine_keeps_a_few_and_those_one_can_go_back_to(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "KEPT", 2)
    _, here = machines.one("m1", "m2", "m3", "m4")
    folder, there = machines.one()
    for name in ("m1", "m2", "m3", "m4"):
        await here.ensure(name, frozenset({"m1"}))
        await there.ensure(name, frozenset({"m1"}))
    assert set(folder.models) == {"m1", "m3", "m4"}


async def test_a_model_nobody_has_is_left_to_whoever_loads_it(machines: Machines) -> None:
    folder, here = machines.one()
    await here.ensure("m1")
    assert (folder.models, await here.known()) == ({}, {})


async def test_two_machines_that_share_at_once_lose_neither_model(machines: Machines) -> None:
    both = machines.one("m1"), machines.one("m2")
    await asyncio.gather(*(shared.ensure(f"m{n}") for n, (_, shared) in enumerate(both, start=1)))
    assert set(await both[0][1].known()) == {"m1", "m2"}


async def test_a_full_disk_is_a_reason_to_try_again(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, here = machines.one("m1")
    await here.ensure("m1")
    folder, there = machines.one()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(folder, "write", full)
        with pytest.raises(StoreUnavailable, match="m1 cannot be written here"):
            await there.ensure("m1")
    await there.ensure("m1")
    assert set(folder.models) == {"m1"}


async def test_a_damaged_file_is_refused(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    _, here = machines.one("m1")
    await here.ensure("m1")
    _, there = machines.one()

    async def broken(_: str) -> bytes:
        return b"something else"

    monkeypatch.setattr(machines.files, "get", broken)
    with pytest.raises(BadData):
        await there.ensure("m1")


async def test_only_the_latest_are_kept_and_those_one_can_go_back_to(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "KEPT", 2)
    names = [f"m{n}" for n in range(5)]
    _, here = machines.one(*names)
    for name in names:
        await here.ensure(name, frozenset({"m0"}))
    known = await here.known()
    assert set(known) == {"m0", "m3", "m4"}
    assert [await machines.files.get(entry["file"]) is not None for entry in known.values()] == [True] * 3
