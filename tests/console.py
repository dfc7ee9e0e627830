"""A console in front of a small world, and people who look at it with a browser that has no script."""

from __future__ import annotations

import html
import io
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import CookieJar, FormData
from aiohttp.test_utils import TestClient, TestServer

from bot.domain.accounts import Session, User
from bot.domain.brand import Brand
from bot.domain.cases import Agent, Case, CaseState, Handoff, Reason
from bot.domain.drafts import entry
from bot.domain.journal import Did
from bot.domain.messages import BOT, Author, AuthorKind, Direction, Message, MessageState, Role
from bot.domain.outbox import Destination, OutboxRow
from bot.domain.ports import Applied, Changes, Insert, Query, Write
from bot.domain.understanding import Level, Urgency
from bot.stores.files import LocalFiles
from bot.web import app as application
from bot.web.console.passwords import hash_password
from bot.web.console.visits import COOKIE, open_session
from bot.web.context import Web
from tests.builders import case as a_case
from tests.fakes.channel import FakeChannel
from tests.world import World, world

Headers = Mapping[str, str]
NONE: Headers = {}
PASSWORD = "correct horse"
CUSTOMER = Author(kind=AuthorKind.CUSTOMER, id="c")
ADA, BEN = (Agent(id=name, name=name, desk="console") for name in ("Ada", "Ben"))
CSRF = re.compile(r'name="csrf" value="([^"]+)"')
ACTION_ID = re.compile(r'name="id" value="([^"]+)"')

hashed = cache(hash_password)  # a tenth of a second each


class Page:
    """An answer, as a person reads it and as a browser does."""

    def __init__(self, status: int, headers: Any, text: str, path: str) -> None:
        self.status, self.headers, self.html, self.path = status, headers, text, path

    @property
    def words(self) -> str:
        """Everything that is not markup, in one line."""
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", self.html)).split())

    def part(self, id: str) -> str:
        """The markup from the element with this id on."""
        return self.html.partition(f'id="{id}"')[2]

    @property
    def cases(self) -> list[str]:
        """The ids of the cases of a list, in its order."""
        return re.findall(r'<tr data-case="([^"]+)"', self.html)

    @property
    def problem(self) -> str:
        found = re.search(r'<p class="problem"[^>]*>(.*?)</p>', self.html, re.DOTALL)
        return html.unescape(found[1]).strip() if found else ""

    @property
    def draft(self) -> str:
        found = re.search(r"<textarea[^>]*>(.*?)</textarea>", self.html, re.DOTALL)
        return html.unescape(found[1]) if found else ""


class Viewer:
    """Somebody with a browser of their own."""

    def __init__(self, client: TestClient[Any, Any], language: str) -> None:
        self.client = client
        self._headers = {"Accept-Language": language, "Accept": "text/html"}
        self._ids = iter(range(1000))

    async def get(self, path: str, *, follow: bool = True, headers: Headers = NONE) -> Page:
        all_headers = {**self._headers, **headers}
        async with self.client.get(path, headers=all_headers, allow_redirects=follow) as answer:
            return await _page(answer)

    async def post(self, path: str, fields: Any, *, follow: bool = True, headers: Headers = NONE) -> Page:
        all_headers = {**self._headers, **headers}
        async with self.client.post(path, data=fields, headers=all_headers, allow_redirects=follow) as answer:
            return await _page(answer)

    async def log_in(
        self, name: str, password: str = PASSWORD, *, then: str = "", follow: bool = True
    ) -> Page:
        page = await self.get("/console/login")
        proof = re.search(r'name="proof" value="([^"]+)"', page.html)
        assert proof, "logged in already"
        fields = {"proof": proof[1], "name": name, "password": password, "next": then}
        return await self.post("/console/login", fields, follow=follow)

    async def csrf(self) -> str:
        found = CSRF.search((await self.get("/console/account")).html)
        assert found
        return found[1]

    async def act(
        self, case: str, action: str, *, follow: bool = True, accept: str = "", **fields: Any
    ) -> Page:
        """Send a form of the case's page; an id is made up unless given."""
        known = {"csrf": await self.csrf(), "id": f"action-{next(self._ids):04d}", "action": action}
        headers = {"Accept": accept} if accept else {}
        return await self.post(
            f"/console/cases/{case}/actions", {**known, **fields}, follow=follow, headers=headers
        )

    async def reply_with(self, case: str, text: str, name: str, content: bytes) -> Page:
        form = FormData(quote_fields=False)
        for field, value in {
            "csrf": await self.csrf(),
            "id": "with-a-file",
            "action": "reply",
            "text": text,
        }.items():
            form.add_field(field, value)
        form.add_field("file", io.BytesIO(content), filename=name, content_type="application/octet-stream")
        return await self.post(f"/console/cases/{case}/actions", form)


async def _page(answer: aiohttp.ClientResponse) -> Page:
    return Page(answer.status, answer.headers, await answer.text(errors="replace"), answer.url.path_qs)


