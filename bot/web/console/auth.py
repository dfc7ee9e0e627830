"""Who may come in: log in and out, sessions, CSRF tokens, roles."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import re
import secrets

from aiohttp import hdrs, web

from bot.domain.accounts import User
from bot.domain.errors import TooManyRequests
from bot.domain.ports import Clock
from bot.web.console.attempts import Attempts
from bot.web.console.forms import FORM, Form, read_form
from bot.web.console.pages import Handler, refuse, render, wants_json
from bot.web.console.passwords import hash_password, verify
from bot.web.console.visits import (
    COOKIE,
    PATH,
    VISIT,
    Rank,
    arrive,
    close_session,
    open_session,
    set_cookie,
    the_web,
)
from bot.web.context import Web
from bot.web.headers import caller, octets

LOGIN_COOKIE = "switchboard_login"
LOGIN_MINUTES = 60
SAFE = ("GET", "HEAD")
PER_NAME, PER_ADDRESS = 5, 10  # failures a minute
NAME_LIMIT = 100
AT_ONCE = 2  # a verification takes 64 MiB and a tenth of a second of a core
OURS = re.compile(r"/console(?:[/?#][^\\\x00-\x20]*)?")


class Door:
    """Checks passwords: as slowly for a stranger as for a user, and only so often."""

    def __init__(self, clock: Clock) -> None:
        self._names = Attempts(clock, PER_NAME)
        self._addresses = Attempts(clock, PER_ADDRESS)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._nobody = ""

    async def knock(self, context: Web, name: str, password: str, address: str) -> User | None:
        """The user, or None; raises `TooManyRequests`."""
        self._addresses.begin(address)
        self._names.begin(name[:NAME_LIMIT])
        user = await context.store.get(User, name) if name else None
        known = user.password if user else await self._hash_of_nobody()
        if not await self.check(known, password) or user is None:
            return None
        self._addresses.forgive(address)
        self._names.forgive(name[:NAME_LIMIT])
        return user

    async def prove(self, user: User, password: str) -> bool:
        """Whether it is their own, once more; raises `TooManyRequests`: a session left open proves nobody."""
        self._names.begin(user.id[:NAME_LIMIT])
        right = await self.check(user.password, password)
        if right:
            self._names.forgive(user.id[:NAME_LIMIT])
        return right

    async def check(self, hashed: str, password: str) -> bool:
        async with self._turns:
            return await asyncio.to_thread(verify, hashed, password)

    async def hashed(self, password: str) -> str:
        """Raises `UnfitPassword`."""
        async with self._turns:
            return await asyncio.to_thread(hash_password, password)

    async def _hash_of_nobody(self) -> str:
        if not self._nobody:
            self._nobody = await self.hashed(secrets.token_hex())
        return self._nobody


DOOR = web.AppKey("DOOR", Door)


class Needs(dict[object, Rank | None]):
    """What a handler asks for: a role, or nothing at all; a handler that is not listed asks for a role."""


NEEDS = web.AppKey("NEEDS", Needs)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nobody gets past without a session (but to log in), nothing changes without its CSRF token."""
    request[VISIT] = visit = await arrive(request)
    needed = request.config_dict[NEEDS].get(request.match_info.handler, Rank.AGENT)
    if needed is None:
        return await handler(request)
    if visit.rank is None:
        return _ask_to_log_in(request)
    if request.method not in SAFE:
        request[FORM] = form = await read_form(request)
        sent = request.headers.get("X-CSRF-Token") or form["csrf"]
        if not hmac.compare_digest(octets(sent), octets(visit.csrf)):
            return refuse(request, 403, code="csrf")
    if not visit.rank.covers(needed):
        return refuse(request, 403)
    return await handler(request)


def _ask_to_log_in(request: web.Request) -> web.Response:
    if (
        wants_json(request)
        or request.method not in SAFE
        or "event-stream" in request.headers.get("Accept", "")
    ):
        return refuse(request, 401)
    url = request.rel_url.with_path(f"{PATH}/login").with_query(next=request.rel_url.path_qs)
    if request.cookies.get(COOKIE):
        url = url.update_query(over="1")
    return web.Response(status=303, headers={hdrs.LOCATION: str(url)})


def safe_next(wanted: str) -> str:
    """Only our own pages: a link to log in must not lead elsewhere."""
    return wanted if OURS.fullmatch(wanted) and "/login" not in wanted else PATH


async def show_login(request: web.Request) -> web.Response:
    if request[VISIT].rank:
        raise web.HTTPSeeOther(safe_next(request.query.get("next", "")))
    words = request[VISIT].words
    said = {"over": words("login.over"), "out": words("login.out")}
    notice = next((text for name, text in said.items() if request.query.get(name)), "")
    return _login_page(request, notice=notice)


async def log_in(request: web.Request) -> web.Response:
    context, words = the_web(request), request[VISIT].words
    form = await read_form(request)
    if not _proves_the_page(request, context, form):
        return _login_page(request, form, problem=words("login.stale"), status=400)
    try:
        user = await request.config_dict[DOOR].knock(
            context, form["name"].strip(), form["password"], caller(request)
        )
    except TooManyRequests as error:
        seconds = math.ceil(error.retry_after.total_seconds())
        response = _login_page(request, form, problem=words("login.limited", seconds=seconds), status=429)
        response.headers[hdrs.RETRY_AFTER] = str(seconds)
        return response
    if user is None:
        return _login_page(request, form, problem=words("login.wrong"), status=401)
    if earlier := request[VISIT].session:
        await close_session(context.store, earlier)
    response = web.Response(status=303, headers={hdrs.LOCATION: safe_next(form["next"])})
    set_cookie(response, context, COOKIE, await open_session(context, user), context.session_hours * 3600)
    response.del_cookie(LOGIN_COOKIE, path=PATH)
    return response


async def log_out(request: web.Request) -> web.Response:
    session = request[VISIT].session
    if session:
        await close_session(the_web(request).store, session)
    response = web.Response(status=303, headers={hdrs.LOCATION: f"{PATH}/login?out=1"})
    response.del_cookie(COOKIE, path=PATH)
    return response


def _login_page(
    request: web.Request, form: Form | None = None, *, problem: str = "", notice: str = "", status: int = 200
) -> web.Response:
    """The form carries a proof that only a page of ours can know, so that nobody logs others in unnoticed."""
    context = the_web(request)
    known = request.cookies.get(LOGIN_COOKIE, "")
    seed = known if known and known.isascii() else secrets.token_urlsafe(16)
    values = {
        "proof": _proof(context, seed),
        "problem": problem,
        "notice": notice,
        "name": form["name"] if form else "",
        "next": safe_next(form["next"] if form else request.query.get("next", "")),
    }
    response = render(request, "login.html", status=status, **values)
    set_cookie(response, context, LOGIN_COOKIE, seed, LOGIN_MINUTES * 60)
    return response


def _proves_the_page(request: web.Request, context: Web, form: Form) -> bool:
    seed = request.cookies.get(LOGIN_COOKIE, "")
    return bool(seed) and hmac.compare_digest(octets(form["proof"]), octets(_proof(context, seed)))


def _proof(context: Web, seed: str) -> str:
    return hmac.new(context.secret, b"console login\0" + octets(seed), hashlib.sha256).hexdigest()
