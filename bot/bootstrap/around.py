"""What desks are built from."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp
from msgspec import Struct

from bot.bootstrap.content import Live
from bot.config import Settings
from bot.domain.messages import Address
from bot.domain.ports import Broadcast, Capabilities, Commit, Files, Store
from bot.services.alarms import Alarms
from bot.services.reporting import Reporting
from handoff.takeover import Takeover


class Around(Struct, frozen=True, kw_only=True):
    settings: Settings
    live: Live
    store: Store
    commit: Commit
    files: Files
    broadcast: Broadcast
    session: aiohttp.ClientSession
    takeover: Takeover
    reporting: Reporting
    alarms: Alarms
    can: Callable[[Address], Capabilities]
