"""Who is who in the workspace, and who of them may speak to customers: only what Slack confirms counts."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Literal

from msgspec import Struct

from bot.domain.cases import Agent
from bot.domain.errors import SendError
from handoff.desks.slack.api import Rejected, SlackApi
from handoff.desks.slack.settings import AgentSetting

DESK = "slack"
TTL = 600.0  # seconds somebody is known without asking again
KEPT = 10_000  # people
LOOKED_UP = 20  # names of one message
NOBODY: Mapping[str, Any] = {}


class Entry(Struct, frozen=True, kw_only=True):
    """What Slack says about somebody; empty when there is nobody of that id."""

    user: Mapping[str, Any]
    until: float


class Members:
    """Asks Slack about a person at most every ten minutes, and once however many ask at the same time.

    What cannot be asked raises a `SendError`: nobody speaks on a guess.
    """

    def __init__(
        self,
        api: SlackApi,
        agents: Literal["all_members"] | Mapping[str, AgentSetting],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._agents = agents
        self._now = now
        self._known: OrderedDict[str, Entry] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Mapping[str, Any]]] = {}
        self._team = ""
        self._groups: dict[str, str] = {}
        self._groups_until = 0.0

    async def agent(self, user: str) -> Agent | None:
        """None for whoever may not speak. Raises a `SendError` when Slack cannot be asked."""
        listed = self._agents.get(user) if isinstance(self._agents, Mapping) else AgentSetting()
        if listed is None or not user:
            return None
        found = await self._user(user)
        if not _full_member(found, await self._our_team()):
            return None
        return Agent(id=user, name=listed.name or called(found) or user, desk=DESK)

    async def is_person(self, user: str) -> bool:
        """Somebody who can be told something. Raises a `SendError` when Slack cannot be asked."""
        found = await self._user(user) if user else NOBODY
        return bool(found) and user != SLACKBOT and not any(found.get(mark) for mark in MACHINE)

    def role(self, user: str) -> str:
        """Of somebody who may speak: agent, supervisor or admin."""
        listed = self._agents.get(user) if isinstance(self._agents, Mapping) else None
        return listed.role if listed else AgentSetting().role

    async def name(self, user: str) -> str:
        """What colleagues call them; empty when Slack does not say. A courtesy: raises nothing."""
        with suppress(SendError):
            return called(await self._user(user))
        return ""

    async def zone(self, user: str) -> str:
        """The name of somebody's time zone. Raises a `SendError`."""
        return str((await self._user(user)).get("tz") or "")

    async def names(self, ids: Iterable[str]) -> Callable[[str], str]:
        """The names of people, groups and channels that a text names."""
        wanted = sorted(set(ids))[:LOOKED_UP]
        found = dict(zip(wanted, await asyncio.gather(*map(self._called, wanted)), strict=True))
        return lambda id: found.get(id, "")

    async def away(self, user: str) -> bool:
        """Raises a `SendError`."""
        return await self._api.presence(user) == "away"

    def learn(self, user: Mapping[str, Any]) -> None:
        """From an event that says how somebody is now (`user_change`, `team_join`)."""
        if isinstance(id := user.get("id"), str):
            self._keep(id, user)

    def forget(self, user: str) -> None:
        """Ask again next time."""
        self._known.pop(user, None)

    # ── Asking ──────────────────────────────────────────────────────────────────────────────────

    async def _our_team(self) -> str:
        if not self._team:
            self._team = (await self._api.me()).team
        return self._team

    async def _user(self, id: str) -> Mapping[str, Any]:
        known = self._known.get(id)
        if known and known.until > self._now():
            return known.user
        if id not in self._asking:
            task = self._asking[id] = asyncio.create_task(self._asked(id))
            task.add_done_callback(lambda done: self._answered(id, done))
        # Whoever gives up must not take the answer from the others.
        return await asyncio.shield(self._asking[id])

    def _answered(self, id: str, done: asyncio.Task[Mapping[str, Any]]) -> None:
        self._asking.pop(id, None)
        if not done.cancelled():
            done.exception()  # whoever waits is told; it may be that nobody does any more

    async def _asked(self, id: str) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = await self._api.user(id)
        except Rejected:  # there is nobody of that id, or nobody we may see
            found = NOBODY
        self._keep(id, found)
        return found

    def _keep(self, id: str, user: Mapping[str, Any]) -> None:
        self._known[id] = Entry(user=user, until=self._now() + TTL)
        self._known.move_to_end(id)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)

    async def _called(self, id: str) -> str:
        with suppress(SendError):
            if id.startswith(("U", "W")):
                return called(await self._user(id))
            if id.startswith("S"):
                return (await self._handles()).get(id, "")
            return str((await self._api.channel(id)).get("name") or "")
        return ""

    async def _handles(self) -> Mapping[str, str]:
        if self._groups_until <= self._now():
            self._groups = await self._api.groups()
            self._groups_until = self._now() + TTL
        return self._groups


def called(user: Mapping[str, Any]) -> str:
    """The name a person chose, else their own."""
    told = user.get("profile")
    profile = told if isinstance(told, Mapping) else {}
    for found in (
        profile.get("display_name"),
        profile.get("real_name"),
        user.get("real_name"),
        user.get("name"),
    ):
        if isinstance(found, str) and found.strip():
            return found.strip()
    return ""


# https://docs.slack.dev/reference/objects/user-object
MACHINE = ("deleted", "is_bot", "is_workflow_bot")
NEVER = (*MACHINE, "is_restricted", "is_ultra_restricted", "is_stranger")
SLACKBOT = "USLACKBOT"


def _full_member(user: Mapping[str, Any], team: str) -> bool:
    """Of our workspace (or of our organization and in our workspace), and neither guest nor machine."""
    if not user or any(user.get(mark) for mark in NEVER) or user.get("id") == SLACKBOT:
        return False
    told = user.get("enterprise_user")
    teams = told.get("teams") if isinstance(told, Mapping) else None
    return user.get("team_id") == team or (isinstance(teams, list) and team in teams)
