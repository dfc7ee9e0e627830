"""The card of a handoff: who and what, why and how urgent, their last words, then what one needs to know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.domain.cases import CLOSED, Case, CaseState
from bot.domain.desks import Card
from bot.domain.messages import AuthorKind, Direction, Message, Role
from bot.domain.ports import Payload
from bot.domain.understanding import Level
from handoff.desks.slack.blocks import (
    CONTEXT,
    Part,
    actions,
    age,
    button,
    context,
    header,
    joined,
    link,
    linked,
    moment,
    one_line,
    plain,
    posted,
    quote,
    rich,
    section,
    words,
)
from handoff.desks.slack.look import Look

LAST_WORDS, LONG = 280, 1000
SAID = 140  # of what the bot asked or answered
SLOT, SLOTS = 80, 8
REASON, REASONS = 80, 4
NAME, NAMES = 40, 6
PREVIOUS = 3

BUTTONS: Mapping[CaseState, tuple[str, ...]] = {
    CaseState.WAITING: ("claim", "move", "resolve", "more"),
    CaseState.CLAIMED: ("release", "resolve", "snooze", "canned", "more"),
    CaseState.SNOOZED: ("claim", "resolve", "more"),
    CaseState.BOT: ("claim", "resolve", "more"),
}
ASKS = frozenset(
    {"move", "resolve", "snooze", "canned", "more"}
)  # open a window, so their names end with "…"
DOTS: Mapping[Level, str] = {Level.CRITICAL: "🔴 ", Level.HIGH: "🟠 "}


def card(card: Card, look: Look, channel: str) -> Payload:
    """One message per handoff: a new one, or what the one that is there says from now on."""
    case = card.case
    blocks = _closed(case, look) if case.state in CLOSED else _open(card, look)
    return posted(channel, card_key(case), _notified(card, look), blocks, receipt=card.receipt)


def card_key(case: Case) -> str:
    """A case that moved has another card, maybe in the same channel: it must not be taken for the first one."""
    return f"card:{case.id}:{(case.handoff_at or case.opened_at).isoformat()}:{case.department}"


def _open(card: Card, look: Look) -> list[Part]:
    return [
        header(look.title(card.case)),
        *rich(section(*why(card.case, look)), quote(*_last_words(card, look))),
        *rich(section(*joined(_facts(card, look), "\n"))),
        *context(*_context(card, look)),
        *actions(*(card_button(name, card.case, look) for name in BUTTONS[card.case.state])),
    ]


def card_button(name: str, case: Case, look: Look) -> Part:
    label = look(f"act.{name}") + ("…" if name in ASKS else "")
    primary = name == "claim" and case.state is CaseState.WAITING
    return button(label, name, case.id, "primary" if primary else "")


def _notified(card: Card, look: Look) -> str:
    said = last_words(card)
    return look.title(card.case) + (f": {said}" if said and card.case.is_open else "")


# ── Why it is here, and how urgent ──────────────────────────────────────────────────────────────


def why(case: Case, look: Look) -> list[Part]:
    return joined([_standing(case, look), _reason(case, look), _urgency(case, look)])


def _standing(case: Case, look: Look) -> list[Part]:
    """Whose it is, where nobody is called any more."""
    owner = one_line(case.owner.name, NAME) if case.owner else ""
    if case.state is CaseState.CLAIMED:
        return [words(look("card.owned", owner=owner), bold=True)]
    if case.state is CaseState.SNOOZED and case.snoozed_until:
        until = words(f"{look('case.snoozed_until')} ", bold=True), moment(case.snoozed_until, look)
        return [*until, words(f" ({owner})")] if owner else [*until]
    return [words(look("card.bot_leads"), bold=True)] if case.state is CaseState.BOT else []


def _reason(case: Case, look: Look) -> list[Part]:
    if case.handoff is None or case.state is CaseState.BOT:
        return []
    known = case.handoff.detail == case.intent  # it stands in the line above
    detail = "" if known else one_line(look.detail(case.handoff), REASON)
    said = words(look.known("reason", case.handoff.reason), bold=case.state is CaseState.WAITING)
    return [said, words(f": {detail}")] if detail else [said]


def _urgency(case: Case, look: Look) -> list[Part]:
    """An ordinary case needs no word for that."""
    level, reasons = case.urgency.level, look.reasons(case)[:REASONS]
    if level is Level.NORMAL and not reasons:
        return []
    name = words(DOTS.get(level, "") + look.known("level", level), bold=level in DOTS)
    told = ", ".join(one_line(reason, REASON) for reason in reasons)
    return [name, words(f": {told}")] if told else [name]


# ── What the customer said last ─────────────────────────────────────────────────────────────────


def last_words(card: Card) -> str:
    """As they were written; the passport's where the transcript does not reach back so far."""
    texts = (message.text for message in reversed(card.transcript) if _says(message) and message.text.strip())
    return next(texts, card.passport.last_words if card.passport else "")


def _says(message: Message) -> bool:
    return message.direction is Direction.IN and message.deleted_at is None


def _last_words(card: Card, look: Look) -> list[Part]:
    """In one line, and short."""
    text = last_words(card)
    said = one_line(text, LAST_WORDS)
    last = next((message for message in reversed(card.transcript) if _says(message)), None)
    files = ", ".join(look.known("attachment", one.kind) for one in last.attachments[:NAMES]) if last else ""
    shortened = (
        [words(f" {look('card.rest_in_thread')}", italic=True)] if said != one_line(text, LONG) else []
    )
    shown = [words(f"{' ' if said else ''}📎 {files}", italic=True)] if files else []
    return [words(said), *shortened, *shown]


