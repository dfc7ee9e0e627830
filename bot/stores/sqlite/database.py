"""Opening the file: settings, migrations, and errors an operator can act on."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from importlib import resources
from pathlib import Path

from bot.domain.errors import BadData, StoreUnavailable

# In the file's header, so that `file` and we know whose it is ("SwBd").
APPLICATION_ID = 0x53774264
STATEMENTS = 256  # kept prepared per connection

_WRITE_SETTINGS = (
    "PRAGMA synchronous = FULL",  # a commit is on the disk when it returns
    "PRAGMA foreign_keys = OFF",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16384",  # KiB
    "PRAGMA journal_size_limit = 67108864",  # a log that grew in a rush shrinks again
)

_UNUSABLE = {
    sqlite3.SQLITE_NOTADB: "is no SQLite database; name another file, or move this one away",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore a backup",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check the path and its permissions",
    sqlite3.SQLITE_READONLY: "cannot be written; check its permissions and those of its folder",
    sqlite3.SQLITE_PERM: "cannot be written; check its permissions and those of its folder",
}


def prepare(path: Path, patience: timedelta) -> None:
    """Make the file and bring it up to date; raises `BadData`, or `sqlite3.Error`."""
    _place(path)
    with closing(connect(path, patience)) as db:
        _own(db, path)
        _write_ahead(db, path, patience)
        _migrate(db)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns `sqlite3.Error` into `BadData` where an operator has to act, else into `StoreUnavailable`."""
    try:
        yield
    except sqlite3.Error as exc:
        if remedy := _UNUSABLE.get(_code(exc)):
            raise BadData(f"{path} {remedy}.") from exc
        raise StoreUnavailable(
            f"{path} cannot be used just now ({exc}); is another process holding it?"
        ) from exc


def connect(path: Path, patience: timedelta) -> sqlite3.Connection:
    """A connection that waits `patience` for other processes; transactions are begun by hand."""
    return sqlite3.connect(
        path,
        timeout=patience.total_seconds(),
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENTS,
    )


def connect_writer(path: Path, patience: timedelta) -> sqlite3.Connection:
    db = connect(path, patience)
    for setting in _WRITE_SETTINGS:
        db.execute(setting)
    return db


def connect_reader(path: Path, patience: timedelta) -> sqlite3.Connection:
    db = connect(path, patience)
    db.execute("PRAGMA query_only = ON")
    return db


def migrations() -> tuple[str, ...]:
    """The scripts in their order; the first makes version 1."""
    folder = resources.files(__package__) / "migrations"
    scripts = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )
    return tuple(script.read_text(encoding="utf-8") for script in scripts)


def _place(path: Path) -> None:
    if path.is_dir():
        raise BadData(f"{path} is a folder; the store needs a file, such as {path / 'switchboard.db'}.")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)  # customers' words: for the owner only
    except OSError as exc:
        raise BadData(
            f"{path} cannot be created ({exc.strerror}); check the path and its permissions."
        ) from exc


def _own(db: sqlite3.Connection, path: Path) -> None:
    # In this order: another process may be making the tables, and marks them as ours with the same commit.
    if _number(db, "schema_version") and _number(db, "application_id") != APPLICATION_ID:
        raise BadData(f"{path} is a database of another program; name another file for the store.")
    known, found = len(migrations()), _number(db, "user_version")
    if found > known:
        raise BadData(
            f"{path} was written by a newer Switchboard (store version {found}, this one knows {known}). "
            "Start that version again, or restore a backup from before the upgrade."
        )


def _write_ahead(db: sqlite3.Connection, path: Path, patience: timedelta) -> None:
    """Two processes that open a new file at once may get a "locked" here for which SQLite does not wait."""
    until, mode = time.monotonic() + patience.total_seconds(), ""
    while not mode:
        try:
            ((mode,),) = db.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError as exc:
            if _code(exc) != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
    if mode != "wal":
        raise BadData(f"{path} is on a file system without shared memory; put the store on a local disk.")


def _migrate(db: sqlite3.Connection) -> None:
    if _number(db, "user_version") == len(migrations()):
        return
    db.execute("BEGIN IMMEDIATE")
    done = _number(db, "user_version")  # another process may have been faster
    for number, script in enumerate(migrations()[done:], start=done + 1):
        for statement in _statements(script):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {number}")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("COMMIT")


def _statements(script: str) -> list[str]:
    """The statements of a script; `executescript` would commit before each script."""
    found = [""]
    for line in script.splitlines(keepends=True):
        found[-1] += line
        if sqlite3.complete_statement(found[-1]):
            found.append("")
    return [statement for statement in found if statement.strip()]


def _number(db: sqlite3.Connection, pragma: str) -> int:
    ((value,),) = db.execute(f"PRAGMA {pragma}").fetchall()
    return int(value)


def _code(exc: sqlite3.Error) -> int:
    """The primary code: the low byte of an extended one (0 for errors that are not SQLite's own)."""
    code: int = getattr(exc, "sqlite_errorcode", 0)
    return code & 0xFF
