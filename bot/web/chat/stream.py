"""What happens in a chat, as server-sent events whose ids are the feed's sequence.

Nothing is lost over a reconnect or between processes: subscribe, then read after the last id, drop doubles, and
read again now and then, since a broadcast is a hint. https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from datetime import timedelta
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from bot.domain.errors import StoreUnavailable
from bot.domain.messages import Attachment, Direction, FeedEntry, FeedKind, Message
from bot.domain.ports import Query, Store

REREAD = timedelta(seconds=15)
PAGE = 10  # feed entries read at once: each may hold a megabyte, and they are read on the loop
# Written at once, but for what one entry holds: nobody has to read what we keep for them.
PAGE_BYTES = 64 * 1024
STREAMS = 12  # of one customer; the newest win
WRITE_SECONDS = 30  # whoever does not read for so long is gone
RECONNECT = b"retry: 2000\n\n"
HEARTBEAT = b": still here\n\n"
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold events back
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

ClientId = Callable[[str], str]
Write = Callable[[bytes], Awaitable[None]]


class Hint(Struct, frozen=True):
    """What a broadcast says; without `typing` it says that the feed grew."""

    typing: str = ""


class Streams:
    """The open streams of this process."""

    def __init__(self) -> None:
        self._open: dict[str, list[asyncio.Event]] = {}

    @contextmanager
    def one(self, topic: str) -> Iterator[asyncio.Event]:
        """A stream while it is open; the event says that it has to end."""
        ended = asyncio.Event()
        mine = self._open.setdefault(topic, [])
        mine.append(ended)
        if len(mine) > STREAMS:
            mine.pop(0).set()
        try:
            yield ended
        finally:
            with suppress(ValueError):  # it was among the oldest and had to go
                mine.remove(ended)
            if not mine:
                self._open.pop(topic, None)

    def end_all(self) -> None:
        for ended in [event for events in self._open.values() for event in events]:
            ended.set()


class Feed:
    """One chat's feed from a position on."""

    def __init__(self, store: Store, topic: str, after: int, client_id: ClientId) -> None:
        self._store = store
        self._topic = topic
        self._after = after
        self._client_id = client_id
        self._most = PAGE

    async def rewind_if_ahead(self) -> None:
        """A position the feed has never had comes from another life of the store: begin again."""
        if self._after:
            query = Query(kind=FeedEntry, equals={"topic": self._topic}, order="-seq", limit=1)
            last = await self._store.find(query)
            if not last or last[0].seq < self._after:
                self._after = 0

    async def read(self) -> tuple[bytes, bool]:
        """The events after the position, one page of them at most, and whether there are more; moves on."""
        entries = await self._store.find(
            Query(
                kind=FeedEntry,
                equals={"topic": self._topic},
                after={"seq": self._after},
                order="seq",
                limit=self._most,
            )
        )
        messages = await self._messages(entries) if entries else {}
        frames, told = self._within(entries, messages)
        self._after = entries[told - 1].seq if entries else self._after
        more = told < len(entries) or len(entries) == self._most
        self._most = PAGE if told == len(entries) and len(frames) <= PAGE_BYTES else 1
        return frames, more

    async def write_all(self, write: Write) -> None:
        more = True
        while more:
            events, more = await self.read()
            if events:
                await write(events)

    def _within(self, entries: list[FeedEntry], messages: dict[str, Message]) -> tuple[bytes, int]:
        """As much of it as is written at once, and of how many entries that tells."""
        frames, size, told = [], 0, 0
        for told, frame in enumerate(self._frames(entries, messages), 1):  # noqa: B007  the last one counts
            frames.append(frame)
            size += len(frame)
            if size > PAGE_BYTES:
                break
        return b"".join(frames), told

    def _frames(self, entries: list[FeedEntry], messages: dict[str, Message]) -> Iterator[bytes]:
        """One for each entry. A message is shown as it is now, so what changed about it since needs no telling."""
        fresh = {entry.message for entry in entries if entry.kind is FeedKind.MESSAGE}
        for entry in entries:
            told = entry.kind is not FeedKind.MESSAGE and entry.message in fresh
            tells = entry.message in messages and not told
            yield _frame(entry, messages[entry.message], self._client_id) if tells else b""

    async def _messages(self, entries: list[FeedEntry]) -> dict[str, Message]:
        """As they are now. An erased message is not there; a note is not for customers, whatever a feed says."""
        ids = tuple({entry.message for entry in entries})
        found = await self._store.find(Query(kind=Message, equals={"id": ids}, limit=len(ids)))
        return {message.id: message for message in found if message.direction is not Direction.NOTE}


