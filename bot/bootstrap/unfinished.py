"""What answers and configuration name that the model does not know, and the other way round."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path

from bot import config
from bot.config import Settings
from bot.domain.answers import AnswerBook
from bot.domain.errors import BadData
from bot.domain.ports import Finding
from bot.lookups import PLACE
from nlu.answers import check as check_answers
from nlu.reading import read


def unfinished(settings: Settings, book: AnswerBook, intents: Collection[str]) -> list[Finding]:
    """`intents` are those of the live model; blocking, where the training data have to be asked."""

    @cache
    def taught() -> Collection[str]:
        try:
            return read([Path(path) for path in settings.nlu.data]).intents
        except BadData:
            return ()

    return [
        *check_answers(book, intents, settings.lookups, taught),
        *_never_filled(settings, book),
        *config.unknown_intents(settings, intents, taught),
    ]


def _never_filled(settings: Settings, book: AnswerBook) -> list[Finding]:
    """Lookups that ask for a value which the answers that use them never have."""
    return [
        Finding(
            name="answers",
            status="warn",
            detail=f'The lookup "{answer.lookup}" asks for {{{slot}}}, which the answer "{answer.intent}" does not '
            "need, so its customers go to a person",
            fix=f"Correct lookups.{answer.lookup}.url in {settings.file}, or add the slot to the answer's needs.",
        )
        for answer in book.answers.values()
        if answer.lookup in settings.lookups
        for slot in PLACE.findall(settings.lookup_url(answer.lookup))
        if slot not in {need.slot for need in answer.needs}
    ]
