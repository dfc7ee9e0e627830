"""The desks: the built-in one, and those that agents talk in where they are configured."""

from __future__ import annotations

import msgspec

from bot.bootstrap.around import Around
from bot.domain.ports import Broadcast, Desk
from bot.services.ledger import CASES
from handoff.desks.console import ConsoleDesk

SLACK = "slack"


def desks(around: Around) -> dict[str, Desk]:
    """Raises `ConfigError`, `Misconfigured`."""
    found: dict[str, Desk] = {"console": _console(around.broadcast)}
    if around.settings.desks.slack is not None:
        from bot.bootstrap.slack import slack  # its library is for those who have it

        found[SLACK] = slack(around)
    return found


def _console(broadcast: Broadcast) -> ConsoleDesk:
    async def hint(case: str) -> None:
        await broadcast.publish(CASES, msgspec.json.encode({"case": case}))

    return ConsoleDesk(hint)
