"""A copy of the store as it is at one moment, made while servers read and write it."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path

from bot.domain.errors import BadData, StoreUnavailable


def copy_to(db: sqlite3.Connection, path: Path) -> int:
    """All of it under its name, checked and on the disk, or nothing; https://www.sqlite.org/backup.html.

    Raises `BadData` for a path that cannot be used, `StoreUnavailable`.
    """
    if path.exists():
        raise BadData(f"{path} is there already; name a new file, a backup never writes over another.")
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
        os.close(handle)
        return _copy(db, Path(name), path)
    except sqlite3.Error as exc:
        raise StoreUnavailable(
            f"The store could not be copied ({exc}); nothing was written, try again."
        ) from exc
    except OSError as exc:
        raise BadData(
            f"{path} cannot be written ({exc.strerror}); check the path and its permissions."
        ) from exc


def _copy(db: sqlite3.Connection, fresh: Path, path: Path) -> int:
    try:
        with closing(sqlite3.connect(fresh)) as copy:
            db.backup(copy)  # in one step: what is written meanwhile is not in it, and does not wait
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            ((found,),) = copy.execute("PRAGMA quick_check(1)").fetchall()
        if found != "ok":
            raise StoreUnavailable(f"The store is damaged ({found}); restore a backup.")
        _sync(fresh)
        os.link(fresh, path)  # fails when somebody made that file meanwhile
        _sync(path.parent)
        return path.stat().st_size
    finally:
        with suppress(OSError):
            fresh.unlink()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
