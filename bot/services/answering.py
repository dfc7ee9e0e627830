"""Answering: a customer's events, one after another, each turn in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from msgspec import Struct
from msgspec.structs import replace

from bot import metrics
from bot.domain import cases, drafts
from bot.domain.cases import Case, CaseState, Reason
from bot.domain.customers import Customer, Identity
from bot.domain.decisions import GREETING, Decision, LookupCall, LookupResult, Policy, Turn, decide, opening
from bot.domain.errors import EngineUnavailable, LookupFailed, StoreUnavailable, TemplateFailed
from bot.domain.journal import Did, Entry
from bot.domain.messages import (
    Address,
    Author,
    AuthorKind,
    Direction,
    Event,
    EventKind,
    EventState,
    FeedKind,
    Fetch,
    Inbound,
    Message,
    MessageState,
)
from bot.domain.outbox import Posting
from bot.domain.ports import (
    Applied,
    Changes,
    Clock,
    Commit,
    Connector,
    Insert,
    Lookups,
    NewId,
    Query,
    Store,
    Understander,
    Update,
    Write,
)
from bot.domain.understanding import UNDERSTOOD_CHARACTERS, Context, Intent, Understanding
from bot.services.courtesies import Courtesies
from bot.services.fetching import remembered
from handoff.assignment import department_for
from handoff.policy import HandoffRules, lease
from handoff.takeover import Usual, hand_over

log = structlog.get_logger()

BATCH = 50  # events of one lane read at once
POISON = 5  # failures until an event is parked
BACKOFF = timedelta(seconds=1)
TRIES = 10
NOTHING = Understanding(text="", intent=Intent(name="", confidence=0.0))

PRESENCE = {EventKind.BLOCKED: False, EventKind.UNBLOCKED: True}
RECEIPTS = {EventKind.DELIVERED: MessageState.DELIVERED, EventKind.READ: MessageState.READ}
ARRIVED = (MessageState.SENT, MessageState.DELIVERED, MessageState.READ)
TALK = (EventKind.MESSAGE, EventKind.PRESS, EventKind.STARTED)
GREETED = Understanding(text="", intent=Intent(name=GREETING, confidence=1.0))


class Later(Struct, frozen=True, kw_only=True):
    """The lane should be looked at again after this long."""

    delay: timedelta


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
        self._understander = understander
        self._policy = policy
        self._lookups = lookups
        self._current_rules = rules  # the configuration may be read again while we run
        self._connectors = connectors
        self._usual = usual
        self._clock = clock
        self._new_id = new_id
        self._patience = patience
        self._courtesies = Courtesies(connectors)
        self._kinds: dict[EventKind, Callable[[Event], Awaitable[list[Write]]]] = {
            EventKind.EDIT: self._edited,
            EventKind.DELETE: self._deleted,
            EventKind.DELIVERED: self._receipt,
            EventKind.READ: self._receipt,
            EventKind.BLOCKED: self._presence,
            EventKind.UNBLOCKED: self._presence,
            EventKind.MOVED: self._moved,
        }

    @property
    def _rules(self) -> HandoffRules:
        return self._current_rules()

    async def work(self, lane: str) -> Later | None:
        """Process what waits in a lane; says when to come back if something has to wait."""
        while True:
            events = await self._pending(lane)
            if not events:
                return None
            batch = _together(events)
            later = await self._guarded(batch)
            if later is not None:
                return later

    async def _pending(self, lane: str) -> list[Event]:
        return await self._store.find(
            Query(kind=Event, equals={"lane": lane, "state": EventState.PENDING}, order="seq", limit=BATCH)
        )

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
            last = await self._last_case(customer.id)
            bots = last is None or last.state is CaseState.BOT
            async with self._courtesies.typing(batch[-1].inbound.address, wanted=bots):
                turn, understood = await self._hear(batch, last, customer)
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
        found = await self._identities(address)
        customer = await self._store.get(Customer, found[0].customer if found else event.lane)
        if customer is None:
            raise LookupError("the event's customer is gone")
        return customer

    async def _last_case(self, customer: str) -> Case | None:
        """The open case, else the latest one."""
        found = await self._store.find(
            Query(kind=Case, equals={"customer": customer, "is_open": True}, limit=1)
        ) or await self._store.find(
            Query(kind=Case, equals={"customer": customer}, order="-opened_at", limit=1)
        )
        return found[0] if found else None

    async def _hear(
        self, batch: Sequence[Event], last: Case | None, customer: Customer
    ) -> tuple[Turn, dict[str, Understanding]]:
        expects = _expected(last, self._policy())
        context = Context(
            language=(last.language if last else "") or customer.language or batch[0].inbound.language,
            public=batch[-1].inbound.address.public,
            repeats=len(batch) - 1,
            expects=expects,
        )
        understood = {event.id: await self._heard(event.inbound, context) for event in batch}
        whole = await self._whole(batch, list(understood.values()), context)
        turn = Turn(
            question=self._new_id(),
            understanding=whole,
            address=batch[-1].inbound.address,
            at=_said_at(batch[0]),
            press=batch[0].inbound.press,
            readable=any(_is_readable(event.inbound) for event in batch),
        )
        return turn, understood

    async def _heard(self, inbound: Inbound, context: Context) -> Understanding:
        """Who opens the chat is greeted; what the link they followed says is no question of theirs."""
        if inbound.kind is EventKind.STARTED:
            return replace(GREETED, language=context.language)
        return await self._understand(inbound.text, context)

    async def _understand(self, text: str, context: Context) -> Understanding:
        if not text.strip():
            return NOTHING
        try:
            return await self._understander().understand(text[:UNDERSTOOD_CHARACTERS], context)
        except EngineUnavailable:
            log.warning("engine.unavailable")
            return NOTHING

    async def _whole(
        self, batch: Sequence[Event], parts: list[Understanding], context: Context
    ) -> Understanding:
        """What a flurry of messages means: the clearest question in it, with everything else they say."""
        if len(parts) == 1:
            return parts[0]
        text = "\n".join(event.inbound.text for event in batch if event.inbound.text)
        joined = await self._understand(text, context)
        book = self._policy().book
        questions = [
            part
            for part in (*parts, joined)
            if (a := book.answers.get(part.intent.name)) is None or not a.smalltalk
        ]
        best = max(questions or parts, key=lambda part: part.intent.confidence)
        urgency = max(
            (part.urgency for part in (*parts, joined)),
            key=lambda urgency: (urgency.level.rank, urgency.score),
        )
        return replace(
            best,
            entities=tuple(entity for part in parts for entity in part.entities),
            urgency=urgency,
            wants_person=any(part.wants_person for part in parts),
        )

    def _wait_for_more(self, batch: Sequence[Event], turn: Turn, last: Case | None) -> Later | None:
        """A "Hi" is often followed by the question: a greeting or half a sentence waits for a breath."""
        age = self._clock() - batch[-1].received_at
        if batch[-1].inbound.group and age < self._patience:  # nothing marks the end of an album
            return Later(delay=self._patience - age)
        if age >= self._patience or batch[-1].inbound.kind is not EventKind.MESSAGE or _has_person(last):
            return None
        policy = self._policy()
        answer = policy.book.answers.get(turn.understanding.intent.name)
        greets = answer is not None and answer.smalltalk and not answer.resolves
        unclear = turn.understanding.intent.confidence < policy.threshold and turn.readable
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
        decision = _goes_on(case, turn, now) if again else await self._decide(case, turn, now)
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
            heard = _heard(case, turn, now)
            return Decision(case=heard, rule="broken", hand_off=Reason.ANSWER_FAILED, detail=str(error))
        return decision

    async def _look_up(self, call: LookupCall) -> LookupResult:
        try:
            record = await self._lookups.fetch(call.name, call.values)
        except LookupFailed as error:
            return LookupResult(failed=str(error))
        return LookupResult(record=dict(record) if record is not None else None)

    async def _carried_out(
        self, decision: Decision, before: Case, turn: Turn, now: datetime
    ) -> tuple[Case, list[Write]]:
        case = decision.case
        writes: list[Write] = []
        for saying in decision.says:
            writes += drafts.said(case, saying, now, self._new_id)
        facts: drafts.Attributes = {
            "rule": decision.rule,
            "intent": turn.understanding.intent.name,
            "says": len(decision.says),
        }
        writes.append(drafts.entry(Did.DECIDED, case, now, self._new_id, actor="bot", attributes=facts))
        if case.asked and case.asked.slot:
            asked = {"slot": case.asked.slot}
            writes.append(drafts.entry(Did.ASKED, case, now, self._new_id, actor="bot", attributes=asked))
        if decision.hand_off:
            return await self._handed_over(decision, case, writes, now)
        if decision.says:
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
        usual = await self._usual(department_for(case, self._rules))
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
            for event in _with_albums(batch)
        ]
        all_writes: list[Write] = [
            Insert(record=replace(after, version=0)) if before.version < 0 else Update(record=after),
            *(Update(record=replace(event, state=EventState.DONE)) for event in batch),
            *lines,
            *self._seen(lines, after, now),
            *self._to_fetch(lines),
            *await self._back_again(batch[-1]),
            *opened,
            self._understood(after, turn.understanding, now),
            *writes,
        ]
        if before.version >= 0 and after.state is not CaseState.BOT:
            for line in lines:
                assert isinstance(line.record, Message)
                all_writes += drafts.posted(
                    after, self._rules.copies, Posting.THREAD, now, self._new_id, line.record.id
                )
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
        away = [one for one in await self._identities(event.inbound.address) if not one.reachable]
        return [Update(record=replace(one, reachable=True)) for one in away]

    def _understood(self, case: Case, understood: Understanding, now: datetime) -> Write:
        facts: drafts.Attributes = {
            "intent": understood.intent.name,
            "confidence": round(understood.intent.confidence, 4),
            "urgency": understood.urgency.level,
            "language": understood.language,
            "model": understood.model,
            "ms": round(understood.ms, 3),
        }
        return drafts.entry(Did.UNDERSTOOD, case, now, self._new_id, actor="bot", attributes=facts)

    # ── Everything that is not talk ─────────────────────────────────────────────────────────────

    async def _fact(self, event: Event) -> Later | None:
        """Receipts, edits, presence: applied to what they are about, stored and counted when unknown."""
        for _ in range(TRIES):
            handle = self._kinds.get(event.inbound.kind)
            writes = await handle(event) if handle else []
            done = Update(record=replace(event, state=EventState.DONE))
            if isinstance(await self._commit(Changes(writes=(done, *writes))), Applied):
                metrics.PROCESSED.labels(event.channel).inc()
                return None
            fresh = await self._store.get(Event, event.id)
            if fresh is None or fresh.state is not EventState.PENDING:
                return None
            event = fresh
        return Later(delay=BACKOFF)

    async def _about(self, event: Event) -> Message | None:
        """The message an event refers to: by the platform's id, or by ours."""
        refers_to = event.inbound.refers_to
        message = await self._store.get(Message, refers_to)
        if message is None:
            query = Query(kind=Message, equals={"customer": event.lane, "external_id": refers_to}, limit=1)
            message = next(iter(await self._store.find(query)), None)
        ours = message is not None and message.customer == event.lane
        return message if ours else None

    async def _receipt(self, event: Event) -> list[Write]:
        """Receipts only move messages on; a read one says the same of all before it."""
        message = await self._about(event)
        if message is None:
            return []
        state = RECEIPTS[event.inbound.kind]
        before = await self._sent_before(message) if state is MessageState.READ else []
        moved = [one for one in (message, *before) if _moves_on(one.state, state)]
        if not moved:
            return []
        kind = Did.READ if state is MessageState.READ else Did.DELIVERED
        changed: list[Write] = [Update(record=replace(one, state=state)) for one in moved]
        return [*changed, self._plain(kind, event, message.case)]

    async def _sent_before(self, message: Message) -> list[Message]:
        query = Query(
            kind=Message,
            equals={"customer": message.customer},
            until={"seq": message.seq - 1},
            order="-seq",
            limit=BATCH,
        )
        ours = [one for one in await self._store.find(query) if one.direction is Direction.OUT]
        return [one for one in ours if one.address == message.address and one.state in ARRIVED]

    async def _edited(self, event: Event) -> list[Write]:
        message = await self._about(event)
        if message is None:
            return []
        known = {one.remote: one for one in message.attachments if one.remote}
        files = tuple(known.get(one.remote, one) for one in event.inbound.attachments)
        text, at = event.inbound.text, event.received_at
        edited = replace(message, text=text, attachments=files or message.attachments, edited_at=at)
        fetched_already = await self._store.get(Fetch, message.id) is not None
        return [Update(record=edited), *([] if fetched_already else self._remembered(edited))]

    async def _deleted(self, event: Event) -> list[Write]:
        message = await self._about(event)
        if message is None:
            return []
        return [Update(record=replace(message, text="", attachments=(), deleted_at=event.received_at))]

    async def _presence(self, event: Event) -> list[Write]:
        identities = await self._identities(event.inbound.address)
        reachable = PRESENCE[event.inbound.kind]
        kind = Did.UNBLOCKED if reachable else Did.BLOCKED
        changed: list[Write] = [Update(record=replace(one, reachable=reachable)) for one in identities]
        last = await self._last_case(event.lane)
        return [*changed, self._plain(kind, event, last.id if last else "")]

    async def _moved(self, event: Event) -> list[Write]:
        """The conversation goes on under another id: so does whatever is still to be said in it."""
        chat, address = event.inbound.refers_to, event.inbound.address
        identities = [one for one in await self._identities(address) if one.chat == address.chat]
        last = await self._last_case(event.lane)
        writes: list[Write] = [Update(record=replace(one, chat=chat)) for one in identities]
        if last and last.address.chat == address.chat:
            writes.append(Update(record=replace(last, address=replace(last.address, chat=chat))))
        return writes

    async def _identities(self, address: Address) -> list[Identity]:
        equals = {"channel": address.channel, "account": address.account, "user": address.user}
        return await self._store.find(Query(kind=Identity, equals=equals, limit=1))

    def _plain(self, kind: Did, event: Event, case: str) -> Write:
        now = self._clock()
        return Insert(
            scope=f"customer:{event.lane}",
            record=Entry(
                id=self._new_id(),
                kind=kind,
                customer=event.lane,
                case=case,
                channel=event.channel,
                account=event.account,
                actor="customer",
                happened_at=event.inbound.sent_at or now,
                at=now,
            ),
        )

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
        customer = await self._customer(event)
        last = await self._last_case(customer.id)
        turn = Turn(question="", understanding=NOTHING, address=event.inbound.address, at=event.received_at)
        before = last if last and last.is_open else await self._new_case(customer, last, turn, now)
        case, writes = before, [self._plain(Did.PARKED, event, before.id)]
        if case.state is CaseState.BOT:
            usual = await self._usual(department_for(case, self._rules))
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


