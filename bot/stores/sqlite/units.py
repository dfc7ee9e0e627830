"""What one unit does to the database: guards first, then its writes, and a reason when it may not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from bot.domain.ports import (
    Add,
    Applied,
    Changes,
    Conflict,
    Delete,
    Duplicate,
    Expect,
    Insert,
    Outcome,
    Update,
)
from bot.stores.records import FIRST_NUMBER, NUMBERS, column, encode, text
from bot.stores.sqlite.tables import Table, table

_NEXT = (
    "INSERT INTO sequences (scope, value) VALUES (?, ?) "
    "ON CONFLICT (scope) DO UPDATE SET value = value + ? RETURNING value"
)
_ADD = (
    "INSERT INTO counters (name, value) VALUES (?, ?) "
    "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
)


class Refused(Exception):
    """Nothing of the unit is to be kept; `outcome` says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


def apply(db: sqlite3.Connection, changes: Changes) -> Applied:
    """Write a unit inside the transaction that is open; raises `Refused`."""
    for guard in changes.guards:
        _expect(db, guard)
    sequences = [_WRITE[type(write)](db, write) for write in changes.writes]
    return Applied(sequences=tuple(given for given in sequences if given is not None))


def reserve(db: sqlite3.Connection, count: int) -> range:
    """The next `count` case numbers."""
    first_end = FIRST_NUMBER + count - 1
    ((last,),) = db.execute(_NEXT, (NUMBERS, first_end, count)).fetchall()
    return range(last - count + 1, last + 1)


def advance(db: sqlite3.Connection, sequences: Mapping[str, int]) -> None:
    """Go on behind these; never back."""
    further = (
        "INSERT INTO sequences (scope, value) VALUES (?, ?) "
        "ON CONFLICT (scope) DO UPDATE SET value = max(value, excluded.value)"
    )
    db.executemany(further, [(column(scope), value) for scope, value in sequences.items()])


def give_back(db: sqlite3.Connection, unused: range) -> None:
    """Return case numbers, unless somebody else has reserved more since."""
    back = "UPDATE sequences SET value = ? WHERE scope = ? AND value = ?"
    db.execute(back, (unused.start - 1, NUMBERS, unused.stop - 1))


def _expect(db: sqlite3.Connection, guard: Expect) -> None:
    found = db.execute(table(guard.kind).version, (column(guard.id),)).fetchall()
    if found != [(guard.version,)]:
        raise Refused(Conflict(kind=guard.kind, id=guard.id))


def _insert(db: sqlite3.Connection, insert: Insert) -> int | None:
    record: Any = insert.record
    into = table(type(record))
    given = None
    if insert.scope:
        ((given,),) = db.execute(_NEXT, (column(insert.scope), 1, 1)).fetchall()
        record = replace(record, seq=given)
    row = into.row(record, encode(record), getattr(record, "version", 0))
    try:
        db.execute(into.insert, row)
    except sqlite3.IntegrityError as exc:
        raise Refused(_duplicate(db, into, record)) from exc
    return given


def _update(db: sqlite3.Connection, update: Update) -> None:
    record: Any = update.record
    into = table(type(record))
    counted = replace(record, version=record.version + 1)
    try:
        changed = db.execute(into.update, into.row(counted, encode(counted), record.version)).rowcount
    except sqlite3.IntegrityError as exc:
        raise Refused(_duplicate(db, into, record)) from exc
    if not changed:
        raise Refused(Conflict(kind=into.kind, id=record.id))


def _delete(db: sqlite3.Connection, delete: Delete) -> None:
    db.execute(table(delete.kind).delete, (column(delete.id),))


def _add(db: sqlite3.Connection, add: Add) -> None:
    db.execute(_ADD, (column(add.counter), add.by))


_WRITE: Mapping[type[Struct], Callable[[sqlite3.Connection, Any], int | None]] = {
    Insert: _insert,
    Update: _update,
    Delete: _delete,
    Add: _add,
}


def _duplicate(db: sqlite3.Connection, into: Table, record: Any) -> Duplicate:
    """Names the record that is there already: the one of the same id, else the one a unique index knows."""
    for query, values in into.twins(record):
        for (twin,) in db.execute(query, values).fetchall():
            return Duplicate(kind=into.kind, id=text(twin))
    return Duplicate(kind=into.kind, id=record.id)
