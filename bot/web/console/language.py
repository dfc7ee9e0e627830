"""Which of the two languages a viewer reads, and how words, times and numbers look in it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from bot.web.console.texts import TEXTS
from handoff.words import LANGUAGES

COOKIE = "switchboard_language"

_WEEKDAYS = {
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_MONTHS = {
    "de": (
        *("Januar", "Februar", "März", "April", "Mai", "Juni"),
        *("Juli", "August", "September", "Oktober", "November", "Dezember"),
    ),
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
}
_DAY = {"de": "{weekday}, {day}. {month}", "en": "{weekday}, {day} {month}"}
_SHORT = {"de": "{weekday:.2} {clock}", "en": "{weekday:.3} {clock}"}
_THOUSANDS = {"de": ".", "en": ","}

_MINUTE, _HOUR, _DAY_SECONDS = 60, 3600, 86400
_DAYS_FROM = 2 * _DAY_SECONDS  # until then hours say more


class Words:
    """The console's words in one language, and times in the brand's zone until the script knows the viewer's."""

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        self.language = language
        self.zone = zone
        self._column = LANGUAGES.index(language)

    def __call__(self, key: str, **values: object) -> str:
        return TEXTS[key][self._column].format(**values)

    def known(self, group: str, name: str) -> str:
        """The word for a value of a vocabulary that others may add to; else the value, made readable."""
        found = TEXTS.get(f"{group}.{name}")
        return found[self._column] if found else name.replace("_", " ").strip().capitalize()

    def count(self, key: str, n: int) -> str:
        return self(f"{key}.{'one' if n == 1 else 'other'}", n=self.number(n))

    def number(self, value: int) -> str:
        return f"{value:,}".replace(",", _THOUSANDS[self.language])

    def size(self, bytes_: int) -> str:
        kilobytes = bytes_ / 1024
        text = f"{kilobytes / 1024:.1f} MB" if kilobytes >= 1000 else f"{max(1, round(kilobytes))} kB"
        return text.replace(".", ",") if self.language == "de" else text

    def percent(self, share: float) -> str:
        return f"{round(share * 100)}{' ' if self.language == 'de' else ''}%"

    def span(self, length: timedelta) -> str:
        """How long something took or has taken: "12 min"."""
        seconds = max(0, int(length.total_seconds()))
        if seconds < _MINUTE:
            return self("time.now")
        if seconds < _HOUR:
            return self("time.minutes", n=seconds // _MINUTE)
        if seconds < _DAYS_FROM:
            return self("time.hours", n=seconds // _HOUR)
        return self("time.days", n=seconds // _DAY_SECONDS)

    def ago(self, length: timedelta) -> str:
        seconds = length.total_seconds()
        if seconds < _MINUTE:
            return self("time.just_now")
        if seconds < _DAYS_FROM:
            return self("time.ago", span=self.span(length))
        return self("time.ago_days", n=int(seconds // _DAY_SECONDS))

    def clock(self, moment: datetime) -> str:
        return moment.astimezone(self.zone).strftime("%H:%M")

    def day(self, moment: datetime) -> str:
        local = moment.astimezone(self.zone)
        weekday = _WEEKDAYS[self.language][local.weekday()]
        return _DAY[self.language].format(
            weekday=weekday, day=local.day, month=_MONTHS[self.language][local.month - 1]
        )

    def exact(self, moment: datetime) -> str:
        local = moment.astimezone(self.zone)
        return f"{self.day(moment)} {local.year}, {self.clock(moment)}"

    def short(self, moment: datetime, now: datetime) -> str:
        """A moment near now: the clock today, else with the weekday, else with the date."""
        local, today = moment.astimezone(self.zone), now.astimezone(self.zone).date()
        if local.date() == today:
            return self.clock(moment)
        if abs((local.date() - today).days) < len(_WEEKDAYS[self.language]):
            weekday = _WEEKDAYS[self.language][local.weekday()]
            return _SHORT[self.language].format(weekday=weekday, clock=self.clock(moment))
        return f"{self.day(moment).split(', ', 1)[1]}, {self.clock(moment)}"


def choose(request: web.Request, brand_language: str) -> str:
    """What the viewer chose, else what their browser asks for, else the brand's language."""
    wanted = (request.cookies.get(COOKIE, ""), *_accepted(request.headers.get("Accept-Language", "")))
    return next((code for code in (*wanted, brand_language) if code in LANGUAGES), LANGUAGES[-1])


def _accepted(header: str) -> list[str]:
    """Primary language codes of an Accept-Language header, the most wanted first (RFC 9110, 12.5.4)."""
    found = re.findall(
        r"([a-zA-Z]{1,8})[\w-]*\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?\s*(?:,|$)", header[:200]
    )
    ranked = sorted(found, key=lambda pair: -float(pair[1] or 1))
    return [code.lower() for code, quality in ranked if float(quality or 1) > 0]
