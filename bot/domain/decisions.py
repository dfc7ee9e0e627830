"""What the bot does about a message: pure, so that every rule can be read and tested by itself.

`decide` tries the rules of the case's state in order; the first that has something to say wins.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from bot.domain.cases import Asked, Case, CaseState, Reason
from bot.domain.messages import Button, Role
from bot.domain.replying import ASK_TWICE, answer_to, ask, with_matter
from bot.domain.turns import (
    AFFIRM,
    NONE,
    OUT_OF_SCOPE,
    PERSON,
    Decision,
    Policy,
    Saying,
    Turn,
    is_sure,
    sentence,
    threshold,
)
from bot.domain.understanding import Level, Understanding, Urgency

CHOICES = 2
LIKELY = 2 / 3  # of the usual threshold, once the choice is between two


class Opening(Struct, frozen=True, kw_only=True):
    """What a message means for a case that is closed."""

    kind: str  # append, person, bot, new


def opening(previous: Case | None, turn: Turn, policy: Policy, now: datetime) -> Opening:
    """Whether a message goes on with the customer's last case, which is resolved."""
    if previous is None or previous.resolved_at is None:
        return Opening(kind="new")
    if turn.press is None and _only_polite(turn, policy):
        return Opening(kind="append")
    if now - previous.resolved_at > policy.reopen:
        return Opening(kind="new")
    if turn.press:  # of a question that ended with the case: nobody has to be called to say so
        return Opening(kind="bot")
    if previous.had_person and not _another_question(previous, turn, policy):
        return Opening(kind="person")
    return Opening(kind="bot")


def _only_polite(turn: Turn, policy: Policy) -> bool:
    intent = turn.understanding.intent
    answer = policy.book.answers.get(intent.name)
    return answer is not None and answer.resolves and intent.confidence >= policy.threshold


def _another_question(case: Case, turn: Turn, policy: Policy) -> bool:
    understood = turn.understanding
    return understood.intent.name != case.intent and _names_a_matter(understood, policy)


