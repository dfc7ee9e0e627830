"""What Slack takes as blocks and views, and whom a text would have notified.

https://docs.slack.dev/reference/block-kit/blocks, https://docs.slack.dev/reference/views. Complaints are worded and
placed like Slack's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

MESSAGE_BLOCKS, VIEW_BLOCKS = 50, 100
MARKDOWN_LIMIT = 12_000
BLOCKS_BYTES = 13_200
VIEW_BYTES = 250_000

COMMON = {"type", "block_id"}
# type → fields it may have (beside type and block_id), and those it must have
BLOCKS: Mapping[str, tuple[set[str], set[str]]] = {
    "section": ({"text", "fields", "accessory", "expand"}, set()),
    "header": ({"text"}, {"text"}),
    "divider": (set(), set()),
    "context": ({"elements"}, {"elements"}),
    "actions": ({"elements"}, {"elements"}),
    "image": ({"image_url", "slack_file", "alt_text", "title"}, {"alt_text"}),
    "input": ({"label", "element", "hint", "optional", "dispatch_action"}, {"label", "element"}),
    "rich_text": ({"elements"}, {"elements"}),
    "markdown": ({"text"}, {"text"}),
}
SELECT = {"placeholder", "action_id", "confirm", "focus_on_load"}
MULTI = SELECT | {"max_selected_items"}
STATIC = {"options", "option_groups"}
TYPED = {"action_id", "initial_value", "placeholder", "focus_on_load", "dispatch_action_config"}
ELEMENTS: Mapping[str, tuple[set[str], set[str]]] = {
    "button": (
        {"text", "action_id", "url", "value", "style", "confirm", "accessibility_label"},
        {"text"},
    ),
    "static_select": (SELECT | STATIC | {"initial_option"}, set()),
    "multi_static_select": (MULTI | STATIC | {"initial_options"}, set()),
    "external_select": (SELECT | {"min_query_length", "initial_option"}, set()),
    "multi_external_select": (MULTI | {"min_query_length", "initial_options"}, set()),
    "users_select": (SELECT | {"initial_user"}, set()),
    "multi_users_select": (MULTI | {"initial_users"}, set()),
    "channels_select": (SELECT | {"initial_channel", "response_url_enabled"}, set()),
    "conversations_select": (
        SELECT
        | {"initial_conversation", "default_to_current_conversation", "filter", "response_url_enabled"},
        set(),
    ),
    "overflow": ({"action_id", "options", "confirm"}, {"options"}),
    "checkboxes": ({"action_id", "options", "initial_options", "confirm", "focus_on_load"}, {"options"}),
    "radio_buttons": ({"action_id", "options", "initial_option", "confirm", "focus_on_load"}, {"options"}),
    "plain_text_input": (TYPED | {"multiline", "min_length", "max_length"}, set()),
    "number_input": (TYPED | {"is_decimal_allowed", "min_value", "max_value"}, {"is_decimal_allowed"}),
    "email_text_input": (TYPED, set()),
    "url_text_input": (TYPED, set()),
    "datepicker": ({"action_id", "initial_date", "confirm", "focus_on_load", "placeholder"}, set()),
    "timepicker": (
        {"action_id", "initial_time", "confirm", "focus_on_load", "placeholder", "timezone"},
        set(),
    ),
    "datetimepicker": ({"action_id", "initial_date_time", "confirm", "focus_on_load"}, set()),
    "image": ({"image_url", "slack_file", "alt_text"}, {"alt_text"}),
}
PLACES: Mapping[str, set[str]] = {
    "section": set(ELEMENTS) - {"plain_text_input", "number_input", "email_text_input", "url_text_input"},
    "actions": set(ELEMENTS)
    - {"plain_text_input", "number_input", "email_text_input", "url_text_input", "image"},
    "input": set(ELEMENTS) - {"button", "overflow", "image"},
}
OPTIONS_MOST = {"overflow": 5, "checkboxes": 10, "radio_buttons": 10}
LENGTHS: Mapping[str, int] = {"action_id": 255, "url": 3000, "value": 2000, "accessibility_label": 75}
RICH: Mapping[str, set[str]] = {
    "text": {"text", "style"},
    "link": {"url", "text", "style", "unsafe"},
    "emoji": {"name", "unicode", "skin_tone", "style"},
    "user": {"user_id", "style"},
    "usergroup": {"usergroup_id", "style"},
    "channel": {"channel_id", "style"},
    "broadcast": {"range", "style"},
    "date": {"timestamp", "format", "fallback", "url", "style"},
    "color": {"value", "style"},
}
RICH_GROUPS: Mapping[str, set[str]] = {
    "rich_text_section": {"elements"},
    "rich_text_quote": {"elements", "border"},
    "rich_text_preformatted": {"elements", "border", "language"},
    "rich_text_list": {"elements", "style", "indent", "offset", "border"},
}
VIEW_FIELDS: Mapping[str, set[str]] = {
    "modal": {
        "type", "title", "blocks", "close", "submit", "private_metadata", "callback_id", "clear_on_close",
        "notify_on_close", "external_id", "submit_disabled",
    },
    "home": {"type", "blocks", "private_metadata", "callback_id", "external_id"},
}  # fmt: skip


class Checker:
    """Collects complaints about one message or view."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._block_ids: set[str] = set()

    def say(self, what: str, path: str) -> None:
        self.found.append(f"[ERROR] {what} [json-pointer:{path}]")

    # ── Blocks ──────────────────────────────────────────────────────────────────────────────────

    def blocks(self, blocks: Any, path: str, most: int) -> None:
        if not isinstance(blocks, list):
            self.say("must be an array", path)
            return
        if len(blocks) > most:
            self.say(f"no more than {most} items allowed", path)
        for number, block in enumerate(blocks):
            self._block(block, f"{path}/{number}")
        markdown = sum(len(str(one.get("text"))) for one in blocks if _type(one) == "markdown")
        if markdown > MARKDOWN_LIMIT:
            self.say(f"markdown must be less than {MARKDOWN_LIMIT + 1} characters in all", path)

    def _block(self, block: Any, path: str) -> None:
        kind = _type(block)
        if kind not in BLOCKS:
            self.say(f"unsupported type: {kind}", f"{path}/type")
            return
        may, must = BLOCKS[kind]
        self._fields(block, may | COMMON, must, path)
        self._short(block, "block_id", 255, path)
        if name := block.get("block_id"):
            if name in self._block_ids:
                self.say(f"block_id `{name}` already exists", f"{path}/block_id")
            self._block_ids.add(name)
        getattr(self, f"_{kind}", lambda *_: None)(block, path)

    def _section(self, block: dict[str, Any], path: str) -> None:
        if not block.get("text") and not block.get("fields"):
            self.say("missing required field: text", path)
        if "text" in block:
            self._text(block["text"], f"{path}/text", 3000)
        self._many(block.get("fields", []), f"{path}/fields", 10)
        for number, text in enumerate(_list(block.get("fields", []))):
            self._text(text, f"{path}/fields/{number}", 2000)
        if "accessory" in block:
            self._element(block["accessory"], f"{path}/accessory", "section")

    def _header(self, block: dict[str, Any], path: str) -> None:
        self._text(block.get("text"), f"{path}/text", 150, plain=True)

    def _context(self, block: dict[str, Any], path: str) -> None:
        self._many(block.get("elements"), f"{path}/elements", 10, least=1)
        for number, element in enumerate(_list(block.get("elements"))):
            place = f"{path}/elements/{number}"
            if _type(element) == "image":
                self._element(element, place, "section")
            else:
                self._text(element, place, 2000)

    def _actions(self, block: dict[str, Any], path: str) -> None:
        self._many(block.get("elements"), f"{path}/elements", 25, least=1)
        ids: set[str] = set()
        for number, element in enumerate(_list(block.get("elements"))):
            place = f"{path}/elements/{number}"
            self._element(element, place, "actions")
            name = str(element.get("action_id") or number) if isinstance(element, dict) else ""
            if name in ids:
                self.say(f"action_id `{name}` already exists", f"{place}/action_id")
            ids.add(name)

    def _input(self, block: dict[str, Any], path: str) -> None:
        self._text(block.get("label"), f"{path}/label", 2000, plain=True)
        if "hint" in block:
            self._text(block["hint"], f"{path}/hint", 2000, plain=True)
        self._element(block.get("element"), f"{path}/element", "input")

    def _image(self, block: dict[str, Any], path: str) -> None:
        self._picture(block, path)
        if "title" in block:
            self._text(block["title"], f"{path}/title", 2000, plain=True)

    def _markdown(self, block: dict[str, Any], path: str) -> None:
        if not isinstance(block.get("text"), str):
            self.say("must be a string", f"{path}/text")

    def _rich_text(self, block: dict[str, Any], path: str) -> None:
        for number, group in enumerate(_list(block.get("elements"))):
            self._rich_group(group, f"{path}/elements/{number}")

    def _rich_group(self, group: Any, path: str) -> None:
        kind = _type(group)
        if kind not in RICH_GROUPS:
            self.say(f"unsupported type: {kind}", f"{path}/type")
            return
        self._fields(group, RICH_GROUPS[kind] | {"type"}, {"elements"}, path)
        for number, element in enumerate(_list(group.get("elements"))):
            place = f"{path}/elements/{number}"
            if kind == "rich_text_list":
                self._rich_group(element, place)
            elif _type(element) not in RICH:
                self.say(f"unsupported type: {_type(element)}", f"{place}/type")
            else:
                self._fields(element, RICH[_type(element)] | {"type"}, set(), place)
                if _type(element) == "text" and not element.get("text"):
                    self.say("must be more than 0 characters", f"{place}/text")

    # ── Elements ────────────────────────────────────────────────────────────────────────────────

    def _element(self, element: Any, path: str, place: str) -> None:
        kind = _type(element)
        if kind not in PLACES[place]:
            self.say(f"unsupported type: {kind}", f"{path}/type")
            return
        may, must = ELEMENTS[kind]
        self._fields(element, may | {"type"}, must, path)
        for name, most in LENGTHS.items():
            self._short(element, name, most, path)
        if "placeholder" in element:
            self._text(element["placeholder"], f"{path}/placeholder", 150, plain=True)
        if "confirm" in element:
            self._confirm(element["confirm"], f"{path}/confirm")
        if kind == "button":
            self._button(element, path)
        elif kind == "image":
            self._picture(element, path)
        elif kind == "plain_text_input":
            self._typed(element, path)
        if may & {"options", "option_groups"}:
            self._choices(element, kind, path)

    def _button(self, element: dict[str, Any], path: str) -> None:
        self._text(element.get("text"), f"{path}/text", 75, plain=True)
        if element.get("style", "primary") not in {"primary", "danger"}:
            self.say("failed to match one of the allowed styles", f"{path}/style")

    def _picture(self, element: dict[str, Any], path: str) -> None:
        if ("image_url" in element) == ("slack_file" in element):
            self.say("must have one of image_url and slack_file", path)
        self._short(element, "image_url", 3000, path)
        self._short(element, "alt_text", 2000, path)

    def _typed(self, element: dict[str, Any], path: str) -> None:
        for name, least in (("min_length", 0), ("max_length", 1)):
            if name in element and not least <= element[name] <= 3000:
                self.say(f"must be between {least} and 3000", f"{path}/{name}")
        self._short(element, "initial_value", element.get("max_length", 3000), path)

    def _choices(self, element: dict[str, Any], kind: str, path: str) -> None:
        groups = element.get("option_groups")
        if (groups is None) == (element.get("options") is None):
            self.say("must have one of options and option_groups", path)
            return
        for number, group in enumerate(_list(groups or [])):
            self._text(group.get("label"), f"{path}/option_groups/{number}/label", 75, plain=True)
        self._many(groups or [{}], f"{path}/option_groups", 100, least=1)
        found = [one for group in groups for one in group["options"]] if groups else element["options"]
        self._many(found, f"{path}/options", OPTIONS_MOST.get(kind, 100), least=1)
        for number, option in enumerate(_list(found)):
            self._option(option, kind, f"{path}/options/{number}")
        values = [one.get("value") for one in _list(found)]
        if len(set(values)) != len(values):
            self.say("values must be unique", f"{path}/options")
        firsts = (
            [element["initial_option"]] if "initial_option" in element else element.get("initial_options", [])
        )
        if any(first not in found for first in firsts):
            self.say("initial option must be one of the options", path)

    def _option(self, option: Any, kind: str, path: str) -> None:
        if not isinstance(option, dict):
            self.say("must be an object", path)
            return
        self._fields(option, {"text", "value", "description", "url"}, {"text", "value"}, path)
        self._text(option.get("text"), f"{path}/text", 75, plain=kind not in {"checkboxes", "radio_buttons"})
        self._short(option, "value", 150, path)
        if "description" in option:
            self._text(option["description"], f"{path}/description", 75)

    def _confirm(self, confirm: Any, path: str) -> None:
        for name, most in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
            self._text(confirm.get(name), f"{path}/{name}", most, plain=name != "text")

    # ── Views ───────────────────────────────────────────────────────────────────────────────────

    def view(self, view: Any) -> None:
        kind = _type(view)
        if kind not in VIEW_FIELDS:
            self.say(f"unsupported type: {kind}", "/view/type")
            return
        self._fields(view, VIEW_FIELDS[kind], {"blocks"} | ({"title"} if kind == "modal" else set()), "/view")
        for name in ("title", "submit", "close"):
            if name in view:
                self._text(view[name], f"/view/{name}", 24, plain=True)
        for name, most in (("private_metadata", 3000), ("callback_id", 255), ("external_id", 255)):
            self._short(view, name, most, "/view")
        self.blocks(view.get("blocks"), "/view/blocks", VIEW_BLOCKS)
        asks = any(_type(block) == "input" for block in _list(view.get("blocks")))
        if kind == "modal" and asks and "submit" not in view:
            self.say("submit is required when an input block is there", "/view/submit")

    # ── Parts ───────────────────────────────────────────────────────────────────────────────────

    def _text(self, text: Any, path: str, most: int, *, plain: bool = False) -> None:
        kind = _type(text)
        if kind not in ({"plain_text"} if plain else {"plain_text", "mrkdwn"}):
            self.say(f"unsupported type: {kind}", f"{path}/type")
            return
        self._fields(text, {"type", "text", "emoji" if kind == "plain_text" else "verbatim"}, {"text"}, path)
        words = text.get("text")
        if not isinstance(words, str) or not words:
            self.say("must be more than 0 characters", f"{path}/text")
        elif units(words) > most:
            self.say(f"must be less than {most + 1} characters", f"{path}/text")

    def _fields(self, found: dict[str, Any], may: set[str], must: set[str], path: str) -> None:
        for name in found:
            if name not in may:
                self.say(f"no more properties allowed: {name}", path)
        for name in sorted(must):
            if name not in found:
                self.say(f"missing required field: {name}", path)

    def _short(self, found: dict[str, Any], name: str, most: int, path: str) -> None:
        if name in found and (not isinstance(found[name], str) or units(found[name]) > most):
            self.say(f"must be a string of less than {most + 1} characters", f"{path}/{name}")

    def _many(self, found: Any, path: str, most: int, least: int = 0) -> None:
        if not isinstance(found, list):
            self.say("must be an array", path)
        elif len(found) > most:
            self.say(f"no more than {most} items allowed", path)
        elif len(found) < least:
            self.say(f"no fewer than {least} items required", path)


