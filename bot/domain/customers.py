"""Who writes: a customer is a pseudonym until they permit more."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from msgspec import Struct


class Customer(Struct, frozen=True, kw_only=True):
    id: str
    pseudonym: str  # "7F3A": shown as "Customer 7F3A"
    language: str = ""
    created_at: datetime
    version: int = 0


class Identity(Struct, frozen=True, kw_only=True):
    """One address of a customer on a channel; unique per (channel, account, user)."""

    id: str
    channel: str
    account: str
    user: str
    chat: str
    customer: str
    reachable: bool = True
    created_at: datetime
    version: int = 0

    def __repr__(self) -> str:
        return f"<Identity {self.id} {self.channel}/{self.account}>"


def pseudonym(secret: bytes, channel: str, account: str, user: str) -> str:
    """Four hex digits that say "the same person as before" and nothing else."""
    digest = hmac.new(secret, f"{channel}\0{account}\0{user}".encode(), hashlib.sha256)
    return digest.hexdigest()[:4].upper()
