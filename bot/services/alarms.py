"""Alarms: what an operator has to mend, where everybody at the console sees it until it works again."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace

from bot.domain.desks import Alarm
from bot.domain.ports import Changes, Clock, Delete, Insert, Query, Store, Update

log = structlog.get_logger()

REMEMBERED = timedelta(seconds=30)  # another process may have sounded it meanwhile
MOST = 50


class Alarms:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._quiet_since: dict[str, datetime] = {}

    async def sound(self, what: str, why: str, **facts: str) -> None:
        """Once for the same reason. Raises `StoreUnavailable`."""
        known, now = await self._store.get(Alarm, what), self._clock()
        self._quiet_since.pop(what, None)
        new = Alarm(id=what, why=why, since=now, facts=facts)
        if known is None:
            log.error("alarm", what=what)
            await self._store.apply(Changes(writes=(Insert(record=new),)))
        elif known.why != why:
            await self._store.apply(Changes(writes=(Update(record=replace(new, version=known.version)),)))

    async def clear(self, what: str) -> None:
        """It works. Raises `StoreUnavailable`."""
        now = self._clock()
        if abs(now - self._quiet_since.get(what, now - REMEMBERED)) < REMEMBERED:  # or the clock was set back
            return
        self._quiet_since = {one: at for one, at in self._quiet_since.items() if abs(now - at) < REMEMBERED}
        self._quiet_since[what] = now
        if await self._store.get(Alarm, what):
            log.info("alarm.over", what=what)
            await self._store.apply(Changes(writes=(Delete(kind=Alarm, id=what),)))

    async def sounding(self) -> list[Alarm]:
        """The oldest first. Raises `StoreUnavailable`."""
        return await self._store.find(Query(kind=Alarm, order="since", limit=MOST))