async def follow(feed: Feed, write: Write, hints: AsyncIterator[bytes], ended: asyncio.Event) -> None:
    """Until the stream has to end or nobody listens; what the store cannot say now is said at the next look."""
    with suppress(StoreUnavailable):
        await feed.write_all(write)
    async with aclosing(_wakes(hints, ended, REREAD)) as wakes:
        async for hint in wakes:
            typing = _typing(hint) if hint else ""
            if typing:
                await write(_event("typing", {"by": typing}))
                continue
            with suppress(StoreUnavailable):
                await feed.write_all(write)
            if hint is None:
                await write(HEARTBEAT)


async def _wakes(
    hints: AsyncIterator[bytes], ended: asyncio.Event, patience: timedelta
) -> AsyncGenerator[bytes | None]:
    """Each hint as it comes; None when there was none for a while."""
    ending = asyncio.ensure_future(ended.wait())
    hint = asyncio.ensure_future(
        anext(hints)
    )  # kept over a timeout: cancelling it would end the subscription
    try:
        while not ended.is_set():
            done, _ = await asyncio.wait(
                {hint, ending}, timeout=patience.total_seconds(), return_when=asyncio.FIRST_COMPLETED
            )
            if hint not in done:
                if not done:
                    yield None
                continue
            try:
                came = hint.result()
            except StopAsyncIteration:
                return
            hint = asyncio.ensure_future(anext(hints))
            yield came
    finally:
        for task in (hint, ending):
            task.cancel()
        await asyncio.gather(hint, ending, return_exceptions=True)


def _typing(hint: bytes) -> str:
    try:
        return msgspec.json.decode(hint, type=Hint).typing
    except msgspec.DecodeError:
        return ""


def _frame(entry: FeedEntry, message: Message, client_id: ClientId) -> bytes:
    data = shown(message, client_id) if entry.kind is FeedKind.MESSAGE else _changed(message)
    return _event(entry.kind, data, entry.seq)


def _event(kind: str, data: dict[str, Any], seq: int | None = None) -> bytes:
    head = b"" if seq is None else b"id: %d\n" % seq
    return head + b"event: %s\ndata: %s\n\n" % (kind.encode(), msgspec.json.encode(data))


def shown(message: Message, client_id: ClientId) -> dict[str, Any]:
    """A message as its customer may see it: no case, no intent, no reasons."""
    data = {
        "id": message.id,
        "direction": message.direction,
        "author": {"kind": message.author.kind, "name": message.author.name},
        "text": "" if message.deleted_at else message.text,
        "buttons": message.buttons,
        "question": message.question,
        "attachments": [] if message.deleted_at else [_file(message, file) for file in message.attachments],
        "state": message.state,
        "at": message.at,
    }
    if message.direction is Direction.IN:
        data["client_id"] = client_id(message.external_id)
    return data | _marks(message)


def _changed(message: Message) -> dict[str, Any]:
    text = {"text": message.text} if message.edited_at and not message.deleted_at else {}
    return {"id": message.id, "state": message.state} | text | _marks(message)


def _marks(message: Message) -> dict[str, Any]:
    marks = {"edited": message.edited_at, "deleted": message.deleted_at}
    return {name: True for name, at in marks.items() if at}


def _file(message: Message, file: Attachment) -> dict[str, Any]:
    return {
        "kind": file.kind,
        "name": file.name,
        "mime": file.mime,
        "size": file.size,
        "url": f"/chat/files/{file.file}?message={message.id}" if file.file else "",
    }


async def bounded_write(response: web.StreamResponse, data: bytes) -> None:
    """Piece by piece, so that little waits for who is slow; raises `TimeoutError` when the other side does not read."""
    for at in range(0, len(data), PAGE_BYTES):
        async with asyncio.timeout(WRITE_SECONDS):
            await response.write(data[at : at + PAGE_BYTES])
