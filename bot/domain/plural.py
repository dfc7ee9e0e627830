"""One of a thing, or many: in English, for operators and developers."""

from __future__ import annotations


def count(many: int, what: str) -> str:
    return f"{many:,} {what}{'' if many == 1 else 's'}"
