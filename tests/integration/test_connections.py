"""Connections: there is room for all chat windows, and who asks nothing does not keep any."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot import config
from bot.bootstrap import serving
from bot.bootstrap.parts import assembled
from tests.e2e.server import free_port

CONFIG = """
store: sqlite:///{folder}/here.db
files: {folder}/files
nlu: {{models: {folder}/models}}
server: {{port: {port}}}
"""
FEWER = """
import resource, sys
from bot import logs
from bot.bootstrap.room import have_room
resource.setrlimit(resource.RLIMIT_NOFILE, (64, int(sys.argv[1])))
logs.setup()
have_room()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize("begun", [b"", b"POST /chat/messages HTTP/1.1\r\nHost: x\r\nX-Half: "])
async def test_who_asks_nothing_keeps_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(serving, "IDLE_SECONDS", 0.2)
    file, port = tmp_path / "config.yml", free_port()
    file.write_text(CONFIG.format(folder=tmp_path, port=port), encoding="utf-8")
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(assembled(config.load(file, {})))
        await serving.listen(parts, stack, serving.WEB)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begun)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()


def room(most: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", FEWER, str(most)], capture_output=True, text=True, timeout=60, check=True
    )


def test_a_server_takes_all_the_room_it_may_have() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 5000 if hard == resource.RLIM_INFINITY else min(hard, 5000)
    assert room(most).stdout.split() == [str(most)]


def test_too_little_room_is_said() -> None:
    told = room(200)
    assert "200" in told.stdout.split()
    assert "connections.few" in told.stderr
    assert "LimitNOFILE" in told.stderr
