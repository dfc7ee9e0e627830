"""What was filled in, read back from a window; pure. https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from bot.domain.cases import LONGEST_SNOOZE
from bot.domain.errors import MalformedPayload
from bot.domain.understanding import Level
from handoff.desks.slack.look import Look
from handoff.desks.slack.modals import OUTCOMES, PRESETS, About


class Filled(Struct, frozen=True, kw_only=True):
    """What somebody filled in; which fields count follows from `window`."""

    window: str
    about: About
    outcome: str = ""
    save: bool = False  # resolve: keep the last reply as an answer …
    intent: str = ""  # … to this; relabel: the right one
    until: datetime | None = None
    department: str = ""
    user: str = ""
    level: str = ""
    text: str = ""


class Unfilled(Exception):
    """Slack shows each sentence at its field and keeps the window open: `errors` is block id → sentence."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("A field is missing or wrong.")
        self.errors = errors


def read(view: Mapping[str, Any], look: Look, now: datetime) -> Filled:
    """A submitted window. Raises `Unfilled` for what its reader can mend, `MalformedPayload` for the rest."""
    try:
        window, about = str(view["callback_id"]), read_about(view)
        fields = {name: field for block in view["state"]["values"].values() for name, field in block.items()}
        blocks = tuple(view["state"]["values"])
    except (KeyError, AttributeError, TypeError) as exc:
        raise MalformedPayload("A window came back without its fields.") from exc
    reader = READERS.get(window)
    if reader is None:
        raise MalformedPayload(f"There is no window {window[:40]!r}.")
    return reader(Submitted(window=window, about=about, fields=fields, blocks=blocks, look=look, now=now))


def read_about(view: Mapping[str, Any]) -> About:
    """Raises `MalformedPayload`."""
    try:
        return msgspec.json.decode(view["private_metadata"], type=About)
    except (KeyError, TypeError, msgspec.MsgspecError) as exc:
        raise MalformedPayload("A window came back without its case.") from exc


class Submitted(Struct, frozen=True, kw_only=True):
    window: str
    about: About
    fields: dict[str, Any]
    blocks: tuple[str, ...]
    look: Look
    now: datetime

    def __repr__(self) -> str:
        return f"<Submitted {self.window}>"

    def value(self, name: str, key: str = "") -> str:
        """What was chosen (`key` for a picker's own field), or nothing."""
        field = self.fields.get(name)
        found = field.get(key or "selected_option") if isinstance(field, dict) else None
        if isinstance(found, dict):
            found = found.get("value")
        return str(found) if isinstance(found, str | int) else ""

    def ticked(self, name: str) -> bool:
        field = self.fields.get(name)
        return isinstance(field, dict) and bool(field.get("selected_options"))

    def filled(self, **found: Any) -> Filled:
        return Filled(window=self.window, about=self.about, **found)

    def wrong(self, block: str, key: str) -> Unfilled:
        return Unfilled({block: self.look(key)})


def _read_resolve(form: Submitted) -> Filled:
    outcome, intent = form.value("outcome"), form.value("intent")
    if outcome not in OUTCOMES:
        raise form.wrong("outcome", "modal.missing")
    save = form.ticked("save")
    if save and intent and intent not in form.look.intents:
        raise form.wrong("intent", "refused.intent")
    return form.filled(outcome=outcome, save=save, intent=intent if save else "")


def _read_snooze(form: Submitted) -> Filled:
    """A time of one's own counts more than a preset."""
    chosen, preset = form.value("until", "selected_date_time"), PRESETS.get(form.value("preset"))
    until = _timestamp(chosen) if chosen else preset and preset(form.now, _zone(form))
    if until is None or not form.now < until <= form.now + LONGEST_SNOOZE:
        raise form.wrong("until" if chosen else "preset", "refused.time")
    return form.filled(until=until.astimezone(UTC))


def _timestamp(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _zone(form: Submitted) -> ZoneInfo:
    try:
        return ZoneInfo(form.about.zone) if form.about.zone else form.look.zone
    except (ValueError, OSError, KeyError):  # not a zone this machine knows
        return form.look.zone


def _read_move(form: Submitted) -> Filled:
    department = form.value("department")
    if department not in form.look.departments:
        raise form.wrong("department", "refused.department")
    return form.filled(department=department)


def _read_assign(form: Submitted) -> Filled:
    user = form.value("user", "selected_user")
    if not user:
        raise form.wrong("user", "modal.missing")
    return form.filled(user=user)


def _read_relabel(form: Submitted) -> Filled:
    intent = form.value("intent")
    if intent not in form.look.intents:
        raise form.wrong("intent", "refused.intent" if intent else "modal.missing")
    return form.filled(intent=intent)


def _read_urgency(form: Submitted) -> Filled:
    level = form.value("level")
    if level not in set(Level):
        raise form.wrong("level", "refused.level")
    return form.filled(level=level)


def _read_text(form: Submitted) -> Filled:
    """What goes to the customer; plain text, so nothing in it is Slack's markup."""
    text = form.value("text", "value").strip()
    block = next((name for name in form.blocks if name.startswith("text:")), "text")
    if not text:
        raise form.wrong(block, "write.empty")
    return form.filled(text=text)


def _read_nothing(form: Submitted) -> Filled:
    return form.filled()


READERS: Mapping[str, Callable[[Submitted], Filled]] = {
    "resolve": _read_resolve,
    "snooze": _read_snooze,
    "move": _read_move,
    "assign": _read_assign,
    "relabel": _read_relabel,
    "set_urgency": _read_urgency,
    "canned": _read_text,
    "edit_held": _read_text,
    "return_to_bot": _read_nothing,
}
