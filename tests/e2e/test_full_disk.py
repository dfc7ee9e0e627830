"""A disk that is full, for real: nothing is acknowledged that is not stored, and room again is enough."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.server import Api, Server
from tests.e2e.test_killed_under_load import everything, settled
from tests.fakes.crowd import Crowd, configuration

pytestmark = pytest.mark.timeout(180)

CUSTOMERS, MESSAGES = 10, 12
SIZE = 16 * 1024 * 1024  # bytes
BACK_WITHIN = 10.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    where = tmp_path / "disk"
    where.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(where)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can make a small disk (mount -t tmpfs)")
    yield where
    subprocess.run(["umount", "--lazy", str(where)], check=True)


async def test_a_full_disk_loses_nothing_that_was_acknowledged(small_disk: Path, models: Path) -> None:
    filler = small_disk / "filler"
    async with Crowd().serving() as crowd:
        server = Server(small_disk, models)
        text = server.config.read_text(encoding="utf-8")
        server.config.write_text(
            text.replace("\nchannels:\n", f"\nchannels:\n{configuration(crowd.url)}"), encoding="utf-8"
        )
        await server.start()
        crowd.webs = [server.url]
        talking = asyncio.create_task(crowd.talk(CUSTOMERS, MESSAGES, _say, pause=0.3))
        await asyncio.sleep(2)
        _fill(filler)
        await asyncio.sleep(3)
        assert crowd.refused[503]
        before = set(crowd.acknowledged)
        assert len(before) < CUSTOMERS * MESSAGES
        filler.unlink()
        async with asyncio.timeout(BACK_WITHIN):
            while set(crowd.acknowledged) == before:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await talking
        async with aiohttp.ClientSession() as http:
            api = Api(http, server)
            await settled(api)
            cases = await everything(api)
        await server.stop()
    stored = sorted(line["text"] for case in cases for line in case["messages"] if line["direction"] == "in")
    assert stored == sorted(crowd.acknowledged)


def _say(customer: int, number: int) -> str:
    return f"customer {customer} message {number} " + "x" * 2000


def _fill(filler: Path) -> None:
    """Until nothing more goes onto the disk."""
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65536)
        except OSError:
            return
