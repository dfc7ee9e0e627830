"""Which department a case belongs to, and when somebody is there."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

# Opening hours repeat weekly; longer than this without an open minute means "never".
HORIZON_DAYS = 15


class Span(Struct, frozen=True, kw_only=True):
    """Opening hours of one weekday (0 is Monday), in the department's own time zone."""

    weekday: int
    opens: time
    closes: time


class Department(Struct, frozen=True, kw_only=True):
    name: str
    label: dict[str, str]  # per language, for people
    hours: tuple[Span, ...] = ()  # none: always open
    first_reply: timedelta = timedelta(
        minutes=30
    )  # business time; what the customer is told until medians are known
    resolution: timedelta = timedelta(hours=24)
    desk_channel: str = ""
    fallback: str = ""  # the department that takes over what nobody here picks up


class Rule(Struct, frozen=True, kw_only=True):
    """All conditions that are set must hold; the first rule that matches wins."""

    to: str
    intent: tuple[str, ...] = ()
    urgency: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    ping: str = ""


class Facts(Struct, frozen=True, kw_only=True):
    intent: str = ""
    urgency: str = ""
    language: str = ""
    channel: str = ""


def route(rules: tuple[Rule, ...], facts: Facts, default: str) -> tuple[str, str]:
    """The department for a case and whom to ping there."""
    for rule in rules:
        if _matches(rule, facts):
            return rule.to, rule.ping
    return default, ""


def _matches(rule: Rule, facts: Facts) -> bool:
    pairs = (
        (rule.intent, facts.intent),
        (rule.urgency, facts.urgency),
        (rule.language, facts.language),
        (rule.channel, facts.channel),
    )
    return all(not wanted or value in wanted for wanted, value in pairs)


def is_open(department: Department, now: datetime, zone: ZoneInfo) -> bool:
    local = now.astimezone(zone)
    return not department.hours or any(
        span.weekday == local.weekday() and span.opens <= local.time() < span.closes
        for span in department.hours
    )


def next_opening(department: Department, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The next moment somebody is there (`now` itself while open); None when never."""
    if is_open(department, now, zone):
        return now
    starts = (start for start, _ in _spans(department, now, zone) if start > now)
    return min(starts, default=None)


def add_business_time(department: Department, now: datetime, amount: timedelta, zone: ZoneInfo) -> datetime:
    """When `amount` of opening time has passed, counted from `now`."""
    if not department.hours:
        return now + amount
    left = amount
    start = now
    for _ in range(60):  # sixty horizons are over two years: nobody promises that
        for opens, closes in sorted(_spans(department, start, zone)):
            begin = max(opens, start)
            if closes <= begin:
                continue
            if closes - begin >= left:
                return begin + left
            left -= closes - begin
        start += timedelta(days=HORIZON_DAYS)
    return now + amount


def business_time(department: Department, start: datetime, end: datetime, zone: ZoneInfo) -> timedelta:
    """How much opening time lies between two moments."""
    if not department.hours:
        return end - start
    total, at = timedelta(), start.astimezone(zone)
    while at.date() <= end.astimezone(zone).date():
        spans = _spans(department, at, zone)
        total += sum(
            (max(min(closes, end) - max(opens, start), timedelta()) for opens, closes in spans), timedelta()
        )
        at += timedelta(days=HORIZON_DAYS)
    return total


def _spans(department: Department, now: datetime, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    first = now.astimezone(zone).date()
    days = [first + timedelta(days=offset) for offset in range(HORIZON_DAYS)]
    return [
        (datetime.combine(day, span.opens, zone), datetime.combine(day, span.closes, zone))
        for day in days
        for span in department.hours
        if span.weekday == day.weekday()
    ]
