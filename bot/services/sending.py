"""Sending: the outbox, in order per destination, with every failure visible."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog
from msgspec.structs import replace

from bot import metrics
from bot.domain import drafts
from bot.domain.cases import Case, Reason
from bot.domain.errors import (
    ChatMoved,
    Misconfigured,
    RecipientUnreachable,
    SendDeferred,
    SendError,
    SendInDoubt,
    SendRejected,
    StoreUnavailable,
    Unknown,
)
from bot.domain.journal import Did
from bot.domain.messages import Message, MessageState, Role
from bot.domain.outbox import CHANGING, UNSENT, Destination, OutboxRow, Posting, Receipt
from bot.domain.ports import (
    Applied,
    Changes,
    Clock,
    Commit,
    Connector,
    Finds,
    Later,
    NewId,
    Pace,
    Query,
    Store,
    Update,
    Write,
)
from bot.services.alarms import Alarms
from bot.services.letters import Letters
from bot.services.line import Line
from bot.services.posts import NOTHING, Posts, Rendered
from handoff.takeover import Takeover

log = structlog.get_logger()

ATTEMPTS = 9  # about twenty minutes with the backoff below
BACKOFF_CAP = 300.0  # seconds
TRIES = 5  # a message's receipts or a busy case may be faster a few times
CLOCKS_DIFFER = timedelta(minutes=1)  # a row from further ahead was made before the clock was set back
FROZEN = timedelta(
    seconds=15
)  # less than a lease lasts: who stood still for longer asks whether it is still theirs
PATIENCE = 1.0  # seconds a row may hold its place while its rate is used up
LONG = timedelta(minutes=1)  # whoever waits longer for their words to go out is told until when
BEHIND = 50  # rows behind a held one that are looked at
WAITED = "It waited too long to be sent without a look."
TOO_LONG = "That is longer than it may wait; look whether it is still right, and send it again."
STAYED = "The conversation has moved, and what was sent before stayed behind: it cannot be changed any more."


class Sending:
    """Works on one order key at a time, under its lease: nobody else sends to this chat or thread."""

    def __init__(
        self,
        *,
        store: Store,
        commit: Commit,
        connectors: Mapping[tuple[str, str], Connector],
        posts: Posts,
        alarms: Alarms,
        takeover: Takeover,
        pace: Pace,
        clock: Clock,
        new_id: NewId,
        stale: timedelta,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._commit = commit
        self._letters = Letters(store, connectors)
        self._posts = posts
        self._alarms = alarms
        self._takeover = takeover
        self._pace = pace
        self._line = Line()
        self._clock = clock
        self._new_id = new_id
        self._stale = stale
        self._chance = chance

    async def work(self, order_key: str) -> Later | None:
        """Send what is due under this key; says when to come back if something has to wait."""
        while True:
            row = await self._next(order_key)
            if row is None:
                return None
            wait = row.not_before - self._clock()
            if wait > timedelta() and row.created_at <= self._clock() + CLOCKS_DIFFER:
                if wait > LONG and row.state is MessageState.DEFERRED:
                    await self._hold_behind(row)
                return Later(delay=wait)
            later = await self._one(row)
            if later is not None:
                return later

    async def _next(self, order_key: str) -> OutboxRow | None:
        """The oldest; one that waits for its author to look lets pass what was said after it."""
        equals = {"order_key": order_key, "state": UNSENT}
        rows = await self._store.find(Query(kind=OutboxRow, equals=equals, order="seq", limit=1))
        if not rows or not rows[0].held or rows[0].not_before <= self._clock():
            return rows[0] if rows else None
        rows = await self._store.find(Query(kind=OutboxRow, equals=equals, order="seq", limit=BEHIND))
        going = (row for row in rows if not row.held)
        return next(going, min(rows, key=lambda row: row.not_before))

    async def _one(self, row: OutboxRow) -> Later | None:
        try:
            return await self._handled(row)
        except Unknown as error:
            await self._erased(row, error)
            return None

    async def _handled(self, row: OutboxRow) -> Later | None:
        if row.state is MessageState.SENDING:  # we hold the lease, so whoever was sending it is gone
            return await self._resolve_doubt(row)
        if self._too_old(row):
            return await self._give_up_on_old(row)
        if busy := await self._busy(row):
            return busy
        try:
            sending = await self._moved(row, MessageState.SENDING)
            return await self._deliver(sending) if sending else None
        finally:
            self._line.counted(row.order_key)

    async def _busy(self, row: OutboxRow) -> Later | None:
        """A row whose rate is used up for a while makes room for others, urgent ones first."""
        try:
            rates = await self._way(row).rates(row)
            expected = await self._pace.expected(rates)
        except (SendError, Unknown):
            return None  # said where it is handed over
        wait = self._line.wait(row.order_key, rates, expected, PATIENCE, urgent=row.urgent)
        return Later(delay=timedelta(seconds=wait), urgent=row.urgent) if wait else None

    async def _paced(self, row: OutboxRow) -> None:
        wait = await self._pace.reserve(await self._way(row).rates(row))
        self._line.counted(row.order_key)
        await asyncio.sleep(wait)

    # ── One row ─────────────────────────────────────────────────────────────────────────────────

    async def _deliver(self, row: OutboxRow) -> Later | None:
        """Hand every part over; what happens then is decided by the type of the error."""
        seen = self._clock()
        try:
            if row.posting in CHANGING:
                await self._paced(row)
                await self._letters.change(row)
            rendered = NOTHING if row.posting in CHANGING else await self._way(row).rendered(row)
            payloads = rendered.payloads
            receipts = list(row.receipts)
            for payload in payloads[row.parts_sent :]:
                await self._paced(row)
                if self._clock() - seen > FROZEN:
                    row = await self._kept(row)
                receipt, seen = await self._way(row).send(row, payload), self._clock()
                receipts.append(receipt.external_id)
                row = replace(row, parts_sent=row.parts_sent + 1, receipts=tuple(receipts))
                if len(payloads) > row.parts_sent:  # the last part is recorded with the end
                    row = await self._kept(row)
        except StoreUnavailable:
            raise  # the row stays `sending`: whoever takes it next asks whether it arrived
        except (SendError, Unknown) as error:
            return await self._not_sent(row, error)
        except Exception as error:
            log.exception("send.broke", row=row.id, channel=row.channel)
            return await self._deferred(row, SendDeferred(f"internal error ({type(error).__name__})"))
        await self._sent(row, rendered)
        return None

    async def _not_sent(self, row: OutboxRow, error: SendError | Unknown) -> Later | None:
        if row.destination is Destination.DESK and isinstance(error, SendRejected):
            return await self._not_posted(row, error)
        if isinstance(error, SendDeferred):
            return await self._deferred(row, error)
        if isinstance(error, SendInDoubt):
            return await self._resolve_doubt(row)
        if isinstance(error, ChatMoved):
            return await self._redirected(row, error)
        await self._failed(row, str(error), error if isinstance(error, SendError) else None)
        return None

    async def _erased(self, row: OutboxRow, error: Unknown) -> None:
        """What was erased is nobody's to send, and no fact is written about a case that is gone."""
        await self._settle(replace(row, reason=str(error)), MessageState.CANCELLED, str(error), [])

    async def _not_posted(self, row: OutboxRow, error: SendRejected) -> Later | None:
        """A desk that an operator has to mend gets everything later, in order; a card that is gone comes anew."""
        if isinstance(error, Misconfigured):
            await self._alarms.sound(row.channel, error.reason)
            return await self._deferred(row, SendDeferred(error.reason))
        if isinstance(error, RecipientUnreachable):
            anew = await self._posts.lost(row)
            await self._settle(replace(row, reason=error.reason), MessageState.CANCELLED, error.reason, anew)
            return None
        await self._unshown(row, error)
        return None

    async def _unshown(self, row: OutboxRow, error: SendRejected) -> None:
        """Nobody at the desk sees it: the case says so, and where it has no card the operator hears of it."""
        case = await self._case(row)
        if row.posting is Posting.CARD and case.is_open:
            await self._alarms.sound(_card_of(row, case), f"It has no card that is right: {error.reason}")
        elif row.posting is Posting.CARD:
            await self._alarms.clear(_card_of(row, case))
        await self._failed(row, str(error), error, *await self._posts.unshown(row, case, error.reason))

    def _way(self, row: OutboxRow) -> Letters | Posts:
        return self._letters if row.destination is Destination.CHANNEL else self._posts

    async def _case(self, row: OutboxRow) -> Case:
        return await self._takeover.case(row.case)

    # ── What became of it ───────────────────────────────────────────────────────────────────────

    async def _sent(self, row: OutboxRow, rendered: Rendered) -> None:
        row = replace(row, reason="")
        if row.posting in CHANGING:
            await self._settle(row, MessageState.SENT, "", [])
            return
        metrics.SENT.labels(row.channel).inc()
        metrics.SENDING.labels(row.channel).observe((self._clock() - row.created_at).total_seconds())
        if row.destination is Destination.DESK:
            if rendered.payloads:  # what needed nothing proves nothing
                await self._alarms.clear(row.channel)
            if rendered.payloads and rendered.case and row.posting is Posting.CARD:
                await self._alarms.clear(_card_of(row, rendered.case))
            await self._settle(row, MessageState.SENT, "", await self._posts.posted(row, rendered))
            return
        facts: drafts.Attributes = {"role": row.role, "message": row.message, "resent": row.resent}
        external = row.receipts[-1] if row.receipts else ""
        await self._settle(row, MessageState.SENT, "", [await self._fact(Did.SENT, row, facts)], external)

    async def _deferred(self, row: OutboxRow, error: SendDeferred, *facts: Write) -> Later | None:
        attempts = row.attempts + 1
        if attempts >= ATTEMPTS and row.destination is Destination.CHANNEL:
            await self._failed(row, f"{error.reason} (tried {attempts} times)", None)
            return None
        delay = self._delay(error, attempts)
        if delay > self._left(row):
            return await self._give_up_on_old(row, f"{error.reason} {TOO_LONG}")
        metrics.RETRIED.labels(row.channel).inc()
        until = self._clock() + delay
        reason = error.reason if delay <= LONG else f"{error.reason} {self._takeover.goes_out(until)}"
        again = replace(row, attempts=attempts, not_before=until, reason=reason)
        why: drafts.Attributes = {"error": type(error).__name__, "message": row.message, "attempts": attempts}
        waits = await self._fact(Did.DEFERRED, row, why)
        told = await self._told(row, reason) if delay > LONG and row.by_agent else []
        await self._settle(again, MessageState.DEFERRED, reason, [waits, *told, *facts])
        return Later(delay=delay)

    async def _told(self, row: OutboxRow, reason: str) -> list[Write]:
        """A person who thinks they have answered has to hear that the customer does not read it yet."""
        return self._takeover.remarked(await self._case(row), reason)

    def _left(self, row: OutboxRow) -> timedelta:
        """How long a row may still wait: whoever wrote it hears at once that the platform asks for more."""
        if row.destination is not Destination.CHANNEL:
            return timedelta.max
        return max(row.created_at + self._stale - self._clock(), timedelta())

    async def _hold_behind(self, held: OutboxRow) -> None:
        """What a person wrote after a held row waits as long, and says so rather than look as if it were going."""
        equals = {"order_key": held.order_key, "state": MessageState.QUEUED}
        for row in await self._store.find(Query(kind=OutboxRow, equals=equals, order="seq", limit=BEHIND)):
            if row.by_agent:
                await self._settle(replace(row, reason=held.reason), MessageState.DEFERRED, held.reason, [])

    def _delay(self, error: SendDeferred, attempts: int) -> timedelta:
        """As the platform says, else exponential, with jitter so that many rows do not come back at once."""
        if error.retry_after is not None:
            return error.retry_after
        grown = min(BACKOFF_CAP, 2.0 ** min(attempts, ATTEMPTS))
        return timedelta(seconds=grown * (0.5 + self._chance() / 2))

    async def _redirected(self, row: OutboxRow, error: ChatMoved) -> Later | None:
        """The platform gave the conversation another id: everything to come goes there, this row first."""
        if row.attempts + 1 >= ATTEMPTS:
            await self._failed(row, error.reason, error)
            return None
        message = await self._letters.message(row)
        moved = await self._letters.moved(await self._case(row), message, error.chat)
        if row.posting in CHANGING:  # ids of messages count within their chat: it would be refused for ever
            await self._commit(Changes(writes=tuple(moved)))
            await self._failed(row, STAYED, error)
            return None
        again = replace(row, state=MessageState.DEFERRED, attempts=row.attempts + 1, not_before=self._clock())
        here_now = Update(record=replace(message, address=replace(message.address, chat=error.chat)))
        outcome = await self._commit(Changes(writes=(Update(record=again), here_now, *moved)))
        if not isinstance(outcome, Applied):  # a customer who writes just now; the same again in a moment
            return await self._deferred(row, SendDeferred(error.reason, timedelta(seconds=1)))
        return None

    async def _failed(self, row: OutboxRow, reason: str, error: SendError | None, *more: Write) -> None:
        """Visible to whoever must know: in the transcript with the reason, and a bot's case goes to a person."""
        metrics.FAILED.labels(row.channel).inc()
        kind = type(error).__name__ if error else "GaveUp"
        log.warning("send.failed", row=row.id, channel=row.channel, error=kind)
        facts: drafts.Attributes = {"error": kind, "message": row.message, "destination": row.destination}
        fact = await self._fact(Did.FAILED, row, facts)
        extra = [
            fact,
            *more,
            *(await self._letters.unreachable(row) if isinstance(error, RecipientUnreachable) else []),
        ]
        answers = row.destination is Destination.CHANNEL and row.role in {Role.ANSWER, Role.ASK}
        calls = Reason.SEND_FAILED if answers else None
        await self._settle(replace(row, reason=reason), MessageState.FAILED, reason, extra, calls=calls)

    # ── In doubt and too late ───────────────────────────────────────────────────────────────────

    async def _resolve_doubt(self, row: OutboxRow) -> Later | None:
        """It may have arrived: ask where one can ask, repeat a bot's answer once, let an agent decide."""
        if row.posting in CHANGING:  # doing it twice is doing it once
            return await self._deferred(row, SendDeferred("It may not have been changed."))
        destination = self._way(row).destination(row)
        if not isinstance(destination, Finds):
            return await self._guess(row)
        try:
            rendered = await self._way(row).rendered(row)
            payloads = rendered.payloads
            if not payloads:
                await self._sent(row, rendered)
                return None
            part = min(row.parts_sent, len(payloads) - 1)
            receipt = await destination.find(payloads[part])
        except SendDeferred as error:
            return await self._ask_later(row, error)
        except (SendError, Unknown) as error:
            if row.destination is Destination.DESK and isinstance(error, Misconfigured):
                await self._alarms.sound(row.channel, error.reason)
                return await self._ask_later(row, SendDeferred(error.reason))
            return await self._guess(row)
        if receipt is None:
            at_once = None if row.attempts else timedelta()
            return await self._deferred(
                row, SendDeferred("It had not arrived.", at_once), await self._doubt(row)
            )
        return await self._arrived(row, receipt, rendered)

    async def _guess(self, row: OutboxRow) -> Later | None:
        """Nobody can say: a bot's words are worth a second time, a person's are the person's to repeat."""
        doubt = await self._doubt(row)
        if row.destination is Destination.DESK:  # a line too many is better than a thread that stays silent
            return await self._deferred(
                replace(row, resent=True), SendDeferred("It may have arrived."), doubt
            )
        if row.by_agent or row.resent:
            await self._settle(row, MessageState.IN_DOUBT, "It may have arrived.", [doubt])
            return None
        again = replace(row, attempts=row.attempts + 1, not_before=self._clock(), resent=True)
        await self._settle(again, MessageState.DEFERRED, "", [doubt])
        return None

    async def _ask_later(self, row: OutboxRow, error: SendDeferred) -> Later | None:
        """The row stays `sending`, so that nothing is sent before the platform has said what it knows.

        A desk is asked until it answers: what is posted there comes late rather than twice.
        """
        attempts = row.attempts + 1
        if attempts >= ATTEMPTS and row.destination is Destination.CHANNEL:
            return await self._guess(row)
        delay = self._delay(error, attempts)
        again = replace(row, attempts=attempts, not_before=self._clock() + delay)
        await self._settle(again, MessageState.SENDING, error.reason, [])
        return Later(delay=delay)

    async def _arrived(self, row: OutboxRow, receipt: Receipt, rendered: Rendered) -> Later | None:
        """This part is there; the parts after it still have to be sent."""
        receipts = (*row.receipts, receipt.external_id)
        known = replace(row, parts_sent=row.parts_sent + 1, receipts=receipts, not_before=self._clock())
        if known.parts_sent < len(rendered.payloads):
            await self._settle(known, MessageState.DEFERRED, "", [])
        else:
            await self._sent(known, rendered)
        return None

    async def _doubt(self, row: OutboxRow) -> Write:
        return await self._fact(Did.DOUBTED, row, {"message": row.message, "role": row.role})

    async def _fact(self, kind: Did, row: OutboxRow, facts: drafts.Attributes, actor: str = "") -> Write:
        case, now = await self._case(row), self._clock()
        return drafts.entry(kind, case, now, self._new_id, actor=actor or _actor(row), attributes=facts)

    def _too_old(self, row: OutboxRow) -> bool:
        """Cards are always worth posting; words to a customer are not, hours later."""
        return row.destination is Destination.CHANNEL and self._clock() - row.created_at > self._stale

    async def _give_up_on_old(self, row: OutboxRow, reason: str = WAITED) -> Later | None:
        if row.by_agent:
            await self._failed(row, reason, None)
            return None
        facts: drafts.Attributes = {"message": row.message, "why": "stale"}
        fact = await self._fact(Did.CANCELLED, row, facts, actor="system")
        old = replace(row, reason=reason)
        await self._settle(old, MessageState.CANCELLED, reason, [fact], calls=Reason.STALE)
        return None

    # ── Writing it down ─────────────────────────────────────────────────────────────────────────

    async def _moved(self, row: OutboxRow, state: MessageState) -> OutboxRow | None:
        """Take the row; None when it was cancelled or taken meanwhile."""
        moved = replace(row, state=state)
        outcome = await self._store.apply(Changes(writes=(Update(record=moved),)))
        return replace(moved, version=row.version + 1) if isinstance(outcome, Applied) else None

    async def _kept(self, row: OutboxRow) -> OutboxRow:
        outcome = await self._store.apply(Changes(writes=(Update(record=row),)))
        if not isinstance(outcome, Applied):
            raise SendInDoubt("Somebody else works on this row.")
        return replace(row, version=row.version + 1)

    async def _settle(
        self,
        row: OutboxRow,
        state: MessageState,
        reason: str,
        extra: list[Write],
        external: str = "",
        calls: Reason | None = None,
    ) -> None:
        """The row's new state, its message's and the handoff it calls for, in one transaction.

        Receipts may have moved the message on, and others the case: then once more with what is known now.
        Raises `StoreUnavailable` when that goes on and on; the row stays `sending`, in doubt.
        """
        for _ in range(TRIES):
            message = await self._store.get(Message, row.message) if row.message else None
            writes: list[Write] = [Update(record=replace(row, state=state)), *extra]
            if message and row.destination is Destination.CHANNEL:
                shown = replace(message, state=_later(message.state, state), reason=reason)
                if row.posting is Posting.DELETE and state is MessageState.SENT:
                    shown = replace(shown, text="", attachments=(), buttons=(), deleted_at=self._clock())
                writes.append(Update(record=replace(shown, external_id=external or message.external_id)))
            if calls:
                writes += await self._takeover.handed_off(row.case, calls, reason)
            outcome = await self._commit(Changes(writes=tuple(writes)))
            if isinstance(outcome, Applied) or getattr(outcome, "kind", None) is OutboxRow:
                return
        raise StoreUnavailable(f"What became of outbox row {row.id} could not be stored; try again.")


def _actor(row: OutboxRow) -> str:
    return "agent" if row.by_agent else "bot"


def _card_of(row: OutboxRow, case: Case) -> str:
    """An alarm of its own: the next case's card says nothing about this one's."""
    return f"{row.channel} #{case.number}"


def _later(known: MessageState, new: MessageState) -> MessageState:
    """A delivery receipt may be faster than our own note that it was sent."""
    return known if new is MessageState.SENT and known in {MessageState.DELIVERED, MessageState.READ} else new