def units(text: str) -> int:
    """Slack counts in UTF-16; by other readings it takes more, never less."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def blocks_too_long(blocks: Any) -> bool:
    """https://github.com/slackapi/bolt-js/issues/2509: a message holds about 13,200 characters of blocks in all."""
    return len(json.dumps(blocks, ensure_ascii=False).encode("utf-8", "surrogatepass")) > BLOCKS_BYTES


def wrong_blocks(blocks: Any, most: int = MESSAGE_BLOCKS) -> list[str]:
    checker = Checker()
    checker.blocks(blocks, "/blocks", most)
    return checker.found


def wrong_view(view: Any) -> list[str]:
    checker = Checker()
    checker.view(view)
    return checker.found


def elements(blocks: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Whatever can be pressed or filled in, with the id of its block."""
    for block in blocks:
        inside = [block.get("accessory"), block.get("element"), *_list(block.get("elements"))]
        for element in inside:
            if isinstance(element, dict) and element.get("type") in ELEMENTS:
                yield str(block.get("block_id", "")), element


def _type(found: Any) -> str:
    return str(found.get("type")) if isinstance(found, dict) else "none"


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


# ── Who hears of it ─────────────────────────────────────────────────────────────────────────────

MARKED = re.compile(r"<(!channel|!here|!everyone|!subteam\^\w+|@[UW]\w+)(?:\|[^>]*)?>")
BARE = re.compile(r"(?<!\w)@(?:channel|here|everyone|group)\b")
LINKS = re.compile(r"<((?:https?|mailto|tel|slack)[^>|]*)(?:\|[^>]*)?>")


def mentions(text: str, blocks: Any, *, parsed: bool) -> list[str]:
    """Mentions in the markup that Slack reads; bare ones where it was asked to look for them (`parse: full`).

    In text objects it looks for bare ones unless `verbatim` is set.
    """
    found = [match[1] for match in MARKED.finditer(text)]
    found += BARE.findall(text) if parsed else []
    for part in _parts(blocks):
        kind = part.get("type")
        words = part.get("text")
        if kind in {"mrkdwn", "markdown"} and isinstance(words, str):
            found += [match[1] for match in MARKED.finditer(words)]
            found += [] if part.get("verbatim") else BARE.findall(words)
        elif kind in {"user", "usergroup", "broadcast"}:
            found.append(str(part.get("user_id") or part.get("usergroup_id") or part.get("range")))
    return found


def _parts(found: Any) -> Iterator[dict[str, Any]]:
    if isinstance(found, dict):
        yield found
        for value in found.values():
            yield from _parts(value)
    elif isinstance(found, list):
        for value in found:
            yield from _parts(value)


def shown(post_text: str, blocks: Any) -> str:
    """All words of a message that a reader sees, blocks before the fallback text."""
    words = [
        part["text"]
        for part in _parts(blocks)
        if isinstance(part.get("text"), str)
        and part.get("type") in {"mrkdwn", "plain_text", "markdown", "text"}
    ]
    return "\n".join(words) if words else post_text
