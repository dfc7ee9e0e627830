"""Run the server: everything starts in order, says where it is, and stops gracefully."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import signal
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from operator import attrgetter
from pathlib import Path

import click
import structlog
from aiohttp import web
from msgspec.structs import replace

from bot import config, logs
from bot.bootstrap.at_work import alone
from bot.bootstrap.backends import now, store_path
from bot.bootstrap.content import Content, read_content
from bot.bootstrap.parts import Parts, assembled, web_context
from bot.bootstrap.room import have_room
from bot.bootstrap.unfinished import unfinished
from bot.config import ConfigError, Settings
from bot.domain.accounts import Setting, User
from bot.domain.errors import (
    BadData,
    EngineUnavailable,
    StoreUnavailable,
    SwitchboardError,
    TooLate,
    Unknown,
)
from bot.domain.ports import Add, Applied, Changes, Checks, Delete, Insert, Query, Runs, Update
from bot.web import app as application
from bot.web.console.passwords import hash_password
from bot.web.probes import Probe
from nlu.facts import EMBEDDED
from nlu.models import engine_of

log = structlog.get_logger()

FOLLOW_EVERY = 1.0  # seconds until a promoted model is noticed
SHOWN = 5  # warnings at start
IDLE_SECONDS = 75.0  # of a connection that asks nothing; proxies give up after 60
MEND = "run `switchboard rollback`, or `switchboard train` and `switchboard promote ID`."
TRAINED_WITHIN = 120.0  # seconds another process may take for the first model
STARTER = "starter"  # the setting that says somebody trains it
WEB, WORKER = "web", "worker"
ADMIN = "admin"
PASSWORD_BYTES = 12
FIXED = (
    "brand",
    "server",
    "store",
    "files",
    "queue",
    "channels",
    "desks",
    "console",
    "lookups",
    *(f"nlu.{key}" for key in ("engine", "models", "data", "boost")),
    *(f"nlu.rasa_{key}" for key in ("url", "token", "jwt_secret", "timeout", "models", "config")),
)  # until the next start


async def serve(settings: Settings, role: str, config_path: Path | str) -> None:
    """Serve until SIGTERM or SIGINT. Raises a `SwitchboardError` when it cannot start."""
    config.require_shared(settings, role)
    logs.setup()
    async with AsyncExitStack() as stack:
        have_room()
        parts = await stack.enter_async_context(assembled(settings))
        tell = None if settings.shared else stack.enter_context(alone(store_path(settings)))
        await have_the_engine(parts)
        await have_a_model(parts)
        await _warn_about_answers(parts)
        stopping, reread = _on_signals()
        await _start_adapters(parts, stack, role)
        await listen(parts, stack, role)
        if tell:
            tell(settings.server.host, settings.server.port, os.getpid())
        # Once nothing can fail: it is shown to nobody a second time.
        password = await first_admin(parts) if role != WORKER else ""
        if role != WEB:
            await parts.worker.start()
            stack.push_async_callback(parts.worker.stop)
        for job in (_follow(parts), _reload(parts, config_path, reread)):
            stack.callback(asyncio.create_task(job).cancel)
        _greet(settings, role, password)
        await stopping.wait()
        click.echo("Stopping: finishing what is in hand …", err=True)


async def have_the_engine(parts: Parts) -> None:
    """Where `nlu.engine` was changed, a model of that engine goes live; nobody has to promote one for it."""
    wanted = parts.settings.nlu.engine
    live, _ = await parts.tuning.live()
    if not live or engine_of(live) == wanted:
        return
    if parts.settings.shared and not await _is_ours_to_train(parts):
        return  # the process that was first sees to it, and we follow
    chosen = await _to_begin_with(parts)
    if engine_of(chosen) == wanted:
        with suppress(TooLate):  # another process was faster
            await parts.tuning.promote(chosen)


async def have_a_model(parts: Parts) -> None:
    """Train the starter model if there is none; after that the live model is whatever was promoted."""
    live, _ = await parts.tuning.live()
    if not live:
        await _first_model(parts)
    await parts.tuning.follow()
    if not await _usable(parts):
        await _make_do(parts)


async def _make_do(parts: Parts) -> None:
    """With the newest earlier model that is sound, or any that is: customers are answered, and agents can work."""
    live, previous = await parts.tuning.live()
    others = [one.id for one in await parts.models.summaries() if not one.damaged]
    for id in dict.fromkeys([*previous, *others]):
        with suppress(BadData, Unknown):
            await parts.tuning.make_do(id)
            log.error("model.stands_in", model=id, live=live, fix=MEND)
            return
    raise ConfigError(f"The live model {live} cannot be used, and no other one can; {MEND}")


async def _first_model(parts: Parts) -> None:
    """Of several processes that start at once one trains; the others wait for it, or do it when it does not come."""
    if parts.settings.shared and not await _is_ours_to_train(parts):
        click.echo("Another process is training the first model; waiting for it …", err=True)
        if await _trained_elsewhere(parts):
            return
    try:
        await parts.tuning.promote(await _to_begin_with(parts))
    except TooLate:
        return  # somebody else was faster, with the same examples
    except SwitchboardError:
        await parts.store.apply(Changes(writes=(Delete(kind=Setting, id=STARTER),)))
        raise


async def _trained_elsewhere(parts: Parts) -> bool:
    """False when it does not come, or whoever trained was killed and it is ours now."""
    until = time.monotonic() + TRAINED_WITHIN
    while time.monotonic() < until:
        await asyncio.sleep(FOLLOW_EVERY)
        if (await parts.tuning.live())[0]:
            return True
        if await _is_ours_to_train(parts):
            return False
    return False


async def _is_ours_to_train(parts: Parts) -> bool:
    """The first to say so, until that is so long ago that it must have been killed."""
    said = await parts.store.get(Setting, STARTER)
    if said and now() - said.at < timedelta(seconds=TRAINED_WITHIN):
        return False
    claim = Setting(id=STARTER, value={}, at=now(), version=said.version if said else 0)
    write = Update(record=claim) if said else Insert(record=claim)
    return isinstance(await parts.store.apply(Changes(writes=(write,))), Applied)


async def _to_begin_with(parts: Parts) -> str:
    """A model of the configured engine; while that is away, one of the engine that needs nobody."""
    engine = parts.settings.nlu.engine
    try:
        return await _had(parts, engine) or await _train(parts, engine)
    except EngineUnavailable as error:
        if engine == EMBEDDED:
            raise
        log.warning("engine.away", engine=engine, why=str(error), stands_in=EMBEDDED)
        return await _had(parts, EMBEDDED) or await _train(parts, EMBEDDED)


async def _had(parts: Parts, engine: str) -> str:
    """The engine's model that was live last, else its newest: a candidate nobody promoted comes after those."""
    usable = [
        one.id for one in await parts.models.summaries() if not one.damaged and engine_of(one.id) == engine
    ]
    _, previous = await parts.tuning.live()
    return await parts.models.first_sound([*(id for id in previous if id in usable), *usable])


