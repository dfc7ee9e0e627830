"""What time does to a case, seen in Slack: reminders, cases that go back and further, and who is called when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bot.domain.actions import Act
from bot.domain.cases import CaseState
from bot.domain.routing import Department, Rule, Span
from bot.domain.understanding import Level, Urgency
from tests.builders import rules, understanding
from tests.fakes.channel import FilesChannel
from tests.fakes.slack_workspace import Post
from tests.slack import ADA, BILLING, DEFAULT, Office, office

ALWAYS = Rule(to="service", ping="here")
GROUP = "S0ONDUTY"
DAY = tuple(Span(weekday=day, opens=time(9), closes=time(17)) for day in range(5))
HIGH = understanding(
    "parcel", wants_person=True, urgency=Urgency(level=Level.HIGH, score=0.8, reasons=("deadline",))
)
CRITICAL = understanding(
    "parcel", wants_person=True, urgency=Urgency(level=Level.CRITICAL, score=1.0, reasons=("danger to life",))
)


@asynccontextmanager
async def staffed(
    folder: Path,
    *,
    hours: tuple[Span, ...] = (),
    first_reply: int = 30,
    routing: tuple[Rule, ...] = (ALWAYS,),
    **settings: Any,
) -> AsyncIterator[Office]:
    """Service falls back on press, whose channel is another one."""
    departments = {
        "service": Department(
            name="service",
            label={"en": "Service"},
            hours=hours,
            first_reply=timedelta(minutes=first_reply),
            fallback="press",
        ),
        "press": Department(name="press", label={"en": "Press"}),
    }
    known = rules(departments=departments, routing=routing)
    async with office(folder, channel=FilesChannel(), rules_=known, **settings) as made:
        made.here.knows("It is due today", HIGH)
        made.here.knows("It is burning", CRITICAL)
        yield made


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with staffed(tmp_path) as made:
        yield made


async def pass_time(desk: Office, **how_long: float) -> None:
    """And let the timers do what is due, in its order."""
    until = desk.here.clock() + timedelta(**how_long)
    while (due := (await desk.case()).due_at) is not None and due <= until:
        desk.here.clock.at = max(due, desk.here.clock())
        assert await desk.here.takeover.tick(await desk.case())
        await desk.settle()
    desk.here.clock.at = until
    await desk.settle()


def told(desk: Office, card: Post | None = None) -> str:
    return "\n".join(desk.thread(card))


# ── A claim is a lease ──────────────────────────────────────────────────────────────────────────


async def test_an_owner_who_does_not_reply_is_reminded_by_name(desk: Office) -> None:
    await desk.claimed(ADA)
    await pass_time(desk, minutes=11)
    assert f"<@{ADA}> Ada, the customer is still waiting for a reply" in told(desk)
    assert (await desk.case()).state is CaseState.CLAIMED


async def test_then_the_case_waits_for_somebody_again_and_says_why(desk: Office) -> None:
    card = await desk.claimed(ADA)
    await pass_time(desk, minutes=16)
    assert (await desk.case()).state is CaseState.WAITING
    assert "<!here> Ada did not reply in time; the case waits for somebody again." in told(desk)
    assert "has this case" not in desk.slack.words(card)
    assert desk.slack.cards() == [card]


async def test_then_it_goes_to_the_fallback_department_and_calls_whoever_is_there(tmp_path: Path) -> None:
    async with staffed(tmp_path, first_reply=240) as desk:
        old = await desk.claimed(ADA)
        await pass_time(desk, minutes=35)
        case, new = await desk.case(), desk.card
        assert (case.department, case.state, case.owners) == ("press", CaseState.WAITING, ("Ada",))
        assert (old.channel, new.channel) == (DEFAULT, BILLING)
        assert "<!here> Nobody took #1001 over; it is Press's now." in told(desk, new)
        assert "goes on elsewhere" in desk.slack.words(old)


async def test_where_the_promise_passes_at_the_same_time_people_are_called_once(desk: Office) -> None:
    await desk.claimed(ADA)
    await pass_time(desk, minutes=35)
    assert (await desk.case()).department == "press"
    assert told(desk, desk.card).count("<!here>") == 1


async def test_who_replies_keeps_the_case_and_is_not_reminded(desk: Office) -> None:
    await desk.claimed(ADA)
    await desk.say(ADA, "I am looking.")
    await pass_time(desk, hours=3)
    assert (await desk.case()).owner_id == ADA
    assert "still waiting" not in told(desk)


async def test_a_claim_lasts_business_minutes(tmp_path: Path) -> None:
    async with staffed(tmp_path, hours=DAY) as desk:
        desk.here.clock.forward(hours=3, minutes=55)  # 16:55 in Berlin
        await desk.claimed(ADA)
        await pass_time(desk, hours=12)
        assert (await desk.case()).owner_id == ADA
        assert "still waiting" not in told(desk)
        await pass_time(desk, hours=4, minutes=20)  # 09:15 the next morning
        assert "did not reply in time" in told(desk)


# ── Who is away ─────────────────────────────────────────────────────────────────────────────────


async def test_an_owner_who_is_away_is_named_and_not_called(desk: Office) -> None:
    desk.slack.workspace.people[ADA].presence = "away"
    await desk.claimed(ADA)
    await pass_time(desk, minutes=11)
    assert "Ada, the customer is still waiting for a reply" in told(desk)
    assert f"<@{ADA}>" not in told(desk)


async def test_where_it_is_wanted_they_are_called_all_the_same(tmp_path: Path) -> None:
    async with staffed(tmp_path, ping_away=True) as desk:
        desk.slack.workspace.people[ADA].presence = "away"
        await desk.claimed(ADA)
        await pass_time(desk, minutes=11)
        assert f"<@{ADA}>" in told(desk)
        assert desk.slack.called("users.getPresence") == []


async def test_where_slack_does_not_say_who_is_there_they_are_called(desk: Office) -> None:
    desk.slack.breaks("users.getPresence", times=9, status=503)
    await desk.claimed(ADA)
    await pass_time(desk, minutes=11)
    assert f"<@{ADA}>" in told(desk)


async def test_an_owner_at_the_console_is_not_called_in_slack(desk: Office) -> None:
    await desk.handed_off()
    await desk.here.act(Act.CLAIM)
    await desk.settle()
    await pass_time(desk, minutes=11)
    assert "Ada, the customer is still waiting" in told(desk)
    assert "<@" not in told(desk)


# ── Who is called ───────────────────────────────────────────────────────────────────────────────


async def test_an_urgent_case_calls_whoever_is_there_at_once(desk: Office) -> None:
    await desk.customer("It is due today")
    assert "<!here> #1001 is high: deadline." in told(desk)
    (call,) = [post for post in desk.slack.posted() if post.broadcast]
    assert "<!here>" in desk.slack.words(call)
    assert call.thread_ts == desk.card.ts


async def test_a_user_group_can_be_called(tmp_path: Path) -> None:
    async with staffed(tmp_path, routing=(Rule(to="service", ping=GROUP),)) as desk:
        await desk.customer("It is due today")
        assert f"<!subteam^{GROUP}> #1001 is high" in told(desk)
        assert not [post for post in desk.slack.posted() if post.broadcast]


async def test_without_a_ping_nobody_is_called(tmp_path: Path) -> None:
    async with staffed(tmp_path, routing=()) as desk:
        await desk.customer("It is burning")
        await pass_time(desk, minutes=29)
        assert "<!" not in told(desk)


async def test_an_ordinary_case_calls_nobody_until_half_of_its_time_is_over(desk: Office) -> None:
    await desk.handed_off()
    assert "<!here>" not in told(desk)
    await pass_time(desk, minutes=16)
    assert "<!here> #1001 still waits for somebody." in told(desk)


async def test_a_case_that_is_released_or_moved_is_not_forgotten(desk: Office) -> None:
    await desk.claimed(ADA)
    await desk.say(ADA, "Hello.")
    await desk.click(ADA, "release")
    await pass_time(desk, minutes=16)
    assert told(desk).count("<!here> #1001 still waits for somebody.") == 1
    await desk.here.act(Act.MOVE, department="press")
    await pass_time(desk, minutes=16)
    assert "<!here> #1001 still waits for somebody." in desk.thread()


async def test_the_cases_of_somebody_who_left_call_whoever_is_there(desk: Office) -> None:
    await desk.claimed(ADA)
    await desk.slack.deactivates(ADA)
    await desk.settle()
    assert (await desk.case()).state is CaseState.WAITING
    assert "<!here> Its owner has left; the case waits for somebody again." in told(desk)


async def test_a_case_that_was_claimed_in_time_calls_nobody(desk: Office) -> None:
    await desk.claimed(ADA)
    await desk.say(ADA, "Hello.")
    await pass_time(desk, minutes=40)
    assert "<!here>" not in told(desk)


async def test_outside_the_hours_it_is_quiet_unless_critical(tmp_path: Path) -> None:
    async with staffed(tmp_path, hours=DAY) as desk:
        desk.here.clock.forward(hours=8)  # 21:00 in Berlin
        await desk.customer("It is due today")
        assert "<!here>" not in told(desk)
        await desk.here.act(Act.RESOLVE)
        await desk.settle()
        desk.here.clock.forward(days=0, minutes=1)
        await desk.customer("It is burning")
        assert "<!here>" in told(desk)
        assert "is critical: danger to life" in told(desk)


async def test_a_promise_that_passes_is_said_and_goes_to_the_fallback(desk: Office) -> None:
    await desk.handed_off()
    await pass_time(desk, minutes=31)
    case = await desk.case()
    assert case.department == "press"
    assert "<!here> The promised time has passed without a reply; the customer was told." in told(desk)


async def test_nobody_is_called_twice_for_the_same(desk: Office) -> None:
    await desk.customer("It is due today")
    desk.slack.breaks("chat.postMessage", lose=True)
    await pass_time(desk, minutes=16)
    notes = [line for line in desk.thread() if "still waits for somebody" in line]
    assert len(notes) == 1


async def test_without_a_fallback_it_is_said_again(tmp_path: Path) -> None:
    async with staffed(tmp_path, first_reply=240) as desk:
        alone = replace(desk.here.rules.departments["service"], fallback="")
        desk.here.rules = replace(desk.here.rules, departments={"service": alone})
        await desk.claimed(ADA)
        await pass_time(desk, minutes=35)
        assert (await desk.case()).department == "service"
        assert "<!here> Nobody took #1001 over since its owner did not reply." in told(desk)