# ── What one needs to know ──────────────────────────────────────────────────────────────────────


def _facts(card: Card, look: Look) -> list[list[Part]]:
    """A line each, with its name in front; what is not so has none."""
    case = card.case
    facts = (
        ("", [words(look("card.public"), bold=True)] if case.address.public else []),
        ("card.waits_since", _waits(case, look)),
        ("card.deadline", [moment(card.deadline, look)] if card.deadline else []),
        ("case.lease", [moment(case.lease.until, look)] if case.lease else []),
        ("card.given", _given(card, look)),
        ("card.asked", _bot_said(card, Role.ASK, look)),
        ("card.answered", _bot_said(card, Role.ANSWER, look)),
        ("case.matters", _matters(case, look)),
        ("card.owners", _owners(case)),
    )
    return [[words(f"{look(key)} ", bold=True), *said] if key else said for key, said in facts if said]


def _waits(case: Case, look: Look) -> list[Part]:
    """Since when, and what they were told."""
    if case.waiting_since is None:
        return []
    since = [age(case.waiting_since, look)]
    promised = case.handoff.promised if case.handoff else None
    if promised is None or case.handoff is None or _answered_since(case):
        return since
    over = f" ({look('case.promise_over')})" if case.promise_broken else ""
    return [*since, words(f" · {look('card.promised')} ", bold=True), moment(promised, look), words(over)]


def _answered_since(case: Case) -> bool:
    handed_off = case.handoff_at
    return bool(case.first_reply_at and handed_off and case.first_reply_at >= handed_off)


def _given(card: Card, look: Look) -> list[Part]:
    slots = {**(card.passport.given if card.passport else {}), **card.case.slots}
    told = [f"{look.known('slot', one_line(name, NAME))} {one_line(slots[name], SLOT)}" for name in slots]
    return [words(", ".join(told[:SLOTS]))] if told else []


def _bot_said(card: Card, role: Role, look: Look) -> list[Part]:
    """The last one, and of how many."""
    by_bot = (one for one in card.transcript if one.author.kind is AuthorKind.BOT and one.role is role)
    texts = [one.text for one in by_bot]
    if card.passport and not texts:
        texts = [*(card.passport.bot_asked if role is Role.ASK else card.passport.bot_answered)]
    if not texts:
        return []
    before = f" ({look('card.last_of', n=len(texts))})" if len(texts) > 1 else ""
    return [words(look("card.quoted", words=one_line(texts[-1], SAID)) + before)]


def _matters(case: Case, look: Look) -> list[Part]:
    others = [matter for matter in case.matters if matter.intent != case.intent]
    told = (f"{look.intent(one.intent)} ({look.department(one.department)})" for one in others[:NAMES])
    return [words(", ".join(told))] if others else []


def _owners(case: Case) -> list[Part]:
    names = case.owners[:-1] if case.owner and case.owners[-1:] == (case.owner.name,) else case.owners
    return [words(", ".join(one_line(name, NAME) for name in names[-NAMES:]))] if names else []


# ── What is good to know, small ─────────────────────────────────────────────────────────────────


def _context(card: Card, look: Look) -> list[Part]:
    lines = (_where_and_what(card.case, look), _earlier(card.previous, look))
    owner = card.case.owner
    hints = (
        [plain(look("card.speak", owner=one_line(owner.name, NAME)))] if owner and _speaks(card.case) else []
    )
    whole = linked(look.case_url(card.case), look("card.whole"))
    return [*hints, *(plain(line, CONTEXT) for line in lines if line), whole]


def _speaks(case: Case) -> bool:
    return case.state is CaseState.CLAIMED


def _where_and_what(case: Case, look: Look) -> str:
    sure = look("card.sure", percent=look.percent(case.confidence)) if case.intent else ""
    parts = (
        f"{look.channel(case.address.channel)} {one_line(case.address.account, NAME)}",
        look.department(case.department),
        look.known("language", case.language),
        sure,
        look("card.mood", mood=look.known("sentiment", case.sentiment.label)),
        look("card.pseudonymous"),
    )
    return " · ".join(part for part in parts if part)


def _earlier(previous: Iterable[Case], look: Look) -> str:
    """Newest first."""
    told = [_in_short(case, look) for case in previous][:PREVIOUS]
    return f"{look('case.previous')}: {', '.join(told)}" if told else ""


def _in_short(case: Case, look: Look) -> str:
    outcome = look.known("outcome", one_line(case.outcome, NAME)) if case.outcome else ""
    about = f" {look.intent(case.intent)}" if case.intent else ""
    return f"#{case.number}{about}" + (f" ({outcome})" if outcome else "")


# ── When it is over ─────────────────────────────────────────────────────────────────────────────


def _closed(case: Case, look: Look) -> list[Part]:
    """Two lines: the channel belongs to those who still wait."""
    ended = joined([*_outcome(case, look), [link(look.case_url(case), look("card.whole"))]])
    return rich(section(words(f"{look.title(case)}\n", bold=True), *ended))


def _outcome(case: Case, look: Look) -> list[list[Part]]:
    if case.state is CaseState.MERGED:
        return [[words(look("card.merged"))]]
    outcome = look.known("outcome", one_line(case.outcome, REASON)) if case.outcome else ""
    by = case.last_owner
    return [
        [words(f"✅ {look('state.resolved')}{f': {outcome}' if outcome else ''}")],
        [words(one_line(by.name, NAME))] if by else [],
        [moment(case.resolved_at, look)] if case.resolved_at else [],
    ]
