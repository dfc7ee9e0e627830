"""`GET /`: an invented shop that uses the web chat, and the order system it pretends to have."""

from __future__ import annotations

import hashlib
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import aiohttp_jinja2
import jinja2
import msgspec
from aiohttp import web

from bot.domain.errors import Unknown
from bot.web.context import WEB

HERE = Path(__file__).parent
ASSETS = {"demo.css": "text/css", "demo.js": "text/javascript", "icon.svg": "image/svg+xml"}
TEMPLATES = web.AppKey("demo_templates", jinja2.Environment)
LANGUAGES = ("de", "en")

# The widget asks for nothing more than this, so the page shows that it works under a strict policy.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

ORDER = re.compile(r"(?:NW-?)?(\d{4,10})", re.IGNORECASE)
UNKNOWN_ORDERS = ("0", "999")  # numbers that begin so do not exist, so that "not found" can be tried
ALWAYS_SHIPPED = "4711"
STATUSES = ("processing", "shipped", "shipped", "delivered", "returned")
CARRIERS = ("DHL", "Hermes", "DPD")
ITEMS = (
    ("Wolldecke „Fjord“", 89.0),
    ("Öljacke „Windstärke 8“", 149.0),
    ("Sturmlaterne „Leuchtfeuer“", 64.5),
    ("Teekessel „Tide“", 72.0),
    ("Strickmütze „Helgoland“", 34.9),
)


def setup(app: web.Application) -> None:
    app[TEMPLATES] = aiohttp_jinja2.setup(
        app,
        app_key=TEMPLATES,
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    app.add_routes(
        [
            web.get("/", page),
            web.get("/demo/assets/{name}", asset),
        ]
    )
    take_orders(app)


def take_orders(app: web.Application) -> None:
    """Also where there is nothing else to see: the shipped lookup asks the process that looks something up."""
    app.router.add_get("/demo/orders/{order_number}", order)


async def page(request: web.Request) -> web.Response:
    language = _language(request)
    response = aiohttp_jinja2.render_template(
        "demo.html", request, {"language": language, "brand": request.app[WEB].brand.name}, app_key=TEMPLATES
    )
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cache-Control"] = "no-cache"
    return response


async def asset(request: web.Request) -> web.FileResponse:
    name = request.match_info["name"]
    if name not in ASSETS:
        raise Unknown("There is no such file.")
    response = web.FileResponse(HERE / "static" / "demo" / name, headers={"Cache-Control": "no-cache"})
    response.content_type = ASSETS[name]
    return response


async def order(request: web.Request) -> web.Response:
    """What a shop's own system would know about an order; invented, but the same for the same number."""
    asked = ORDER.fullmatch(request.match_info["order_number"].lstrip("#"))
    number = asked[1] if asked else ""
    if not number or number.startswith(UNKNOWN_ORDERS):
        raise Unknown("There is no such order.")
    context = request.app[WEB]
    today = context.clock().astimezone(context.brand.zone).date()
    return web.json_response(body=msgspec.json.encode(invented(number, today)))


def invented(number: str, today: date) -> dict[str, Any]:
    """An order made from its number; only its dates follow the calendar."""
    dice = hashlib.sha256(number.encode()).digest()
    status = "shipped" if number == ALWAYS_SHIPPED else STATUSES[dice[0] % len(STATUSES)]
    item, price = ITEMS[dice[1] % len(ITEMS)]
    days = 1 + dice[2] % 4
    ahead = {"processing": days + 2, "shipped": days}
    return {
        "order_number": number,
        "status": status,
        "carrier": CARRIERS[dice[3] % len(CARRIERS)],
        "expected": (today + timedelta(days=ahead.get(status, -days))).isoformat(),
        "item": item,
        "total": price,
    }


def _language(request: web.Request) -> str:
    """As asked for in the address, else the first of ours that the browser names."""
    wanted = request.query.get("lang", "")
    if wanted in LANGUAGES:
        return wanted
    named = re.findall(r"(?:^|,)\s*([a-z]{2})", request.headers.get("Accept-Language", "").lower())
    return next((language for language in named if language in LANGUAGES), LANGUAGES[0])
