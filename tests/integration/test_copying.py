"""A store is copied into another whole, compared record by record, and the copy may break off anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bot.domain.accounts import Session, Setting
from bot.domain.cases import Case, CaseState
from bot.domain.errors import BadData, StoreUnavailable
from bot.domain.journal import Entry
from bot.domain.ports import Add, Changes, Delete, Insert, Movable, Outcome, Query, Update
from bot.domain.schema import COLLECTIONS
from bot.services.copying import MARK, Moved, copy_files, copy_store
from bot.stores.files import LocalFiles
from bot.stores.gridfs import GridFiles
from bot.stores.mongo import MongoStore
from bot.stores.sqlite import SqliteStore
from tests.builders import NOON
from tests.contracts.records import EXAMPLES, case, closed, customer, entry, event, session
from tests.contracts.store_contract import ids, insert, unit


def nothing(what: str, many: int) -> None:
    """Told to nobody."""


async def moved(source: Movable, target: Movable) -> Moved:
    return await copy_store(source, target, lambda: NOON, nothing)


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "source.db")
    await filled(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "target.db")
    yield opened
    await opened.close()


async def filled(store: SqliteStore) -> None:
    """One of every kind, and 150 of some, with whatever ids and texts may have."""
    await insert(store, *EXAMPLES.values())
    await insert(store, *(event(f"e of {n}", text="half \ud83d, NUL \0") for n in range(150)))
    await store.apply(unit(*(Insert(record=entry(f"\ud83d{n}"), scope=f"k{n % 3}") for n in range(150))))
    await insert(store, case("s2", number=1002, version=4), closed("s3", number=1003))
    await store.apply(unit(Add(counter="duplicate:webchat", by=3)))
    for _ in range(3):
        await store.number()


async def same(source: Movable, target: Movable) -> None:
    for kind in COLLECTIONS:
        there = {record.id: record async for page in target.everything(kind) for record in page}  # type: ignore[attr-defined]
        assert there == {record.id: record async for page in source.everything(kind) for record in page}  # type: ignore[attr-defined]
    assert await target.sequences() == await source.sequences()
    assert await target.counters("") == await source.counters("")


async def test_everything_moves_to_mongodb_and_work_goes_on(source: SqliteStore, mongo_url: str) -> None:
    target = MongoStore(mongo_url)
    await target.open()
    copied = await moved(source, target)
    await same(source, target)
    assert (copied.records["events"], copied.records["journal"], copied.records["cases"]) == (151, 151, 3)
    numbers = {await target.number(), await source.number()}
    assert min(numbers) > 1003
    assert await ids(target, Query(kind=Entry, equals={"kind": "sent"}, order="seq", limit=4))
    await target.close()


async def test_everything_moves_back(source: SqliteStore, target: SqliteStore, mongo_url: str) -> None:
    between = MongoStore(mongo_url)
    await between.open()
    await moved(source, between)
    await moved(between, target)
    await same(source, target)
    await between.close()


class BreaksOff:
    """A target that is gone after some units."""

    def __init__(self, store: Movable, after: int) -> None:
        self._store, self._left = store, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def apply(self, changes: Changes) -> Outcome:
        self._left -= 1
        if self._left < 0:
            raise StoreUnavailable("gone")
        return await self._store.apply(changes)


async def test_a_copy_that_broke_off_anywhere_is_finished_by_the_next(
    source: SqliteStore, target: SqliteStore
) -> None:
    for units in (0, 1, 2, 3, 5, 8):
        with pytest.raises(StoreUnavailable, match="gone"):
            await moved(source, BreaksOff(target, units))
    await moved(source, target)
    await same(source, target)
    assert await target.get(Setting, MARK) is None


async def test_what_changed_since_the_copy_broke_off_is_copied_too(
    source: SqliteStore, target: SqliteStore
) -> None:
    with pytest.raises(StoreUnavailable, match="gone"):
        await moved(source, BreaksOff(target, 26))
    old = await source.get(Case, "s2")
    assert old
    done = Update(record=replace(old, state=CaseState.RESOLVED))
    await source.apply(unit(done, Insert(record=case("s9", number=1009, customer=old.customer))))
    await source.apply(unit(Delete(kind=Session, id="t1"), Insert(record=session("t2")), Add(counter="more")))
    await moved(source, target)
    await same(source, target)


async def test_a_database_in_use_is_not_written_over(source: SqliteStore, target: SqliteStore) -> None:
    kept = await insert(target, customer("theirs"))
    with pytest.raises(BadData, match="has customers already; name an empty database"):
        await moved(source, target)
    assert [kept] == await target.find(Query(kind=type(kept)))
    await target.apply(unit(Delete(kind=type(kept), id="theirs")))
    await moved(source, target)
    with pytest.raises(BadData, match="already"):
        await moved(source, target)


async def test_half_a_copy_is_no_source(source: SqliteStore, target: SqliteStore, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="gone"):
        await moved(source, BreaksOff(target, 3))
    third = SqliteStore(tmp_path / "third.db")
    with pytest.raises(BadData, match="broke off"):
        await moved(target, third)
    await third.close()


async def test_a_server_that_writes_meanwhile_is_noticed(source: SqliteStore, target: SqliteStore) -> None:
    late = [entry("late")]

    class Busy(BreaksOff):
        async def go_on_after(self, sequences: Mapping[str, int]) -> None:
            await insert(source, late.pop())

    with pytest.raises(BadData, match="The journal changed while they were copied; stop every server"):
        await moved(source, Busy(target, 1000))
    await moved(source, target)
    await same(source, target)


async def test_files_move_and_are_read_back(tmp_path: Path, mongo_url: str) -> None:
    here, there = LocalFiles(tmp_path / "files"), GridFiles(mongo_url)
    await there.open()
    keys = [await here.put(content) for content in (b"one", b"", b"x" * 600_000)]
    assert await copy_files(here, there, nothing) == 3
    assert await copy_files(here, there, nothing) == 3
    assert sorted(await there.keys()) == sorted(keys)
    await there.close()


async def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    here, there = LocalFiles(tmp_path / "files"), LocalFiles(tmp_path / "more")
    key = await here.put(b"one")
    here._path(key).write_bytes(b"rotten")
    with pytest.raises(BadData, match=f"File {hashlib.sha256(b'one').hexdigest()} is damaged"):
        await copy_files(here, there, nothing)
