"""Hearing: what the customer said since we last looked, understood as one turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from msgspec.structs import replace

from bot.domain.cases import Case
from bot.domain.customers import Customer
from bot.domain.errors import EngineUnavailable
from bot.domain.messages import Event, EventKind, Inbound
from bot.domain.ports import NewId, Understander
from bot.domain.turns import GREETING, Policy, Turn
from bot.domain.understanding import UNDERSTOOD_CHARACTERS, Context, Intent, Understanding

log = structlog.get_logger()

NOTHING = Understanding(text="", intent=Intent(name="", confidence=0.0))
GREETED = Understanding(text="", intent=Intent(name=GREETING, confidence=1.0))


class Hearing:
    def __init__(
        self, understander: Callable[[], Understander], policy: Callable[[], Policy], new_id: NewId
    ) -> None:
        self._understander = understander
        self._policy = policy
        self._new_id = new_id

    async def hear(
        self, batch: Sequence[Event], last: Case | None, customer: Customer
    ) -> tuple[Turn, dict[str, Understanding]]:
        expects = _expected(last, self._policy())
        context = Context(
            language=(last.language if last else "") or customer.language or batch[0].inbound.language,
            public=batch[-1].inbound.address.public,
            repeats=len(batch) - 1,
            waited_seconds=_waited(batch[-1], last),
            expects=expects,
        )
        deaf = ""
        try:
            understood = {event.id: await self._heard(event.inbound, context) for event in batch}
            whole = await self._whole(batch, list(understood.values()), context)
        except EngineUnavailable as error:
            log.warning("engine.unavailable")
            understood, whole, deaf = {event.id: NOTHING for event in batch}, NOTHING, str(error)
        turn = Turn(
            question=self._new_id(),
            understanding=whole,
            address=batch[-1].inbound.address,
            at=_said_at(batch[0]),
            press=batch[0].inbound.press,
            message=batch[-1].inbound.external_id,
            deaf=deaf,
            readable=any(_is_readable(event.inbound) for event in batch),
        )
        return turn, understood

    async def _heard(self, inbound: Inbound, context: Context) -> Understanding:
        """Who opens the chat is greeted; what the link they followed says is no question of theirs."""
        if inbound.kind is EventKind.STARTED:
            return replace(GREETED, language=context.language)
        return await self._understand(inbound.text, context)

    async def _understand(self, text: str, context: Context) -> Understanding:
        if not text.strip():
            return NOTHING
        return await self._understander().understand(text[:UNDERSTOOD_CHARACTERS], context)

    async def _whole(
        self, batch: Sequence[Event], parts: list[Understanding], context: Context
    ) -> Understanding:
        """What a flurry of messages means: the clearest question in it, with everything else they say."""
        if len(parts) == 1:
            return parts[0]
        text = "\n".join(event.inbound.text for event in batch if event.inbound.text)
        joined = await self._understand(text, context)
        book = self._policy().book
        questions = [
            part
            for part in (*parts, joined)
            if (a := book.answers.get(part.intent.name)) is None or not a.smalltalk
        ]
        best = max(questions or parts, key=lambda part: part.intent.confidence)
        urgency = max(
            (part.urgency for part in (*parts, joined)),
            key=lambda urgency: (urgency.level.rank, urgency.score),
        )
        return replace(
            best,
            entities=tuple(entity for part in parts for entity in part.entities),
            urgency=urgency,
            wants_person=any(part.wants_person for part in parts),
        )


def _said_at(event: Event) -> datetime:
    """By the platform's clock where it tells, since after an outage of ours it brings what is hours old."""
    return min(event.inbound.sent_at or event.received_at, event.received_at)


def _waited(event: Event, last: Case | None) -> float:
    """Seconds since the customer has been waiting for a word."""
    since = last.waiting_since if last and last.is_open else None
    return (event.received_at - since).total_seconds() if since else 0.0


def _is_readable(inbound: Inbound) -> bool:
    return bool(inbound.text.strip()) or inbound.kind is EventKind.STARTED


def _expected(last: Case | None, policy: Policy) -> str:
    """The entity the bot has asked for."""
    if last is None or last.asked is None or not last.asked.slot:
        return ""
    answer = policy.book.answers.get(last.asked.intent)
    needs = answer.needs if answer else ()
    return next((need.entity for need in needs if need.slot == last.asked.slot), "")
