"""A case: what is going on with one customer until it is resolved, and how it may change.

Every function here takes a case and returns the changed case, or raises `NotAllowed` (or `TooLate`: somebody was faster).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from bot.domain.errors import NotAllowed, TooLate
from bot.domain.messages import Address
from bot.domain.understanding import Level, Sentiment, Urgency


class CaseState(StrEnum):
    BOT = "bot"
    WAITING = "waiting"
    CLAIMED = "claimed"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"
    MERGED = "merged"


CLOSED = (CaseState.RESOLVED, CaseState.MERGED)
OPEN = tuple(state for state in CaseState if state not in CLOSED)
LONGEST_SNOOZE = timedelta(days=36525)  # the last years of the calendar exist in some time zones only
HUMAN = (CaseState.WAITING, CaseState.CLAIMED, CaseState.SNOOZED)


class Reason(StrEnum):
    """Why a case went to a person; stored and shown."""

    ASKED_FOR_PERSON = "asked_for_person"
    CRITICAL = "critical"
    LOW_CONFIDENCE = "low_confidence"
    INTENT_IS_HUMAN = "intent_is_human"
    REPEATED = "repeated"
    LOOKUP_FAILED = "lookup_failed"
    NOT_FOUND = "not_found"
    SLOT_MISSING = "slot_missing"
    UPSET = "upset"
    UNREADABLE = "unreadable"
    OUT_OF_SCOPE = "out_of_scope"
    ANSWER_FAILED = "answer_failed"  # a template or the engine failed
    SEND_FAILED = "send_failed"  # the bot's answer did not reach the customer
    PARKED = "parked"  # an event could not be processed
    STALE = "stale"  # too old to be answered by a machine
    REOPENED = "reopened"  # a person had it before
    BY_AGENT = "by_agent"


class Agent(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    desk: str


class Handoff(Struct, frozen=True, kw_only=True):
    reason: Reason
    detail: str = ""
    at: datetime
    promised: datetime | None = None  # what the customer was told


class Asked(Struct, frozen=True, kw_only=True):
    """The question that is open: which slot of which intent, or which of two intents was meant."""

    question: str  # buttons carry this id
    intent: str = ""
    slot: str = ""
    choices: tuple[str, ...] = ()
    times: int = 1


class Matter(Struct, frozen=True, kw_only=True):
    """One thing the customer wants; a case may hold several."""

    intent: str
    department: str
    at: datetime


class Lease(Struct, frozen=True, kw_only=True):
    """A claim runs out: `warn_at` reminds the owner, `until` gives the case back."""

    warn_at: datetime
    until: datetime
    warned: bool = False


class Case(Struct, frozen=True, kw_only=True):
    id: str
    number: int
    customer: str
    pseudonym: str  # of the customer, so that a list needs no second read
    state: CaseState = CaseState.BOT
    department: str
    address: Address  # where the customer wrote last
    language: str = ""
    intent: str = ""
    confidence: float = 0.0
    urgency: Urgency = Urgency()
    urgency_by_agent: bool = False
    sentiment: Sentiment = Sentiment()
    owner: Agent | None = None
    owners: tuple[str, ...] = ()  # names of everybody who owned it, in order
    last_owner: Agent | None = None
    handoff: Handoff | None = None
    claimed_at: datetime | None = None  # by the owner's desk's clock: what they said before was no reply
    lease: Lease | None = None
    asked: Asked | None = None
    slots: dict[str, str] = field(default_factory=dict)  # what the customer gave: order_number…
    answered: tuple[str, ...] = ()  # what the bot answered already: intent and the slots it used
    clarified: bool = False  # the one clarifying question was spent
    unreadable_told: bool = False
    matters: tuple[Matter, ...] = ()
    noticed_at: datetime | None = None  # the last "still waiting" notice
    remind_at: datetime | None = None  # whoever is on duty is called if nobody has it by then
    unclaimed_until: datetime | None = None  # a lapsed claim is picked up by then, or goes to the fallback
    hinted: tuple[
        str, ...
    ] = ()  # agents who were told that their words stay internal, since it changed hands
    promise_broken: bool = False  # the apology for a passed promise was sent
    snoozed_until: datetime | None = None
    previous: str = ""  # the case before this one
    opened_at: datetime
    updated_at: datetime
    customer_at: datetime  # the customer's last message
    waiting_since: datetime | None = None  # since when the customer waits for a word
    first_reply_at: datetime | None = None
    resolved_at: datetime | None = None
    outcome: str = ""
    due_at: datetime | None = None  # the next moment a timer has to look at it
    version: int = 0

    def __repr__(self) -> str:
        return f"<Case #{self.number} {self.state} v{self.version}>"

    @property
    def is_open(self) -> bool:
        return self.state not in CLOSED

    @property
    def had_person(self) -> bool:
        return self.handoff is not None or bool(self.owners)

    @property
    def handoff_at(self) -> datetime | None:
        return self.handoff.at if self.handoff else None

    @property
    def owner_id(self) -> str:
        return self.owner.id if self.owner else ""

    @property
    def turn(self) -> str:
        """Sorts those who wait: the most urgent first, then whoever has waited longest; unique, for paging."""
        since = (self.waiting_since or self.opened_at).isoformat(timespec="microseconds")
        return f"{len(Level) - self.urgency.level.rank} {since} {self.id}"


def hand_off(case: Case, reason: Reason, detail: str, now: datetime, promised: datetime | None) -> Case:
    """Bot (or resolved) → waiting."""
    handoff = Handoff(reason=reason, detail=detail, at=now, promised=promised)
    return _changed(
        case,
        now,
        state=CaseState.WAITING,
        handoff=handoff,
        owner=None,
        lease=None,
        asked=None,
        snoozed_until=None,
        resolved_at=None,
        promise_broken=False,
        unclaimed_until=None,
        hinted=(),
        waiting_since=case.waiting_since or now,
    )


def claim(case: Case, agent: Agent, now: datetime, lease: Lease | None, at: datetime | None = None) -> Case:
    """bot, waiting or snoozed → claimed; the owner claiming again keeps it. `at`: by the desk's own clock."""
    if case.state in CLOSED:
        raise NotAllowed(f"Case #{case.number} is {case.state}; wait for the customer to write again.")
    if case.owner and case.owner.id != agent.id and case.state is CaseState.CLAIMED:
        raise TooLate(f"{case.owner.name} has case #{case.number} already.")
    return _owned(case, agent, now, lease, at)


