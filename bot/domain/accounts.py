"""Who may use the console, and the settings that every process follows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

LONGEST_NAME = 40  # characters
TAKEN_NAMES = frozenset({"bot", "customer", "system"})  # the journal's actors


def fit_name(name: str) -> bool:
    """Printable, of bearable length, and not what the journal calls the bot or a customer."""
    fit = 0 < len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip()
    return fit and name.casefold() not in TAKEN_NAMES


class User(Struct, frozen=True, kw_only=True):
    id: str  # the name they log in with
    role: str  # agent, supervisor, admin
    password: str  # argon2 hash
    created_at: datetime
    version: int = 0

    def __repr__(self) -> str:
        return f"<User {self.id} {self.role}>"


class Session(Struct, frozen=True, kw_only=True):
    id: str  # hash of the cookie's token
    user: str
    csrf: str
    created_at: datetime
    expires_at: datetime

    def __repr__(self) -> str:
        return f"<Session of {self.user}>"


class Setting(Struct, frozen=True, kw_only=True):
    """A value that every process follows within two seconds ("model" → live and previous model)."""

    id: str
    value: dict[str, Any]
    at: datetime
    version: int = 0