def decide(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision:
    """The bot's next step for an open case; raises `TemplateFailed` when an answer cannot be filled."""
    case = learned(case, turn, policy, now)
    rules = WITH_BOT if case.state is CaseState.BOT else WITH_PEOPLE
    for rule in rules:
        decision = rule(case, turn, policy, now)
        if decision is not None:
            return decision
    return Decision(case=case, rule="silent")


def learned(case: Case, turn: Turn, policy: Policy, now: datetime) -> Case:
    """What every message teaches about its case, whoever has it."""
    understood = turn.understanding
    if case.state is not CaseState.BOT and _another_question(case, turn, policy):
        case = replace(case, matters=with_matter(case, understood.intent.name, now))
    # Any entity that an answer asks for is worth keeping: the customer must not be asked again.
    wanted = {need.slot: need.entity for answer in policy.book.answers.values() for need in answer.needs}
    given = {slot: understood.entity(entity) for slot, entity in wanted.items()}
    return replace(
        case,
        address=turn.address,
        language=understood.language or case.language or policy.language,
        slots={**case.slots, **{slot: value for slot, value in given.items() if value}},
        urgency=_raised(case, understood.urgency),
        sentiment=understood.sentiment,
        customer_at=turn.at,
        updated_at=now,
        waiting_since=case.waiting_since or (turn.at if case.state is not CaseState.BOT else None),
    )


def _raised(case: Case, new: Urgency) -> Urgency:
    """Urgency rises by itself; only a person lowers it."""
    if case.urgency_by_agent or new.level.rank < case.urgency.level.rank:
        return case.urgency
    if new.level.rank > case.urgency.level.rank:
        return new
    reasons = tuple(dict.fromkeys((*case.urgency.reasons, *new.reasons)))
    return Urgency(level=new.level, score=max(new.score, case.urgency.score), reasons=reasons)


# ── While people have the case ──────────────────────────────────────────────────────────────────


def _wake_snoozed(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    if case.state is not CaseState.SNOOZED:
        return None
    return Decision(case=replace(case, state=CaseState.CLAIMED, snoozed_until=None), rule="woken")


def _notice(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    """While a case waits, one honest notice per N minutes and otherwise silence."""
    if case.state is not CaseState.WAITING:
        return None
    last = case.noticed_at or (case.handoff.at if case.handoff else None)
    if last is not None and now - last < policy.notice:
        return None
    noticed = replace(case, noticed_at=now)
    return Decision(
        case=noticed, rule="notice", says=(sentence(noticed, policy, "still_waiting", Role.HOLDING),)
    )


# ── While the bot has the case ──────────────────────────────────────────────────────────────────


def _stale(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    """After a long outage a person says sorry; a machine does not say hello."""
    if now - turn.at <= policy.stale:
        return None
    apology = sentence(case, policy, "late_apology", Role.APOLOGY)
    return Decision(case=case, rule="stale", says=(apology,), hand_off=Reason.STALE)


def _deaf(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    """That we cannot understand just now is not the customer's fault: no asking to say it in other words."""
    if not turn.deaf:
        return None
    return Decision(case=case, rule="deaf", hand_off=Reason.ANSWER_FAILED, detail=turn.deaf)


def _unreadable(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    if turn.readable or turn.press:
        return None
    if case.unreadable_told:
        return Decision(case=case, rule="unreadable", hand_off=Reason.UNREADABLE)
    told = replace(case, unreadable_told=True)  # what we asked stays open: "4711" may still come
    saying = sentence(told, policy, "unreadable", Role.ASK)
    return Decision(
        case=told, rule="unreadable", says=(_with_buttons(saying, (_person(told, policy),), turn.question),)
    )


def _pressed(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    press = turn.press
    if press is None:
        return None
    if press.choice == PERSON:
        return Decision(case=case, rule="person", hand_off=Reason.ASKED_FOR_PERSON)
    if (
        case.asked is None
        or press.question != case.asked.question
        or press.choice not in (*case.asked.choices, NONE)
    ):
        return Decision(
            case=case, rule="outdated", says=(sentence(case, policy, "no_longer_open", Role.HOLDING),)
        )
    if press.choice == NONE:
        return Decision(
            case=case, rule="neither", hand_off=Reason.LOW_CONFIDENCE, detail=", ".join(case.asked.choices)
        )
    chosen = replace(case, asked=None, confidence=1.0)
    return answer_to(chosen, press.choice, turn, policy, now)


def _wants_person(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    """A rule, not the model's mood: who asks for a person gets one, of the department that their matter needs."""
    understood = turn.understanding
    asked = understood.wants_person or (understood.intent.name == PERSON and is_sure(understood, policy))
    known = _with_intent(case, understood) if _names_a_matter(understood, policy) else case
    return Decision(case=known, rule="person", hand_off=Reason.ASKED_FOR_PERSON) if asked else None


def _critical(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    if turn.understanding.urgency.level is not Level.CRITICAL:
        return None
    known = _with_intent(case, turn.understanding)
    return Decision(case=known, rule="critical", hand_off=Reason.CRITICAL)


def _slot(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    """The answer to a question of ours: a number that comes alone belongs to what was asked."""
    asked = case.asked
    if asked is None or not asked.slot:
        return None
    answer = policy.book.answers.get(asked.intent)
    need = next((need for need in answer.needs if need.slot == asked.slot), None) if answer else None
    if answer is None or need is None:  # the answers were changed since we asked
        return None
    if turn.understanding.entity(need.entity):
        return answer_to(case, asked.intent, turn, policy, now)
    if _another_matter(asked.intent, turn, policy):
        return None
    if asked.times >= ASK_TWICE:
        return Decision(case=case, rule="slot", hand_off=Reason.SLOT_MISSING, detail=asked.slot)
    return ask(case, answer, need, turn, policy, again=True)


def _another_matter(intent: str, turn: Turn, policy: Policy) -> bool:
    understood = turn.understanding
    answer = policy.book.answers.get(understood.intent.name)
    small = answer is not None and answer.smalltalk
    return is_sure(understood, policy) and understood.intent.name != intent and not small


def _chosen_in_words(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    """Our question had buttons and was answered with words."""
    asked = case.asked
    if asked is None or not asked.choices:
        return None
    intent = turn.understanding.intent
    choice = asked.choices[0] if intent.name == AFFIRM else intent.name
    likely = intent.confidence >= threshold(intent.name, policy) * LIKELY
    if choice not in asked.choices or not likely:
        return None
    return answer_to(replace(case, asked=None), choice, turn, policy, now)


def _upset(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    understood = turn.understanding
    if understood.sentiment.score > policy.upset or understood.urgency.level.rank < Level.HIGH.rank:
        return None
    return Decision(case=_with_intent(case, understood), rule="upset", hand_off=Reason.UPSET)


def _unsure(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    """Too little confidence: one question with the two likeliest intents, then a person."""
    understood = turn.understanding
    if is_sure(understood, policy):
        return None
    if case.clarified or _is_never_answered(understood, policy):
        return Decision(
            case=case, rule="unsure", hand_off=Reason.LOW_CONFIDENCE, detail=understood.intent.name
        )
    choices = _candidates(understood, policy)
    asked = Asked(question=turn.question, choices=choices)
    unclear = replace(case, clarified=True, asked=asked)
    name = "clarify" if choices else "not_understood"
    buttons = (
        *(_choice(unclear, choice, policy) for choice in choices),
        *_ways_out(unclear, policy, choices),
    )
    saying = _with_buttons(sentence(unclear, policy, name, Role.ASK), buttons, turn.question)
    return Decision(case=unclear, rule="clarify", says=(saying,))


def _understood(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    return answer_to(
        _with_intent(case, turn.understanding), turn.understanding.intent.name, turn, policy, now
    )


Rule = Callable[[Case, Turn, Policy, datetime], Decision | None]

WITH_PEOPLE: tuple[Rule, ...] = (_wake_snoozed, _notice)
WITH_BOT: tuple[Rule, ...] = (
    _stale,
    _unreadable,
    _pressed,
    _deaf,
    _wants_person,
    _critical,
    _slot,
    _chosen_in_words,
    _upset,
    _unsure,
    _understood,
)


# ── Small parts ─────────────────────────────────────────────────────────────────────────────────


def _with_intent(case: Case, understood: Understanding) -> Case:
    return replace(case, intent=understood.intent.name, confidence=understood.intent.confidence)


def _names_a_matter(understood: Understanding, policy: Policy) -> bool:
    """Surely about something, rather than about whom to talk to."""
    answer = policy.book.answers.get(understood.intent.name)
    about = (
        understood.intent.name not in (OUT_OF_SCOPE, PERSON) and answer is not None and not answer.smalltalk
    )
    return about and is_sure(understood, policy)


def _is_never_answered(understood: Understanding, policy: Policy) -> bool:
    """Sure enough for other matters, while no confidence is enough for this one: to ask would change nothing."""
    intent = understood.intent
    answer = policy.book.answers.get(intent.name)
    small = answer is not None and answer.smalltalk
    return not small and threshold(intent.name, policy) > 1 and intent.confidence >= policy.threshold


def _candidates(understood: Understanding, policy: Policy) -> tuple[str, ...]:
    """The likeliest intents that can be offered as a button."""
    ranked = (intent.name for intent in understood.intent_ranking)
    fit = (name for name in ranked if name in policy.book.answers and name not in (OUT_OF_SCOPE, PERSON))
    return tuple(name for name in fit if not policy.book.answers[name].smalltalk)[:CHOICES]


def _choice(case: Case, intent: str, policy: Policy) -> Button:
    return Button(label=policy.book.choose(policy.book.answers[intent].label, case.language), choice=intent)


def _person(case: Case, policy: Policy) -> Button:
    return Button(label=policy.book.sentence("person_button", case.language, {}), choice=PERSON)


def _ways_out(case: Case, policy: Policy, choices: tuple[str, ...]) -> tuple[Button, ...]:
    none = Button(label=policy.book.sentence("none_button", case.language, {}), choice=NONE)
    return (none, _person(case, policy)) if choices else (_person(case, policy),)


def _with_buttons(saying: Saying, buttons: tuple[Button, ...], question: str) -> Saying:
    return replace(saying, buttons=buttons, question=question)
