"""What agents say: to the customer when they own the case, else to one another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from bot.domain import cases, drafts
from bot.domain.actions import AgentAction
from bot.domain.cases import Agent, Case, CaseState
from bot.domain.errors import NotAllowed, NotYet, Unknown
from bot.domain.journal import Did
from bot.domain.messages import Address, Author, AuthorKind, Direction, Message, MessageState
from bot.domain.outbox import WAITING, Destination, OutboxRow, Posting
from bot.domain.ports import Capabilities, Insert, NewId, Query, Store, Update, Write
from handoff.policy import HandoffRules, for_customer, lease

UNSENT_CASE = {MessageState.FAILED, MessageState.IN_DOUBT, MessageState.CANCELLED}
NOT_YET_SENT = (
    "This stayed internal: it was written before you claimed the case, or changed before we heard of it."
)
STAYS_A_NOTE = "This stays a note: an edit never sends. Write it anew for the customer."
LATEST = 50  # lines of a transcript in which something recent is looked for
Changed = tuple[Case, list[Write]]


class Speech:
    def __init__(
        self,
        store: Store,
        rules: Callable[[], HandoffRules],
        new_id: NewId,
        can: Callable[[Address], Capabilities],
    ) -> None:
        self._store = store
        self._rules = rules
        self._new_id = new_id
        self._can = can

    # ── Saying something ────────────────────────────────────────────────────────────────────────

    async def reply(self, case: Case, action: AgentAction, now: datetime) -> Changed:
        if not cases.may_speak(case, action.agent):
            raise NotAllowed(who_may_speak(case))
        if not action.text.strip() and not action.attachments:
            raise NotAllowed("The reply is empty; write something first.")
        if closed := self.closed(case, now):
            raise NotAllowed(closed)
        answered = cases.replied(case, now)
        writes = drafts.replied(
            answered,
            author(action.agent),
            action.text,
            action.attachments,
            now,
            self._new_id,
            reply_to=await self._quoted(case, action),
            written=action.written,
            written_at=action.at if action.written else None,
            undo_until=self._undo_until(action, now),
        )
        said = _as_old_as_it_is(writes, min(action.at, now)) if action.written else writes
        return answered, [*said, self._fact(Did.REPLIED, answered, action, now)]

    def _undo_until(self, action: AgentAction, now: datetime) -> datetime | None:
        undo = self._rules().undo.get(action.agent.desk)
        return now + undo if undo else None

    async def say(self, case: Case, action: AgentAction, now: datetime) -> Changed:
        """Words under a card. The owner's go to the customer, and wake the case if it sleeps; anybody else's,
        those from before the claim, and those that begin like a note or may have, stay with the agents.
        """
        meant, text = for_customer(action.text)
        meant = meant and for_customer(action.was)[0]
        goes = meant and _owned(case, action) and not action.reworded
        if goes and not self.closed(case, now):
            if case.state is CaseState.SNOOZED:
                case = cases.wake(case, now, lease(case, self._rules(), now))
            return await self.reply(case, replace(action, text=text), now)
        note = drafts.noted(
            case,
            author(action.agent),
            text,
            now,
            self._new_id,
            attachments=action.attachments,
            written=action.written,
            written_at=action.at,
            offered=meant,
        )
        told = (
            (*case.hinted, action.agent.id) if meant and action.agent.id not in case.hinted else case.hinted
        )
        return replace(case, hinted=told), [note, self._fact(Did.NOTED, case, action, now, offered=meant)]

    def stayed(self, case: Case, agent: Agent, now: datetime) -> str:
        """Why words that were meant for the customer stayed with the agents, in words for their author."""
        if case.state in cases.CLOSED:
            return (
                f"Case #{case.number} is {case.state}: this stayed internal. The customer can open it again."
            )
        if case.owner_id == agent.id:
            return self.closed(case, now) or NOT_YET_SENT
        return f"This stayed internal. {who_may_speak(case)}"

    def closed(self, case: Case, now: datetime) -> str:
        """Why the channel takes no reply now, and what it does take; empty while it does."""
        able = self._can(case.address)
        if able.window is None or now < case.customer_at + able.window:
            return ""
        instead = " ".join(able.beyond) or "They have to write first."
        return f"The reply window of {case.address.channel} is closed: this would not be delivered. {instead}"

    async def meant_for_customer(self, case: Case, action: AgentAction, now: datetime) -> Changed:
        """With a claim: the note it names, and what its author said after it where the two arrived swapped."""
        recent = Query(kind=Message, equals={"case": case.id}, order="-seq", limit=LATEST)
        lines = [one for one in await self._store.find(recent) if _is_offered(one, action)]
        if action.message and action.message not in {line.id for line in lines}:
            raise NotAllowed("This was sent or taken back already.")
        if not lines:
            return case, []
        if closed := self.closed(case, now):
            raise NotAllowed(closed)
        answered = cases.replied(case, now)
        until = self._undo_until(action, now)
        writes = [
            write
            for line in reversed(lines)
            for write in drafts.spoken(answered, replace(line, undo_until=until), now, self._new_id)
        ]
        return answered, [*writes, self._fact(Did.REPLIED, answered, action, now)]

    async def note(self, case: Case, action: AgentAction, now: datetime) -> Changed:
        if not action.text.strip():
            raise NotAllowed("The note is empty; write something first.")
        note = drafts.noted(case, author(action.agent), action.text, now, self._new_id)
        return case, [note, self._fact(Did.NOTED, case, action, now)]

    async def _quoted(self, case: Case, action: AgentAction) -> str:
        """The platform's id of the message an agent answers: the one they named, else in public the last."""
        if action.message:
            named = await self._store.get(Message, action.message)
            return named.external_id if named and named.case == case.id else ""
        if not case.address.public:
            return ""
        last = Query(kind=Message, equals={"case": case.id}, order="-seq", limit=LATEST)
        messages = await self._store.find(last)
        return next((one.external_id for one in messages if one.direction is Direction.IN), "")

    # ── Changing one's words ────────────────────────────────────────────────────────────────────

    async def edit(self, case: Case, action: AgentAction, now: datetime) -> Changed:
        """What waits goes out in its new words; what was sent is changed where the customer sees it.

        A note stays one, whatever becomes of its prefix; what has not gone out yet becomes one by it.
        """
        meant, text = for_customer(action.text)
        if not text.strip():
            raise NotAllowed("The new text is empty; delete the message instead.")
        message = await self._own(case, action)
        fact = self._fact(Did.EDITED, case, action, now, message=message.id)
        said = replace(message, text=text)
        if message.direction is Direction.NOTE:
            offered = message.offered and meant
            return case, [Update(record=replace(said, edited_at=now, offered=offered)), fact]
        if not meant:
            return await self._made_a_note(case, said, fact, now)
        row = await self._row(message)
        if case.owner and case.owner.id != action.agent.id:
            raise NotAllowed(who_may_speak(case))
        if row.state in UNSENT_CASE and row.posting is Posting.MESSAGE:
            return case, [Update(record=said), fact]
        if row.state in WAITING and row.posting is not Posting.DELETE:
            looked_at = replace(row, held=False, not_before=now) if row.held else row
            return case, [Update(record=looked_at), Update(record=_unheld(said)), fact]
        if not self._can(message.address).edits:
            return self._stays_as_it_is(case, action, message, now)
        shown = replace(said, state=MessageState.QUEUED, edited_at=now)
        return case, [Update(record=_once_more(row, Posting.EDIT, now)), Update(record=shown), fact]

    async def _made_a_note(self, case: Case, said: Message, fact: Write, now: datetime) -> Changed:
        rows = await self._rows(said)
        if not rows or not _goes_out(rows[0]):
            raise NotAllowed(
                "The customer may have it already, so it cannot become a note; delete it instead."
            )
        unsent = replace(rows[0], state=MessageState.CANCELLED, reason="made a note", held=False)
        note = replace(_unheld(said), direction=Direction.NOTE, role=None, state=MessageState.RECEIVED)
        note = replace(note, undo_until=None, edited_at=now)
        return await self._unanswered(case, said, now), [Update(record=unsent), Update(record=note), fact]

    async def _unanswered(self, case: Case, unsent: Message, now: datetime) -> Case:
        """The customer waits again when what was taken back unsent was all that anybody had said to them."""
        if case.waiting_since is not None or not case.is_open:
            return case
        recent = Query(kind=Message, equals={"case": case.id}, order="-seq", limit=LATEST)
        for line in await self._store.find(recent):
            if line.direction is Direction.IN:
                break
            if _is_reply(line) and line.id != unsent.id:
                return case
        held = lease(case, self._rules(), now) if case.state is CaseState.CLAIMED else None
        first = None if case.first_reply_at == unsent.at else case.first_reply_at
        return replace(case, waiting_since=case.customer_at, lease=held, first_reply_at=first)

    async def delete(self, case: Case, action: AgentAction, now: datetime) -> Changed:
        """What waits is not sent; what was sent is taken back, and stays in the transcript until it is gone."""
        message = await self._own(case, action)
        fact = self._fact(Did.DELETED, case, action, now, message=message.id)
        gone = replace(_unheld(message), text="", attachments=(), deleted_at=now)
        if message.direction is Direction.NOTE:
            return case, [Update(record=replace(gone, state=message.state, offered=False)), fact]
        row = await self._row(message)
        if _goes_out(row) or _never_went(row):
            unsent = replace(row, state=MessageState.CANCELLED, reason="taken back", held=False)
            return await self._unanswered(case, message, now), [
                Update(record=unsent),
                Update(record=replace(gone, state=MessageState.CANCELLED)),
                fact,
            ]
        if not self._can(message.address).deletes:
            return self._stays_as_it_is(case, action, message, now)
        shown = replace(message, state=MessageState.QUEUED)
        return case, [Update(record=_once_more(row, Posting.DELETE, now)), Update(record=shown), fact]

    async def send_now(self, case: Case, action: AgentAction, now: datetime) -> Changed:
        """Its author has looked: what waited for them goes out."""
        message = await self._own(case, action)
        row = await self._row(message)
        if row.state not in WAITING or row.posting is not Posting.MESSAGE:
            raise NotAllowed(f"The message is {row.state}; there is nothing that waits for you.")
        fact = self._fact(Did.RETRIED, case, action, now, message=message.id)
        going = replace(row, state=MessageState.QUEUED, held=False, not_before=now, created_at=now, reason="")
        return case, [Update(record=going), Update(record=_unheld(message)), fact]

    # ── What did not arrive ─────────────────────────────────────────────────────────────────────

    async def retry(self, case: Case, action: AgentAction, now: datetime) -> Changed:
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

    async def arrived(self, case: Case, action: AgentAction, now: datetime) -> Changed:
        message, row = await self._unsent(case, action.message)
        if row.state is not MessageState.IN_DOUBT:
            raise NotAllowed("Only a message in doubt can be confirmed by hand.")
        sent = replace(row, state=MessageState.SENT)
        fact = self._fact(Did.SENT, case, action, now, message=message.id, role=row.role, confirmed=True)
        return case, [Update(record=sent), Update(record=replace(message, state=MessageState.SENT)), fact]

    async def _unsent(self, case: Case, message_id: str) -> tuple[Message, OutboxRow]:
        message = await self.line(case, message_id)
        if message.direction is not Direction.OUT or message.deleted_at:
            raise NotAllowed("It was taken back or made a note meanwhile; write it anew for the customer.")
        rows = await self._rows(message)
        if not rows:
            raise Unknown(f"Message {message_id} is not one that we send.")
        if rows[0].state not in UNSENT_CASE:
            raise NotAllowed(f"The message is {rows[0].state}; there is nothing to send again.")
        return message, rows[0]

    # ── Finding ─────────────────────────────────────────────────────────────────────────────────

    async def line(self, case: Case, message_id: str) -> Message:
        """Raises `Unknown` for a message that is not in this case's transcript."""
        message = await self._store.get(Message, message_id)
        if message is None or message.case != case.id:
            which = f"no message {message_id}" if message_id else "many messages: say which one (`message`)"
            raise Unknown(f"Case #{case.number} has {which}.")
        return message

    async def _own(self, case: Case, action: AgentAction) -> Message:
        """An agent's own words. Raises `NotAllowed`, `Unknown`."""
        message = await self.line(case, action.message)
        if message.author.kind is not AuthorKind.AGENT or message.author.id != action.agent.id:
            raise NotAllowed("Only your own words can be changed.")
        if message.deleted_at:
            raise NotAllowed("There is nothing of it at the customer's that could be changed.")
        return message

    async def _row(self, message: Message) -> OutboxRow:
        """What carries a message. Raises `NotAllowed` where it cannot be changed, `NotYet` while it is handed over."""
        rows = await self._rows(message)
        if not rows:
            raise NotAllowed("There is nothing of it at the customer's that could be changed.")
        row = rows[0]
        if row.state is MessageState.IN_DOUBT:
            raise NotAllowed("It may have arrived; say first whether it did (Send again, It arrived).")
        settled = row.state in {MessageState.SENT, MessageState.FAILED}
        if not settled and not (row.state in WAITING and not row.parts_sent):
            underway = NotAllowed if row.state is MessageState.CANCELLED else NotYet
            raise underway(f"The message is {row.state}; look again in a moment.")
        return row

    async def _rows(self, message: Message) -> list[OutboxRow]:
        rows = await self._store.find(Query(kind=OutboxRow, equals={"message": message.id}))
        return [row for row in rows if row.destination is Destination.CHANNEL]

    def _stays_as_it_is(self, case: Case, action: AgentAction, message: Message, now: datetime) -> Changed:
        """A desk that shows something else by now than the customer has says so to everybody who looks.

        Raises `NotAllowed` where it shows what it showed.
        """
        if not action.written:
            raise NotAllowed("This channel cannot change what was sent; write another message.")
        told = f"This channel cannot change what was sent. The customer still reads: {message.text}"
        return case, [drafts.system_note(case, told, now, self._new_id)]

    def _fact(
        self, kind: Did, case: Case, action: AgentAction, now: datetime, **attributes: str | bool | None
    ) -> Write:
        facts: drafts.Attributes = {**attributes}
        return drafts.entry(
            kind,
            case,
            now,
            self._new_id,
            actor=action.agent.id,
            happened_at=action.at,
            attributes=facts,
        )


