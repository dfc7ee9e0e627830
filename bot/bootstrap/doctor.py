"""`check`: one finding per thing that can be wrong, with its fix."""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from bot.bootstrap.answers import overruled
from bot.bootstrap.at_work import at_work, where_it_is
from bot.bootstrap.backends import store_path
from bot.bootstrap.parts import Parts, assembled
from bot.bootstrap.unfinished import unfinished
from bot.config import Settings
from bot.domain.errors import BadData, SwitchboardError, Unknown
from bot.domain.ports import Changes, Checks, Finding
from nlu import boost
from nlu.evaluation.promises import keep, table
from nlu.facts import EMBEDDED
from nlu.models import engine_of
from nlu.reading import read_training

LOW_DISK = 500 * 1024 * 1024


async def check(settings: Settings, *, offline: bool) -> list[Finding]:
    """One finding per thing that can be wrong, with its fix."""
    settings = where_it_is(settings)
    findings = [
        Finding(name="config", status="ok", detail=settings.file),
        *_server(settings),
        *_disk(settings),
        *_files(settings),
        *_booster(settings),
    ]
    try:
        async with assembled(settings) as parts:
            findings += [await _store(parts), *await _backends(parts)]
            findings += [*await _model(parts), *await overruled(settings, parts.store)]
            findings += [_secret(settings), _api(settings)]
            if not offline:
                findings += await _engine(parts)
                findings += await _lookups(parts)
                findings += await _platforms(parts)
    except SwitchboardError as error:
        findings.append(Finding(name="start", status="fail", detail=str(error)))  # it says what to do
    return findings


def _server(settings: Settings) -> list[Finding]:
    """Of several that share a store nobody here knows where they are."""
    if settings.shared:
        return []
    running = at_work(settings)
    if running is None:
        return [
            Finding(name="server", status="ok", detail="not started", fix="Start with: switchboard serve")
        ]
    detail = f"process {running.process} listens on {running.host}:{running.port}"
    return [Finding(name="server", status="ok", detail=detail)]


def _disk(settings: Settings) -> list[Finding]:
    """Wherever something grows: the database, or only the models."""
    return [_free(Path(settings.nlu.models) if settings.shared else store_path(settings).parent)]


def _free(folder: Path) -> Finding:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1024**3:.1f} GiB free at {folder}"
    if free < LOW_DISK:
        return Finding(
            name="disk", status="warn", detail=detail, fix="Make room: a full disk stops receiving."
        )
    return Finding(name="disk", status="ok", detail=detail)


def _files(settings: Settings) -> list[Finding]:
    if not settings.shared or not settings.files_on_this_machine:
        return []
    detail = f"{settings.files}: what customers attach can be seen by processes of this machine only"
    fix = "Where processes run on several machines, set files to a mongodb:// address."
    return [Finding(name="files", status="warn", detail=detail, fix=fix)]


async def _backends(parts: Parts) -> list[Finding]:
    """What those say about themselves that are servers of their own."""
    backends: list[object] = [parts.store, parts.files, parts.queue]
    return [finding for one in backends if isinstance(one, Checks) for finding in await one.check()]


async def _store(parts: Parts) -> Finding:
    started = time.perf_counter()
    await parts.store.apply(Changes(writes=()))
    ms = (time.perf_counter() - started) * 1000
    return Finding(
        name="store", status="ok", detail=f"{parts.settings.store.shown}, a commit takes {ms:.1f} ms"
    )


async def _model(parts: Parts) -> list[Finding]:
    live, _ = await parts.tuning.live()
    chosen = live or await parts.models.latest()
    examples = _examples(parts.settings, "warn" if chosen else "fail")
    if not chosen:
        detail = "none yet; the server trains one when it starts"
        return [Finding(name="model", status="warn", detail=detail, fix="switchboard train"), examples]
    try:
        engine = await parts.models.load(chosen)
    except (Unknown, BadData) as exc:
        fix = (
            "switchboard rollback, or train and promote; until then the server starts with an earlier model."
        )
        return [Finding(name="model", status="fail", detail=str(exc), fix=fix), examples]
    found = unfinished(parts.settings, parts.live.book(), engine.intents)
    found += [*await _promise(parts, chosen), *_other_engine(parts.settings, chosen)]
    return [
        Finding(name="model", status="ok", detail=f"{chosen}, {len(engine.intents)} intents"),
        examples,
        *found,
    ]


