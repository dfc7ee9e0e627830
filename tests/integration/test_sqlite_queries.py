"""SQLite answers whatever the server asks for from an index, in the order it is asked for."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from bot.stores.sqlite.database import prepare
from bot.stores.sqlite.tables import table
from tests.queries import ASKED, Asked


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path: Path = tmp_path_factory.mktemp("queries") / "switchboard.db"
    prepare(path, timedelta(seconds=1))
    with closing(sqlite3.connect(path)) as connection:
        yield connection


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_an_index_answers(db: sqlite3.Connection, asked: Asked) -> None:
    of = table(asked.query.kind)
    sql, values = of.select("body", asked.query)
    explained = db.execute(f"EXPLAIN QUERY PLAN {sql}{of.order(asked.query)} LIMIT 9", values).fetchall()
    plan = "; ".join(step for *_, step in explained)
    whole = "SCAN" in plan and not (asked.query.order and "USING INDEX" in plan)  # in order, up to the limit
    assert asked.scans or not whole, plan
    assert asked.sorts or "TEMP B-TREE" not in plan, plan
