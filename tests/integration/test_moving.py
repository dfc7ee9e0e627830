"""`backup` and `migrate` on a store that is in use, as an operator would call them."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from bot import config
from bot.bootstrap import backup, migrate
from bot.bootstrap.at_work import alone
from bot.bootstrap.backends import opened, opened_files, opened_store
from bot.config import ConfigError, Settings
from bot.domain.errors import BadData, StoreUnavailable, Unknown
from bot.domain.journal import Entry
from bot.domain.ports import Applied, Insert, Query
from bot.services.copying import MARK
from bot.stores.files import LocalFiles
from bot.stores.mongo import MongoStore
from bot.stores.sqlite import SqliteStore
from tests.contracts.records import EXAMPLES, entry, setting
from tests.contracts.store_contract import insert, inserts, unit

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    read = config.load(ROOT / "config.yml", {})
    url, files = config.urls.Url(f"sqlite:///{tmp_path}/s.db"), config.urls.Url(str(tmp_path / "files"))
    return replace(read, store=url, files=files)


@pytest.fixture
async def store(settings: Settings, tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "s.db")
    await insert(opened, *EXAMPLES.values())
    yield opened
    await opened.close()


def nothing(what: str, many: int) -> None:
    """Told to nobody."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ── A backup ────────────────────────────────────────────────────────────────────────────────────


async def test_a_backup_of_a_store_in_use_is_one_moment_of_it(
    settings: Settings, store: SqliteStore, tmp_path: Path
) -> None:
    """Two entries are written at a time, and an even number is what every moment has."""
    written = asyncio.create_task(_write(store))
    for n in range(5):
        assert await backup(settings, tmp_path / f"{n}.db") > 10_000
    written.cancel()
    counts = []
    for n in range(5):
        copy = SqliteStore(tmp_path / f"{n}.db")
        counts.append(await copy.count(Query(kind=Entry)))
        await copy.close()
    assert counts == sorted(counts)
    assert all(count % 2 for count in counts)  # and one was there before


async def _write(store: SqliteStore) -> None:
    for n in range(100_000):
        await store.apply(unit(Insert(record=entry(f"a{n}"), scope="k1"), Insert(record=entry(f"b{n}"))))


async def test_a_backup_is_one_file_for_its_owner(
    settings: Settings, store: SqliteStore, tmp_path: Path
) -> None:
    (tmp_path / "copies").mkdir()
    await backup(settings, tmp_path / "copies" / "s.db")
    assert names(tmp_path / "copies") == ["s.db"]
    assert (tmp_path / "copies" / "s.db").stat().st_mode & 0o777 == 0o600


async def test_a_backup_never_writes_over_another(
    settings: Settings, store: SqliteStore, tmp_path: Path
) -> None:
    (tmp_path / "b.db").write_text("precious")
    with pytest.raises(BadData, match="is there already; name a new file"):
        await backup(settings, tmp_path / "b.db")
    assert (tmp_path / "b.db").read_text() == "precious"


async def test_a_backup_that_cannot_be_written_leaves_nothing(
    settings: Settings, store: SqliteStore, tmp_path: Path
) -> None:
    with pytest.raises(BadData, match=r"no/b\.db cannot be written \(No such file"):
        await backup(settings, tmp_path / "no" / "b.db")


async def test_there_is_no_backup_of_nothing(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(Unknown, match="There is no store at"):
        await backup(settings, tmp_path / "b.db")
    assert names(tmp_path) == []


async def test_a_damaged_store_gives_no_backup(
    settings: Settings, store: SqliteStore, tmp_path: Path
) -> None:
    await insert(store, *(entry(f"more{n}") for n in range(500)))
    await store.close()
    with closing(sqlite3.connect(tmp_path / "s.db")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (tmp_path / "s.db").open("r+b") as file:
        file.seek(-40_000, os.SEEK_END)
        file.write(os.urandom(20_000))
    with pytest.raises(StoreUnavailable, match=r"damaged|malformed"):
        await backup(settings, tmp_path / "b.db")
    assert not (tmp_path / "b.db").exists()


async def test_mongodb_has_its_own_backup(settings: Settings, tmp_path: Path) -> None:
    shared = replace(settings, store=config.urls.Url("mongodb://127.0.0.1/x"))
    with pytest.raises(ConfigError, match="mongodump --oplog"):
        await backup(shared, tmp_path / "b.db")


# ── Moving ──────────────────────────────────────────────────────────────────────────────────────


async def test_store_and_files_move_to_mongodb(
    settings: Settings, store: SqliteStore, mongo_url: str, tmp_path: Path
) -> None:
    key = await LocalFiles(tmp_path / "files").put(b"a picture")
    await store.close()
    target, moved = await migrate(settings, mongo_url, None, nothing)
    assert (str(target.store), str(target.files), moved.files) == (mongo_url, mongo_url, 1)
    async with opened_store(target) as there, opened_files(target) as files:
        assert await files.get(key) == b"a picture"
        assert await there.count(Query(kind=Entry)) == 1
        assert isinstance(await there.apply(inserts(entry("new"))), Applied)


async def test_a_database_that_is_away_is_named_with_what_to_do(
    settings: Settings, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.stores.mongo.MongoStore", partial(MongoStore, patience=timedelta(seconds=0.1)))
    await store.close()
    with pytest.raises(StoreUnavailable, match=r"at mongodb://127\.0\.0\.1:9/x; start it, .*rs\.initiate"):
        await migrate(settings, "mongodb://127.0.0.1:9/x", None, nothing)


async def test_a_running_server_is_not_moved_away_from(
    settings: Settings, store: SqliteStore, mongo_url: str, tmp_path: Path
) -> None:
    with alone(tmp_path / "s.db"), pytest.raises(ConfigError, match="stop it first"):
        await migrate(settings, mongo_url, None, nothing)


async def test_nobody_works_with_half_a_copy(settings: Settings, store: SqliteStore) -> None:
    await insert(store, setting(MARK))
    with pytest.raises(BadData, match="is half a copy"):
        async with opened(settings):
            pass


@pytest.mark.parametrize(
    ("to", "files", "says"),
    [
        ("postgres://h/x", None, "--to: is no database we know"),
        ("mongodb://h/x", "s3://bucket", "--files: is no folder we know"),
        ("the same", None, "--to is the store that is configured"),
    ],
)
async def test_a_wrong_place_is_named(settings: Settings, to: str, files: str | None, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        await migrate(settings, settings.store if to == "the same" else to, files, nothing)
