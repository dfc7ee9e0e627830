"""The windows that buttons open; pure, so that they are up within Slack's three seconds.

https://docs.slack.dev/surfaces/modals
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from bot.domain.cases import Case, CaseState
from bot.domain.messages import Message
from bot.domain.routing import Department, is_open, next_opening
from bot.domain.understanding import Level
from handoff.desks.slack.blocks import (
    BUTTON,
    Part,
    button,
    clean,
    context,
    cut,
    one_line,
    plain,
    quote,
    rich,
    section,
    units,
    words,
)
from handoff.desks.slack.look import Look, user_of

TITLE = 24
OPTIONS, OPTION, VALUE = 100, 75, 150
TYPED = 3000  # what Slack's text fields hold
BLOCK_ID = 255
SAID = 400
MORNING, MONDAY = time(9), 0
OUTCOMES = ("solved", "not_possible", "no_reply", "not_needed")
MENU: Mapping[CaseState, tuple[str, ...]] = {
    CaseState.WAITING: ("assign", "relabel", "set_urgency", "return_to_bot"),
    CaseState.CLAIMED: ("move", "assign", "relabel", "set_urgency", "return_to_bot"),
    CaseState.SNOOZED: ("release", "move", "assign", "relabel", "set_urgency", "return_to_bot"),
    CaseState.BOT: ("move", "assign", "relabel", "set_urgency"),
}


class About(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a window is about: it travels with it and comes back."""

    case: str
    message: str = ""
    card: str = ""  # the receipt of the card it was opened from
    zone: str = ""  # the clock that "tomorrow" is meant by
    answer: str = ""  # the canned answer that was chosen
    home: bool = False  # App Home lies below it, and shows what becomes of the case


class Candidate(Struct, frozen=True, kw_only=True):
    """One that can be searched for: an intent or a canned answer."""

    value: str
    label: str
    text: str = ""  # what it says, searched too


# ── The windows ─────────────────────────────────────────────────────────────────────────────────


def resolve(case: Case, look: Look, about: About, last_reply: Message | None = None) -> Part:
    """The outcome, and the chance to keep a good reply."""
    outcomes = [option(look.known("outcome", name), name) for name in OUTCOMES]
    chosen = _radio("outcome", look("act.resolve_outcome"), outcomes, outcomes[0])
    hint = context(plain(look("act.resolve_hint")))
    kept = _keeping(case, look, last_reply) if last_reply and last_reply.text.strip() else []
    return _window("resolve", look("act.resolve"), look("act.resolve"), [chosen, *hint, *kept], about, look)


def _keeping(case: Case, look: Look, reply: Message) -> list[Part]:
    yes = option(look("modal.save"), "save")
    boxes: Part = {"type": "checkboxes", "action_id": "save", "options": [yes]}
    return [
        {"type": "divider"},
        *rich(section(words(look("modal.last_reply"), bold=True)), quote(words(one_line(reply.text, SAID)))),
        _input("save", look("modal.keep"), boxes, optional=True),
        _input("intent", look("modal.save_intent"), _intents(case, look), optional=True),
    ]


def snooze(case: Case, look: Look, about: About, now: datetime, zone: ZoneInfo | None = None) -> Part:
    """`zone` is the reader's own."""
    zone = zone or look.zone
    presets = [
        option(f"{look(f'snooze.{name}')} ({_clock(until(now, zone), zone, look)})", name)
        for name, until in PRESETS.items()
    ]
    later: Part = {"type": "datetimepicker", "action_id": "until"}
    blocks = [
        _radio("preset", look("act.snooze_until"), presets, presets[0]),
        _input("until", look("modal.or_until"), later, optional=True),
        *context(plain(look("act.snooze_hint"))),
    ]
    about = msgspec.structs.replace(about, zone=zone.key)
    return _window("snooze", look("act.snooze"), look("act.snooze"), blocks, about, look)


def _clock(at: datetime, zone: ZoneInfo, look: Look) -> str:
    return msgspec.structs.replace(look, zone=zone).exact(at)


def _after(hours: int) -> Callable[[datetime, ZoneInfo], datetime]:
    return lambda now, _: now + timedelta(hours=hours)


def _tomorrow(now: datetime, zone: ZoneInfo) -> datetime:
    return datetime.combine(now.astimezone(zone).date() + timedelta(days=1), MORNING, zone)


def _monday(now: datetime, zone: ZoneInfo) -> datetime:
    today = now.astimezone(zone).date()
    return datetime.combine(today + timedelta(days=7 - (today.weekday() - MONDAY)), MORNING, zone)


PRESETS: Mapping[str, Callable[[datetime, ZoneInfo], datetime]] = {
    "hour": _after(1),
    "hours": _after(3),
    "tomorrow": _tomorrow,
    "monday": _monday,
}


