"""Who should get a case: pure."""

from __future__ import annotations

from bot.domain.cases import Agent, Case
from bot.domain.routing import Facts, route
from handoff.policy import HandoffRules


def department_for(case: Case, rules: HandoffRules) -> str:
    """By the routing rules; a case that people had stays where they put it."""
    if case.had_person:
        return case.department
    facts = Facts(
        intent=case.intent,
        urgency=case.urgency.level,
        language=case.language,
        channel=case.address.channel,
    )
    department, _ = route(rules.routing, facts, rules.default)
    return department


def preferred(case: Case) -> Agent | None:
    """Whoever knows the story is offered the case first."""
    return case.last_owner
