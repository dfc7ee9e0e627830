"""Passwords of console accounts: argon2id, never on the event loop's thread unless the caller says so."""

from __future__ import annotations

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bot.domain.errors import MalformedPayload

SHORTEST = 10
LONGEST = 1000

_HASHER = PasswordHasher()


class UnfitPassword(MalformedPayload):
    """The password cannot be used; the message says what would."""


def hash_password(password: str) -> str:
    """The argon2id hash to store; takes about a tenth of a second, so call it in a thread.

    Raises `UnfitPassword`.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise UnfitPassword(f"A password needs at least {SHORTEST} characters (at most {LONGEST}).")
    return _HASHER.hash(_typed(password))


def verify(hashed: str, password: str) -> bool:
    """Whether the password is the one that was hashed; an unreadable hash matches nothing."""
    try:
        return _HASHER.verify(hashed, _typed(password[: LONGEST + 1]))
    except (VerificationError, InvalidHashError):
        return False


def _typed(password: str) -> str:
    """The same umlaut from another keyboard is the same password."""
    return unicodedata.normalize("NFKC", password)
