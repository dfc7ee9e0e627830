"""One case: its story, its context, and what can be done."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiohttp import web
from msgspec import Struct
from msgspec.structs import replace

from bot.domain.accounts import User
from bot.domain.actions import Act
from bot.domain.cases import Case, CaseState
from bot.domain.errors import Unknown
from bot.domain.messages import AuthorKind, Direction, Message, MessageState
from bot.domain.ports import Capabilities, Connector, Query
from bot.domain.understanding import Level
from bot.web.console.lists import vocabulary
from bot.web.console.pages import render
from bot.web.console.reasons import note, urgency_reason
from bot.web.console.timeline import SHOWN_ITEMS, Happened, Said, Vocabulary, timeline, with_days
from bot.web.console.visits import VISIT, Visit, the_web

OUTCOMES = ("solved", "not_possible", "no_reply", "not_needed")
MOST_USERS = 500
ARRIVED = (MessageState.SENT, MessageState.DELIVERED, MessageState.READ)


class Draft(Struct, frozen=True, kw_only=True):
    """What somebody was writing when their action was refused: nothing of it is lost."""

    mode: Act = Act.REPLY
    text: str = ""
    problem: str = ""
    offers_note: bool = False

    def __repr__(self) -> str:
        return f"<Draft of a {self.mode}>"


async def show_case(request: web.Request) -> web.Response:
    return await case_page(request, request.match_info["case"])


async def case_page(
    request: web.Request, id: str, *, draft: Draft | None = None, status: int = 200
) -> web.Response:
    """Raises `Unknown`."""
    context, visit = the_web(request), request[VISIT]
    case, messages, journal = await asyncio.gather(
        context.reporting.case(id), context.reporting.transcript(id), context.reporting.journal(id)
    )
    previous, users = await asyncio.gather(
        context.reporting.previous(case),
        context.store.find(Query(kind=User, order="id", limit=MOST_USERS)),
    )
    known = vocabulary(request)
    items = [_in_words(item, known) for item in timeline(case, messages, journal, known)]
    shown = items if request.query.get("all") else items[-SHOWN_ITEMS:]
    values = {
        "case": case,
        "items": with_days(shown, visit.words),
        "hidden": len(items) - len(shown),
        "heard": _heard(messages),
        "previous": previous,
        "users": users,
        "draft": draft or Draft(),
        "speaking": speaking(case, visit),
        "changes": changes(case, messages, visit, _can(case, context.connectors)),
        "action_id": context.new_id(),
        "detail": known.detail(case.handoff) if case.handoff else "",
        "reasons": [urgency_reason(reason, known) for reason in case.urgency.reasons],
        "earlier_owners": [name for name in case.owners if not case.owner or name != case.owner.name],
        **_choices(case, known, context.departments, context.labels),
    }
    return render(request, "case.html", status=status, **values)


def speaking(case: Case, visit: Visit) -> str:
    """Claim to speak: `mine`, `free` (claim and send), `owned` by somebody else, `closed`."""
    if not case.is_open:
        return "closed"
    if case.state is not CaseState.CLAIMED or case.owner is None:
        return "free"
    return "mine" if case.owner.id == visit.agent.id else "owned"


def changes(
    case: Case, messages: Iterable[Message], visit: Visit, can: Capabilities
) -> dict[str, tuple[Act, ...]]:
    """What the owner of a case can still do about their own words at the customer's: by the message's id."""
    if speaking(case, visit) != "mine":
        return {}
    possible = {Act.EDIT: can.edits, Act.DELETE: can.deletes}
    acts = tuple(act for act, able in possible.items() if able)
    return {
        message.id: tuple(act for act in acts if act is not Act.EDIT or message.text)
        for message in messages
        if (message.author.kind, message.author.id) == (AuthorKind.AGENT, visit.agent.id)
        and message.state in ARRIVED
        and not message.deleted_at
    }


def _can(case: Case, connectors: Mapping[tuple[str, str], Connector]) -> Capabilities:
    connector = connectors.get((case.address.channel, case.address.account))
    return connector.capabilities if connector else Capabilities()


def _choices(
    case: Case, known: Vocabulary, departments: Mapping[str, Any], labels: Mapping[str, Any]
) -> dict[str, Any]:
    intents = sorted(((known.intent(name), name) for name in labels), key=lambda pair: pair[0].casefold())
    return {
        "vocabulary": known,
        "spoken": lambda text: note(text, known),
        "levels": tuple(Level),
        "outcomes": OUTCOMES,
        "intents": intents,
        "other_departments": [name for name in departments if name != case.department],
    }


def _in_words(item: Said | Happened, known: Vocabulary) -> Said | Happened:
    """What the server itself says, in the viewer's language."""
    if isinstance(item, Said) and item.message.author.kind is AuthorKind.SYSTEM:
        return replace(item, text=note(item.text, known))
    return item


def _heard(messages: Sequence[Message]) -> int:
    return sum(message.direction is Direction.IN for message in messages)


async def show_text(request: web.Request) -> web.Response:
    """A very long message as plain text: nothing in it can act."""
    message = await the_web(request).store.get(Message, request.match_info["message"])
    if message is None or message.case != request.match_info["case"] or message.deleted_at:
        raise Unknown("There is no such message.")
    return web.Response(text=message.text, content_type="text/plain", charset="utf-8")
