"""A whole Switchboard whose agents work in a (loopback) Slack: customers write, agents click and talk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from bot.bootstrap.canned import offered
from bot.domain.brand import Brand
from bot.domain.cases import Agent, Case
from bot.domain.desks import DeskEvent
from bot.domain.messages import EventState, Message
from bot.domain.outbox import UNSENT, OutboxRow
from bot.domain.ports import Later, Pace, Query, Rate
from bot.web.app import build
from handoff.desks.base import Canned, DeskDeps
from handoff.desks.slack import Slack, SlackSettings
from tests.builders import inbound, rules
from tests.console import made_of
from tests.fakes.channel import FakeChannel
from tests.fakes.slack_api import TOKEN, SlackApi
from tests.fakes.slack_blocks import elements
from tests.fakes.slack_people import SIGNING_SECRET, Delivery
from tests.fakes.slack_workspace import Ephemeral, Post
from tests.world import World, world

ADA, BEN, CLEO = "U0ADA", "U0BEN", "U0CLEO"
DEFAULT, BILLING = "C0DEFAULT", "C0BILLING"
ROUNDS = 30  # of attending and sending, until nothing is left to do


class Unhurried:
    """Pace is measured elsewhere; here nobody waits for a second to pass."""

    async def expected(self, rates: Sequence[Rate]) -> float:
        return 0.0

    async def reserve(self, rates: Sequence[Rate]) -> float:
        return 0.0


class Office:
    """The desk in its workspace: `here` is the server, `slack` what agents see and do."""

    def __init__(self, here: World, slack: SlackApi, desk: Slack) -> None:
        self.here, self.slack, self.desk = here, slack, desk

    # ── Customers ───────────────────────────────────────────────────────────────────────────────

    async def customer(self, text: str, **changes: Any) -> None:
        await self.here.hear(inbound(text, self.here.new_id(), **changes))
        await self.settle()

    async def handed_off(self, *texts: str) -> Post:
        """A case that waits; its card."""
        for text in texts or ("Can I return it?",):
            await self.customer(text)
        await self.customer("A person please")
        return self.card

    # ── Agents ──────────────────────────────────────────────────────────────────────────────────

    async def claimed(self, user: str = ADA) -> Post:
        card = await self.handed_off()
        await self.click(user, "claim")
        return card

    async def say(self, user: str, text: str, **changes: Any) -> Post:
        """Under the card."""
        self.here.clock.forward(seconds=1)
        post = await self.slack.says(user, text, thread=self.card, **changes)
        await self.settle()
        return post

    async def click(self, user: str, action: str, post: Post | None = None) -> Delivery:
        self.here.clock.forward(seconds=1)
        done = await self.slack.clicks(user, post or self.card, action)
        await self.settle()
        return done

    async def submit(self, user: str, /, **values: Any) -> Delivery:
        done = await self.slack.submits(user, values)
        await self.settle()
        return done

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────

    @property
    def card(self) -> Post:
        """The latest card."""
        return self.slack.cards()[-1]

    def thread(self, card: Post | None = None) -> list[str]:
        """What we posted under a card."""
        return [self.slack.words(post) for post in self.slack.thread(card or self.card) if post.bot_id]

    def whispers(self, user: str) -> list[str]:
        """What only they were shown."""
        return [seen.text for seen in self.slack.ephemerals if seen.user == user]

    async def case(self) -> Case:
        return await self.here.case()

    async def line(self, post: Post) -> Message:
        """What became of an agent's message."""
        written = f"slack:{post.channel}:{post.ts}"
        return next(line for line in await self.here.transcript() if line.written == written)

    # ── Time ────────────────────────────────────────────────────────────────────────────────────

    async def settle(self) -> None:
        """Until nothing is left that can be done now."""
        for _ in range(ROUNDS):
            await self.desk.actions.settled()
            await self.slack.settled()
            if not await self._step():
                return

    async def _step(self) -> bool:
        events = await self.here.store.find(Query(kind=DeskEvent, equals={"state": EventState.PENDING}))
        rows = await self.here.store.find(Query(kind=OutboxRow, equals={"state": UNSENT}, limit=1000))
        keys = dict.fromkeys(row.order_key for row in rows)
        waits: list[Later | None] = [
            *[await self.here.attending.work(lane) for lane in dict.fromkeys(one.lane for one in events)],
            *[await self.here.sending.work(key) for key in keys],
        ]
        unsent = await self.here.store.find(Query(kind=OutboxRow, equals={"state": UNSENT}, limit=1000))
        return any(wait is None for wait in waits) or {row.id for row in unsent} != {row.id for row in rows}

    async def later(self, **how_long: float) -> None:
        self.here.clock.forward(**how_long)
        await self.settle()


