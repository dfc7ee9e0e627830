"""config.yml and the environment → frozen Settings; every error names the file, the key's path and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from bot.config import urls
from bot.config.reading import ConfigError, expand, read
from bot.config.sections import (
    BrandSection,
    Console,
    DepartmentSection,
    Desks,
    File,
    Handoff,
    Lookup,
    Nlu,
    Privacy,
    Route,
    Server,
)
from bot.config.urls import Url
from bot.domain import strict
from bot.domain.brand import Brand
from bot.domain.hours import parse_hours
from bot.domain.ports import Finding
from bot.domain.routing import Department, Rule
from bot.domain.strict import BadShape, OneOrMany, meant, near, quoted
from bot.domain.understanding import Level
from connectors import CONNECTORS
from connectors import PLANNED as PLANNED_CHANNELS

__all__ = [
    "Account",
    "ConfigError",
    "Environment",
    "File",
    "Settings",
    "Url",
    "convert",
    "load",
    "require_shared",
    "unknown_intents",
]

T = TypeVar("T")
SLOT = re.compile(r"\{\w+\}")
PUBLIC_URL = "{public_url}"  # in a lookup's address: the server's own


# ── What the program is handed ──────────────────────────────────────────────────────────────────


class Account(dict[str, Any]):
    """One account of a channel, as written; its connector's own settings type reads it through `convert`."""

    def __init__(self, raw: Mapping[str, Any], file: str, path: str) -> None:
        super().__init__(raw)
        self.file = file
        self.path = path

    def __repr__(self) -> str:
        return f"<Account {self.path}>"


class Environment(Struct, frozen=True, kw_only=True):
    """Settings that are secrets of the process and have no place in a file; empty when unset."""

    admin_password: str = ""
    api_token: str = ""
    secret_key: str = ""

    def __repr__(self) -> str:
        return "<Environment>"


class Settings(Struct, frozen=True, kw_only=True):
    file: str  # the path it was read from
    brand: Brand
    server: Server
    store: Url
    files: Url
    queue: Url
    nlu: Nlu
    lookups: dict[str, Lookup]
    channels: dict[str, tuple[Account, ...]]
    desks: Desks
    departments: dict[str, Department]
    routing: tuple[Rule, ...]
    handoff: Handoff
    privacy: Privacy
    console: Console
    environment: Environment

    def __repr__(self) -> str:
        return f"<Settings of {self.brand.name} from {self.file}>"

    @property
    def shared(self) -> bool:
        """Whether several processes, on several machines, may work with what it names."""
        return self.store.startswith("mongodb")

    @property
    def files_on_this_machine(self) -> bool:
        return "://" not in self.files

    @property
    def on_one_machine(self) -> bool:
        """Whether nothing it names can be used from another."""
        return self.files_on_this_machine and not self.shared

    def listening(self, host: str | None, port: int | None) -> Settings:
        """The same with what the command line says; None leaves the file's value."""
        server = replace(
            self.server,
            host=self.server.host if host is None else host,
            port=self.server.port if port is None else port,
        )
        return replace(self, server=server)

    def lookup_url(self, name: str) -> str:
        """A lookup's URL with `{public_url}` filled; the customer's values are still to come."""
        return self.lookups[name].url.replace(PUBLIC_URL, self.server.url)


def load(path: Path | str, environ: Mapping[str, str]) -> Settings:
    """Read and check a config file. Raises `ConfigError`; touches nothing but that file."""
    file = str(path)
    try:
        written = read(Path(path))
        urls.refuse_written_passwords(written)
        raw = expand(written, environ, "")
        _refuse_planned(raw)
        return _settings(strict.convert(raw, File), file, environ)
    except BadShape as exc:
        raise ConfigError(f"{file}: {exc}") from exc
    except RecursionError as exc:  # an anchor that holds itself
        raise ConfigError(f"{file}: nested too deeply to be read; check its brackets and anchors.") from exc


def convert(raw: Mapping[str, Any], kind: type[T], path: str) -> T:
    """A connector's or desk's own section as its typed settings. Raises `ConfigError`."""
    try:
        return strict.convert(raw, kind, path)
    except BadShape as exc:
        file = raw.file if isinstance(raw, Account) else ""
        raise ConfigError(f"{file}: {exc}" if file else str(exc)) from exc


