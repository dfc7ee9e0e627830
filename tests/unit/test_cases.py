"""How a case may change: every transition, and those that are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain import cases
from bot.domain.cases import CLOSED, OPEN, CaseState, Handoff, Lease, Reason
from bot.domain.errors import NotAllowed, TooLate
from tests.builders import ADA, BEN, NOON, case

LATER = NOON + timedelta(minutes=5)
HANDED = Handoff(reason=Reason.CRITICAL, at=NOON, promised=LATER)
CLAIMED = case(state=CaseState.CLAIMED, owner=ADA, last_owner=ADA, owners=("Ada",))


def test_a_handoff_keeps_reason_promise_and_since_when_the_customer_waits() -> None:
    waiting = cases.hand_off(case(), Reason.CRITICAL, "smoke", NOON, LATER)
    assert waiting.state is CaseState.WAITING
    assert waiting.handoff == Handoff(reason=Reason.CRITICAL, detail="smoke", at=NOON, promised=LATER)
    assert waiting.waiting_since == NOON


@pytest.mark.parametrize("state", [CaseState.BOT, CaseState.WAITING, CaseState.SNOOZED])
def test_a_free_case_can_be_claimed(state: CaseState) -> None:
    claimed = cases.claim(case(state=state), ADA, NOON, None)
    assert (claimed.state, claimed.owner, claimed.owners) == (CaseState.CLAIMED, ADA, ("Ada",))


def test_a_second_click_does_not_steal_the_case() -> None:
    with pytest.raises(TooLate, match="Ada has case #1001"):
        cases.claim(CLAIMED, BEN, NOON, None)


def test_the_owner_may_claim_again() -> None:
    assert cases.claim(CLAIMED, ADA, NOON, None).owners == ("Ada",)


def test_assigning_takes_the_case_from_its_owner_and_keeps_the_history() -> None:
    assigned = cases.assign(CLAIMED, BEN, NOON, None)
    assert (assigned.owner, assigned.owners) == (BEN, ("Ada", "Ben"))


@pytest.mark.parametrize("state", CLOSED)
def test_a_closed_case_cannot_be_worked_on(state: CaseState) -> None:
    closed = case(state=state)
    changes: tuple[Callable[[], object], ...] = (
        lambda: cases.claim(closed, ADA, NOON, None),
        lambda: cases.assign(closed, ADA, NOON, None),
        lambda: cases.release(closed, NOON),
        lambda: cases.snooze(closed, LATER, NOON),
        lambda: cases.move(closed, "press", NOON),
        lambda: cases.return_to_bot(closed, NOON),
        lambda: cases.resolve(closed, "done", NOON),
    )
    for change in changes:
        with pytest.raises(NotAllowed):
            change()


@pytest.mark.parametrize("state", OPEN)
def test_every_open_case_can_be_resolved(state: CaseState) -> None:
    done = cases.resolve(case(state=state, owner=ADA), "solved", NOON)
    assert (done.state, done.outcome, done.owner, done.resolved_at) == (
        CaseState.RESOLVED,
        "solved",
        None,
        NOON,
    )


def test_a_release_gives_it_back_with_its_clock() -> None:
    released = cases.release(case(state=CaseState.CLAIMED, owner=ADA, waiting_since=NOON), LATER)
    assert (released.state, released.owner, released.waiting_since) == (CaseState.WAITING, None, NOON)


def test_only_a_claimed_case_sleeps_and_never_into_the_past() -> None:
    assert cases.snooze(CLAIMED, LATER, NOON).snoozed_until == LATER
    with pytest.raises(NotAllowed, match="claim it"):
        cases.snooze(case(), LATER, NOON)
    with pytest.raises(NotAllowed, match="later"):
        cases.snooze(CLAIMED, NOON, LATER)


def test_a_claimed_case_that_moves_waits_in_the_other_department() -> None:
    moved = cases.move(CLAIMED, "press", NOON)
    assert (moved.state, moved.department, moved.owners) == (CaseState.WAITING, "press", ("Ada",))


def test_a_waiting_case_that_moves_stays_waiting() -> None:
    assert cases.move(case(state=CaseState.WAITING), "press", NOON).state is CaseState.WAITING


def test_moving_to_the_same_department_says_so() -> None:
    with pytest.raises(NotAllowed, match="already"):
        cases.move(case(), "service", NOON)


def test_back_to_the_bot_forgets_what_was_answered() -> None:
    back = cases.return_to_bot(case(state=CaseState.WAITING, answered=("hours",), clarified=True), NOON)
    assert (back.state, back.answered, back.clarified) == (CaseState.BOT, (), False)


def test_only_the_owner_of_a_claimed_case_may_speak() -> None:
    assert cases.may_speak(CLAIMED, ADA)
    assert not cases.may_speak(CLAIMED, BEN)
    assert not cases.may_speak(case(state=CaseState.WAITING), ADA)


def test_what_a_timer_waits_for() -> None:
    idle = timedelta(hours=24)
    lease = Lease(warn_at=NOON, until=LATER)
    assert cases.next_due(case(), idle) == NOON + idle
    assert cases.next_due(case(state=CaseState.WAITING, handoff=HANDED), idle) == LATER
    assert cases.next_due(case(state=CaseState.WAITING, handoff=HANDED, promise_broken=True), idle) is None
    assert cases.next_due(case(state=CaseState.CLAIMED, lease=lease), idle) == NOON
    assert cases.next_due(case(state=CaseState.SNOOZED, snoozed_until=LATER), idle) == LATER
    assert cases.next_due(case(state=CaseState.RESOLVED), idle) is None


def test_a_case_shows_ids_and_states_only() -> None:
    assert repr(case(slots={"order_number": "4711"})) == "<Case #1001 bot v0>"
