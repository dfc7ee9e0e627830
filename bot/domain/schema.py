"""Which records a store keeps, what can be asked of them, and what is unique: the same for every store."""

from __future__ import annotations

from msgspec import Struct

from bot.domain.accounts import Session, Setting, User
from bot.domain.actions import ActionDone, Label
from bot.domain.cases import Case
from bot.domain.customers import Customer, Identity
from bot.domain.desks import Alarm, DeskEvent, SavedAnswer
from bot.domain.journal import Entry
from bot.domain.messages import Event, FeedEntry, Fetch, Message
from bot.domain.outbox import OutboxRow, Posted


class Collection(Struct, frozen=True, kw_only=True):
    """`fields` can be queried (an attribute or a property of the record); `id` always can and is unique.

    Each of `indexes` serves the queries the server makes. `unique_while` is a unique index over the records
    whose boolean field is true: (field, over).
    """

    name: str
    fields: tuple[str, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    unique_while: tuple[tuple[str, str], ...] = ()


COLLECTIONS: dict[type[Struct], Collection] = {
    Customer: Collection(name="customers"),
    Identity: Collection(
        name="identities",
        fields=("channel", "account", "user", "customer"),
        indexes=(("customer",),),
        unique=(("channel", "account", "user"),),
    ),
    Event: Collection(
        name="events",
        fields=("channel", "account", "external_id", "lane", "seq", "state", "received_at"),
        indexes=(("lane", "state", "seq"), ("state", "received_at")),
        unique=(("channel", "account", "external_id"),),
    ),
    Message: Collection(
        name="messages",
        fields=("case", "customer", "seq", "external_id"),
        indexes=(("case", "seq"), ("customer", "seq"), ("customer", "external_id")),
    ),
    Fetch: Collection(name="fetches", fields=("not_before",), indexes=(("not_before",),)),
    Case: Collection(
        name="cases",
        fields=(
            "customer",
            "number",
            "state",
            "department",
            "is_open",
            "owner_id",
            "turn",
            "due_at",
            "updated_at",
            "opened_at",
        ),
        indexes=(
            ("customer", "opened_at"),
            ("state", "opened_at"),
            ("state", "turn"),
            ("state", "updated_at"),
            ("department", "state", "opened_at"),
            ("owner_id", "state"),
            ("due_at",),
            ("updated_at",),
        ),
        unique=(("number",),),
        unique_while=(("is_open", "customer"),),
    ),
    OutboxRow: Collection(
        name="outbox",
        fields=("order_key", "seq", "state", "not_before", "case", "message", "posting", "destination"),
        indexes=(
            ("order_key", "state", "seq"),
            ("state", "not_before"),
            ("case", "state"),
            ("message",),
        ),
    ),
    Posted: Collection(name="posted", fields=("case",), indexes=(("case",),)),
    DeskEvent: Collection(
        name="desk_events",
        fields=("desk", "external_id", "lane", "seq", "state", "received_at"),
        indexes=(("lane", "state", "seq"), ("state", "received_at")),
        unique=(("desk", "external_id"),),
    ),
    Entry: Collection(
        name="journal",
        fields=("case", "customer", "seq", "kind", "channel", "department", "at"),
        indexes=(("case", "seq"), ("kind", "channel", "at"), ("department", "kind", "at")),
    ),
    FeedEntry: Collection(
        name="feed", fields=("topic", "seq", "message"), indexes=(("topic", "seq"), ("message",))
    ),
    ActionDone: Collection(name="actions", fields=("case", "at"), indexes=(("at",),)),
    Label: Collection(name="labels", fields=("case", "message", "at"), indexes=(("at",), ("message",))),
    SavedAnswer: Collection(name="saved_answers", fields=("at",), indexes=(("at",),)),
    Alarm: Collection(name="alarms", fields=("since",), indexes=(("since",),)),
    User: Collection(name="users", fields=("role",)),
    Session: Collection(name="sessions", fields=("user", "expires_at"), indexes=(("user",), ("expires_at",))),
    Setting: Collection(name="settings"),
}
