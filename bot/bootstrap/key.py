"""The key of pseudonyms, chat tokens and sessions: where it comes from, and that every process has the same."""

from __future__ import annotations

import hmac
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import structlog

from bot.bootstrap.backends import now, store_path
from bot.config import ConfigError, Settings
from bot.domain.accounts import Setting
from bot.domain.customers import Customer
from bot.domain.ports import Applied, Changes, Insert, Query, Store, Update

log = structlog.get_logger()

BYTES = 32
SHORTEST = 32  # characters of one that is given
BEGUN_ANEW = (
    "This database was begun with another secret key: with this one every customer is a new one, and everybody has to "
    "log in again. If that was not meant, stop, and set SWITCHBOARD_SECRET_KEY as it was, or leave it out."
)
MARK = "secret"  # the setting that a database knows its key by


async def secret_key(settings: Settings, store: Store) -> bytes:
    """From the environment, else made once beside a new database. Raises `ConfigError`, `StoreUnavailable`."""
    known = await store.get(Setting, MARK)
    mark = str(known.value["mark"]) if known else ""
    given = settings.environment.secret_key
    if not settings.on_one_machine:
        _require(given)
    readings = list(_readings(given)) or [await _kept(settings, store)]
    key = next((one for one in readings if _mark(one) == mark), readings[0])
    if _mark(key) == mark or await _remembered(settings, store, known, key):
        return key
    return await secret_key(settings, store)  # another process was faster: then its key counts


def _require(given: str) -> None:
    if len(given) < SHORTEST:
        state = "is too short" if given else "is not set"
        raise ConfigError(
            f"SWITCHBOARD_SECRET_KEY {state}; with MongoDB or Redis every process needs the same one: set it to what "
            f"`openssl rand -hex {BYTES}` prints, or for a database that was SQLite to the content of secret.key."
        )


def _readings(given: str) -> Iterator[bytes]:
    """Any text is a key; what a file secret.key holds is one as well, which its database knows."""
    if given:
        yield given.encode()
        with suppress(ValueError):
            yield bytes.fromhex(given.strip())


async def _remembered(settings: Settings, store: Store, known: Setting | None, key: bytes) -> bool:
    """A process with another key than the others would take every customer for a new one."""
    if known and settings.shared:
        raise ConfigError(
            "SWITCHBOARD_SECRET_KEY is not the one this database was begun with; set the one the other processes "
            "have. With another, nobody could go on with a chat or a session."
        )
    if known:
        log.warning("secret.changed", why=BEGUN_ANEW)
    new = Setting(id=MARK, value={"mark": _mark(key)}, at=now(), version=known.version if known else 0)
    write = Update(record=new) if known else Insert(record=new)
    return isinstance(await store.apply(Changes(writes=(write,))), Applied)


def _mark(key: bytes) -> str:
    return hmac.new(key, b"switchboard secret key", "sha256").hexdigest()


# ── In a file, where there is one process ───────────────────────────────────────────────────────


async def _kept(settings: Settings, store: Store) -> bytes:
    path = store_path(settings).parent / "secret.key"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _may_be_made(path, is_new=not await store.find(Query(kind=Customer, limit=1)))
            _write(path)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as exc:
        raise ConfigError(
            f"{path} cannot be used as the secret key; restore it or set SWITCHBOARD_SECRET_KEY."
        ) from exc
    if len(key) < BYTES:
        raise ConfigError(f"{path} is cut short; restore it from a backup or set SWITCHBOARD_SECRET_KEY.")
    return key


def _may_be_made(path: Path, *, is_new: bool) -> None:
    if not is_new:
        raise ConfigError(
            f"{path} is gone, and nobody can go on with a chat without it: restore it from a backup or set "
            f"SWITCHBOARD_SECRET_KEY. Where that is impossible, `openssl rand -hex {BYTES} > {path}` starts anew."
        )


def _write(path: Path) -> None:
    """All of it or nothing, and only for us: half a key would lock out every customer later."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".secret-")
    fresh = Path(name)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)  # fails when another process was faster: then its key counts
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
