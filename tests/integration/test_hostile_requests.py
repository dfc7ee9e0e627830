"""What no browser sends and every open port receives: an answer that says why, and never a broken server."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from bot.domain.messages import Direction
from bot.web import multipart
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


async def test_a_tool_that_falls_silent_is_given_up(
    api: TestClient[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multipart, "SILENT_SECONDS", 0.05)
    kept = asyncio.Event()

    async def silent() -> AsyncIterator[bytes]:
        yield b'{"text": '
        await kept.wait()

    async with asyncio.timeout(5):
        assert (await api.post("/api/v1/understand", data=silent(), headers=HEADERS)).status == 400
    kept.set()


async def test_nobody_sends_kilobytes_that_unpack_to_gigabytes(api: TestClient[Any, Any]) -> None:
    packed = gzip.compress(b'{"text": "Hi"}')
    answer = await api.post(
        "/api/v1/understand", data=packed, headers={**HEADERS, "Content-Encoding": "gzip"}
    )
    assert answer.status == 415
    assert "Content-Encoding" in (await answer.json())["error"]["message"]


async def test_a_page_that_begins_before_all_time_is_the_first(office: Desk) -> None:
    viewer = await office.viewer("Ada")
    page = await viewer.get("/console?tab=snoozed&after=0001-01-01T00:00:00%2B00:00~x")
    assert page.status == 200


async def _act(api: TestClient[Any, Any], case: str, action: str, **changes: Any) -> tuple[int, str]:
    body = {"id": action, "agent": {"id": "ada", "name": "Ada"}, "action": action, **changes}
    answer = await api.post(f"/api/v1/cases/{case}/actions", json=body, headers=HEADERS)
    return answer.status, await answer.text()


async def test_an_action_id_is_for_one_action(office: Desk, api: TestClient[Any, Any]) -> None:
    one, other = await office.waiting(), await office.waiting()
    assert [(await _act(api, one.id, "claim", id="x"))[0] for _ in range(2)] == [200, 200]
    assert (await _act(api, other.id, "claim", id="x"))[0] == 409
    assert (await _act(api, one.id, "note", id="x", text="Hm"))[0] == 409
    assert (await office.now(other)).owner is None


async def test_nobody_hides_a_case_for_millennia(office: Desk, api: TestClient[Any, Any]) -> None:
    """Pages cannot show the year 9999 in every time zone."""
    case = await office.waiting()
    await _act(api, case.id, "claim")
    status, said = await _act(api, case.id, "snooze", until="9999-12-31T23:59:59Z")
    assert (status, "century" in said) == (403, True)
    assert (await (await office.viewer("Ada")).get(f"/console/cases/{case.id}")).status == 200


@pytest.mark.parametrize(
    "query", [{"limit": "9" * 5000}, {"limit": "-1"}, {"after": "9" * 30}, {"after": "x"}]
)
async def test_a_number_too_large_to_be_one_is_malformed(
    api: TestClient[Any, Any], query: dict[str, str]
) -> None:
    assert (await api.get("/api/v1/cases", params=query, headers=HEADERS)).status == 400


@pytest.mark.parametrize("path", ["/api/v1/understand", "/api/v1/cases/x/actions", "/chat/sessions"])
async def test_a_body_nested_without_end_is_malformed(api: TestClient[Any, Any], path: str) -> None:
    body = b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    assert (await api.post(path, data=body, headers=HEADERS)).status == 400


@pytest.mark.parametrize(
    ("path", "key"),
    [("/api/v1/understand", "text"), ("/api/v1/cases/x/actions", "id"), ("/chat/sessions", "account")],
)
async def test_a_body_that_is_not_utf_8_is_malformed(api: TestClient[Any, Any], path: str, key: str) -> None:
    answer = await api.post(path, data=f'{{"{key}": "ü"}}'.encode("latin-1"), headers=HEADERS)
    assert (answer.status, (await answer.json())["error"]["code"]) == (400, "malformed")


async def test_the_journal_keeps_no_prose_and_no_text_a_nul(office: Desk, api: TestClient[Any, Any]) -> None:
    case = await office.waiting()
    await _act(api, case.id, "note", text="a\0b")
    assert await office.lines(case, Direction.NOTE) == ["ab"]
    assert (await _act(api, case.id, "resolve", outcome="x" * 61))[0] == 400
