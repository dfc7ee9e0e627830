"""The desks: the built-in one, and those that agents talk in where they are configured."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import aiohttp
import msgspec
from msgspec import Struct

from bot.bootstrap.content import Live
from bot.config import Settings
from bot.domain.answers import PLACEHOLDER, AnswerBook, shown
from bot.domain.cases import Case
from bot.domain.desks import SavedAnswer
from bot.domain.messages import Address
from bot.domain.ports import Broadcast, Capabilities, Commit, Desk, Files, Query, Store
from bot.services.alarms import Alarms
from bot.services.ledger import CASES
from bot.services.reporting import Reporting
from handoff.desks.base import Canned
from handoff.desks.console import ConsoleDesk
from handoff.takeover import Takeover

SLACK = "slack"
SAVED = 500  # answers that agents kept
Labels = Mapping[str, Mapping[str, str]]  # intent → language → what it is called


class Around(Struct, frozen=True, kw_only=True):
    """What desks are built from."""

    settings: Settings
    live: Live
    store: Store
    commit: Commit
    files: Files
    broadcast: Broadcast
    session: aiohttp.ClientSession
    takeover: Takeover
    reporting: Reporting
    alarms: Alarms
    can: Callable[[Address], Capabilities]


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


async def offered(store: Store, case: Case, book: AnswerBook, labels: Labels) -> list[Canned]:
    """What can be sent with a click: replies that agents kept, then what the bot says."""
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
