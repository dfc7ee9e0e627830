"""The journal: append-only facts and ids, never text, so that an erasure need not touch it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field


class Did(StrEnum):
    """Every kind of entry, in the past tense."""

    RECEIVED = "received"
    UNDERSTOOD = "understood"
    DECIDED = "decided"
    ANSWERED = "answered"
    ASKED = "asked"  # attributes: slot
    PROMISED = "promised"  # attributes: due
    QUEUED = "queued"  # attributes: role
    SENT = "sent"  # attributes: role, resent
    DELIVERED = "delivered"
    READ = "read"
    DEFERRED = "deferred"
    FAILED = "failed"
    DOUBTED = "doubted"
    CANCELLED = "cancelled"
    PARKED = "parked"
    OPENED = "opened"
    HANDED_OFF = "handed_off"  # attributes: reason
    CLAIMED = "claimed"
    REMINDED = "reminded"
    RELEASED = "released"
    ASSIGNED = "assigned"
    REPLIED = "replied"
    NOTED = "noted"
    MOVED = "moved"
    SNOOZED = "snoozed"
    WOKEN = "woken"
    RETURNED = "returned"  # to the bot
    RESOLVED = "resolved"
    REOPENED = "reopened"
    RELABELLED = "relabelled"
    URGENCY_SET = "urgency_set"
    RETRIED = "retried"
    EDITED = "edited"  # an agent put their own words in other words
    DELETED = "deleted"  # an agent took their own words back
    REACTED = "reacted"  # attributes: message, given (false: the customer took it back)
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"
    PROMOTED = "promoted"  # attributes: model


class Entry(Struct, frozen=True, kw_only=True):
    id: str
    seq: int = 0  # the customer's sequence, given by the store
    kind: Did
    customer: str = ""
    case: str = ""
    channel: str = ""
    account: str = ""
    department: str = ""
    actor: str = ""  # "bot", "customer", "system" or an agent's id
    attributes: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    happened_at: datetime  # at the platform, where it tells
    at: datetime  # stored
