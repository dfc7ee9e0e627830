"""What the Bot API refuses: our stand-in refuses it in the same words, and the connector makes the right thing of it."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from bot.domain.errors import (
    ChatMoved,
    Misconfigured,
    RecipientUnreachable,
    SendDeferred,
    SendError,
    SendRejected,
)
from bot.domain.messages import Attachment, AttachmentKind, Button
from tests.contracts.connector_contract import NOON, said
from tests.fakes.telegram_api import TOKEN, TelegramApi
from tests.integration.test_telegram_api import HERE, PUBLIC, Bench

MB = 1024 * 1024
BOLD = {"type": "bold", "offset": 0, "length": 1}


@pytest.fixture
async def api() -> AsyncIterator[TelegramApi]:
    async with TelegramApi().serving() as running:
        yield running


@pytest.fixture
async def bench(api: TelegramApi, tmp_path: Path) -> AsyncIterator[Bench]:
    async with aiohttp.ClientSession() as http:
        yield Bench(api, http, tmp_path)


async def asked(bench: Bench, method: str, *, token: str = TOKEN, **data: Any) -> tuple[int, dict[str, Any]]:
    """One plain call, as anybody would make it."""
    async with bench.http.post(f"{bench.api.url}/bot{token}/{method}", json=data) as answer:
        return answer.status, await answer.json()


# ── The stand-in refuses what the Bot API refuses ───────────────────────────────────────────────


def button(**changes: Any) -> dict[str, Any]:
    return {"inline_keyboard": [[{"text": "Ja", "callback_data": "q:y", **changes}]]}


def entity(**changes: Any) -> list[dict[str, Any]]:
    return [{**BOLD, **changes}]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"text": ""}, "message text is empty"),
    ({"text": "  \n"}, "text must be non-empty"),
    ({"text": "x" * 4097}, "message is too long"),
    ({"text": "👍" * 2049}, "message is too long"),
    ({"chat_id": ""}, "chat_id is empty"),
    ({"chat_id": "nobody"}, "chat not found"),
    ({"entities": entity(type="loud")}, "can't parse MessageEntity: Unsupported type specified"),
    ({"entities": entity(offset=-1)}, "receive an entity with incorrect offset -1"),
    ({"entities": entity(offset=100)}, "entity begins after the end of the text at UTF-16 offset 100"),
    (
        {"entities": entity(length=100)},
        "entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 100",
    ),
    ({"text": "👍 gut", "entities": entity()}, "entity ends in a middle of a UTF-16 symbol at byte offset 0"),
    (
        {"text": "👍 gut", "entities": entity(offset=1)},
        "entity begins in a middle of a UTF-16 symbol at byte offset 0",
    ),
    (
        {"entities": entity(type="text_link", url="nowhere")},
        "entity URL 'nowhere' is invalid: Wrong HTTP URL",
    ),
    ({"text": "*x", "parse_mode": "Loud"}, "unsupported parse_mode"),
    (
        {"text": "<b>x", "parse_mode": "HTML"},
        "can't parse entities: Can't find end tag corresponding to start tag \"b\"",
    ),
    (
        {"text": "ä<script>x</script>", "parse_mode": "html"},
        'can\'t parse entities: Unsupported start tag "script" at byte offset 2',
    ),
    ({"reply_markup": button(callback_data="x" * 65)}, "BUTTON_DATA_INVALID"),
    ({"reply_markup": button(callback_data="ä" * 33)}, "BUTTON_DATA_INVALID"),
    (
        {"reply_markup": button(callback_data="")},
        "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
    ),
    (
        {"reply_markup": {"inline_keyboard": [[{"callback_data": "y"}]]}},
        "can't parse inline keyboard button: Can't find field \"text\"",
    ),
    ({"reply_markup": {"inline_keyboard": button()["inline_keyboard"] * 101}}, "REPLY_MARKUP_TOO_LONG"),
    ({"reply_markup": {"inline_keyboard": "x"}}, 'field "inline_keyboard" must be of type Array'),
    ({"reply_parameters": {"message_id": 999}}, "message to be replied not found"),
    ({"reply_parameters": {"quote": "x"}}, 'can\'t find field "message_id"'),
    ({"message_thread_id": 5}, "message thread not found"),
]


@pytest.mark.parametrize(("data", "words"), REFUSED, ids=[words[:60] for _, words in REFUSED])
async def test_a_message_that_breaks_a_rule_is_refused(
    bench: Bench, data: dict[str, Any], words: str
) -> None:
    status, body = await asked(bench, "sendMessage", **{"chat_id": 700, "text": "Hallo", **data})
    assert (status, body["description"], body["ok"]) == (400, f"Bad Request: {words}", False)
    assert bench.api.sent == []


TAKEN: list[dict[str, Any]] = [
    {"text": "x" * 4096},
    {"text": "<b>" + "x" * 4096 + "</b>", "parse_mode": "HTML"},  # counted after it was parsed
    {"text": "👍 gut", "entities": entity(length=2)},
    {"reply_markup": button(callback_data="x" * 64)},
    {"reply_parameters": {"message_id": 999, "allow_sending_without_reply": True}},
]


@pytest.mark.parametrize("data", TAKEN, ids=range(len(TAKEN)))
async def test_what_is_just_within_the_rules_is_taken(bench: Bench, data: dict[str, Any]) -> None:
    status, _ = await asked(bench, "sendMessage", **{"chat_id": 700, "text": "Hallo", **data})
    assert status == 200


WRONG_CALLS: list[tuple[str, dict[str, Any], int, str]] = [
    ("editMessageText", {"message_id": 5, "text": "x"}, 400, "Bad Request: message to edit not found"),
    ("editMessageText", {"text": "x"}, 400, "Bad Request: message identifier is not specified"),
    ("deleteMessage", {"message_id": 5}, 400, "Bad Request: message to delete not found"),
    ("sendChatAction", {"action": "dancing"}, 400, "Bad Request: wrong parameter action in request"),
    ("sendPhoto", {"photo": "https://x"}, 400, "Bad Request: wrong file identifier/HTTP URL specified"),
    ("sendDance", {}, 404, "Not Found"),
    (
        "setWebhook",
        {"url": "https://x.example:8081"},
        400,
        "Bad Request: bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443",
    ),
    (
        "setWebhook",
        {"url": "https://x.example", "secret_token": "a b"},
        400,
        "Bad Request: secret token contains unallowed characters",
    ),
]


@pytest.mark.parametrize(("method", "data", "code", "words"), WRONG_CALLS, ids=range(len(WRONG_CALLS)))
async def test_other_calls_that_break_a_rule_are_refused(
    bench: Bench, method: str, data: dict[str, Any], code: int, words: str
) -> None:
    status, body = await asked(bench, method, chat_id=700, **data)
    assert (status, body["error_code"], body["description"]) == (code, code, words)


@pytest.mark.parametrize(("token", "code"), [("1:wrong", 401), ("nonsense", 404), ("123456", 404)])
async def test_a_wrong_token_is_unauthorized_and_a_wrong_path_is_not_found(
    bench: Bench, token: str, code: int
) -> None:
    status, body = await asked(bench, "getMe", token=token)
    assert (status, body["error_code"]) == (code, code)


async def test_slowing_down_is_told_in_the_body_and_in_the_header(bench: Bench) -> None:
    bench.api.slow_chats["700"] = 7
    url = f"{bench.api.url}/bot{TOKEN}/sendMessage"
    async with bench.http.post(url, json={"chat_id": 700, "text": "x"}) as answer:
        body = await answer.json()
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    assert (body["parameters"], body["description"]) == (
        {"retry_after": 7},
        "Too Many Requests: retry after 7",
    )


@pytest.mark.parametrize("form", ["form", "json", "multipart", "query"])
async def test_every_kind_of_body_is_read(bench: Bench, form: str) -> None:
    data = {"chat_id": "700", "text": "Hallo", "entities": json.dumps([BOLD])}
    multipart = aiohttp.FormData(data)
    multipart.add_field("unused", b"x", filename="x")
    sent: dict[str, dict[str, Any]] = {
        "form": {"data": data},
        "json": {"json": {**data, "entities": [BOLD]}},
        "multipart": {"data": multipart},
        "query": {"params": {"chat_id": "700", "text": "Hallo"}},
    }
    async with bench.http.post(f"{bench.api.url}/bot{TOKEN}/sendMessage", **sent[form]) as answer:
        assert answer.status == 200
    assert bench.api.said_to(700) == ["Hallo"]


# ── And the connector makes the right thing of it ───────────────────────────────────────────────

Setting = Callable[[TelegramApi], None]


def forbidden(words: str) -> Setting:
    return lambda api: api.forbidden.update({"700": words})


def refused(words: str) -> Setting:
    return lambda api: api.refused.update({"700": words})


REACTIONS: list[tuple[Setting, type[SendError], str]] = [
    (lambda api: api.blocked.add("700"), RecipientUnreachable, "blocked by the user"),
    (forbidden("user is deactivated"), RecipientUnreachable, "deactivated"),
    (forbidden("bot was kicked from the supergroup chat"), RecipientUnreachable, "kicked"),
    (forbidden("bot can't initiate conversation with a user"), RecipientUnreachable, "initiate"),
    (refused("chat not found"), RecipientUnreachable, "nothing in this chat"),
    (refused("not enough rights to send text messages to the chat"), RecipientUnreachable, "rights"),
    (refused("CHAT_WRITE_FORBIDDEN"), RecipientUnreachable, "Chat_write_forbidden"),
    (refused("not enough rights to send photos to the chat"), SendRejected, "photos"),
    (lambda api: api.moved.update({"700": -1007}), ChatMoved, "supergroup"),
    (lambda api: api.slow_chats.update({"700": 7}), SendDeferred, "slow down"),
]


@pytest.mark.parametrize(("setting", "kind", "words"), REACTIONS, ids=range(len(REACTIONS)))
async def test_every_refusal_of_a_chat_has_its_meaning(
    bench: Bench, setting: Setting, kind: type[SendError], words: str
) -> None:
    setting(bench.api)
    with pytest.raises(SendError, match=words) as caught:
        await bench.send("Hallo")
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("state", "words"), [("closed", "topic is closed: open it again"), ("", "topic is gone")]
)
async def test_a_topic_that_is_closed_or_gone_says_what_to_do(bench: Bench, state: str, words: str) -> None:
    bench.api.topics["-100"] = {77: state}
    with pytest.raises(SendRejected, match=words):
        await bench.send("Hallo", address=replace(HERE, chat="-100/77"))


@pytest.mark.parametrize(("token", "kind"), [("123456:revoked", Misconfigured), ("9:x", Misconfigured)])
async def test_a_token_that_is_not_accepted_says_so(bench: Bench, token: str, kind: type[SendError]) -> None:
    with pytest.raises(kind, match="BotFather"):
        await bench.send("Hallo", bench.make(token=token))


async def test_every_refusal_of_markup_is_sent_plain(bench: Bench) -> None:
    telegram = bench.make()
    for entities in (
        entity(type="loud"),
        entity(offset=100),
        entity(length=100),
        entity(type="text_link", url="x"),
    ):
        await telegram.send({"method": "sendMessage", "chat_id": 700, "text": "Hallo", "entities": entities})
    assert bench.api.said_to(700) == ["Hallo"] * 4
    assert not any("entities" in sent.data for sent in bench.api.sent)


async def test_an_edit_whose_markup_is_refused_is_made_plain(bench: Bench) -> None:
    telegram = bench.make(format="html")
    receipts = tuple(await bench.send("Hallo", telegram))
    bench.api.bad_entities = True
    await telegram.edit(receipts, said(telegram, "<b>Moin</b>", address=HERE))
    assert bench.api.said_to(700) == ["Moin"]


async def test_an_edit_that_changes_nothing_is_done(bench: Bench) -> None:
    telegram = bench.make()
    receipts = tuple(
        await bench.send("Ja?", telegram, buttons=(Button(label="Ja", choice="y"),), question="q")
    )
    same = said(telegram, "Ja?", address=HERE, buttons=(Button(label="Ja", choice="y"),), question="q")
    await telegram.edit(receipts, same)
    assert "reply_markup" in bench.api.sent[0].data


async def test_an_edit_of_a_message_that_was_deleted_says_so(bench: Bench) -> None:
    telegram = bench.make()
    receipts = tuple(await bench.send("Ja", telegram))
    bench.api.sent.clear()
    with pytest.raises(SendRejected, match="not in the chat any more"):
        await telegram.edit(receipts, said(telegram, "Nein", address=HERE))


async def test_what_is_two_days_old_cannot_be_taken_back(bench: Bench) -> None:
    telegram = bench.make()
    receipts = tuple(await bench.send("Ja", telegram))
    bench.api.sent[0].hours = 48
    with pytest.raises(SendRejected, match="younger than 48 hours"):
        await telegram.delete(receipts)
    bench.api.sent[0].hours = 47.9
    await telegram.delete(receipts)
    assert bench.api.sent == []


async def test_a_change_in_a_group_that_moved_names_the_new_chat(bench: Bench) -> None:
    telegram = bench.make()
    receipts = tuple(await bench.send("Ja", telegram))
    bench.api.moved["700"] = -1007
    for change in (telegram.edit(receipts, said(telegram, "Nein", address=HERE)), telegram.delete(receipts)):
        with pytest.raises(ChatMoved) as caught:
            await change
        assert caught.value.chat == "-1007"


# ── Files ───────────────────────────────────────────────────────────────────────────────────────


async def kept(bench: Bench, size: int, mime: str = "image/png", **changes: Any) -> Attachment:
    kind = AttachmentKind.IMAGE if mime.startswith("image") else AttachmentKind.DOCUMENT
    key = await bench.files.put(bytes(size))
    return Attachment(kind=kind, name="a.png", mime=mime, file=key, **{"size": size, **changes})


async def test_a_picture_telegram_cannot_show_goes_as_a_document(bench: Bench) -> None:
    bench.api.bad_pictures = True
    await bench.send("Hier", attachments=(await kept(bench, 100),))
    (sent,) = bench.api.sent
    assert (sent.method, sent.text, len(sent.file)) == ("sendDocument", "Hier", 100)


async def test_a_picture_of_more_than_10_mb_goes_as_a_document(bench: Bench) -> None:
    await bench.send("", attachments=(await kept(bench, 10 * MB + 1),))
    assert bench.api.sent[0].method == "sendDocument"


async def test_more_than_50_mb_is_not_even_tried_and_refused_in_the_same_words_when_it_is(
    bench: Bench,
) -> None:
    big = await kept(bench, 50 * MB + 1, "application/pdf")
    for one in (big, replace(big, size=1)):  # what we know of its size may be wrong
        with pytest.raises(SendRejected, match="larger than 50 MB"):
            await bench.send("", attachments=(one,))
    assert [method for method, _ in bench.api.calls] == ["sendDocument"]


async def test_a_server_that_keeps_files_to_itself_is_named(bench: Bench) -> None:
    bench.api.disk = "/var/lib/telegram-bot-api/123456:x/"
    bench.api.files["f1"] = b"a picture"
    with pytest.raises(SendRejected, match="start it without --local") as caught:
        await bench.make().fetch(Attachment(kind=AttachmentKind.IMAGE, remote="f1"))
    assert "/var/lib" not in caught.value.reason


# ── The doctor ──────────────────────────────────────────────────────────────────────────────────


async def webhook(bench: Bench) -> tuple[str, str]:
    _, found = await bench.make(PUBLIC).check()
    return found.status, found.detail


async def test_the_doctor_tells_of_a_failure_that_is_recent_and_when_it_was(bench: Bench) -> None:
    bench.api.webhook = {"url": f"{PUBLIC}/webhooks/telegram/shop"}
    noon = int(NOON.timestamp())
    bench.api.last_error = (noon - 600, "Connection refused")
    status, detail = await webhook(bench)
    assert status == "warn"
    assert "failed at 2026-11-23 11:50 UTC: Connection refused" in detail
    bench.api.last_error = (noon - 2 * 86_400, "Connection refused")
    assert await webhook(bench) == ("ok", "registered, 0 wait")


@pytest.mark.parametrize("at", [0, -5, 1 << 60])
async def test_a_failure_at_no_time_is_none(bench: Bench, at: int) -> None:
    bench.api.webhook = {"url": f"{PUBLIC}/webhooks/telegram/shop"}
    bench.api.last_error = (at, "Connection refused")
    assert (await webhook(bench))[0] == "ok"


async def test_the_doctor_sees_a_webhook_that_tells_too_little(bench: Bench) -> None:
    bench.api.webhook = {"url": f"{PUBLIC}/webhooks/telegram/shop", "allowed_updates": ["message"]}
    status, detail = await webhook(bench)
    assert status == "warn"
    assert "callback_query" in detail


async def test_what_waits_for_long_is_what_telegram_asked_for(bench: Bench) -> None:
    bench.api.slow_chats["700"] = 3600
    began = time.monotonic()
    with pytest.raises(SendDeferred) as caught:
        await bench.send("Hallo")
    assert caught.value.retry_after is not None
    assert caught.value.retry_after.total_seconds() == 3600
    assert time.monotonic() - began < 5  # whoever sends waits, not the call
