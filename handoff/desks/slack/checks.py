"""What the doctor finds at Slack: the token and its scopes, the channels, the signing secret, the sockets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import aiohttp

from bot.domain.errors import SendError
from bot.domain.ports import Finding
from bot.domain.routing import Department
from handoff.desks.slack.api import Identity, SlackApi
from handoff.desks.slack.manifest import NEEDED, SCOPES
from handoff.desks.slack.members import Members
from handoff.desks.slack.settings import SlackSettings

NAME = "slack"
SECRET = re.compile(r"[0-9a-f]{32}")
INSTALL = "Add it under OAuth & Permissions (or paste the manifest again) and install the app again."


class Checks:
    """Nothing here posts anything."""

    def __init__(
        self,
        settings: SlackSettings,
        api: SlackApi,
        http: aiohttp.ClientSession,
        *,
        members: Members | None = None,
        departments: Mapping[str, Department] = MappingProxyType({}),
        public_url: str = "",
    ) -> None:
        self._settings = settings
        self._api = api
        self._http = http
        self._members = members or Members(api, settings.agents)
        self._departments = departments
        self._public_url = public_url

    async def check(self) -> list[Finding]:
        try:
            me = await self._api.me()
        except SendError as error:
            fix = "Check desks.slack.token, api_url and the way out of this machine."
            unknown = Finding(name=NAME, status="fail", detail=error.reason, fix=fix)
            return [unknown, *_arrivals(self._settings, self._public_url)]
        channels = sorted(self._channels().items())
        known = f"the token is that of bot {me.bot or me.user} in {_place(me)}"
        return [
            Finding(name=NAME, status="ok", detail=known),
            *_scopes(me),
            *await asyncio.gather(*(_channel(self._api, id, who) for id, who in channels)),
            *await _agents(self._settings, self._members),
            *_arrivals(self._settings, self._public_url),
            *await self._sockets(),
        ]

    def _channels(self) -> dict[str, list[str]]:
        """Who uses which: a department's own setting counts where `channels` names none for it."""
        named = {name: one.desk_channel for name, one in self._departments.items() if one.desk_channel}
        users: dict[str, list[str]] = {}
        for user, channel in {**named, **self._settings.channels}.items():
            users.setdefault(channel, []).append(user)
        return users

    async def _sockets(self) -> list[Finding]:
        """Asking for an address opens no connection; Slack forgets it."""
        if not self._settings.by_socket:
            return []
        name = f"{NAME} sockets"
        api = SlackApi(self._settings.app_token, self._settings.api_url, self._http)
        try:
            await api.call("apps.connections.open")
        except SendError as error:
            fix = "Make an app-level token with connections:write, and turn Socket Mode on in the app's settings."
            return [Finding(name=name, status="fail", detail=error.reason, fix=fix)]
        return [Finding(name=name, status="ok", detail="the app-level token opens them")]


def _place(me: Identity) -> str:
    return me.url.removeprefix("https://").rstrip("/") or me.team


def _scopes(me: Identity) -> Iterable[Finding]:
    name = f"{NAME} scopes"
    if not me.scopes:
        yield Finding(
            name=name, status="warn", detail="Slack does not tell them", fix="See that api_url is Slack's."
        )
        return
    missing = [scope for scope in SCOPES if scope not in me.scopes]
    for scope in missing:
        status = "fail" if scope in NEEDED else "warn"
        yield Finding(name=name, status=status, detail=f"{scope} is missing: {SCOPES[scope]}", fix=INSTALL)
    if not missing:
        yield Finding(name=name, status="ok", detail=f"all {len(SCOPES)} are there")


async def _channel(api: SlackApi, id: str, users: list[str]) -> Finding:
    name, who = f"{NAME} channel {id}", ", ".join(sorted(users))
    try:
        found = await api.channel(id)
    except SendError as error:
        fix = f"Invite the app (/invite in the channel), or name another one for {who}."
        return Finding(name=name, status="fail", detail=error.reason, fix=fix)
    if found.get("is_archived"):
        fix = f"Name another one for {who} in the configuration, or bring it back."
        return Finding(name=name, status="fail", detail="is archived", fix=fix)
    if not found.get("is_member"):
        return Finding(
            name=name,
            status="fail",
            detail="the app is not in it",
            fix="Type /invite and the app's name there.",
        )
    if found.get("is_ext_shared"):
        fix = "People of the other company can read customers' messages; use a channel of your own."
        return Finding(
            name=name, status="warn", detail=f"for {who}; it is shared with another company", fix=fix
        )
    return Finding(name=name, status="ok", detail=f"for {who}; the app is in it")


async def _agents(settings: SlackSettings, members: Members) -> list[Finding]:
    if isinstance(settings.agents, str):
        return []
    found = []
    for id in settings.agents:
        try:
            may = await members.agent(id)
        except SendError as error:
            found.append(Finding(name=f"{NAME} agents", status="warn", detail=error.reason))
            break
        if may is None:
            detail = f"{id} is no full member of the workspace and may not speak"
            fix = "Correct the id (a profile's menu shows it) or remove it from desks.slack.agents."
            found.append(Finding(name=f"{NAME} agents", status="warn", detail=detail, fix=fix))
    return found or [Finding(name=f"{NAME} agents", status="ok", detail=f"{len(settings.agents)} may speak")]


def _arrivals(settings: SlackSettings, public_url: str) -> Iterable[Finding]:
    """How events reach us: whether that works is only seen when one comes."""
    if settings.by_socket:
        return
    if not SECRET.fullmatch(settings.signing_secret):
        detail = "is not what Slack's look like (32 of 0-9 and a-f)"
        fix = "Copy it from the app's Basic Information page."
        yield Finding(name=f"{NAME} signing secret", status="warn", detail=detail, fix=fix)
    else:
        yield Finding(name=f"{NAME} signing secret", status="ok", detail="looks like one")
    if not public_url.startswith("https://"):
        fix = "Set server.public_url to the https address Slack can reach, or desks.slack.app_token for sockets."
        yield Finding(name=f"{NAME} events", status="fail", detail="server.public_url is not https", fix=fix)
