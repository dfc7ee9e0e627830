"""What a handoff promises, to the customer and to the agents: pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo

from msgspec import Struct

from bot.domain.answers import AnswerBook
from bot.domain.cases import Case, Lease, Reason
from bot.domain.messages import Role
from bot.domain.routing import Department, Rule, add_business_time, is_open, next_opening
from bot.domain.turns import Saying

WARN_AFTER = 2 / 3  # of a claim, then its owner is reminded


class HandoffRules(Struct, frozen=True, kw_only=True):
    departments: Mapping[str, Department]
    routing: tuple[Rule, ...]
    default: str  # department
    zone: ZoneInfo
    claim: timedelta = timedelta(minutes=15)  # of business time
    idle: timedelta = timedelta(hours=24)
    desks: tuple[str, ...] = ("console",)  # each gets a card
    copies: tuple[str, ...] = ()  # those whose cards and threads must follow
    undo: Mapping[str, timedelta] = {}  # desk → how long a reply can be taken back unseen

    def department(self, name: str) -> Department:
        """One that was taken out of the configuration is looked after by the default one."""
        return self.departments.get(name) or self.departments[self.default]


class Expectation(Struct, frozen=True, kw_only=True):
    """When somebody will answer: `opens` is set while nobody is there."""

    due: datetime
    wait: timedelta
    opens: datetime | None = None


def expectation(
    department: Department, usual: timedelta | None, now: datetime, zone: ZoneInfo
) -> Expectation:
    """From what it usually takes, else from the department's target."""
    wait = usual or department.first_reply
    due = add_business_time(department, now, max(wait, department.first_reply), zone)
    opens = None if is_open(department, now, zone) else next_opening(department, now, zone)
    return Expectation(due=due, wait=wait, opens=opens)


def lease(case: Case, rules: HandoffRules, now: datetime) -> Lease:
    """A claim lasts business minutes: nobody loses a case overnight."""
    department = rules.department(case.department)
    return Lease(
        warn_at=add_business_time(department, now, rules.claim * WARN_AFTER, rules.zone),
        until=add_business_time(department, now, rules.claim, rules.zone),
    )


def remind_at(case: Case, rules: HandoffRules, now: datetime) -> datetime:
    """When half of what the department aims at is over."""
    department = rules.department(case.department)
    return add_business_time(department, now, department.first_reply / 2, rules.zone)


def pick_up_by(case: Case, rules: HandoffRules, now: datetime) -> datetime:
    """How long a case waits after a claim that lapsed until it goes further."""
    return add_business_time(rules.department(case.department), now, rules.claim, rules.zone)


# What an editor puts in front or between (quotes, bullets, bold, another colon) makes no reply of a note.
NOTE = re.compile(r"[\s>•*_~\u200b-\u200f\u2060\ufeff]*(?:(?:note|notiz)\s*[:：]|;;)[*_~]*\s*", re.IGNORECASE)


def for_customer(text: str) -> tuple[bool, str]:
    """Whether words under a card are meant for the customer, and the words without the prefix of a note."""
    prefix = NOTE.match(text)
    return (False, text[prefix.end() :]) if prefix else (True, text)


def holding(
    case: Case, expected: Expectation, rules: HandoffRules, book: AnswerBook, now: datetime
) -> Saying:
    """What the customer is told when a person takes over."""
    department = rules.department(case.department)
    values = {
        "department": book.choose(department.label, case.language) if department.label else department.name,
        "wait": wait_in_words(expected.wait, case.language),
        "opening": opening_in_words(expected.opens, now, rules.zone, case.language) if expected.opens else "",
        "number": f"#{case.number}",
    }
    again = case.handoff is not None and case.handoff.reason is Reason.REOPENED
    name = "handed_off_closed" if expected.opens else "reopened" if again else "handed_off"
    return Saying(text=book.sentence(name, case.language, values), role=Role.HOLDING)


WAITS = (  # up to, in minutes → words
    (1, {"de": "einer Minute", "en": "a minute"}),
    (45, {"de": "{minutes} Minuten", "en": "{minutes} minutes"}),
    (60, {"de": "einer Stunde", "en": "an hour"}),
    (36 * 60, {"de": "{hours} Stunden", "en": "{hours} hours"}),
)
DAYS = {"de": "{days} Tagen", "en": "{days} days"}
NICE_MINUTES = (2, 3, 5, 10, 15, 20, 30, 45)


def wait_in_words(wait: timedelta, language: str) -> str:
    """A rounded-up duration, in the dative where German wants it ("innerhalb von 10 Minuten")."""
    minutes = wait.total_seconds() / 60
    texts = next((texts for limit, texts in WAITS if minutes <= limit), DAYS)
    nice = next((step for step in NICE_MINUTES if step >= minutes), 45)
    template = texts.get(language) or texts["en"]
    return template.format(minutes=nice, hours=ceil(minutes / 60), days=ceil(minutes / 1440))


WEEKDAYS = {
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
NEAR = {"de": ("heute", "morgen"), "en": ("today", "tomorrow")}
AT = {"de": "{day} um {time} Uhr", "en": "{day} at {time}"}


def opening_in_words(opens: datetime, now: datetime, zone: ZoneInfo, language: str) -> str:
    """When somebody will be there: "morgen um 09:00 Uhr"."""
    language = language if language in AT else "en"
    local = opens.astimezone(zone)
    days = (local.date() - now.astimezone(zone).date()).days
    day = NEAR[language][days] if days < len(NEAR[language]) else WEEKDAYS[language][local.weekday()]
    return AT[language].format(day=day, time=local.strftime("%H:%M"))
