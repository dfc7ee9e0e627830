"""What somebody asks to see: the lists of `/case` and App Home. Nothing here changes a case."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from bot.domain.cases import Agent
from bot.domain.errors import NotAllowed, SendError
from handoff.desks.base import DeskDeps
from handoff.desks.slack import commands
from handoff.desks.slack.api import SlackApi
from handoff.desks.slack.home import Today, closed_home, home
from handoff.desks.slack.look import Look
from handoff.desks.slack.reading import Reading

Who = Callable[[str], Awaitable[Agent]]  # raises NotAllowed, SendDeferred
Later = Callable[[Coroutine[Any, Any, None]], None]


class Overview:
    def __init__(
        self,
        deps: DeskDeps,
        api: SlackApi,
        reading: Reading,
        look: Callable[[], Look],
        who: Who,
        later: Later,
    ) -> None:
        self._deps = deps
        self._api = api
        self._reading = reading
        self._look = look
        self._who = who
        self._later = later

    async def command(self, form: Mapping[str, str]) -> dict[str, Any]:
        """`/case …`, for the eyes of who typed it. Raises `StoreUnavailable`."""
        look, asked = self._look(), commands.read(form.get("text", ""))
        user = form.get("user_id", "")
        try:
            await self._who(user)
        except (NotAllowed, SendError) as error:
            return {"response_type": "ephemeral", "text": str(error)}
        if asked.what == "mine":
            return commands.mine(await self._reading.mine(user), look)
        if asked.what == "waiting":
            return commands.waiting(await self._reading.waiting(), look)
        if asked.what == "stats":
            return commands.stats(Today(**await self._deps.today()), look)
        if asked.what == "case":
            case = await self._reading.numbered(asked.number)
            if case is None:
                return commands.no_case(asked.number, look)
            return commands.case(await self._reading.card(case), look, await self._reading.link(case))
        return commands.help(look) if asked.what == "help" else commands.unknown(look)

    def show_home(self, user: str) -> None:
        """App Home as it is now, when its reader looks."""
        if user:
            self._later(self._home(user))

    async def _home(self, user: str) -> None:
        try:
            await self._who(user)
        except NotAllowed as error:  # whoever was a member sees nothing of customers any more
            await self._api.publish_home(user, closed_home(str(error)))
            return
        mine, waiting = await self._reading.mine(user), await self._reading.waiting()
        view = home(self._look(), mine, waiting, Today(**await self._deps.today()))
        await self._api.publish_home(user, view)
