"""What is answered to `/case`, for the eyes of who typed it. https://docs.slack.dev/interactivity/implementing-slash-commands"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from bot.domain.desks import Card
from handoff.desks.slack.blocks import Part, context, header, linked, marked, notice, plain
from handoff.desks.slack.cards import card as card_of
from handoff.desks.slack.home import Row, Today, listed, numbers
from handoff.desks.slack.look import Look

NUMBER = re.compile(r"#?([0-9]{1,18})")
WORDS: Mapping[str, str] = {
    "": "help",
    "help": "help",
    "hilfe": "help",
    "?": "help",
    "mine": "mine",
    "meine": "mine",
    "waiting": "waiting",
    "wartend": "waiting",
    "stats": "stats",
    "zahlen": "stats",
}


class Asked(Struct, frozen=True, kw_only=True):
    """`what` is help, mine, waiting, stats, case (with its `number`) or unknown."""

    what: str
    number: int = 0


def read(text: str) -> Asked:
    """What was typed after the command."""
    typed = " ".join(text.split()).casefold()
    if match := NUMBER.fullmatch(typed):
        return Asked(what="case", number=int(match[1]))
    return Asked(what=WORDS.get(typed, "unknown"))


def mine(rows: Sequence[Row], look: Look) -> Part:
    return _answer(
        look("home.mine"), [header(look("home.mine")), *listed(rows, look, "empty.mine", "home.mine_hint")]
    )


def waiting(rows: Sequence[Row], look: Look) -> Part:
    title = look("home.waiting")
    return _answer(title, [header(title), *listed(rows, look, "empty.waiting", "home.waiting_hint")])


def stats(today: Today, look: Look) -> Part:
    return _answer(look("home.today"), [header(look("home.today")), *numbers(today, look)])


def case(card: Card, look: Look, link: str = "") -> Part:
    """The card as it stands in its channel; `link` leads there."""
    blocks = card_of(card, look, "")["arguments"]["blocks"]
    there = context(linked(link, look("command.to_card"))) if link else []
    return _answer(look.title(card.case), [*blocks, *there])


def no_case(number: int, look: Look) -> Part:
    found = look("list.nothing_found", number=f"#{number}")
    return _answer(found, [{"type": "section", "text": plain(found)}, *context(plain(look("command.try")))])


def help(look: Look) -> Part:  # noqa: A001  the word people type
    lines = "\n".join(f"`/case {what}` {look(f'command.{key}')}" for what, key in HELP)
    return _answer(
        look("command.title"), [header(look("command.title")), {"type": "section", "text": marked(lines)}]
    )


HELP = (("mine", "mine"), ("waiting", "waiting"), ("1042", "case"), ("stats", "stats"), ("help", "help"))


def unknown(look: Look) -> Part:
    """Nothing of what was typed is said again."""
    said = [{"type": "section", "text": plain(look("command.unknown"))}]
    return _answer(look("command.unknown"), [*said, *help(look)["blocks"][1:]])


def _answer(text: str, blocks: list[Part]) -> Part:
    return {"response_type": "ephemeral", "text": notice(text), "blocks": blocks}
