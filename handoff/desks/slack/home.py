"""App Home: what is mine, who waits, and how the day goes. https://docs.slack.dev/surfaces/app-home"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from bot.domain.cases import Case, CaseState
from handoff.desks.slack.blocks import AGE, Part, button, context, header, linked, marked, one_line, plain
from handoff.desks.slack.cards import DOTS
from handoff.desks.slack.look import Look
from handoff.desks.slack.markup import escape

SHOWN = 20  # of each list
NAME, WORDS = 40, 140


class Row(Struct, frozen=True, kw_only=True):
    """A case in a list; `link` leads to its card, `words` are the customer's last."""

    case: Case
    words: str = ""
    link: str = ""

    def __repr__(self) -> str:
        return f"<Row {self.case!r}>"


class Today(Struct, frozen=True, kw_only=True):
    """Since midnight by the brand's clock; `first_reply` is the median of today's."""

    received: int = 0
    answered: int = 0
    handed_off: int = 0
    resolved: int = 0
    waiting: int = 0
    first_reply: timedelta | None = None


def home(look: Look, mine: Sequence[Row], waiting: Sequence[Row], today: Today) -> Part:
    """Each list in the order of turn; an empty one says what to do."""
    blocks = [
        header(look("home.mine")),
        *listed(mine, look, "empty.mine", "home.mine_hint"),
        {"type": "divider"},
        header(look("home.waiting")),
        *listed(waiting, look, "empty.waiting", "home.waiting_hint"),
        {"type": "divider"},
        header(look("home.today")),
        *numbers(today, look),
    ]
    return {"type": "home", "callback_id": "home", "blocks": blocks}


def closed_home(sentence: str) -> Part:
    """For somebody who may not work on cases."""
    return {
        "type": "home",
        "callback_id": "home",
        "blocks": [{"type": "section", "text": plain(sentence)}],
    }


def listed(rows: Sequence[Row], look: Look, empty: str, hint: str) -> list[Part]:
    if not rows:
        return [{"type": "section", "text": plain(look(empty))}, *context(plain(look(hint)))]
    shown = [block for row in rows[:SHOWN] for block in case_row(row, look)]
    more = len(rows) - SHOWN
    rest = linked(f"{look.public_url.rstrip('/')}/console/", look.counted("home.more", more))
    return [*shown, *context(rest)] if more > 0 else shown


def case_row(row: Row, look: Look) -> list[Part]:
    """Who and what, how urgent and since when; then their words, small."""
    title = escape(one_line(look.title(row.case), 2 * WORDS))
    first = f"*<{escape(row.link)}|{title}>*" if row.link else f"*{title}*"
    said = one_line(row.words, WORDS)
    block: Part = {"type": "section", "text": marked(f"{first}\n{_standing(row.case, look)}")}
    if row.case.state in (CaseState.WAITING, CaseState.BOT):
        block["accessory"] = button(look("act.claim"), "claim", row.case.id)
    elif row.case.is_open:
        block["accessory"] = button(f"{look('act.more')}…", "more", row.case.id)
    return [block, *(context(plain(said)) if said else [])]


def _standing(case: Case, look: Look) -> str:
    level = case.urgency.level
    owner = one_line(case.owner.name, NAME) if case.owner else ""
    parts = (
        f"{DOTS.get(level, '')}{look.known('level', level)}" if level in DOTS else "",
        look.known("state", case.state) + (f": {escape(owner)}" if owner else ""),
        escape(look.department(case.department)),
        _since(case, look),
    )
    return " · ".join(part for part in parts if part)


def _since(case: Case, look: Look) -> str:
    if case.state is CaseState.SNOOZED and case.snoozed_until:
        return f"{look('case.snoozed_until')} {date(case.snoozed_until, look)}"
    if case.waiting_since:
        return f"{look('home.waits_since')} {date(case.waiting_since, look, AGE)}"
    return look("home.answered") if case.is_open else ""


def date(at: datetime, look: Look, form: str = "{date_short_pretty}, {time}") -> str:
    """In the reader's zone. https://docs.slack.dev/messaging/formatting-message-text#date-formatting"""
    return f"<!date^{int(at.timestamp())}^{form}|{look.exact(at)}>"


def numbers(today: Today, look: Look) -> list[Part]:
    told = (
        ("home.received", look.number(today.received)),
        ("home.by_bot", look.number(today.answered)),
        ("home.handed_off", look.number(today.handed_off)),
        ("home.resolved", look.number(today.resolved)),
        ("home.waiting_now", look.number(today.waiting)),
        ("home.first_reply", look.span(today.first_reply) if today.first_reply is not None else "–"),
    )
    fields = [marked(f"*{value}*\n{escape(look(key))}") for key, value in told]
    return [{"type": "section", "fields": fields}, *context(plain(look("home.defined")))]