def assign(case: Case, agent: Agent, now: datetime, lease: Lease | None, at: datetime | None = None) -> Case:
    """Any open state → claimed by `agent`, whoever had it. `at`: by the desk's own clock."""
    if case.state in CLOSED:
        raise NotAllowed(f"Case #{case.number} is {case.state} and cannot be assigned.")
    return _owned(case, agent, now, lease, at)


def _owned(case: Case, agent: Agent, now: datetime, lease: Lease | None, at: datetime | None) -> Case:
    since = case.claimed_at if case.owner_id == agent.id else at and min(at, now)
    owners = case.owners if case.owners[-1:] == (agent.name,) else (*case.owners, agent.name)
    return _changed(
        case,
        now,
        state=CaseState.CLAIMED,
        owner=agent,
        last_owner=agent,
        owners=owners,
        lease=lease,
        claimed_at=since,
        asked=None,
        snoozed_until=None,
        remind_at=None,
        unclaimed_until=None,
        hinted=(),
    )


def replied(case: Case, now: datetime) -> Case:
    """The owner spoke: the lease is kept for good, the customer no longer waits."""
    return _changed(
        case,
        now,
        lease=None,
        waiting_since=None,
        first_reply_at=case.first_reply_at or now,
        promise_broken=True,
    )


def release(case: Case, now: datetime) -> Case:
    """Claimed or snoozed → waiting, with its history and clock."""
    if case.state not in (CaseState.CLAIMED, CaseState.SNOOZED):
        raise NotAllowed(f"Case #{case.number} is {case.state}; only a claimed case can be released.")
    return _changed(
        case,
        now,
        state=CaseState.WAITING,
        owner=None,
        lease=None,
        snoozed_until=None,
        hinted=(),
        waiting_since=case.waiting_since or now,
    )


