"""MongoDB answers whatever the server asks for from an index, in the order it is asked for."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo import MongoClient
from pymongo.database import Database

from bot.domain.cases import CaseState
from bot.domain.messages import EventState, MessageState
from bot.domain.ports import Query
from bot.stores.mongo import MongoStore
from bot.stores.mongo.documents import documents
from tests.contracts.records import NOW, case, entry, event, message, row
from tests.contracts.store_contract import insert
from tests.mongod import ReplicaSet
from tests.queries import ASKED, Asked

Db = Database[dict[str, Any]]


@pytest.fixture(scope="module")
def db(mongo: ReplicaSet) -> Iterator[Db]:
    """With enough in it for the planner to tell a good plan from a bad one."""
    name = f"queries_{secrets.token_hex(4)}"
    asyncio.run(filled(mongo.url(name)))
    client: MongoClient[dict[str, Any]] = MongoClient(mongo.url(name))
    with client:
        yield client[name]
    mongo.forget(name)


async def filled(url: str) -> None:
    store = MongoStore(url)
    await store.open()
    sent = [MessageState.SENT, MessageState.SENT, MessageState.QUEUED]
    for n in range(0, 300, 3):
        states = [CaseState.WAITING, CaseState.RESOLVED, CaseState.RESOLVED]
        await insert(
            store,
            *(case(f"s{n + m}", number=n + m, department=f"d{n % 4}", state=states[m]) for m in range(3)),
            *(replace(event(f"e{n + m}", lane=f"k{n % 7}"), state=EventState.DONE) for m in range(3)),
            *(message(f"m{n + m}", seq=n + m, customer=f"k{n % 7}") for m in range(3)),
            *(entry(f"j{n + m}", at=NOW) for m in range(3)),
            *(row(f"o{n + m}", order_key=f"chat{n % 7}", state=sent[m]) for m in range(3)),
        )
    await store.close()


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_an_index_answers(db: Db, asked: Asked) -> None:
    stages = set(planned(db, asked.query))
    assert asked.scans or "COLLSCAN" not in stages
    assert asked.sorts or "SORT" not in stages


def test_a_query_without_an_index_would_be_seen(db: Db) -> None:
    assert "COLLSCAN" in planned(db, Query(kind=type(entry("j")), equals={"customer": "k1"}))
    assert "SORT" in planned(db, Query(kind=type(message("m")), equals={"case": "s1"}, order="external_id"))


def planned(db: Db, query: Query[Any]) -> list[str]:
    of = documents(query.kind)
    find = {"find": of.name, "filter": of.filter(query), "limit": query.limit}
    if query.order:
        find["sort"] = dict(of.sort(query))
    plan = db.command("explain", find, verbosity="queryPlanner")["queryPlanner"]["winningPlan"]
    return list(stages_of(plan))


def stages_of(plan: Any) -> Iterator[str]:
    if isinstance(plan, dict):
        if "stage" in plan:
            yield plan["stage"]
        for part in plan.values():
            yield from stages_of(part)
    elif isinstance(plan, list):
        for part in plan:
            yield from stages_of(part)
