"""What agents do, as forms: a POST becomes an `AgentAction`; a refusal loses nothing of what was written."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct
from msgspec.structs import replace

from bot.domain.accounts import User
from bot.domain.actions import Act, AgentAction
from bot.domain.cases import Case, CaseState, may_speak
from bot.domain.errors import MalformedPayload, NotAllowed, NotYet, SwitchboardError, TooLate
from bot.domain.messages import Attachment, topic
from bot.domain.understanding import Level
from bot.web.chat.uploads import recognise, safe_name
from bot.web.console.casepage import Draft, case_page
from bot.web.console.forms import FORM, Form, Upload
from bot.web.console.language import Words
from bot.web.console.pages import wants_json
from bot.web.console.visits import PATH, VISIT, Visit, as_agent, the_web
from bot.web.context import Web

CLIENT_ID = re.compile(r"[\w-]{8,64}", re.ASCII)
MORNING = time(9)
LONGEST_SNOOZE = timedelta(days=366)
OUTCOME_LIMIT = 60


class Refused(SwitchboardError):
    """The form asks for what cannot be; the message is for the viewer, in their language."""


class Asked(Struct, frozen=True, kw_only=True):
    """A form and all that is needed to read it."""

    form: Form
    context: Web
    words: Words
    now: datetime

    @property
    def wanted(self) -> str:
        """A refused reply can be kept as a note by a button that is worth more than the choice above it."""
        return self.form["rescue"] or self.form["action"]


async def act(request: web.Request) -> web.Response:
    """Do it, then go back to the case; what is refused comes back with its text."""
    visit, case_id = request[VISIT], request.match_info["case"]
    asked = Asked(
        form=request[FORM], context=the_web(request), words=visit.words, now=the_web(request).clock()
    )
    try:
        case = await _done(asked, visit, case_id)
    except (Refused, NotAllowed, TooLate) as error:
        return await _refused(request, asked, case_id, error)
    if wants_json(request):
        return _json({"case": case.id, "state": case.state})
    raise web.HTTPSeeOther(f"{PATH}/cases/{case.id}#latest")


async def typing(request: web.Request) -> web.Response:
    """Tell a hosted chat that its agent is writing; a hint that nobody keeps."""
    context = the_web(request)
    case = await context.reporting.case(request.match_info["case"])
    if may_speak(case, request[VISIT].agent):
        await context.broadcast.publish(topic(case.address), b'{"typing": "agent"}')
    return web.Response(status=204)


async def _done(asked: Asked, visit: Visit, id: str) -> Case:
    action = await _action(asked, visit, id)
    takeover = asked.context.takeover
    if asked.form["claim"] and action.action is Act.REPLY:
        await takeover.act(replace(action, id=f"{action.id}:claim", action=Act.CLAIM))
    return await takeover.act(action)


async def _action(asked: Asked, visit: Visit, id: str) -> AgentAction:
    """Raises `Refused`, or `MalformedPayload` for what no page of ours sends."""
    form, wanted = asked.form, asked.wanted
    if wanted not in set(Act):
        raise MalformedPayload(f"There is no action {wanted[:20]!r}.")
    if not CLIENT_ID.fullmatch(form["id"]):
        raise MalformedPayload("The action has no id; reload the page.")
    kind = Act(wanted)
    read = READERS.get(kind, _nothing)
    return AgentAction(
        id=f"{visit.agent.desk}:{visit.agent.id}:{form['id']}:{_digest(form)}",
        case=id,
        agent=visit.agent,
        action=kind,
        at=asked.now,
        **await read(asked),
    )


def _digest(form: Form) -> str:
    """A form sent twice is one action; a form changed and sent again is another."""
    upload = form.upload.content if form.upload else b""
    known = {name: text for name, text in form.fields.items() if name != "csrf"}
    return hashlib.sha256(msgspec.json.encode(sorted(known.items())) + upload).hexdigest()[:16]


# ── What each action needs from its form ────────────────────────────────────────────────────────


async def _nothing(_: Asked) -> dict[str, Any]:
    return {}


async def _reply(asked: Asked) -> dict[str, Any]:
    attachments = (await _stored(asked, asked.form.upload),) if asked.form.upload else ()
    text = asked.form["text"].strip()
    if not text and not attachments:
        raise Refused(asked.words("write.empty"))
    return {"text": text, "attachments": attachments}


async def _stored(asked: Asked, upload: Upload) -> Attachment:
    try:
        found = recognise(upload.content)
    except MalformedPayload as exc:
        raise Refused(asked.words("refused.file_type")) from exc
    return Attachment(
        kind=found.kind,
        name=safe_name(upload.name, found),
        mime=found.mime,
        size=len(upload.content),
        file=await asked.context.files.put(upload.content),
    )


async def _note(asked: Asked) -> dict[str, Any]:
    text = asked.form["text"].strip()
    if not text:
        raise Refused(asked.words("write.empty"))
    return {"text": text}


async def _edit(asked: Asked) -> dict[str, Any]:
    return {**await _note(asked), **await _message(asked)}


async def _assign(asked: Asked) -> dict[str, Any]:
    user = await asked.context.store.get(User, asked.form["to"]) if asked.form["to"] else None
    if user is None:
        raise Refused(asked.words("refused.user"))
    return {"to": as_agent(user.id)}


async def _snooze(asked: Asked) -> dict[str, Any]:
    preset = PRESETS.get(asked.form["preset"])
    until = preset(asked) if preset else _moment(asked)
    if until is None or not asked.now < until <= asked.now + LONGEST_SNOOZE:
        raise Refused(asked.words("refused.time"))
    return {"until": until.astimezone(UTC)}


def _tomorrow(asked: Asked) -> datetime:
    zone = asked.context.brand.zone
    day = asked.now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(day, MORNING, zone)


PRESETS: Mapping[str, Callable[[Asked], datetime]] = {
    "hour": lambda asked: asked.now + timedelta(hours=1),
    "tomorrow": _tomorrow,
}


def _moment(asked: Asked) -> datetime | None:
    """The script says which moment was meant; without it the brand's time zone holds, as the page says."""
    try:
        moment = datetime.fromisoformat(asked.form["until_exact"] or asked.form["until"])
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=asked.context.brand.zone)


