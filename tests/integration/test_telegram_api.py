"""The connector against a Bot API that enforces what the real one enforces."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from bot.domain.errors import (
    ChatMoved,
    Misconfigured,
    RecipientUnreachable,
    SendDeferred,
    SendError,
    SendInDoubt,
    SendRejected,
    StoreUnavailable,
)
from bot.domain.messages import Address, Attachment, AttachmentKind, Button, EventKind, Inbound
from bot.stores.files import LocalFiles
from connectors.telegram import Telegram, TelegramSettings
from tests.contracts.connector_contract import Platform, said
from tests.fakes.telegram_api import TOKEN, TelegramApi, breaks, fails, text_update

HERE = Address(channel="telegram", account="shop", user="700", chat="700")


@pytest.fixture
async def api() -> AsyncIterator[TelegramApi]:
    async with TelegramApi().serving() as running:
        yield running


class Bench:
    def __init__(self, api: TelegramApi, http: aiohttp.ClientSession, folder: Path) -> None:
        self.api, self.http = api, http
        self.files = LocalFiles(folder)
        self.received: list[Inbound] = []
        self.store_is_away = 0

    async def receive(self, inbound: Sequence[Inbound]) -> list[str]:
        if self.store_is_away:
            self.store_is_away -= 1
            raise StoreUnavailable("away")
        self.received += inbound
        return [one.external_id for one in inbound]

    def make(self, public_url: str = "", **changes: Any) -> Telegram:
        known: dict[str, Any] = {
            "account": "shop",
            "token": TOKEN,
            "secret": "s3cret",
            "api_url": self.api.url,
        }
        deps = replace(
            Platform().deps(), http=self.http, files=self.files, receive=self.receive, public_url=public_url
        )
        return Telegram(msgspec.convert({**known, **changes}, TelegramSettings), deps)

    async def send(self, text: str, telegram: Telegram | None = None, **changes: Any) -> list[str]:
        connector = telegram or self.make()
        message = said(connector, text, **{"address": HERE, **changes})
        return [(await connector.send(payload)).external_id for payload in connector.render(message)]


@pytest.fixture
async def bench(api: TelegramApi, tmp_path: Path) -> AsyncIterator[Bench]:
    async with aiohttp.ClientSession() as http:
        yield Bench(api, http, tmp_path)


# ── Out ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_message_arrives_and_its_receipt_names_it(bench: Bench) -> None:
    assert await bench.send("Guten Tag & <hallo>") == ["700/101"]
    assert bench.api.said_to(700) == ["Guten Tag & <hallo>"]


async def test_a_long_text_with_markup_arrives_whole(bench: Bench) -> None:
    text = "<b>" + "👩‍👧 wort " * 2000 + "</b>"
    await bench.send(text, bench.make(format="html"))
    assert len(bench.api.sent) > 4
    assert "".join("".join(bench.api.said_to(700)).split()) == "".join(("👩‍👧 wort " * 2000).split())
    assert all(sent.data["entities"] for sent in bench.api.sent)


async def test_buttons_and_quotes_are_taken(bench: Bench) -> None:
    button = Button(label="Ja", choice="yes")
    await bench.send("Ja?", buttons=(button,), question="q1", reply_to="700/55")
    (sent,) = bench.api.sent
    assert sent.data["reply_markup"]["inline_keyboard"][0][0] == {"text": "Ja", "callback_data": "q1:yes"}
    assert sent.data["reply_parameters"]["message_id"] == 55


@pytest.mark.parametrize(
    ("mime", "method"), [("image/png", "sendPhoto"), ("application/pdf", "sendDocument")]
)
async def test_a_file_arrives(bench: Bench, mime: str, method: str) -> None:
    key = await bench.files.put(b"the content")
    kind = AttachmentKind.IMAGE if mime.startswith("image") else AttachmentKind.DOCUMENT
    await bench.send("Hier", attachments=(Attachment(kind=kind, name="ä.pdf", mime=mime, file=key, size=11),))
    (sent,) = bench.api.sent
    assert (sent.method, sent.file, sent.text) == (method, b"the content", "Hier")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Rechnung März.pdf", "Rechnung März.pdf"),
        ("a\r\nX-Evil: 1.pdf", "a__X-Evil: 1.pdf"),
        ("\0", "_"),
        ('say "hi".txt', 'say "hi".txt'),
    ],
)
async def test_a_files_name_arrives_as_it_stands_and_breaks_nothing(
    bench: Bench, name: str, shown: str
) -> None:
    key = await bench.files.put(b"the content")
    await bench.send(
        "", attachments=(Attachment(kind=AttachmentKind.DOCUMENT, name=name, file=key, size=11),)
    )
    assert bench.api.sent[0].data["file_name"] == shown


async def test_a_file_that_is_gone_says_so(bench: Bench) -> None:
    with pytest.raises(SendRejected, match="not in our store"):
        await bench.send("", attachments=(Attachment(kind=AttachmentKind.IMAGE, file="0" * 64),))


async def test_markup_telegram_does_not_like_is_sent_plain(bench: Bench) -> None:
    bench.api.bad_entities = True
    await bench.send("<b>Fett</b>", bench.make(format="html"))
    (sent,) = bench.api.sent
    assert (sent.text, "entities" in sent.data) == ("Fett", False)


async def test_typing_and_presses_are_told(bench: Bench) -> None:
    telegram = bench.make()
    press = Inbound(external_id="callback/77", kind=EventKind.PRESS, address=HERE)
    await telegram.typing("700")
    await telegram.acknowledge(press)
    await telegram.acknowledge(replace(press, external_id="callback/old1"))  # too late is no trouble
    assert ("sendChatAction", {"chat_id": "700", "action": "typing"}) in bench.api.calls
    assert bench.api.acknowledged == ["77"]


async def test_what_was_sent_can_be_put_in_other_words_and_taken_back(bench: Bench) -> None:
    telegram = bench.make()
    receipts = tuple(await bench.send("wort " * 1200, telegram))
    assert len(receipts) == 2
    await telegram.edit(receipts, said(telegram, "Kurz", address=HERE))
    assert bench.api.said_to(700) == ["Kurz"]
    await telegram.edit(receipts[:1], said(telegram, "Kurz", address=HERE))  # the same again is no trouble
    await telegram.delete(receipts)  # nor is what is gone
    assert bench.api.said_to(700) == []


async def test_an_edit_that_needs_more_messages_is_refused(bench: Bench) -> None:
    telegram = bench.make()
    receipts = tuple(await bench.send("Kurz", telegram))
    with pytest.raises(SendRejected, match="more messages"):
        await telegram.edit(receipts, said(telegram, "wort " * 1200, address=HERE))


# ── What failures mean ──────────────────────────────────────────────────────────────────────────

MEANINGS: list[tuple[Callable[[], None], type[SendError]]] = [
    (fails(429, "Too Many Requests: retry after 7", retry_after=7), SendDeferred),
    (
        fails(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1007),
        ChatMoved,
    ),
    (fails(403, "Forbidden: bot was blocked by the user"), RecipientUnreachable),
    (fails(403, "Forbidden: user is deactivated"), RecipientUnreachable),
    (fails(403, "Forbidden: bot was kicked from the supergroup chat"), RecipientUnreachable),
    (fails(400, "Bad Request: chat not found"), RecipientUnreachable),
    (fails(400, "Bad Request: message is too long"), SendRejected),
    (fails(400, "Bad Request: wrong file identifier/HTTP URL specified"), SendRejected),
    (fails(401, "Unauthorized"), Misconfigured),
    (fails(404, "Not Found"), Misconfigured),
    (fails(409, "Conflict: terminated by other getUpdates request"), Misconfigured),
    (fails(500, "Internal Server Error"), SendDeferred),
    (breaks, SendDeferred),
]


@pytest.mark.parametrize(("trouble", "meaning"), MEANINGS, ids=range(len(MEANINGS)))
async def test_every_failure_has_its_meaning(
    bench: Bench, trouble: Callable[[], None], meaning: type[SendError]
) -> None:
    bench.api.trouble.append(trouble)
    with pytest.raises(SendError) as caught:
        await bench.send("Hallo")
    assert type(caught.value) is meaning
    assert TOKEN not in f"{caught.value!r} {caught.value.reason}"
    assert "<html>" not in caught.value.reason


async def test_a_429_says_how_long(bench: Bench) -> None:
    bench.api.trouble.append(fails(429, "Too Many Requests: retry after 7", retry_after=7))
    with pytest.raises(SendDeferred) as caught:
        await bench.send("Hallo")
    assert caught.value.retry_after == timedelta(seconds=7)


async def test_an_answer_that_was_lost_leaves_us_in_doubt(bench: Bench) -> None:
    bench.api.lost_answers = 1
    with pytest.raises(SendInDoubt):
        await bench.send("Hallo")
    assert bench.api.said_to(700) == ["Hallo"]


async def test_what_never_got_there_is_not_in_doubt(bench: Bench) -> None:
    with pytest.raises(SendDeferred):
        await bench.send("Hallo", bench.make(api_url="http://127.0.0.1:9"))


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{", b"nonsense\r\n\r\n"]
)
async def test_an_answer_cut_short_leaves_us_in_doubt(bench: Bench, answer: bytes) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SendInDoubt) as caught:
            await bench.send("Hallo", bench.make(api_url=f"http://127.0.0.1:{port}"))
    assert TOKEN not in repr(caught.value)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"ok": true}'])
async def test_an_answer_that_says_nothing_leaves_us_in_doubt(bench: Bench, body: bytes) -> None:
    async def strange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(strange, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SendInDoubt):
            await bench.send("Hallo", bench.make(api_url=f"http://127.0.0.1:{port}"))


@contextlib.asynccontextmanager
async def answering(status: int, body: str) -> AsyncIterator[str]:
    """The address of something that says always the same."""

    async def same(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=status, text=body)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", same)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


STRANGE: list[tuple[int, str, type[SendError]]] = [
    # A page of something in between says nothing about the customer.
    (403, f"<html>/bot{TOKEN}/sendMessage is blocked here</html>", SendDeferred),
    (400, f"<html>/bot{TOKEN}/sendMessage is no request</html>", SendDeferred),
    (404, f"<html>/bot{TOKEN}/sendMessage</html>", Misconfigured),
    (413, "<html></html>", SendRejected),
    # A refusal is one, whatever the status is.
    (
        200,
        '{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}',
        RecipientUnreachable,
    ),
    (200, '{"ok":false,"error_code":429,"parameters":{"retry_after":5}}', SendDeferred),
    (200, '{"ok":false,"error_code":"strange"}', SendInDoubt),
    # Shapes nobody promised.
    (400, '{"ok":false,"description":5,"parameters":"x"}', SendRejected),
    (400, '{"ok":false,"parameters":{"migrate_to_chat_id":"nowhere"}}', SendRejected),
    (503, '{"ok":false,"parameters":{"retry_after":"soon"}}', SendDeferred),
    (503, '{"ok":false,"parameters":{"retry_after":7}}', SendDeferred),
]


@pytest.mark.parametrize(("status", "body", "meaning"), STRANGE, ids=range(len(STRANGE)))
async def test_what_is_no_answer_of_telegrams_has_its_meaning(
    bench: Bench, status: int, body: str, meaning: type[SendError]
) -> None:
    async with answering(status, body) as url:
        with pytest.raises(SendError) as caught:
            await bench.send("Hallo", bench.make(api_url=url))
    assert type(caught.value) is meaning
    assert TOKEN not in caught.value.reason


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        ("-5", None),
        ("1000000000", None),
        ("999999", timedelta(hours=1)),
        ('"7"', None),
        ("7", timedelta(seconds=7)),
    ],
)
async def test_an_absurd_wait_is_not_believed(bench: Bench, asked: str, waits: timedelta | None) -> None:
    body = f'{{"ok":false,"error_code":429,"parameters":{{"retry_after":{asked}}}}}'
    async with answering(429, body) as url:
        with pytest.raises(SendDeferred) as caught:
            await bench.send("Hallo", bench.make(api_url=url))
    assert caught.value.retry_after == waits


@pytest.mark.parametrize("url", ["nonsense", "htp://x", "http://[::1", "http://127.0.0.1:99999"])
async def test_an_address_that_is_none_leaves_no_doubt(bench: Bench, url: str) -> None:
    with pytest.raises(SendDeferred):
        await bench.send("Hallo", bench.make(api_url=url))


async def test_the_token_is_in_no_log_line(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench.api.lost_answers = 1
    for trouble in (breaks, fails(429, "Too Many Requests: retry after 7", retry_after=7)):
        bench.api.trouble.append(trouble)
    for _ in range(4):
        with contextlib.suppress(SendError):
            await bench.send("Hallo")
    assert TOKEN not in caplog.text


# ── Files in ────────────────────────────────────────────────────────────────────────────────────


async def test_a_file_is_fetched(bench: Bench) -> None:
    bench.api.files["f1"] = b"a picture"
    assert await bench.make().fetch(Attachment(kind=AttachmentKind.IMAGE, remote="f1")) == b"a picture"


async def test_a_file_telegram_does_not_give_says_why(bench: Bench) -> None:
    bench.api.files["big"] = bytes(20 * 1024 * 1024 + 1)
    for one in (
        Attachment(kind=AttachmentKind.VIDEO, remote="big"),
        Attachment(kind=AttachmentKind.VIDEO, remote="other", size=30 * 1024 * 1024),
    ):
        with pytest.raises(SendRejected, match=r"big|20 MB"):
            await bench.make().fetch(one)


@pytest.mark.parametrize("path", ["../../bot1:x/getMe", "documents/../../x", ".."])
async def test_a_file_is_fetched_from_nowhere_else(bench: Bench, path: str) -> None:
    async with answering(200, f'{{"ok":true,"result":{{"file_path":"{path}"}}}}') as url:
        with pytest.raises(SendRejected, match="no place"):
            await bench.make(api_url=url).fetch(Attachment(kind=AttachmentKind.DOCUMENT, remote="f1"))


async def test_a_files_strange_name_is_asked_for_whole(bench: Bench) -> None:
    bench.api.files["notes.c#?x=%20"] = b"the notes"
    found = await bench.make().fetch(Attachment(kind=AttachmentKind.DOCUMENT, remote="notes.c#?x=%20"))
    assert found == b"the notes"


@pytest.mark.parametrize("size", [12, 0])
async def test_a_page_in_place_of_a_file_is_not_taken_for_it(bench: Bench, size: int) -> None:
    """Both questions get the same words: as an answer they promise another size than as a file they have."""
    body = f'{{"ok":true,"result":{{"file_path":"documents/f1","file_size":{size}}}}}'
    async with answering(200, body) as url:
        with pytest.raises(SendDeferred, match="whole"):
            await bench.make(api_url=url).fetch(Attachment(kind=AttachmentKind.DOCUMENT, remote="f1"))


async def test_no_file_is_kept_or_shown_with_an_address(bench: Bench) -> None:
    bench.api.files["f1"] = b"a picture"
    with pytest.raises(SendError) as caught:
        await bench.make().fetch(Attachment(kind=AttachmentKind.IMAGE, remote="gone"))
    assert TOKEN not in caught.value.reason
    assert bench.api.url not in caught.value.reason


# ── Set-up ──────────────────────────────────────────────────────────────────────────────────────

PUBLIC = "https://chat.nordwind.example"


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Poller:
    """A process that started and fetches this account's updates."""

    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram

    async def start(self) -> None:
        await self._telegram.start()
        self._polling = asyncio.create_task(self._telegram.poll())

    async def stop(self) -> None:
        self._polling.cancel()
        await asyncio.gather(self._polling, return_exceptions=True)
        await self._telegram.stop()


