"""What no browser sends and every open port receives: an answer that says why, and never a broken server."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient

from bot.domain.ports import Act
from tests.builders import inbound
from tests.console import Desk, desk

TOKEN = "an-api-token"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path, api_token=TOKEN) as made:
        yield made


@pytest.fixture
async def api(office: Desk) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(office.server) as client:
        yield client


async def raw(office: Desk, path: bytes, *headers: bytes) -> bytes:
    """The first line of the answer to a request with headers as they are."""
    reader, writer = await asyncio.open_connection(office.server.host, office.server.port)
    writer.write(b"\r\n".join([b"GET " + path + b" HTTP/1.1", b"Host: x", *headers, b"", b""]))
    async with asyncio.timeout(5):
        line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return line.strip()


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        (b"/api/v1/cases", b"Authorization: Bearer \xff\xfe", b"401"),
        (b"/console", b"Cookie: switchboard=\xff\xfe", b"303"),
        (b"/console/login", b"Cookie: switchboard_login=\xff\xfe", b"200"),
        (b"/console/login", b"Accept-Language: \xff", b"200"),
    ],
)
async def test_a_header_of_any_bytes_is_only_wrong(
    office: Desk, path: bytes, header: bytes, status: bytes
) -> None:
    assert status in await raw(office, path, header)


async def test_nobody_sends_kilobytes_that_unpack_to_gigabytes(api: TestClient[Any, Any]) -> None:
    packed = gzip.compress(b'{"text": "Hi"}')
    answer = await api.post(
        "/api/v1/understand", data=packed, headers={**HEADERS, "Content-Encoding": "gzip"}
    )
    assert answer.status == 415
    assert "Content-Encoding" in (await answer.json())["error"]["message"]
