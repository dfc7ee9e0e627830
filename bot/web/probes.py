"""Is the process up, can it work, how is it doing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Probe = Callable[[], Awaitable[str]]  # "" or what is wrong
PROBES = web.AppKey("probes", Mapping[str, Probe])
PATIENCE = 2.0  # seconds for each of them, all at once

log = structlog.get_logger()


def setup(app: web.Application) -> None:
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)


async def healthz(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """503 and the list of what fails, so that a load balancer sends nobody here."""
    probes = request.app[PROBES]
    problems = await asyncio.gather(*(_asked(probe) for probe in probes.values()))
    failing = {name: problem for name, problem in zip(probes, problems, strict=True) if problem}
    body = {"status": "fail" if failing else "ok", "failing": failing, "checked": sorted(probes)}
    return web.json_response(body, status=503 if failing else 200)


async def _asked(probe: Probe) -> str:
    """What hangs has failed; whoever asks is told in time."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await probe()
    except TimeoutError:
        return f"No answer within {PATIENCE:.0f} seconds."
    except Exception:
        log.exception("probe.broke")
        return "It broke; the log says how."


async def metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
