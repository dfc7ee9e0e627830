"""What the command line does besides serving: each command is one function over the parts."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bot import config
from bot.bootstrap import understanding
from bot.bootstrap.engines import now, opened_files, opened_store, store_path
from bot.bootstrap.models import Shelf
from bot.bootstrap.parts import Parts, assembled
from bot.bootstrap.serving import have_a_model
from bot.config import Account, Settings, Url
from bot.domain.errors import BadData, SwitchboardError, TooLate, Unknown
from bot.domain.ids import new_id
from bot.domain.messages import Address, Direction, Event, EventKind, EventState, Inbound, Message
from bot.domain.ports import (
    Applied,
    Changes,
    Checks,
    Connector,
    Delete,
    Finding,
    Insert,
    Query,
    Request,
    Session,
    User,
)
from bot.web.console.passwords import hash_password
from nlu import boost
from nlu.answers import check as check_answers
from nlu.comparison import Comparison, compare
from nlu.evaluation import Pairs, Report, ask, cross_validation, report
from nlu.models import EMBEDDED, Model, Summary, engine_of
from nlu.page import page
from nlu.promises import keep, table
from nlu.reading import TrainingData, read
from nlu.rendering import compared, render
from nlu.training import TrainedModel

PATIENCE = 15.0  # seconds `replay` and `chat` wait for the bot
QUIET = 0.4  # seconds without another reply until the bot has finished
LOW_DISK = 500 * 1024 * 1024


# ── Models ──────────────────────────────────────────────────────────────────────────────────────


async def train(settings: Settings, data: Sequence[str] | None, engine: str | None) -> TrainedModel:
    """Train a candidate. Raises `BadData`, `EngineUnavailable`."""
    async with _shelf(settings) as shelf, understanding.http() as http:
        live, previous = await shelf.tuning.live()
        protect = [*filter(None, [live]), *previous]
        trained = await understanding.train(
            settings, http, data or settings.nlu.data, engine or settings.nlu.engine, protect
        )
        await shelf.share(trained.id)
    return trained


class Evaluated(Struct, frozen=True):
    """A report, and a comparison where one was asked for, as everybody wants to read it."""

    report: Report
    files: tuple[str, ...] = ()
    comparison: Comparison | None = None

    def builtins(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.to_builtins(self.report)
        return found | ({"compared": msgspec.to_builtins(self.comparison)} if self.comparison else {})

    def text(self) -> str:
        shown = render(self.report, self.files)
        return f"{shown}\n\n{compared(self.comparison)}" if self.comparison else shown

    def html(self) -> str:
        return page(self.report, self.files, self.comparison)


async def evaluate(
    settings: Settings, data: str | None, model: str | None, compare_with: str | None = None
) -> Evaluated:
    """Score a model (the live one, else the newest) on a test file; without one, by its cross-validation.

    Raises `BadData`, `Unknown`, `EngineUnavailable`.
    """
    async with _shelf(settings) as shelf, understanding.http() as http:
        chosen = await shelf.get(model or (await shelf.tuning.live())[0] or await _newest(shelf))
        if data is None:
            return Evaluated(cross_validation(chosen))
        tests = read([Path(data)])
        this, pairs = await _judged(settings, http, chosen, tests)
        if compare_with is None:
            return Evaluated(this, (data,))
        other, others = await _judged(settings, http, await shelf.get(compare_with), tests)
    return Evaluated(this, (data,), compare(this, pairs, other, others))


async def _judged(
    settings: Settings, http: understanding.Http, model: Model, tests: TrainingData
) -> tuple[Report, Pairs]:
    engine = await understanding.judged_engine(settings, http, model, tests.examples)
    pairs = await ask(engine, tests)
    return report(engine, tests, pairs, model), pairs


async def models(settings: Settings) -> list[dict[str, Any]]:
    async with _shelf(settings) as shelf:
        live, previous = await shelf.tuning.live()
        summaries = await shelf.summaries()
        kept = {one.id: await _kept(settings, shelf, one) for one in summaries}
    return [
        {
            **msgspec.to_builtins(summary),
            "live": summary.id == live,
            "previous": bool(previous) and summary.id == previous[0],
            **kept[summary.id],
        }
        for summary in summaries
    ]


async def _kept(settings: Settings, shelf: Shelf, summary: Summary) -> dict[str, Any]:
    """What the model makes of the promise, if one is made and the model is good for anything; that may show only now."""
    promise = settings.nlu.thresholds.wrong_answers
    if promise is None or summary.damaged:
        return {}
    try:
        kept = keep(table(await shelf.get(summary.id)), promise)
    except (BadData, Unknown) as exc:
        return {"damaged": str(exc)}
    return {"wrong_answers": promise, "can_answer": kept.answered}


async def promote(settings: Settings, model: str) -> None:
    """Raises `Unknown`, `BadData`."""
    async with _shelf(settings) as shelf:
        await shelf.tuning.promote(model)


async def rollback(settings: Settings) -> str:
    """Raises `Unknown`."""
    async with _shelf(settings) as shelf:
        return await shelf.tuning.rollback()


@asynccontextmanager
async def _shelf(settings: Settings) -> AsyncIterator[Shelf]:
    async with (
        opened_store(settings) as store,
        opened_files(settings) as files,
        understanding.http() as http,
    ):
        yield Shelf(settings, store, files, http)


async def _newest(shelf: Shelf) -> str:
    newest = await shelf.latest()
    if not newest:
        raise Unknown("There is no model yet; run `switchboard train`.")
    return newest


# ── Console accounts ────────────────────────────────────────────────────────────────────────────


async def add_user(settings: Settings, name: str, role: str, password: str) -> None:
    """Raises `TooLate` when the name is taken, `MalformedPayload` when the password is too short."""
    hashed = await asyncio.to_thread(hash_password, password)
    async with opened_store(settings) as store:
        user = User(id=name, role=role, password=hashed, created_at=now())
        if not isinstance(await store.apply(Changes(writes=(Insert(record=user),))), Applied):
            raise TooLate(f"There is a user {name} already; remove it first or choose another name.")


async def list_users(settings: Settings) -> list[User]:
    async with opened_store(settings) as store:
        return sorted(await store.find(Query(kind=User, limit=1000)), key=lambda user: user.id)


async def remove_user(settings: Settings, name: str) -> int:
    """Ends their sessions too and gives back what they had; returns how many cases. Raises `Unknown`."""
    async with assembled(settings) as parts:
        if await parts.store.get(User, name) is None:
            raise Unknown(f"There is no user {name}; `switchboard user list` shows them.")
        sessions = await parts.store.find(Query(kind=Session, equals={"user": name}, limit=1000))
        gone = (Delete(kind=User, id=name), *(Delete(kind=Session, id=session.id) for session in sessions))
        await parts.store.apply(Changes(writes=gone))
        return await parts.takeover.give_back(name, f"{name} has left; the case waits for somebody again.")


# ── Recorded webhooks ───────────────────────────────────────────────────────────────────────────


async def replay(settings: Settings, body: bytes, channel: str, account: str) -> dict[str, Any]:
    """Put a recorded body through parsing and the store a running server works on; waits for its outcome.

    Nobody signs a recording again, so its signature is not asked for: whoever may run this may read the config.
    """
    async with assembled(settings) as parts:
        connector = parts.connectors.get((channel, account))
        if connector is None:
            raise Unknown(f"There is no account {account!r} on channel {channel!r} in {settings.file}.")
        request = Request(
            method="POST", path=f"/webhooks/{channel}/{account}", query={}, headers={}, body=body
        )
        events = await parts.receiving.receive(connector.parse(request))
        states = await _outcomes(parts, events)
    return {"events": [{"id": event, "state": state} for event, state in states.items()]}


async def _outcomes(parts: Parts, events: Sequence[str]) -> dict[str, str]:
    """What a running server made of the events; still `pending` when none is running."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = [await parts.store.get(Event, event) for event in events]
        states = {event.id: str(event.state) for event in found if event}
        if EventState.PENDING not in states.values() or time.monotonic() > deadline:
            return states
        await asyncio.sleep(0.1)