def _examples(settings: Settings, otherwise: str) -> Finding:
    """Of the next training; a model that is there works without them."""
    try:
        data = read_training([Path(path) for path in settings.nlu.data])
    except BadData as exc:
        return Finding(name="examples", status=otherwise, detail=str(exc))
    detail = f"{len(data.examples)} of {len(data.intents)} intents"
    return Finding(name="examples", status="ok", detail=detail)


def _other_engine(settings: Settings, model: str) -> list[Finding]:
    """Which one is at work is for the model to say: `nlu.engine` was away at the last start, or was changed since."""
    wanted, has = settings.nlu.engine, engine_of(model)
    if wanted == has:
        return []
    detail = f"nlu.engine is {wanted}, and the model at work is of the engine {has}"
    first = "Start Rasa (make rasa), then the server anew" if has == EMBEDDED else "Start the server anew"
    fix = f"{first}: it puts a model of {wanted} to work."
    return [Finding(name="engine", status="warn", detail=detail, fix=fix)]


def _booster(settings: Settings) -> list[Finding]:
    if not settings.nlu.boost:
        return []
    if boost.is_installed():
        return [
            Finding(
                name="booster", status="ok", detail=f"{boost.NAME} is installed; the next training uses it"
            )
        ]
    fix = "make boost (90 MB), or leave out nlu.boost."
    return [
        Finding(name="booster", status="fail", detail="nlu.boost is set, and it is not installed", fix=fix)
    ]


async def _promise(parts: Parts, model: str) -> list[Finding]:
    """What the model makes of the share of wrong answers that is allowed."""
    promise = parts.settings.nlu.thresholds.wrong_answers
    if promise is None:
        return []
    kept = keep(table(await parts.models.get(model)), promise)
    detail = f"{promise:.1%} wrong answers: {kept.answered:.0%} of messages can be answered"
    own = parts.settings.nlu.thresholds.intents
    handed_off = [intent for intent in kept.handed_off if intent not in own]
    if not handed_off:
        return [Finding(name="promise", status="ok", detail=detail)]
    detail += f"; people get {', '.join(handed_off)}"
    fix = "Teach these intents with more examples, or give them a threshold in nlu.thresholds.intents."
    return [Finding(name="promise", status="warn", detail=detail, fix=fix)]


async def _engine(parts: Parts) -> list[Finding]:
    """What an engine that is somewhere else says of itself."""
    live, _ = await parts.tuning.live()
    with suppress(Unknown, BadData):  # said beside the model
        engine: object = await parts.models.load(live) if live else None
        return await engine.check() if isinstance(engine, Checks) else []
    return []


def _secret(settings: Settings) -> Finding:
    if settings.environment.secret_key:
        return Finding(name="secret", status="ok", detail="SWITCHBOARD_SECRET_KEY is set")
    detail = f"kept in {store_path(settings).parent / 'secret.key'}"
    return Finding(name="secret", status="ok", detail=detail)


def _api(settings: Settings) -> Finding:
    if settings.environment.api_token:
        return Finding(name="api", status="ok", detail="SWITCHBOARD_API_TOKEN is set")
    fix = "Set SWITCHBOARD_API_TOKEN if other tools shall use /api/v1."
    return Finding(name="api", status="ok", detail="closed: no token is set", fix=fix)


async def _lookups(parts: Parts) -> list[Finding]:
    """Reachable is all that can be said without a customer's number."""
    return [await _reachable(name, parts.settings.lookup_url(name)) for name in parts.settings.lookups]


async def _reachable(name: str, url: str) -> Finding:
    where = urlsplit(url)
    port = where.port or (443 if where.scheme == "https" else 80)
    try:
        async with asyncio.timeout(3):
            _, writer = await asyncio.open_connection(where.hostname, port)
        writer.close()
    except (OSError, TimeoutError):
        fix = "Start that service (the shipped lookup is this server itself: start it first), or correct the URL."
        detail = f"{where.hostname}:{port} does not answer"
        return Finding(name=f"lookup {name}", status="warn", detail=detail, fix=fix)
    return Finding(name=f"lookup {name}", status="ok", detail=f"{where.hostname}:{port} answers")


async def _platforms(parts: Parts) -> list[Finding]:
    found: list[Finding] = []
    for (channel, account), connector in parts.connectors.items():
        adapter: object = connector
        if isinstance(adapter, Checks):
            found += await adapter.check()
        else:
            found.append(Finding(name=f"{channel}/{account}", status="ok", detail="needs no platform"))
    for desk in parts.desks.values():
        found += await desk.check() if isinstance(desk, Checks) else []
    return found
