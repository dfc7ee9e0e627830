"""What an operator says about the Slack desk."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from bot.domain.errors import Misconfigured
from bot.domain.strict import NonEmpty

DEFAULT = "default"  # the channel of every department that has none of its own
CHANNEL = re.compile(r"[CG][A-Z0-9]{2,}")
MEMBER = re.compile(r"[UW][A-Z0-9]{2,}")
CHANNEL_ID = "Slack shows the id, such as C0123456789, at the end of a channel's details; a name is none."
MEMBER_ID = "Slack shows the member id, such as U0123456789, in a profile's menu; a name is none."


class AgentSetting(Struct, frozen=True, kw_only=True):
    """Somebody who may speak, by their member id."""

    name: str = ""  # what colleagues and customers read; empty: as in Slack
    role: Literal["agent", "supervisor", "admin"] = "agent"


class SlackSettings(Struct, frozen=True, kw_only=True):
    token: NonEmpty
    signing_secret: str = ""  # needed unless everything comes over sockets
    app_token: str = ""
    api_url: NonEmpty = "https://slack.com/api/"
    channels: dict[str, NonEmpty] = field(default_factory=dict)  # default, and by department
    language: Annotated[str, Meta(pattern="^([a-z]{2,3})?$")] = ""  # empty: the brand's
    agents: Literal["all_members"] | dict[str, AgentSetting] = "all_members"
    ping_away: bool = False  # whether an owner who is away is called by a reminder, too
    undo_seconds: Annotated[int, Meta(ge=0, le=120)] = 0

    def __repr__(self) -> str:
        return f"<SlackSettings for {', '.join(sorted(self.channels)) or 'no channel'}>"

    def channel(self, department: str) -> str:
        return self.channels.get(department) or self.channels[DEFAULT]

    @property
    def by_socket(self) -> bool:
        return bool(self.app_token)

    def require(self) -> None:
        """Raises `Misconfigured` for what cannot work, whatever Slack would say."""
        for sound, place, problem in (
            (
                self.token.startswith("xoxb-"),
                "token",
                "this is no bot token; it begins with xoxb- (OAuth & Permissions).",
            ),
            (
                not self.app_token or self.app_token.startswith("xapp-"),
                "app_token",
                "this is no app-level token; it begins with xapp- (Basic Information).",
            ),
            (
                bool(self.signing_secret.strip()) or self.by_socket,
                "signing_secret",
                "it is empty; copy it from the app's Basic Information page, or set app_token for sockets.",
            ),
            (
                DEFAULT in self.channels,
                "channels.default",
                "it is missing; give a channel's id. " + CHANNEL_ID,
            ),
            *(
                (bool(CHANNEL.fullmatch(id)), f"channels.{name}", f"this is no channel's id. {CHANNEL_ID}")
                for name, id in self.channels.items()
            ),
            *((bool(MEMBER.fullmatch(id)), f"agents.{id}", MEMBER_ID) for id in self._listed),
        ):
            if not sound:
                raise Misconfigured(f"desks.slack.{place}: {problem}")

    @property
    def _listed(self) -> tuple[str, ...]:
        return () if isinstance(self.agents, str) else tuple(self.agents)