class Desk:
    """The console and what is behind it."""

    def __init__(self, here: World, context: Web, server: TestServer, stack: AsyncExitStack) -> None:
        self.here, self.context, self.server, self._stack = here, context, server, stack

    async def viewer(self, name: str = "", *, language: str = "en") -> Viewer:
        """Logged in already when there is a name; the password's tenth of a second is saved."""
        client: TestClient[Any, Any] = TestClient(self.server, cookie_jar=CookieJar(unsafe=True))
        self._stack.push_async_callback(client.session.close)
        if name:
            user = await self.here.store.get(User, name)
            assert user
            client.session.cookie_jar.update_cookies({COOKIE: await open_session(self.context, user)})
        return Viewer(client, language)

    async def user(self, name: str, role: str = "agent") -> None:
        user = User(id=name, role=role, password=hashed(PASSWORD), created_at=self.here.clock())
        await self.write(Insert(record=user))

    async def case(self, words: str = "Where is it?", **changes: Any) -> Case:
        """A case with one message of its customer."""
        id, number = self.here.new_id(), changes.pop("number", None) or await self.here.store.number()
        made = a_case(**{"id": id, "number": number, "customer": f"customer of {id}", **changes})
        await self.write(Insert(record=made))
        if words:
            await self.message(made, words)
        return made

    async def waiting(
        self, words: str = "Help!", *, minutes: float = 0, level: str = "normal", **changes: Any
    ) -> Case:
        since = self.here.clock() - timedelta(minutes=minutes)
        known = {
            "state": CaseState.WAITING,
            "waiting_since": since,
            "urgency": Urgency(level=Level(level)),
            "handoff": Handoff(reason=Reason.ASKED_FOR_PERSON, at=since),
        }
        return await self.case(words, **{**known, **changes})

    async def message(self, case: Case, text: str = "", **changes: Any) -> Message:
        known: dict[str, Any] = {"direction": Direction.IN, "author": CUSTOMER, "at": self.here.clock()}
        made = Message(
            **{
                "id": self.here.new_id(),
                "case": case.id,
                "customer": case.customer,
                "address": case.address,
                "text": text,
                **known,
                **changes,
            }
        )
        await self.write(Insert(record=made, scope=f"customer:{case.customer}"))
        return made

    async def sent(self, case: Case, text: str, state: MessageState, **changes: Any) -> Message:
        """An outgoing message with its outbox row."""
        known = {"direction": Direction.OUT, "author": BOT, "role": Role.ANSWER, "state": state}
        made = await self.message(case, text, **{**known, **changes})
        row = OutboxRow(
            id=self.here.new_id(),
            destination=Destination.CHANNEL,
            channel="test",
            account="shop",
            case=case.id,
            customer=case.customer,
            message=made.id,
            order_key=case.id,
            state=state,
            not_before=self.here.clock(),
            created_at=self.here.clock(),
        )
        await self.write(Insert(record=row, scope=case.id))
        return made

    async def fact(self, case: Case, kind: Did, actor: str, **attributes: str) -> None:
        await self.write(
            entry(kind, case, self.here.clock(), self.here.new_id, actor=actor, attributes={**attributes})
        )

    async def write(self, *writes: Write) -> None:
        outcome = await self.here.commit(Changes(writes=writes))
        assert isinstance(outcome, Applied), outcome

    async def now(self, case: Case) -> Case:
        return await self.here.reporting.case(case.id)

    async def lines(self, case: Case, direction: Direction) -> list[str]:
        return [m.text for m in await self.here.reporting.transcript(case.id) if m.direction is direction]

    async def sessions(self) -> Iterable[Session]:
        return await self.here.store.find(Query(kind=Session, limit=100))


@asynccontextmanager
async def desk(folder: Path, channel: FakeChannel | None = None, **changes: Any) -> AsyncIterator[Desk]:
    """Users: Ada and Ben (agents), Sue (supervisor), admin."""
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(world(folder, channel=channel))
        context = made_of(here, LocalFiles(folder / "files"), **changes)
        server = TestServer(application.build(context, {}))
        await stack.enter_async_context(server)
        made = Desk(here, context, server, stack)
        for name, role in {"Ada": "agent", "Ben": "agent", "Sue": "supervisor", "admin": "admin"}.items():
            await made.user(name, role)
        yield made


def made_of(here: World, files: LocalFiles, **changes: Any) -> Web:
    known: dict[str, Any] = {
        "brand": Brand(name="Nordwind"),
        "departments": here.rules.departments,
        "connectors": here.connectors,
        "origins": {},
        "store": here.store,
        "broadcast": here.broadcast,
        "alarms": here.alarms,
        "files": files,
        "receiving": here.receiving,
        "takeover": here.takeover,
        "reporting": here.reporting,
        "understander": here.engine,
        "labels": {intent: answer.label for intent, answer in here.policy.book.answers.items()},
        "clock": here.clock,
        "new_id": here.new_id,
        "secret": b"s" * 32,
        "public_url": "http://127.0.0.1",
        "api_token": "",
    }
    return Web(**{**known, **changes})
