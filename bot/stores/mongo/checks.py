"""What has to be true of a MongoDB before it may be trusted with messages, and what an operator should know."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pymongo.errors import OperationFailure, PyMongoError

from bot.domain.errors import BadData
from bot.domain.ports import Finding
from bot.stores.driver import Database, explain

OLDEST = (5, 0)  # major and minor version
SLOW_MS = 100.0  # a commit; every message needs several
LONG_TRANSACTION = 30  # seconds
CLOCKS_APART = 2.0  # seconds

ALONE = "MongoDB runs without a replica set, so it has no transactions"
ALONE_FIX = "Start mongod with --replSet rs0 and call rs.initiate() once; one member is enough."
REFUSED = ("AuthenticationFailed", "Unauthorized", "AtlasError")
REFUSED_FIX = (
    "Check user, password and authSource in the URL; the user needs the role readWrite on the database."
)


async def refuse_unfit(db: Database) -> None:
    """Raises `BadData` for a server that cannot keep the promises of a store, or does not let us in."""
    try:
        if not _has_transactions(await db.client.admin.command("hello")):
            raise BadData(f"{ALONE}. {ALONE_FIX}")
        await db.list_collection_names()
    except OperationFailure as exc:
        if explain(exc) not in REFUSED:
            raise
        raise BadData(f"MongoDB does not let us in ({explain(exc)}). {REFUSED_FIX}") from exc


async def checked(db: Database) -> list[Finding]:
    try:
        started = time.perf_counter()
        hello, at = await db.client.admin.command("hello"), datetime.now(UTC)
        reached = f"{db.name} answers in {(time.perf_counter() - started) * 1000:.1f} ms"
        if not _has_transactions(hello):
            return [_fail(ALONE, ALONE_FIX)]
        known = [_ok(reached), await _commit(db), await _version(db), _members(hello), *await _lifetime(db)]
        return [*known, clock(hello["localTime"].replace(tzinfo=UTC), at)]
    except PyMongoError as exc:
        told = explain(exc)
        fix = REFUSED_FIX if told in REFUSED else "Start MongoDB, or correct the address and its rights."
        return [_fail(f"MongoDB cannot be used: {told}", fix)]


def _has_transactions(hello: Mapping[str, Any]) -> bool:
    """A member of a replica set, or the router of a sharded cluster."""
    return "setName" in hello or hello.get("msg") == "isdbgrid"


async def _commit(db: Database) -> Finding:
    """The write that every unit waits for: in the journal of a majority."""
    started = time.perf_counter()
    try:
        await db["meta"].update_one({"_id": "check"}, {"$inc": {"times": 1}}, upsert=True)
    except OperationFailure as exc:
        detail = f"a write that must reach the journal of a majority failed: {explain(exc)}"
        return _fail(detail, "Turn journaling on (storage.journal.enabled), and start the missing members.")
    milliseconds = (time.perf_counter() - started) * 1000
    detail = f"a journaled majority write takes {milliseconds:.1f} ms"
    if milliseconds > SLOW_MS:
        return _warn(detail, "Look at the disks of the members and at the way between them.")
    return _ok(detail)


async def _version(db: Database) -> Finding:
    version = str((await db.client.server_info())["version"])
    if tuple(map(int, version.split(".")[:2])) < OLDEST:
        return _fail(f"MongoDB {version}", "Upgrade to MongoDB 6.0 or newer.")
    return _ok(f"MongoDB {version}")


def _members(hello: Mapping[str, Any]) -> Finding:
    members = len(hello.get("hosts", ()))
    if hello.get("msg") == "isdbgrid":
        return _ok("a sharded cluster")
    if members < 3:
        detail = f"replica set {hello['setName']} has {members} with data"
        return _warn(detail, "With three, it goes on when one dies; with one, its disk is all there is.")
    return _ok(f"replica set {hello['setName']} of {members}")


async def _lifetime(db: Database) -> list[Finding]:
    """Nothing where we may not ask: a hosted MongoDB hides its parameters."""
    name = "transactionLifetimeLimitSeconds"
    try:
        seconds = (await db.client.admin.command({"getParameter": 1, name: 1}))[name]
    except OperationFailure:
        return []
    if seconds <= LONG_TRANSACTION:
        return [_ok(f"what a killed process leaves open is undone after {seconds} s")]
    detail = f"what a killed process leaves open holds up its customers for {seconds} s"
    return [_warn(detail, f"Start mongod with --setParameter {name}=10.")]


def clock(there: datetime, here: datetime) -> Finding:
    """Order does not depend on clocks; promises, reminders and what counts as stale do."""
    apart = abs(there - here).total_seconds()
    detail = f"this machine's is {apart:.1f} s from MongoDB's"
    if apart > CLOCKS_APART:
        fix = "Let both set their clocks over the network (chrony, systemd-timesyncd)."
        return Finding(name="clock", status="warn", detail=detail, fix=fix)
    return Finding(name="clock", status="ok", detail=detail)


def _ok(detail: str) -> Finding:
    return Finding(name="store", status="ok", detail=detail)


def _warn(detail: str, fix: str) -> Finding:
    return Finding(name="store", status="warn", detail=detail, fix=fix)


def _fail(detail: str, fix: str) -> Finding:
    return Finding(name="store", status="fail", detail=detail, fix=fix)
