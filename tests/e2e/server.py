"""A real server in a process of its own, and a customer who talks to it over HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

ROOT = Path(__file__).parents[2]
TOKEN = "an-api-token-for-tests"
PASSWORD = "correct horse battery"
READY_WITHIN = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`switchboard serve` on the shipped config, with its data in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        models: Path,
        extra: str = "",
        *,
        role: str = "all",
        engines: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`engines` are the addresses of store, queue and files, where they are not those of one process."""
        self.folder, self.port, self.role = folder, free_port(), role
        self.config = folder / "config.yml"
        self._environ = {
            "SWITCHBOARD_API_TOKEN": TOKEN,
            "SWITCHBOARD_ADMIN_PASSWORD": PASSWORD,
            **(environ or {}),
        }
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(_config(folder, models, engines or {}) + extra, encoding="utf-8")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        await self._spawn()
        await self.ready()

    async def fails_to_start(self) -> int:
        """The exit code of a server that cannot work."""
        await self._spawn()
        assert self._process is not None
        async with asyncio.timeout(READY_WITHIN):
            return await self._process.wait()

    async def _spawn(self) -> None:
        log = (self.folder / "server.log").open("ab")
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(
                    sys.executable,
                    "-m",
                    "bot",
                    "--config",
                    str(self.config),
                    "serve",
                    "--role",
                    self.role,
                    "--port",
                    str(self.port),
                ),
                cwd=ROOT,
                env={**os.environ, **self._environ},
                stdout=log,
                stderr=log,
            )
        finally:
            log.close()

    async def ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        async with aiohttp.ClientSession() as http:
            while time.monotonic() < deadline:
                assert self._process is not None
                assert self._process.returncode is None, self.log()
                with suppress(aiohttp.ClientError):
                    async with http.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)
        raise TimeoutError(self.log())

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        return await self._end(signal.SIGTERM)

    def send_signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
        code = await self._process.wait()
        self._process = None
        return code

    def log(self) -> str:
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")


def _config(folder: Path, models: Path, engines: Mapping[str, str]) -> str:
    """The shipped config with other paths: what users run is what is tested."""
    shipped = (ROOT / "config.yml").read_text(encoding="utf-8")
    for before, after in (
        ("sqlite:///var/switchboard.db", engines.get("store", f"sqlite:///{folder}/switchboard.db")),
        ("var/files", engines.get("files", f"{folder}/files")),
        ("memory://", engines.get("queue", "memory://")),
        ("var/models", str(models)),
    ):
        assert before in shipped, f"{before} is not in config.yml any more"
        shipped = shipped.replace(before, after)
    return shipped


@asynccontextmanager
async def serving(folder: Path, models: Path, extra: str = "") -> AsyncIterator[Server]:
    server = Server(folder, models, extra)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


class Customer:
    """Writes like the widget does: with ids of its own, again and again until it is told 202."""

    def __init__(self, http: aiohttp.ClientSession, server: Server) -> None:
        self._http, self._server = http, server
        self.token = ""
        self._count = 0

    async def arrive(self) -> None:
        async with self._http.post(f"{self._server.url}/chat/sessions") as answer:
            self.token = (await answer.json())["customer"]

    async def say(self, text: str, client_id: str = "") -> str:
        """Returns the server's id once it is stored, whatever it takes."""
        self._count += 1
        body = {"customer": self.token, "id": client_id or f"m{self._count}", "text": text}
        while True:
            with suppress(aiohttp.ClientError, ConnectionError):
                async with self._http.post(f"{self._server.url}/chat/messages", json=body) as answer:
                    if answer.status == 202:
                        return str((await answer.json())["id"])
                    assert answer.status in {429, 503}, await answer.text()
            await asyncio.sleep(0.05)

    async def hears(self, many: int, seconds: float = 10.0) -> list[str]:
        """The texts of the first so many messages from the other side."""
        texts: list[str] = []
        async with asyncio.timeout(seconds):
            async for event, data in self.stream():
                if event == "message" and data["direction"] == "out":
                    texts.append(data["text"])
                    if len(texts) == many:
                        return texts
        return texts

    async def stream(self, after: int = 0) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        params = {"customer": self.token, "after": str(after)}
        async with self._http.get(f"{self._server.url}/chat/stream", params=params) as answer:
            event = ""
            async for raw in answer.content:
                line = raw.decode().rstrip("\n")
                if line.startswith("event:"):
                    event = line.removeprefix("event:").strip()
                elif line.startswith("data:"):
                    yield event, msgspec.json.decode(line.removeprefix("data:").strip())


class Api:
    def __init__(self, http: aiohttp.ClientSession, server: Server) -> None:
        self._http, self._server = http, server
        self._headers = {"Authorization": f"Bearer {TOKEN}"}

    async def get(self, path: str, **params: str) -> Any:
        url = f"{self._server.url}/api/v1/{path}"
        async with self._http.get(url, params=params, headers=self._headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        url = f"{self._server.url}/api/v1/{path}"
        async with self._http.post(url, json=body, headers=self._headers) as answer:
            return answer.status, await answer.json()

    async def act(self, case: str, action: str, **changes: Any) -> tuple[int, Any]:
        who = {"id": "ada", "name": "Ada"}
        body = {"id": os.urandom(8).hex(), "agent": who, "action": action, **changes}
        return await self.post(f"cases/{case}/actions", body)
