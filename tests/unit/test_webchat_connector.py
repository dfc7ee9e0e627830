"""The web chat's connector: the contract of all connectors, and its tokens."""

import base64
from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
import pytest

from bot.domain.errors import BadSignature, MalformedPayload, SendDeferred, StoreUnavailable
from bot.domain.messages import EventKind, FeedEntry, FeedKind, Press, topic
from bot.domain.ports import Connector, Request
from connectors.webchat import WebChat, WebChatSettings
from tests.contracts.connector_contract import NOON, ConnectorContract, Platform, said

PATHS = {"file": "/chat/files", "receipt": "/chat/receipts"}
CHAT = "/chat/messages"


def make(platform: Platform | None = None, account: str = "site", secret: bytes = b"key") -> WebChat:
    return WebChat(WebChatSettings(account=account), (platform or Platform()).deps(secret))


def request(body: object, path: str = CHAT, **query: str) -> Request:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Request(method="POST", path=path, query=query, headers={}, body=raw)


class TestWebChat(ConnectorContract):
    channel = "webchat"
    settings: ClassVar = {"account": "site", "origins": ["https://shop.example"]}
    token = ""

    def genuine(self, connector: Connector, name: str, body: bytes) -> Request:
        assert isinstance(connector, WebChat)
        self.token = self.token or connector.mint()
        return request(body, PATHS.get(name.partition("-")[0], CHAT), customer=self.token)

    def forged(self, connector: Connector, name: str, body: bytes) -> Iterable[Request]:
        genuine = self.genuine(connector, name, body)
        other = make(account="other").mint()
        stranger = make(secret=b"another key").mint()
        for token in ("", "c1.", self.token[:-1], "c2" + self.token[2:], other, stranger):
            yield msgspec.structs.replace(genuine, query={"customer": token})
        yield msgspec.structs.replace(genuine, query={})

    def without_secret(self) -> Connector:
        return make(secret=b"")


@pytest.fixture
def chat() -> WebChat:
    return make()


def one(chat: WebChat, body: dict[str, Any], path: str = CHAT) -> Any:
    (event,) = chat.parse(request({"customer": chat.mint(), **body}, path))
    return event


# -- tokens


def test_every_customer_gets_a_token_of_their_own(chat: WebChat) -> None:
    tokens = {chat.mint() for _ in range(100)}
    assert len({chat.address(token).user for token in tokens}) == 100


def test_a_token_means_the_same_customer_after_a_restart(chat: WebChat) -> None:
    token = chat.mint()
    assert make().address(token) == chat.address(token)


def test_changing_any_character_of_a_token_breaks_it(chat: WebChat) -> None:
    token = chat.mint()
    for place, character in enumerate(token):
        forged = token[:place] + ("A" if character != "A" else "B") + token[place + 1 :]
        with pytest.raises(BadSignature):
            chat.address(forged)


def test_a_signature_of_nothing_is_no_token(chat: WebChat) -> None:
    for length in (0, 16, 47, 48, 49):
        with pytest.raises(BadSignature):
            chat.address("c1." + base64.urlsafe_b64encode(bytes(length)).decode())


def test_a_token_in_the_body_is_as_good_as_one_in_the_address(chat: WebChat) -> None:
    chat.authenticate(request({"customer": chat.mint(), "id": "1", "text": "Hallo"}))
    with pytest.raises(BadSignature):
        chat.authenticate(request({"customer": 7, "id": "1", "text": "Hallo"}))


def test_what_is_stored_cannot_be_used_to_speak_for_the_customer(chat: WebChat) -> None:
    token = chat.mint()
    (event,) = chat.parse(request({"customer": token, "id": "1", "text": "Hallo"}))
    assert token.encode() not in msgspec.json.encode(event)


# -- what comes in


def test_the_same_client_id_of_two_customers_is_two_events(chat: WebChat) -> None:
    first, second = (one(chat, {"id": "1", "text": "Hallo"}) for _ in range(2))
    assert first.external_id != second.external_id


def test_the_client_id_comes_back_out_of_the_external_id(chat: WebChat) -> None:
    assert chat.client_id(one(chat, {"id": "a.b:c-1", "text": "Hallo"}).external_id) == "a.b:c-1"


def test_a_message_cannot_pass_for_a_receipt(chat: WebChat) -> None:
    token = chat.mint()
    (receipt,) = chat.parse(request({"customer": token, "read": "m1"}, "/chat/receipts"))
    for id in ("read:m1", "read.m1", "read-m1"):
        (event,) = chat.parse(request({"customer": token, "id": id, "text": "Hallo"}))
        assert event.external_id != receipt.external_id