async def held(store: Store, case: Case, now: datetime, until: datetime) -> list[Write]:
    """The customer wrote while words to them could still be taken back: their author looks again first."""
    if case.state is not CaseState.CLAIMED:
        return []
    rows = await store.find(Query(kind=OutboxRow, equals={"case": case.id, "state": WAITING}))
    writes: list[Write] = []
    for row in rows:
        message = await store.get(Message, row.message) if row.by_agent and not row.held else None
        if message and message.undo_until and message.undo_until > now and row.posting is Posting.MESSAGE:
            shown = replace(
                message, held=True, state=MessageState.DEFERRED, reason="The customer wrote again."
            )
            writes += [Update(record=replace(row, held=True, not_before=until)), Update(record=shown)]
    return writes


def _is_offered(line: Message, action: AgentAction) -> bool:
    """Named by a claim, or said by the same agent after the claim by the desk's own clock."""
    if not line.offered or line.author.id != action.agent.id or line.deleted_at:
        return False
    swapped = line.written_at is not None and line.written_at > action.at
    return line.id == action.message or swapped


def _owned(case: Case, said: AgentAction) -> bool:
    """Whether it was theirs already when they said it: a claim may overtake what was said before."""
    return case.owner_id == said.agent.id and (case.claimed_at is None or said.at >= case.claimed_at)


