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
        *config.unknown_intents(settings, intents, taught),
    ]
