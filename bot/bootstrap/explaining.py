"""What the live model makes of a text, and what the bot would do about it: for a look, nothing is stored or sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from msgspec import Struct

from bot.bootstrap.backends import now
from bot.bootstrap.parts import Parts, assembled
from bot.config import Settings
from bot.domain.cases import Case, Reason
from bot.domain.decisions import decide
from bot.domain.errors import TemplateFailed
from bot.domain.messages import Address, Role
from bot.domain.turns import Decision, Turn, threshold
from bot.domain.understanding import Context, Understanding
from handoff.assignment import department_for
from handoff.words import WORDS

NEXT = 2  # intents after the likeliest
NOBODY = Address(channel="", account="", user="", chat="")


class Outcome(Struct, frozen=True, kw_only=True):
    """What the bot would do, were this the first message of a case."""

    does: str  # answer, ask, look_up, hand_off, nothing
    says: tuple[str, ...] = ()
    buttons: tuple[str, ...] = ()
    lookup: str = ""
    reason: str = ""  # of a handoff
    department: str = ""
    threshold: float  # the least confidence for this intent; more than 1: it is never answered


class Explained(Struct, frozen=True, kw_only=True):
    """As it is shown, and as JSON: what /api/v1/understand says, and the outcome."""

    understanding: Understanding
    outcome: Outcome

    def builtins(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.to_builtins(self.understanding)
        return found | {"outcome": msgspec.to_builtins(self.outcome)}

    def rows(self) -> Iterator[tuple[str, str]]:
        found = self.understanding
        best, *others = found.intent_ranking or (found.intent,)
        yield "intent", f"{best.name or 'none'} {best.confidence:.2f} ({_needed(self.outcome.threshold)})"
        if others:
            yield "or", ", ".join(f"{one.name} {one.confidence:.2f}" for one in others[:NEXT])
        yield "outcome", _in_words(self.outcome)
        yield from (("", line) for says in self.outcome.says for line in says.splitlines())
        yield from (("", f"[{button}]") for button in self.outcome.buttons)
        yield "entities", ", ".join(f"{one.entity} {one.value}" for one in found.entities) or "none"
        reasons = f": {', '.join(found.urgency.reasons)}" if found.urgency.reasons else ""
        yield "urgency", f"{found.urgency.level}{reasons}"
        yield "sentiment", f"{found.sentiment.label} {found.sentiment.score:+.2f}"
        yield "language", found.language or "cannot be told"
        yield "wants a person", "yes" if found.wants_person else "no"
        yield "out of scope", f"{found.out_of_scope:.2f}"
        yield "model", f"{found.model}, by the engine {found.engine}"


def _needed(least: float) -> str:
    return f"answered from {least:.2f} on" if least <= 1 else "never answered: the promise cannot be kept"


def _in_words(outcome: Outcome) -> str:
    return {
        "answer": "answered:",
        "ask": "asked back:",
        "look_up": f"answered with what the lookup {outcome.lookup} says",
        "hand_off": f"to a person of {outcome.department}: {outcome.reason}",
        "nothing": "nothing is said",
    }[outcome.does]


class Explainer:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def explain(self, text: str) -> Explained:
        """Raises `EngineUnavailable`."""
        understood = await self._parts.tuning.understand(text, Context())
        return Explained(understanding=understood, outcome=self._outcome(understood))

    def _outcome(self, understood: Understanding) -> Outcome:
        policy, at = self._parts.live.policy(), now()
        new = Case(
            id="",
            number=0,
            customer="",
            pseudonym="",
            department="",
            address=NOBODY,
            opened_at=at,
            updated_at=at,
            customer_at=at,
        )
        turn = Turn(question="", understanding=understood, address=NOBODY, at=at)
        least = threshold(understood.intent.name, policy)
        try:
            decision = decide(new, turn, policy, at)
        except TemplateFailed:
            decision = Decision(case=new, rule="failed", hand_off=Reason.ANSWER_FAILED)
        if decision.hand_off is None:
            return _by_bot(decision, least)
        return Outcome(
            does="hand_off",
            reason=self._why(decision.hand_off, decision.detail),
            department=department_for(decision.case, self._parts.live.rules()),
            threshold=least,
        )

    def _why(self, reason: Reason, detail: str) -> str:
        if reason is Reason.INTENT_IS_HUMAN and detail not in self._parts.live.book().answers:
            return f"{detail} has no answer"
        _, english = WORDS[f"reason.{reason}"]
        return english


def _by_bot(decision: Decision, least: float) -> Outcome:
    asks = any(saying.role is Role.ASK for saying in decision.says)
    does = "look_up" if decision.lookup else "ask" if asks else "answer" if decision.says else "nothing"
    return Outcome(
        does=does,
        says=tuple(saying.text for saying in decision.says),
        buttons=tuple(button.label for saying in decision.says for button in saying.buttons),
        lookup=decision.lookup.name if decision.lookup else "",
        threshold=least,
    )


@asynccontextmanager
async def explainer(settings: Settings) -> AsyncIterator[Explainer]:
    """With the live model and the answers in use; where the engine is a server, that is asked. Raises `BadData`."""
    async with assembled(settings) as parts:
        await parts.tuning.follow()
        yield Explainer(parts)
