"""`/api/v1`: what the desks can do, for other tools; a bearer token, JSON in and out."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from bot.domain.actions import Act, AgentAction
from bot.domain.cases import Agent, Case
from bot.domain.errors import BadSignature, MalformedPayload
from bot.domain.journal import Entry
from bot.domain.messages import Message
from bot.domain.understanding import Context
from bot.web.context import WEB
from bot.web.headers import octets
from bot.web.multipart import read_body
from handoff.context import passport

DESK = "api"
LONGEST_NUMBER = 9  # digits
TOO_LARGE = "The body is too large; it may have a MiB."
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Short = Annotated[str, Meta(min_length=1, max_length=200)]
Word = Annotated[str, Meta(max_length=200)]
Outcome = Annotated[str, Meta(max_length=60)]  # the journal keeps it, and keeps no prose
Moment = Annotated[datetime, Meta(tz=True)]  # without a zone nobody knows when that is


class Asking(Struct, kw_only=True):
    """The body of /api/v1/understand, as Rasa's /model/parse takes it."""

    text: str
    language: str = ""
    message_id: str = ""


class Who(Struct, kw_only=True):
    id: Short
    name: Short


class Doing(Struct, kw_only=True):
    """The body of an action; which fields count depends on the action."""

    id: Short
    agent: Who
    action: Act
    text: str = ""
    to: Who | None = None
    until: Moment | None = None
    department: Word = ""
    intent: Word = ""
    message: Word = ""
    level: Word = ""
    outcome: Outcome = ""


def setup(app: web.Application) -> None:
    for method, path, handler in (
        ("POST", "/api/v1/understand", understand),
        ("GET", "/api/v1/cases", list_cases),
        ("GET", "/api/v1/cases/{id}", one_case),
        ("POST", "/api/v1/cases/{id}/actions", act),
        ("GET", "/api/v1/stats", stats),
    ):
        app.router.add_route(method, path, _with_token(handler))


def _with_token(handler: Handler) -> Handler:
    """Closed until a token is configured; compared in constant time."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        expected = request.app[WEB].api_token
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if not expected:
            raise BadSignature("The API is closed: set SWITCHBOARD_API_TOKEN and start again.")
        if scheme.lower() != "bearer" or not hmac.compare_digest(octets(given), octets(expected)):
            raise BadSignature("Send the API token as `Authorization: Bearer …`.")
        return await handler(request)

    return guarded


async def understand(request: web.Request) -> web.Response:
    asked = await _body(request, Asking)
    context = request.app[WEB]
    understood = await context.understander.understand(asked.text, Context(language=asked.language))
    return _json({**msgspec.to_builtins(understood), "text": asked.text})


async def list_cases(request: web.Request) -> web.Response:
    query = request.query
    limit = query.get("limit", "50")
    if not limit.isdecimal() or len(limit) > LONGEST_NUMBER:
        raise MalformedPayload("`limit` is a number of cases, up to 1000.")
    found, after = await request.app[WEB].reporting.cases(
        state=query.get("state", ""),
        department=query.get("department", ""),
        customer=query.get("customer", ""),
        limit=int(limit),
        after=query.get("after", ""),
    )
    return _json({"cases": [case_as_json(case) for case in found], "next": after or None})


async def one_case(request: web.Request) -> web.Response:
    return _json(await _whole(request, await request.app[WEB].reporting.case(request.match_info["id"])))


async def act(request: web.Request) -> web.Response:
    doing = await _body(request, Doing)
    context = request.app[WEB]
    action = AgentAction(
        id=f"{DESK}:{doing.id}",
        case=request.match_info["id"],
        agent=_agent(doing.agent),
        action=doing.action,
        at=context.clock(),
        text=doing.text.replace("\0", ""),  # no store keeps it, nobody sees it
        to=_agent(doing.to) if doing.to else None,
        until=doing.until,
        department=doing.department,
        intent=doing.intent,
        message=doing.message,
        level=doing.level,
        outcome=doing.outcome,
    )
    return _json(await _whole(request, await context.takeover.act(action)))


async def stats(request: web.Request) -> web.Response:
    return _json(await request.app[WEB].reporting.stats())


async def _whole(request: web.Request, case: Case) -> dict[str, Any]:
    reporting = request.app[WEB].reporting
    transcript = await reporting.transcript(case.id)
    return {
        **case_as_json(case),
        "context": msgspec.to_builtins(passport(case, transcript)),
        "messages": [message_as_json(message) for message in transcript],
        "journal": [entry_as_json(entry) for entry in await reporting.journal(case.id)],
    }


def case_as_json(case: Case) -> dict[str, Any]:
    return {
        "id": case.id,
        "number": case.number,
        "state": case.state,
        "owner": msgspec.to_builtins(case.owner),
        "department": case.department,
        "intent": case.intent or None,
        "urgency": msgspec.to_builtins(case.urgency),
        "channel": case.address.channel,
        "account": case.address.account,
        "customer": case.customer,
        "pseudonym": case.pseudonym,
        "language": case.language,
        "reason": case.handoff.reason if case.handoff else None,
        "opened_at": case.opened_at,
        "updated_at": case.updated_at,
        "resolved_at": case.resolved_at,
        "outcome": case.outcome or None,
    }


def message_as_json(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "direction": message.direction,
        "author": msgspec.to_builtins(message.author),
        "text": message.text,
        "attachments": [
            {
                "kind": one.kind,
                "name": one.name,
                "mime": one.mime,
                "size": one.size,
                "missing": one.missing or None,
            }
            for one in message.attachments
        ],
        "buttons": msgspec.to_builtins(message.buttons),
        "state": message.state,
        "reason": message.reason or None,
        "reaction": message.reaction or None,
        "quote": message.quote or None,
        "forwarded": message.forwarded,
        "at": message.at,
    }


def entry_as_json(entry: Entry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "actor": entry.actor,
        "attributes": entry.attributes,
        "happened_at": entry.happened_at,
        "at": entry.at,
    }


def _agent(who: Who) -> Agent:
    return Agent(id=who.id, name=who.name, desk=DESK)


async def _body(request: web.Request, kind: type[Any]) -> Any:
    body = await read_body(request, request.client_max_size, TOO_LARGE)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedPayload(f"The body is not what this route takes: {error}.") from error


def _json(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
