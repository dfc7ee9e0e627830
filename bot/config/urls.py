"""Where store, queue and files live: which URLs are known, which go together, and no password where it can be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bot.domain.strict import BadShape

MONGO = "mongodb://host/switchboard?replicaSet=rs0"
REDIS = "redis://host:6379/0"
KEYS = ("store", "queue", "files")

USER = r"(?:[^\s@/?#]+@)?"  # a password's special characters are percent-encoded
HOSTS = r"[^\s,@/?#]+(?:,[^\s,@/?#]+)*"
SQLITE = re.compile(r"sqlite:///[^?#]+")
MONGODB = re.compile(rf"mongodb(?:\+srv)?://{USER}{HOSTS}(?:/[\w-]*)?(?:\?\S+)?")
REDISES = re.compile(rf"rediss?(?:://{USER}[^\s,@/?#]+|\+cluster://{USER}{HOSTS})(?:/\d*)?(?:\?\S+)?")
PASSWORD = re.compile(r"://[^@/]*:(?P<password>[^@/]+)@")
CREDENTIALS = re.compile(r"://\S*@")
REPLICA_SET = re.compile(r"replicaSet=[\w.-]+")


class Url(str):
    """An address that may hold a password: it is used as it is, and shown without."""

    __slots__ = ()

    @property
    def shown(self) -> str:
        """Options may hold a password too; which replica set it is does not."""
        address, _, options = self.partition("?")
        kept = REPLICA_SET.search(options)
        return CREDENTIALS.sub("://…@", address) + (f"?{kept[0]}" if kept else "")

    def __repr__(self) -> str:
        return f"<{self.shown}>"


def refuse_written_passwords(raw: Any) -> None:
    """Before variables are filled in: a password belongs into one. Raises `BadShape`."""
    values = raw if isinstance(raw, Mapping) else {}
    for key in KEYS:
        found = PASSWORD.search(value) if isinstance(value := values.get(key), str) else None
        if found and "${" not in found["password"]:
            raise BadShape(key, "a password stands in it; write ${NAME} in its place and set the variable.")


def check(store: str, queue: str, files: str) -> None:
    """Each is an address we know, and they go together. Raises `BadShape`; quotes none of them."""
    if not (SQLITE.fullmatch(store) or MONGODB.fullmatch(store)):
        raise BadShape("store", f"is no database we know; write sqlite:///path/to/file.db or {MONGO}.")
    if queue != "memory://" and not REDISES.fullmatch(queue):
        raise BadShape("queue", f"is no queue we know; write memory:// or {REDIS}.")
    if "://" in files and not MONGODB.fullmatch(files):
        raise BadShape("files", f"is no folder we know; write a path such as var/files, or {MONGO}.")
    _refuse_half(store, queue)


def _refuse_half(store: str, queue: str) -> None:
    """Leases have to reach as far as the store does: who holds one may send, and nobody else."""
    if store.startswith("sqlite:") and queue != "memory://":
        raise BadShape(
            "queue", "redis is for several processes, and a sqlite: store belongs to one; write memory://."
        )
    if store.startswith("mongodb") and queue == "memory://":
        raise BadShape(
            "queue",
            "memory: keeps what is being sent in one process, and others can work with a mongodb store at the "
            f"same time and would send it too; write {REDIS}.",
        )
