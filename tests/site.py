"""A web chat in one process: the real routes, connector, store and files; the test plays the bot and the desk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import msgspec
from aiohttp import ClientResponse, FormData
from aiohttp.test_utils import TestClient, TestServer

from bot.domain import drafts
from bot.domain.brand import Brand
from bot.domain.errors import StoreUnavailable
from bot.domain.messages import (
    BOT,
    Author,
    AuthorKind,
    Direction,
    Event,
    EventState,
    FeedEntry,
    FeedKind,
    Message,
    MessageState,
    topic,
)
from bot.domain.ports import Applied, Changes, Duplicate, Insert, Query, Update, Write
from bot.queues.memory import MemoryBroadcast, MemoryQueue
from bot.services.alarms import Alarms
from bot.services.ledger import Ledger
from bot.services.receiving import Receiving
from bot.stores.files import LocalFiles
from bot.stores.sqlite import SqliteStore
from bot.web.app import build
from bot.web.context import Web
from connectors import Deps
from connectors.webchat import WebChat, WebChatSettings
from tests import builders
from tests.builders import Ticking, numbered_ids
from tests.queries import watched

SHOP = "https://shop.example"
SECRET = b"a secret of thirty-two characters"
CUSTOMER = Author(kind=AuthorKind.CUSTOMER)


class Events:
    """A stream as a browser reads it."""

    def __init__(self, answer: ClientResponse) -> None:
        self._answer = answer

    async def next(self) -> tuple[str, str, Any]:
        """Kind, id ("" when it has none) and data of the next event; `("", "", comment)` for a comment."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(5):
            async for raw in self._answer.content:
                line = raw.decode().rstrip("\n")
                name, _, value = line.partition(":")
                if line.startswith(":"):
                    return "", "", value.strip()
                if not line and "data" in fields:
                    data = msgspec.json.decode(fields["data"])
                    return fields.get("event", "message"), fields.get("id", ""), data
                fields[name] = value.removeprefix(" ")
        raise EOFError

    async def texts(self, many: int) -> list[str]:
        return [(await self.next())[2]["text"] for _ in range(many)]


class Site:
    def __init__(self, folder: Path, *, origins: tuple[str, ...] = (SHOP,)) -> None:
        self.clock, self.new_id = Ticking(), numbered_ids()
        self.store, self.queue = SqliteStore(folder / "site.db"), MemoryQueue()
        self.unlisted = watched(self.store)
        self.broadcast, self.files = MemoryBroadcast(), LocalFiles(folder / "files")
        self.commit = Ledger(self.store, self.queue, self.broadcast, self.clock)
        self.chat = self._connector("site", origins)
        self.other = self._connector("other", ())
        self.app = build(self._context(origins), {})
        self.server = TestServer(self.app)
        self.client: TestClient[Any, Any] = TestClient(self.server)

    def _connector(self, account: str, origins: tuple[str, ...]) -> WebChat:
        deps = Deps(
            secret=SECRET,
            clock=self.clock,
            append=self.append,
            known=self.known,
            publish=self.broadcast.publish,
        )
        return WebChat(WebChatSettings(account=account, origins=origins), deps)

    def _context(self, origins: tuple[str, ...]) -> Web:
        unused: Any = None  # the chat routes need neither
        return Web(
            brand=Brand(name="Nordwind"),
            departments={},
            connectors={("webchat", "site"): self.chat, ("webchat", "other"): self.other},
            origins={"site": origins, "other": ()},
            store=self.store,
            broadcast=self.broadcast,
            alarms=Alarms(self.store, self.clock),
            files=self.files,
            receiving=Receiving(self.store, self.commit, self.clock, self.new_id, SECRET),
            takeover=unused,
            reporting=unused,
            understander=unused,
            labels={},
            clock=self.clock,
            new_id=self.new_id,
            secret=SECRET,
            public_url="http://chat.example",
            api_token="",
        )

    async def append(self, entry: FeedEntry) -> None:
        outcome = await self.commit(Changes(writes=(Insert(record=entry, scope=entry.topic),)))
        assert isinstance(outcome, Applied | Duplicate)

    async def known(self, id: str) -> bool:
        return await self.store.get(FeedEntry, id) is not None

    # What the customer does

    async def post(self, path: str, **body: Any) -> ClientResponse:
        raw = BytesIO(msgspec.json.encode(body))
        return await self.client.post(path, data=raw, headers={"Content-Type": "application/json"})

    async def say(self, token: str, text: str, id: str = "1", **more: Any) -> ClientResponse:
        return await self.post("/chat/messages", customer=token, id=id, text=text, **more)

    async def upload(self, token: str, content: bytes, name: str = "a.png", **fields: str) -> ClientResponse:
        form = FormData()
        for field, value in {"customer": token, "id": "f1", **fields}.items():
            form.add_field(field, value)
        form.add_field("file", BytesIO(content), filename=name)
        return await self.client.post("/chat/files", data=form)

    @asynccontextmanager
    async def stream(
        self, token: str, headers: dict[str, str] | None = None, **query: str
    ) -> AsyncIterator[Events]:
        query["customer"] = token
        async with self.client.get("/chat/stream", params=query, headers=headers or {}) as answer:
            assert answer.status == 200
            yield Events(answer)

    # What happens behind it

    async def events(self) -> list[Event]:
        return await self.store.find(Query(kind=Event, order="seq"))

    async def take_in(self) -> None:
        """Every event that waits becomes a line of its customer's transcript."""
        case = builders.case()
        for event in await self.store.find(Query(kind=Event, equals={"state": EventState.PENDING})):
            owned = msgspec.structs.replace(case, customer=event.lane)
            line = drafts.taken_in(event, owned, "", CUSTOMER)
            done = Update(record=msgspec.structs.replace(event, state=EventState.DONE))
            shown = drafts.shown(cast("Message", line.record), FeedKind.MESSAGE, self.clock())
            await self._write(line, shown, done)

    async def answer(self, token: str, text: str, **changes: Any) -> Message:
        """Our side says something, as the sender does it."""
        address = self.chat.address(token)
        known: dict[str, Any] = {"id": self.new_id(), "case": "case1", "customer": "c1", "author": BOT}
        known |= {"direction": Direction.OUT, "state": MessageState.SENT, "at": self.clock()}
        message = Message(text=text, address=address, **{**known, **changes})
        await self._write(Insert(record=message, scope="customer:c1"))
        for payload in self.chat.render(message):
            await self.chat.send(payload)
        return message

    async def change(self, message: Message, **changes: Any) -> None:
        """A message moves on, and the chat is told."""
        now = await self.store.get(Message, message.id)
        assert now is not None
        changed = msgspec.structs.replace(now, **changes)
        await self._write(Update(record=changed), drafts.shown(changed, FeedKind.STATE, self.clock()))

    async def typing(self, token: str, by: str) -> None:
        await self.broadcast.publish(topic(self.chat.address(token)), msgspec.json.encode({"typing": by}))

    async def _write(self, *writes: Write) -> None:
        assert isinstance(await self.commit(Changes(writes=writes)), Applied)


class Away:
    """A store that cannot be reached, as seen by whoever receives."""

    async def receive(self, _: object) -> list[str]:
        raise StoreUnavailable("Nothing was written; come again.")


@asynccontextmanager
async def site(folder: Path, **changes: Any) -> AsyncIterator[Site]:
    made = Site(folder, **changes)
    await made.client.start_server()
    try:
        yield made
    finally:
        await made.client.close()
        await made.queue.close()
        await made.store.close()
    assert not made.unlisted, f"not in tests/queries.py: {made.unlisted}"
