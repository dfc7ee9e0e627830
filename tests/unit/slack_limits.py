"""What every payload and view for Slack has to keep to, whatever was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from tests.fakes.slack_blocks import VIEW_BYTES, mentions, wrong_blocks, wrong_view

MESSAGE_BYTES = 12_000  # Slack refuses about 13,200 and names no number
LONGEST = 3000  # of one text, in UTF-16 units
NOTIFICATION = 4000
KEY_LENGTH = 200
ARGUMENTS = {
    "post": {"text", "blocks", "metadata", "thread_ts", "broadcast", "unfurl_links", "unfurl_media"},
    "update": {"ts", "text", "blocks", "metadata"},
    "react": {"name", "timestamp"},
    "unreact": {"name", "timestamp"},
    "upload": {"file", "name", "size", "mime", "thread_ts"},
    "ephemeral": {"user", "text", "blocks", "thread_ts"},
}
NEEDED = {
    "post": {"text", "blocks", "metadata", "unfurl_links", "unfurl_media"},
    "ephemeral": {"user", "text", "blocks"},
}


def wrong_payload(payload: dict[str, Any]) -> list[str]:
    """Complaints; none when Slack would take it."""
    do, arguments = payload["do"], payload["arguments"]
    fields = set(payload) - {"calls", "quiet"}
    found = [] if fields == {"do", "channel", "key", "arguments"} else [f"fields: {sorted(payload)}"]
    found += wrong_blocks(payload.get("quiet", []))
    found += [f"{do} takes no {name}" for name in set(arguments) - ARGUMENTS[do]]
    found += [f"{do} needs {name}" for name in NEEDED.get(do, ARGUMENTS[do]) - set(arguments)]
    found += [] if 0 < len(payload["key"]) <= KEY_LENGTH and payload["channel"] else ["no key or no channel"]
    return [*found, *_wrong_message(arguments)] if "blocks" in arguments else found


def _wrong_message(arguments: dict[str, Any]) -> list[str]:
    found = [*wrong_blocks(arguments["blocks"]), *_wrong_texts(arguments)]
    found += [] if arguments["blocks"] else ["no blocks"]
    size = len(msgspec.json.encode(arguments["blocks"]))
    found += [] if size <= MESSAGE_BYTES else [f"{size} bytes of blocks"]
    found += [] if 0 < len(arguments["text"]) <= NOTIFICATION else ["no text, or too long"]
    return found


def wrong_window(view: dict[str, Any]) -> list[str]:
    """The same for a modal or the App Home."""
    found = [*wrong_view(view), *_wrong_texts(view)]
    return found if len(msgspec.json.encode(view)) <= VIEW_BYTES else [*found, "too many bytes"]


def _wrong_texts(value: Any) -> list[str]:
    texts = [*strings(value)]
    long = [f"{len(text)} characters" for text in texts if len(text.encode("utf-16-le")) // 2 > LONGEST]
    return long + ["a control character" for text in texts if any(_is_control(char) for char in text)]


def _is_control(char: str) -> bool:
    return char not in {"\n", "\t"} and (
        char < " " or "\x7f" <= char < "\xa0" or "\u202a" <= char <= "\u202e"
    )


def called(payload: dict[str, Any]) -> list[str]:
    """Whom Slack would notify."""
    arguments = payload["arguments"]
    return mentions(arguments.get("text", ""), arguments.get("blocks", []), parsed=False)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from strings(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from strings(part)


def shown(value: Any) -> str:
    """What a person reads, roughly: texts in their order, times as their fallback."""
    return "".join(_read(value))


def _read(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for part in value:
            yield from _read(part)
    elif isinstance(value, dict):
        yield from _read_part(value)


ENDS = {"rich_text_section", "rich_text_quote", "header", "section", "context", "button", "input", "actions"}


def _read_part(part: dict[str, Any]) -> Iterator[str]:
    text = part.get("text", part.get("fallback", ""))
    if part.get("type") == "button":
        yield f"[{part['text']['text']}] "
    elif isinstance(text, str):
        yield text
    else:
        yield from _read(text)
    if part.get("type") != "button":
        for name in ("label", "hint", "element", "accessory", "elements", "options", "blocks"):
            yield from _read(part.get(name))
    if part.get("type") in ENDS - {"button"}:
        yield "\n"
