"""Moving to another database: everything is copied, then compared; to be begun again wherever it broke off."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from bot.domain.accounts import Setting
from bot.domain.errors import BadData, StoreUnavailable
from bot.domain.ports import Add, Applied, Changes, Clock, Delete, Files, Insert, Movable, Query, Store, Write
from bot.domain.schema import COLLECTIONS

MARK = "copying"  # the setting of a store that is not complete yet

Told = Callable[[str, int], None]  # what was just done, and with how many


class Moved(Struct, frozen=True, kw_only=True):
    """What is in the target now, the same as in the source."""

    records: dict[str, int]  # by collection
    sequences: int = 0
    files: int = 0


async def copy_store(source: Movable, target: Movable, clock: Clock, told: Told) -> Moved:
    """Copies records, sequences and counters, then compares all of them.

    `target` has to be empty, or what an earlier try left there. Raises `BadData` when it is neither, or when the
    source changed meanwhile; `StoreUnavailable`, after which it can be begun again.
    """
    await _begin(source, target, clock)
    for kind, collection in COLLECTIONS.items():
        await _remove_others(source, target, kind)
        told(f"copied {collection.name}", await _add_missing(source, target, kind))
    sequences = await source.sequences()
    await target.go_on_after(sequences)
    await _add_counters(source, target)
    counted = {}
    for kind, collection in COLLECTIONS.items():
        counted[collection.name] = await _compare(source, target, kind)
        told(f"compared {collection.name}", counted[collection.name])
    if await target.sequences() != await source.sequences():
        raise _differs("sequences")
    await _apply(target, [Delete(kind=Setting, id=MARK)])
    return Moved(records=counted, sequences=len(sequences))


async def refuse_half(store: Store) -> None:
    """Nobody may work with what is not complete. Raises `BadData`."""
    if await store.get(Setting, MARK):
        raise BadData(
            "The store is half a copy, since `switchboard migrate` broke off: run that again, with the configuration "
            "of the store it was copied from."
        )


async def copy_files(source: Files, target: Files, told: Told) -> int:
    """A file's key is the hash of its content, so what comes back under it is what was put. Raises `BadData`."""
    keys, there = await source.keys(), set(await target.keys())
    for key in keys:
        if key not in there and (content := await source.get(key)) is not None:
            await target.put(content)
    told("copied files", len(keys))
    for key in keys:
        content = await target.get(key)
        if content is None or hashlib.sha256(content).hexdigest() != key:
            raise BadData(f"File {key} is damaged or was deleted meanwhile; restore it, and run this again.")
    told("compared files", len(keys))
    return len(keys)


async def _begin(source: Movable, target: Movable, clock: Clock) -> None:
    await refuse_half(source)
    if await target.get(Setting, MARK):
        return
    for kind, collection in COLLECTIONS.items():
        if await target.find(Query(kind=kind, limit=1)):
            raise BadData(f"The target has {collection.name} already; name an empty database.")
    await _apply(target, [Insert(record=Setting(id=MARK, value={}, at=clock()))])


async def _remove_others(source: Movable, target: Movable, kind: type[Any]) -> None:
    """What an earlier try copied and the source has changed or deleted since."""
    async for page in target.everything(kind):
        same = await _same(source, kind, page)
        await _apply(target, [Delete(kind=kind, id=record.id) for record in page if not _is(record, same)])


async def _add_missing(source: Movable, target: Movable, kind: type[Any]) -> int:
    copied = 0
    async for page in source.everything(kind):
        there = await _same(target, kind, page)
        await _apply(target, [Insert(record=record) for record in page if record.id not in there])
        copied += len(page)
    return copied


async def _compare(source: Movable, target: Movable, kind: type[Any]) -> int:
    compared = 0
    async for page in source.everything(kind):
        there = await _same(target, kind, page)
        if not all(_is(record, there) for record in page):
            raise _differs(COLLECTIONS[kind].name)
        compared += len(page)
    if await target.count(Query(kind=kind)) != compared + (kind is Setting):  # the mark
        raise _differs(COLLECTIONS[kind].name)
    return compared


async def _same(store: Movable, kind: type[Any], page: Sequence[Any]) -> dict[str, Any]:
    """The records of the same ids."""
    ids = tuple(record.id for record in page)
    return {
        found.id: found for found in await store.find(Query(kind=kind, equals={"id": ids}, limit=len(ids)))
    }


def _is(record: Any, among: dict[str, Any]) -> bool:
    return bool(record == among.get(record.id)) or (record.id == MARK and isinstance(record, Setting))


async def _add_counters(source: Movable, target: Movable) -> None:
    counted, there = await source.counters(""), await target.counters("")
    more = {name: value - there.get(name, 0) for name, value in counted.items()}
    await _apply(target, [Add(counter=name, by=by) for name, by in more.items() if by])


async def _apply(store: Movable, writes: list[Any]) -> None:
    unit: tuple[Write, ...] = tuple(writes)
    if unit and not isinstance(outcome := await store.apply(Changes(writes=unit)), Applied):
        raise StoreUnavailable(
            f"Somebody else writes to the target ({outcome}); stop them, and run this again."
        )


def _differs(what: str) -> BadData:
    return BadData(
        f"The {what} changed while they were copied; stop every server of both databases, and run this again."
    )