async def _train(parts: Parts, engine: str) -> str:
    patience = "a few seconds" if engine == EMBEDDED else "some minutes"
    click.echo(f"Training the first model from your examples ({patience}) …", err=True)
    return (await parts.models.train(engine=engine)).id


async def _usable(parts: Parts) -> bool:
    try:
        return bool(parts.tuning.model)
    except SwitchboardError:
        return False


async def _warn_about_answers(parts: Parts) -> None:
    problems = await asyncio.to_thread(unfinished, parts.settings, parts.live.book(), parts.tuning.intents)
    for problem in problems[:SHOWN]:
        log.warning("content", problem=problem.detail, fix=problem.fix)
    if len(problems) > SHOWN:
        log.warning("content", more=len(problems) - SHOWN, problem="`switchboard check` shows all of them")


async def first_admin(parts: Parts) -> str:
    """Make sure somebody can log in; returns the one-time password when one was made up."""
    if await parts.store.find(Query(kind=User, limit=1)):
        return ""
    given = parts.settings.environment.admin_password
    password = given or secrets.token_urlsafe(PASSWORD_BYTES)
    hashed = await asyncio.to_thread(hash_password, password)
    admin = User(id=ADMIN, role="admin", password=hashed, created_at=now())
    made = isinstance(await parts.store.apply(Changes(writes=(Insert(record=admin),))), Applied)
    return password if made and not given else ""


