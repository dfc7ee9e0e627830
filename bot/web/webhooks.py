"""Platforms in: verify the raw bytes, parse, store, and only then say 200."""

from __future__ import annotations

from aiohttp import web

from bot import metrics
from bot.domain.errors import SwitchboardError, Unknown
from bot.domain.ports import Connector, Handshakes, Request
from bot.web.context import WEB
from bot.web.multipart import read_body

TOO_LARGE = "The body is too large; a webhook may have a MiB."


def setup(app: web.Application) -> None:
    app.router.add_post("/webhooks/{channel}/{account}", receive)
    app.router.add_get("/webhooks/{channel}/{account}", handshake)


async def receive(request: web.Request) -> web.Response:
    connector = _connector(request)
    asked = await seen(request)
    try:
        connector.authenticate(asked)
        inbound = connector.parse(asked)
    except SwitchboardError as error:
        metrics.REFUSED.labels(connector.channel, type(error).__name__).inc()
        raise
    await request.app[WEB].receiving.receive(inbound)
    return web.Response(text="ok")


async def handshake(request: web.Request) -> web.Response:
    connector: object = _connector(request)
    if not isinstance(connector, Handshakes):
        raise Unknown("This channel does not ask with GET.")
    answer = connector.handshake(await seen(request))
    return web.Response(body=answer.body, content_type=answer.content_type)


async def seen(request: web.Request) -> Request:
    """A request as connectors see it: raw bytes, lower-case header names."""
    return Request(
        method=request.method,
        path=request.path,
        query=dict(request.query),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await read_body(request, request.client_max_size, TOO_LARGE),
    )


def _connector(request: web.Request) -> Connector:
    key = (request.match_info["channel"], request.match_info["account"])
    connector = request.app[WEB].connectors.get(key)
    if connector is None or connector.capabilities.hosted:
        raise Unknown(f"There is no account {key[1]!r} on channel {key[0]!r}.")
    return connector
