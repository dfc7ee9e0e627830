"""The secret key: a database knows its own, wherever that is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from bot import config
from bot.bootstrap.key import secret_key
from bot.config import ConfigError, Settings, Url
from bot.stores.sqlite import SqliteStore

LONG, OTHER = "a" * 40, "b" * 40


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(tmp_path / "switchboard.db")
    yield made
    await made.close()


def alone(folder: Path, key: str = "") -> Settings:
    file = folder / "config.yml"
    file.write_text(f"store: sqlite:///{folder}/switchboard.db", encoding="utf-8")
    return config.load(file, {"SWITCHBOARD_SECRET_KEY": key})


def shared(folder: Path, key: str = "") -> Settings:
    return replace(alone(folder, key), store=Url("mongodb://h/switchboard"), queue=Url("redis://h"))


async def test_a_key_of_ones_own_stays_the_same(tmp_path: Path, store: SqliteStore) -> None:
    key = await secret_key(alone(tmp_path), store)
    assert len(key) == 32
    assert await secret_key(alone(tmp_path), store) == key


async def test_what_the_file_holds_is_the_same_key_in_the_environment(
    tmp_path: Path, store: SqliteStore
) -> None:
    """So a database that moves to MongoDB takes its key along."""
    key = await secret_key(alone(tmp_path), store)
    written = (tmp_path / "secret.key").read_text(encoding="ascii")
    assert await secret_key(shared(tmp_path, written), store) == key


async def test_a_key_that_looks_like_one_of_a_file_is_what_it_was_at_first(
    tmp_path: Path, store: SqliteStore
) -> None:
    given = "0f" * 32
    assert await secret_key(shared(tmp_path, given), store) == given.encode()
    assert await secret_key(shared(tmp_path, given), store) == given.encode()


@pytest.mark.parametrize(("key", "why"), [("", "is not set"), ("short", "is too short")])
async def test_several_processes_need_a_long_one(
    tmp_path: Path, store: SqliteStore, key: str, why: str
) -> None:
    with pytest.raises(ConfigError, match=f"SWITCHBOARD_SECRET_KEY {why}; with MongoDB or Redis"):
        await secret_key(shared(tmp_path, key), store)


async def test_files_elsewhere_need_one_too(tmp_path: Path, store: SqliteStore) -> None:
    with pytest.raises(ConfigError, match="is not set"):
        await secret_key(replace(alone(tmp_path), files=Url("mongodb://h/files")), store)


async def test_a_process_with_another_key_than_the_others_does_not_start(
    tmp_path: Path, store: SqliteStore
) -> None:
    await secret_key(shared(tmp_path, LONG), store)
    with pytest.raises(ConfigError, match="is not the one this database was begun with"):
        await secret_key(shared(tmp_path, OTHER), store)


async def test_of_two_keys_at_once_one_counts(tmp_path: Path, store: SqliteStore) -> None:
    both = (secret_key(shared(tmp_path, key), store) for key in (LONG, OTHER))
    found = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(isinstance(one, ConfigError) for one in found) == [False, True]


async def test_one_process_may_begin_anew(tmp_path: Path, store: SqliteStore) -> None:
    await secret_key(alone(tmp_path, LONG), store)
    assert await secret_key(alone(tmp_path, OTHER), store) == OTHER.encode()


async def test_whoever_begins_anew_without_meaning_it_reads_so_in_the_log(
    tmp_path: Path, store: SqliteStore
) -> None:
    with capture_logs() as lines:
        await secret_key(alone(tmp_path), store)
        await secret_key(alone(tmp_path), store)
        assert lines == []
        await secret_key(alone(tmp_path, "short"), store)
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("secret.changed", "warning")
    assert "short" not in line["why"]
