"""Real MongoDB servers for tests: replica sets of one and of three, which tests may kill and start again.

Beside the fixtures, `replica_set` is a plain context manager, for processes and benchmarks without pytest.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.e2e.server import free_port

SET = "rs0"
READY_WITHIN = 30.0
ELECTION_MS = 1000  # without a word from the primary until another one is voted for
HOW_TO_GET_IT = "install mongod and put it on the PATH, or its path into MONGOD (Linux on x86-64 gets one with `make test`)"

# The kernel ends the server with the test run, also when that is killed.
_DIES_WITH_US = (
    "import ctypes, os, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGKILL); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
_SMALL = (
    *("--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64", "--bind_ip", "127.0.0.1", "--nounixsocket"),
    *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    *("--setParameter", "enableTestCommands=1"),  # lets a test make a command fail
    *(
        "--setParameter",
        "ttlMonitorSleepSecs=1",
        "--setParameter",
        "ttlMonitorEnabled=false",
    ),  # the records of tests are long out of date
    # What a killed client left open holds up others for as long.
    *("--setParameter", "transactionLifetimeLimitSeconds=3"),
)


@cache
def executable() -> str | None:
    """The named one, the installed one, else the one of the test dependencies; one that does not start is none."""
    wheel = Path(sysconfig.get_path("purelib")) / "fiftyone" / "db" / "bin" / "mongod"
    named = os.environ.get("MONGOD")
    candidates = [named] if named else ["mongod", str(wheel)]
    return next((found for name in candidates if (found := shutil.which(name)) and _starts(found)), None)


def _starts(found: str) -> bool:
    """Where a library is missing, it does not."""
    return subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0


class Mongod:
    """One server process on a port and a folder that it keeps over restarts."""

    def __init__(self, folder: Path, *, replica_set: str = SET) -> None:
        self.port, self._folder, self._set = free_port(), folder, replica_set
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and wait until it answers; to be called from a thread that lives as long as the server shall."""
        found = executable()
        assert found, HOW_TO_GET_IT
        self._folder.mkdir(parents=True, exist_ok=True)
        log = ("--logpath", str(self._folder / "mongod.log"), "--logappend")
        place = ("--dbpath", str(self._folder), "--port", str(self.port))
        member = ("--replSet", self._set) if self._set else ()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _DIES_WITH_US, found, *place, *log, *member, *_SMALL],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _wait_for(lambda: bool(self.ask("ping")), f"mongod at {self.host}")

    def kill(self) -> None:
        """As a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def ask(self, command: str, value: Any = 1) -> dict[str, Any]:
        """The answer of this very member to a command; raises `PyMongoError`."""
        with self._client() as client:
            return client.admin.command(command, value)

    def set(self, **parameters: Any) -> None:
        for name, value in parameters.items():
            with self._client() as client:
                client.admin.command({"setParameter": 1, name: value})

    def has_the_data(self) -> bool:
        hello = self.ask("hello")
        return bool(hello["isWritablePrimary"] or hello["secondary"])

    def _client(self) -> MongoClient[dict[str, Any]]:
        return MongoClient(
            self.host, directConnection=True, serverSelectionTimeoutMS=500, socketTimeoutMS=10_000
        )

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(READY_WITHIN)


class ReplicaSet:
    def __init__(self, members: list[Mongod]) -> None:
        self.members = members

    def url(self, database: str = "switchboard") -> str:
        hosts = ",".join(member.host for member in self.members)
        return f"mongodb://{hosts}/{database}?replicaSet={SET}"

    def primary(self) -> Mongod:
        """Waits until there is one that a majority has voted for."""
        _wait_for(lambda: self._primary() is not None, "a primary")
        found = self._primary()
        assert found
        return found

    def kill(self) -> Mongod:
        """Kill the primary as a power cut would, and return it to be started again."""
        primary = self.primary()
        primary.kill()
        return primary

    def restart(self) -> None:
        """Start whoever was killed, and wait until all follow a primary again."""
        for member in self.members:
            if not member.runs:
                member.start()
        self._complete()

    def forget(self, database: str) -> None:
        client: MongoClient[Any] = MongoClient(self.url())
        with client:
            client.drop_database(database)

    def _primary(self) -> Mongod | None:
        for member in self.members:
            with suppress(PyMongoError):
                if member.runs and member.ask("hello")["isWritablePrimary"]:
                    return member
        return None

    def _begin(self) -> None:
        for member in self.members:
            member.start()
        hosts = [{"_id": at, "host": member.host} for at, member in enumerate(self.members)]
        settings = {"electionTimeoutMillis": ELECTION_MS, "heartbeatIntervalMillis": 200}
        self.members[0].ask("replSetInitiate", {"_id": SET, "members": hosts, "settings": settings})
        self._complete()

    def _complete(self) -> None:
        """Wait for a primary and for all others to have its data: one that copies it cannot take over."""
        self.primary()
        for member in self.members:
            _wait_for(member.has_the_data, f"{member.host} as a member")


@contextmanager
def replica_set(members: int = 1) -> Iterator[ReplicaSet]:
    """Running servers that forget everything in the end."""
    with tempfile.TemporaryDirectory(prefix="mongod-", ignore_cleanup_errors=True) as folder:
        made = ReplicaSet([Mongod(Path(folder) / str(number)) for number in range(members)])
        try:
            made._begin()
            yield made
        finally:
            for member in made.members:
                if member.runs:
                    member.kill()


@contextmanager
def standalone() -> Iterator[Mongod]:
    """A server without a replica set: it knows no transactions."""
    with tempfile.TemporaryDirectory(prefix="mongod-", ignore_cleanup_errors=True) as folder:
        alone = Mongod(Path(folder), replica_set="")
        try:
            alone.start()
            yield alone
        finally:
            alone.kill()


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while True:
        with suppress(PyMongoError):
            if condition():
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} was not there within {READY_WITHIN:.0f} s")
        time.sleep(0.02)


# ── Fixtures ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def mongo(require: Callable[[str, bool, str], None]) -> Iterator[ReplicaSet]:
    """A replica set of one, shared by the tests of a run: leave it running."""
    require("mongodb", executable() is not None, HOW_TO_GET_IT)
    with replica_set() as running:
        yield running


@pytest.fixture
def mongo_url(mongo: ReplicaSet) -> Iterator[str]:
    """A database of one's own in the shared replica set."""
    database = f"test_{secrets.token_hex(6)}"
    yield mongo.url(database)
    mongo.forget(database)


@pytest.fixture
def own_mongo(require: Callable[[str, bool, str], None]) -> Iterator[ReplicaSet]:
    """A replica set of one that a test may kill."""
    require("mongodb", executable() is not None, HOW_TO_GET_IT)
    with replica_set() as running:
        yield running


@pytest.fixture
def three_mongos(require: Callable[[str, bool, str], None]) -> Iterator[ReplicaSet]:
    """A replica set of three that a test may kill, one by one."""
    require("mongodb", executable() is not None, HOW_TO_GET_IT)
    with replica_set(3) as running:
        yield running
