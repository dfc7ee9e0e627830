"""A case changes hands: to people, between people, back to the bot. Every change is one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from bot import metrics
from bot.domain import cases, drafts
from bot.domain.actions import Act, ActionDone, AgentAction, Label
from bot.domain.answers import AnswerBook
from bot.domain.cases import Agent, Case, CaseState, Reason
from bot.domain.errors import NotAllowed, TooLate, Unknown
from bot.domain.journal import Did
from bot.domain.messages import Address, Message, MessageState
from bot.domain.outbox import WAITING, Destination, OutboxRow, Posting
from bot.domain.ports import (
    Applied,
    Capabilities,
    Changes,
    Clock,
    Commit,
    Conflict,
    Duplicate,
    Insert,
    NewId,
    Query,
    Store,
    Update,
    Write,
)
from bot.domain.routing import Department
from bot.domain.understanding import Level
from handoff.assignment import department_for, on_duty
from handoff.policy import HandoffRules, expectation, holding, lease, remind_at
from handoff.speech import Speech
from handoff.timers import Timers

MOST_HELD = 1000  # cases of one agent
TRIES = 20  # a case changes hands seldom; a busy one settles after a few conflicts
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
    ping = on_duty(case, rules, now)
    case = replace(case, noticed_at=now, remind_at=remind_at(case, rules, now) if ping else None)
    urgent = case.urgency.level.rank >= Level.HIGH.rank
    calls = f"#{case.number} is {case.urgency.level}: {', '.join(case.urgency.reasons) or reason}."
    writes = [
        *drafts.said(case, holding(case, expected, rules, book, now), now, new_id),
        *drafts.posted(case, rules.desks, Posting.CARD, now, new_id),
        *([drafts.system_note(case, calls, now, new_id, ping)] if urgent and ping else []),
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
        self._store = store
        self._commit = commit
        self._current_rules = rules  # the configuration may be read again while we run
        self._book = book
        self._usual = usual
        self._clock = clock
        self._new_id = new_id
        self.speech = Speech(store, rules, new_id, can)
        self._timers = Timers(rules, book, new_id)
        self._acts: dict[
            Act, Callable[[Case, AgentAction, datetime], Awaitable[tuple[Case, list[Write]]]]
        ] = {
            Act.CLAIM: self._claim,
            Act.ASSIGN: self._assign,
            Act.REPLY: self.speech.reply,
            Act.SAY: self.speech.say,
            Act.SEND_NOW: self.speech.send_now,
            Act.NOTE: self.speech.note,
            Act.RELEASE: self._release,
            Act.RESOLVE: self._resolve,
            Act.SNOOZE: self._snooze,
            Act.MOVE: self._move,
            Act.RELABEL: self._relabel,
            Act.SET_URGENCY: self._set_urgency,
            Act.RETRY: self.speech.retry,
            Act.ARRIVED: self.speech.arrived,
            Act.RETURN_TO_BOT: self._return_to_bot,
            Act.EDIT: self.speech.edit,
            Act.DELETE: self.speech.delete,
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
        return await self._commit(Changes(writes=(Update(record=after), *writes)))

    # ── What agents do ──────────────────────────────────────────────────────────────────────────

    async def _claim(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        claimed = cases.claim(case, action.agent, now, lease(case, self._rules, now), action.at)
        fact = self._fact(Did.CLAIMED, claimed, action, now)
        answered, said = await self.speech.meant_for_customer(claimed, action, now)
        return answered, [*await self._silence_bot(case), fact, *said]

    async def _assign(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        if action.to is None:
            raise NotAllowed("Say whom to assign the case to.")
        assigned = cases.assign(case, action.to, now, lease(case, self._rules, now), action.at)
        fact = self._fact(Did.ASSIGNED, assigned, action, now, to=action.to.id)
        told = [] if action.to.id == action.agent.id else [self._entrusted(assigned, action, action.to, now)]
        return assigned, [*await self._silence_bot(case), fact, *told]

    def _entrusted(self, case: Case, action: AgentAction, to: Agent, now: datetime) -> Write:
        """Who did not take a case themselves has to hear that it is theirs."""
        note = f"{action.agent.name} assigned #{case.number} to {to.name}."
        return drafts.system_note(case, note, now, self._new_id, "owner")

    async def _release(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        released = self._waits(cases.release(case, now), now)
        return released, [self._fact(Did.RELEASED, released, action, now)]

    def _waits(self, case: Case, now: datetime) -> Case:
        """Nobody has it any more: whoever is on duty is called unless somebody takes it in time."""
        if case.state is not CaseState.WAITING or not on_duty(case, self._rules, now):
            return case
        return replace(case, remind_at=remind_at(case, self._rules, now))

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
        moved = self._waits(cases.move(case, action.department, now), now)
        fact = self._fact(Did.MOVED, moved, action, now, before=case.department)
        return moved, [fact]

    async def _relabel(self, case: Case, action: AgentAction, now: datetime) -> tuple[Case, list[Write]]:
        if not action.intent:
            raise NotAllowed("Say which intent it really was.")
        if action.message:
            await self.speech.line(case, action.message)
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
        changed, writes = self._timers.due(case, now)
        return isinstance(await self._write(case, changed, writes), Applied)

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
        why: drafts.Attributes = {"why": "left"}
        fact = drafts.entry(Did.RELEASED, released, now, self._new_id, actor="system", attributes=why)
        told = drafts.system_note(released, note, now, self._new_id, on_duty(released, self._rules, now))
        return isinstance(await self._write(case, released, [told, fact]), Applied)

    # ── What agents hear of what goes on elsewhere ──────────────────────────────────────────────

    def remarked(self, case: Case, text: str) -> list[Write]:
        """A line for the agents alone, wherever they look at the case."""
        return [drafts.system_note(case, text, self._clock(), self._new_id)]

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


def _made(writes: list[Write]) -> str:
    made = (
        write.record.id for write in writes if isinstance(write, Insert) and isinstance(write.record, Message)
    )
    return next(made, "")
