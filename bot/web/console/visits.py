"""Who is looking at the console: the session behind the cookie, its user, their role and language."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

from aiohttp import web
from msgspec import Struct

from bot.domain.accounts import Session, User
from bot.domain.cases import Agent
from bot.domain.desks import Alarm
from bot.domain.errors import StoreUnavailable
from bot.domain.ports import Applied, Changes, Delete, Insert, Query, Store
from bot.web.console.language import Words, choose
from bot.web.context import WEB, Web
from bot.web.headers import octets

COOKIE = "switchboard"
PATH = "/console"
DESK = "console"
CLEANED_AT_ONCE = 200


class Rank(StrEnum):
    """What a console user may do; each role may do what the ones before it may."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"

    def covers(self, other: Rank) -> bool:
        order = tuple(Rank)
        return order.index(self) >= order.index(other)


class Visit(Struct, frozen=True, kw_only=True):
    """One request's viewer; without a session there is no user."""

    words: Words
    user: User | None = None
    session: Session | None = None
    alarms: tuple[Alarm, ...] = ()  # what an operator has to mend

    @property
    def rank(self) -> Rank | None:
        """None for nobody, and for a role this version does not know."""
        return Rank(self.user.role) if self.user and self.user.role in set(Rank) else None

    @property
    def agent(self) -> Agent:
        return as_agent(self.user.id if self.user else "")

    @property
    def csrf(self) -> str:
        return self.session.csrf if self.session else ""


VISIT = web.RequestKey("VISIT", Visit)


def as_agent(name: str) -> Agent:
    return Agent(id=name, name=name, desk=DESK)


def the_web(request: web.Request) -> Web:
    return request.config_dict[WEB]


async def arrive(request: web.Request) -> Visit:
    """Read session and user anew for every request, so that a removed user is out at once."""
    context = the_web(request)
    brand = context.brand
    words = Words(choose(request, brand.language), brand.zone)
    session = await session_of(context.store, request.cookies.get(COOKIE, ""), context.clock())
    user = await context.store.get(User, session.user) if session else None
    if user is None:
        return Visit(words=words)
    alarms = tuple(await context.alarms.sounding())
    return Visit(words=words, user=user, session=session, alarms=alarms)


async def session_of(store: Store, token: str, now: datetime) -> Session | None:
    if not token:
        return None
    session = await store.get(Session, _id(token))
    return session if session and session.expires_at > now else None


async def open_session(context: Web, user: User) -> str:
    """Store a new session; returns the token for the cookie, which is stored nowhere."""
    token, now = secrets.token_urlsafe(32), context.clock()
    session = Session(
        id=_id(token),
        user=user.id,
        csrf=secrets.token_urlsafe(32),
        created_at=now,
        expires_at=now + timedelta(hours=context.session_hours),
    )
    expired = await context.store.find(
        Query(kind=Session, until={"expires_at": now}, order="expires_at", limit=CLEANED_AT_ONCE)
    )
    deletions = tuple(Delete(kind=Session, id=old.id) for old in expired)
    outcome = await context.store.apply(Changes(writes=(Insert(record=session), *deletions)))
    if not isinstance(outcome, Applied):
        raise StoreUnavailable("The session could not be stored; log in again.")
    return token


async def close_sessions(store: Store, user: str, *, but: str = "") -> None:
    """Log a user out everywhere, except in the session `but`."""
    found = await store.find(Query(kind=Session, equals={"user": user}, limit=1000))
    gone = tuple(Delete(kind=Session, id=session.id) for session in found if session.id != but)
    if gone:
        await store.apply(Changes(writes=gone))


async def close_session(store: Store, session: Session) -> None:
    await store.apply(Changes(writes=(Delete(kind=Session, id=session.id),)))


def set_cookie(response: web.StreamResponse, context: Web, name: str, value: str, max_age: int) -> None:
    """Out of reach of scripts and of other sites' posts; over https never sent in the clear."""
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        path=PATH,
        httponly=True,
        samesite="Lax",
        secure=context.public_url.startswith("https://"),
    )


def _id(token: str) -> str:
    return hashlib.sha256(octets(token)).hexdigest()
