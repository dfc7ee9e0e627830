"""What all pages share: how they are rendered, how they refuse, and the headers that seal them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import aiohttp_jinja2
import msgspec
import structlog
from aiohttp import hdrs, web
from markupsafe import Markup, escape

from bot.domain.errors import (
    MalformedPayload,
    NotAllowed,
    PayloadTooLarge,
    StoreUnavailable,
    SwitchboardError,
    TooLate,
    TooManyRequests,
    Unknown,
)
from bot.web.console.language import Words, choose
from bot.web.console.texts import TEXTS
from bot.web.console.visits import PATH, VISIT, Visit, the_web

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
STATUS: tuple[tuple[type[SwitchboardError], int, str], ...] = (
    (MalformedPayload, 400, "malformed"),
    (NotAllowed, 403, "not_allowed"),
    (Unknown, 404, "unknown"),
    (TooLate, 409, "too_late"),
    (PayloadTooLarge, 413, "too_large"),
    (TooManyRequests, 429, "too_many"),
    (StoreUnavailable, 503, "unavailable"),
)
# What the script needs to keep times current and to speak.
FOR_SCRIPT = (
    *("time.now", "time.minutes", "time.hours", "time.days", "time.ago", "time.just_now", "time.ago_days"),
    *("live.lost", "live.signed_out", "live.log_in", "list.new.one", "list.new.other", "list.show"),
    *("list.gone", "case.new_below.one", "case.new_below.other", "case.wrote_meanwhile"),
    *("write.taken", "write.offline", "write.sending", "write.sent", "write.noted", "write.done"),
    *("write.empty", "write.draft_kept", "refused.file_size"),
)


def seal(response: web.StreamResponse) -> web.StreamResponse:
    """A handler's own header wins; the server's, which suit the API, come later and leave ours alone."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def render(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    visit, context = request[VISIT], the_web(request)
    words = visit.words
    shared = {
        "t": words,
        "language": words.language,
        "visit": visit,
        "brand": context.brand,
        "now": context.clock(),
        "here": request.rel_url.path_qs if request.method == "GET" else request.rel_url.path,
        "root": PATH,
        "when": _when(words, context.clock()),
        "script_texts": msgspec.json.encode(_script_texts(words)).decode(),
    }
    return aiohttp_jinja2.render_template(template, request, {**shared, **values}, status=status)


def wants_json(request: web.Request) -> bool:
    return "application/json" in request.headers.get(hdrs.ACCEPT, "")


def refuse(
    request: web.Request,
    status: int,
    *,
    code: str = "",
    message: str = "",
    headers: dict[str, str] | None = None,
) -> web.Response:
    """A page that says what happened and where to go on; JSON for the script."""
    words = request[VISIT].words
    key = f"error.{code}" if f"error.{code}" in TEXTS else f"error.{status}"
    key = key if key in TEXTS else "error.400"
    if wants_json(request):
        error = {"code": code or str(status), "message": message or f"{words(key)}. {words(f'{key}_hint')}"}
        body = msgspec.json.encode({"error": error})
        return web.Response(body=body, status=status, content_type="application/json", headers=headers)
    response = render(
        request, "error.html", status=status, title=words(key), hint=message or words(f"{key}_hint")
    )
    response.headers.update(headers or {})
    return response


@web.middleware
async def faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors become pages; the one broad catch of the console records what nobody foresaw."""
    context = the_web(request)
    request[VISIT] = Visit(words=Words(choose(request, context.brand.language), context.brand.zone))
    try:
        return seal(await handler(request))
    except SwitchboardError as error:
        return seal(_domain_error(request, error))
    except web.HTTPException as error:
        if error.status < web.HTTPBadRequest.status_code:
            seal(error)
            raise
        return seal(refuse(request, error.status, headers=_kept_headers(error)))
    except Exception:
        log.exception("console.failed", method=request.method, route=_route(request))
        return seal(refuse(request, 500))


def _domain_error(request: web.Request, error: SwitchboardError) -> web.Response:
    status, code = next(
        ((status, code) for kind, status, code in STATUS if isinstance(error, kind)), (500, "")
    )
    if status >= web.HTTPInternalServerError.status_code:
        log.error("console.failed", error=type(error).__name__, route=_route(request), why=str(error))
    headers: dict[str, str] = {}
    if isinstance(error, TooManyRequests):
        headers[hdrs.RETRY_AFTER] = str(max(1, round(error.retry_after.total_seconds())))
    return refuse(request, status, code=code, headers=headers)


def _kept_headers(error: web.HTTPException) -> dict[str, str]:
    return {hdrs.ALLOW: error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else {}


def _route(request: web.Request) -> str:
    """The pattern, never the path: paths hold ids that logs need not repeat."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else ""


def _script_texts(words: Words) -> dict[str, str]:
    column = 0 if words.language == "de" else 1
    return {key: TEXTS[key][column] for key in FOR_SCRIPT}


def _when(words: Words, now: datetime) -> Callable[[datetime | None, str], Markup]:
    """`<time>` with words that are right before the script has loaded; the script then keeps them current."""
    forms: dict[str, Callable[[datetime], str]] = {
        "span": lambda moment: words.span(now - moment),
        "ago": lambda moment: words.ago(now - moment),
        "clock": words.clock,
        "day": words.day,
        "short": lambda moment: words.short(moment, now),
        "exact": words.exact,
    }

    def element(moment: datetime | None, form: str) -> Markup:
        if moment is None:
            return Markup("–")
        return Markup('<time datetime="{}" data-form="{}" title="{}">{}</time>').format(
            moment.isoformat(timespec="seconds"), escape(form), words.exact(moment), forms[form](moment)
        )

    return element
