"""The parts of Block Kit that messages and views are made of; what a customer wrote is literal text in all of them.

Rich text shows its text as it stands: nothing in it mentions, links or formats. Slack counts UTF-16 units.
https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from bot.domain.ports import Payload
from handoff.desks.slack.look import Look
from handoff.desks.slack.markup import escape

Part = dict[str, Any]

HEADER, SECTION, CONTEXT, BUTTON = 150, 3000, 2000, 75
NOTICE = 300  # of the words a notification shows
PIECE = 2900  # units of one text inside a longer one
MESSAGE_BYTES = 11_000  # of a message's blocks: Slack refuses more than about 13,000 without saying how many
EVENT = "switchboard"
AGE = "{date_short_pretty}, {time} ({ago})"  # https://docs.slack.dev/reference/block-kit/block-elements/date-element

ELLIPSIS, JOINER, KEEP_APART = "…", "\u200d", "\u2060"
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u202a-\u202e\u2066-\u2069\ufeff]")
ALIVE = re.compile(r"<(?=[!@#/a-zA-Z])|\|(?=https?:)")  # what is markup elsewhere
LONGEST_CLUSTER = 64
SPARE = 8  # times the room that is looked at for a line, since blanks are left out


# ── Words ───────────────────────────────────────────────────────────────────────────────────────


def clean(text: str) -> str:
    """Without what cannot be shown, what turns the text around it, and what could be taken for markup."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return ALIVE.sub(rf"\g<0>{KEEP_APART}", UNSEEN.sub("", re.sub(r"\r\n?", "\n", whole)))


def units(text: str) -> int:
    """As Slack counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _size(text: str) -> int:
    return len(text.encode())


def cut(text: str, most: int, size: Callable[[str], int] = units) -> str:
    """As much as there is room for, with an ellipsis; an emoji of several characters is not cut through."""
    if size(text) <= most:
        return text
    return text[: _fitting(text, most - size(ELLIPSIS), size)].rstrip() + ELLIPSIS


def cut_bytes(text: str, most: int) -> str:
    """`text` is clean."""
    return cut(text, most, _size)


def one_line(text: str, most: int) -> str:
    """The beginning, without line breaks; of a very long text the rest is not even looked at."""
    near = text[: SPARE * most]
    line = " ".join(clean(near).split())
    return cut(line if len(near) == len(text) else line + ELLIPSIS, most)


def pieces(text: str, most: int = PIECE) -> list[str]:
    """The whole text, in parts that each have room in one element."""
    found: list[str] = []
    while units(text) > most:
        end = _fitting(text, most, units) or most
        found.append(text[:end])
        text = text[end:]
    return [*found, text] if text else found


def _fitting(text: str, room: int, size: Callable[[str], int]) -> int:
    end = 0
    for end, char in enumerate(text):  # noqa: B007  the place where it stopped is what is asked for
        room -= size(char)
        if room < 0:
            break
    border = end
    while border > 0 and end - border < LONGEST_CLUSTER and _belong_together(text, border):
        border -= 1
    return border if border and not _belong_together(text, border) else end


def _belong_together(text: str, at: int) -> bool:
    """Whether the characters before and at a place are one to the reader."""
    char = text[at]
    if text[at - 1] == JOINER or char == JOINER or 0x1F3FB <= ord(char) <= 0x1F3FF:
        return True
    if 0xE0020 <= ord(char) <= 0xE007F or unicodedata.category(char) in {"Mn", "Me"}:
        return True
    return _is_flag(char) and _flags_before(text, at) % 2 == 1


def _is_flag(char: str) -> bool:
    return 0x1F1E6 <= ord(char) <= 0x1F1FF


def _flags_before(text: str, at: int) -> int:
    start = at
    while start > 0 and at - start < LONGEST_CLUSTER and _is_flag(text[start - 1]):
        start -= 1
    return at - start


def notice(text: str) -> str:
    """What a notification says of a message."""
    return escape(one_line(text, NOTICE)) or ELLIPSIS


# ── Rich text ───────────────────────────────────────────────────────────────────────────────────


def words(text: str, **style: bool) -> Part:
    """`style`: bold, italic, strike."""
    return {"type": "text", "text": clean(text), **({"style": style} if style else {})}


def link(url: str, label: str) -> Part:
    return {"type": "link", "url": url, "text": label}


def moment(at: datetime, look: Look, form: str = "{date_short_pretty}, {time}") -> Part:
    """In the reader's own time zone."""
    return {"type": "date", "timestamp": int(at.timestamp()), "format": form, "fallback": look.exact(at)}


def age(since: datetime, look: Look) -> Part:
    """A moment and how long ago that is, as the reader's Slack counts."""
    return moment(since, look, AGE)


def section(*parts: Part) -> Part:
    return {"type": "rich_text_section", "elements": _said(parts)}


def quote(*parts: Part) -> Part:
    return {"type": "rich_text_quote", "elements": _said(parts)}


def _said(parts: Iterable[Part]) -> list[Part]:
    return [part for part in parts if part.get("text") != ""]


def rich(*groups: Part) -> list[Part]:
    """One block, or none when nothing is said."""
    said = [group for group in groups if group["elements"]]
    return [{"type": "rich_text", "elements": said}] if said else []


def joined(parts: Sequence[Sequence[Part]], between: str = " · ") -> list[Part]:
    said = [part for part in parts if part]
    return [one for index, part in enumerate(said) for one in ([words(between)] if index else []) + [*part]]


# ── Blocks ──────────────────────────────────────────────────────────────────────────────────────


def plain(text: str, most: int = SECTION) -> Part:
    return {"type": "plain_text", "text": cut(clean(text), most) or " ", "emoji": False}


def header(text: str) -> Part:
    return {"type": "header", "text": {**plain(text, HEADER), "emoji": True}}


def context(*texts: Part) -> list[Part]:
    return [{"type": "context", "elements": list(texts)}] if texts else []


def marked(text: str) -> Part:
    """Our own words with Slack's markup; whatever is put into them has to be escaped before."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def linked(url: str, label: str) -> Part:
    return marked(f"<{escape(url)}|{escape(label)}>")


def button(label: str, action: str, value: str, style: str = "") -> Part:
    """`style`: primary, danger or none."""
    pressed: Part = {"type": "button", "action_id": action, "text": plain(label, BUTTON), "value": value}
    return {**pressed, "style": style} if style else pressed


def actions(*buttons: Part) -> list[Part]:
    return [{"type": "actions", "elements": list(buttons)}] if buttons else []


# ── Payloads ────────────────────────────────────────────────────────────────────────────────────


def receipt_of(channel: str, ts: str) -> str:
    return f"{channel}:{ts}"


def place(receipt: str) -> tuple[str, str]:
    """Channel and timestamp."""
    channel, _, ts = receipt.rpartition(":")
    return channel, ts


def posted(
    channel: str, key: str, text: str, blocks: list[Part], *, thread: str = "", receipt: str = ""
) -> Payload:
    """A new message, or what a message says from now on; `thread` and `receipt` name messages."""
    said: Part = {"text": notice(text), "blocks": blocks, "metadata": _metadata(key)}
    if receipt:
        channel, ts = place(receipt)
        return {"do": "update", "channel": channel, "key": key, "arguments": {"ts": ts, **said}}
    arguments = {**said, "unfurl_links": False, "unfurl_media": False}
    if thread:
        arguments["thread_ts"] = place(thread)[1]
    return {"do": "post", "channel": channel, "key": key, "arguments": arguments}


def _metadata(key: str) -> Part:
    return {"event_type": EVENT, "event_payload": {"key": key}}
