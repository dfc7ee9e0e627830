"""The embedded store and the deaths and lives of real processes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest

from bot.domain.journal import Entry
from bot.domain.messages import Event
from bot.domain.ports import Insert, Query
from bot.stores.sqlite import SqliteStore
from tests.contracts.records import event
from tests.contracts.store_contract import ids, unit

ENDLESS = 1_000_000
PROJECT = Path(__file__).parents[2]


@contextmanager
def process(path: Path, name: str, most: int = ENDLESS) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.integration.sqlite_process", str(path), name, str(most)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as started:
        try:
            yield started
        finally:
            started.kill()


def acknowledged(started: "subprocess.Popen[str]", most: int | None = None) -> set[str]:
    assert started.stdout
    return {line.strip() for line in islice(started.stdout, most) if line.endswith("\n")}


@pytest.mark.parametrize("when", [1, 35, 200, 777, 1500])
async def test_a_kill_loses_nothing_acknowledged_and_leaves_no_half(tmp_path: Path, when: int) -> None:
    path = tmp_path / "switchboard.db"
    with process(path, "e") as started:
        told = acknowledged(started, when)
        started.kill()
        told |= acknowledged(started)
    store = SqliteStore(path)
    events = await store.find(Query(kind=Event, order="seq", limit=ENDLESS))
    kept = {kept.id for kept in events}
    assert told <= kept
    assert [kept.seq for kept in events] == list(range(1, len(events) + 1))
    assert kept == set(await ids(store, Query(kind=Entry, limit=ENDLESS)))
    await store.close()


async def test_processes_write_at_the_same_time_without_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "switchboard.db"
    with process(path, "a", 300) as first, process(path, "b", 300) as second:
        store = SqliteStore(path)
        for n in range(50):
            await store.apply(unit(Insert(record=event(f"own{n}"), scope="k1")))
        told = acknowledged(first) | acknowledged(second)
        assert len(told) == 600
        assert (first.wait(), second.wait()) == (0, 0)
    events = await store.find(Query(kind=Event, order="seq", limit=ENDLESS))
    assert [kept.seq for kept in events] == list(range(1, 651))
    await store.close()
