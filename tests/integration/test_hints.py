"""Hints may be lost: what was written counts, whatever the queue says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.services import ledger
from tests.builders import inbound
from tests.world import world


class Away:
    """A queue that cannot be reached: it says so, or says nothing at all."""

    def __init__(self, *, hangs: bool) -> None:
        self._hangs = hangs

    async def wake(self, *_: Any, **__: Any) -> None:
        if self._hangs:
            await asyncio.Event().wait()
        raise ConnectionError("away")


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_queue_that_is_away_refuses_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, hangs: bool
) -> None:
    monkeypatch.setattr(ledger, "HINT_SECONDS", 0.05)
    async with world(tmp_path) as here:
        here.commit._queue = Away(hangs=hangs)  # type: ignore[assignment]
        (event,) = await here.receive(inbound("When are you open?"))
        assert [one.id for one in await here.events("pending")] == [event]
