"""The desk that is always there: its cards are the console's own pages, so posting is a hint to look again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.domain.cases import Case
from bot.domain.desks import Post, ThreadPost
from bot.domain.outbox import Posting, Receipt
from bot.domain.ports import Payload, Rate

Hint = Callable[[str], Awaitable[None]]  # "this case changed", for every console that listens


class ConsoleDesk:
    """Payloads hold ids only: the console reads a case from the store whenever it shows one.

    Sending again changes nothing and what is shown is what is stored, so nothing here is ever in doubt.
    """

    name = "console"
    copies = False

    def __init__(self, hint: Hint) -> None:
        self._hint = hint

    def render(self, post: Post) -> tuple[Payload, ...]:
        if isinstance(post, ThreadPost):
            return ({"case": post.case.id, "message": post.message.id},)
        return ({"case": post.case.id},)

    def home(self, case: Case) -> str:
        return ""

    def rates(self, case: Case, posting: Posting) -> tuple[Rate, ...]:
        return ()

    async def send(self, payload: Payload) -> Receipt:
        await self._hint(payload["case"])
        return _receipt(payload)

    async def find(self, payload: Payload) -> Receipt | None:
        return _receipt(payload)


def _receipt(payload: Payload) -> Receipt:
    return Receipt(external_id=str(payload.get("message") or payload["case"]))
