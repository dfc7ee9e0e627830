"""What every connector must do, whichever platform it talks to."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from bot.domain.errors import BadSignature, MalformedPayload, Misconfigured
from bot.domain.messages import (
    BOT,
    Address,
    Button,
    Direction,
    EventKind,
    FeedEntry,
    Inbound,
    Message,
    MessageState,
)
from bot.domain.ports import Connector, Payload, Request
from connectors import CONNECTORS, Deps

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECRET = b"a secret of thirty-two characters"
PAYLOADS = Path(__file__).parents[1] / "payloads"
GARBAGE = (
    *(b"", b"{", b"[]", b"null", b"7", b'"text"', b"\xff\xfe", b"\0", b"{}", b'{"entry": 7}'),
    *(b"[" * 100_000, b'{"a":' * 100_000, b'{"id": NaN}', b"<html>"),
)
WRONG: tuple[Any, ...] = (None, 7, True, "", "x" * 300, [], {}, [None], {"x": {}})


class Platform:
    """What a connector is handed of the server, kept in memory."""

    def __init__(self) -> None:
        self.feed: dict[str, FeedEntry] = {}
        self.published: list[tuple[str, bytes]] = []

    async def append(self, entry: FeedEntry) -> None:
        self.feed.setdefault(entry.id, entry)

    async def known(self, id: str) -> bool:
        return id in self.feed

    async def publish(self, topic: str, data: bytes) -> None:
        self.published.append((topic, data))

    def deps(self, secret: bytes = SECRET) -> Deps:
        return Deps(
            secret=secret, clock=lambda: NOON, append=self.append, known=self.known, publish=self.publish
        )


class ConnectorContract:
    """Inherit, name the channel, and say how its platform proves that a request is its own."""

    channel: ClassVar[str]
    settings: ClassVar[dict[str, Any]]  # as an operator writes them

    def genuine(self, connector: Connector, name: str, body: bytes) -> Request:
        """The request the platform would make with this body; `name` is the payload's."""
        raise NotImplementedError

    def forged(self, connector: Connector, name: str, body: bytes) -> Iterable[Request]:
        """The same without a proof, with a wrong one, and with that of another account."""
        raise NotImplementedError

    def without_secret(self) -> Connector:
        """An account nobody gave a secret; has to raise `Misconfigured`."""
        raise NotImplementedError

    def make(self, platform: Platform | None = None, **changes: Any) -> Connector:
        kind = CONNECTORS[self.channel]
        settings = msgspec.convert({**self.settings, **changes}, kind.Settings)
        return kind(settings, (platform or Platform()).deps())

    @pytest.fixture
    def connector(self) -> Connector:
        return self.make()

    @classmethod
    def payloads(cls) -> list[Path]:
        return sorted((PAYLOADS / cls.channel).iterdir())

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "payload" in metafunc.fixturenames:
            metafunc.parametrize("payload", self.payloads(), ids=lambda path: path.stem)

    def read(self, connector: Connector, payload: Path) -> tuple[Inbound, ...]:
        return connector.parse(self.genuine(connector, payload.stem, payload.read_bytes()))

    # Who it is

    def test_it_goes_by_the_name_it_is_registered_under(self, connector: Connector) -> None:
        assert (connector.channel, connector.account) == (self.channel, self.settings["account"])

    def test_a_setting_nobody_knows_is_refused(self) -> None:
        with pytest.raises(msgspec.ValidationError):
            self.make(no_such_setting=1)

    def test_an_account_without_its_secret_does_not_start(self) -> None:
        with pytest.raises(Misconfigured):
            self.without_secret()

    # Authentication

    def test_a_genuine_request_is_let_in(self, connector: Connector, payload: Path) -> None:
        connector.authenticate(self.genuine(connector, payload.stem, payload.read_bytes()))

    def test_what_is_not_proven_is_kept_out(self, connector: Connector, payload: Path) -> None:
        forgeries = list(self.forged(connector, payload.stem, payload.read_bytes()))
        assert len(forgeries) >= 3
        for request in forgeries:
            with pytest.raises(BadSignature):
                connector.authenticate(request)

    # Parsing

    def test_a_recorded_payload_is_understood(self, connector: Connector, payload: Path) -> None:
        events = self.read(connector, payload)
        assert events
        for event in events:
            assert (event.address.channel, event.address.account) == (self.channel, connector.account)
            assert event.external_id
            assert event.address.user
            msgspec.json.decode(event.raw)

    def test_the_same_payload_again_is_the_same_event(self, connector: Connector, payload: Path) -> None:
        events = self.read(connector, payload)
        assert self.read(connector, payload) == events
        assert len({event.external_id for event in events}) == len(events)

    def test_events_can_be_stored_as_json(self, connector: Connector, payload: Path) -> None:
        events = self.read(connector, payload)
        assert msgspec.json.decode(msgspec.json.encode(events), type=tuple[Inbound, ...]) == events

    def test_what_the_platform_invents_later_is_kept_as_unknown(self, connector: Connector) -> None:
        later = [path for path in self.payloads() if path.stem.startswith("unknown")]
        assert later
        for path in later:
            assert {event.kind for event in self.read(connector, path)} == {EventKind.UNKNOWN}

    @pytest.mark.parametrize("body", GARBAGE, ids=range(len(GARBAGE)))
    def test_garbage_is_malformed_or_unknown(self, connector: Connector, body: bytes) -> None:
        try:
            events = connector.parse(self.genuine(connector, "garbage", body))
        except MalformedPayload:
            return
        assert {event.kind for event in events} <= {EventKind.UNKNOWN}

    def test_a_field_of_a_wrong_type_breaks_nothing(self, connector: Connector, payload: Path) -> None:
        for body in _spoiled(payload.read_bytes()):
            try:
                connector.parse(self.genuine(connector, payload.stem, body))
            except MalformedPayload:
                continue

    def test_a_repr_shows_no_text(self, connector: Connector, payload: Path) -> None:
        for event in self.read(connector, payload):
            assert not event.text or event.text not in repr(event)

    # Rendering

    def test_rendering_is_a_pure_function(self, connector: Connector) -> None:
        message = said(connector, "Guten Tag")
        before = msgspec.json.encode(message)
        assert connector.render(message) == connector.render(message)
        assert msgspec.json.encode(message) == before
        assert connector.render(message)

    def test_a_long_text_fits_what_the_platform_shows(self, connector: Connector) -> None:
        limit = connector.capabilities.text_limit
        for text in ("wort " * limit, "ä" * (limit * 2 + 1), "👩‍👧" * limit):
            for payload in connector.render(said(connector, text)):
                assert max(len(shown) for shown in strings(payload)) <= limit

    def test_no_more_buttons_than_the_platform_has_room_for(self, connector: Connector) -> None:
        labels = [f"Knopf {number}" for number in range(40)]
        buttons = tuple(Button(label=label, choice=label) for label in labels)
        for payload in connector.render(said(connector, "Was meinten Sie?", buttons=buttons, question="q")):
            shown = [text for text in strings(payload) if text in labels]
            assert len(set(shown)) <= connector.capabilities.buttons

    def test_payloads_are_json(self, connector: Connector) -> None:
        for payload in connector.render(said(connector, "Guten Tag")):
            assert msgspec.json.decode(msgspec.json.encode(payload)) == payload


