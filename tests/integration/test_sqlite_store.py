"""The embedded store keeps the store's contract, and shares its commits."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.cases import Case
from bot.domain.customers import Identity
from bot.domain.errors import BadData, StoreUnavailable
from bot.domain.journal import Entry
from bot.domain.messages import Event, EventState, FeedEntry, Message
from bot.domain.outbox import OutboxRow
from bot.domain.ports import Add, Applied, Insert, Query
from bot.stores.sqlite import SqliteStore
from tests.contracts.records import case, entry, event
from tests.contracts.store_contract import StoreContract, at_once, found, insert, inserts, unit

NO_PATIENCE = timedelta(milliseconds=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "switchboard.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(path, patience=NO_PATIENCE)
    yield opened
    await opened.close()


@pytest.fixture
def another_process(path: Path, store: SqliteStore) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


class TestSqliteStore(StoreContract):
    @pytest.fixture
    async def store(self, path: Path) -> AsyncIterator[SqliteStore]:
        opened = SqliteStore(path)
        yield opened
        await opened.close()


async def test_everything_survives_a_restart(path: Path, store: SqliteStore) -> None:
    kept = await insert(store, event("e1", text="emoji 📦, NUL \0, half \ud83d"))
    await store.apply(unit(Insert(record=entry("j1"), scope="k1"), Add(counter="received")))
    await store.close()
    again = SqliteStore(path)
    assert await again.get(Event, "e1") == kept
    assert await again.counters("") == {"received": 1}
    assert await again.apply(unit(Insert(record=entry("j2"), scope="k1"))) == Applied(sequences=(2,))
    await again.close()


async def test_case_numbers_go_on_after_a_restart_without_a_gap(path: Path, store: SqliteStore) -> None:
    assert [await store.number() for _ in range(3)] == [1001, 1002, 1003]
    await store.close()
    again = SqliteStore(path)
    assert await again.number() == 1004
    await again.close()


async def test_five_hundred_at_once_share_few_commits(store: SqliteStore) -> None:
    before = store.commits
    outcomes = await at_once(store, [inserts(entry(f"j{n}")) for n in range(500)])
    assert outcomes == [Applied()] * 500
    assert 1 <= store.commits - before <= 10


async def test_a_commit_is_on_the_disk_when_it_returns(store: SqliteStore) -> None:
    ((level,),) = store._db.execute("PRAGMA synchronous").fetchall()
    ((mode,),) = store._db.execute("PRAGMA journal_mode").fetchall()
    assert (level, mode) == (2, "wal")


async def test_a_full_disk_fails_the_group_and_is_got_over(store: SqliteStore) -> None:
    await insert(store, entry("before"))
    ((pages,),) = store._db.execute("PRAGMA page_count").fetchall()
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    units = [inserts(event(f"e{n}", text="x" * 100_000), entry(f"j{n}")) for n in range(10)]
    outcomes = await asyncio.gather(*map(store.apply, units), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 10
    assert await found(store, Query(kind=Entry)) == ["before"]
    store._db.execute("PRAGMA max_page_count = 1000000")
    assert await at_once(store, units) == [Applied()] * 10


async def test_a_commit_that_fails_fails_the_group_and_is_got_over(store: SqliteStore) -> None:
    def no_commit(action: int, what: str | None, *_: str | None) -> int:
        refused = action == sqlite3.SQLITE_TRANSACTION and what == "COMMIT"
        return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK

    store._db.set_authorizer(no_commit)
    units = [inserts(entry(f"j{n}")) for n in range(10)]
    outcomes = await asyncio.gather(*map(store.apply, units), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 10
    store._db.set_authorizer(None)
    assert await found(store, Query(kind=Entry)) == []
    assert await at_once(store, units) == [Applied()] * 10


async def test_a_store_locked_by_another_process_is_unavailable_until_it_is_not(
    store: SqliteStore, another_process: sqlite3.Connection
) -> None:
    another_process.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.apply(inserts(entry("j1")))
    another_process.execute("ROLLBACK")
    assert await store.apply(inserts(entry("j1"))) == Applied()


async def test_readers_do_not_wait_for_another_process_that_writes(
    store: SqliteStore, another_process: sqlite3.Connection
) -> None:
    await insert(store, entry("j1"))
    another_process.execute("BEGIN IMMEDIATE")
    another_process.execute("DELETE FROM journal")
    assert await found(store, Query(kind=Entry)) == ["j1"]
    assert await store.count(Query(kind=Entry)) == 1


async def test_two_stores_on_one_file_share_sequences_numbers_and_constraints(
    path: Path, store: SqliteStore
) -> None:
    other = SqliteStore(path)
    patient = SqliteStore(path)
    units = [unit(Insert(record=event(f"e{n}", f"x{n // 2}"), scope="k1")) for n in range(100)]
    outcomes = await asyncio.gather(*((patient, other)[n % 2].apply(units[n]) for n in range(100)))
    numbers = await asyncio.gather(*((patient, other)[n % 2].number() for n in range(100)))
    given = [outcome.sequences[0] for outcome in outcomes if isinstance(outcome, Applied)]
    assert sorted(given) == list(range(1, 51))
    assert len(set(numbers)) == 100
    for opened in (other, patient):
        await opened.close()


async def test_what_was_handed_over_is_written_though_the_caller_gave_up(store: SqliteStore) -> None:
    waiting = asyncio.create_task(store.apply(inserts(entry("j1"))))
    await asyncio.sleep(0)
    waiting.cancel()
    assert await store.apply(inserts(entry("j2"))) == Applied()
    assert await found(store, Query(kind=Entry)) == ["j1", "j2"]


def test_a_loop_that_ended_does_not_stop_the_writer(path: Path) -> None:
    store = SqliteStore(path)
    gone = asyncio.new_event_loop()
    gone.run_until_complete(asyncio.sleep(0))

    async def give_up() -> None:
        store._writer.submit(lambda db: db.execute("SELECT 1").fetchall())

    gone.run_until_complete(give_up())
    gone.close()

    async def go_on() -> None:
        assert await store.apply(inserts(entry("j1"))) == Applied()
        await store.close()

    asyncio.run(go_on())


async def test_a_body_nobody_can_read_says_what_to_do(
    store: SqliteStore, another_process: sqlite3.Connection
) -> None:
    await insert(store, case("s1", number=1001))
    another_process.execute("UPDATE cases SET body = replace(body, '\"bot\"', '\"flying\"')")
    with pytest.raises(BadData, match=r"Case cannot be read .*flying.* restore a backup"):
        await store.get(Case, "s1")


SMALL = {
    "the next event of a lane": Query(
        kind=Event, equals={"lane": "k1", "state": EventState.PENDING}, order="seq", limit=1
    ),
    "the identity of an address": Query(
        kind=Identity, equals={"channel": "telegram", "account": "shop", "user": "u1"}, limit=1
    ),
    "the open case of a customer": Query(kind=Case, equals={"customer": "k1", "is_open": True}, limit=1),
    "the last case of a customer": Query(kind=Case, equals={"customer": "k1"}, order="-opened_at", limit=1),
    "a transcript": Query(kind=Message, equals={"case": "s1"}, order="seq"),
    "the feed since": Query(kind=FeedEntry, equals={"topic": "t"}, after={"seq": 7}, order="seq"),
    "the next row of an order key": Query(
        kind=OutboxRow, equals={"order_key": "k", "state": "queued"}, order="seq", limit=1
    ),
    "cases that are due": Query(kind=Case, until={"due_at": event("e").received_at}, order="due_at"),
}


@pytest.mark.parametrize("query", SMALL.values(), ids=SMALL)
async def test_what_the_server_asks_all_the_time_stays_on_the_loop(
    store: SqliteStore, query: Query[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_off_the_loop", None)  # would fail
    assert await store.find(query) == []


@pytest.mark.parametrize(
    "query",
    [
        Query(kind=Entry, equals={"customer": "k1"}),
        Query(kind=Entry, equals={"case": "s1"}, order="-at"),
        Query(kind=Entry, equals={"case": "s1"}, order="seq", limit=1000),
    ],
    ids=["no index", "to be sorted", "many"],
)
async def test_what_may_take_long_leaves_the_loop(
    store: SqliteStore, query: Query[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    hops: list[str] = []

    async def hop(read: Callable[[], Any]) -> Any:
        hops.append("to a thread")
        return read()

    monkeypatch.setattr(store, "_off_the_loop", hop)
    await insert(store, entry("j1"))
    assert [kept.id for kept in await store.find(query)] == ["j1"]
    assert hops == ["to a thread"]
