"""Long random walks at the desk: whatever agents do, late, twice or in another order, an oracle watches."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from bot.domain.actions import Act
from bot.domain.cases import Agent
from bot.domain.errors import (
    NotAllowed,
    SendDeferred,
    SendError,
    SendInDoubt,
    SendRejected,
    TooLate,
    Unknown,
)
from bot.domain.messages import AuthorKind, Direction, MessageState
from bot.domain.ports import Payload
from tests.fakes.channel import FilesChannel
from tests.fakes.slack_telling import Held
from tests.fakes.slack_workspace import Post
from tests.slack import ADA, BEN, Office, office

PEOPLE = {ADA: Agent(id=ADA, name="Ada", desk="slack"), BEN: Agent(id=BEN, name="Ben", desk="slack")}
PREFIXES = ("note: ", ";; ", "Notiz: ")
STEPS = 60
SEEN = {MessageState.SENT, MessageState.DELIVERED, MessageState.READ}


class Watched(FilesChannel):
    """Remembers whatever a customer ever saw, also what was changed or taken back since."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []
        self.changed: list[str] = []

    def _keep(self, payload: Payload) -> None:
        super()._keep(payload)
        self.sent.append(payload["text"])

    def _replace(self, receipts: tuple[str, ...], text: str) -> None:
        super()._replace(receipts, text)
        self.changed.append(text)


class Said(Struct):
    """`texts` maps its words, first and later ones, to whether they began like a note."""

    post: Post
    by: str
    at: datetime
    texts: dict[str, bool]
    offered: bool = False  # its author pressed Claim and send
    again: bool = False  # somebody pressed Send again, or It arrived


