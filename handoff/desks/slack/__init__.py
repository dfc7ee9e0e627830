"""Slack, where agents work a case from claim to resolve without leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import msgspec
import structlog

from bot.domain.actions import AgentAction
from bot.domain.desks import DeskEvent, Gone
from bot.domain.errors import BadSignature, MalformedPayload, SendError, StoreUnavailable
from bot.domain.ports import Finding, Request, Response
from handoff.desks.base import DeskDeps
from handoff.desks.slack.actions import Actions
from handoff.desks.slack.api import SlackApi
from handoff.desks.slack.checks import Checks
from handoff.desks.slack.desk import SlackDesk
from handoff.desks.slack.events import Events
from handoff.desks.slack.files import SlackFiles
from handoff.desks.slack.look import Look
from handoff.desks.slack.members import Members
from handoff.desks.slack.mending import Mending
from handoff.desks.slack.reading import Reading
from handoff.desks.slack.settings import SlackSettings
from handoff.desks.slack.sockets import Sockets
from handoff.desks.slack.verify import Verifier

__all__ = ["Slack", "SlackSettings"]

log = structlog.get_logger()

GAPS_EVERY = 600.0  # seconds
LOOKED_BACK = timedelta(days=2)  # at the first look after a start
OVERLAP = timedelta(minutes=2)
THREADS = 200  # open cases that are looked at
INTRODUCED_EVERY = 30.0  # seconds
WORKSPACE = "https://slack.com/"


class Slack(SlackDesk):
    """The desk, what it hears, and what it does while the server runs."""

    def __init__(self, settings: SlackSettings, deps: DeskDeps) -> None:
        """Raises `Misconfigured`."""
        settings.require()
        api = SlackApi(settings.token, settings.api_url, deps.http)
        files = SlackFiles(api, deps.files)
        self._deps = deps
        self._workspace = WORKSPACE
        self._introduction: asyncio.Task[None] | None = None
        self._verify = Verifier(settings.signing_secret, deps.clock) if settings.signing_secret else None
        members = Members(api, settings.agents)
        super().__init__(
            settings, api, self.look, files, deps.clock, deps.alarm, deps.works, away=members.away
        )
        reading = Reading(deps.store, self.look)
        self.actions = Actions(deps, api, members, reading, self.look)
        self._events = Events(
            settings, deps, api, members, files, reading, self.look, self.actions.overview.show_home
        )
        self._sockets = self._by_socket(settings, deps) if settings.by_socket else None
        self._mending = Mending(settings, deps, api)
        self._checks = Checks(
            settings,
            api,
            deps.http,
            members=members,
            departments=deps.departments,
            public_url=deps.public_url,
        )

    def _by_socket(self, settings: SlackSettings, deps: DeskDeps) -> Sockets:
        return Sockets(SlackApi(settings.app_token, settings.api_url, deps.http), deps.http, self._enveloped)

    def look(self) -> Look:
        """Words and names as they are now: the configuration may be read again while we run."""
        return Look(
            language=self._settings.language or self._deps.brand.language,
            zone=self._deps.brand.zone,
            public_url=self._deps.public_url,
            intents=self._deps.intents,
            departments=self._deps.departments,
            workspace=self._workspace,
        )

    # ── Hearing ─────────────────────────────────────────────────────────────────────────────────

    def authenticate(self, request: Request) -> None:
        """Raises `BadSignature`."""
        if self._verify is None:
            raise BadSignature(
                "Slack talks over a socket here: there is no signing secret to trust a request by."
            )
        self._verify(request)

    async def hear(self, request: Request) -> Response:
        """Raises `MalformedPayload`, `StoreUnavailable`."""
        kind = request.path.rstrip("/").rpartition("/")[2]
        if kind == "events":
            return _json(await self._events.take(_object(request.body)))
        form = _form(request.body)
        if kind == "commands":
            return Response() if form.get("ssl_check") else _json(await self.actions.overview.command(form))
        return _json(await self.actions.take(_object(form.get("payload", "").encode())))

    async def _enveloped(self, kind: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        """The same over a socket."""
        try:
            if kind == "slash_commands":
                return await self.actions.overview.command(
                    {name: str(value) for name, value in payload.items()}
                )
            took = self._events.take if kind == "events_api" else self.actions.take
            return await took(payload) or None
        except MalformedPayload:
            log.warning("slack.malformed", kind=kind)
            return None

    async def meant(self, event: DeskEvent) -> AgentAction | Gone | None:
        return await self._events.meant(event)

    async def tell(self, event: DeskEvent, sentence: str, offered: str = "") -> None:
        await self._events.tell(event, sentence, offered)

    # ── While the server runs ───────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        self._introduction = asyncio.create_task(self._introduce())
        if self._sockets:
            await self._sockets.start()

    async def stop(self) -> None:
        if self._introduction:
            self._introduction.cancel()
        if self._sockets:
            await self._sockets.stop()
        await self.actions.settled()

    async def _introduce(self) -> None:
        """Links lead to the workspace's own address, as soon as Slack has told it."""
        while self._workspace == WORKSPACE:
            try:
                self._workspace = (await self._api.me()).url or WORKSPACE
            except SendError as error:
                log.info("slack.unknown", error=type(error).__name__)
            await asyncio.sleep(INTRODUCED_EVERY)

    @property
    def polls(self) -> bool:
        return True

    async def poll(self) -> None:
        """Fill the gaps: what was said while nobody listened, and Slack does not tell again. Until cancelled."""
        since = self._deps.clock() - LOOKED_BACK
        while True:
            begun = self._deps.clock()
            try:
                await self._mending.look()
                await self._events.fill_gaps(THREADS, since)
                since = begun - OVERLAP
            except StoreUnavailable:
                log.warning("store.unavailable", work="slack gaps")
            except SendError as error:
                log.info("slack.gaps", error=type(error).__name__)
            await asyncio.sleep(GAPS_EVERY)

    async def check(self) -> list[Finding]:
        return await self._checks.check()


# ── Bodies ──────────────────────────────────────────────────────────────────────────────────────


def _object(body: bytes) -> dict[str, Any]:
    """Raises `MalformedPayload`."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise MalformedPayload("The body is not JSON.") from exc
    if not isinstance(found, dict):
        raise MalformedPayload("The body is not a JSON object.")
    return found


def _form(body: bytes) -> Mapping[str, str]:
    """Raises `MalformedPayload`."""
    try:
        found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=50)
    except ValueError as exc:
        raise MalformedPayload("The body is not a form.") from exc
    return {name: values[0] for name, values in found.items()}


def _json(answer: Mapping[str, Any]) -> Response:
    """An empty body where there is nothing to say: Slack shows whatever it gets."""
    return (
        Response(body=msgspec.json.encode(answer), content_type="application/json") if answer else Response()
    )
