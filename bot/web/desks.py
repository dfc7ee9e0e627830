"""Desks in: verify the raw bytes, answer at once what must be, store the rest, and only then say 200."""

from __future__ import annotations

from aiohttp import web

from bot import metrics
from bot.domain.errors import SwitchboardError, Unknown
from bot.web.context import WEB
from bot.web.webhooks import seen


def setup(app: web.Application) -> None:
    app.router.add_post("/slack/{what:events|interactions|commands}", hear)


async def hear(request: web.Request) -> web.Response:
    desk = request.app[WEB].desks.get("slack")
    if desk is None:
        raise Unknown("There is no desk of this name; configure desks.slack.")
    asked = await seen(request)
    try:
        desk.authenticate(asked)
        answer = await desk.hear(asked)
    except SwitchboardError as error:
        metrics.REFUSED.labels("slack", type(error).__name__).inc()
        raise
    return web.Response(body=answer.body, content_type=answer.content_type)
