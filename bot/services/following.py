"""Following: desks that keep copies hear of whatever changes in a case that people have or had.

What they have to hear follows from what is written, so no use case can forget it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from bot.domain import drafts
from bot.domain.cases import HUMAN, Case, CaseState
from bot.domain.messages import Direction, Message, MessageState
from bot.domain.outbox import OutboxRow, Posted, Posting, posted_id
from bot.domain.ports import Changes, Clock, Insert, NewId, Store, Update, Write

FATEFUL = (MessageState.FAILED, MessageState.IN_DOUBT)


class Following:
    def __init__(
        self, store: Store, copies: Callable[[], Sequence[str]], clock: Clock, new_id: NewId
    ) -> None:
        self._store = store
        self._copies = copies
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, changes: Changes) -> Changes:
        """The same with the rows that bring it to the desks; as it was where no desk keeps copies."""
        desks = self._copies()
        records = _written(changes) if desks else []
        ids = dict.fromkeys(id for record in records if (id := _case_of(record)))
        more = [write for id in ids for write in await self._of_case(id, records, desks)]
        return replace(changes, writes=(*changes.writes, *more)) if more else changes

    async def _of_case(self, id: str, records: Sequence[Struct], desks: Sequence[str]) -> list[Write]:
        before = await self._store.get(Case, id)
        after = next((one for one in records if isinstance(one, Case) and one.id == id), before)
        if after is None or not _is_shown(after):
            return []
        if before is None or not _is_shown(before) or _goes_elsewhere(before, after):
            return self._told_anew(after, records, desks)
        lines = [one for one in records if isinstance(one, Message) and one.case == id]
        rows = [write for line in lines for write in await self._of_line(after, line, records, desks)]
        if _look(before) == _look(after) and not [line for line in lines if await self._is_heard(line)]:
            return rows
        return [*self._rows(after, _without_card(after, records, desks), Posting.CARD), *rows]

    async def _is_heard(self, line: Message) -> bool:
        """The customer said, changed or took back something: the card shows their last words."""
        if line.direction is not Direction.IN:
            return False
        before = await self._store.get(Message, line.id)
        return before is None or _words(before) != _words(line)

    def _told_anew(self, case: Case, records: Sequence[Struct], desks: Sequence[str]) -> list[Write]:
        """A card of its own and the story under it; what is written along is part of that, but for calls.

        Where the card that is there still stands, no story is told: then it follows line by line.
        """
        cards = self._rows(case, _without_card(case, records, desks), Posting.CARD)
        along = [one for one in records if isinstance(one, Message) and one.case == case.id]
        lines, calls = (
            [row for one in along if bool(one.ping) is calls for row in self._told_by(case, one, desks)]
            for calls in (False, True)
        )
        return [*cards, *lines, *self._rows(case, desks, Posting.STORY), *calls]

    def _told_by(self, case: Case, line: Message, desks: Sequence[str]) -> list[Write]:
        return self._rows(case, desks, Posting.THREAD, line.id)

    async def _of_line(
        self, case: Case, line: Message, records: Sequence[Struct], desks: Sequence[str]
    ) -> list[Write]:
        here = [desk for desk in desks if line.written.startswith(f"{desk}:")]
        elsewhere = [
            desk
            for desk in desks
            if desk not in here and not _has_row(records, desk, Posting.THREAD, line.id)
        ]
        before = await self._store.get(Message, line.id)
        if before is not None and _face(before) == _face(line):
            elsewhere = []
        fates = [
            desk
            for desk in here
            if line.state in FATEFUL
            or line.held
            or line.undo_until
            or await self._has_line(desk, line)
            or await self._has_moved(desk, case)
        ]
        marked = (
            here if before is None or before.state != line.state or before.direction != line.direction else []
        )
        return [
            *self._rows(case, marked, Posting.MARK, line.id),
            *self._rows(case, [*elsewhere, *fates], Posting.THREAD, line.id),
        ]

    async def _has_line(self, desk: str, line: Message) -> bool:
        known = await self._store.get(Posted, posted_id(desk, line.id))
        return known is not None and bool(known.receipt)

    async def _has_moved(self, desk: str, case: Case) -> bool:
        """Who writes under an earlier card is to be read under the one that stands for the case now."""
        card = await self._store.get(Posted, posted_id(desk, case.id))
        return card is not None and card.moved

    def _rows(self, case: Case, desks: Sequence[str], posting: Posting, message: str = "") -> list[Write]:
        return drafts.posted(case, desks, posting, self._clock(), self._new_id, message)


def _written(changes: Changes) -> list[Struct]:
    return [write.record for write in changes.writes if isinstance(write, Insert | Update)]


def _case_of(record: Struct) -> str:
    if isinstance(record, Case):
        return record.id
    return record.case if isinstance(record, Message) else ""


def _is_shown(case: Case) -> bool:
    """People have it, had it, or got it from the bot and gave it back."""
    if case.state in HUMAN:
        return True
    return case.handoff is not None if case.state is CaseState.BOT else case.had_person


def _goes_elsewhere(before: Case, after: Case) -> bool:
    """Another handoff, or another department's channel."""
    return before.handoff_at != after.handoff_at or before.department != after.department


def _look(case: Case) -> tuple[object, ...]:
    """What a card shows of a case."""
    owner = case.owner.id if case.owner else ""
    facts = (case.intent, case.urgency.level, case.language, tuple(case.slots.items()), len(case.matters))
    times = (case.waiting_since is None, case.snoozed_until, case.customer_at, case.resolved_at)
    return case.state, owner, case.department, case.outcome, case.promise_broken, facts, times


def _face(line: Message) -> tuple[object, ...]:
    """What a line under a card shows of a message."""
    files = tuple((one.file, one.missing) for one in line.attachments)
    bad = line.state if line.state in (*FATEFUL, MessageState.DEFERRED, MessageState.CANCELLED) else None
    return (
        line.text,
        files,
        bad,
        line.reason if bad else "",
        line.reaction,
        bool(line.deleted_at),
        line.edited_at,
    )


def _words(line: Message) -> tuple[object, ...]:
    return line.text, bool(line.deleted_at)


def _without_card(case: Case, records: Sequence[Struct], desks: Sequence[str]) -> list[str]:
    return [desk for desk in desks if not _has_row(records, desk, Posting.CARD, case=case.id)]


def _has_row(
    records: Sequence[Struct], desk: str, posting: Posting, message: str = "", case: str = ""
) -> bool:
    rows = (one for one in records if isinstance(one, OutboxRow) and one.posting is posting)
    return any(row.channel == desk and row.message == message and case in {"", row.case} for row in rows)
