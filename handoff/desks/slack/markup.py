"""Slack's markup and plain text, in both directions.

https://docs.slack.dev/messaging/formatting-message-text. What a customer wrote goes to Slack as literal text (rich
text or `plain_text`) wherever it can; `escape` is for the places where Slack reads markup: then it mentions nobody
and links nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from handoff.desks.slack import emoji

Names = Callable[[str], str]  # a member, channel or group id → what people call it; empty when nobody knows

SOMEBODY = "…"  # an id says nothing to a customer
ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))  # the last one last: "&amp;lt;" is "&lt;"


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unescape(text: str) -> str:
    for entity, sign in ENTITIES:
        text = text.replace(entity, sign)
    return text


# ── From Slack: text ────────────────────────────────────────────────────────────────────────────

TOKEN = re.compile(r"<([^<>\n]+)>")
CODE = re.compile(r"```(?P<block>.+?)```|`(?P<inline>[^`\n]+)`", re.DOTALL)
EDGE = r"(?:^|(?<=[\s(\[{\"'*_~.,;:!?/-]))"
STYLES = tuple(
    re.compile(
        rf"{EDGE}{re.escape(mark)}(?=[^\s{mark}])([^{mark}\n]*[^\s{mark}])?{re.escape(mark)}(?![\w{mark}])"
    )
    for mark in "*_~"
)
ASIDE, BACK = "\ufdd0", "\ufdd1"  # no characters: nobody can have written them


def plain(text: str, names: Names) -> str:
    """What a reader sees of a message, without its markup; links keep their address."""
    found, end = [], 0
    for code in CODE.finditer(text):
        found.append(_prose(text[end : code.start()], names))
        inside = code["inline"] if code["block"] is None else code["block"].strip("\n")
        found.append(unescape(TOKEN.sub(lambda token: _token(token[1], names), inside)))
        end = code.end()
    found.append(_prose(text[end:], names))
    return "".join(found)


def _prose(text: str, names: Names) -> str:
    """Styles are looked for between the tokens only: an address may hold what looks like one."""
    tokens: list[str] = []

    def aside(token: re.Match[str]) -> str:
        tokens.append(_token(token[1], names))
        return f"{ASIDE}{len(tokens) - 1}{BACK}"

    text = TOKEN.sub(aside, text.replace(ASIDE, "").replace(BACK, ""))
    for style in STYLES:
        text = style.sub(_inside, text)
    text = unescape(emoji.shown(text))
    return re.sub(f"{ASIDE}([0-9]+){BACK}", lambda place: tokens[int(place[1])], text)


def _inside(style: re.Match[str]) -> str:
    return style[0][1:-1]


def _token(token: str, names: Names) -> str:
    """What stands between < and >."""
    target, _, label = token.partition("|")
    target, label = unescape(target), unescape(label)
    if target.startswith("@"):
        return "@" + (names(target[1:]) or label or SOMEBODY)
    if target.startswith("#"):
        return "#" + (label or names(target[1:]) or SOMEBODY)
    if target.startswith("!subteam^"):
        return "@" + (label.lstrip("@") or names(target.removeprefix("!subteam^")) or SOMEBODY)
    if target.startswith("!date^"):
        return label
    if target.startswith("!"):
        return label or "@" + target[1:]
    return _link(target, label)


def _link(url: str, label: str) -> str:
    """The address once, and the label where it says more."""
    bare = re.sub(r"^(?:https?://|mailto:|tel:)", "", url)
    shown = bare if url.startswith(("mailto:", "tel:")) else url
    if label.rstrip("/") in {"", url.rstrip("/"), bare.rstrip("/")}:
        return shown
    return f"{label} ({shown})"


# ── From Slack: what the editor made of it ──────────────────────────────────────────────────────


def words(message: Mapping[str, Any], names: Names) -> str:
    """A message as text. Its rich text is exact: in `text`, a typed asterisk looks like bold."""
    blocks = message.get("blocks")
    if isinstance(blocks, list) and blocks and all(_kind(block) == "rich_text" for block in blocks):
        groups = [group for block in blocks for group in _parts(block)]
        return "\n".join(_group(group, names).removesuffix("\n") for group in groups)
    text = message.get("text")
    return plain(text, names) if isinstance(text, str) else ""


def _group(group: Mapping[str, Any], names: Names, depth: int = 0) -> str:
    kind = _kind(group)
    if kind == "rich_text_list":
        return "\n".join(_items(group, names, depth))
    inside = "".join(_element(element, names) for element in _parts(group))
    if kind == "rich_text_quote":
        return "\n".join(f"> {line}" for line in inside.split("\n"))
    return inside


def _items(group: Mapping[str, Any], names: Names, depth: int) -> Iterator[str]:
    indent = group.get("indent")
    margin = "  " * min(depth + (indent if isinstance(indent, int) else 0), 10)
    offset = group.get("offset")
    number = (offset if isinstance(offset, int) else 0) + 1
    for item in _parts(group):
        mark = f"{number}." if group.get("style") == "ordered" else "•"
        number += 1
        yield f"{margin}{mark} {_group(item, names, depth + 1) if depth < 10 else ''}"


def _element(element: Mapping[str, Any], names: Names) -> str:
    reader = ELEMENTS.get(_kind(element))
    return reader(element, names) if reader else _told(element, "text", "fallback")


def _told(element: Mapping[str, Any], *fields: str) -> str:
    return next((str(element[name]) for name in fields if isinstance(element.get(name), str)), "")


def _emoji(element: Mapping[str, Any], _: Names) -> str:
    name = _told(element, "name")
    tone = element.get("skin_tone")
    return (
        emoji.of_codes(_told(element, "unicode"))
        or emoji.character(name, str(tone) if isinstance(tone, int) else "")
        or f":{name}:"
    )


ELEMENTS: Mapping[str, Callable[[Mapping[str, Any], Names], str]] = {
    "link": lambda element, _: _link(_told(element, "url"), _told(element, "text")),
    "user": lambda element, names: "@" + (names(_told(element, "user_id")) or SOMEBODY),
    "usergroup": lambda element, names: "@" + (names(_told(element, "usergroup_id")) or SOMEBODY),
    "channel": lambda element, names: "#" + (names(_told(element, "channel_id")) or SOMEBODY),
    "broadcast": lambda element, _: "@" + _told(element, "range"),
    "emoji": _emoji,
    "date": lambda element, _: _told(element, "fallback"),
    "color": lambda element, _: _told(element, "value"),
}


def _kind(found: Any) -> str:
    return str(found.get("type")) if isinstance(found, Mapping) else ""


def _parts(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    elements = found.get("elements")
    return [one for one in elements if isinstance(one, Mapping)] if isinstance(elements, list) else []


# ── Who is named in it ──────────────────────────────────────────────────────────────────────────

NAMED = re.compile(r"<(?:@|#|!subteam\^)([A-Z0-9]+)(?:\|[^<>]*)?>")
IDS = ("user_id", "usergroup_id", "channel_id")


def named(message: Mapping[str, Any]) -> set[str]:
    """The ids that `words` will ask for, so that they can be looked up before."""
    text = message.get("text")
    found = set(NAMED.findall(text)) if isinstance(text, str) else set()
    return found | set(_ids(message.get("blocks")))


def _ids(found: Any, depth: int = 0) -> Iterator[str]:
    if depth > 20:
        return
    if isinstance(found, Mapping):
        yield from (str(found[name]) for name in IDS if isinstance(found.get(name), str))
        for value in found.values():
            yield from _ids(value, depth + 1)
    elif isinstance(found, list):
        for value in found:
            yield from _ids(value, depth + 1)