# ── A conversation in the terminal ──────────────────────────────────────────────────────────────


class Conversation:
    """The whole pipeline in this process, on a store of its own that is thrown away."""

    def __init__(self, parts: Parts, connector: Connector, customer: str) -> None:
        self._parts = parts
        self._address = Address(
            channel=connector.channel, account=connector.account, user=f"terminal:{customer}", chat=customer
        )
        self._said: set[str] = set()

    async def ask(self, text: str) -> list[str]:
        """What the bot says to this, in order; empty when it stays silent."""
        inbound = Inbound(external_id=new_id(), kind=EventKind.MESSAGE, address=self._address, text=text)
        (event,) = await self._parts.receiving.receive([inbound])
        return await self._replies(event)

    async def _replies(self, event: str) -> list[str]:
        deadline, quiet_since = time.monotonic() + PATIENCE, 0.0
        replies: list[str] = []
        while time.monotonic() < deadline:
            done = (
                stored := await self._parts.store.get(Event, event)
            ) and stored.state is not EventState.PENDING
            fresh = await self._fresh() if done else []
            replies += fresh
            if fresh or not done:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > QUIET:
                break
            await asyncio.sleep(0.05)
        return replies

    async def _fresh(self) -> list[str]:
        cases, _ = await self._parts.reporting.cases(limit=5)
        lines = [line for case in cases for line in await self._parts.reporting.transcript(case.id)]
        new = [line for line in lines if line.direction is Direction.OUT and line.id not in self._said]
        self._said.update(line.id for line in new)
        return [_shown(line) for line in sorted(new, key=lambda line: line.seq)]


