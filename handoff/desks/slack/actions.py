"""What agents click and fill in: answered at once, done in one transaction.

https://docs.slack.dev/interactivity/handling-user-interaction. Slack sends these once: if we fail, the agent sees it
and clicks again; an action's id makes that one action.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import structlog

from bot.domain.actions import Act, AgentAction
from bot.domain.cases import CLOSED, Agent, Case
from bot.domain.desks import SavedAnswer
from bot.domain.errors import (
    MalformedPayload,
    NotAllowed,
    SendDeferred,
    SendError,
    SwitchboardError,
    TooLate,
    Unknown,
)
from bot.domain.ports import Add, Changes, Insert
from handoff.desks.base import DeskDeps
from handoff.desks.slack import forms, modals
from handoff.desks.slack.api import SlackApi
from handoff.desks.slack.blocks import receipt_of
from handoff.desks.slack.events import moment
from handoff.desks.slack.forms import Filled, Unfilled
from handoff.desks.slack.look import DESK, Look
from handoff.desks.slack.members import Members
from handoff.desks.slack.modals import About, Candidate
from handoff.desks.slack.overview import Overview
from handoff.desks.slack.posts import whisper
from handoff.desks.slack.reading import Reading

log = structlog.get_logger()

Payload = Mapping[str, Any]
Window = Callable[[Case, About, Agent], Awaitable[dict[str, Any]]]

PATIENCE = 2.0  # seconds for asking who somebody is; Slack waits three
AT_ONCE = {
    "claim": Act.CLAIM,
    "release": Act.RELEASE,
    "claim_and_send": Act.CLAIM,
    "retry": Act.RETRY,
    "arrived": Act.ARRIVED,
    "send_now": Act.SEND_NOW,
    "undo": Act.DELETE,
}
FILLED = {
    "resolve": Act.RESOLVE,
    "snooze": Act.SNOOZE,
    "move": Act.MOVE,
    "assign": Act.ASSIGN,
    "relabel": Act.RELABEL,
    "set_urgency": Act.SET_URGENCY,
    "canned": Act.REPLY,
    "edit_held": Act.EDIT,
    "return_to_bot": Act.RETURN_TO_BOT,
}


class Actions:
    def __init__(
        self, deps: DeskDeps, api: SlackApi, members: Members, reading: Reading, look: Callable[[], Look]
    ) -> None:
        self._deps = deps
        self._api = api
        self._members = members
        self._reading = reading
        self._look = look
        self._soon: set[asyncio.Task[None]] = set()
        self.overview = Overview(deps, api, reading, look, self._agent, self._later)
        self._kinds: dict[str, Callable[[Payload], Awaitable[dict[str, Any]]]] = {
            "block_actions": self._clicked,
            "message_action": self._shortcut,
            "view_submission": self._submitted,
            "block_suggestion": self._suggested,
            "view_closed": self._nothing,
        }
        self._windows: dict[str, Window] = {
            "resolve": self._resolve,
            "snooze": self._snooze,
            "move": self._move,
            "assign": self._assign,
            "relabel": self._relabel,
            "set_urgency": self._set_urgency,
            "canned": self._canned,
            "edit_held": self._edit_held,
            "return_to_bot": self._return_to_bot,
            "window": self._window_closed,
            "more": self._more,
        }

    async def take(self, payload: Payload) -> dict[str, Any]:
        """What is answered. Raises `MalformedPayload`, `StoreUnavailable`."""
        kind = str(payload.get("type"))[:40]
        handle = self._kinds.get(kind)
        if handle is None:
            await self._deps.commit(Changes(writes=(Add(counter=f"unknown:{DESK}:{_word(kind)}"),)))
            return {}
        try:
            return await handle(payload)
        except (KeyError, TypeError, IndexError, AttributeError, ValueError) as exc:
            raise MalformedPayload("The interaction is not what Slack documents.") from exc

    async def _nothing(self, payload: Payload) -> dict[str, Any]:
        return {}

    async def settled(self) -> None:
        """Until what was begun beside the answers is over."""
        while self._soon:
            await asyncio.gather(*self._soon)

    # ── Buttons and shortcuts ───────────────────────────────────────────────────────────────────

    async def _clicked(self, payload: Payload) -> dict[str, Any]:
        clicked = payload["actions"][0]
        name, value = str(clicked["action_id"]), str(clicked.get("value") or "")
        if name == "answer":
            self._later(self._answer_chosen(payload, clicked))
            return {}
        case, _, message = value.partition("|")
        return await self._do(name, payload, case, message, str(clicked.get("action_ts") or ""))

    async def _shortcut(self, payload: Payload) -> dict[str, Any]:
        """On a card or on a line under it."""
        name, said = str(payload["callback_id"]), payload["message"]
        channel, root = payload["channel"]["id"], said.get("thread_ts") or said["ts"]
        case = await self._reading.case_of_thread(receipt_of(channel, str(root)))
        if not case:
            self._tell(payload, self._look()("refused.no_case"))
            return {}
        message = await self._reading.message_of(f"{DESK}:{channel}:{said['ts']}")
        if name == "claim_and_send" and not message:
            self._tell(payload, self._look()("refused.not_yours"))
            return {}
        return await self._do(name, payload, case, message, str(payload.get("action_ts") or ""))

    async def _do(self, name: str, payload: Payload, case_id: str, message: str, at: str) -> dict[str, Any]:
        if name not in AT_ONCE and name not in self._windows:
            return {}  # a link, or a button of an older version
        try:
            agent = await self._agent(payload["user"]["id"])
            case = await self._found(case_id)
            if name == "retry" and self._deps.closed(case):  # it would only fail again
                name = "window"
            if name in self._windows:
                self._later(self._open(name, payload, case, agent, message))
                return {}
            action = AgentAction(
                id=f"{DESK}:{payload.get('trigger_id') or self._deps.new_id()}",
                case=case_id,
                agent=agent,
                action=AT_ONCE[name],
                at=moment(at) or self._deps.clock(),
                message=message,
            )
            await self._acted(action)
            if name == "claim_and_send" and _only_shown(payload):
                self._later(self._api.respond(str(payload["response_url"]), {"delete_original": True}))
            if _over_home(payload):
                self.overview.show_home(agent.id)
        except (NotAllowed, TooLate, Unknown, SendError) as error:
            self._tell(payload, await self._refusal(error, case_id))
        return {}

    async def _acted(self, action: AgentAction) -> Case:
        return await self._deps.act(action)

    async def _agent(self, user: str) -> Agent:
        """Raises `NotAllowed` for whoever may not speak, `SendDeferred` when Slack does not say in time."""
        try:
            async with asyncio.timeout(PATIENCE):
                agent = await self._members.agent(str(user))
        except TimeoutError as exc:
            raise SendDeferred(self._look()("refused.busy")) from exc
        except SendError as exc:
            raise SendDeferred(self._look()("refused.busy")) from exc
        if agent is None:
            raise NotAllowed(self._look()("refused.not_member"))
        return agent

    async def _found(self, id: str) -> Case:
        """Raises `Unknown`."""
        case = await self._reading.case(id)
        if case is None:
            raise Unknown(self._look()("refused.no_case"))
        return case

    async def _refusal(self, error: SwitchboardError, case_id: str) -> str:
        """In the desk's language where it is one of the usual ones."""
        case = await self._reading.case(case_id)
        if case and isinstance(error, TooLate) and case.owner:
            return self._look()("refused.claimed", owner=case.owner.name)
        if case and isinstance(error, NotAllowed) and case.state in CLOSED:
            return self._look()("refused.closed", number=case.number)
        return self._look().note(str(error))

    # ── Windows ─────────────────────────────────────────────────────────────────────────────────

    async def _open(self, name: str, payload: Payload, case: Case, agent: Agent, message: str) -> None:
        card = await self._reading.card_receipt(case.id)
        about = About(case=case.id, message=message, card=card, home=_over_home(payload))
        view = await self._windows[name](case, about, agent)
        on_top = isinstance(payload.get("view"), dict) and payload["view"].get("type") == "modal"
        show = self._api.push_view if on_top else self._api.open_view
        try:
            await show(str(payload["trigger_id"]), view)
        except SendError:
            if isinstance(payload.get("channel"), dict):
                await self._told(payload, self._look()("refused.late"))
            raise

    async def _resolve(self, case: Case, about: About, agent: Agent) -> dict[str, Any]:
        return modals.resolve(case, self._look(), about, await self._reading.last_reply(case, agent))

    async def _snooze(self, case: Case, about: About, agent: Agent) -> dict[str, Any]:
        return modals.snooze(case, self._look(), about, self._deps.clock(), await self._zone(agent))

    async def _zone(self, agent: Agent) -> ZoneInfo | None:
        try:
            name = await self._members.zone(agent.id)
            return ZoneInfo(name) if name else None
        except (SendError, ValueError, KeyError, OSError):
            return None

    async def _move(self, case: Case, about: About, agent: Agent) -> dict[str, Any]:
        return modals.move(case, self._look(), about, self._deps.clock())

    async def _assign(self, case: Case, about: About, agent: Agent) -> dict[str, Any]:
        return modals.assign(case, self._look(), about)

    async def _relabel(self, case: Case, about: About, agent: Agent) -> dict[str, Any]:
        return modals.relabel(case, self._look(), about)

    async def _set_urgency(self, case: Case, about: About, agent: Agent) -> dict[str, Any]:
        return modals.set_urgency(case, self._look(), about)

    async def _return_to_bot(self, case: Case, about: About, agent: Agent) -> dict[str, Any]:
        return modals.return_to_bot(case, self._look(), about)

    async def _more(self, case: Case, about: About, agent: Agent) -> dict[str, Any]:
        return modals.more(case, self._look(), about)

    async def _window_closed(self, case: Case, about: About, agent: Agent) -> dict[str, Any]:
        return modals.window_closed(case, self._look(), self._deps.beyond(case))

    async def _canned(self, case: Case, about: About, agent: Agent) -> dict[str, Any]:
        if self._deps.closed(case):
            return await self._window_closed(case, about, agent)
        return modals.canned(case, self._look(), about)

    async def _edit_held(self, case: Case, about: About, agent: Agent) -> dict[str, Any]:
        message = await self._reading.message(about.message)
        if message is None:
            raise Unknown(self._look()("refused.no_case"))
        return modals.edit_held(self._look(), about, message, await self._reading.last_words(case))

    async def _answer_chosen(self, payload: Payload, clicked: Payload) -> None:
        """What was chosen is shown, to be read and changed before it goes out."""
        view = payload["view"]
        about = forms.read_about(view)
        case = await self._found(about.case)
        wanted = str((clicked.get("selected_option") or {}).get("value"))
        chosen = next((one for one in await self._answers(case) if one.value == wanted), None)
        shown = modals.canned(case, self._look(), about, chosen)
        await self._api.update_view(
            str(view["id"]), shown
        )  # whatever was chosen before: the last choice counts

    async def _answers(self, case: Case) -> list[Candidate]:
        known = await self._deps.canned(case)
        return [Candidate(value=one.id, label=one.title, text=one.text) for one in known]

    async def _suggested(self, payload: Payload) -> dict[str, Any]:
        """The options of a menu that is searched."""
        try:
            await self._agent(payload["user"]["id"])
        except (NotAllowed, SendError):  # a window may be open longer than its reader stays
            return {"options": []}
        typed = str(payload.get("value") or "")
        if payload.get("action_id") != "answer":
            return {"options": modals.options(typed, modals.intents(self._look()))}
        about = forms.read_about(payload["view"])
        case = await self._reading.case(about.case)
        return {"options": modals.options(typed, await self._answers(case) if case else [])}

    # ── What was filled in ──────────────────────────────────────────────────────────────────────

    async def _submitted(self, payload: Payload) -> dict[str, Any]:
        view, look = payload["view"], self._look()
        try:
            filled = forms.read(view, look, self._deps.clock())
        except Unfilled as error:
            return {"response_action": "errors", "errors": error.errors}
        try:
            agent = await self._agent(payload["user"]["id"])
            to = await self._assignee(filled)
            await self._acted(self._action(filled, agent, to, view))
            if filled.save:
                await self._save(filled, agent)
            if filled.about.home:
                self.overview.show_home(agent.id)
        except (NotAllowed, TooLate, Unknown, SendError) as error:
            return self._kept_open(view, await self._refusal(error, filled.about.case))
        return {"response_action": "clear"}

    def _action(self, filled: Filled, agent: Agent, to: Agent | None, view: Payload) -> AgentAction:
        return AgentAction(
            id=f"{DESK}:view:{view['id']}",
            case=filled.about.case,
            agent=agent,
            action=FILLED[filled.window],
            at=self._deps.clock(),
            text=filled.text,
            to=to,
            until=filled.until,
            department=filled.department,
            intent=filled.intent if filled.window == "relabel" else "",
            message=filled.about.message if filled.window == "edit_held" else "",
            level=filled.level,
            outcome=filled.outcome,
        )

    async def _assignee(self, filled: Filled) -> Agent | None:
        """Raises `NotAllowed` when whoever was chosen may not speak."""
        if filled.window != "assign":
            return None
        agent = await self._members.agent(filled.user)
        if agent is None:
            raise NotAllowed(self._look()("refused.assignee"))
        return agent

    async def _save(self, filled: Filled, agent: Agent) -> None:
        """The last reply is canned from now on, and a suggestion to whoever keeps the answers."""
        case = await self._found(filled.about.case)
        reply = await self._reading.last_reply(case, agent)
        if reply is None:
            return
        saved = SavedAnswer(
            id=f"saved:{reply.id}",
            intent=filled.intent or case.intent,
            language=case.language,
            text=reply.text,
            author=agent.id,
            at=self._deps.clock(),
        )
        await self._deps.commit(Changes(writes=(Insert(record=saved),)))

    def _kept_open(self, view: Payload, sentence: str) -> dict[str, Any]:
        """At the first field; a window without fields says it instead."""
        fields = [block["block_id"] for block in view.get("blocks", ()) if block.get("type") == "input"]
        if fields:
            return {"response_action": "errors", "errors": {fields[0]: sentence}}
        title = self._look()("modal.not_done")
        return {"response_action": "update", "view": modals.notice(self._look(), title, sentence)}

    # ── Beside the answer ───────────────────────────────────────────────────────────────────────

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """What may take longer than Slack waits, and has no effect of its own."""

        async def done() -> None:
            try:
                await work
            except SwitchboardError as error:
                log.info("slack.not_shown", error=type(error).__name__)
            except (KeyError, TypeError, AttributeError, msgspec.MsgspecError):
                log.warning("slack.odd", exc_info=True)

        task = asyncio.create_task(done())
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)

    def _tell(self, payload: Payload, sentence: str) -> None:
        self._later(self._told(payload, sentence))

    async def _told(self, payload: Payload, sentence: str) -> None:
        """Where they clicked, for their eyes; in a window, on top of it."""
        user = str(payload["user"]["id"])
        channel = payload.get("channel")
        if not isinstance(channel, dict):
            notice = modals.notice(self._look(), self._look()("modal.not_done"), sentence)
            on_top = isinstance(payload.get("view"), dict) and payload["view"].get("type") == "modal"
            await (self._api.push_view if on_top else self._api.open_view)(str(payload["trigger_id"]), notice)
            return
        # What only one person sees is told without its message.
        places = (payload.get("message"), payload.get("container"))
        roots = (place.get("thread_ts") for place in places if isinstance(place, dict))
        root = next((str(root) for root in roots if root), "")
        receipt = receipt_of(str(channel["id"]), root) if root else ""
        said = whisper(str(channel["id"]), receipt, user, sentence)
        await self._api.ephemeral(said["channel"], **said["arguments"])


def _only_shown(payload: Payload) -> bool:
    """Pressed on something that nobody else sees."""
    container = payload.get("container")
    return isinstance(container, dict) and container.get("is_ephemeral") is True and "response_url" in payload


def _over_home(payload: Payload) -> bool:
    """Clicked in App Home, or in a window that was opened there."""
    view = payload.get("view")
    if not isinstance(view, dict):
        return False
    return view.get("type") == "home" or (bool(view.get("private_metadata")) and forms.read_about(view).home)


def _word(kind: str) -> str:
    return "".join(char for char in kind if char.isalnum() or char in "_-.")
