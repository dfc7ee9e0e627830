"""`kill -9` between any two steps, for real: a process dies at step n, the next one finishes, nothing shows."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from bot.domain.cases import CaseState
from bot.domain.journal import Did
from bot.domain.messages import Direction
from bot.domain.outbox import Posting
from tests.e2e.crashing import MESSAGES
from tests.world import world

AT_ONCE = 2
SPREAD = 4  # every step is tried by one of as many tests


async def run(folder: Path, deadly: int) -> tuple[int, int]:
    """Exit code, and how many steps a run to the end takes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.e2e.crashing", str(folder), str(deadly), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, int(printed or 0)


async def killed_then_finished(folder: Path, deadly: int) -> None:
    assert (await run(folder, deadly))[0] == -signal.SIGKILL
    assert (await run(folder, 0))[0] == 0
    await nothing_shows(folder, deadly)


async def nothing_shows(folder: Path, deadly: int) -> None:
    """What a customer, an agent and the journal see is what they would see without the crash."""
    arrived = [line.split("\t")[1] for line in _lines(folder / "arrived")]
    expected = ["About hours.", "4711 is on its way.", "A colleague of Service answers within 30 minutes."]
    assert arrived == expected, f"killed at step {deadly}"
    async with world(folder) as here:
        case = await here.case()
        said = [line.text for line in await here.transcript() if line.direction is Direction.IN]
        cards = [row for row in await here.rows() if row.posting is Posting.CARD]
        assert case.state is CaseState.WAITING
        assert said == list(MESSAGES)
        assert len(cards) == 1
        assert Counter(entry.kind for entry in await here.did(Did.HANDED_OFF)) == {Did.HANDED_OFF: 1}
        assert await here.events("pending") == []


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


async def test_a_run_without_a_kill_is_the_measure(tmp_path: Path) -> None:
    folder = tmp_path / "whole"
    folder.mkdir()
    code, steps = await run(folder, 0)
    assert code == 0
    assert steps > 20
    await nothing_shows(folder, 0)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("share", range(SPREAD))
async def test_killed_at_every_step(tmp_path: Path, share: int) -> None:
    folder = tmp_path / "whole"
    folder.mkdir()
    _, steps = await run(folder, 0)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(deadly: int) -> None:
        async with gate:
            await killed_then_finished(tmp_path / str(deadly), deadly)

    deaths = range(1 + share, steps + 1, SPREAD)
    for deadly in deaths:
        (tmp_path / str(deadly)).mkdir()
    await asyncio.gather(*(one(deadly) for deadly in deaths))
