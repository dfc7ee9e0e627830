"""A case as a story: messages and what happened between them, day by day; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from bot.domain.actions import Act
from bot.domain.cases import Case, Handoff, Reason
from bot.domain.journal import Did, Entry
from bot.domain.messages import Author, AuthorKind, Direction, Message, MessageState, Role
from bot.domain.routing import Department
from bot.web.console.language import Words

SHOWN_CHARACTERS = 4000  # of one message; all of it is a click away
SHOWN_ITEMS = 150
BREATH = timedelta(minutes=3)

# What happened to a case and is not a message of its own.
TOLD = frozenset(
    {
        *(Did.HANDED_OFF, Did.CLAIMED, Did.RELEASED, Did.ASSIGNED, Did.MOVED, Did.SNOOZED),
        *(Did.WOKEN, Did.RETURNED, Did.RESOLVED, Did.REOPENED, Did.RELABELLED, Did.URGENCY_SET),
        *(Did.REMINDED, Did.RETRIED, Did.BLOCKED, Did.UNBLOCKED, Did.PARKED),
    }
)
WITH_INTENTS = (Reason.LOW_CONFIDENCE, Reason.INTENT_IS_HUMAN, Reason.REPEATED, Reason.NOT_FOUND)
MENDING: Mapping[MessageState, tuple[Act, ...]] = {
    MessageState.FAILED: (Act.RETRY,),
    MessageState.IN_DOUBT: (Act.RETRY, Act.ARRIVED),
}


class Vocabulary(Struct, frozen=True, kw_only=True):
    """How ids of the configuration are called for people."""

    words: Words
    labels: Mapping[str, Mapping[str, str]]
    departments: Mapping[str, Department]

    def intent(self, name: str) -> str:
        label = self.labels.get(name, {})
        fallback = name.replace("_", " ").capitalize()
        return label.get(self.words.language) or next(iter(label.values()), fallback)

    def intents(self, names: str) -> str:
        return ", ".join(self.intent(name) for name in names.split(", ") if name)

    def department(self, name: str) -> str:
        known = self.departments.get(name)
        return (known.label.get(self.words.language) if known else "") or name.capitalize()

    def channel(self, name: str) -> str:
        return self.words.known("channel", name)

    def detail(self, handoff: Handoff) -> str:
        """The handoff's detail names intents or a slot where its reason says so."""
        if handoff.reason in WITH_INTENTS:
            return self.intents(handoff.detail)
        return (
            self.words.known("slot", handoff.detail)
            if handoff.reason is Reason.SLOT_MISSING
            else handoff.detail
        )

    def owner(self, author: Author) -> str:
        kinds = {AuthorKind.BOT: "case.bot", AuthorKind.CUSTOMER: "case.customer_word"}
        return self.words(kinds[author.kind]) if author.kind in kinds else author.name or author.id


class Said(Struct, frozen=True, kw_only=True):
    """A message as the timeline shows it."""

    message: Message
    author: str
    side: str  # customer, brand, note
    text: str
    cut: int  # characters of the whole text when it was cut, else 0
    mending: tuple[Act, ...] = ()
    goes_on: bool = False  # the same person, in the same breath: no need to say who again

    def __repr__(self) -> str:
        return f"<Said {self.message.id}>"


class Happened(Struct, frozen=True, kw_only=True):
    entry: Entry
    sentence: str


class Day(Struct, frozen=True, kw_only=True):
    at: datetime


Item = Said | Happened | Day


def timeline(
    case: Case, messages: Sequence[Message], journal: Sequence[Entry], vocabulary: Vocabulary
) -> list[Said | Happened]:
    """In the order of the customer's sequence, which messages and journal share."""
    names = known_names(case, messages)
    told = [entry for entry in journal if entry.kind in TOLD]
    told_by_timer = {entry.seq for entry in told if entry.actor == "system"}
    lines: list[tuple[float, Said | Happened]] = [
        (message.seq, said(message, vocabulary))
        for message in messages
        if not _told_anyway(message, told_by_timer)
    ]
    lines += [
        (_place(entry, messages), Happened(entry=entry, sentence=sentence(entry, names, vocabulary)))
        for entry in told
    ]
    return [item for _, item in sorted(lines, key=lambda line: line[0])]


def _place(entry: Entry, messages: Sequence[Message]) -> float:
    """A handoff comes before the word about it, though both were written at once."""
    if entry.kind is not Did.HANDED_OFF:
        return entry.seq
    about = [message.seq for message in messages if message.role is Role.HOLDING and message.at == entry.at]
    return min(about, default=entry.seq) - 0.5


