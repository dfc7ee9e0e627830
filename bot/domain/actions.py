"""What agents do with a case, at any desk, and what is remembered of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from bot.domain.cases import Agent
from bot.domain.messages import Attachment


class Act(StrEnum):
    """What an agent can do with a case, at any desk."""

    CLAIM = "claim"
    ASSIGN = "assign"
    REPLY = "reply"
    SAY = "say"  # said under a card: the owner's words go to the customer, anybody else's are a note
    SEND_NOW = "send_now"  # what waits in its undo window, or was held
    NOTE = "note"
    RELEASE = "release"
    RESOLVE = "resolve"
    SNOOZE = "snooze"
    MOVE = "move"
    RELABEL = "relabel"
    SET_URGENCY = "set_urgency"
    RETRY = "retry"
    ARRIVED = "arrived"  # a message in doubt did arrive
    RETURN_TO_BOT = "return_to_bot"
    EDIT = "edit"  # put one's own words in other words, also those that were sent
    DELETE = "delete"  # take one's own words back


class AgentAction(Struct, frozen=True, kw_only=True):
    """What an agent did at a desk; the same `id` again changes nothing."""

    id: str
    case: str
    agent: Agent
    action: Act
    at: datetime
    text: str = ""  # reply, say, note, edit
    written: str = ""  # say, and edit or delete where it was said: the desk's own name for it
    was: str = ""  # say: its first words, where those were changed before we came to it
    reworded: bool = False  # say: it was changed before we heard of it, so it may have been a note
    attachments: tuple[Attachment, ...] = ()
    to: Agent | None = None  # assign
    until: datetime | None = None  # snooze
    department: str = ""  # move
    intent: str = ""  # relabel
    # relabel, retry, arrived, edit, delete, send_now: which one; reply: the one it answers; claim: a note to send
    message: str = ""
    level: str = ""  # set_urgency
    outcome: str = ""  # resolve


class ActionDone(Struct, frozen=True, kw_only=True):
    """Remembers a client's action id, so that the same click twice is one action."""

    id: str
    case: str
    action: str
    message: str = ""  # the message it made
    at: datetime


class Label(Struct, frozen=True, kw_only=True):
    """A person said what was really meant; becomes training data after a supervisor's look."""

    id: str
    message: str
    case: str
    intent: str = ""
    urgency: str = ""
    was: str = ""
    author: str
    at: datetime
