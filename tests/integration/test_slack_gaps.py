"""What agents wrote while nobody listened is taken in afterwards, once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.slack import ADA, DEFAULT, Office, office


async def unheard(here: Office, text: str) -> None:
    """Said while the server was away, for longer than Slack tries."""
    there, here.slack.app_url = here.slack.app_url, ""
    await here.slack.says(ADA, text, thread=here.card)
    here.slack.app_url = there


async def filled(here: Office) -> list[float]:
    """The pauses that Slack asked for."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        here.here.clock.forward(seconds=seconds)

    await here.desk._events.fill_gaps(200, here.here.clock() - timedelta(days=2), pause)
    await here.settle()
    return pauses


async def test_what_was_written_while_we_were_away_reaches_the_customer_once(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        await here.claimed()
        await unheard(here, "It is on its way.")
        assert "It is on its way." not in here.here.channel.texts
        for _ in range(2):
            await filled(here)
        assert here.here.channel.texts.count("It is on its way.") == 1


async def test_a_card_that_somebody_deleted_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        await here.claimed()
        await unheard(here, "It is on its way.")
        here.slack.breaks("conversations.replies", error="thread_not_found")
        assert await filled(here) == []
        await filled(here)
        assert here.here.channel.texts.count("It is on its way.") == 1


async def test_a_channel_we_were_removed_from_does_not_either(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        await here.claimed()
        await here.slack.removes_bot(DEFAULT)
        assert await filled(here) == []


async def test_slacks_pace_is_kept(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        await here.claimed()
        await unheard(here, "It is on its way.")
        here.slack.breaks("conversations.replies", times=2, retry_after=30)
        assert await filled(here) == [30.0, 30.0]
        assert here.here.channel.texts.count("It is on its way.") == 1