def require_shared(settings: Settings, role: str) -> None:
    """Processes with different roles need a store and a queue they can share. Raises `ConfigError`."""
    if role == "all":
        return
    for key, url in (("store", settings.store), ("queue", settings.queue)):
        if url.startswith(("sqlite:", "memory:")):
            raise ConfigError(
                f'{settings.file}: {key}: "{url.partition(":")[0]}:" belongs to one process, so a separate '
                f'"{role}" would see nothing; use --role all, or MongoDB and Redis: docs/scaling.md.'
            )


def unknown_intents(
    settings: Settings, intents: Collection[str], taught: Callable[[], Collection[str]] = frozenset
) -> list[Finding]:
    """What is wrong with intents named in the file, now that a model says which there are.

    `taught`: those of the training data, asked for only where the model does not know one.
    """
    named = [(f"nlu.thresholds.intents.{name}", name) for name in settings.nlu.thresholds.intents]
    named += [
        (f"routing[{index}].when.intent", name)
        for index, rule in enumerate(settings.routing)
        for name in rule.intent
    ]
    unknown = [(path, name) for path, name in named if name not in intents]
    learned = taught() if unknown else ()
    return [
        Finding(name="config", status="warn", detail=f"{settings.file}: {path}: {problem}", fix=fix)
        for path, name in unknown
        for problem, fix in [_too_early(name) if name in learned else _misnamed(settings.file, name, intents)]
    ]


def _too_early(intent: str) -> tuple[str, str]:
    fix = "Train and promote: switchboard train, then switchboard promote ID."
    return f"the live model does not know `{intent}` yet", fix


def _misnamed(file: str, intent: str, intents: Collection[str]) -> tuple[str, str]:
    name = meant(intent, intents)
    fix = f"Correct it in {file}; {name}" if name else f"Correct it in {file}, or add examples of it."
    return f'no training data has the intent "{intent}"', fix


# What the interface promises and this version does not do yet: key, how its value starts, what to do instead.
PLANNED = (("privacy.retention", "", "remove it; nothing is deleted by age so far."),)
CHANNELS = sorted({*CONNECTORS, *PLANNED_CHANNELS})


def _refuse_planned(raw: Any) -> None:
    for path, start, instead in PLANNED:
        value = raw
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None and str(value).startswith(start):
            raise BadShape(path, f"{f'{start} ' if start else ''}is not available yet; {instead}")


# ── Checking what belongs together ──────────────────────────────────────────────────────────────


def _settings(read: File, file: str, environ: Mapping[str, str]) -> Settings:
    brand = _brand(read.brand)
    _check_urls(read)
    departments = {
        name: _department(name, section, read, brand) for name, section in read.departments.items()
    }
    if not departments:
        raise BadShape("departments", "is empty; name at least one, or remove the key for the usual one.")
    return Settings(
        file=file,
        brand=brand,
        server=read.server,
        store=Url(read.store),
        files=Url(read.files),
        queue=Url(read.queue),
        nlu=read.nlu,
        lookups=read.lookups,
        channels={name: _accounts(name, accounts, file) for name, accounts in read.channels.items()},
        desks=read.desks,
        departments=departments,
        routing=tuple(_rule(index, route, read, brand) for index, route in enumerate(read.routing)),
        handoff=_handoff(read.handoff, departments),
        privacy=read.privacy,
        console=read.console,
        environment=Environment(
            admin_password=environ.get("SWITCHBOARD_ADMIN_PASSWORD", ""),
            api_token=environ.get("SWITCHBOARD_API_TOKEN", ""),
            secret_key=environ.get("SWITCHBOARD_SECRET_KEY", ""),
        ),
    )


def _brand(read: BrandSection) -> Brand:
    if not read.languages:
        raise BadShape("brand.languages", "is empty; name at least one language.")
    language = read.language or read.languages[0]
    _known("brand.language", language, read.languages, "is none of brand.languages")
    try:
        ZoneInfo(read.timezone)
    except (KeyError, ValueError, OSError) as exc:
        raise BadShape("brand.timezone", "there is no such time zone; write one like Europe/Berlin.") from exc
    return Brand(
        name=read.name,
        language=language,
        languages=read.languages,
        timezone=read.timezone,
        address=read.address,
    )


