"""What an agent should know at a glance: pure, made from the case and its transcript."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.cases import Case
from bot.domain.desks import Passport
from bot.domain.messages import AuthorKind, Direction, Message, Role

LAST_WORDS = 280  # characters


def passport(case: Case, transcript: Sequence[Message]) -> Passport:
    return Passport(
        last_words=last_words(transcript),
        bot_asked=_bot(transcript, Role.ASK),
        bot_answered=_bot(transcript, Role.ANSWER),
        given=case.slots,
        messages=sum(message.direction is not Direction.NOTE for message in transcript),
    )


def last_words(transcript: Sequence[Message]) -> str:
    """The customer's last message that says something, shortened."""
    texts = (
        message.text for message in reversed(transcript) if message.direction is Direction.IN and message.text
    )
    text = " ".join(next(texts, "").split())
    return text if len(text) <= LAST_WORDS else f"{text[: LAST_WORDS - 1]}…"


def _bot(transcript: Sequence[Message], role: Role) -> tuple[str, ...]:
    return tuple(
        message.text
        for message in transcript
        if message.author.kind is AuthorKind.BOT and message.role is role
    )