def test_both_receipts_may_come_at_once(chat: WebChat) -> None:
    body = {"customer": chat.mint(), "delivered": "m2", "read": "m1"}
    events = chat.parse(request(body, "/chat/receipts"))
    assert {(event.kind, event.refers_to) for event in events} == {
        (EventKind.DELIVERED, "m2"),
        (EventKind.READ, "m1"),
    }


def test_a_press_names_its_question(chat: WebChat) -> None:
    event = one(chat, {"id": "1", "text": "Ja", "press": {"question": "q7", "choice": "affirm"}})
    assert event.kind is EventKind.PRESS
    assert event.press == Press(question="q7", choice="affirm")


def test_nobody_can_claim_a_file_that_was_not_uploaded(chat: WebChat) -> None:
    file = {"kind": "image", "file": "b5bb9d8014a0f9b1"}
    assert one(chat, {"id": "1", "text": "Hier", "attachments": [file]}).attachments == ()
    with pytest.raises(MalformedPayload):
        one(chat, {"id": "1", "attachments": [file]})


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\0", " \u3000 "])
def test_an_empty_message_is_refused(chat: WebChat, text: str) -> None:
    with pytest.raises(MalformedPayload, match="empty"):
        one(chat, {"id": "1", "text": text})


@pytest.mark.parametrize("id", ["", "a b", "ä", "a/b", "x" * 65, "a\n"])
def test_an_id_that_is_none_is_refused(chat: WebChat, id: str) -> None:
    with pytest.raises(MalformedPayload, match="id"):
        one(chat, {"id": id, "text": "Hallo"})


@pytest.mark.parametrize("body", [{"text": "Hallo"}, {"id": "1", "text": 5}, {"id": "1", "press": "yes"}])
def test_a_body_of_another_shape_is_refused_in_the_words_of_the_wire(
    chat: WebChat, body: dict[str, Any]
) -> None:
    with pytest.raises(MalformedPayload, match=r"^The body is not what this route takes: .* `"):
        one(chat, body)


@pytest.mark.parametrize("body", [{}, {"delivered": ""}, {"seen": "m1"}, {"read": "a/b"}])
def test_a_receipt_for_nothing_is_refused(chat: WebChat, body: dict[str, str]) -> None:
    with pytest.raises(MalformedPayload):
        one(chat, body, "/chat/receipts")


def test_half_an_emoji_does_not_cost_the_message(chat: WebChat) -> None:
    body = b'{"customer": "%s", "id": "1", "text": "Danke \\ud83d"}' % chat.mint().encode()
    (event,) = chat.parse(request(body))
    assert event.text == "Danke \ufffd"


def test_a_nul_byte_is_left_out(chat: WebChat) -> None:
    assert one(chat, {"id": "1", "text": "47\x0011"}).text == "4711"


def test_all_of_a_megabyte_is_kept(chat: WebChat) -> None:
    text = "Ärger! " * 150_000
    assert one(chat, {"id": "1", "text": text}).text == text


@pytest.mark.parametrize(
    ("told", "understood"), [("de-DE", "de"), ("EN", "en"), ("", ""), ("12", ""), ("x" * 50, "")]
)
def test_the_language_is_a_hint(chat: WebChat, told: str, understood: str) -> None:
    assert one(chat, {"id": "1", "text": "Hallo", "language": told}).language == understood


# -- what goes out


async def test_what_is_sent_twice_is_shown_once() -> None:
    platform = Platform()
    chat, message = make(platform), said(make(), "Guten Tag")
    (payload,) = chat.render(message)
    receipts = [await chat.send(payload), await chat.send(payload)]
    assert [receipt.external_id for receipt in receipts] == ["m1", "m1"]
    (entry,) = platform.feed.values()
    assert (entry.topic, entry.message, entry.kind) == (topic(message.address), "m1", FeedKind.MESSAGE)
    assert entry.at == NOON


def test_a_payload_holds_no_text(chat: WebChat) -> None:
    assert "Guten Tag" not in str(chat.render(said(chat, "Guten Tag")))


async def test_a_payload_in_doubt_can_be_asked_about() -> None:
    platform = Platform()
    chat = make(platform)
    (payload,) = chat.render(said(chat, "Guten Tag"))
    assert await chat.find(payload) is None
    receipt = await chat.send(payload)
    assert await chat.find(payload) == receipt


async def test_a_store_that_is_away_puts_the_message_off() -> None:
    class Away(Platform):
        async def append(self, entry: FeedEntry) -> None:
            raise StoreUnavailable("away")

    chat = make(Away())
    (payload,) = chat.render(said(chat, "Guten Tag"))
    with pytest.raises(SendDeferred):
        await chat.send(payload)


async def test_typing_is_told_to_whoever_looks_at_the_chat() -> None:
    platform = Platform()
    chat = make(platform)
    where = chat.address(chat.mint())
    await chat.typing(where.chat)
    assert platform.published == [(topic(where), b'{"typing": "bot"}')]
