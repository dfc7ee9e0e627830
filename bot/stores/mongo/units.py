"""What one unit does to the database: sequences first, then guards and writes, collection by collection."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from motor.motor_asyncio import AsyncIOMotorClientSession, AsyncIOMotorCollection
from msgspec import Struct
from msgspec.structs import replace
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from bot.domain.ports import Add, Changes, Conflict, Delete, Duplicate, Expect, Insert, Outcome, Update, Write
from bot.stores.driver import Database, Document
from bot.stores.mongo.documents import Documents, Operation, documents
from bot.stores.records import column, text

Collection = AsyncIOMotorCollection[Document]
Session = AsyncIOMotorClientSession

SEQUENCES, COUNTERS = "sequences", "counters"
SLOTS = 16  # documents of one counter: those who count at the same time rarely meet
DUPLICATE_KEY = 11000


class Step(NamedTuple):
    """One operation on a collection, and the record it is about."""

    into: Documents
    record: Any  # of an update its `version`, like that of a guard, has to be the stored one
    operation: Operation
    expects: bool  # whether that is so


class Refused(Exception):
    """Nothing of the unit is to be kept: one of `steps` has a twin, or moved on (`kind` says which)."""

    def __init__(self, kind: type[Duplicate | Conflict], steps: list[Step]) -> None:
        super().__init__(kind, steps)
        self.kind, self.steps = kind, steps


def keys(changes: Changes) -> frozenset[str]:
    """What units of one process do one after another, since the database would make them try again."""
    return frozenset(
        [write.scope for write in changes.writes if isinstance(write, Insert) and write.scope]
        + [f"{guard.kind.__name__} {guard.id}" for guard in changes.guards]
        + [_key(write.record) for write in changes.writes if isinstance(write, Update)]
    )


def _key(record: Any) -> str:
    return f"{type(record).__name__} {record.id}"


def is_one_write(changes: Changes) -> bool:
    """Whether it is all or nothing without a transaction."""
    return len(changes.writes) == 1 and not changes.guards and not getattr(changes.writes[0], "scope", "")


def scopes(changes: Changes) -> dict[str, int]:
    """How many sequences the unit takes of each scope."""
    taken: dict[str, int] = defaultdict(int)
    for write in changes.writes:
        if isinstance(write, Insert) and write.scope:
            taken[write.scope] += 1
    return dict(taken)


async def advance(db: Database, taken: Mapping[str, int], session: Session) -> dict[str, Iterator[int]]:
    """The sequences of each scope, in the order they are to be given."""
    if not taken:
        return {}
    ids = {column(scope): scope for scope in taken}
    steps = [
        UpdateOne({"_id": id}, {"$inc": {"value": taken[scope]}}, upsert=True) for id, scope in ids.items()
    ]
    await db[SEQUENCES].bulk_write(steps, ordered=False, session=session)
    last = await db[SEQUENCES].find({"_id": {"$in": list(ids)}}, session=session).to_list(len(ids))
    given = {ids[found["_id"]]: found["value"] for found in last}
    return {scope: iter(range(given[scope] - times + 1, given[scope] + 1)) for scope, times in taken.items()}


def numbered(changes: Changes, given: Mapping[str, Iterator[int]]) -> tuple[list[Write], tuple[int, ...]]:
    """The writes with their sequences in them, and the sequences."""
    writes: list[Write] = []
    sequences: list[int] = []
    for write in changes.writes:
        if isinstance(write, Insert) and write.scope:
            sequences.append(next(given[write.scope]))
            record: Any = write.record
            writes.append(Insert(record=replace(record, seq=sequences[-1])))
        else:
            writes.append(write)
    return writes, tuple(sequences)


async def write(
    db: Database, guards: tuple[Expect, ...], writes: list[Write], session: Session | None
) -> None:
    """Collection by collection, which is as good as one by one; raises `Refused`."""
    steps: dict[str, list[Step]] = defaultdict(list)
    for guard in guards:
        into = documents(guard.kind)
        steps[into.name].append(Step(into, guard, into.guard(guard.id, guard.version), expects=True))
    for one in writes:
        if not isinstance(one, Add):
            step = _STEP[type(one)](one)
            steps[step.into.name].append(step)
    for name, some in steps.items():
        await _run(db, name, some, session)
    if counts := [_count(one) for one in writes if isinstance(one, Add)]:
        await db[COUNTERS].bulk_write(counts, session=session)


def _insert(insert: Insert) -> Step:
    into = documents(type(insert.record))
    return Step(into, insert.record, into.insert(insert.record), expects=False)


def _update(update: Update) -> Step:
    record: Any = update.record
    into = documents(type(record))
    return Step(into, record, into.update(replace(record, version=record.version + 1)), expects=True)


def _delete(delete: Delete) -> Step:
    into = documents(delete.kind)
    return Step(into, delete, into.delete(delete.id), expects=False)


def _count(add: Add) -> UpdateOne:
    slot = random.randrange(SLOTS)  # noqa: S311 - no secret, only spread
    name = column(add.counter)
    where = {"_id": {"name": name, "slot": slot}}
    return UpdateOne(where, {"$inc": {"value": add.by}, "$setOnInsert": {"name": name}}, upsert=True)


_STEP: Mapping[type[Struct], Callable[[Any], Step]] = {Insert: _insert, Update: _update, Delete: _delete}


async def _run(db: Database, name: str, steps: list[Step], session: Session | None) -> None:
    try:
        done = await db[name].bulk_write([step.operation for step in steps], session=session)
    except BulkWriteError as exc:
        errors = exc.details["writeErrors"]  # none where only a majority's word is missing
        if not errors or errors[0]["code"] != DUPLICATE_KEY:
            raise
        raise Refused(Duplicate, [steps[errors[0]["index"]]]) from exc
    expected = [step for step in steps if step.expects]
    if done.matched_count < len(expected):
        raise Refused(Conflict, expected)


# ── Who was in the way ──────────────────────────────────────────────────────────────────────────


async def outcome(db: Database, refused: Refused) -> Outcome:
    """Names the record; asked when the unit is undone, since its own transaction can read no more."""
    names = {Duplicate: _twin, Conflict: _moved}
    id = await names[refused.kind](db, refused.steps)
    return refused.kind(kind=refused.steps[0].into.kind, id=id)


async def _twin(db: Database, steps: list[Step]) -> str:
    """The record a unique index knows, else the one of the same id."""
    (step,) = steps
    for unique in step.into.uniques:
        if (shared := unique.shared(step.record)) is not None:
            others = {"_id": {"$ne": column(step.record.id)}, **shared}
            if found := await _newest(db, step).find_one(others, {"_id": 1}):
                return text(found["_id"])
    return str(step.record.id)


async def _moved(db: Database, steps: list[Step]) -> str:
    """The first record that is at another version, else the last."""
    for step in steps[:-1]:
        expected = {"_id": column(step.record.id), "version": step.record.version}
        if not await _newest(db, step).find_one(expected, {"_id": 1}):
            return str(step.record.id)
    return str(steps[-1].record.id)


def _newest(db: Database, step: Step) -> Collection:
    """What was just committed too, though a majority has yet to confirm it."""
    return db.get_collection(step.into.name, read_concern=ReadConcern("local"))
