"""Several processes on one MongoDB and one Redis, each with a disk of its own as if it had a machine of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.e2e.server import ROOT, Server

KEY = "a-secret-key-that-all-processes-have-in-common"


class Cluster:
    def __init__(
        self,
        folder: Path,
        models: Path,
        mongo: str,
        redis: str,
        channels: str = "",
        *,
        web: int = 2,
        workers: int = 2,
    ) -> None:
        """`models` are the first one's; whoever else needs a model has to fetch it. `channels` are more of them."""
        self.engines = {"store": mongo, "files": mongo, "queue": redis}
        roles = ["web"] * web + ["worker"] * workers
        self.all = [
            Server(
                folder / f"{role}{number}",
                models if number == 0 else folder / f"{role}{number}" / "models",
                role=role,
                engines=self.engines,
                environ={"SWITCHBOARD_SECRET_KEY": KEY},
            )
            for number, role in enumerate(roles)
        ]
        self.web, self.workers = self.all[:web], self.all[web:]
        for server in self.all:
            text = server.config.read_text(encoding="utf-8")
            server.config.write_text(
                text.replace("\nchannels:\n", f"\nchannels:\n{channels}"), encoding="utf-8"
            )

    async def start(self) -> None:
        """The one with the model first, so that nobody trains another."""
        await self.all[0].start()
        await asyncio.gather(*(server.start() for server in self.all[1:]))

    async def stop(self) -> None:
        await asyncio.gather(*(server.stop() for server in self.all))

    async def run(self, server: Server, *words: str) -> str:
        """A command on that one's machine; what it says."""
        return await run(server.config, words)


async def run(config: Path, words: Sequence[str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "--config", str(config), *words),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


@asynccontextmanager
async def clustered(
    folder: Path, models: Path, mongo: str, redis: str, channels: str = "", *, web: int = 2, workers: int = 2
) -> AsyncIterator[Cluster]:
    made = Cluster(folder, models, mongo, redis, channels, web=web, workers=workers)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()
