"""Posts: what a row puts on a desk, read when it is sent; and where it was put, to be found again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from bot.domain import drafts
from bot.domain.cases import Case
from bot.domain.customers import Customer
from bot.domain.desks import Card, Left, Mark, Story, ThreadPost, marks
from bot.domain.errors import Misconfigured, Unknown
from bot.domain.messages import Address, AuthorKind, Message
from bot.domain.outbox import UNSENT, OutboxRow, Posted, Posting, Receipt, posted_id, thread_id
from bot.domain.ports import (
    Capabilities,
    Clock,
    Desk,
    Insert,
    NewId,
    Payload,
    Query,
    Rate,
    Store,
    Update,
    Write,
)
from handoff.context import passport

TRANSCRIPT = 200  # messages a card is made from
PREVIOUS = 3  # earlier cases on a card
BEHIND = 100  # rows behind a card or a story that are looked at


class Rendered(Struct, frozen=True, kw_only=True):
    """Payloads, and what of the case they show: that is remembered when all of them are there."""

    payloads: tuple[Payload, ...] = ()
    case: Case | None = None
    marks: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    told: tuple[Message, ...] = ()  # lines of a story that came with files


NOTHING = Rendered()


class Posts:
    def __init__(
        self,
        store: Store,
        desks: Mapping[str, Desk],
        can: Callable[[Address], Capabilities],
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._store = store
        self._desks = desks
        self._can = can
        self._clock = clock
        self._new_id = new_id
        self._render: dict[Posting, Callable[[OutboxRow, Desk, Case], Awaitable[Rendered]]] = {
            Posting.CARD: self._card,
            Posting.STORY: self._story,
            Posting.THREAD: self._line,
            Posting.MARK: self._mark,
            Posting.LEFT: self._left,
        }
        self._remember: dict[Posting, Callable[[OutboxRow, Rendered], Awaitable[list[Write]]]] = {
            Posting.CARD: self._card_posted,
            Posting.STORY: self._story_told,
            Posting.THREAD: self._line_posted,
            Posting.MARK: self._marked,
        }

    def desk(self, row: OutboxRow) -> Desk:
        """Raises `Misconfigured`."""
        desk = self._desks.get(row.channel)
        if desk is None:
            raise Misconfigured(f"The desk {row.channel} is not configured any more.")
        return desk

    async def send(self, row: OutboxRow, payload: Payload) -> Receipt:
        return await self.desk(row).send(payload)

    async def rates(self, row: OutboxRow) -> tuple[Rate, ...]:
        case = await self._store.get(Case, row.case)
        if case is None:
            raise Unknown("The case was erased before it was shown.")
        return self.desk(row).rates(case, row.posting)

    def destination(self, row: OutboxRow) -> object:
        """What may be asked about a row in doubt. Raises `Misconfigured`."""
        return self.desk(row)

    async def rendered(self, row: OutboxRow) -> Rendered:
        """Nothing where the desk shows it already. Raises `Unknown`, `Misconfigured`."""
        case = await self._store.get(Case, row.case)
        if case is None:
            raise Unknown("The case was erased before it was shown.")
        return await self._render[row.posting](row, self.desk(row), case)

    async def posted(self, row: OutboxRow, rendered: Rendered) -> list[Write]:
        """What is to be remembered of a row whose payloads are all there."""
        remember = self._remember.get(row.posting)
        return await remember(row, rendered) if remember and rendered.case else []

    # ── Cards ───────────────────────────────────────────────────────────────────────────────────

    async def _card(self, row: OutboxRow, desk: Desk, case: Case) -> Rendered:
        known = await self._posted(row)
        stands = known and known.handoff == case.handoff_at and known.home == desk.home(case)
        receipt = known.receipt if known and stands else ""
        if receipt and await self._superseded(row):
            return NOTHING
        query = Query(kind=Message, equals={"case": case.id}, order="-seq", limit=TRANSCRIPT)
        transcript = tuple(reversed(await self._store.find(query)))
        before = Query(kind=Case, equals={"customer": case.customer}, order="-opened_at", limit=PREVIOUS + 1)
        window = self._can(case.address).window
        card = Card(
            case=case,
            transcript=transcript,
            passport=passport(case, transcript),
            previous=tuple(one for one in await self._store.find(before) if one.id != case.id)[:PREVIOUS],
            customer=await self._store.get(Customer, case.customer),
            deadline=case.customer_at + window if window else None,
            receipt=receipt,
        )
        return Rendered(payloads=desk.render(card), case=case)

    async def _superseded(self, row: OutboxRow) -> bool:
        """A later row updates the same card once more: one update shows both."""
        later = await self._behind(row)
        return any(one.posting is Posting.CARD for one in later)

    async def _card_posted(self, row: OutboxRow, rendered: Rendered) -> list[Write]:
        assert rendered.case is not None
        known, receipt, now = await self._posted(row), row.receipts[-1] if row.receipts else "", self._clock()
        if not receipt or (known and known.receipt == receipt):
            return []
        back = Posted(id=thread_id(row.channel, receipt), case=row.case, receipt=receipt, at=now)
        new = Posted(id=posted_id(row.channel, row.case), case=row.case, receipt=receipt, at=now)
        new = replace(new, handoff=rendered.case.handoff_at, home=self.desk(row).home(rendered.case))
        if known is None:
            return [Insert(record=new), Insert(record=back)]
        left = drafts.left(rendered.case, row.channel, known.receipt, now, self._new_id)
        here = Update(record=replace(new, told=known.told, moved=True, version=known.version))
        return [here, Insert(record=back), *([left] if known.receipt else [])]

    async def lost(self, row: OutboxRow) -> list[Write]:
        """The card or its channel is gone: another card is posted, and the story told under that."""
        known, case = await self._posted(row), await self._store.get(Case, row.case)
        if known is None or case is None or row.posting is Posting.LEFT:
            return []
        line = await self._posted(row, row.message) if row.posting is Posting.THREAD else None
        if line and line.receipt:  # perhaps only that line is gone, under a card that was left
            again = self._rows(row, case, Posting.THREAD)
            return [Update(record=replace(line, receipt="")), *again]
        anew = [write for one in (Posting.CARD, Posting.STORY) for write in self._rows(row, case, one)]
        return [Update(record=replace(known, receipt="", handoff=None, told="")), *anew]

    def _rows(self, row: OutboxRow, case: Case, posting: Posting) -> list[Write]:
        message = row.message if posting is Posting.THREAD else ""
        return drafts.posted(case, [row.channel], posting, self._clock(), self._new_id, message)

    async def unshown(self, row: OutboxRow, case: Case, why: str) -> list[Write]:
        """What the desk refused is said where it can be read; that it refuses to say so is said nowhere."""
        if row.posting not in (Posting.CARD, Posting.STORY, Posting.THREAD):
            return []
        message = await self._store.get(Message, row.message) if row.message else None
        if message and message.author.kind is AuthorKind.SYSTEM:
            return []
        told = (
            f"{row.channel.capitalize()} does not show all of #{case.number}: {why} All of it is at /console."
        )
        return [drafts.system_note(case, told, self._clock(), self._new_id)]

    async def _left(self, row: OutboxRow, desk: Desk, case: Case) -> Rendered:
        known = await self._posted(row)
        if known is None or not known.receipt:
            return NOTHING
        left = Left(case=case, receipt=row.about, card_receipt=known.receipt)
        return Rendered(payloads=desk.render(left), case=case)

    # ── What is under a card ────────────────────────────────────────────────────────────────────

    async def _story(self, row: OutboxRow, desk: Desk, case: Case) -> Rendered:
        """Everything said so far, but for the lines that come after it by themselves."""
        known = await self._posted(row)
        if known is None or not known.receipt or known.told == known.receipt:
            return NOTHING
        apart = {one.message for one in await self._behind(row) if one.posting is Posting.THREAD}
        query = Query(kind=Message, equals={"case": case.id}, order="-seq", limit=TRANSCRIPT)
        lines = tuple(one for one in reversed(await self._store.find(query)) if one.id not in apart)
        story = Story(case=case, transcript=lines, card_receipt=known.receipt)
        return Rendered(
            payloads=desk.render(story), case=case, told=tuple(one for one in lines if _files(one))
        )

    async def _story_told(self, row: OutboxRow, rendered: Rendered) -> list[Write]:
        """Files that came with it are there: a line of theirs that comes later brings them no second time."""
        known = await self._posted(row)
        files: list[Write] = []
        for message in rendered.told:
            line = await self._of_message(replace(row, message=message.id))
            files.append(_kept(replace(line, files=_files(message))))
        return [Update(record=replace(known, told=known.receipt)), *files] if known else []

    async def _line(self, row: OutboxRow, desk: Desk, case: Case) -> Rendered:
        known, message = await self._posted(row), await self._message(row)
        if known is None or not known.receipt:
            return NOTHING
        line = await self._posted(row, message.id)
        if not (line and line.receipt) and not message.ping and await self._is_in_the_story(row, known):
            return NOTHING
        post = ThreadPost(
            case=case,
            message=message,
            card_receipt=known.receipt,
            receipt=line.receipt if line else "",
            uploaded=line.files if line else (),
            closed=self._closed(case),
        )
        return Rendered(payloads=desk.render(post), case=case, files=_files(message))

    async def _is_in_the_story(self, row: OutboxRow, card: Posted) -> bool:
        """It is still to be told under this card, and will hold the line."""
        if card.told == card.receipt:
            return False
        return any(one.posting is Posting.STORY for one in await self._behind(row))

    def _closed(self, case: Case) -> bool:
        window = self._can(case.address).window
        return window is not None and self._clock() >= case.customer_at + window

    async def _line_posted(self, row: OutboxRow, rendered: Rendered) -> list[Write]:
        line = await self._of_message(row)
        first = row.receipts[0] if row.receipts else line.receipt
        receipt = first and (line.receipt or first)  # one that was removed has none
        return [_kept(replace(line, receipt=receipt, files=rendered.files))]

    async def _mark(self, row: OutboxRow, desk: Desk, case: Case) -> Rendered:
        message, line = await self._message(row), await self._of_message(row)
        due = marks(message)
        if due == line.marks:
            return NOTHING
        mark = Mark(case=case, message=message, due=due, shown=line.marks)
        return Rendered(payloads=desk.render(mark), case=case, marks=due)

    async def _marked(self, row: OutboxRow, rendered: Rendered) -> list[Write]:
        return [_kept(replace(await self._of_message(row), marks=rendered.marks))]

    # ── Reading ─────────────────────────────────────────────────────────────────────────────────

    async def _posted(self, row: OutboxRow, what: str = "") -> Posted | None:
        return await self._store.get(Posted, posted_id(row.channel, what or row.case))

    async def _of_message(self, row: OutboxRow) -> Posted:
        """What is known of a message's line and marks; a new record where that is nothing."""
        new = Posted(
            id=posted_id(row.channel, row.message), case=row.case, receipt="", at=self._clock(), version=-1
        )
        return await self._posted(row, row.message) or new

    async def _message(self, row: OutboxRow) -> Message:
        message = await self._store.get(Message, row.message)
        if message is None:
            raise Unknown("The message was erased before it was shown.")
        return message

    async def _behind(self, row: OutboxRow) -> list[OutboxRow]:
        equals = {"order_key": row.order_key, "state": UNSENT}
        query = Query(kind=OutboxRow, equals=equals, after={"seq": row.seq}, order="seq", limit=BEHIND)
        return await self._store.find(query)


def _files(message: Message) -> tuple[str, ...]:
    return tuple(one.file for one in message.attachments if one.file)


def _kept(posted: Posted) -> Write:
    return Insert(record=replace(posted, version=0)) if posted.version < 0 else Update(record=posted)