def _shown(message: Message) -> str:
    buttons = "".join(f"\n  [{button.label}]" for button in message.buttons)
    return f"{message.text}{buttons}"


@asynccontextmanager
async def chat(settings: Settings, customer: str) -> AsyncIterator[Conversation]:
    """A terminal conversation; the brand's own store is not touched, its live model is used."""
    async with _shelf(settings) as shelf:
        live = (await shelf.tuning.live())[0]
        if live:
            await shelf.share(live)  # fetched, where this machine does not have it
    with tempfile.TemporaryDirectory(prefix="switchboard-chat-") as folder:
        # A channel of its own, so that no platform is talked to.
        terminal = {"webchat": (Account({"account": "terminal"}, settings.file, "channels.webchat"),)}
        apart = replace(
            settings,
            store=Url(f"sqlite:///{folder}/chat.db"),
            files=Url(f"{folder}/files"),
            queue=Url("memory://"),
            channels=terminal,
        )
        async with assembled(apart) as parts:
            if live:
                await parts.tuning.promote(live)
            await have_a_model(parts)
            await parts.worker.start()
            try:
                yield Conversation(parts, next(iter(parts.connectors.values())), customer)
            finally:
                await parts.worker.stop()


# ── The doctor ──────────────────────────────────────────────────────────────────────────────────


async def check(settings: Settings, *, offline: bool) -> list[Finding]:
    """One finding per thing that can be wrong, with its fix."""
    findings = [
        Finding(name="config", status="ok", detail=settings.file),
        *_disk(settings),
        *_files(settings),
        *_booster(settings),
    ]
    try:
        async with assembled(settings) as parts:
            findings += [await _store(parts), *await _engines(parts)]
            findings += [*await _model(parts), _secret(settings), _api(settings)]
            if not offline:
                findings += await _engine(parts)
                findings += await _lookups(parts)
                findings += await _platforms(parts)
    except SwitchboardError as error:
        findings.append(
            Finding(name="start", status="fail", detail=str(error), fix="Mend this, then check again.")
        )
    return findings


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


async def _engines(parts: Parts) -> list[Finding]:
    """What those say about themselves that are servers of their own."""
    engines: list[object] = [parts.store, parts.files, parts.queue]
    return [finding for one in engines if isinstance(one, Checks) for finding in await one.check()]


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
    if not chosen:
        detail = "none yet; the server trains one when it starts"
        return [Finding(name="model", status="warn", detail=detail, fix="switchboard train")]
    engine = await parts.models.load(chosen)
    problems = check_answers(parts.live.book(), engine.intents, parts.settings.lookups)
    problems += config.unknown_intents(parts.settings, engine.intents)
    found = [
        Finding(name="answers", status="warn", detail=problem, fix="Edit the answers.")
        for problem in problems
    ]
    found += [*await _promise(parts, chosen), *_other_engine(parts.settings, chosen)]
    return [Finding(name="model", status="ok", detail=f"{chosen}, {len(engine.intents)} intents"), *found]


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
    engine: object = await parts.models.load(live) if live else None
    return await engine.check() if isinstance(engine, Checks) else []


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
