"""One server per SQLite store: it holds a lock as long as it lives, and says there where it is to be found."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from bot.bootstrap.backends import store_path
from bot.config import ConfigError, Settings

LOOKED_AT = (0.02, 0.05, 0.1)  # seconds between two tries to get the lock
Tell = Callable[[str, int, int], None]  # host, port, process


class AtWork(Struct, frozen=True):
    """The server that works with a store at this moment."""

    host: str
    port: int
    process: int


@contextmanager
def alone(store: Path) -> Iterator[Tell]:
    """The one server of a store: another would take what we are sending for left behind, and send it too.

    Raises `ConfigError`. The lock ends with the process, however that ends.
    """
    with _lock(store).open("ab", buffering=0) as file:
        if not _is_taken(file.fileno()):
            raise ConfigError(
                f"Another server works with {store}; stop it first, or give this one a store of its own."
            )
        file.truncate(0)  # one that was killed left its own words

        def tell(host: str, port: int, process: int) -> None:
            file.write(msgspec.json.encode(AtWork(host, port, process)))

        yield tell
        file.truncate(0)


def at_work(settings: Settings) -> AtWork | None:
    """None where nobody works with the store, where it is not one server's alone, or before that one listens."""
    if settings.shared:
        return None
    try:
        with _lock(store_path(settings)).open("rb") as file:
            said = file.read()
            return msgspec.json.decode(said, type=AtWork) if said and _is_held(file.fileno()) else None
    except (OSError, msgspec.MsgspecError):
        return None


def where_it_is(settings: Settings) -> Settings:
    """With the address of the server that is at work: it may have been started with another --port."""
    running = at_work(settings)
    return settings.listening(running.host, running.port) if running else settings


def _lock(store: Path) -> Path:
    return store.with_name(f"{store.name}.lock")


def _is_taken(file: int) -> bool:
    """Whoever only looks, as `check` does, holds it for a moment: that is no other server."""
    for wait in LOOKED_AT:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(wait)
    return False


def _is_held(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
