"""Which sites may use the chat, and the script they embed it with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from bot.domain.errors import NotAllowed
from bot.web.context import WEB, Web

STATIC = Path(__file__).parent.parent / "static" / "chat"
# One script in the end, so that a site needs one tag; the parts share one scope, in this order.
PARTS = (
    "texts.js",
    "storage.js",
    "wire.js",
    "elements.js",
    "log.js",
    "composer.js",
    "view.js",
    "widget.js",
)
WIDGET_SECONDS = 600  # browsers ask again after this, and mostly hear "not modified"
PREFLIGHT_SECONDS = 7200

PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Content-Type",
    "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
}


def admit(request: web.Request, account: str) -> None:
    """Raises `NotAllowed` when a browser says the request comes from a site that may not use this account."""
    origin = request.headers.get("Origin", "")
    if origin and not _admitted(request, origin, (account,)):
        raise NotAllowed(f"{origin} may not use this chat; an operator can add it to the account's origins.")


async def share(request: web.Request, response: web.StreamResponse) -> None:
    """Let the scripts of admitted sites read what the chat routes answer, errors too (a signal of the app)."""
    if not request.path.startswith("/chat/"):
        return
    response.headers.add("Vary", "Origin")
    origin = request.headers.get("Origin", "")
    if origin and _admitted(request, origin, request.app[WEB].origins):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"


async def preflight(_: web.Request) -> web.Response:
    return web.Response(status=204, headers=PREFLIGHT)


async def widget(request: web.Request) -> web.Response:
    script, tag = _script()
    headers = {
        "Cache-Control": f"public, max-age={WIDGET_SECONDS}",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
    response = web.Response(headers=headers, content_type="text/javascript", charset="utf-8")
    response.etag = tag
    if request.if_none_match and any(known.value == tag for known in request.if_none_match):
        response.set_status(304)
        return response
    response.body = script
    response.enable_compression()
    return response


@cache
def _script() -> tuple[bytes, str]:
    """The script and the hash of its content."""
    style = json.dumps((STATIC / "widget.css").read_text(encoding="utf-8"))
    parts = "\n".join((STATIC / part).read_text(encoding="utf-8") for part in PARTS)
    script = f'(() => {{\n"use strict";\nconst STYLE = {style};\n{parts}\n}})();\n'.encode()
    return script, hashlib.sha256(script).hexdigest()[:16]


def _admitted(request: web.Request, origin: str, accounts: Iterable[str]) -> bool:
    context = request.app[WEB]
    if origin in _own(request, context):
        return True
    sites = {site.rstrip("/").lower() for account in accounts for site in context.origins.get(account, ())}
    return "*" in sites or origin.lower() in sites


def _own(request: web.Request, context: Web) -> set[str]:
    """Our own pages; a proxy in front may have taken TLS off, so the scheme they were asked with is unknown."""
    public = urlsplit(context.public_url)
    return {f"http://{request.host}", f"https://{request.host}", f"{public.scheme}://{public.netloc}"}
