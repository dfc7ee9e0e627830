"""Departments: who gets a case, when somebody is there, and what the customer is told."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.domain.cases import Handoff, Reason
from bot.domain.routing import (
    Department,
    Facts,
    Rule,
    Span,
    add_business_time,
    business_time,
    is_open,
    next_opening,
    route,
)
from bot.domain.understanding import Level, Urgency
from handoff.assignment import department_for
from handoff.policy import expectation, holding, lease, opening_in_words, wait_in_words
from tests.builders import book, case, rules

BERLIN = ZoneInfo("Europe/Berlin")
WEEKDAYS = tuple(Span(weekday=day, opens=time(9), closes=time(18)) for day in range(5))
OFFICE = Department(name="service", label={"de": "Service"}, hours=WEEKDAYS)
ALWAYS = Department(name="service", label={})


def berlin(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


FRIDAY_EVENING, SATURDAY, MONDAY = berlin(20, 18), berlin(21, 12), berlin(23, 9)


def test_the_first_rule_that_matches_wins() -> None:
    table = (Rule(to="press", intent=("press",)), Rule(to="urgent", urgency=("critical",), ping="here"))
    assert route(table, Facts(intent="press", urgency="critical"), "service") == ("press", "")
    assert route(table, Facts(intent="hours", urgency="critical"), "service") == ("urgent", "here")
    assert route(table, Facts(intent="hours"), "service") == ("service", "")


def test_all_conditions_of_a_rule_must_hold() -> None:
    table = (Rule(to="english", language=("en",), channel=("webchat",)),)
    assert route(table, Facts(language="en", channel="webchat"), "x") == ("english", "")
    assert route(table, Facts(language="en", channel="telegram"), "x") == ("x", "")


def test_a_case_that_people_had_stays_where_they_put_it() -> None:
    had = Handoff(reason=Reason.BY_AGENT, at=MONDAY)
    assert department_for(case(intent="press"), rules()) == "press"
    assert department_for(case(intent="press", handoff=had), rules()) == "service"


def test_critical_cases_follow_the_urgency_rule() -> None:
    table = rules(routing=(Rule(to="press", urgency=("critical",)),))
    assert department_for(case(urgency=Urgency(level=Level.CRITICAL)), table) == "press"


@pytest.mark.parametrize(
    ("moment", "there"),
    [(berlin(20, 17, 59), True), (FRIDAY_EVENING, False), (SATURDAY, False), (MONDAY, True)],
)
def test_opening_hours(moment: datetime, there: bool) -> None:  # noqa: FBT001
    assert is_open(OFFICE, moment, BERLIN) is there


def test_without_hours_somebody_is_always_there() -> None:
    assert is_open(ALWAYS, SATURDAY, BERLIN)
    assert next_opening(ALWAYS, SATURDAY, BERLIN) == SATURDAY


def test_the_next_opening_is_monday_morning() -> None:
    assert next_opening(OFFICE, SATURDAY, BERLIN) == MONDAY


def test_business_time_sleeps_over_the_weekend() -> None:
    assert add_business_time(OFFICE, berlin(20, 17, 50), timedelta(minutes=30), BERLIN) == berlin(23, 9, 20)


def test_business_time_knows_summer_time() -> None:
    last_friday = berlin(23, 17, 0, month=10)  # the clocks change that Sunday
    assert add_business_time(OFFICE, last_friday, timedelta(hours=2), BERLIN) == berlin(26, 10, 0, month=10)


def test_business_time_between_two_moments_leaves_the_nights_out() -> None:
    friday, monday = berlin(20, 17, 50), berlin(23, 9, 20)
    assert business_time(OFFICE, friday, monday, BERLIN) == timedelta(minutes=30)
    assert business_time(OFFICE, friday, friday + timedelta(minutes=4), BERLIN) == timedelta(minutes=4)
    assert business_time(OFFICE, SATURDAY, SATURDAY + timedelta(hours=3), BERLIN) == timedelta()
    assert business_time(OFFICE, monday, monday + timedelta(weeks=5), BERLIN) == timedelta(hours=9 * 25)
    assert business_time(ALWAYS, friday, monday, BERLIN) == monday - friday


def test_a_claim_does_not_run_out_overnight() -> None:
    held = lease(case(), rules(departments={"service": OFFICE}), berlin(20, 17, 55))
    assert held.until == berlin(23, 9, 10)


def test_the_customer_is_told_what_it_usually_takes() -> None:
    expected = expectation(ALWAYS, timedelta(minutes=4), MONDAY, BERLIN)
    assert (
        holding(case(), expected, rules(), book(), MONDAY).text
        == "A colleague of Service answers within 5 minutes."
    )


def test_outside_hours_the_customer_is_told_when_somebody_is_there() -> None:
    expected = expectation(OFFICE, None, SATURDAY, BERLIN)
    text = holding(case(), expected, rules(), book(), SATURDAY).text
    assert text == "Service is back Monday at 09:00."
    assert expected.due == berlin(23, 9, 30)


@pytest.mark.parametrize(
    ("minutes", "german", "english"),
    [
        (1, "einer Minute", "a minute"),
        (7, "10 Minuten", "10 minutes"),
        (30, "30 Minuten", "30 minutes"),
        (60, "einer Stunde", "an hour"),
        (240, "4 Stunden", "4 hours"),
        (50, "einer Stunde", "an hour"),
        (61, "2 Stunden", "2 hours"),
        (2880, "2 Tagen", "2 days"),
        (3000, "3 Tagen", "3 days"),
    ],
)
def test_a_wait_in_words(minutes: int, german: str, english: str) -> None:
    assert wait_in_words(timedelta(minutes=minutes), "de") == german
    assert wait_in_words(timedelta(minutes=minutes), "en") == english


def test_an_opening_in_words() -> None:
    assert opening_in_words(berlin(23, 9), berlin(23, 7), BERLIN, "de") == "heute um 09:00 Uhr"
    assert opening_in_words(berlin(23, 9), berlin(22, 7), BERLIN, "en") == "tomorrow at 09:00"
    assert opening_in_words(berlin(23, 9), berlin(20, 19), BERLIN, "de") == "Montag um 09:00 Uhr"