async def _move(asked: Asked) -> dict[str, Any]:
    return {"department": _one_of(asked, "department", asked.context.departments, "refused.department")}


async def _relabel(asked: Asked) -> dict[str, Any]:
    intent = _one_of(asked, "intent", asked.context.labels, "refused.intent")
    return {"intent": intent, "message": asked.form["message"]}


async def _urgency(asked: Asked) -> dict[str, Any]:
    return {"level": _one_of(asked, "level", tuple(Level), "refused.level")}


async def _message(asked: Asked) -> dict[str, Any]:
    return {"message": asked.form["message"]}


async def _outcome(asked: Asked) -> dict[str, Any]:
    return {"outcome": asked.form["outcome"][:OUTCOME_LIMIT]}


def _one_of(asked: Asked, name: str, known: Mapping[str, Any] | tuple[str, ...], otherwise: str) -> str:
    if asked.form[name] not in known:
        raise Refused(asked.words(otherwise))
    return asked.form[name]


READERS: Mapping[Act, Callable[[Asked], Awaitable[dict[str, Any]]]] = {
    Act.REPLY: _reply,
    Act.NOTE: _note,
    Act.ASSIGN: _assign,
    Act.SNOOZE: _snooze,
    Act.MOVE: _move,
    Act.RELABEL: _relabel,
    Act.SET_URGENCY: _urgency,
    Act.RETRY: _message,
    Act.ARRIVED: _message,
    Act.EDIT: _edit,
    Act.DELETE: _message,
    Act.RESOLVE: _outcome,
}


# ── When it cannot be done ──────────────────────────────────────────────────────────────────────


async def _refused(
    request: web.Request, asked: Asked, id: str, error: Refused | NotAllowed | TooLate
) -> web.Response:
    case = await asked.context.reporting.case(id)
    status = {Refused: 400, NotAllowed: 403, NotYet: 409, TooLate: 409}[type(error)]
    writes = asked.wanted == Act.REPLY and bool(asked.form["text"].strip())
    taken = case.state is CaseState.CLAIMED and case.owner_id != request[VISIT].agent.id
    draft = Draft(
        mode=Act.NOTE if asked.wanted == Act.NOTE else Act.REPLY,
        text=asked.form["text"],
        problem=_sentence(error, case, asked, taken=taken and writes),
        offers_note=writes and (taken or not case.is_open),
    )
    if wants_json(request):
        error_body = {"code": str(status), "message": draft.problem, "offers_note": draft.offers_note}
        return _json({"error": error_body}, status)
    return await case_page(request, id, draft=draft, status=status)


def _sentence(error: SwitchboardError, case: Case, asked: Asked, *, taken: bool) -> str:
    """Why not, in the viewer's language; the domain's own sentence where we know none."""
    words, kind = asked.words, asked.wanted
    if isinstance(error, Refused):
        return str(error)
    if not case.is_open:
        return words("refused.closed", number=case.number)
    if taken and case.owner:
        return words("write.taken", owner=case.owner.name)
    if kind == Act.CLAIM and case.owner:
        return words("refused.claimed", owner=case.owner.name)
    if isinstance(error, TooLate):
        return words("refused.too_late")
    if kind == Act.REPLY:
        return words("refused.claim_first")
    if kind in {Act.EDIT, Act.DELETE}:
        return words("refused.change")
    return str(error)


def _json(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")