async def test_the_webhook_is_registered_with_its_secret(bench: Bench) -> None:
    telegram = bench.make(PUBLIC)
    await telegram.start()
    await telegram.stop()
    assert bench.api.webhook["url"] == f"{PUBLIC}/webhooks/telegram/shop"
    assert bench.api.webhook["secret_token"] == "s3cret"
    assert "message_reaction" in bench.api.webhook["allowed_updates"]


async def test_without_https_no_webhook_is_registered(bench: Bench) -> None:
    telegram = bench.make("http://127.0.0.1:8080")
    await telegram.start()
    await telegram.stop()
    assert bench.api.webhook == {}


async def test_a_platform_that_is_away_does_not_keep_the_server_from_starting(bench: Bench) -> None:
    telegram = bench.make(PUBLIC, api_url="http://127.0.0.1:9")
    await telegram.start()
    await telegram.stop()


async def test_polling_fetches_what_is_there_once(bench: Bench) -> None:
    telegram = Poller(bench.make(mode="polling", secret=""))
    for number in range(3):
        bench.api.offer(text_update(700, f"Frage {number}", number + 1))
    await telegram.start()
    await until(lambda: len(bench.received) == 3)
    bench.api.offer(text_update(700, "Frage 3", 4))
    await until(lambda: len(bench.received) == 4)
    await until(lambda: bench.api.confirmed == 5005)
    await telegram.stop()
    assert [one.text for one in bench.received] == [f"Frage {number}" for number in range(4)]


