"""A desk that remembers what was posted on it."""

from __future__ import annotations

from bot.domain.cases import Case
from bot.domain.desks import Card, Post
from bot.domain.outbox import Posting, Receipt
from bot.domain.ports import Payload, Rate


class FakeDesk:
    name = "console"
    copies = False

    def __init__(self) -> None:
        self.posted: list[Payload] = []

    def render(self, post: Post) -> tuple[Payload, ...]:
        return ({"case": post.case.id, "card": isinstance(post, Card)},)

    def rates(self, case: Case, posting: Posting) -> tuple[Rate, ...]:
        return ()

    async def send(self, payload: Payload) -> Receipt:
        self.posted.append(payload)
        return Receipt(external_id=payload["case"])
