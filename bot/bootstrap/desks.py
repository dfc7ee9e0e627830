"""The desks: the built-in one, and those that agents talk in where they are configured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from bot.bootstrap.content import Current, Live
from bot.bootstrap.engines import now
from bot.config import ConfigError, Settings, convert
from bot.domain.answers import PLACEHOLDER, AnswerBook, shown
from bot.domain.cases import Agent, Case
from bot.domain.desks import SavedAnswer
from bot.domain.errors import Misconfigured
from bot.domain.ids import new_id
from bot.domain.messages import Address
from bot.domain.ports import Broadcast, Capabilities, Commit, Desk, Files, Query, Store
from bot.services.alarms import Alarms
from bot.services.ledger import CASES
from bot.services.reporting import Reporting
from handoff.desks.base import Canned, DeskDeps
from handoff.desks.console import ConsoleDesk
from handoff.desks.slack import Slack, SlackSettings
from handoff.desks.slack.look import GROUP
from handoff.desks.slack.settings import CHANNEL, CHANNEL_ID
from handoff.takeover import Takeover

SLACK = "slack"
SAVED = 500  # answers that agents kept
Labels = Mapping[str, Mapping[str, str]]  # intent → language → what it is called


def slack_settings(settings: Settings) -> SlackSettings | None:
    """Raises `ConfigError`."""
    raw = settings.desks.slack
    if raw is None:
        return None
    try:
        known: SlackSettings = convert(raw, SlackSettings, "desks.slack")
        known.require()
    except (ConfigError, Misconfigured) as exc:
        raise ConfigError(f"{settings.file}: {exc}") from exc
    for place, problem in _nowhere(known, settings):
        raise ConfigError(f"{settings.file}: {place}: {problem}")
    return known


def _nowhere(known: SlackSettings, settings: Settings) -> Iterator[tuple[str, str]]:
    """What names something that is not there, in this section and in others that speak of Slack."""
    for name in sorted(set(known.channels) - {"default", *settings.departments}):
        yield f"desks.slack.channels.{name}", "there is no such department."
    for name, one in settings.departments.items():
        if one.desk_channel and not CHANNEL.fullmatch(one.desk_channel):
            yield f"departments.{name}.desk_channel", f"this is no channel's id. {CHANNEL_ID}"
    for index, rule in enumerate(settings.routing):
        if rule.ping not in {"", "here"} and not GROUP.fullmatch(rule.ping):
            yield f"routing[{index}].ping", "write here, or the id of a user group such as S0123456789."


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
    chosen = slack_settings(around.settings)
    if chosen:
        found[SLACK] = Slack(chosen, _deps(around))
    return found


def _console(broadcast: Broadcast) -> ConsoleDesk:
    async def hint(case: str) -> None:
        await broadcast.publish(CASES, msgspec.json.encode({"case": case}))

    return ConsoleDesk(hint)


def _deps(around: Around) -> DeskDeps:
    live, takeover, settings = around.live, around.takeover, around.settings

    def stayed(case: Case, agent: Agent) -> str:
        return takeover.speech.stayed(case, agent, now())

    async def canned(case: Case) -> list[Canned]:
        return await offered(around.store, case, live.book(), live.labels())

    async def today() -> dict[str, Any]:
        return await around.reporting.today(settings.brand.zone)

    return DeskDeps(
        clock=now,
        new_id=new_id,
        http=around.session,
        files=around.files,
        store=around.store,
        commit=around.commit,
        brand=settings.brand,
        public_url=settings.server.url,
        departments=Current(lambda: live.rules().departments),
        intents=Current(live.labels),
        act=takeover.act,
        stayed=stayed,
        closed=lambda case: takeover.speech.closed(case, now()),
        beyond=lambda case: around.can(case.address).beyond,
        canned=canned,
        today=today,
        alarm=around.alarms.sound,
        works=around.alarms.clear,
    )


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