def _together(events: Sequence[Event]) -> list[Event]:
    """The messages at the head of a lane that are answered as one; anything else goes alone."""
    head = events[0]
    if head.inbound.kind is not EventKind.MESSAGE or head.attempts:
        return [head]
    batch = []
    for event in events:
        same_chat = event.inbound.address == head.inbound.address
        if event.inbound.kind is not EventKind.MESSAGE or not same_chat or event.attempts:
            break
        batch.append(event)
    return batch


def _with_albums(batch: Sequence[Event]) -> list[Event]:
    """What the platform shows as one message is one line: the first of an album, with what the others brought."""
    lines: list[Event] = []
    for event in batch:
        group = event.inbound.group
        if lines and group and lines[-1].inbound.group == group:
            lines[-1] = replace(lines[-1], inbound=_joined(lines[-1].inbound, event.inbound))
        else:
            lines.append(event)
    return lines


def _joined(first: Inbound, more: Inbound) -> Inbound:
    text = "\n".join(filter(None, (first.text, more.text)))
    return replace(first, text=text, attachments=(*first.attachments, *more.attachments))


def _said_at(event: Event) -> datetime:
    """By the platform's clock where it tells, since after an outage of ours it brings what is hours old."""
    return min(event.inbound.sent_at or event.received_at, event.received_at)


