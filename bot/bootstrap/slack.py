"""Slack, where it is configured: its settings, held against the rest, and what it is built from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bot.bootstrap.around import Around
from bot.bootstrap.backends import now
from bot.bootstrap.canned import offered
from bot.bootstrap.content import Current
from bot.config import ConfigError, Settings, convert
from bot.domain.cases import Agent, Case
from bot.domain.errors import Misconfigured
from bot.domain.ids import new_id
from handoff.desks.base import Canned, DeskDeps
from handoff.desks.slack import Slack, SlackSettings
from handoff.desks.slack.look import GROUP
from handoff.desks.slack.settings import CHANNEL, CHANNEL_ID


def slack(around: Around) -> Slack:
    """Raises `ConfigError`."""
    return Slack(slack_settings(around.settings), _deps(around))


def slack_settings(settings: Settings) -> SlackSettings:
    """Raises `ConfigError`."""
    try:
        known: SlackSettings = convert(settings.desks.slack or {}, SlackSettings, "desks.slack")
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
