"""Ids that sort by the time they were made and cannot be guessed."""

from __future__ import annotations

import secrets
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # without i, l, o, u: nobody misreads one
CHARACTERS = 26
RANDOM_BITS = 80


def new_id() -> str:
    """26 characters: 48 bits of milliseconds, then 80 of chance."""
    number = (time.time_ns() // 1_000_000 << RANDOM_BITS) | secrets.randbits(RANDOM_BITS)
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(5 * (CHARACTERS - 1), -1, -5))