def _as_old_as_it_is(writes: list[Write], at: datetime) -> list[Write]:
    """What a desk told hours later is old: it is not sent without its author's look."""
    return [
        replace(write, record=replace(write.record, created_at=at))
        if isinstance(write, Insert) and isinstance(write.record, OutboxRow)
        else write
        for write in writes
    ]


def _goes_out(row: OutboxRow) -> bool:
    """The customer has nothing of it yet."""
    return row.state in WAITING and row.posting is Posting.MESSAGE and not row.parts_sent


def _never_went(row: OutboxRow) -> bool:
    """It failed, and not as a change of what the customer has."""
    return row.state is MessageState.FAILED and row.posting is Posting.MESSAGE and not row.parts_sent


def _is_reply(line: Message) -> bool:
    if line.direction is not Direction.OUT or line.author.kind is not AuthorKind.AGENT:
        return False
    return line.deleted_at is None and line.state not in {MessageState.FAILED, MessageState.CANCELLED}


def _unheld(message: Message) -> Message:
    if not message.held:
        return message
    return replace(message, held=False, undo_until=None, state=MessageState.QUEUED, reason="")


def _once_more(row: OutboxRow, posting: Posting, now: datetime) -> OutboxRow:
    """The row that carried a message carries what becomes of it: its receipts say which one that is."""
    fresh = replace(row, state=MessageState.QUEUED, attempts=0, not_before=now, created_at=now, reason="")
    return replace(fresh, posting=posting, parts_sent=0, resent=False)


def author(agent: Agent) -> Author:
    return Author(kind=AuthorKind.AGENT, id=agent.id, name=agent.name)


def who_may_speak(case: Case) -> str:
    if case.owner is None:
        return f"Claim case #{case.number} first: only its owner speaks to the customer."
    return f"{case.owner.name} has case #{case.number}: add your text as a note, or claim the case after a release."