def said(connector: Connector, text: str, **changes: Any) -> Message:
    where = Address(channel=connector.channel, account=connector.account, user="7f3a", chat="7f3a")
    known: dict[str, Any] = {"id": "m1", "case": "c1", "customer": "k1", "direction": Direction.OUT}
    known |= {"author": BOT, "state": MessageState.QUEUED, "address": where, "at": NOON}
    return Message(text=text, **{**known, **changes})


def strings(payload: Payload) -> list[str]:
    """Every text anywhere in a payload."""
    found: list[str] = []

    def walk(value: object) -> None:
        if isinstance(value, str):
            found.append(value)
        for inner in _inside(value):
            walk(inner)

    walk(payload)
    return found


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def _spoiled(body: bytes) -> Iterable[bytes]:
    """The body with each of its fields, one at a time, gone or of another type."""
    whole = json.loads(body)
    for path in _paths(whole):
        for wrong in WRONG:
            copy = json.loads(body)
            *way, last = path
            place = copy
            for step in way:
                place = place[step]
            place[last] = wrong
            yield json.dumps(copy).encode()


def _paths(value: object, so_far: tuple[Any, ...] = ()) -> Iterable[tuple[Any, ...]]:
    items: Iterable[tuple[Any, object]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (*so_far, key)
        yield from _paths(inner, (*so_far, key))
