"""Is the process up, can it work, how is it doing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Probe = Callable[[], Awaitable[str]]  # "" or what is wrong
PROBES = web.AppKey("probes", Mapping[str, Probe])


def setup(app: web.Application) -> None:
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)


async def healthz(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """503 and the list of what fails, so that a load balancer sends nobody here."""
    found = {name: await probe() for name, probe in request.app[PROBES].items()}
    failing = {name: problem for name, problem in found.items() if problem}
    body = {"status": "fail" if failing else "ok", "failing": failing, "checked": sorted(found)}
    return web.json_response(body, status=503 if failing else 200)


async def metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
