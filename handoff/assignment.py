"""Who should get a case: pure."""

from __future__ import annotations

from msgspec.structs import replace

from bot.domain.cases import Case
from bot.domain.routing import Facts, route
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


def _routed(case: Case, intent: str, rules: HandoffRules) -> str:
    facts = Facts(
        intent=intent,
        urgency=case.urgency.level,
        language=case.language,
        channel=case.address.channel,
    )
    department, _ = route(rules.routing, facts, rules.default)
    return department
