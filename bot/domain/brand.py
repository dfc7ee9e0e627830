"""Who the customers are writing to."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from msgspec import Struct


class Brand(Struct, frozen=True, kw_only=True):
    name: str
    language: str = "de"  # when a customer's cannot be told
    languages: tuple[str, ...] = ("de", "en")
    timezone: str = "Europe/Berlin"
    address: str = "sie"  # or "du": which German form the answers use

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)
