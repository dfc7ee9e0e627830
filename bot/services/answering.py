"""Answering: a customer's events, one after another, each turn in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace

from bot import metrics
from bot.domain import cases, drafts
from bot.domain.batches import LARGE, as_lines, together, weight
from bot.domain.cases import Case, CaseState, Handoff, Reason
from bot.domain.customers import Customer
from bot.domain.decisions import decide, learned, opening
from bot.domain.errors import LookupFailed, StoreUnavailable, TemplateFailed
from bot.domain.journal import Did
from bot.domain.messages import (
    Author,
    AuthorKind,
    Event,
    EventKind,
    EventState,
    FeedKind,
    Message,
    Role,
)
from bot.domain.ports import (
    Applied,
    Changes,
    Clock,
    Commit,
    Connector,
    Insert,
    Later,
    Lookups,
    NewId,
    Query,
    Store,
    Understander,
    Update,
    Write,
)
from bot.domain.turns import Decision, LookupCall, LookupResult, Policy, Turn, threshold
from bot.domain.understanding import Understanding
from bot.services.courtesies import Courtesies
from bot.services.fetching import remembered
from bot.services.finding import identities, last_case
from bot.services.hearing import NOTHING, Hearing
from bot.services.noticing import Noticing
from handoff.assignment import with_departments
from handoff.policy import HandoffRules, lease
from handoff.speech import held
from handoff.takeover import Usual, hand_over, usually

log = structlog.get_logger()

# Events of one lane read at once: each may have two megabytes, and most lanes have one event.
FEW, BATCH = 10, 50
POISON = 5  # failures until an event is parked
BACKOFF = timedelta(seconds=1)
TRIES = 10

TALK = (EventKind.MESSAGE, EventKind.PRESS, EventKind.STARTED)


class Answering:
    """Works on one lane at a time; correctness rests on compare-and-set, not on being alone."""

    def __init__(
        self,
        *,
        store: Store,
        commit: Commit,
        understander: Callable[[], Understander],
        policy: Callable[[], Policy],
        lookups: Lookups,
        rules: Callable[[], HandoffRules],
        connectors: Mapping[tuple[str, str], Connector],
        usual: Usual,
        clock: Clock,
        new_id: NewId,
        patience: timedelta = timedelta(seconds=1.5),
    ) -> None:
        self._store = store
        self._commit = commit
        self._policy = policy
        self._lookups = lookups
        self._current_rules = rules  # the configuration may be read again while we run
        self._connectors = connectors
        self._usual = usual
        self._clock = clock
        self._new_id = new_id
        self._patience = patience
        self._courtesies = Courtesies(connectors)
        self._hearing = Hearing(understander, policy, new_id)
        self._noticing = Noticing(store, connectors, clock, new_id)

    @property
    def _rules(self) -> HandoffRules:
        return self._current_rules()

    async def work(self, lane: str) -> Later | None:
        """Process what waits in a lane; says when to come back if something has to wait."""
        while True:
            events = await self._pending(lane)
            if not events:
                return None
            batch = together(events)
            later = await self._guarded(batch)
            if later is not None:
                return later

    async def _pending(self, lane: str) -> list[Event]:
        query = Query(kind=Event, equals={"lane": lane, "state": EventState.PENDING}, order="seq", limit=FEW)
        events = await self._store.find(query)
        if len(events) < FEW or weight(events) > LARGE:
            return events
        return await self._store.find(replace(query, limit=BATCH))

    async def _guarded(self, batch: Sequence[Event]) -> Later | None:
        """One broad catch: whatever goes wrong with an event, its lane goes on and a person sees it."""
        try:
            if batch[0].inbound.kind in TALK:
                self._courtesies.acknowledge(batch[0].inbound)
                return await self._turn(batch)
            return await self._fact(batch[0])
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("event.failed", id=batch[0].id, channel=batch[0].channel)
            return await self._failed(batch[0], type(error).__name__)

    # ── A turn: what the customer said since we last looked ─────────────────────────────────────

    async def _turn(self, batch: Sequence[Event]) -> Later | None:
        started = self._clock()
        for _ in range(TRIES):
            customer = await self._customer(batch[0])
            last = await last_case(self._store, customer.id)
            bots = last is None or last.state is CaseState.BOT
            async with self._courtesies.typing(batch[-1].inbound.address, wanted=bots):
                turn, understood = await self._hearing.hear(batch, last, customer)
                if later := self._wait_for_more(batch, turn, last):
                    return later
                changes = await self._decided(batch, customer, last, turn, understood)
            outcome = await self._commit(changes)
            if isinstance(outcome, Applied):
                metrics.PROCESSED.labels(batch[0].channel).inc(len(batch))
                metrics.PROCESSING.observe((self._clock() - started).total_seconds())
                return None
            metrics.CONFLICTS.labels("answering").inc()
        return Later(delay=BACKOFF)

    async def _customer(self, event: Event) -> Customer:
        """Resolved again when it is processed: the identity may have moved since the lane was fixed."""
        address = event.inbound.address
        found = await identities(self._store, address)
        customer = await self._store.get(Customer, found[0].customer if found else event.lane)
        if customer is None:
            raise LookupError("the event's customer is gone")
        return customer

    def _wait_for_more(self, batch: Sequence[Event], turn: Turn, last: Case | None) -> Later | None:
        """A "Hi" is often followed by the question: a greeting or half a sentence waits for a breath."""
        age = abs(self._clock() - batch[-1].received_at)  # a clock that was set back holds up nobody
        if batch[-1].inbound.group and age < self._patience:  # nothing marks the end of an album
            return Later(delay=self._patience - age)
        if age >= self._patience or batch[-1].inbound.kind is not EventKind.MESSAGE or _has_person(last):
            return None
        policy, intent = self._policy(), turn.understanding.intent
        answer = policy.book.answers.get(intent.name)
        greets = answer is not None and answer.smalltalk and not answer.resolves
        unclear = intent.confidence < threshold(intent.name, policy) and turn.readable
        asked = last is not None and last.is_open and last.asked is not None
        if turn.understanding.wants_person or asked or not (greets or unclear):
            return None
        return Later(delay=self._patience - age)

    async def _decided(
        self,
        batch: Sequence[Event],
        customer: Customer,
        last: Case | None,
        turn: Turn,
        understood: dict[str, Understanding],
    ) -> Changes:
        now = self._clock()
        case, opened, again = await self._case_for(customer, last, turn, now)
        if case.state is CaseState.RESOLVED:  # "Danke!" after the end reopens nothing
            return await self._changes(batch, case, case, [], turn, understood, opened, now)
        decision = _goes_on(case, turn, self._policy(), now) if again else await self._decide(case, turn, now)
        after, writes = await self._carried_out(decision, case, turn, now)
        return await self._changes(batch, case, after, writes, turn, understood, opened, now)

    async def _case_for(
        self, customer: Customer, last: Case | None, turn: Turn, now: datetime
    ) -> tuple[Case, list[Write], bool]:
        """The case this turn belongs to, the facts about opening it, and whether a person had it before."""
        if last is not None and last.is_open:
            return last, [], False
        kind = opening(last, turn, self._policy(), now).kind
        if last is not None and kind == "append":
            return last, [], False
        if last is not None and kind in {"bot", "person"}:
            reopened = cases.reopen_with_bot(last, now)
            if kind == "person":  # it never was another department's
                reopened = replace(reopened, handoff=last.handoff or Handoff(reason=Reason.REOPENED, at=now))
            fact = drafts.entry(Did.REOPENED, reopened, now, self._new_id, actor="customer")
            return reopened, [fact], kind == "person"
        case = await self._new_case(customer, last, turn, now)
        return case, [drafts.entry(Did.OPENED, case, now, self._new_id, actor="customer")], False

    async def _new_case(self, customer: Customer, last: Case | None, turn: Turn, now: datetime) -> Case:
        return Case(
            id=self._new_id(),
            number=await self._store.number(),
            customer=customer.id,
            pseudonym=customer.pseudonym,
            department=self._rules.default,
            address=turn.address,
            language=turn.understanding.language or customer.language or self._policy().language,
            previous=last.id if last else "",
            opened_at=now,
            updated_at=now,
            customer_at=turn.at,
            version=-1,  # not stored yet
        )

    async def _decide(self, case: Case, turn: Turn, now: datetime) -> Decision:
        """A broken template or engine never loses the message: it hands off."""
        try:
            decision = decide(case, turn, self._policy(), now)
            if decision.lookup:
                result = await self._look_up(decision.lookup)
                decision = decide(case, replace(turn, lookup=result), self._policy(), now)
        except TemplateFailed as error:
            log.warning("answer.failed", case=case.id, intent=turn.understanding.intent.name)
            heard = _heard(case, turn, self._policy(), now)
            return Decision(case=heard, rule="broken", hand_off=Reason.ANSWER_FAILED, detail=str(error))
        return decision

    async def _look_up(self, call: LookupCall) -> LookupResult:
        try:
            record = await self._lookups.fetch(call.name, call.values)
        except LookupFailed as error:
            log.warning("lookup.failed", lookup=call.name, why=str(error))
            return LookupResult(failed=str(error))
        return LookupResult(record=dict(record) if record is not None else None)

    async def _carried_out(
        self, decision: Decision, before: Case, turn: Turn, now: datetime
    ) -> tuple[Case, list[Write]]:
        case = with_departments(decision.case, len(before.matters), self._rules)
        writes: list[Write] = []
        for saying in decision.says:
            quoted = (
                turn.message if case.address.public else ""
            )  # among others it has to be seen what it answers
            writes += drafts.said(case, saying, now, self._new_id, reply_to=quoted)
        facts: drafts.Attributes = {
            "rule": decision.rule,
            "intent": turn.understanding.intent.name,
            "says": len(decision.says),
        }
        writes.append(drafts.entry(Did.DECIDED, case, now, self._new_id, actor="bot", attributes=facts))
        if case.asked and case.asked.slot and case.asked != before.asked:
            asked = {"slot": case.asked.slot}
            writes.append(drafts.entry(Did.ASKED, case, now, self._new_id, actor="bot", attributes=asked))
        if decision.hand_off:
            return await self._handed_over(decision, case, writes, now)
        if before.state is CaseState.SNOOZED:
            writes.append(drafts.entry(Did.WOKEN, case, now, self._new_id, actor="customer"))
        if any(saying.role is not Role.HOLDING for saying in decision.says):
            metrics.ANSWERED.labels(case.address.channel).inc()
            writes.append(drafts.entry(Did.ANSWERED, case, now, self._new_id, actor="bot"))
        if decision.resolve:
            case = cases.resolve(case, decision.resolve, now)
            outcome = {"outcome": decision.resolve}
            writes.append(
                drafts.entry(Did.RESOLVED, case, now, self._new_id, actor="bot", attributes=outcome)
            )
        return self._with_lease(before, case, now), writes

    async def _handed_over(
        self, decision: Decision, case: Case, writes: list[Write], now: datetime
    ) -> tuple[Case, list[Write]]:
        assert decision.hand_off is not None
        usual = await usually(self._usual, case, self._rules)
        book = self._policy().book
        case, handed = hand_over(
            case, decision.hand_off, decision.detail, self._rules, book, usual, now, self._new_id
        )
        return case, [*writes, *handed]

    def _with_lease(self, before: Case, case: Case, now: datetime) -> Case:
        """A customer who writes to the owner again starts the owner's clock again."""
        if case.state is not CaseState.CLAIMED or case.lease is not None:
            return case
        return replace(case, lease=lease(case, self._rules, now))

    async def _changes(
        self,
        batch: Sequence[Event],
        before: Case,
        after: Case,
        writes: list[Write],
        turn: Turn,
        understood: dict[str, Understanding],
        opened: list[Write],
        now: datetime,
    ) -> Changes:
        """Case, transcript, outbox, journal and the events' end, in one unit."""
        after = replace(after, due_at=cases.next_due(after, self._rules.idle), version=before.version)
        author = Author(kind=AuthorKind.CUSTOMER, id=after.customer, name=after.pseudonym)
        lines = [
            drafts.taken_in(event, after, understood[event.id].intent.name, author)
            for event in as_lines(batch)
        ]
        all_writes: list[Write] = [
            Insert(record=replace(after, version=0)) if before.version < 0 else Update(record=after),
            *(Update(record=replace(event, state=EventState.DONE)) for event in batch),
            *lines,
            *self._seen(lines, after, now),
            *self._to_fetch(lines),
            *await self._back_again(batch[-1]),
            *opened,
            self._understood(after, batch[-1].id, turn.understanding, now),
            *(await held(self._store, after, now, now + self._policy().stale) if self._rules.undo else []),
            *writes,
        ]
        return Changes(writes=tuple(all_writes))

    def _seen(self, lines: Sequence[Insert], case: Case, now: datetime) -> list[Write]:
        """Where we keep the customer's view ourselves, their own message shows up there as taken in."""
        connector = self._connectors.get((case.address.channel, case.address.account))
        if connector is None or not connector.capabilities.hosted:
            return []
        messages = (line.record for line in lines)
        return [
            drafts.shown(message, FeedKind.MESSAGE, now)
            for message in messages
            if isinstance(message, Message)
        ]

    def _to_fetch(self, lines: Sequence[Insert]) -> list[Write]:
        """Files that are still at the platform are fetched beside the lane."""
        messages = [line.record for line in lines if isinstance(line.record, Message)]
        return [write for message in messages for write in self._remembered(message)]

    def _remembered(self, message: Message) -> list[Write]:
        address = message.address
        return remembered(message, self._connectors.get((address.channel, address.account)))

    async def _back_again(self, event: Event) -> list[Write]:
        """Who writes can be written to, whatever a failed send made us believe."""
        away = [one for one in await identities(self._store, event.inbound.address) if not one.reachable]
        return [Update(record=replace(one, reachable=True)) for one in away]

    def _understood(self, case: Case, message: str, understood: Understanding, now: datetime) -> Write:
        facts: drafts.Attributes = {
            "message": message,
            "intent": understood.intent.name,
            "confidence": round(understood.intent.confidence, 4),
            "urgency": understood.urgency.level,
            "language": understood.language,
            "engine": understood.engine,
            "model": understood.model,
            "ms": round(understood.ms, 3),
        }
        return drafts.entry(Did.UNDERSTOOD, case, now, self._new_id, actor="bot", attributes=facts)

    # ── Everything that is not talk ─────────────────────────────────────────────────────────────

    async def _fact(self, event: Event) -> Later | None:
        """Receipts, edits, presence: applied to what they are about, stored and counted when unknown."""
        for _ in range(TRIES):
            writes = await self._noticing.notice(event)
            done = Update(record=replace(event, state=EventState.DONE))
            if isinstance(await self._commit(Changes(writes=(done, *writes))), Applied):
                metrics.PROCESSED.labels(event.channel).inc()
                return None
            fresh = await self._store.get(Event, event.id)
            if fresh is None or fresh.state is not EventState.PENDING:
                return None
            event = fresh
        return Later(delay=BACKOFF)

    # ── When processing fails ───────────────────────────────────────────────────────────────────

    async def _failed(self, event: Event, error: str) -> Later | None:
        """Try again a few times; then park the event and bring it to a person."""
        fresh = await self._store.get(Event, event.id)
        if fresh is None or fresh.state is not EventState.PENDING:
            return None
        if fresh.attempts + 1 < POISON:
            again = replace(fresh, attempts=fresh.attempts + 1, error=error)
            await self._store.apply(Changes(writes=(Update(record=again),)))
            return Later(delay=BACKOFF * 2**fresh.attempts)
        await self._park(replace(fresh, attempts=fresh.attempts + 1, error=error, state=EventState.PARKED))
        return None

    async def _park(self, event: Event) -> None:
        now = self._clock()
        customer = await self._store.get(Customer, event.lane)
        if customer is None:  # nobody is there to be answered: the lane must go on all the same
            await self._store.apply(Changes(writes=(Update(record=event),)))
            return
        last = await last_case(self._store, customer.id)
        turn = Turn(question="", understanding=NOTHING, address=event.inbound.address, at=event.received_at)
        before = last if last and last.is_open else await self._new_case(customer, last, turn, now)
        case = before
        writes: list[Write] = [drafts.event_entry(Did.PARKED, event, before.id, now, self._new_id)]
        if case.state is CaseState.BOT:
            usual = await usually(self._usual, case, self._rules)
            args = (self._rules, self._policy().book, usual, now, self._new_id)
            case, handed = hand_over(case, Reason.PARKED, event.error, *args)
            writes += handed
        author = Author(kind=AuthorKind.CUSTOMER, id=case.customer, name=case.pseudonym)
        case = replace(case, due_at=cases.next_due(case, self._rules.idle), version=before.version)
        stored = Insert(record=replace(case, version=0)) if before.version < 0 else Update(record=case)
        line = drafts.taken_in(event, case, "", author)
        shown = (line, *self._seen([line], case, now), *self._to_fetch([line]))
        parked = (stored, Update(record=event), *shown, *writes)
        if isinstance(await self._commit(Changes(writes=parked)), Applied):
            metrics.PARKED.labels(event.channel).inc()


def _has_person(case: Case | None) -> bool:
    return case is not None and case.state in cases.HUMAN


def _goes_on(case: Case, turn: Turn, policy: Policy, now: datetime) -> Decision:
    """A person had this matter: whoever writes again about it need not convince a machine first."""
    return Decision(case=_heard(case, turn, policy, now), rule="reopened", hand_off=Reason.REOPENED)


def _heard(case: Case, turn: Turn, policy: Policy, now: datetime) -> Case:
    """What a turn teaches, how urgent it is above all, where `decide` did not get to it."""
    return replace(learned(case, turn, policy, now), intent=turn.understanding.intent.name or case.intent)