def with_days(items: Iterable[Said | Happened], words: Words) -> list[Item]:
    """As it is read: a line for each new day, and a name only where another one speaks."""
    days: set[date] = set()
    told: list[Item] = []
    for item in items:
        at = item.message.at if isinstance(item, Said) else item.entry.at
        day = at.astimezone(words.zone).date()
        if day not in days:
            days.add(day)
            told.append(Day(at=at))
        told.append(replace(item, goes_on=_goes_on(told, item)) if isinstance(item, Said) else item)
    return told


def _goes_on(told: Sequence[Item], item: Said) -> bool:
    before = told[-1] if told else None
    if not isinstance(before, Said):
        return False
    same = (before.side, before.message.author.id) == (item.side, item.message.author.id)
    return same and item.message.at - before.message.at < BREATH


def said(message: Message, vocabulary: Vocabulary) -> Said:
    sides = {Direction.IN: "customer", Direction.OUT: "brand", Direction.NOTE: "note"}
    return Said(
        message=message,
        author=vocabulary.owner(message.author),
        side=sides[message.direction],
        text=message.text[:SHOWN_CHARACTERS],
        cut=len(message.text) if len(message.text) > SHOWN_CHARACTERS else 0,
        mending=MENDING.get(message.state, ()) if message.direction is Direction.OUT else (),
    )


def known_names(case: Case, messages: Iterable[Message]) -> dict[str, str]:
    """The journal holds ids; the case and its messages know what people are called."""
    agents = [agent for agent in (case.owner, case.last_owner) if agent]
    authors = {message.author.id: message.author.name for message in messages if message.author.name}
    return {**authors, **{agent.id: agent.name for agent in agents}}


def sentence(entry: Entry, names: Mapping[str, str], vocabulary: Vocabulary) -> str:
    words = vocabulary.words
    about = entry.attributes.get("about") or entry.attributes.get("why")
    if special := SPECIAL.get((entry.kind, str(about))):
        return words(special)
    if entry.kind is Did.ASSIGNED and entry.attributes.get("to") == entry.actor:
        return words("did.assigned.self", who=names.get(entry.actor, entry.actor))
    actors = {"bot": "case.bot", "customer": "case.customer_word", "system": "case.system"}
    who = words(actors[entry.actor]) if entry.actor in actors else names.get(entry.actor, entry.actor)
    tell = DETAILS.get(entry.kind)
    detail = tell(entry, names, vocabulary) if tell else ""
    return words(f"did.{entry.kind}", who=who, detail=detail).rstrip(": ")


SPECIAL = {
    (Did.REMINDED, "promise"): "did.reminded.promise",
    (Did.REMINDED, "claim"): "did.reminded.claim",
    (Did.RELEASED, "lease"): "did.released.lease",
}


def _text(name: str) -> Callable[[Entry], str]:
    return lambda entry: str(entry.attributes.get(name) or "")


def _moment(entry: Entry, name: str, words: Words) -> str:
    value = entry.attributes.get(name)
    return words.short(datetime.fromisoformat(value), entry.at) if isinstance(value, str) else ""


DETAILS: Mapping[Did, Callable[[Entry, Mapping[str, str], Vocabulary], str]] = {
    Did.HANDED_OFF: lambda entry, _, known: known.words.known("reason", _text("reason")(entry)),
    Did.ASSIGNED: lambda entry, names, _: names.get(_text("to")(entry), _text("to")(entry)),
    Did.MOVED: lambda entry, _, known: known.department(entry.department),
    Did.SNOOZED: lambda entry, _, known: _moment(entry, "until", known.words),
    Did.PROMISED: lambda entry, _, known: _moment(entry, "due", known.words),
    Did.RESOLVED: lambda entry, _, known: known.words.known("outcome", _text("outcome")(entry)),
    Did.RELABELLED: lambda entry, _, known: known.intent(_text("intent")(entry)),
    Did.UNDERSTOOD: lambda entry, _, known: known.intent(_text("intent")(entry)),
    Did.URGENCY_SET: lambda entry, _, known: known.words.known("level", _text("level")(entry)),
    Did.ASKED: lambda entry, _, known: known.words.known("slot", _text("slot")(entry)),
    Did.DECIDED: lambda entry, _, __: _text("rule")(entry),
}


def _told_anyway(message: Message, told_by_timer: set[int]) -> bool:
    """A timer's note comes with a journal entry that says the same in the viewer's language."""
    by_system = message.direction is Direction.NOTE and message.author.kind is AuthorKind.SYSTEM
    return by_system and message.seq + 1 in told_by_timer
