"""What time does to a case: leases end, promises pass, who sleeps wakes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from bot.domain import cases, drafts
from bot.domain.answers import AnswerBook
from bot.domain.cases import Case, CaseState
from bot.domain.journal import Did
from bot.domain.messages import Role
from bot.domain.ports import NewId, Write
from bot.domain.turns import Saying
from handoff.assignment import on_duty
from handoff.policy import HandoffRules, lease, pick_up_by

Changed = tuple[Case, list[Write]]


class Timers:
    def __init__(
        self, rules: Callable[[], HandoffRules], book: Callable[[], AnswerBook], new_id: NewId
    ) -> None:
        self._current_rules = rules
        self._book = book
        self._new_id = new_id
        self._by_state: dict[CaseState, Callable[[Case, datetime], Changed]] = {
            CaseState.BOT: self._idle,
            CaseState.WAITING: self._still_waiting,
            CaseState.CLAIMED: self._lease_due,
            CaseState.SNOOZED: self._snooze_over,
        }

    @property
    def _rules(self) -> HandoffRules:
        return self._current_rules()

    def due(self, case: Case, now: datetime) -> Changed:
        """What is due for a case now, as data."""
        handle = self._by_state.get(case.state)
        return handle(case, now) if handle else (case, [])

    def _idle(self, case: Case, now: datetime) -> Changed:
        resolved = cases.resolve(case, "idle", now)
        return resolved, [self._fact(Did.RESOLVED, resolved, now, outcome="idle")]

    def _still_waiting(self, case: Case, now: datetime) -> Changed:
        """One thing at a time, the earliest first; the next is due at once if its time has come too."""
        steps: list[tuple[datetime, Callable[[Case, datetime], Changed]]] = []
        if case.remind_at:
            steps.append((case.remind_at, self._remind))
        if case.unclaimed_until:
            steps.append((case.unclaimed_until, self._unclaimed))
        if case.handoff and case.handoff.promised and not case.promise_broken:
            steps.append((case.handoff.promised, self._promise_passed))
        due = sorted((step for step in steps if step[0] <= now), key=lambda step: step[0])
        return due[0][1](case, now) if due else (case, [])

    def _remind(self, case: Case, now: datetime) -> Changed:
        """Half of the promised time is over and nobody has it: whoever is on duty is called."""
        waits = replace(case, remind_at=None, updated_at=now)
        ping = on_duty(case, self._rules, now)
        if not ping:
            return waits, []
        note = drafts.system_note(case, f"#{case.number} still waits for somebody.", now, self._new_id, ping)
        return waits, [note, self._fact(Did.REMINDED, waits, now, about="waiting")]

    def _unclaimed(self, case: Case, now: datetime) -> Changed:
        """After a claim that lapsed nobody else took it either: the fallback gets it, else it is said again."""
        waits = replace(case, unclaimed_until=None, updated_at=now)
        waits, moved = self._to_fallback(waits, now, "unclaimed")
        where = self._rules.department(waits.department)
        note = f"Nobody took #{case.number} over; it is {self._book().choose(where.label, 'en') or where.name}'s now."
        if not moved:
            note = f"Nobody took #{case.number} over since its owner did not reply."
        ping = on_duty(waits, self._rules, now)
        told = drafts.system_note(waits, note, now, self._new_id, ping)
        return waits, [told, self._fact(Did.REMINDED, waits, now, about="unclaimed"), *moved]

    def _promise_passed(self, case: Case, now: datetime) -> Changed:
        """The promised time is over and nobody came: say so, once, and show it to the agents."""
        text = self._book().sentence("promise_broken", case.language, {"number": f"#{case.number}"})
        kept = replace(case, promise_broken=True, noticed_at=now, updated_at=now)
        kept, moved = self._to_fallback(kept, now, "promise")
        note = "The promised time has passed without a reply; the customer was told."
        return kept, [
            *drafts.said(case, Saying(text=text, role=Role.APOLOGY), now, self._new_id),
            drafts.system_note(case, note, now, self._new_id, on_duty(kept, self._rules, now)),
            self._fact(Did.REMINDED, kept, now, about="promise"),
            *moved,
        ]

    def _to_fallback(self, case: Case, now: datetime, why: str) -> Changed:
        fallback = self._rules.department(case.department).fallback
        if fallback not in self._rules.departments:
            return case, []
        # Whoever waited for both times to pass waits now for the other department, and hears of it once.
        moved = replace(cases.move(case, fallback, now), unclaimed_until=None)
        return moved, [self._fact(Did.MOVED, moved, now, before=case.department, why=why)]

    def _lease_due(self, case: Case, now: datetime) -> Changed:
        held = case.lease
        if held is None or case.owner is None:
            return case, []
        if not held.warned:
            warned = replace(case, lease=replace(held, warned=True))
            note = f"{case.owner.name}, the customer is still waiting for a reply; the case goes back soon."
            fact = self._fact(Did.REMINDED, warned, now, about="claim")
            return warned, [drafts.system_note(case, note, now, self._new_id, "owner"), fact]
        released = cases.release(case, now)
        released = replace(released, unclaimed_until=pick_up_by(released, self._rules, now))
        note = f"{case.owner.name} did not reply in time; the case waits for somebody again."
        fact = self._fact(Did.RELEASED, released, now, why="lease")
        ping = on_duty(released, self._rules, now)
        return released, [drafts.system_note(case, note, now, self._new_id, ping), fact]

    def _snooze_over(self, case: Case, now: datetime) -> Changed:
        woken = cases.wake(case, now, lease(case, self._rules, now))
        note = f"#{case.number} is awake again."
        told = drafts.system_note(woken, note, now, self._new_id, "owner")
        return woken, [told, self._fact(Did.WOKEN, woken, now)]

    def _fact(self, kind: Did, case: Case, now: datetime, **attributes: str) -> Write:
        facts: drafts.Attributes = {**attributes}
        return drafts.entry(kind, case, now, self._new_id, actor="system", attributes=facts)
