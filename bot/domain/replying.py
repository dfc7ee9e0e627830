"""What the bot says to an intent: its answer, a slot that is missing, a lookup, or that a person has to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from bot.domain.answers import Answer, Mode, Need, fill
from bot.domain.cases import Asked, Case, Matter, Reason
from bot.domain.messages import Role
from bot.domain.turns import Decision, LookupCall, Policy, Saying, Turn, sentence

ASK_TWICE = 2


def answer_to(case: Case, intent: str, turn: Turn, policy: Policy, now: datetime) -> Decision:
    """What the bot says to an intent, or why a person has to; raises `TemplateFailed`."""
    answer = policy.book.answers.get(intent)
    if answer is None or answer.mode is Mode.HUMAN:
        return Decision(
            case=_matter(case, intent, now), rule="human", hand_off=Reason.INTENT_IS_HUMAN, detail=intent
        )
    if answer.smalltalk:
        return _smalltalk(case, answer, policy)
    case = _matter(case, intent, now)
    if turn.address.public:
        return _in_public(case, answer, policy)
    looks_up = bool(answer.lookup) and answer.lookup in policy.lookups
    if answer.lookup and not looks_up and answer.general:
        return _said(case, answer, answer.general, case.slots, policy)
    missing = next((need for need in answer.needs if need.slot not in case.slots), None)
    if missing:
        return ask(case, answer, missing, turn, policy, again=False)
    if _asked_before(case, answer):
        return Decision(case=case, rule="repeated", hand_off=Reason.REPEATED, detail=intent)
    return (
        _looked_up(case, answer, turn, policy)
        if looks_up
        else _said(case, answer, answer.text, case.slots, policy)
    )


def _smalltalk(case: Case, answer: Answer, policy: Policy) -> Decision:
    text = fill(policy.book.choose(answer.text, case.language), case.slots, case.language)
    return Decision(
        case=case,
        rule="smalltalk",
        says=(Saying(text=text, role=Role.ANSWER),),
        resolve="answered" if answer.resolves else "",
    )


def _in_public(case: Case, answer: Answer, policy: Policy) -> Decision:
    """Other people read along: nothing private is asked or said."""
    if not answer.public:
        return Decision(
            case=case, rule="public", says=(sentence(case, policy, "public_to_private", Role.ANSWER),)
        )
    return _said(case, answer, answer.public, {}, policy)


def _looked_up(case: Case, answer: Answer, turn: Turn, policy: Policy) -> Decision:
    result = turn.lookup
    if result is None:
        return Decision(case=case, rule="lookup", lookup=LookupCall(name=answer.lookup, values=case.slots))
    if result.failed:
        return Decision(case=case, rule="lookup", hand_off=Reason.LOOKUP_FAILED, detail=result.failed)
    if result.record is None:
        return _not_found(case, answer, turn, policy)
    record = {key: value for key, value in result.record.items() if isinstance(value, str | int | float)}
    texts = next(
        (
            v.text
            for v in answer.variants
            if all(str(record.get(k)) == wanted for k, wanted in v.when.items())
        ),
        answer.text,
    )
    return _said(case, answer, texts, {**case.slots, **record}, policy)


def _not_found(case: Case, answer: Answer, turn: Turn, policy: Policy) -> Decision:
    """The number is unknown: ask to check it once, then a person looks."""
    again = case.asked is not None and case.asked.intent == answer.intent and case.asked.times >= ASK_TWICE
    need = answer.needs[0] if answer.needs else None
    if again or need is None or not answer.not_found:
        return Decision(case=case, rule="not_found", hand_off=Reason.NOT_FOUND, detail=answer.intent)
    text = fill(policy.book.choose(answer.not_found, case.language), case.slots, case.language)
    asked = Asked(question=turn.question, intent=answer.intent, slot=need.slot, times=ASK_TWICE)
    without = {slot: value for slot, value in case.slots.items() if slot != need.slot}
    return Decision(
        case=replace(case, asked=asked, slots=without),
        rule="not_found",
        says=(Saying(text=text, role=Role.ASK),),
    )


def ask(case: Case, answer: Answer, need: Need, turn: Turn, policy: Policy, *, again: bool) -> Decision:
    times = case.asked.times + 1 if again and case.asked else 1
    asked = Asked(question=turn.question, intent=answer.intent, slot=need.slot, times=times)
    text = fill(policy.book.choose(need.ask, case.language), case.slots, case.language)
    if again:
        text = policy.book.sentence("ask_again", case.language, {"question": text})
    return Decision(case=replace(case, asked=asked), rule="ask", says=(Saying(text=text, role=Role.ASK),))


def _said(
    case: Case, answer: Answer, texts: Mapping[str, str], values: Mapping[str, Any], policy: Policy
) -> Decision:
    if _asked_before(case, answer):
        return Decision(case=case, rule="repeated", hand_off=Reason.REPEATED, detail=answer.intent)
    text = fill(policy.book.choose(texts, case.language), values, case.language)
    done = replace(case, asked=None, answered=(*case.answered, _key(case, answer)))
    return Decision(
        case=done,
        rule="answer",
        says=(Saying(text=text, role=Role.ANSWER),),
        resolve="answered" if answer.resolves else "",
    )


def _key(case: Case, answer: Answer) -> str:
    """The same question is the same intent about the same things; another order number is another question."""
    return ":".join((answer.intent, *(case.slots.get(need.slot, "") for need in answer.needs)))


def _asked_before(case: Case, answer: Answer) -> bool:
    return _key(case, answer) in case.answered


def _matter(case: Case, intent: str, now: datetime) -> Case:
    """Remember what the case is about; a second matter is kept beside the first."""
    return replace(case, intent=intent, matters=with_matter(case, intent, now))


def with_matter(case: Case, intent: str, now: datetime) -> tuple[Matter, ...]:
    if any(matter.intent == intent for matter in case.matters):
        return case.matters
    return (*case.matters, Matter(intent=intent, department=case.department, at=now))
