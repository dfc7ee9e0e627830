"""What the command line does besides serving: each command is one function over the parts."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from bot.bootstrap import understanding
from bot.bootstrap.answers import without_answer
from bot.bootstrap.at_work import where_it_is
from bot.bootstrap.backends import now, opened_files, opened_store
from bot.bootstrap.models import Shelf
from bot.bootstrap.parts import Parts, assembled
from bot.bootstrap.serving import have_a_model
from bot.config import Account, Settings, Url
from bot.domain.accounts import LONGEST_NAME, Session, User, fit_name
from bot.domain.errors import BadData, MalformedPayload, TooLate, Unknown
from bot.domain.ids import new_id
from bot.domain.messages import Address, Direction, Event, EventKind, EventState, Inbound, Message
from bot.domain.ports import Applied, Changes, Connector, Delete, Insert, Query, Request
from bot.web.console.passwords import hash_password
from nlu.evaluation import Pairs, ask, cross_validation, leaked, report
from nlu.evaluation.comparison import Against, Comparison, against, compare
from nlu.evaluation.decline import decline
from nlu.evaluation.figures import Report
from nlu.evaluation.page import page
from nlu.evaluation.promises import keep, table
from nlu.evaluation.rendering import compared, render, trained
from nlu.models import Model, Summary
from nlu.reading import TrainingData, read
from nlu.training import TrainedModel

PATIENCE = 15.0  # seconds `replay` and `chat` wait for the bot
QUIET = 0.4  # seconds without another reply until the bot has finished


# ── Models ──────────────────────────────────────────────────────────────────────────────────────


class Trained(TrainedModel, frozen=True, kw_only=True):
    """A candidate beside the live model, as everybody wants to read it."""

    live: Against | None = None

    def builtins(self) -> dict[str, Any]:
        found: dict[str, Any] = {"id": self.id, "scores": self.scores, "warnings": list(self.warnings)}
        return found | ({"live": msgspec.to_builtins(self.live)} if self.live else {})

    def text(self) -> str:
        return trained(self, self.live)


async def train(settings: Settings, data: Sequence[str] | None, engine: str | None) -> Trained:
    """Train a candidate. Raises `BadData`, `EngineUnavailable`."""
    async with _shelf(settings) as shelf:
        new = await shelf.train(data or (), engine or "")
        facts = (await shelf.get(new.id)).facts
        live, _ = await shelf.tuning.live()
        old = await _sound(shelf, live)
    warnings = (*await without_answer(settings, facts.intents), *new.warnings)
    beside = against(live, old.facts, facts) if old else None
    return Trained(**asdict(replace(new, warnings=warnings)), live=beside)


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
    async with _shelf(settings) as shelf:
        chosen = await shelf.get(await _chosen(shelf, model))
        if data is None:
            return Evaluated(cross_validation(chosen))
        tests = read([Path(data)])
        this, pairs = await _judged(shelf, chosen, tests)
        if compare_with is None:
            return Evaluated(this, (data,))
        rival = await shelf.get(await _named(shelf, compare_with))
        other, others = await _judged(shelf, rival, tests)
    learned = {*leaked(chosen, tests), *leaked(rival, tests)}
    return Evaluated(this, (data,), compare(this, pairs, other, others, learned))


async def _judged(shelf: Shelf, model: Model, tests: TrainingData) -> tuple[Report, Pairs]:
    engine = await shelf.judged(model, tests.examples)
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


class Promoted(Struct, frozen=True):
    id: str
    before: str  # what a rollback makes live again; empty where there is nothing to go back to
    warnings: tuple[str, ...] = ()


async def promote(settings: Settings, model: str) -> Promoted:
    """`model`: an id, or how only one begins. Raises `Unknown`, `BadData`."""
    async with _shelf(settings) as shelf:
        id = await _named(shelf, model)
        before, _ = await shelf.tuning.live()
        await shelf.tuning.promote(id)
        new, old = await shelf.get(id), await _sound(shelf, before)
        _, earlier = await shelf.tuning.live()
    lost = decline(new, old) if old else ""
    return Promoted(
        id,
        next(iter(earlier), ""),
        (*filter(None, [lost]), *await without_answer(settings, new.facts.intents)),
    )


async def _sound(shelf: Shelf, model: str) -> Model | None:
    """None where it is lost or damaged, which is no reason against another."""
    with suppress(BadData, Unknown):
        return await shelf.get(model) if model else None
    return None


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


async def _chosen(shelf: Shelf, model: str | None) -> str:
    """The one that is named, else the live one, else the newest."""
    if model:
        return await _named(shelf, model)
    return (await shelf.tuning.live())[0] or await _newest(shelf)


async def _named(shelf: Shelf, model: str) -> str:
    """The id that begins so; one that nobody knows is refused where it is looked for. Raises `Unknown`."""
    found = [one.id for one in await shelf.summaries() if model and one.id.startswith(model)]
    if model in found or not found:
        return model
    if len(found) > 1:
        raise Unknown(f'Several models begin with "{model}": {", ".join(found)}. Write more of the id.')
    return found[0]


async def _newest(shelf: Shelf) -> str:
    newest = await shelf.latest()
    if not newest:
        raise Unknown("There is no model yet; run `switchboard train`.")
    return newest


# ── Console accounts ────────────────────────────────────────────────────────────────────────────


class Removed(Struct, frozen=True):
    given_back: int  # cases
    admins: int  # that are left


async def add_user(settings: Settings, name: str, role: str, password: str) -> str:
    """Where they log in. Raises `TooLate` for a name that is taken, `MalformedPayload` for an unfit name or password."""
    if not fit_name(name):
        raise MalformedPayload(
            f"A name has 1 to {LONGEST_NAME} visible characters, none of them a space at its ends, and is not "
            "bot, customer or system."
        )
    hashed = await asyncio.to_thread(hash_password, password)
    async with opened_store(settings) as store:
        user = User(id=name, role=role, password=hashed, created_at=now())
        if not isinstance(await store.apply(Changes(writes=(Insert(record=user),))), Applied):
            raise TooLate(f"There is a user {name} already; remove it first or choose another name.")
    return where_it_is(settings).server.url


async def list_users(settings: Settings) -> list[User]:
    async with opened_store(settings) as store:
        return sorted(await store.find(Query(kind=User, limit=1000)), key=lambda user: user.id)


async def remove_user(settings: Settings, name: str) -> Removed:
    """Ends their sessions too and gives back what they had. Raises `Unknown`."""
    async with assembled(settings) as parts:
        if await parts.store.get(User, name) is None:
            raise Unknown(f"There is no user {name}; `switchboard user list` shows them.")
        sessions = await parts.store.find(Query(kind=Session, equals={"user": name}, limit=1000))
        gone = (Delete(kind=User, id=name), *(Delete(kind=Session, id=session.id) for session in sessions))
        await parts.store.apply(Changes(writes=gone))
        note = f"{name} has left; the case waits for somebody again."
        given_back = await parts.takeover.give_back(name, note)
        admins = await parts.store.find(Query(kind=User, equals={"role": "admin"}, limit=1000))
        return Removed(given_back, len(admins))


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
    settings = where_it_is(settings)  # the shipped lookup is a route of the server at work
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
                with suppress(Unknown, BadData):  # then it makes do with another one, as the server does
                    await parts.tuning.promote(live)
            await have_a_model(parts)
            await parts.worker.start()
            try:
                yield Conversation(parts, next(iter(parts.connectors.values())), customer)
            finally:
                await parts.worker.stop()
