"""Opening hours as people write them: `{mon-fri: "09:00-18:00", sat: "10:00-14:00"}`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import time
from itertools import pairwise

from bot.domain.routing import Span
from bot.domain.strict import BadShape, OneOrMany, join, near, quoted

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})")
END_OF_DAY = time.max  # what "24:00" means to a clock that ends at 23:59


def parse_hours(raw: Mapping[str, OneOrMany], path: str) -> tuple[Span, ...]:
    """Days (`sat`, `mon-fri`, `mon,wed`) with one time span or several. Raises `BadShape`."""
    spans: list[Span] = []
    for key, given in raw.items():
        place = join(path, key)
        texts = (given,) if isinstance(given, str) else given
        times = [_times(text, place) for text in texts]
        spans += [
            Span(weekday=day, opens=opens, closes=closes)
            for day in _days(key, place)
            for opens, closes in times
        ]
        _refuse_overlaps(spans, place)
    return tuple(sorted(spans, key=lambda span: (span.weekday, span.opens)))


def _days(key: str, path: str) -> list[int]:
    return [day for part in key.lower().split(",") for day in _range(part.strip(), path)]


def _range(part: str, path: str) -> Iterable[int]:
    names = [name.strip() for name in part.split("-")]
    for name in names:
        if name not in DAYS:
            raise BadShape(path, f"there is no day called {quoted(name)}; {near(name, DAYS)}")
    if len(names) > 2:
        raise BadShape(path, 'a range of days has one "-", as in mon-fri.')
    first, last = DAYS.index(names[0]), DAYS.index(names[-1])
    return ((first + step) % 7 for step in range((last - first) % 7 + 1))


def _times(text: str, path: str) -> tuple[time, time]:
    match = SPAN.fullmatch(text.strip())
    if match is None:
        raise BadShape(path, 'hours are written "09:00-18:00"; several in one day as a list.')
    opens, closes = _clock(match[1], match[2], path), _clock(match[3], match[4], path)
    if opens == closes:
        raise BadShape(path, "opens and closes at the same time; give a span, or remove the day to close it.")
    if opens > closes:
        raise BadShape(
            path, "goes past midnight; write it as two: until 24:00 on this day, from 00:00 on the next."
        )
    return opens, closes


def _clock(hours: str, minutes: str, path: str) -> time:
    if (int(hours), int(minutes)) == (24, 0):
        return END_OF_DAY
    try:
        return time(int(hours), int(minutes))
    except ValueError as exc:
        raise BadShape(path, f"there is no {hours}:{minutes} on a clock; 00:00 to 24:00.") from exc


def _refuse_overlaps(spans: list[Span], path: str) -> None:
    ordered = sorted(spans, key=lambda span: (span.weekday, span.opens))
    for before, after in pairwise(ordered):
        if before.weekday == after.weekday and after.opens < before.closes:
            raise BadShape(path, f"{DAYS[after.weekday]} has hours that overlap; name each day's hours once.")
