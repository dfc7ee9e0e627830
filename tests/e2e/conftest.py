"""One trained starter model for all servers of a test run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.server import ROOT, Api, Server, serving


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Filled by the first server that finds it empty, like on a user's machine."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
async def server(tmp_path: Path, models: Path) -> AsyncIterator[Server]:
    assert (ROOT / "config.yml").exists()
    async with serving(tmp_path, models) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield session


@pytest.fixture
def api(http: aiohttp.ClientSession, server: Server) -> Api:
    return Api(http, server)
