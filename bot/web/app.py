"""The HTTP application: routes, errors as JSON, an access log without secrets, safe headers."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiohttp import web

from bot import metrics
from bot.domain.errors import (
    BadSignature,
    EngineUnavailable,
    MalformedPayload,
    NotAllowed,
    NotYet,
    PayloadTooLarge,
    StoreUnavailable,
    SwitchboardError,
    TooLate,
    TooManyRequests,
    Unknown,
)
from bot.web import api, chat, console, demo, desks, probes, webhooks
from bot.web.context import WEB, Web

log = structlog.get_logger()

BODY_LIMIT = 1024 * 1024  # bytes; uploads have a route and a limit of their own
# Characters of a Content-Type; the library needs a tenth of a second of the loop's to read 8 kB of semicolons.
LONGEST_TYPE = 256
SLOW_ROUTES = {"/chat/stream", "/console/stream"}

STATUS: dict[type[SwitchboardError], tuple[int, str]] = {
    BadSignature: (401, "unauthorized"),
    MalformedPayload: (400, "malformed"),
    PayloadTooLarge: (413, "too_large"),
    TooManyRequests: (429, "too_many_requests"),
    NotAllowed: (403, "not_allowed"),
    NotYet: (409, "too_late"),
    TooLate: (409, "too_late"),
    Unknown: (404, "not_found"),
    StoreUnavailable: (503, "not_stored"),
    EngineUnavailable: (503, "no_model"),
}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build(context: Web, ready: Mapping[str, probes.Probe]) -> web.Application:
    """Everything customers, platforms and agents reach."""
    app = _bare(context, ready)
    for module in (webhooks, desks, api, chat, demo, console):
        module.setup(app)
    return app


def build_for_worker(context: Web, ready: Mapping[str, probes.Probe]) -> web.Application:
    """How the process is; nothing for customers, platforms or agents."""
    app = _bare(context, ready)
    demo.take_orders(app)
    return app


def _bare(context: Web, ready: Mapping[str, probes.Probe]) -> web.Application:
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[observed, errors_as_json])
    app[WEB] = context
    app[probes.PROBES] = ready
    app.on_response_prepare.append(_safe_headers)
    probes.setup(app)
    return app


async def _safe_headers(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


@web.middleware
async def observed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Method, route and milliseconds; never the query string, which may hold a customer's token."""
    started = time.perf_counter()
    status = 500
    try:
        response = await handler(request)
        status = response.status
    except web.HTTPException as error:
        status = error.status
        raise
    else:
        return response
    finally:
        _record(request, status, time.perf_counter() - started)


def _record(request: web.Request, status: int, seconds: float) -> None:
    route = _route(request)
    if route not in SLOW_ROUTES:
        metrics.REQUESTS.labels(route, status).observe(seconds)
    log.debug("http", method=request.method, route=route, status=status, ms=round(seconds * 1000, 1))


def _route(request: web.Request) -> str:
    """The pattern, never the path: whoever asks chooses that."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unknown"


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The type of an error decides its status; pages render their own errors before it gets here."""
    if (
        request.headers.get("Content-Encoding", "identity") != "identity"
    ):  # kilobytes that unpack to gigabytes
        return failure(415, "compressed", "Send the body as it is, without Content-Encoding.", {})
    if len(request.headers.get("Content-Type", "")) > LONGEST_TYPE:
        return failure(400, "malformed", "The Content-Type is too long to be one.", {})
    try:
        return await handler(request)
    except SwitchboardError as error:
        status, code = STATUS.get(type(error), (500, "internal"))
        if status >= 500:
            log.warning("http.failed", route=_route(request), status=status, why=str(error))
        headers = {"Retry-After": str(_seconds(error))} if status in {429, 503} else {}
        return failure(status, code, str(error), headers)
    except web.HTTPRequestEntityTooLarge:
        return failure(413, "too_large", f"The body is over the limit of {BODY_LIMIT} bytes.", {})
    except web.HTTPException as error:
        if error.status < 400 or error.content_type == "text/html":
            raise
        return _refused(request, error)
    except (ConnectionResetError, TimeoutError):
        raise
    except Exception:
        log.exception("http.broke", route=_route(request))
        return failure(500, "internal", "Something broke on our side; it was recorded.", {})


def _refused(request: web.Request, error: web.HTTPException) -> web.Response:
    """What the router says in two words, as a sentence."""
    code, message, headers = error.reason.lower().replace(" ", "_"), error.reason, dict[str, str]()
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        message, headers = (
            f"This address does not take {request.method}; it takes {allowed}.",
            {"Allow": allowed},
        )
    elif error.status == 404:
        message = "There is nothing at this address; check its path."
    return failure(error.status, code, message, headers)


def failure(status: int, code: str, message: str, headers: Mapping[str, str]) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=headers)


def _seconds(error: SwitchboardError) -> int:
    return max(1, math.ceil(error.retry_after.total_seconds())) if isinstance(error, TooManyRequests) else 2
