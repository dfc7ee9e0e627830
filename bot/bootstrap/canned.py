"""What an agent can send with a click."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.answers import PLACEHOLDER, AnswerBook, shown
from bot.domain.cases import Case
from bot.domain.desks import SavedAnswer
from bot.domain.ports import Query, Store
from handoff.desks.base import Canned

SAVED = 500  # answers that agents kept
Labels = Mapping[str, Mapping[str, str]]  # intent → language → what it is called


async def offered(store: Store, case: Case, book: AnswerBook, labels: Labels) -> list[Canned]:
    """Replies that agents kept, then what the bot says."""
    saved = await store.find(Query(kind=SavedAnswer, order="-at", limit=SAVED))
    return [*_kept(saved, case, book, labels), *_of_the_book(case, book, labels)]


def _kept(saved: list[SavedAnswer], case: Case, book: AnswerBook, labels: Labels) -> list[Canned]:
    """Those in the customer's language first."""
    ordered = sorted(saved, key=lambda one: one.language != case.language)
    return [
        Canned(id=one.id, title=f"★ {_label(one.intent, case, book, labels)}: {one.text[:40]}", text=one.text)
        for one in ordered
    ]


def _of_the_book(case: Case, book: AnswerBook, labels: Labels) -> list[Canned]:
    """What the bot says, in the customer's language, with what is known of the case; the rest is left to fill in."""
    return [
        Canned(
            id=f"answer:{intent}",
            title=_label(intent, case, book, labels),
            text=_filled(book.choose(texts, case.language), case),
        )
        for intent, answer in book.answers.items()
        if (texts := answer.text or answer.general) and not answer.smalltalk
    ]


def _label(intent: str, case: Case, book: AnswerBook, labels: Labels) -> str:
    texts = labels.get(intent)
    return book.choose(texts, case.language) if texts else intent.replace("_", " ").capitalize()


def _filled(text: str, case: Case) -> str:
    return PLACEHOLDER.sub(
        lambda place: shown(case.slots[place[1]], case.language) if place[1] in case.slots else "…", text
    )
