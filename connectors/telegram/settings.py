"""What an operator says about a bot."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

from bot.domain.errors import Misconfigured

# https://core.telegram.org/bots/api#setwebhook
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
TOKEN = re.compile(r"(\d+):[A-Za-z0-9_-]+")

Rate = Annotated[float, Meta(gt=0, le=1000)]


class TelegramLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this"""

    per_second: Rate = 30  # messages of the whole bot
    per_chat: Rate = 1  # a second, in one chat
    per_group: Rate = 20  # a minute, in one group


class TelegramSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    account: str
    token: str
    secret: str = ""
    mode: Literal["webhook", "polling"] = "webhook"
    username: str = ""
    format: Literal["plain", "html"] = "plain"
    api_url: str = "https://api.telegram.org"
    limits: TelegramLimits = TelegramLimits()

    def __repr__(self) -> str:
        return f"<TelegramSettings of {self.account}>"

    @property
    def bot(self) -> int:
        """The bot's own id: a token begins with it. Raises `Misconfigured`."""
        known = TOKEN.fullmatch(self.token)
        if not known:
            raise Misconfigured(
                f"telegram/{self.account}: the token is none; copy it from @BotFather, it looks like 123456:ABC-DEF."
            )
        return int(known[1])

    def require_secret(self) -> None:
        """Raises `Misconfigured`: without a secret anybody could speak for any customer."""
        if self.mode == "polling" and not self.secret:
            return
        if not SECRET.fullmatch(self.secret):
            raise Misconfigured(
                f"telegram/{self.account}: the secret is missing or has other characters than A-Z a-z 0-9 _ -; "
                "set one (openssl rand -hex 32), or use mode: polling."
            )
