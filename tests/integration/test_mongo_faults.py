"""The store when MongoDB dies, hangs, fails over or loses an answer: nothing twice, nothing lost, nobody waits long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo import MongoClient

from bot.domain.cases import Case
from bot.domain.errors import StoreUnavailable
from bot.domain.journal import Entry
from bot.domain.ports import Add, Applied, Changes, Duplicate, Expect, Insert, Query, Update
from bot.stores.mongo import MongoStore
from tests.contracts.records import case, entry
from tests.contracts.store_contract import found, insert, inserts, unit
from tests.mongod import ReplicaSet

IMPATIENT = timedelta(seconds=1)
# The transaction is committed, and the client is not told so.
NO_ANSWER = {"code": 64, "errmsg": "waiting for replication timed out", "errInfo": {"wtimeout": True}}


async def opened(url: str, patience: timedelta = timedelta(seconds=5)) -> MongoStore:
    store = MongoStore(url, patience=patience)
    await store.open()
    return store


@pytest.fixture
async def store(mongo_url: str) -> AsyncIterator[MongoStore]:
    store = await opened(mongo_url)
    yield store
    await store.close()


@contextmanager
def failing(mongo: ReplicaSet, times: int, **how: Any) -> Iterator[None]:
    """Let commands fail as often."""
    client: MongoClient[Any] = MongoClient(mongo.url())
    with client:
        client.admin.command("configureFailPoint", "failCommand", mode={"times": times}, data=how)
        try:
            yield
        finally:
            client.admin.command("configureFailPoint", "failCommand", mode="off")


def numbered(n: int) -> Changes:
    return unit(Insert(record=entry(f"j{n}"), scope="k1"), Insert(record=entry(f"k{n}")))


# ── One server ──────────────────────────────────────────────────────────────────────────────────


async def test_a_lost_connection_in_the_middle_is_got_over(store: MongoStore, mongo: ReplicaSet) -> None:
    for command in ("findAndModify", "insert", "commitTransaction"):
        with failing(mongo, 1, failCommands=[command], closeConnection=True):
            assert isinstance(await store.apply(numbered(hash(command))), Applied)
    assert [kept.seq for kept in await store.find(Query(kind=Entry, after={"seq": 0}, order="seq"))] == [
        1,
        2,
        3,
    ]


async def test_a_commit_whose_answer_is_lost_is_asked_again_and_written_once(
    store: MongoStore, mongo: ReplicaSet
) -> None:
    with failing(mongo, 2, failCommands=["commitTransaction"], writeConcernError=NO_ANSWER):
        assert await store.apply(numbered(1)) == Applied(sequences=(1,))
    assert await found(store, Query(kind=Entry)) == ["j1", "k1"]


async def test_a_unit_in_doubt_may_be_handed_over_again(mongo: ReplicaSet, mongo_url: str) -> None:
    store = await opened(mongo_url, IMPATIENT)
    kept = await insert(store, case("s1", number=1))
    in_doubt = unit(Update(record=replace(kept, language="en")), Insert(record=entry("j1")))
    with (
        failing(mongo, 1000, failCommands=["commitTransaction"], writeConcernError=NO_ANSWER),
        pytest.raises(StoreUnavailable, match="MongoDB could not be used"),
    ):
        await store.apply(in_doubt)
    assert not isinstance(await store.apply(in_doubt), Applied)
    assert await store.get(Case, "s1") == replace(kept, language="en", version=1)
    assert await found(store, Query(kind=Entry)) == ["j1"]
    await store.close()


async def test_one_write_that_no_majority_confirmed_is_unavailable(
    store: MongoStore, mongo: ReplicaSet
) -> None:
    lost = failing(mongo, 1000, failCommands=["insert"], writeConcernError=NO_ANSWER)
    with lost, pytest.raises(StoreUnavailable, match="MongoDB could not be used"):
        await store.apply(inserts(entry("j1")))


async def test_of_many_who_read_from_a_server_that_hangs_nobody_waits_longer(own_mongo: ReplicaSet) -> None:
    store = await opened(own_mongo.url(), IMPATIENT)
    own_mongo.members[0].freeze()
    started = time.monotonic()
    reads = [store.find(Query(kind=Entry)) for _ in range(100)] + [store.get(Entry, "j0") for _ in range(100)]
    answers = await asyncio.gather(*reads, return_exceptions=True)
    took = time.monotonic() - started
    own_mongo.members[0].thaw()
    assert {type(answer) for answer in answers} == {StoreUnavailable}
    assert took < 3
    assert await store.get(Entry, "j0") is None
    await store.close()


async def test_a_server_that_hangs_is_unavailable_and_got_over(own_mongo: ReplicaSet) -> None:
    store = await opened(own_mongo.url(), IMPATIENT)
    await insert(store, entry("j0"))
    own_mongo.members[0].freeze()
    started = time.monotonic()
    units = (store.apply(inserts(entry(f"a{n}"), entry(f"b{n}"))) for n in range(100))
    reads = (store.get(Entry, "j0"), store.number(), store.counters(""))
    answers = await asyncio.gather(*reads, *units, return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 103
    assert time.monotonic() - started < 6
    own_mongo.members[0].thaw()
    assert await store.get(Entry, "j0") == entry("j0")
    await store.close()


async def test_a_killed_server_loses_nothing_that_was_acknowledged(own_mongo: ReplicaSet) -> None:
    store = await opened(own_mongo.url())
    writing = asyncio.create_task(_write_until_refused(store))
    await asyncio.sleep(0.3)
    await asyncio.to_thread(own_mongo.kill)
    acknowledged, tried = await writing
    own_mongo.restart()
    started = time.monotonic()
    there = {one.id for one in await store.find(Query(kind=Entry, limit=100_000))}
    assert time.monotonic() - started < 5
    assert set(acknowledged) <= there <= {*acknowledged, *tried}
    again = await store.apply(inserts(entry(acknowledged[-1])))
    assert again == Duplicate(kind=Entry, id=acknowledged[-1])
    await store.close()


async def _write_until_refused(store: MongoStore) -> tuple[list[str], list[str]]:
    """Ids of one scope that were acknowledged, and the one that was not."""
    acknowledged: list[str] = []
    while True:
        id = f"j{len(acknowledged):06}"
        try:
            await store.apply(unit(Insert(record=entry(id), scope="k1")))
        except StoreUnavailable:
            return acknowledged, [id]
        acknowledged.append(id)


# ── Three servers ───────────────────────────────────────────────────────────────────────────────


async def test_when_the_primary_is_killed_the_next_takes_over_and_nobody_notices(
    three_mongos: ReplicaSet,
) -> None:
    store = await opened(three_mongos.url())
    writing = asyncio.create_task(_write(store, 400))
    await asyncio.sleep(0.3)
    killed = await asyncio.to_thread(three_mongos.kill)
    refused = await writing
    assert refused <= 10  # an election takes longer than somebody's patience now and then
    entries = await store.find(Query(kind=Entry, limit=1000, order="seq"))
    assert [one.seq for one in entries] == list(range(1, len(entries) + 1))
    assert {f"j{n}" for n in range(400)} <= {one.id for one in entries}
    killed.start()
    await store.close()


async def _write(store: MongoStore, times: int) -> int:
    """As a platform would, again and again until it is acknowledged; returns how often it was not."""
    refused = 0
    for n in range(times):
        while True:
            try:
                await store.apply(unit(Insert(record=entry(f"j{n}"), scope="k1"), Add(counter="all")))
                break
            except StoreUnavailable:
                refused += 1
    return refused


# ── Several processes ───────────────────────────────────────────────────────────────────────────


async def test_processes_that_want_the_same_things_all_get_on(mongo_url: str) -> None:
    stores = [await opened(mongo_url) for _ in range(4)]
    units = [
        unit(Insert(record=entry(f"j{n}"), scope="k1"), Insert(record=entry(f"l{n}"), scope=f"lane{n % 3}"))
        for n in range(100)
    ]
    outcomes = await asyncio.gather(*(stores[n % 4].apply(units[n]) for n in range(100)))
    given = sorted(outcome.sequences[0] for outcome in outcomes if isinstance(outcome, Applied))
    assert given == list(range(1, 101))
    for store in stores:
        await store.close()


async def test_what_was_guarded_cannot_change_unseen(store: MongoStore, mongo_url: str) -> None:
    """Both read the same version; the one that only guards it must not slip past the one that writes it."""
    other = await opened(mongo_url)
    for n in range(20):
        kept = await insert(store, case(f"s{n}", number=n))
        guard = Expect(kind=Case, id=kept.id, version=0)
        guarded = Changes(guards=(guard,), writes=(Insert(record=entry(f"j{n}")), Add(counter="guarded")))
        changed = unit(Update(record=replace(kept, language="en")), Add(counter="changed"))
        outcomes = await asyncio.gather(store.apply(guarded), other.apply(changed))
        assert isinstance(outcomes[1], Applied)
    await other.close()


async def test_what_waits_together_is_written_together(store: MongoStore, mongo: ReplicaSet) -> None:
    before = mongo.members[0].ask("serverStatus")["transactions"]["totalCommitted"]
    units = [
        unit(Insert(record=entry(f"j{n}"), scope=f"k{n}"), Insert(record=entry(f"l{n}"))) for n in range(200)
    ]
    assert await asyncio.gather(*map(store.apply, units)) == [Applied(sequences=(1,))] * 200
    assert mongo.members[0].ask("serverStatus")["transactions"]["totalCommitted"] - before < 40


async def test_who_is_held_up_by_another_process_holds_up_nobody_else(
    store: MongoStore, mongo_url: str
) -> None:
    client: MongoClient[Any] = MongoClient(mongo_url)
    with client, client.start_session() as session, session.start_transaction():
        sequences = client.get_default_database()["sequences"]
        sequences.update_one({"_id": "k1"}, {"$inc": {"value": 1}}, upsert=True, session=session)
        waiting = [asyncio.create_task(store.apply(numbered(n))) for n in range(3)]
        for n in range(10, 60):
            await store.apply(unit(Insert(record=entry(f"j{n}"), scope="k2"), Insert(record=entry(f"l{n}"))))
        assert not any(task.done() for task in waiting)
        session.abort_transaction()
        assert await asyncio.gather(*waiting) == [Applied(sequences=(n,)) for n in (1, 2, 3)]


async def test_what_a_killed_process_left_open_is_got_over(store: MongoStore, mongo_url: str) -> None:
    client: MongoClient[Any] = MongoClient(mongo_url)
    with client:
        session = client.start_session()
        session.start_transaction()
        sequences = client.get_default_database()["sequences"]
        sequences.update_one({"_id": "k1"}, {"$inc": {"value": 1}}, upsert=True, session=session)
        for _ in range(3):  # the server ends it after a while
            try:
                assert await store.apply(numbered(1)) == Applied(sequences=(1,))
                break
            except StoreUnavailable:
                continue
        else:
            pytest.fail("still in the way")
        session.end_session()
