"""`backup` and `migrate`: which store is copied where, and that nobody works on it meanwhile."""

from __future__ import annotations

from contextlib import AbstractContextManager, AsyncExitStack
from pathlib import Path

from msgspec.structs import replace

from bot.bootstrap.at_work import Tell, alone
from bot.bootstrap.backends import now, opened_files, opened_store, store_path
from bot.config import ConfigError, Settings, urls
from bot.domain.errors import Unknown
from bot.domain.ports import Movable, Store
from bot.domain.strict import BadShape
from bot.services.copying import Moved, Told, copy_files, copy_store
from bot.stores.sqlite import SqliteStore


async def backup(settings: Settings, file: Path) -> int:
    """A copy of the SQLite store, which may be in use; returns its bytes. Raises `ConfigError`, `BadData`, `Unknown`."""
    if settings.shared:
        raise ConfigError(
            "`backup` copies an SQLite store; of MongoDB, `mongodump --oplog` makes a consistent copy."
        )
    _is_there(settings)
    store = SqliteStore(store_path(settings))
    try:
        return await store.backup(file)
    finally:
        await store.close()


async def migrate(settings: Settings, to: str, files: str | None, told: Told) -> tuple[Settings, Moved]:
    """Copy the store to `to`, and the files to `files` (None: into MongoDB with it, or they stay where they are).

    Returns where everything is now. Raises `ConfigError`, `BadData`, `StoreUnavailable`, `Unknown`.
    """
    target = _target(settings, to, files)
    async with AsyncExitStack() as stack:
        for one in (settings, target):
            if not one.shared:
                stack.enter_context(_alone(one))
        _is_there(settings)
        moved = await copy_store(
            _movable(await stack.enter_async_context(opened_store(settings))),
            _movable(await stack.enter_async_context(opened_store(target))),
            now,
            told,
        )
        if target.files != settings.files:
            here = await stack.enter_async_context(opened_files(settings))
            there = await stack.enter_async_context(opened_files(target))
            moved = replace(moved, files=await copy_files(here, there, told))
    return target, moved


def _target(settings: Settings, to: str, files: str | None) -> Settings:
    to_files = files or (
        to if to.startswith("mongodb") and settings.files_on_this_machine else settings.files
    )
    try:
        urls.check(to, urls.REDIS if to.startswith("mongodb") else "memory://", to_files)
    except BadShape as exc:
        raise ConfigError(f"--{'files' if exc.path == 'files' else 'to'}: {exc.problem}") from exc
    if to == settings.store:
        raise ConfigError("--to is the store that is configured; name another one.")
    return replace(settings, store=urls.Url(to), files=urls.Url(to_files))


def _alone(settings: Settings) -> AbstractContextManager[Tell]:
    store_path(settings).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return alone(store_path(settings))


def _is_there(settings: Settings) -> None:
    if not settings.shared and not store_path(settings).exists():
        raise Unknown(f"There is no store at {store_path(settings)} yet; `switchboard serve` makes one.")


def _movable(store: Store) -> Movable:
    assert isinstance(store, Movable)
    return store
