"""What the bot does about a message: pure, so that every rule can be read and tested by itself.

`decide` tries the rules of the case's state in order; the first that has something to say wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from bot.domain.answers import Answer, AnswerBook, Mode, Need, fill
from bot.domain.cases import Asked, Case, CaseState, Matter, Reason
from bot.domain.messages import Address, Button, Press, Role
from bot.domain.understanding import Level, Understanding, Urgency

PERSON = "person"  # the intent, and the choice on a button
NONE = "none"
OUT_OF_SCOPE = "out_of_scope"
AFFIRM = "affirm"
GREETING = "greeting"  # who opens a chat is answered as if they had said hello
ASK_TWICE = 2
CHOICES = 2
LIKELY = 2 / 3  # of the usual threshold, once the choice is between two


class LookupCall(Struct, frozen=True, kw_only=True):
    """Fetch this, then decide again."""

    name: str
    values: dict[str, str]


class LookupResult(Struct, frozen=True, kw_only=True):
    failed: str = ""  # why, for people
    record: dict[str, Any] | None = None  # None: there is no such thing


class Turn(Struct, frozen=True, kw_only=True):
    """What the customer just said: everything that waited in the lane, as one."""

    question: str  # the id a question asked now would get
    understanding: Understanding
    address: Address
    at: datetime  # when the first of it was received
    press: Press | None = None
    message: str = ""  # the platform's id of the last of it
    deaf: str = ""  # why nothing could be understood: the engine is away
    readable: bool = True  # False: a voice message, a sticker, a photo without words
    lookup: LookupResult | None = None


class Policy(Struct, frozen=True, kw_only=True):
    book: AnswerBook
    lookups: frozenset[str] = frozenset()
    language: str = "de"  # when a customer's cannot be told
    threshold: float = 0.6
    thresholds: dict[str, float] = field(default_factory=dict)
    reopen: timedelta = timedelta(days=7)
    notice: timedelta = timedelta(minutes=10)
    stale: timedelta = timedelta(hours=6)
    upset: float = -0.7


class Saying(Struct, frozen=True, kw_only=True):
    text: str
    role: Role
    buttons: tuple[Button, ...] = ()
    question: str = ""


class Decision(Struct, frozen=True, kw_only=True):
    """The case as it shall be, what is said, and what happens next."""

    case: Case
    rule: str  # which rule decided, for the journal
    says: tuple[Saying, ...] = ()
    hand_off: Reason | None = None
    detail: str = ""
    lookup: LookupCall | None = None
    resolve: str = ""  # the outcome


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
    answer = policy.book.answers.get(understood.intent.name)
    return (
        understood.intent.name != case.intent
        and _sure(understood, policy)
        and answer is not None
        and not answer.smalltalk
    )


def decide(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision:
    """The bot's next step for an open case; raises `TemplateFailed` when an answer cannot be filled."""
    case = _learned(case, turn, policy, now)
    rules = WITH_BOT if case.state is CaseState.BOT else WITH_PEOPLE
    for rule in rules:
        decision = rule(case, turn, policy, now)
        if decision is not None:
            return decision
    return Decision(case=case, rule="silent")


def _learned(case: Case, turn: Turn, policy: Policy, now: datetime) -> Case:
    """What every message teaches about its case, whoever has it."""
    understood = turn.understanding
    if case.state is not CaseState.BOT and _another_question(case, turn, policy):
        case = replace(case, matters=_with_matter(case, understood.intent.name, now))
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
        case=noticed, rule="notice", says=(_sentence(noticed, policy, "still_waiting", Role.HOLDING),)
    )


# ── While the bot has the case ──────────────────────────────────────────────────────────────────


def _stale(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    """After a long outage a person says sorry; a machine does not say hello."""
    if now - turn.at <= policy.stale:
        return None
    apology = _sentence(case, policy, "late_apology", Role.APOLOGY)
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
    saying = _sentence(told, policy, "unreadable", Role.ASK)
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
            case=case, rule="outdated", says=(_sentence(case, policy, "no_longer_open", Role.HOLDING),)
        )
    if press.choice == NONE:
        return Decision(
            case=case, rule="neither", hand_off=Reason.LOW_CONFIDENCE, detail=", ".join(case.asked.choices)
        )
    chosen = replace(case, asked=None, confidence=1.0)
    return _answer(chosen, press.choice, turn, policy, now)