async def test_polling_confirms_nothing_that_is_not_stored(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.telegram.running.FIRST", 0.02)
    bench.store_is_away = 5
    telegram = Poller(bench.make(mode="polling", secret=""))
    bench.api.offer(text_update(700, "Frage", 1))
    await telegram.start()
    await until(lambda: bench.store_is_away < 4)
    assert (bench.api.confirmed, bench.received) == (0, [])
    await until(lambda: bench.api.confirmed == 5002)
    await telegram.stop()
    assert [one.text for one in bench.received] == ["Frage"]


async def test_polling_begins_anew_when_all_is_confirmed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a quiet week the numbers of updates begin anywhere, also below the last."""
    monkeypatch.setattr("connectors.telegram.running.POLL", 0)
    telegram = Poller(bench.make(mode="polling", secret=""))
    bench.api.offer(text_update(700, "Frage", 1))
    await telegram.start()
    await until(lambda: bench.api.confirmed == 5002)
    bench.api._updates = 40
    bench.api.offer(text_update(700, "Noch eine", 2))
    await until(lambda: len(bench.received) == 2)
    await telegram.stop()


@pytest.mark.parametrize("result", [{}, [7], [{"message": {}}], None])
async def test_polling_does_not_storm_what_answers_nonsense(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, result: Any
) -> None:
    asked: list[int] = []

    async def nonsense(_: dict[str, Any]) -> Any:
        asked.append(1)
        return result

    monkeypatch.setattr(bench.api, "_poll", nonsense)
    telegram = Poller(bench.make(mode="polling", secret=""))
    await telegram.start()
    await until(lambda: bool(asked))
    await asyncio.sleep(0.2)
    await telegram.stop()
    assert len(asked) == 1


async def test_polling_takes_away_a_webhook(bench: Bench) -> None:
    bench.api.webhook = {"url": "https://old.example/"}
    telegram = Poller(bench.make(mode="polling", secret=""))
    await telegram.start()
    assert bench.api.webhook == {}
    await telegram.stop()


async def test_polling_goes_on_when_another_poller_has_gone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.telegram.running.HOPELESS", 0.05)
    monkeypatch.setattr("connectors.telegram.running.FIRST", 0.05)
    one, other = (Poller(bench.make(mode="polling", secret="")) for _ in range(2))
    await one.start()
    await until(lambda: bench.api.polls > 0)
    await other.start()
    await until(lambda: bench.api.refused_polls > 1)  # it is told so, and asks again all the same
    await one.stop()
    bench.api.offer(text_update(900, "noch da?", 1))
    await until(lambda: bool(bench.received), 10)
    await other.stop()
    assert bench.received[0].text == "noch da?"


async def test_a_group_is_heard_once_telegram_said_who_we_are(bench: Bench) -> None:
    telegram = Poller(bench.make(mode="polling", secret=""))
    group = {"id": -100, "type": "supergroup", "title": "Freunde"}
    mention = [{"type": "mention", "offset": 0, "length": 13}]
    bench.api.offer(text_update(700, "@nordwind_bot auf?", 1, chat=group, entities=mention))
    await telegram.start()
    await until(lambda: bool(bench.received))
    await telegram.stop()
    assert (bench.received[0].kind, bench.received[0].text) == (EventKind.MESSAGE, "auf?")


# ── The doctor ──────────────────────────────────────────────────────────────────────────────────


async def statuses(telegram: Telegram) -> list[str]:
    return [finding.status for finding in await telegram.check()]


async def test_the_doctor_says_what_is_wrong(bench: Bench) -> None:
    assert await statuses(bench.make(token="1:wrong")) == ["fail"]
    assert await statuses(bench.make(api_url="http://127.0.0.1:9")) == ["fail"]
    assert await statuses(bench.make("http://127.0.0.1:8080")) == ["ok", "fail"]
    assert await statuses(bench.make(PUBLIC)) == ["ok", "warn"]
    assert await statuses(bench.make(mode="polling")) == ["ok", "ok"]
    bench.api.webhook = {"url": f"{PUBLIC}/webhooks/telegram/shop"}
    assert await statuses(bench.make(PUBLIC)) == ["ok", "ok"]
    assert await statuses(bench.make(mode="polling")) == ["ok", "warn"]


async def test_the_doctor_names_the_bot_and_never_the_token(bench: Bench) -> None:
    findings = await bench.make(PUBLIC).check() + await bench.make(token="1:wrong").check()
    assert any("@nordwind_bot" in finding.detail for finding in findings)
    for finding in findings:
        assert TOKEN not in f"{finding}"
        assert finding.status == "ok" or finding.fix
