"""A channel that keeps a platform's view: what arrived, and how it can go wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from bot.domain.errors import SendError, SwitchboardError
from bot.domain.messages import Attachment, Inbound, Message
from bot.domain.outbox import Receipt
from bot.domain.ports import Capabilities, Payload, Rate, Request


class FakeChannel:
    """Sends succeed unless `trouble` holds an error; `arrives` says whether the customer saw it all the same."""

    def __init__(self, *, hosted: bool = False, parts: int = 1) -> None:
        self.channel, self.account = "test", "shop"
        self.capabilities = Capabilities(buttons=10, hosted=hosted)
        self.arrived: list[tuple[str, str]] = []  # chat, text: what the customer sees
        self.attempts = 0
        self.limits: tuple[Rate, ...] = ()
        self.trouble: deque[tuple[SendError, bool]] = deque()
        self.before_send: Callable[[], None] = lambda: None
        self._parts = parts

    def fails(self, error: SendError, *, arrives: bool = False) -> None:
        self.trouble.append((error, arrives))

    def authenticate(self, request: Request) -> None: ...

    def parse(self, request: Request) -> tuple[Inbound, ...]:
        return ()

    def render(self, message: Message) -> tuple[Payload, ...]:
        texts = (
            [message.text] if self._parts == 1 else [f"{message.text}/{part}" for part in range(self._parts)]
        )
        return tuple({"id": message.id, "chat": message.address.chat, "text": text} for text in texts)

    def rates(self, chat: str) -> tuple[Rate, ...]:
        return self.limits

    async def send(self, payload: Payload) -> Receipt:
        self.attempts += 1
        self.before_send()
        if self.trouble:
            error, arrives = self.trouble.popleft()
            if arrives:
                self._keep(payload)
            raise error
        self._keep(payload)
        return Receipt(external_id=f"x{self.attempts}")

    def _keep(self, payload: Payload) -> None:
        self.arrived.append((payload["chat"], payload["text"]))

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.arrived]


class AskableChannel(FakeChannel):
    """One that can be asked whether a message arrived."""

    async def find(self, payload: Payload) -> Receipt | None:
        seen = (payload["chat"], payload["text"]) in self.arrived
        return Receipt(external_id="found") if seen else None


class FilesChannel(FakeChannel):
    """One whose files stay at the platform until they are fetched, and whose presses want an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.remote: dict[str, bytes | SwitchboardError] = {}
        self.acknowledged: list[str] = []
        self.typed: list[str] = []
        self.capabilities = Capabilities(buttons=10, edits=True, deletes=True)

    async def edit(self, receipts: tuple[str, ...], message: Message) -> None:
        self._replace(receipts, message.text)

    async def delete(self, receipts: tuple[str, ...]) -> None:
        self._replace(receipts, "")

    def _replace(self, receipts: tuple[str, ...], text: str) -> None:
        """A receipt of this channel counts the attempts."""
        self.attempts += 1
        if self.trouble:
            raise self.trouble.popleft()[0]
        place = int(receipts[0].removeprefix("x")) - 1
        self.arrived[place] = (self.arrived[place][0], text)

    async def fetch(self, attachment: Attachment) -> bytes:
        found = self.remote[attachment.remote]
        if isinstance(found, SwitchboardError):
            raise found
        return found

    async def acknowledge(self, press: Inbound) -> None:
        self.acknowledged.append(press.external_id)

    async def typing(self, chat: str) -> None:
        self.typed.append(chat)
