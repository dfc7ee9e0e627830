"""Who should get a case: pure."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from bot.domain.cases import Case
from bot.domain.routing import Facts, is_open, route
from bot.domain.understanding import Level
from handoff.policy import HandoffRules


def department_for(case: Case, rules: HandoffRules) -> str:
    """By the routing rules; a case that people have, or had until just now, stays where they put it."""
    if case.handoff is not None and case.department in rules.departments:
        return case.department
    return _routed(case, case.intent, rules)


def with_departments(case: Case, known: int, rules: HandoffRules) -> Case:
    """Matters after the first `known` are each the business of the department their intent goes to."""
    new = (replace(matter, department=_routed(case, matter.intent, rules)) for matter in case.matters[known:])
    return replace(case, matters=(*case.matters[:known], *new))


def on_duty(case: Case, rules: HandoffRules, now: datetime) -> str:
    """Whom to call: as the routing says, and outside the hours only when it is critical; empty for nobody."""
    _, ping = route(rules.routing, _facts(case, case.intent), rules.default)
    awake = is_open(rules.department(case.department), now, rules.zone)
    return ping if awake or case.urgency.level is Level.CRITICAL else ""


def _routed(case: Case, intent: str, rules: HandoffRules) -> str:
    department, _ = route(rules.routing, _facts(case, intent), rules.default)
    return department


def _facts(case: Case, intent: str) -> Facts:
    return Facts(
        intent=intent,
        urgency=case.urgency.level,
        language=case.language,
        channel=case.address.channel,
    )
