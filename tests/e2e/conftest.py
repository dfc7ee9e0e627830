"""One trained starter model for all servers of a test run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests import redis_server
from tests.conftest import Require
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


@pytest.fixture(scope="session")
def redis(require: Require) -> Iterator[redis_server.RedisServer]:
    """One for the whole run: nobody stops it; whoever uses it takes a prefix of its own."""
    found = redis_server.executables()
    require("redis", bool(found), redis_server.HOW)
    with redis_server.running(found[0]) as running:
        yield running


@pytest.fixture
def own_redis(require: Require) -> Iterator[redis_server.RedisServer]:
    """One that a test may kill."""
    found = redis_server.executables()
    require("redis", bool(found), redis_server.HOW)
    with redis_server.running(found[0]) as running:
        yield running
