"""Opening the store for many processes: the schema, migrations one at a time, and errors that say what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo import MongoClient
from pymongo.database import Database

from bot.domain.accounts import Session
from bot.domain.customers import Customer
from bot.domain.errors import BadData, StoreUnavailable
from bot.domain.schema import COLLECTIONS
from bot.stores.driver import DURABLE, connect, database
from bot.stores.driver import Database as AsyncDatabase
from bot.stores.mongo import MongoStore, documents, migrations
from bot.stores.mongo.checks import clock
from bot.stores.mongo.transactions import SNAPSHOT
from tests.contracts.records import NOW, customer, session
from tests.contracts.store_contract import insert
from tests.e2e.server import free_port
from tests.mongod import ReplicaSet, standalone

Db = Database[dict[str, Any]]
IMPATIENT = timedelta(seconds=0.5)
DAY, FAR = timedelta(days=1), timedelta(days=100_000)


@pytest.fixture
def db(mongo_url: str) -> Iterator[Db]:
    client: MongoClient[dict[str, Any]] = MongoClient(mongo_url)
    with client:
        yield client.get_default_database()


async def open_and_close(url: str) -> None:
    store = MongoStore(url, patience=timedelta(seconds=3))
    await store.open()
    await store.close()


async def test_no_address_weakens_what_is_promised(mongo_url: str) -> None:
    client = connect(f"{mongo_url}&w=1&journal=false&readPreference=secondaryPreferred", IMPATIENT)
    used = database(client)
    assert used.write_concern.document == {"w": "majority", "j": True}
    assert (used.read_concern.level, used.read_preference.mode) == ("majority", 0)
    assert (DURABLE.document, SNAPSHOT.level) == ({"w": "majority", "j": True}, "snapshot")  # of transactions
    client.close()


# ── The collections are what the schema says ────────────────────────────────────────────────────


async def test_there_is_no_collection_that_nobody_declared(db: Db, mongo_url: str) -> None:
    await open_and_close(mongo_url)
    ours = {"sequences", "counters", "meta"}
    assert set(db.list_collection_names()) == {kept.name for kept in COLLECTIONS.values()} | ours


async def test_indexes_and_schema_agree(db: Db, mongo_url: str) -> None:
    await open_and_close(mongo_url)
    for collection in COLLECTIONS.values():
        found = list(db[collection.name].index_information().values())
        fields = {tuple(field for field, _ in index["key"]): index for index in found}
        assert {(*wanted, "came") for wanted in collection.indexes} <= set(fields)
        assert all(fields[wanted]["unique"] for wanted in collection.unique)
        for field, over in collection.unique_while:
            assert fields[over,]["unique"]
            assert fields[over,]["partialFilterExpression"] == {field: 1}


async def test_what_is_over_goes_by_itself_but_not_at_once(
    own_mongo: ReplicaSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes from another store, however old, is still there to be compared."""
    own_mongo.members[0].set(ttlMonitorEnabled=True)
    store = MongoStore(own_mongo.url())
    await store.open()
    old = session("copied", expires_at=datetime.now(UTC) - 2 * DAY)
    await insert(store, old, session("valid", expires_at=NOW + FAR))
    monkeypatch.setattr(documents, "AT_LEAST", timedelta())
    await insert(store, replace(old, id="over"))
    async with asyncio.timeout(10):
        while await store.get(Session, "over"):  # noqa: ASYNC110 - the condition is a read of the store
            await asyncio.sleep(0.1)
    assert await store.get(Session, "valid")
    assert await store.get(Session, "copied")
    await store.close()


# ── Migrations ──────────────────────────────────────────────────────────────────────────────────


def with_migrations(monkeypatch: pytest.MonkeyPatch, *more: migrations.Migration) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, *more))


async def fill_in(db: AsyncDatabase) -> None:
    await db["customers"].update_many({"language": None}, {"$set": {"language": "de"}})


async def break_off(db: AsyncDatabase) -> None:
    await fill_in(db)
    raise RuntimeError("killed")


