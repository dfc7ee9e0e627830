"""Alarms that nobody's posting would end: an operator has mended what they tell of, or it is none of ours any more."""

from __future__ import annotations

from bot.domain.desks import Alarm
from bot.domain.errors import SendError
from bot.domain.ports import Query
from handoff.desks.base import DeskDeps
from handoff.desks.slack.api import SlackApi
from handoff.desks.slack.events import TROUBLE
from handoff.desks.slack.look import DESK
from handoff.desks.slack.meanings import CHANNELS
from handoff.desks.slack.settings import CHANNEL, SlackSettings

MOST = 50
CLOSED = {TROUBLE["app_uninstalled"], TROUBLE["tokens_revoked"]}
SEEN_BY_POSTING = {CHANNELS["restricted_action"], CHANNELS["restricted_action_read_only_channel"]}


class Mending:
    def __init__(self, settings: SlackSettings, deps: DeskDeps, api: SlackApi) -> None:
        self._settings = settings
        self._deps = deps
        self._api = api

    async def look(self) -> None:
        """Raises `StoreUnavailable`."""
        for alarm in await self._deps.store.find(Query(kind=Alarm, order="since", limit=MOST)):
            if await self._is_over(alarm):
                await self._deps.works(alarm.id)

    async def _is_over(self, alarm: Alarm) -> bool:
        """What only a post can show is left to the next one."""
        desk, _, channel = alarm.id.partition(" ")
        if desk != DESK or alarm.why in SEEN_BY_POSTING:
            return False
        try:
            if not channel:
                return alarm.why in CLOSED and bool(await self._api.me())
            return bool(CHANNEL.fullmatch(channel)) and await self._is_well(channel)
        except SendError:
            return False

    async def _is_well(self, channel: str) -> bool:
        ours = set(self._settings.channels.values())
        ours |= {department.desk_channel for department in self._deps.departments.values()}
        if channel not in ours:
            return True
        known = await self._api.channel(channel)
        return bool(known.get("is_member")) and not known.get("is_archived")