def move(case: Case, look: Look, about: About, now: datetime) -> Part:
    """Says of each department whether somebody is there."""
    others = [one for name, one in look.departments.items() if name != case.department]
    if not others:
        return notice(look, look("act.move"), look("modal.one_department"))
    options = [
        option(_with_hours(one, look, now), one.name) for one in others[:OPTIONS] if len(one.name) <= VALUE
    ]
    choice: Part = {
        "type": "static_select",
        "action_id": "department",
        "placeholder": plain(look("modal.choose"), BUTTON),
        "options": options,
    }
    blocks = [_input("department", look("act.move_to"), choice), *context(plain(look("act.move_hint")))]
    return _window("move", look("act.move"), look("act.move"), blocks, about, look)


def _with_hours(department: Department, look: Look, now: datetime) -> str:
    label = one_line(look.department(department.name), OPTION // 2)
    if is_open(department, now, look.zone):
        return f"{label} · {look('modal.open')}"
    opens = next_opening(department, now, look.zone)
    return (
        f"{label} · {look('modal.closed_until', at=look.exact(opens))}"
        if opens
        else f"{label} · {look('modal.closed')}"
    )


def assign(case: Case, look: Look, about: About) -> Part:
    owner = user_of(case.owner)
    people: Part = {
        "type": "users_select",
        "action_id": "user",
        "placeholder": plain(look("modal.choose"), BUTTON),
    }
    blocks = [
        _input("user", look("act.assign_to"), {**people, "initial_user": owner} if owner else people),
        *context(plain(look("modal.assign_hint"))),
    ]
    return _window("assign", look("act.assign"), look("act.assign"), blocks, about, look)


def relabel(case: Case, look: Look, about: About) -> Part:
    """Wrong intent: what a person says here becomes a label to train with."""
    blocks = [
        _input("intent", look("case.correct_label"), _intents(case, look)),
        *context(plain(look("modal.relabel_hint"))),
    ]
    return _window("relabel", look("modal.relabel"), look("modal.correct"), blocks, about, look)


def set_urgency(case: Case, look: Look, about: About) -> Part:
    levels = {level: option(look.known("level", level), level) for level in reversed(Level)}
    blocks = [
        _radio("level", look("case.urgency"), [*levels.values()], levels[case.urgency.level]),
        *context(plain(look("modal.urgency_hint"))),
    ]
    return _window("set_urgency", look("case.urgency"), look("modal.set"), blocks, about, look)


def canned(case: Case, look: Look, about: About, chosen: Candidate | None = None) -> Part:
    """Search first; what was chosen can be read and changed before it goes out."""
    search: Part = {
        "type": "external_select",
        "action_id": "answer",
        "placeholder": plain(look("modal.search_answer"), BUTTON),
        "min_query_length": 0,
    }
    if chosen is None:
        blocks = [_pick(look("act.canned"), search), *context(plain(look("modal.canned_hint")))]
        return _window("canned", look("act.canned"), "", blocks, about, look)
    picked = {**search, "initial_option": option(chosen.label, chosen.value)}
    goes = look("write.reply_goes", channel=look.channel(case.address.channel))
    blocks = [
        _pick(look("act.canned"), picked),
        _typed(f"text:{chosen.value}", look("write.reply_label"), chosen.text),
        *context(plain(goes)),
    ]
    about = msgspec.structs.replace(about, answer=chosen.value)
    return _window("canned", look("act.canned"), look("write.send"), blocks, about, look)


def _pick(label: str, select: Part) -> Part:
    """Outside an input, so that choosing is told at once."""
    return {"type": "section", "block_id": "answer", "text": plain(label), "accessory": select}


def edit_held(look: Look, about: About, message: Message, meanwhile: str = "") -> Part:
    """`meanwhile` is what the customer wrote before the reply had gone out."""
    if units(_as_written(message.text)) > TYPED:
        return notice(look, look("act.edit"), look("modal.too_long"))
    said = quote(words(one_line(meanwhile, SAID)))
    blocks = [
        *(rich(section(words(look("modal.meanwhile"), bold=True)), said) if meanwhile.strip() else []),
        _typed(f"text:{message.id}", look("write.reply_label"), message.text),
    ]
    return _window("edit_held", look("act.edit"), look("write.send"), blocks, about, look)


def return_to_bot(case: Case, look: Look, about: About) -> Part:
    question = look("modal.return_question", number=case.number)
    blocks = [*rich(section(words(question))), *context(plain(look("act.return_hint")))]
    return _window("return_to_bot", look("modal.to_bot"), look("modal.give_back"), blocks, about, look)


def window_closed(case: Case, look: Look, beyond: Sequence[str]) -> Part:
    """`beyond` is what the channel still takes, in words for agents."""
    said = look("modal.window", channel=look.channel(case.address.channel))
    ways = [section(words(f"• {one_line(way, SAID)}")) for way in beyond or (look("modal.window_wait"),)]
    return _view("notice", look("modal.window_title"), [*rich(section(words(said))), *rich(*ways)], look)


def more(case: Case, look: Look, about: About) -> Part:
    """What the card has no button for, each with what it does."""
    rows = [_row(name, case, look) for name in MENU.get(case.state, ())]
    link = {**button(look("modal.open_it"), "console", case.id), "url": look.case_url(case)}
    console = {"type": "section", "text": plain(look("modal.console_hint")), "accessory": link}
    return {**_view("more", f"#{case.number}", [*rows, console], look), "private_metadata": _packed(about)}


def _row(name: str, case: Case, look: Look) -> Part:
    pressed = button(look(f"menu.{name}"), name, case.id)
    return {"type": "section", "text": plain(look(f"menu.{name}_hint")), "accessory": pressed}


def notice(look: Look, title: str, sentence: str) -> Part:
    """One sentence instead of a window that could not be used."""
    return _view("notice", title, rich(section(words(cut(clean(sentence), TYPED)))), look)


# ── Options that are searched for ───────────────────────────────────────────────────────────────


def options(query: str, candidates: Iterable[Candidate]) -> list[Part]:
    """The best matches first; without a query in the order given, as many as Slack shows."""
    wanted = query.casefold().split()
    ranked = [
        (rank, one)
        for one in candidates
        if one.value and units(one.value) <= VALUE and (rank := _rank(one, wanted))
    ]
    ranked.sort(key=lambda pair: -pair[0])
    return [option(one.label or one.value, one.value) for _, one in ranked[:OPTIONS]]


def _rank(one: Candidate, wanted: Sequence[str]) -> int:
    """0 where a word of the query is nowhere."""
    if not wanted:
        return 1
    label, whole = one.label.casefold(), f"{one.label} {one.value} {one.text}".casefold()
    if not all(word in whole for word in wanted):
        return 0
    if label.startswith(" ".join(wanted)):
        return 4
    starts = {word[: len(first)] for first in wanted for word in label.split()}
    return 3 if set(wanted) <= starts else 2 if all(word in label for word in wanted) else 1


def intents(look: Look) -> list[Candidate]:
    known = (Candidate(value=name, label=look.intent(name)) for name in look.intents)
    return sorted(known, key=lambda one: one.label.casefold())


def option(text: str, value: str) -> Part:
    return {"text": plain(one_line(text, OPTION), OPTION), "value": value}


# ── Parts ───────────────────────────────────────────────────────────────────────────────────────


def _window(name: str, title: str, submit: str, blocks: list[Part], about: About, look: Look) -> Part:
    view = {**_view(name, title, blocks, look), "private_metadata": _packed(about)}
    closed = {"close": plain(look("modal.cancel"), TITLE)}
    return {**view, **closed, "submit": plain(submit, TITLE)} if submit else {**view, **closed}


def _view(name: str, title: str, blocks: list[Part], look: Look) -> Part:
    return {
        "type": "modal",
        "callback_id": name,
        "title": plain(title, TITLE),
        "close": plain(look("modal.close"), TITLE),
        "blocks": blocks,
    }


def _packed(about: About) -> str:
    return msgspec.json.encode(about).decode()


def _input(block: str, label: str, element: Part, *, optional: bool = False) -> Part:
    return {
        "type": "input",
        "block_id": block,
        "label": plain(label),
        "element": element,
        "optional": optional,
    }


def _radio(name: str, label: str, options: list[Part], chosen: Part) -> Part:
    buttons = {"type": "radio_buttons", "action_id": name, "options": options, "initial_option": chosen}
    return _input(name, label, buttons)


def _intents(case: Case, look: Look) -> Part:
    """Searched for, since there may be more than a menu holds."""
    select: Part = {
        "type": "external_select",
        "action_id": "intent",
        "placeholder": plain(look("modal.search_intent"), BUTTON),
        "min_query_length": 0,
    }
    known = case.intent and units(case.intent) <= VALUE
    return {**select, "initial_option": option(look.intent(case.intent), case.intent)} if known else select


def _typed(block: str, label: str, text: str) -> Part:
    """A field of its own for each text, or Slack keeps what was typed into the one before."""
    field: Part = {"type": "plain_text_input", "action_id": "text", "multiline": True, "max_length": TYPED}
    start = cut(_as_written(text), TYPED)
    return _input(cut(block, BLOCK_ID), label, {**field, "initial_value": start} if start else field)


def _as_written(text: str) -> str:
    return clean(text).replace("\u2060", "").strip()
