"""What the pages and routes are handed: one struct, made by the composition root."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from msgspec import Struct

from bot.domain.brand import Brand
from bot.domain.ports import Broadcast, Clock, Connector, Files, Hears, NewId, Store, Understander
from bot.domain.routing import Department
from bot.services.alarms import Alarms
from bot.services.receiving import Receiving
from bot.services.reporting import Reporting
from handoff.takeover import Takeover


class Web(Struct, frozen=True, kw_only=True):
    brand: Brand
    departments: Mapping[str, Department]
    connectors: Mapping[tuple[str, str], Connector]  # by (channel, account)
    alarms: Alarms
    origins: Mapping[str, tuple[str, ...]]  # web chat account → sites that may embed it
    store: Store
    broadcast: Broadcast
    files: Files
    receiving: Receiving
    takeover: Takeover
    reporting: Reporting
    understander: Understander
    labels: Mapping[str, Mapping[str, str]]  # intent → language → what it is called for people
    clock: Clock
    new_id: NewId
    secret: bytes
    public_url: str
    api_token: str  # empty: the API is closed
    session_hours: int = 12
    desks: Mapping[str, Hears] = {}  # those that tell us what agents do there


WEB = web.AppKey("web", Web)
