"""Who should get a case: pure."""

from __future__ import annotations

from bot.domain.cases import Case
from bot.domain.routing import Facts, route
from handoff.policy import HandoffRules


def department_for(case: Case, rules: HandoffRules) -> str:
    """By the routing rules; a case that people had stays where they put it."""
    if case.had_person and case.department in rules.departments:
        return case.department
    facts = Facts(
        intent=case.intent,
        urgency=case.urgency.level,
        language=case.language,
        channel=case.address.channel,
    )
    department, _ = route(rules.routing, facts, rules.default)
    return department