def _is_readable(inbound: Inbound) -> bool:
    return bool(inbound.text.strip()) or inbound.kind is EventKind.STARTED


def _moves_on(known: MessageState, new: MessageState) -> bool:
    """A receipt may be faster than our own note that the message was sent."""
    order = (MessageState.SENDING, *ARRIVED)
    return known in order and order.index(known) < order.index(new)


def _expected(last: Case | None, policy: Policy) -> str:
    """The entity the bot has asked for."""
    if last is None or last.asked is None or not last.asked.slot:
        return ""
    answer = policy.book.answers.get(last.asked.intent)
    needs = answer.needs if answer else ()
    return next((need.entity for need in needs if need.slot == last.asked.slot), "")


def _has_person(case: Case | None) -> bool:
    return case is not None and case.state in cases.HUMAN


def _goes_on(case: Case, turn: Turn, now: datetime) -> Decision:
    """A person had this matter: whoever writes again about it need not convince a machine first."""
    return Decision(case=_heard(case, turn, now), rule="reopened", hand_off=Reason.REOPENED)


def _heard(case: Case, turn: Turn, now: datetime) -> Case:
    """The facts of a turn that `decide` did not get to."""
    return replace(
        case,
        address=turn.address,
        language=turn.understanding.language or case.language,
        intent=turn.understanding.intent.name or case.intent,
        customer_at=turn.at,
        updated_at=now,
    )