def snooze(case: Case, until: datetime, now: datetime) -> Case:
    """Claimed → snoozed, until a time or until the customer writes."""
    if case.state is not CaseState.CLAIMED:
        raise NotAllowed(f"Case #{case.number} is {case.state}; claim it before you snooze it.")
    if until <= now:
        raise NotAllowed("The time to snooze until has passed; choose a later one.")
    if until > now + LONGEST_SNOOZE:
        raise NotAllowed("A case sleeps for a century at most; choose an earlier time.")
    return _changed(case, now, state=CaseState.SNOOZED, snoozed_until=until, lease=None)


def wake(case: Case, now: datetime, lease: Lease | None) -> Case:
    """Snoozed → claimed by the same agent."""
    return _changed(case, now, state=CaseState.CLAIMED, snoozed_until=None, lease=lease)


def move(case: Case, department: str, now: datetime) -> Case:
    """To another department: a claimed case waits there, with owner history and clock; other states stay."""
    if case.state in CLOSED:
        raise NotAllowed(f"Case #{case.number} is {case.state} and cannot be moved.")
    if case.department == department:
        raise NotAllowed(f"Case #{case.number} is in {department} already.")
    moved = _changed(case, now, department=department)
    return release(moved, now) if case.state in (CaseState.CLAIMED, CaseState.SNOOZED) else moved


def return_to_bot(case: Case, now: datetime) -> Case:
    """waiting, claimed or snoozed → bot."""
    if case.state not in HUMAN:
        raise NotAllowed(f"Case #{case.number} is {case.state}; only a person's case can go back to the bot.")
    return _changed(
        case,
        now,
        state=CaseState.BOT,
        owner=None,
        lease=None,
        snoozed_until=None,
        waiting_since=None,
        remind_at=None,
        unclaimed_until=None,
        hinted=(),
        answered=(),
        clarified=False,
        asked=None,
    )


def resolve(case: Case, outcome: str, now: datetime) -> Case:
    """Any open state → resolved."""
    if case.state in CLOSED:
        raise NotAllowed(f"Case #{case.number} is {case.state} already.")
    return _changed(
        case,
        now,
        state=CaseState.RESOLVED,
        resolved_at=now,
        outcome=outcome,
        owner=None,
        lease=None,
        asked=None,
        snoozed_until=None,
        waiting_since=None,
        remind_at=None,
        unclaimed_until=None,
        hinted=(),
    )


def reopen_with_bot(case: Case, now: datetime) -> Case:
    """Resolved → bot: the bot had it, or it is clearly another question."""
    return _changed(
        case,
        now,
        state=CaseState.BOT,
        resolved_at=None,
        outcome="",
        answered=(),
        clarified=False,
        handoff=None,
    )


def may_speak(case: Case, agent: Agent) -> bool:
    """Claim to speak: only the owner's words go to the customer."""
    return case.state is CaseState.CLAIMED and case.owner is not None and case.owner.id == agent.id


def _changed(case: Case, now: datetime, **changes: object) -> Case:
    return replace(case, updated_at=now, **changes)


def next_due(case: Case, idle: timedelta) -> datetime | None:
    """The next moment a timer has to look at this case."""
    lease = case.lease
    candidates = {
        CaseState.BOT: (case.updated_at + idle,),
        CaseState.WAITING: (
            case.handoff.promised if case.handoff and not case.promise_broken else None,
            case.remind_at,
            case.unclaimed_until,
        ),
        CaseState.CLAIMED: ((lease.until if lease.warned else lease.warn_at) if lease else None,),
        CaseState.SNOOZED: (case.snoozed_until,),
    }.get(case.state, ())
    return min((moment for moment in candidates if moment), default=None)
