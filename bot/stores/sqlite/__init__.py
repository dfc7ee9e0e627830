"""The embedded store: one SQLite file, one writer, many commits in one fsync."""

from bot.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
