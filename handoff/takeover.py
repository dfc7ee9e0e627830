"""A case changes hands: to people, between people, back to the bot. Every change is one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from bot import metrics
from bot.domain import cases, drafts
from bot.domain.answers import AnswerBook
from bot.domain.cases import Agent, Case, CaseState, Reason
from bot.domain.errors import NotAllowed, TooLate, Unknown
from bot.domain.journal import Did
from bot.domain.messages import Address, Author, AuthorKind, Direction, Message, MessageState, Role
from bot.domain.outbox import WAITING, Destination, OutboxRow, Posting
from bot.domain.ports import (
    Act,
    ActionDone,
    AgentAction,
    Applied,
    Capabilities,
    Changes,
    Clock,
    Commit,
    Conflict,
    Duplicate,
    Insert,
    Label,
    NewId,
    Query,
    Store,
    Update,
    Write,
)
from bot.domain.routing import Department
from bot.domain.turns import Saying
from bot.domain.understanding import Level
from handoff.assignment import department_for
from handoff.policy import HandoffRules, expectation, holding, lease

MOST_HELD = 1000  # cases of one agent
TRIES = 20  # a case changes hands seldom; a busy one settles after a few conflicts
UNSENT_CASE = {MessageState.FAILED, MessageState.IN_DOUBT, MessageState.CANCELLED}
Usual = Callable[[Department, ZoneInfo], Awaitable[timedelta | None]]  # the median first reply


async def usually(usual: Usual, case: Case, rules: HandoffRules) -> timedelta | None:
    """What the department that would get this case usually takes."""
    return await usual(rules.department(department_for(case, rules)), rules.zone)


def hand_over(
    case: Case,
    reason: Reason,
    detail: str,
    rules: HandoffRules,
    book: AnswerBook,
    usual: timedelta | None,
    now: datetime,
    new_id: NewId,
) -> tuple[Case, list[Write]]:
    """A handoff as data: state, the word to the customer, the card to the agents, the journal."""
    case = replace(case, department=department_for(case, rules))
    expected = expectation(rules.department(case.department), usual, now, rules.zone)
    case = cases.hand_off(case, reason, detail, now, expected.due)
    case = replace(case, noticed_at=now)
    writes = [
        *drafts.said(case, holding(case, expected, rules, book, now), now, new_id),
        *drafts.posted(case, rules.desks, Posting.CARD, now, new_id),
        drafts.entry(Did.HANDED_OFF, case, now, new_id, actor="bot", attributes={"reason": reason}),
        drafts.entry(
            Did.PROMISED, case, now, new_id, actor="bot", attributes={"due": expected.due.isoformat()}
        ),
    ]
    metrics.HANDED_OFF.labels(reason).inc()
    return case, writes


class Takeover:
    """What agents do, from whichever desk; and what time does to a case."""

    def __init__(
        self,
        store: Store,
        commit: Commit,
        rules: Callable[[], HandoffRules],
        book: Callable[[], AnswerBook],
        usual: Usual,
        clock: Clock,
        new_id: NewId,
        can: Callable[[Address], Capabilities] = lambda _: Capabilities(),
    ) -> None:
        self._can = can  # what the channel of an address is able to do
        self._store = store
        self._commit = commit
        self._current_rules = rules  # the configuration may be read again while we run
        self._book = book
        self._usual = usual
        self._clock = clock
        self._new_id = new_id
        self._acts: dict[
            Act, Callable[[Case, AgentAction, datetime], Awaitable[tuple[Case, list[Write]]]]
        ] = {
            Act.CLAIM: self._claim,
            Act.ASSIGN: self._assign,
            Act.REPLY: self._reply,
            Act.NOTE: self._note,
            Act.RELEASE: self._release,
            Act.RESOLVE: self._resolve,
            Act.SNOOZE: self._snooze,
            Act.MOVE: self._move,
            Act.RELABEL: self._relabel,
            Act.SET_URGENCY: self._set_urgency,
            Act.RETRY: self._retry,
            Act.ARRIVED: self._arrived,
            Act.RETURN_TO_BOT: self._return_to_bot,
            Act.EDIT: self._edit,
            Act.DELETE: self._delete,
        }

    @property
    def _rules(self) -> HandoffRules:
        return self._current_rules()

    async def act(self, action: AgentAction) -> Case:
        """Do it once; the same action id again changes nothing.

        Raises `NotAllowed` (claim to speak, wrong state), `TooLate` (somebody was faster), `Unknown`.
        """
        for _ in range(TRIES):
            case = await self.case(action.case)
            if done := await self._store.get(ActionDone, action.id):
                return _unchanged(case, done, action)
            now = self._clock()
            changed, writes = await self._acts[action.action](case, action, now)
            once = ActionDone(id=action.id, case=case.id, action=action.action, message=_made(writes), at=now)
            if isinstance(await self._write(case, changed, [*writes, Insert(record=once)]), Applied):
                return await self.case(action.case)
            metrics.CONFLICTS.labels("takeover").inc()
        raise TooLate("The case changed while you acted on it; look at it again.")

    async def case(self, id: str) -> Case:
        """Raises `Unknown`."""
        case = await self._store.get(Case, id)
        if case is None:
            raise Unknown(f"There is no case {id}.")
        return case

    async def _write(self, before: Case, after: Case, writes: list[Write]) -> Applied | Conflict | Duplicate:
        after = replace(after, due_at=cases.next_due(after, self._rules.idle), version=before.version)
        if (
            after.state is not before.state
            or after.owner != before.owner
            or after.department != before.department
        ):
            posted = drafts.posted(after, self._rules.copies, Posting.CARD, after.updated_at, self._new_id)
            writes = [*writes, *posted]
        return await self._commit(Changes(writes=(Update(record=after), *writes)))

    # ── What agents do ──────────────────────────────────────────────────────────────────────────

    async def _claim(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        claimed = cases.claim(case, action.agent, now, lease(case, self._rules, now))
        return claimed, [*await self._silence_bot(case), self._fact(Did.CLAIMED, claimed, action, now)]

    async def _assign(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        if action.to is None:
            raise NotAllowed("Say whom to assign the case to.")
        assigned = cases.assign(case, action.to, now, lease(case, self._rules, now))
        fact = self._fact(Did.ASSIGNED, assigned, action, now, to=action.to.id)
        return assigned, [*await self._silence_bot(case), fact]

    async def _reply(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        if not cases.may_speak(case, action.agent):
            raise NotAllowed(_who_may_speak(case))
        if not action.text.strip() and not action.attachments:
            raise NotAllowed("The reply is empty; write something first.")
        answered = cases.replied(case, now)
        writes = drafts.replied(
            answered,
            _author(action.agent),
            action.text,
            action.attachments,
            now,
            self._new_id,
            reply_to=await self._quoted(case, action),
        )
        return answered, [*writes, self._fact(Did.REPLIED, answered, action, now)]

    async def _quoted(self, case: Case, action: AgentAction) -> str:
        """The platform's id of the message an agent answers: the one they named, else in public the last."""
        if action.message:
            named = await self._store.get(Message, action.message)
            return named.external_id if named and named.case == case.id else ""
        if not case.address.public:
            return ""
        last = Query(kind=Message, equals={"case": case.id}, order="-seq", limit=50)
        messages = await self._store.find(last)
        return next((one.external_id for one in messages if one.direction is Direction.IN), "")

    async def _note(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        if not action.text.strip():
            raise NotAllowed("The note is empty; write something first.")
        note = drafts.noted(case, _author(action.agent), action.text, now, self._new_id)
        return case, [note, self._fact(Did.NOTED, case, action, now)]

    async def _release(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        released = cases.release(case, now)
        return released, [self._fact(Did.RELEASED, released, action, now)]

    async def _resolve(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        resolved = cases.resolve(case, action.outcome or "resolved", now)
        return resolved, [self._fact(Did.RESOLVED, resolved, action, now, outcome=resolved.outcome)]

    async def _snooze(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        if action.until is None:
            raise NotAllowed("Say until when the case sleeps.")
        snoozed = cases.snooze(case, action.until, now)
        return snoozed, [self._fact(Did.SNOOZED, snoozed, action, now, until=action.until.isoformat())]

    async def _move(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        if action.department not in self._rules.departments:
            known = ", ".join(self._rules.departments)
            raise NotAllowed(f"There is no department {action.department!r}; choose one of {known}.")
        moved = cases.move(case, action.department, now)
        fact = self._fact(Did.MOVED, moved, action, now, before=case.department)
        return moved, [fact]

    async def _relabel(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        if not action.intent:
            raise NotAllowed("Say which intent it really was.")
        if action.message:
            await self._line(case, action.message)
        label = Label(
            id=self._new_id(),
            message=action.message or await self._last_understood(case),
            case=case.id,
            intent=action.intent,
            was=case.intent,
            author=action.agent.id,
            at=now,
        )
        fact = self._fact(Did.RELABELLED, case, action, now, was=case.intent, intent=action.intent)
        return replace(case, intent=action.intent, updated_at=now), [Insert(record=label), fact]

    async def _set_urgency(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        if action.level not in set(Level):
            raise NotAllowed(f"There is no urgency {action.level!r}; choose one of {', '.join(Level)}.")
        level = Level(action.level)
        label = Label(
            id=self._new_id(),
            message=await self._last_understood(case),
            case=case.id,
            urgency=level,
            was=case.urgency.level,
            author=action.agent.id,
            at=now,
        )
        reason = f"set by {action.agent.name}"
        urgency = replace(case.urgency, level=level, reasons=(*case.urgency.reasons, reason))
        changed = replace(case, urgency=urgency, urgency_by_agent=True, updated_at=now)
        return changed, [Insert(record=label), self._fact(Did.URGENCY_SET, changed, action, now, level=level)]

    async def _return_to_bot(
        self, case: Case, action: AgentAction, now: datetime
    ) -> tuple[Case, list[Write]]:
        returned = cases.return_to_bot(case, now)
        return returned, [self._fact(Did.RETURNED, returned, action, now)]

    async def _retry(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        """Really send again: the row goes back into its queue with a fresh age and all its attempts.

        Parts that arrived stay sent: the customer gets the rest, not the whole once more.
        """
        message, row = await self._unsent(case, action.message)
        again = replace(
            row,
            state=MessageState.QUEUED,
            attempts=0,
            not_before=now,
            created_at=now,
            reason="",
            resent=False,
        )
        shown = replace(message, state=MessageState.QUEUED, reason="")
        fact = self._fact(Did.RETRIED, case, action, now, message=message.id)
        return case, [Update(record=again), Update(record=shown), fact]

    async def _arrived(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        message, row = await self._unsent(case, action.message)
        if row.state is not MessageState.IN_DOUBT:
            raise NotAllowed("Only a message in doubt can be confirmed by hand.")
        sent = replace(row, state=MessageState.SENT)
        fact = self._fact(Did.SENT, case, action, now, message=message.id, role=row.role, confirmed=True)
        return case, [Update(record=sent), Update(record=replace(message, state=MessageState.SENT)), fact]

    async def _edit(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        """What waits goes out in its new words; what was sent is changed where the customer sees it."""
        if not action.text.strip():
            raise NotAllowed("The new text is empty; delete the message instead.")
        message, row = await self._own(case, action)
        fact = self._fact(Did.EDITED, case, action, now, message=message.id)
        said = replace(message, text=action.text)
        if row.state in WAITING and row.posting is not Posting.DELETE:
            return case, [Update(record=row), Update(record=said), fact]
        self._require(self._can(message.address).edits)
        shown = replace(said, state=MessageState.QUEUED, edited_at=now)
        return case, [Update(record=_once_more(row, Posting.EDIT, now)), Update(record=shown), fact]

    async def _delete(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        """What waits is not sent; what was sent is taken back, and stays in the transcript until it is gone."""
        message, row = await self._own(case, action)
        fact = self._fact(Did.DELETED, case, action, now, message=message.id)
        if row.state in WAITING and row.posting is Posting.MESSAGE:
            unsent = replace(row, state=MessageState.CANCELLED, reason="taken back")
            gone = replace(message, state=MessageState.CANCELLED, text="", attachments=(), deleted_at=now)
            return case, [Update(record=unsent), Update(record=gone), fact]
        self._require(self._can(message.address).deletes)
        shown = replace(message, state=MessageState.QUEUED)
        return case, [Update(record=_once_more(row, Posting.DELETE, now)), Update(record=shown), fact]

    async def _own(self, case: Case, action: AgentAction) -> tuple[Message, OutboxRow]:
        """An agent's own words that wait or were sent. Raises `NotAllowed`, `Unknown`."""
        message = await self._line(case, action.message)
        if message.author.kind is not AuthorKind.AGENT or message.author.id != action.agent.id:
            raise NotAllowed("Only your own words can be changed.")
        rows = await self._store.find(Query(kind=OutboxRow, equals={"message": message.id}))
        rows = [row for row in rows if row.destination is Destination.CHANNEL]
        if not rows or message.deleted_at:
            raise NotAllowed("There is nothing of it at the customer's that could be changed.")
        waits = rows[0].state in WAITING and not rows[0].parts_sent
        if not waits and rows[0].state is not MessageState.SENT:
            raise NotAllowed(f"The message is {rows[0].state}; look again in a moment.")
        return message, rows[0]

    def _require(self, possible: bool) -> None:  # noqa: FBT001  reads like a sentence
        if not possible:
            raise NotAllowed("This channel cannot change what was sent; write another message.")

    async def _line(self, case: Case, message_id: str) -> Message:
        """Raises `Unknown` for a message that is not in this case's transcript."""
        message = await self._store.get(Message, message_id)
        if message is None or message.case != case.id:
            raise Unknown(f"Case #{case.number} has no message {message_id}.")
        return message

    async def _unsent(self, case: Case, message_id: str) -> tuple[Message, OutboxRow]:
        message = await self._line(case, message_id)
        rows = await self._store.find(Query(kind=OutboxRow, equals={"message": message_id}))
        rows = [row for row in rows if row.destination is Destination.CHANNEL]
        if not rows:
            raise Unknown(f"Message {message_id} is not one that we send.")
        if rows[0].state not in UNSENT_CASE:
            raise NotAllowed(f"The message is {rows[0].state}; there is nothing to send again.")
        return message, rows[0]

    async def _silence_bot(self, case: Case) -> list[Write]:
        """What the bot computed before and has not sent yet is taken back in the same transaction."""
        rows = await self._store.find(Query(kind=OutboxRow, equals={"case": case.id, "state": WAITING}))
        writes: list[Write] = []
        for row in rows:
            if row.destination is not Destination.CHANNEL or row.by_agent:
                continue
            message = await self._store.get(Message, row.message)
            writes.append(
                Update(record=replace(row, state=MessageState.CANCELLED, reason="a person took over"))
            )
            if message:
                writes.append(Update(record=replace(message, state=MessageState.CANCELLED)))
        return writes

    async def _last_understood(self, case: Case) -> str:
        messages = await self._store.find(
            Query(kind=Message, equals={"case": case.id}, order="-seq", limit=200)
        )
        return next((message.id for message in messages if message.intent), "")

    def _fact(
        self, kind: Did, case: Case, action: AgentAction, now: datetime, **attributes: str | bool | None
    ) -> Write:
        return drafts.entry(
            kind,
            case,
            now,
            self._new_id,
            actor=action.agent.id,
            happened_at=action.at,
            attributes={**attributes},
        )

    # ── What time does ──────────────────────────────────────────────────────────────────────────

    async def tick(self, case: Case) -> bool:
        """Do what is due for a case now; False when somebody else changed it meanwhile."""
        now = self._clock()
        changed, writes = await self._due(case, now)
        return isinstance(await self._write(case, changed, writes), Applied)

    async def _due(self, case: Case, now: datetime) -> tuple[Case, list[Write]]:
        by_state = {
            CaseState.BOT: self._idle,
            CaseState.WAITING: self._promise_passed,
            CaseState.CLAIMED: self._lease_due,
            CaseState.SNOOZED: self._snooze_over,
        }
        handle = by_state.get(case.state)
        return handle(case, now) if handle else (case, [])

    def _idle(self, case: Case, now: datetime) -> tuple[Case, list[Write]]:
        resolved = cases.resolve(case, "idle", now)
        return resolved, [self._timer(Did.RESOLVED, resolved, now, outcome="idle")]

    def _promise_passed(self, case: Case, now: datetime) -> tuple[Case, list[Write]]:
        """The promised time is over and nobody came: say so, once, and show it to the agents."""
        text = self._book().sentence("promise_broken", case.language, {"number": f"#{case.number}"})
        kept = replace(case, promise_broken=True, noticed_at=now, updated_at=now)
        department = self._rules.department(case.department)
        moved: list[Write] = []
        if department.fallback in self._rules.departments:
            kept = cases.move(kept, department.fallback, now)
            moved = [self._timer(Did.MOVED, kept, now, before=case.department, why="promise")]
        note = "The promised time has passed without a reply; the customer was told."
        return kept, [
            *drafts.said(case, Saying(text=text, role=Role.APOLOGY), now, self._new_id),
            drafts.system_note(case, note, now, self._new_id),
            self._timer(Did.REMINDED, kept, now, about="promise"),
            *moved,
        ]

    def _lease_due(self, case: Case, now: datetime) -> tuple[Case, list[Write]]:
        held = case.lease
        if held is None or case.owner is None:
            return case, []
        if not held.warned:
            warned = replace(case, lease=replace(held, warned=True))
            note = f"{case.owner.name}, the customer is still waiting for a reply; the case goes back soon."
            fact = self._timer(Did.REMINDED, warned, now, about="claim")
            return warned, [drafts.system_note(case, note, now, self._new_id), fact]
        released = cases.release(case, now)
        note = f"{case.owner.name} did not reply in time; the case waits for somebody again."
        fact = self._timer(Did.RELEASED, released, now, why="lease")
        return released, [drafts.system_note(case, note, now, self._new_id), fact]

    def _snooze_over(self, case: Case, now: datetime) -> tuple[Case, list[Write]]:
        woken = cases.wake(case, now, lease(case, self._rules, now))
        return woken, [self._timer(Did.WOKEN, woken, now)]

    def _timer(self, kind: Did, case: Case, now: datetime, **attributes: str) -> Write:
        return drafts.entry(kind, case, now, self._new_id, actor="system", attributes={**attributes})

    # ── Somebody leaves ─────────────────────────────────────────────────────────────────────────

    async def give_back(self, owner: str, note: str) -> int:
        """Whatever an agent who is gone had waits for somebody again, with a note; returns how many cases."""
        held = (CaseState.CLAIMED, CaseState.SNOOZED)
        query = Query(kind=Case, equals={"owner_id": owner, "state": held}, limit=MOST_HELD)
        return sum([await self._left(case, note) for case in await self._store.find(query)])

    async def _left(self, case: Case, note: str) -> bool:
        """False when the case moved on by itself meanwhile."""
        now = self._clock()
        released = cases.release(case, now)
        fact = self._timer(Did.RELEASED, released, now, why="left")
        return isinstance(
            await self._write(case, released, [drafts.system_note(case, note, now, self._new_id), fact]),
            Applied,
        )

    # ── What agents hear of what goes on elsewhere ──────────────────────────────────────────────

    def remarked(self, case: Case, text: str) -> list[Write]:
        """A line for the agents alone, wherever they look at the case."""
        now = self._clock()
        note = drafts.system_note(case, text, now, self._new_id)
        return [note, *self._in_threads(case, note, now)]

    def _in_threads(self, case: Case, note: Insert, now: datetime) -> list[Write]:
        if not isinstance(note.record, Message):
            return []
        return drafts.posted(case, self._rules.copies, Posting.THREAD, now, self._new_id, note.record.id)

    def goes_out(self, at: datetime) -> str:
        """By the brand's clock, as agents read it."""
        return f"It goes out by itself at {at.astimezone(self._rules.zone):%H:%M %Z}."

    # ── Handing off from outside a conversation ─────────────────────────────────────────────────

    async def handed_off(self, case_id: str, reason: Reason, detail: str) -> list[Write]:
        """What brings a case that the bot has to people, to be written with its cause; others stay as they are."""
        case = await self.case(case_id)
        if case.state is not CaseState.BOT:
            return []
        usual = await usually(self._usual, case, self._rules)
        args = (self._rules, self._book(), usual, self._clock(), self._new_id)
        changed, writes = hand_over(case, reason, detail, *args)
        return [Update(record=replace(changed, due_at=cases.next_due(changed, self._rules.idle))), *writes]


def _unchanged(case: Case, done: ActionDone, action: AgentAction) -> Case:
    """The same click twice is one action; another one under its id must not seem to have happened."""
    if (done.case, done.action) != (action.case, action.action):
        raise TooLate("This action id was used for something else already; send a new one.")
    return case


def _once_more(row: OutboxRow, posting: Posting, now: datetime) -> OutboxRow:
    """The row that carried a message carries what becomes of it: its receipts say which one that is."""
    fresh = replace(row, state=MessageState.QUEUED, attempts=0, not_before=now, created_at=now, reason="")
    return replace(fresh, posting=posting, parts_sent=0, resent=False)


def _author(agent: Agent) -> Author:
    return Author(kind=AuthorKind.AGENT, id=agent.id, name=agent.name)


def _who_may_speak(case: Case) -> str:
    if case.owner is None:
        return f"Claim case #{case.number} first: only its owner speaks to the customer."
    return f"{case.owner.name} has case #{case.number}: add your text as a note, or claim the case after a release."


def _made(writes: list[Write]) -> str:
    made = (
        write.record.id for write in writes if isinstance(write, Insert) and isinstance(write.record, Message)
    )
    return next(made, "")