class Walk:
    def __init__(self, desk: Office, channel: Watched, seed: int) -> None:
        self.desk, self.channel, self.chance = desk, channel, random.Random(seed)
        self.said: list[Said] = []
        self.late: list[Held] = []  # what Slack has not told yet, or tells again
        self.owners: list[tuple[datetime, str]] = []
        self.words = 0
        self.steps: tuple[Callable[[], Awaitable[None]], ...] = (
            self.speaks, self.speaks, self.speaks, self.edits, self.deletes, self.tells, self.tells,
            self.acts, self.acts, self.claims_and_sends, self.mends, self.mends, self.customer, self.trouble,
            self.time,
        )  # fmt: skip

    async def go(self) -> None:
        await self.owner_now()
        for _ in range(STEPS):
            self.desk.here.clock.forward(seconds=1)
            await self.chance.choice(self.steps)()
            await self.owner_now()
        while self.late:
            await self.tells()
        self.channel.trouble.clear()
        for _ in range(10):
            await self.desk.later(minutes=10)

    # ── Steps ───────────────────────────────────────────────────────────────────────────────────

    def text(self) -> tuple[str, bool]:
        self.words += 1
        internal = self.chance.random() < 0.35
        return (self.chance.choice(PREFIXES) if internal else "") + f"w{self.words}.", internal

    async def speaks(self) -> None:
        (text, internal), by = self.text(), self.chance.choice([ADA, ADA, BEN])
        self.desk.slack.hold()
        post = await self.desk.slack.says(by, text, thread=self.desk.card)
        at = self.desk.here.clock()
        self.said.append(Said(post=post, by=by, at=at, texts={f"w{self.words}.": internal}))
        await self.told_sometime()

    async def edits(self) -> None:
        if standing := [one for one in self.said if not one.post.deleted]:
            one, (text, internal) = self.chance.choice(standing), self.text()
            one.texts[f"w{self.words}."] = internal
            self.desk.slack.hold()
            await self.desk.slack.edits(one.post, text)
            await self.told_sometime()

    async def deletes(self) -> None:
        if standing := [one for one in self.said if not one.post.deleted]:
            self.desk.slack.hold()
            await self.desk.slack.deletes(self.chance.choice(standing).post)
            await self.told_sometime()

    async def told_sometime(self) -> None:
        """Mostly at once, else later, and sometimes twice."""
        self.late += self.desk.slack.held or []
        self.desk.slack.held = None
        if self.chance.random() < 0.7:
            await self.tells()

    async def tells(self) -> None:
        if self.late:
            at = self.chance.randrange(len(self.late))
            again = self.chance.random() < 0.2
            one = self.late[at] if again else self.late.pop(at)
            await self.desk.slack.tell(one.kind, one.payload)
            await self.desk.settle()

    async def acts(self) -> None:
        agent, act = self.chance.choice([*PEOPLE.values()]), self.chance.choice([Act.CLAIM, Act.CLAIM, *DO])
        await self.tries(act, agent, **(DO[act](self) if act in DO else {}))

    async def claims_and_sends(self) -> None:
        notes = [line for line in await self.desk.here.transcript() if line.offered]
        if notes:
            note = self.chance.choice(notes)
            if await self.tries(Act.CLAIM, PEOPLE[note.author.id], message=note.id):
                self.of(note.written).offered = True

    async def mends(self) -> None:
        """With any button that was ever there, on any line."""
        lines = [one for one in await self.desk.here.transcript() if one.written]
        if lines:
            line, agent = self.chance.choice(lines), self.chance.choice([*PEOPLE.values()])
            act = self.chance.choice([Act.RETRY, Act.SEND_NOW, Act.DELETE, Act.ARRIVED])
            if await self.tries(act, agent, message=line.id) and act in {Act.RETRY, Act.ARRIVED}:
                self.of(line.written).again = True

    async def customer(self) -> None:
        await self.desk.customer("Hello?")

    async def trouble(self) -> None:
        error: SendError = self.chance.choice(
            [SendDeferred("Busy.", timedelta(minutes=1)), SendRejected("No."), SendInDoubt("Lost.")]
        )
        doubt = isinstance(error, SendInDoubt) and self.chance.random() < 0.5
        self.channel.fails(error, arrives=doubt)

    async def time(self) -> None:
        await self.desk.later(minutes=self.chance.choice([0.5, 2, 20]))

    async def tries(self, act: Act, agent: Agent, **more: Any) -> bool:
        try:
            await self.desk.here.act(act, agent=agent, **more)
        except (NotAllowed, TooLate, Unknown):
            return False
        finally:
            await self.desk.settle()
        return True

    # ── The oracle ──────────────────────────────────────────────────────────────────────────────

    async def owner_now(self) -> None:
        self.owners.append((self.desk.here.clock(), (await self.desk.case()).owner_id))

    def owned(self, one: Said) -> bool:
        """Whether it was theirs when they said it, or while that second lasted."""
        before = [owner for at, owner in self.owners if at < one.at][-1]
        return one.by in {before, *(owner for at, owner in self.owners if at == one.at)}

    def of(self, written: str) -> Said:
        return next(one for one in self.said if written == f"slack:{one.post.channel}:{one.post.ts}")

    async def check(self) -> None:
        shown = Counter(text for text in self.channel.sent if text.startswith("w"))
        for one in self.said:
            seen = {text for text in one.texts if text in shown or text in self.channel.changed}
            internal = [text for text in seen if one.texts[text]]
            assert not internal, f"a note slipped out: {one}"
            assert not seen or self.owned(one) or one.offered, f"not theirs to say: {one}"
            times = sum(shown[text] for text in one.texts)
            assert not seen or not next(iter(one.texts.values())), f"it began as a note: {one}"
            assert times <= 1 or one.again, f"said {times} times: {one}"
        for line in await self.desk.here.transcript():
            if line.author.kind is AuthorKind.AGENT and line.direction is Direction.OUT and line.written:
                one = self.of(line.written)
                arrived = one.again or any(text in shown for text in one.texts)
                assert arrived or line.state not in SEEN or line.deleted_at, f"looks sent: {line!r}"
        written = Counter(line.written for line in await self.desk.here.transcript() if line.written)
        assert set(written.values()) <= {1}, "a line stands there twice"
        gone = {f"slack:{one.post.channel}:{one.post.ts}" for one in self.said if one.post.deleted}
        all_ = {f"slack:{one.post.channel}:{one.post.ts}" for one in self.said}
        assert all_ - gone <= set(written), "something was lost"


DO: dict[Act, Callable[[Walk], dict[str, Any]]] = {
    Act.RELEASE: lambda walk: {},
    Act.ASSIGN: lambda walk: {"to": walk.chance.choice([*PEOPLE.values()])},
    Act.MOVE: lambda walk: {"department": walk.chance.choice(["service", "press"])},
    Act.SNOOZE: lambda walk: {"until": walk.desk.here.clock() + timedelta(minutes=10)},
    Act.RETURN_TO_BOT: lambda walk: {},
    Act.RESOLVE: lambda walk: {},
}


@pytest.mark.parametrize("undo", [0, 20])
@pytest.mark.parametrize("seed", range(3))
async def test_nothing_internal_slips_and_nothing_is_lost_whatever_agents_do(
    tmp_path: Path, seed: int, undo: int
) -> None:
    channel = Watched()
    async with office(tmp_path, channel=channel, undo_seconds=undo) as desk:
        await desk.handed_off()
        walk = Walk(desk, channel, seed)
        await walk.go()
        await walk.check()