async def test_an_older_store_is_brought_up_to_date(
    db: Db, mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MongoStore(mongo_url)
    await store.open()
    kept = await insert(store, customer("k1"))
    with_migrations(monkeypatch, fill_in)
    await open_and_close(mongo_url)
    assert await store.get(Customer, "k1") == kept
    assert db["customers"].find_one({}, {"_id": 0, "language": 1}) == {"language": "de"}
    assert db["meta"].find_one("version", {"value": 1}) == {"_id": "version", "value": 2}
    await store.close()


async def test_a_migration_that_broke_off_is_done_again(
    db: Db, mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_and_close(mongo_url)
    with monkeypatch.context() as patch:
        with_migrations(patch, break_off)
        with pytest.raises(RuntimeError, match="killed"):
            await open_and_close(mongo_url)
    assert db["meta"].find_one("version", {"value": 1}) == {"_id": "version", "value": 1}
    with_migrations(monkeypatch, fill_in)
    await open_and_close(mongo_url)
    assert db["meta"].find_one("version", {"value": 1}) == {"_id": "version", "value": 2}


async def test_many_may_open_a_new_store_at_once_and_one_migrates(
    mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrated: list[str] = []

    async def slowly(_: AsyncDatabase) -> None:
        migrated.append("begun")
        await asyncio.sleep(0.2)
        assert len(migrated) == 1

    with_migrations(monkeypatch, slowly)
    await asyncio.gather(*(open_and_close(mongo_url) for _ in range(5)))
    assert migrated == ["begun"]


async def test_the_lock_of_a_killed_process_runs_out(mongo_url: str) -> None:
    client = connect(mongo_url, timedelta(seconds=3))
    soon = timedelta(seconds=0.3)
    assert await migrations._held(database(client), "killed", soon)
    with pytest.raises(StoreUnavailable, match="Another process has been migrating"):
        await migrations.prepare(database(client), patience=timedelta())
    await migrations.prepare(database(client), lease=soon)
    client.close()


async def test_a_long_migration_keeps_its_lock(mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client, short = connect(mongo_url, timedelta(seconds=3)), timedelta(seconds=0.15)

    async def longer_than_the_lease(db: AsyncDatabase) -> None:
        await asyncio.sleep(0.5)
        assert not await migrations._held(db, "another", short)

    with_migrations(monkeypatch, longer_than_the_lease)
    await migrations.prepare(database(client), lease=short)
    client.close()


async def test_a_newer_store_is_refused_and_left_alone(
    db: Db, mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        with_migrations(patch, fill_in)
        await open_and_close(mongo_url)
    before = list(db["meta"].find())
    with pytest.raises(BadData, match=r"newer Switchboard \(store version 2, this one knows 1\)"):
        await open_and_close(mongo_url)
    assert list(db["meta"].find()) == before


async def test_an_index_that_the_schema_asks_for_later_is_made(
    db: Db, mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(COLLECTIONS, Session, replace(COLLECTIONS[Session], indexes=()))  # type: ignore[misc]
        await open_and_close(mongo_url)
        assert set(db["sessions"].index_information()) == {"_id_", "gone_at"}
    await open_and_close(mongo_url)
    assert "user_came" in db["sessions"].index_information()


# ── What cannot be opened, and what the doctor says ─────────────────────────────────────────────


async def findings(url: str, patience: timedelta = IMPATIENT) -> list[tuple[str, str]]:
    return [(found.status, found.detail) for found in await MongoStore(url, patience=patience).check()]


async def test_the_doctor_measures_and_knows_what_one_member_means(mongo_url: str) -> None:
    found = await findings(mongo_url, timedelta(seconds=10))
    assert [status for status, _ in found] == ["ok", "ok", "ok", "warn", "ok", "ok"]
    said = " · ".join(detail for _, detail in found)
    for words in (
        "answers in",
        "a journaled majority write takes",
        "MongoDB ",
        "has 1 with data",
        "after 3 s",
        "this machine's is 0.",
    ):
        assert words in said


@pytest.mark.parametrize(("apart", "status"), [(-1.5, "ok"), (1.5, "ok"), (-2.5, "warn"), (2.5, "warn")])
def test_a_clock_that_is_wrong_is_told(apart: float, status: str) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    finding = clock(noon, noon + timedelta(seconds=apart))
    assert (finding.name, finding.status, bool(finding.fix)) == ("clock", status, status == "warn")


async def test_a_server_without_a_replica_set_is_refused_with_the_remedy() -> None:
    with standalone() as alone:
        url = f"mongodb://{alone.host}/switchboard"
        with pytest.raises(BadData, match=r"no transactions\. Start mongod with --replSet"):
            await open_and_close(url)
        (finding,) = await MongoStore(url).check()
        assert (finding.status, finding.fix.split(" rs0")[0]) == ("fail", "Start mongod with --replSet")


async def test_nobody_there_is_said_within_its_patience() -> None:
    url = f"mongodb://127.0.0.1:{free_port()}/switchboard?replicaSet=rs0"
    with pytest.raises(StoreUnavailable, match="no primary is in reach"):
        await MongoStore(url, patience=IMPATIENT).open()
    assert await findings(url) == [("fail", "MongoDB cannot be used: no primary is in reach")]


async def test_a_wrong_address_says_what_one_looks_like() -> None:
    with pytest.raises(BadData, match="it looks like mongodb://"):
        await open_and_close("mongodb://127.0.0.1:port/x")
    with pytest.raises(BadData, match="%2F") as told:
        await open_and_close(
            "mongodb://user:geh/eim@127.0.0.1/x"
        )  # a password with a sign that ends the host
    assert "eim" not in str(told.value)
    ((status, _),) = await findings("mongodb://127.0.0.1:port/x")
    assert status == "fail"
