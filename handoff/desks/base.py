"""What a desk that agents talk in is built from: these few things of the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
from msgspec import Struct

from bot.domain.actions import AgentAction
from bot.domain.brand import Brand
from bot.domain.cases import Agent, Case
from bot.domain.ports import Clock, Commit, Files, NewId, Store
from bot.domain.routing import Department


class Canned(Struct, frozen=True, kw_only=True):
    """A text worth sending again."""

    id: str
    title: str
    text: str


class DeskDeps(Struct, frozen=True, kw_only=True):
    clock: Clock
    new_id: NewId
    http: aiohttp.ClientSession
    files: Files
    store: Store
    commit: Commit
    brand: Brand
    public_url: str
    departments: Mapping[str, Department]
    intents: Mapping[str, Mapping[str, str]]  # intent → language → what it is called for people
    act: Callable[[AgentAction], Awaitable[Case]]  # raises NotAllowed, TooLate, Unknown
    stayed: Callable[[Case, Agent], str]  # why words stayed internal, for their author
    closed: Callable[[Case], str]  # why the channel takes no reply now; empty while it does
    beyond: Callable[[Case], tuple[str, ...]]  # what it takes all the same, in words
    canned: Callable[[Case], Awaitable[list[Canned]]]
    today: Callable[[], Awaitable[dict[str, Any]]]  # the day's figures
    alarm: Callable[[str, str], Awaitable[None]]  # what does not work, and why
    works: Callable[[str], Awaitable[None]]  # what does work (again)
