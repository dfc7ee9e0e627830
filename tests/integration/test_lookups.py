"""The HTTP lookups against a small shop on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from bot.domain.errors import LookupFailed
from bot.domain.ports import Lookups
from bot.lookups import LIMIT, HttpLookups, LookupConfig

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Shop = Callable[[Handler], Awaitable[HttpLookups]]
NUMBER = {"order_number": "4711"}
SECRET = "Bearer very-secret"


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    """`await shop(handler)` starts a shop that answers so, and gives the lookup "order" at it."""
    async with ClientSession() as session:
        servers: list[TestServer] = []

        async def start(handler: Handler) -> HttpLookups:
            app = web.Application()
            app.router.add_get("/{tail:.*}", handler)
            server = TestServer(app)
            await server.start_server()
            servers.append(server)
            url = f"{server.make_url('/')}orders/{{order_number}}?from=bot&n={{order_number}}"
            config = LookupConfig(url=url, timeout=0.3, headers={"Authorization": SECRET})
            lookups: Lookups = HttpLookups({"order": config}, session)
            assert isinstance(lookups, HttpLookups)
            return lookups

        yield start
        for server in servers:
            await server.close()


def answers(response: Callable[[], web.StreamResponse]) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return response()

    return handler


async def test_a_record_is_fetched_with_the_configured_header(shop: Shop) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"path": request.raw_path, "key": request.headers["Authorization"]})

    record = await (await shop(handler)).fetch("order", NUMBER)
    assert record == {"path": "/orders/4711?from=bot&n=4711", "key": SECRET}


@pytest.mark.parametrize(
    "value", ["../admin", "4711?x=1", "a#b", "a/b", "%2e%2e%2fx", "4 7&n=1", "//evil.example", "ä\n"]
)
async def test_a_value_never_changes_where_we_ask(shop: Shop, value: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"query": dict(request.query), "raw": request.raw_path})

    record = await (await shop(handler)).fetch("order", {"order_number": value})
    assert record is not None
    assert record["query"] == {"from": "bot", "n": value.strip()}
    assert str(record["raw"]).count("/") == 2


@pytest.mark.parametrize("value", ["", "  ", ".", "..", "9" * 201])
async def test_a_value_that_is_none_is_not_asked_for(shop: Shop, value: str) -> None:
    lookups = await shop(answers(lambda: web.json_response({})))
    with pytest.raises(LookupFailed, match="needs order_number"):
        await lookups.fetch("order", {"order_number": value})


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_not_there_is_none(shop: Shop, status: int) -> None:
    lookups = await shop(answers(lambda: web.Response(status=status)))
    assert await lookups.fetch("order", NUMBER) is None


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (lambda: web.Response(status=500), "status 500"),
        (lambda: web.Response(status=401), "status 401"),
        (lambda: web.Response(status=302, headers={"Location": "/elsewhere"}), "status 302"),
        (lambda: web.Response(text="<p>4711</p>", content_type="text/html"), "not JSON"),
        (lambda: web.json_response(["4711"]), "no object"),
        (lambda: web.Response(body=b'{"a": ', content_type="application/json"), "no object"),
        (lambda: web.Response(body=b'{"a": "\xff"}', content_type="application/json"), "no object"),
        (lambda: web.json_response({"a": "x" * LIMIT}), "more than 64 KiB"),
    ],
)
async def test_anything_but_a_small_json_object_fails(
    shop: Shop, response: Callable[[], web.Response], problem: str
) -> None:
    lookups = await shop(answers(response))
    with pytest.raises(LookupFailed, match=problem):
        await lookups.fetch("order", NUMBER)


async def test_a_slow_shop_fails_in_time(shop: Shop) -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.json_response({})

    lookups = await shop(handler)
    with pytest.raises(LookupFailed, match=r"within 0\.3 s"):
        await lookups.fetch("order", NUMBER)


async def test_an_answer_that_drips_fails_in_time(shop: Shop) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    lookups = await shop(handler)
    with pytest.raises(LookupFailed, match=r"within 0\.3 s"):
        await lookups.fetch("order", NUMBER)


async def test_a_shop_that_is_down_fails(unused_port: int) -> None:
    config = LookupConfig(url=f"http://127.0.0.1:{unused_port}/{{order_number}}")
    async with ClientSession() as session:
        with pytest.raises(LookupFailed, match="could not be reached"):
            await HttpLookups({"order": config}, session).fetch("order", NUMBER)


async def test_an_error_names_neither_the_value_nor_the_secret(shop: Shop) -> None:
    lookups = await shop(answers(lambda: web.Response(status=500)))
    with pytest.raises(LookupFailed) as caught:
        await lookups.fetch("order", {"order_number": "private-number"})
    assert "private-number" not in str(caught.value)
    assert SECRET not in repr(lookups._configs)


def test_only_configured_lookups_are_there() -> None:
    config = LookupConfig(url="http://127.0.0.1/{order_number}")
    lookups = HttpLookups({"order": config}, session=None)  # type: ignore[arg-type]  # nothing is asked
    assert (lookups.has("order"), lookups.has("stock")) == (True, False)


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
