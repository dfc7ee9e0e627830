"""A desk that remembers what was posted on it."""

from __future__ import annotations

from bot.domain.actions import AgentAction
from bot.domain.cases import Case
from bot.domain.desks import Card, DeskEvent, Gone, Left, Mark, Post, Story
from bot.domain.errors import BadSignature, SendError
from bot.domain.outbox import Posting, Receipt
from bot.domain.ports import Payload, Rate, Request, Response


class FakeDesk:
    name = "console"
    copies = False

    def __init__(self) -> None:
        self.posted: list[Payload] = []

    def render(self, post: Post) -> tuple[Payload, ...]:
        return ({"case": post.case.id, "card": isinstance(post, Card)},)

    def home(self, case: Case) -> str:
        return ""

    def rates(self, case: Case, posting: Posting) -> tuple[Rate, ...]:
        return ()

    async def send(self, payload: Payload) -> Receipt:
        self.posted.append(payload)
        return Receipt(external_id=payload["case"])


class FakeThreads:
    """A desk with copies: it keeps what every card, line and mark says now, and can refuse or lose its answer."""

    name = "threads"
    copies = True

    def __init__(self) -> None:
        self.shown: dict[str, Payload] = {}  # receipt → what stands there now
        self.marked: dict[str, tuple[str, ...]] = {}  # message → marks on it
        self.sent: list[Payload] = []
        self.told: list[tuple[str, str, str]] = []  # who, what, which message they could still send
        self.means: dict[str, AgentAction | Gone | None] = {}  # by the name of the event
        self._fails: list[SendError] = []
        self._after: list[SendError] = []

    def fails(self, *errors: SendError) -> None:
        """The next payloads meet these, one each."""
        self._fails += errors

    def loses_the_answer(self, *errors: SendError) -> None:
        """The next payloads arrive, and then this is what we see."""
        self._after += errors

    def render(self, post: Post) -> tuple[Payload, ...]:
        kind = type(post).__name__.lower()
        about = {"kind": kind, "case": post.case.id}
        if isinstance(post, Card):
            key = f"card {post.case.id} {post.case.handoff_at}"
            words = [line.text for line in post.transcript]
            return ({**about, "key": key, "at": post.receipt, "words": words, "state": post.case.state},)
        if isinstance(post, Story):
            return (
                {
                    **about,
                    "key": f"story {post.card_receipt}",
                    "words": [one.text for one in post.transcript],
                },
            )
        if isinstance(post, Mark):
            return (
                {
                    **about,
                    "message": post.message.id,
                    "due": list(post.due),
                    "key": f"mark {post.message.id}",
                },
            )
        if isinstance(post, Left):
            return ({**about, "key": f"left {post.receipt}", "at": post.receipt, "to": post.card_receipt},)
        message = post.message
        line = {**about, "key": f"line {message.id}", "at": post.receipt, "words": [message.text]}
        line |= {"under": post.card_receipt, "state": message.state, "ping": message.ping}
        files = [one.file for one in message.attachments if one.file and one.file not in post.uploaded]
        return (line, *({**about, "kind": "file", "key": f"file {name}", "words": [name]} for name in files))

    def home(self, case: Case) -> str:
        return case.department

    def rates(self, case: Case, posting: Posting) -> tuple[Rate, ...]:
        return ()

    async def send(self, payload: Payload) -> Receipt:
        if self._fails:
            raise self._fails.pop(0)
        receipt = payload.get("at") or f"r{len(self.sent) + 1}"
        self.sent.append(payload)
        if payload["kind"] == "mark":
            self.marked[payload["message"]] = tuple(payload["due"])
        else:
            self.shown[receipt] = payload
        if self._after:
            raise self._after.pop(0)
        return Receipt(external_id=receipt)

    async def find(self, payload: Payload) -> Receipt | None:
        known = (receipt for receipt, shown in self.shown.items() if shown["key"] == payload["key"])
        found = next(known, "")
        return Receipt(external_id=found) if found else None

    # ── What agents do there ────────────────────────────────────────────────────────────────────

    def authenticate(self, request: Request) -> None:
        raise BadSignature("Nobody asks here.")

    async def hear(self, request: Request) -> Response:
        return Response()

    async def meant(self, event: DeskEvent) -> AgentAction | Gone | None:
        if self._fails:
            raise self._fails.pop(0)
        return self.means[event.external_id]

    async def tell(self, event: DeskEvent, sentence: str, offered: str = "") -> None:
        self.told.append((event.external_id, sentence, offered))

    # ── What tests ask ──────────────────────────────────────────────────────────────────────────

    def of(self, kind: str) -> list[Payload]:
        """What stands there now, in the order in which it was posted first."""
        return [payload for payload in self.shown.values() if payload["kind"] == kind]