@asynccontextmanager
async def office(
    folder: Path,
    *,
    channel: FakeChannel | None = None,
    rules_: Any = None,
    slack: SlackApi | None = None,
    pace: Pace | None = None,
    **settings: Any,
) -> AsyncIterator[Office]:
    """`settings` are those of desks.slack."""
    undo = {"slack": timedelta(seconds=settings.get("undo_seconds", 0))}
    known = rules_ or rules()
    known = _with_slack(known, undo)
    async with world(folder, channel=channel, rules_=known) as here:
        fake = slack or SlackApi(clock=lambda: here.clock().timestamp())
        async with fake.serving(), aiohttp.ClientSession() as http:
            here.pace = pace or Unhurried()
            here.sending = here.make_sending()
            desk = Slack(_settings(fake, settings), _deps(here, http))
            here.desks["slack"] = desk
            server = TestServer(build(made_of(here, here.files, desks={"slack": desk}), {}))
            await server.start_server()
            fake.app_url = str(server.make_url("")).rstrip("/")
            try:
                yield Office(here, fake, desk)
            finally:
                await desk.stop()
                await server.close()


def _with_slack(known: Any, undo: dict[str, timedelta]) -> Any:
    return replace(known, desks=("console", "slack"), copies=("slack",), undo=undo)


def _settings(fake: SlackApi, changes: dict[str, Any]) -> SlackSettings:
    known: dict[str, Any] = {
        "token": TOKEN,
        "signing_secret": SIGNING_SECRET,
        "api_url": fake.api_url,
        "channels": {"default": DEFAULT, "press": BILLING},
        "language": "en",
    }
    return SlackSettings(**{**known, **changes})


def _deps(here: World, http: aiohttp.ClientSession) -> DeskDeps:
    def stayed(case: Case, agent: Agent) -> str:
        return here.takeover.speech.stayed(case, agent, here.clock())

    labels = {intent: answer.label for intent, answer in here.policy.book.answers.items()}

    async def canned(case: Case) -> list[Canned]:
        return await offered(here.store, case, here.policy.book, labels)

    async def today() -> dict[str, Any]:
        return await here.reporting.today(here.rules.zone)

    return DeskDeps(
        clock=here.clock,
        new_id=here.new_id,
        http=http,
        files=here.files,
        store=here.store,
        commit=here.commit,
        brand=Brand(name="Nordwind"),
        public_url="https://desk.nordwind.example",
        departments=here.rules.departments,
        intents=labels,
        act=here.takeover.act,
        stayed=stayed,
        closed=lambda case: here.takeover.speech.closed(case, here.clock()),
        beyond=lambda _: here.channel.capabilities.beyond,
        canned=canned,
        today=today,
        alarm=here.alarms.sound,
        works=here.alarms.clear,
    )


async def opened(desk: Office, user: str, action: str) -> dict[str, Any]:
    """The window that a button opens, from the card or from its menu."""
    on_card = [element["action_id"] for _, element in elements(desk.card.blocks)]
    if action in on_card:
        await desk.click(user, action)
    else:
        await desk.click(user, "more")
        await desk.slack.clicks_in_view(user, action)
        await desk.settle()
    return desk.slack.view_of(user).body


def said(view: dict[str, Any]) -> str:
    """All words of a window."""
    return " ".join(_texts(view))


def _texts(part: Any) -> list[str]:
    if isinstance(part, list):
        return [text for one in part for text in _texts(one)]
    if isinstance(part, dict):
        own = [part["text"]] if isinstance(part.get("text"), str) else []
        return [*own, *(text for value in part.values() for text in _texts(value))]
    return []


# ── What people see and do under a card ──────────────────────────────────────────────────────────


def marks(desk: Office, post: Post) -> set[str]:
    """Our reactions on it."""
    return desk.slack.reactions(post)


def hint(desk: Office, user: str) -> Ephemeral:
    """The last thing that only they were shown."""
    return [seen for seen in desk.slack.ephemerals if seen.user == user][-1]


def buttons(blocks: list[dict[str, Any]]) -> list[str]:
    """What can be pressed."""
    return [one["action_id"] for block in blocks if block["type"] == "actions" for one in block["elements"]]


def fate(desk: Office) -> Post:
    """The last line that we posted under the card."""
    return [post for post in desk.slack.thread(desk.card) if post.bot_id][-1]


async def edits(desk: Office, post: Post, text: str) -> None:
    desk.here.clock.forward(seconds=1)
    await desk.slack.edits(post, text)
    await desk.settle()


async def deletes(desk: Office, post: Post) -> None:
    desk.here.clock.forward(seconds=1)
    await desk.slack.deletes(post)
    await desk.settle()


async def silently(desk: Office, card: Post, text: str) -> Post:
    """Written, and nobody was told yet."""
    desk.slack.hold()
    post = await desk.slack.says(ADA, text, thread=card)
    desk.slack.held = None
    return post
