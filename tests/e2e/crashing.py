"""A Switchboard in a process of its own that kills itself at the n-th step; run again, it finishes the work.

python -m tests.e2e.crashing FOLDER STEP: the platform's view of the chat is FOLDER/arrived, one line a message.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from bot.domain.ids import new_id
from bot.domain.outbox import Receipt
from bot.domain.ports import Changes, Outcome, Payload
from bot.stores.sqlite import SqliteStore
from tests.builders import inbound
from tests.fakes.channel import FakeChannel
from tests.world import World, world

MESSAGES = ("When are you open?", "Where is my parcel 4711?", "A person please")


class Steps:
    """Counts what leaves the process; dies at the step it was told to."""

    def __init__(self, deadly: int) -> None:
        self.count = 0
        self._deadly = deadly

    def step(self) -> None:
        self.count += 1
        if self.count == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)


class FileChannel(FakeChannel):
    """A platform outside the process: what arrived there stays there, and it can be asked."""

    def __init__(self, path: Path, steps: Steps) -> None:
        super().__init__()
        self._path = path
        self._steps = steps

    async def send(self, payload: Payload) -> Receipt:
        self._steps.step()
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{payload['id']}\t{payload['text']}\n")
        self._steps.step()
        return Receipt(external_id=payload["id"])

    async def find(self, payload: Payload) -> Receipt | None:
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        seen = any(line.startswith(f"{payload['id']}\t") for line in lines)
        return Receipt(external_id=payload["id"]) if seen else None


def dying(store: SqliteStore, steps: Steps) -> None:
    """Every transaction is two steps: just before it, and just after it."""
    apply = store.apply

    async def stepping(changes: Changes) -> Outcome:
        steps.step()
        outcome = await apply(changes)
        steps.step()
        return outcome

    store.apply = stepping  # type: ignore[method-assign]


async def deliver(here: World) -> None:
    """As a platform does: each event again and again until it is acknowledged, which a killed process never did."""
    for number, text in enumerate(MESSAGES):
        await here.hear(inbound(text, f"e{number}"))


async def main(folder: Path, deadly: int) -> None:
    steps = Steps(deadly)
    async with world(folder, channel=FileChannel(folder / "arrived", steps), ids=new_id) as here:
        assert isinstance(here.store, SqliteStore)
        dying(here.store, steps)
        await here.answer()
        await here.send()
        await deliver(here)
        await here.send()
    sys.stdout.write(str(steps.count))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