def _wants_person(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    """A rule, not the model's mood: who asks for a person gets one."""
    understood = turn.understanding
    asked = understood.wants_person or (understood.intent.name == PERSON and _sure(understood, policy))
    return Decision(case=case, rule="person", hand_off=Reason.ASKED_FOR_PERSON) if asked else None


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
    answer = policy.book.answers[asked.intent]
    need = next(need for need in answer.needs if need.slot == asked.slot)
    if turn.understanding.entity(need.entity):
        return _answer(case, asked.intent, turn, policy, now)
    if _another_matter(asked.intent, turn, policy):
        return None
    if asked.times >= ASK_TWICE:
        return Decision(case=case, rule="slot", hand_off=Reason.SLOT_MISSING, detail=asked.slot)
    return _ask(case, answer, need, turn, policy, again=True)


def _another_matter(intent: str, turn: Turn, policy: Policy) -> bool:
    understood = turn.understanding
    answer = policy.book.answers.get(understood.intent.name)
    small = answer is not None and answer.smalltalk
    return _sure(understood, policy) and understood.intent.name != intent and not small


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
    return _answer(replace(case, asked=None), choice, turn, policy, now)


def _upset(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    understood = turn.understanding
    if understood.sentiment.score > policy.upset or understood.urgency.level.rank < Level.HIGH.rank:
        return None
    return Decision(case=_with_intent(case, understood), rule="upset", hand_off=Reason.UPSET)


def _unsure(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    """Too little confidence: one question with the two likeliest intents, then a person."""
    understood = turn.understanding
    if _sure(understood, policy):
        return None
    if case.clarified:
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
    saying = _with_buttons(_sentence(unclear, policy, name, Role.ASK), buttons, turn.question)
    return Decision(case=unclear, rule="clarify", says=(saying,))


def _understood(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision | None:
    return _answer(_with_intent(case, turn.understanding), turn.understanding.intent.name, turn, policy, now)


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


# ── Answering an intent ─────────────────────────────────────────────────────────────────────────


def _answer(case: Case, intent: str, turn: Turn, policy: Policy, now: datetime) -> Decision:
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
        return _ask(case, answer, missing, turn, policy, again=False)
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
            case=case, rule="public", says=(_sentence(case, policy, "public_to_private", Role.ANSWER),)
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


def _ask(case: Case, answer: Answer, need: Need, turn: Turn, policy: Policy, *, again: bool) -> Decision:
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


# ── Small parts ─────────────────────────────────────────────────────────────────────────────────


def threshold(intent: str, policy: Policy) -> float:
    return policy.thresholds.get(intent, policy.threshold)


def _sure(understood: Understanding, policy: Policy) -> bool:
    intent = understood.intent
    return bool(intent.name) and intent.confidence >= threshold(intent.name, policy)


def _with_intent(case: Case, understood: Understanding) -> Case:
    return replace(case, intent=understood.intent.name, confidence=understood.intent.confidence)


def _matter(case: Case, intent: str, now: datetime) -> Case:
    """Remember what the case is about; a second matter is kept beside the first."""
    return replace(case, intent=intent, matters=_with_matter(case, intent, now))


def _with_matter(case: Case, intent: str, now: datetime) -> tuple[Matter, ...]:
    if any(matter.intent == intent for matter in case.matters):
        return case.matters
    return (*case.matters, Matter(intent=intent, department=case.department, at=now))


def _candidates(understood: Understanding, policy: Policy) -> tuple[str, ...]:
    """The likeliest intents that can be offered as a button."""
    ranked = (intent.name for intent in understood.intent_ranking)
    fit = (name for name in ranked if name in policy.book.answers and name not in (OUT_OF_SCOPE, PERSON))
    return tuple(name for name in fit if not policy.book.answers[name].smalltalk)[:CHOICES]


def _sentence(case: Case, policy: Policy, name: str, role: Role) -> Saying:
    return Saying(text=policy.book.sentence(name, case.language, {}), role=role)


def _choice(case: Case, intent: str, policy: Policy) -> Button:
    return Button(label=policy.book.choose(policy.book.answers[intent].label, case.language), choice=intent)


def _person(case: Case, policy: Policy) -> Button:
    return Button(label=policy.book.sentence("person_button", case.language, {}), choice=PERSON)


def _ways_out(case: Case, policy: Policy, choices: tuple[str, ...]) -> tuple[Button, ...]:
    none = Button(label=policy.book.sentence("none_button", case.language, {}), choice=NONE)
    return (none, _person(case, policy)) if choices else (_person(case, policy),)


def _with_buttons(saying: Saying, buttons: tuple[Button, ...], question: str) -> Saying:
    return replace(saying, buttons=buttons, question=question)