def _on_signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Set when we have to stop, and when the configuration should be read again."""
    stopping, reread = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(wanted, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, reread.set)
    return stopping, reread


async def _reload(parts: Parts, config_path: Path | str, asked: asyncio.Event) -> None:
    """Whenever it is asked for; asking twice at once is asking once."""
    while True:
        await asked.wait()
        asked.clear()
        try:
            await reload(parts, config_path)
        except Exception:
            log.exception("config.broke")


async def reload(parts: Parts, config_path: Path | str) -> None:
    """Read the configuration again, off the loop (YAML takes a third of a second); an error keeps the old one."""

    def read() -> tuple[Settings, Content]:
        listening = parts.settings.server  # --host and --port still count
        fresh = config.load(config_path, os.environ).listening(listening.host, listening.port)
        return fresh, read_content(replace(fresh, lookups=parts.settings.lookups))  # those that were opened

    try:
        fresh, content = await asyncio.to_thread(read)
    except SwitchboardError as error:
        log.error("config.kept", why=str(error))  # noqa: TRY400  the sentence says it all
        return
    parts.live.replace(content)
    waiting = [key for key in FIXED if attrgetter(key)(fresh) != attrgetter(key)(parts.settings)]
    log.info("config.read", needs_restart=waiting)


async def _start_adapters(parts: Parts, stack: AsyncExitStack, role: str) -> None:
    """Whatever has something to do while we run: register a webhook, poll, hold a socket."""
    adapters: list[object] = [*parts.connectors.values(), *(parts.desks.values() if role != WORKER else ())]
    for adapter in adapters:
        if isinstance(adapter, Runs):
            await adapter.start()
            stack.push_async_callback(adapter.stop)


async def listen(parts: Parts, stack: AsyncExitStack, role: str) -> None:
    server, ready = parts.settings.server, probes(parts)
    build = application.build_for_worker if role == WORKER else application.build
    app = build(web_context(parts), ready)
    # Unpacking a body happens on the loop before anybody has looked at its sender.
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=5,
        auto_decompress=False,
        keepalive_timeout=IDLE_SECONDS,  # the library's hour would let anybody hold all connections there are
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, server.host, server.port, reuse_address=True).start()
    except OSError as exc:
        raise ConfigError(_why_not_listening(exc, server.host, server.port)) from exc


def _why_not_listening(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use; stop the other program or choose another port: --port {port + 1}."
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than we have; choose one above 1023: --port 8080."
    return f"{host}:{port} cannot be listened on ({error.strerror}); check server.host and server.port."


def probes(parts: Parts) -> Mapping[str, Probe]:
    async def store() -> str:
        """It can be read and, since a full disk can be too, written."""
        try:
            await parts.store.find(Query(kind=User, limit=1))
            await parts.store.apply(Changes(writes=(Add(counter="probed"),)))
        except SwitchboardError as error:
            return str(error)
        return ""

    async def model() -> str:
        return "" if await _usable(parts) else "No model is live."

    async def queue() -> str:
        """One inside this process is there as long as we are."""
        queue: object = parts.queue
        found = await queue.check() if isinstance(queue, Checks) else []
        return " ".join(finding.detail for finding in found if finding.status == "fail")

    return {"store": store, "queue": queue, "model": model}


async def _follow(parts: Parts) -> None:
    """Notice a model that was promoted elsewhere, and answers that were pushed."""
    while True:
        await asyncio.sleep(FOLLOW_EVERY)
        try:
            await parts.tuning.follow()
            await parts.follow_answers()
        except StoreUnavailable as exc:
            log.warning("store.unavailable", work="follow", why=str(exc))
        except Exception:
            log.exception("follow.broke")


def _greet(settings: Settings, role: str, password: str) -> None:
    url = settings.server.url
    if role == WORKER:
        where = f"http://{settings.server.host}:{settings.server.port}"
        click.echo(f"\n  {settings.brand.name}: a worker is at work; {where}/readyz says how.")
        click.echo(_ways_on(settings))
        return
    click.echo(f"\n  {settings.brand.name} is listening.\n")
    click.echo(f"  Chat as a customer   {url}/")
    click.echo(f"  Work as an agent     {url}/console")
    if password:
        click.echo(
            f"\n  First log-in: user {ADMIN}, password {password}   (shown once; change it in the console)"
        )
    click.echo(_ways_on(settings))


def _ways_on(settings: Settings) -> str:
    """What can be told to a running server: it is written here, since nobody looks for a process id."""
    again = f"Read {settings.file} and the answers again: kill -HUP {os.getpid()}"
    return f"\n  {again}\n  Stop with Ctrl-C.\n"