def _check_urls(read: File) -> None:
    urls.check(read.store, read.queue, read.files)
    if read.server.public_url:
        _origin("server.public_url", read.server.public_url)
    _web_address("nlu.rasa_url", read.nlu.rasa_url)
    for name, lookup in read.lookups.items():
        _web_address(f"lookups.{name}.url", lookup.url.replace(PUBLIC_URL, "http://localhost", 1))
        if set("{}") & set(SLOT.sub("", lookup.url)):
            raise BadShape(f"lookups.{name}.url", "has a brace too many; a value is written {order_number}.")


def _web_address(path: str, url: str, like: str = "https://shop.example/path") -> None:
    """Values may be filled into a path or a query, never into a host."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    else:
        usable = usable and "{" not in parts.netloc
    if not usable:
        raise BadShape(path, f"is no web address; write it like {like}.")


def _origin(path: str, url: str) -> None:
    """Our own routes begin right after the host, so an address below a path reaches none of them."""
    _web_address(path, url, "https://chat.shop.example")
    parts = urlsplit(url)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise BadShape(path, f"goes on after the host; write {parts.scheme}://{parts.netloc} alone.")


SLUG = re.compile(r"[a-z0-9][a-z0-9_-]*")


def _slug(path: str, name: Any) -> str:
    if not isinstance(name, str) or not SLUG.fullmatch(name):
        raise BadShape(
            path, "a name has small letters, digits, - and _ only, since it becomes part of addresses."
        )
    return str(name)


def _known(path: str, name: str, known: Collection[str], problem: str) -> None:
    if name not in known:
        raise BadShape(path, f"{quoted(name)} {problem}; {near(name, known)}")


def _accounts(channel: str, accounts: tuple[dict[str, Any], ...], file: str) -> tuple[Account, ...]:
    where = f"channels.{channel}"
    if channel not in CHANNELS:
        raise BadShape(where, f"there is no such channel; {near(channel, CHANNELS)}")
    if channel not in CONNECTORS:
        raise BadShape(where, "is not available yet; remove it.")
    seen: set[str] = set()
    for index, raw in enumerate(accounts):
        path = f"{where}[{index}].account"
        if "account" not in raw:
            raise BadShape(path, "is missing; give this account a short name, it becomes part of addresses.")
        name = _slug(path, raw["account"])
        if name in seen:
            raise BadShape(path, f'"{name}" is there twice; give each account of a channel its own name.')
        seen.add(name)
    return tuple(Account(raw, file, f"{where}[{index}]") for index, raw in enumerate(accounts))


def _department(name: str, read: DepartmentSection, everything: File, brand: Brand) -> Department:
    path = f"departments.{name}"
    _slug(path, name)
    others = [other for other in everything.departments if other != name]
    if read.fallback:
        _known(f"{path}.fallback", read.fallback, others, "is no other department")
    labels = read.label if isinstance(read.label, dict) else {}
    usual = next(iter(labels.values()), "") or str(read.label or name.replace("_", " ").capitalize())
    return Department(
        name=name,
        label={language: labels.get(language, usual) for language in brand.languages},
        hours=parse_hours(read.hours, f"{path}.hours"),
        first_reply=timedelta(minutes=read.first_reply_minutes),
        resolution=timedelta(hours=read.resolution_hours),
        desk_channel=read.desk_channel,
        fallback=read.fallback,
    )


def _rule(index: int, read: Route, everything: File, brand: Brand) -> Rule:
    path = f"routing[{index}]"
    _known(f"{path}.to", read.to, everything.departments, "is no department")
    checks: dict[str, tuple[Collection[str], str]] = {
        "urgency": (tuple(Level), "is no urgency"),
        "language": (brand.languages, "is none of brand.languages"),
        "channel": (CHANNELS, "is no channel"),
    }
    for key, (known, problem) in checks.items():
        for value in _many(getattr(read.when, key)):
            _known(f"{path}.when.{key}", value, known, problem)
    conditions = {key: _many(getattr(read.when, key)) for key in ("intent", *checks)}
    return Rule(to=read.to, ping=read.ping, **conditions)


def _many(value: OneOrMany) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _handoff(read: Handoff, departments: Mapping[str, Department]) -> Handoff:
    chosen = read.default_department or next(iter(departments))
    _known("handoff.default_department", chosen, departments, "is no department")
    return replace(read, default_department=chosen)
