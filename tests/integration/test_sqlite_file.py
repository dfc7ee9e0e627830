"""Opening the embedded store: migrations, and errors that say what to do."""

import asyncio
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import Struct

from bot.domain.customers import Customer
from bot.domain.errors import BadData, StoreUnavailable
from bot.domain.schema import COLLECTIONS, Collection
from bot.stores.sqlite import SqliteStore, database
from tests.contracts.records import customer
from tests.contracts.store_contract import insert

NO_PATIENCE = timedelta(milliseconds=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "switchboard.db"


@contextmanager
def sql(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


def open_and_close(path: Path) -> None:
    asyncio.run(SqliteStore(path, patience=NO_PATIENCE).close())


# ── The tables are what the schema says ─────────────────────────────────────────────────────────


def indexes(db: sqlite3.Connection, name: str) -> set[tuple[tuple[str, ...], bool, str]]:
    """What is indexed: (fields, unique, only while)."""
    found = set()
    for index, sql_text in db.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql NOT NULL", (name,)
    ).fetchall():
        fields = tuple(row[2] for row in db.execute(f"PRAGMA index_info({index})").fetchall())
        found.add((fields, "UNIQUE" in sql_text, sql_text.partition(" WHERE ")[2]))
    return found


def declared(collection: Collection) -> set[tuple[tuple[str, ...], bool, str]]:
    return {
        *((fields, False, "") for fields in collection.indexes),
        *((fields, True, "") for fields in collection.unique),
        *(((over,), True, f'"{field}" = 1') for field, over in collection.unique_while),
    }


@pytest.mark.parametrize("kind", COLLECTIONS, ids=lambda kind: kind.__name__)
def test_migrations_and_schema_agree(path: Path, kind: type[Struct]) -> None:
    collection = COLLECTIONS[kind]
    open_and_close(path)
    with sql(path) as db:
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({collection.name})").fetchall()]
        assert set(columns) == {"id", "version", "body", *collection.fields}
        assert indexes(db, collection.name) == declared(collection)


def test_there_is_no_table_that_nobody_declared(path: Path) -> None:
    open_and_close(path)
    with sql(path) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {collection.name for collection in COLLECTIONS.values()} | {"sequences", "counters"}


@pytest.mark.parametrize("kind", COLLECTIONS, ids=lambda kind: kind.__name__)
def test_what_is_indexed_can_be_asked_for(kind: type[Struct]) -> None:
    collection = COLLECTIONS[kind]
    indexed = {field for fields in (*collection.indexes, *collection.unique) for field in fields}
    assert indexed | {field for pair in collection.unique_while for field in pair} <= set(collection.fields)


# ── Migrations ──────────────────────────────────────────────────────────────────────────────────

ADDS = 'ALTER TABLE customers ADD COLUMN "language" TEXT;\nCREATE TABLE extras (\n    a TEXT\n);\n'


def with_migrations(monkeypatch: pytest.MonkeyPatch, *more: str) -> None:
    scripts = (*database.migrations(), *more)
    monkeypatch.setattr(database, "migrations", lambda: scripts)


async def test_an_older_store_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(path)
    kept = await insert(store, customer("k1"))
    await store.close()
    with_migrations(monkeypatch, ADDS, "INSERT INTO extras VALUES ('; not the end')")
    again = SqliteStore(path)
    assert await again.get(Customer, "k1") == kept
    await again.close()
    with sql(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(database.migrations()),)
        assert db.execute("SELECT a FROM extras").fetchall() == [("; not the end",)]


def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_and_close(path)
    with monkeypatch.context() as patch:
        with_migrations(patch, ADDS, "CREATE TABLE extras (b TEXT);")
        with pytest.raises(StoreUnavailable, match="already exists"):
            open_and_close(path)
    open_and_close(path)
    with sql(path) as db:
        assert db.execute("SELECT 1 FROM sqlite_master WHERE name = 'extras'").fetchall() == []


def test_a_newer_store_is_refused_and_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        with_migrations(patch, ADDS)
        open_and_close(path)
    before, known = path.read_bytes(), len(database.migrations())
    newer = rf"newer Switchboard \(store version {known + 1}, this one knows {known}\)"
    with pytest.raises(BadData, match=newer):
        open_and_close(path)
    assert path.read_bytes() == before


def test_many_may_open_a_new_store_at_once(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: SqliteStore(path), range(8)))
    for store in stores:
        assert store._near.execute("PRAGMA user_version").fetchall() == [(len(database.migrations()),)]
        store._writer._units.put(None)
        for connection in (store._near, store._far, store._db):
            connection.close()


# ── What cannot be opened ───────────────────────────────────────────────────────────────────────


def test_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"is a folder; the store needs a file, such as .*switchboard\.db"):
        open_and_close(tmp_path)


@pytest.mark.parametrize("content", [b"Dear diary,\n" * 500, b"short"], ids=["long", "short"])
def test_a_file_that_is_no_database_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(BadData, match="is no SQLite database; name another file"):
        open_and_close(path)
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    with sql(path) as db:
        db.execute("CREATE TABLE songs (title TEXT)")
    before = path.read_bytes()
    with pytest.raises(BadData, match="database of another program"):
        open_and_close(path)
    assert path.read_bytes() == before


def test_a_store_that_is_cut_short_is_damaged(path: Path) -> None:
    open_and_close(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(BadData, match="is damaged; restore a backup"):
        open_and_close(path)


def test_a_place_where_nothing_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadData, match=r"cannot be created .*check the path and its permissions"):
        open_and_close(tmp_path / "file" / "switchboard.db")


def test_a_store_that_another_process_is_making_is_waited_for(path: Path) -> None:
    with sql(path) as db:
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match="is another process holding it"):
            open_and_close(path)
    open_and_close(path)


def test_an_empty_file_and_a_missing_folder_will_do(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    open_and_close(tmp_path / "empty.db")
    open_and_close(tmp_path / "var" / "deeper" / "switchboard.db")


async def test_customers_words_are_for_the_owner_only(path: Path) -> None:
    store = SqliteStore(path)
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == {path.name: 0o600, f"{path.name}-wal": 0o600, f"{path.name}-shm": 0o600}
    await store.close()
