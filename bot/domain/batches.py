"""Which of the events that wait in a lane are answered as one, and how they read: pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from bot.domain.messages import Event, EventKind, Inbound

LARGE = 200_000  # characters and bytes; who wrote as much at once is answered bit by bit, or no store could write it


def weight(events: Sequence[Event]) -> int:
    """Of what was written, and of the platform's payload as it came."""
    return sum(len(event.inbound.text) + memoryview(event.inbound.raw).nbytes for event in events)


def together(events: Sequence[Event]) -> list[Event]:
    """The messages at the head of a lane that are answered as one; anything else goes alone."""
    head = events[0]
    if head.inbound.kind is not EventKind.MESSAGE or head.attempts:
        return [head]
    batch: list[Event] = []
    for event in events:
        same_chat = event.inbound.address == head.inbound.address
        if event.inbound.kind is not EventKind.MESSAGE or not same_chat or event.attempts:
            break
        if batch and weight([*batch, event]) > LARGE:
            break
        batch.append(event)
    return batch


def as_lines(batch: Sequence[Event]) -> list[Event]:
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
