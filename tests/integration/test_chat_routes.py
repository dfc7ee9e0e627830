"""The chat's routes against a real store: what is acknowledged is stored, and nobody speaks for another."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from bot.domain.customers import Customer
from bot.domain.messages import Attachment, AttachmentKind, Direction, EventKind, MessageState, topic
from bot.domain.ports import Query
from bot.web import multipart
from bot.web.chat import routes, stream
from bot.web.context import WEB
from bot.web.limits import Buckets
from tests.site import SHOP, Away, Site, site
from tests.unit.test_uploads import PDF, PNG


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as made:
        yield made


@pytest.fixture
def token(chat: Site) -> str:
    return chat.chat.mint()


# -- sessions


async def test_a_session_is_a_token_and_stores_nothing(chat: Site) -> None:
    answer = await chat.client.post("/chat/sessions")
    token = (await answer.json())["customer"]
    assert chat.chat.address(token).account == "site"
    assert await chat.store.count(Query(kind=Customer)) == 0
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_session_may_name_its_account(chat: Site) -> None:
    answer = await chat.post("/chat/sessions", account="other")
    assert chat.other.address((await answer.json())["customer"]).account == "other"
    assert (await chat.post("/chat/sessions", account="nobody")).status == 404


async def test_behind_a_proxy_one_visitor_does_not_shut_the_others_out(chat: Site) -> None:
    async def ask(told: str) -> int:
        answer = await chat.client.post("/chat/sessions", headers={"X-Forwarded-For": told})
        return answer.status

    assert [await ask("203.0.113.5") for _ in range(61)] == [200] * 60 + [429]
    assert (
        await ask("198.51.100.7, 203.0.113.5") == 429
    )  # what a visitor writes comes before what the proxy adds
    assert await ask("203.0.113.6") == 200


async def test_whoever_has_a_whole_network_is_one_visitor(chat: Site) -> None:
    for number in range(60):
        told = {"X-Forwarded-For": f"2001:db8:1:2::{number:x}"}
        assert (await chat.client.post("/chat/sessions", headers=told)).status == 200
    for address, status in (("2001:db8:1:2:ffff::1", 429), ("2001:db8:1:3::1", 200)):
        answer = await chat.client.post("/chat/sessions", headers={"X-Forwarded-For": address})
        assert answer.status == status


async def test_one_address_gets_only_so_many_sessions_at_once(chat: Site) -> None:
    for _ in range(60):
        assert (await chat.client.post("/chat/sessions")).status == 200
    refused = await chat.client.post("/chat/sessions")
    assert refused.status == 429
    chat.clock.forward(seconds=int(refused.headers["Retry-After"]))
    assert (await chat.client.post("/chat/sessions")).status == 200


# -- messages


async def test_a_202_means_stored(chat: Site, token: str) -> None:
    answer = await chat.say(token, "Wo ist mein Paket 4711?")
    assert answer.status == 202
    (event,) = await chat.events()
    assert (await answer.json())["id"] == event.id
    assert (event.inbound.kind, event.inbound.text) == (EventKind.MESSAGE, "Wo ist mein Paket 4711?")


async def test_the_same_message_again_is_the_same_event(chat: Site, token: str) -> None:
    answers = await asyncio.gather(*(chat.say(token, "Hallo") for _ in range(10)))
    ids = {(await answer.json())["id"] for answer in answers}
    assert {answer.status for answer in answers} == {202}
    assert [event.id for event in await chat.events()] == list(ids)


@pytest.mark.parametrize("token", ["", "c1." + "A" * 64, 7, None])
async def test_without_a_token_of_ours_nothing_is_read(chat: Site, token: Any) -> None:
    answer = await chat.say(token, "Hallo")
    assert answer.status == 401
    assert (await answer.json())["error"]["code"] == "unauthorized"
    assert await chat.events() == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_not_json_is_malformed(chat: Site, body: bytes) -> None:
    assert (await chat.client.post("/chat/messages", data=body)).status == 400


async def test_an_empty_message_is_refused_with_a_sentence(chat: Site, token: str) -> None:
    answer = await chat.say(token, " \n")
    assert answer.status == 400
    assert "empty" in (await answer.json())["error"]["message"]


async def test_all_of_a_megabyte_is_stored(chat: Site, token: str) -> None:
    text = "x" * 1024 * 1024
    assert (await chat.say(token, text)).status == 202
    (event,) = await chat.events()
    assert event.inbound.text == text


async def test_more_than_a_megabyte_is_too_large(chat: Site, token: str) -> None:
    assert (await chat.say(token, "x" * (1024 * 1024 + 5000))).status == 413
    assert await chat.events() == []


async def test_half_an_emoji_and_a_nul_arrive(chat: Site, token: str) -> None:
    body = b'{"customer": "%s", "id": "1", "text": "Danke\\u0000 \\ud83d"}' % token.encode()
    assert (await chat.client.post("/chat/messages", data=body)).status == 202
    (event,) = await chat.events()
    assert event.inbound.text == "Danke \ufffd"


async def test_a_store_that_is_away_says_come_again(chat: Site, token: str) -> None:
    down: Any = Away()
    chat.app._state[WEB] = msgspec.structs.replace(chat.app[WEB], receiving=down)
    answer = await chat.say(token, "Hallo")
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0


async def test_a_customer_who_writes_without_pause_is_slowed_down(chat: Site, token: str) -> None:
    answers = [await chat.say(token, "Hallo", id=str(number)) for number in range(31)]
    assert [answer.status for answer in answers] == [202] * 30 + [429]
    assert (await chat.say(chat.chat.mint(), "Hallo")).status == 202
    chat.clock.forward(seconds=1)
    assert (await chat.say(token, "Hallo", id="30")).status == 202


async def test_one_address_fills_no_disk_however_many_customers_it_claims_to_be(
    chat: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chat.client.app
    chat.client.app[routes.LIMITS].volume = Buckets(chat.clock, burst=5000, per_second=100)
    answers = [await chat.say(chat.chat.mint(), "x" * 2000) for _ in range(3)]
    assert [answer.status for answer in answers] == [202, 202, 429]
    chat.clock.forward(seconds=int(answers[2].headers["Retry-After"]))
    assert (await chat.say(chat.chat.mint(), "x" * 2000)).status == 202


# -- receipts


async def test_a_receipt_for_our_message_is_stored(chat: Site, token: str) -> None:
    message = await chat.answer(token, "Guten Tag")
    assert (await chat.post("/chat/receipts", customer=token, read=message.id)).status == 202
    (event,) = await chat.events()
    assert (event.inbound.kind, event.inbound.refers_to) == (EventKind.READ, message.id)


async def test_nobody_reads_for_somebody_else(chat: Site, token: str) -> None:
    message = await chat.answer(token, "Guten Tag")
    stranger = chat.chat.mint()
    assert (await chat.post("/chat/receipts", customer=stranger, read=message.id)).status == 404
    assert (await chat.post("/chat/receipts", customer=token, read="nothing")).status == 404
    assert await chat.events() == []


# -- the stream


async def test_the_stream_tells_what_was_said_and_then_what_is_said(chat: Site, token: str) -> None:
    await chat.say(token, "Hallo")
    await chat.take_in()
    async with chat.stream(token) as events:
        assert await events.texts(1) == ["Hallo"]
        await chat.answer(token, "Guten Tag")
        assert await events.texts(1) == ["Guten Tag"]


async def test_an_event_has_the_feeds_sequence_as_its_id(chat: Site, token: str) -> None:
    for text in ("eins", "zwei"):
        await chat.answer(token, text)
    async with chat.stream(token) as events:
        assert [(await events.next())[1] for _ in range(2)] == ["1", "2"]


@pytest.mark.parametrize("how", ["header", "query", "header over query"])
async def test_a_stream_goes_on_where_it_was(chat: Site, token: str, how: str) -> None:
    for text in ("eins", "zwei", "drei"):
        await chat.answer(token, text)
    headers = {"Last-Event-ID": "2"} if "header" in how else {}
    query = {"query": {"after": "2"}, "header over query": {"after": "0"}}.get(how, {})
    async with chat.stream(token, headers, **query) as events:
        assert await events.texts(1) == ["drei"]


async def test_a_position_from_another_life_of_the_store_begins_again(chat: Site, token: str) -> None:
    await chat.answer(token, "eins")
    async with chat.stream(token, after="500") as events:
        assert await events.texts(1) == ["eins"]


async def test_more_than_a_page_comes_in_order(chat: Site, token: str) -> None:
    texts = [str(number) for number in range(stream.PAGE * 2 + 1)]
    for text in texts:
        await chat.answer(token, text)
    async with chat.stream(token) as events:
        assert await events.texts(len(texts)) == texts


async def test_what_is_kept_for_who_does_not_read_is_little(chat: Site, token: str) -> None:
    """Twelve streams of a customer, ten long messages in each: that would be a gigabyte for ten customers."""
    texts = [str(number) * 40_000 for number in range(9)]
    for text in texts:
        await chat.answer(token, text)
    feed = stream.Feed(chat.store, topic(chat.chat.address(token)), 0, chat.chat.client_id)
    pages = [await feed.read()]
    while pages[-1][1]:
        pages.append(await feed.read())
    assert max(len(page) for page, _ in pages) < 2 * stream.PAGE_BYTES
    told = b"".join(page for page, _ in pages)
    assert [told.count(text.encode()) for text in texts] == [1] * 9
    assert [told.index(text.encode()) for text in texts] == sorted(
        told.index(text.encode()) for text in texts
    )


async def test_what_a_customer_sees_holds_nothing_internal(chat: Site, token: str) -> None:
    await chat.say(token, "Hallo", id="m-1")
    await chat.take_in()
    async with chat.stream(token) as events:
        _, _, data = await events.next()
    known = {"id", "direction", "author", "text", "buttons", "question", "attachments", "state", "at"}
    assert set(data) == known | {"client_id"}
    assert (data["client_id"], data["direction"], data["state"]) == ("m-1", "in", "received")


async def test_a_note_reaches_no_customer(chat: Site, token: str) -> None:
    await chat.answer(token, "Kunde klingt verärgert", direction=Direction.NOTE)
    await chat.answer(token, "Guten Tag")
    async with chat.stream(token) as events:
        assert await events.texts(1) == ["Guten Tag"]


async def test_nobody_hears_somebody_elses_chat(chat: Site, token: str) -> None:
    await chat.answer(chat.chat.mint(), "nicht für Sie")
    async with chat.stream(token) as events:
        await chat.answer(token, "für Sie")
        assert await events.texts(1) == ["für Sie"]


async def test_a_state_that_changes_while_somebody_looks_is_told(chat: Site, token: str) -> None:
    message = await chat.answer(token, "Guten Tag")
    async with chat.stream(token) as events:
        await events.next()
        await chat.change(message, state=MessageState.READ)
        assert await events.next() == ("state", "2", {"id": message.id, "state": "read"})


async def test_a_deleted_message_is_told_without_its_text(chat: Site, token: str) -> None:
    message = await chat.answer(token, "Guten Tag")
    await chat.change(message, deleted_at=chat.clock())
    async with chat.stream(token) as events:
        _, _, data = await events.next()
    assert (data["text"], data["deleted"]) == ("", True)


async def test_typing_has_no_id(chat: Site, token: str) -> None:
    async with chat.stream(token) as events:
        await chat.typing(token, "agent")
        assert await events.next() == ("typing", "", {"by": "agent"})


async def test_a_hint_that_is_none_does_no_harm(chat: Site, token: str) -> None:
    async with chat.stream(token) as events:
        await chat.broadcast.publish(f"webchat:site:{chat.chat.address(token).chat}", b"\xff{")
        await chat.answer(token, "Guten Tag")
        assert await events.texts(1) == ["Guten Tag"]


async def test_a_lost_hint_costs_only_time(chat: Site, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "REREAD", timedelta(milliseconds=20))
    async with chat.stream(token) as events:
        monkeypatch.setattr(chat.commit, "_wake", _nobody_is_told)
        await chat.answer(token, "Guten Tag")
        while not (told := await events.next())[0]:
            assert told[2] == "still here"
        assert told[2]["text"] == "Guten Tag"


async def _nobody_is_told(_: object) -> None: ...


async def test_of_too_many_streams_the_oldest_ends(chat: Site, token: str) -> None:
    async with chat.stream(token) as oldest:
        for _ in range(stream.STREAMS):
            await chat.client.get("/chat/stream", params={"customer": token})
        with pytest.raises(EOFError):
            await oldest.next()


async def test_open_streams_are_counted(chat: Site, token: str) -> None:
    def counted() -> float | None:
        return REGISTRY.get_sample_value("switchboard_streams", {"page": "chat"})

    before = counted() or 0.0
    async with chat.stream(token) as events:
        assert counted() == before + 1
        await chat.app.shutdown()
        with pytest.raises(EOFError):
            await events.next()
    assert counted() == before


async def test_a_stream_ends_when_the_server_stops(chat: Site, token: str) -> None:
    async with chat.stream(token) as events:
        await chat.app.shutdown()
        with pytest.raises(EOFError):
            await events.next()


async def test_a_stream_needs_a_token(chat: Site) -> None:
    assert (await chat.client.get("/chat/stream")).status == 401


# -- files


async def test_a_picture_arrives_and_comes_back(chat: Site, token: str) -> None:
    assert (await chat.upload(token, PNG, "kaputt.png", text="So kam es an")).status == 202
    await chat.take_in()
    async with chat.stream(token) as events:
        _, _, data = await events.next()
    (file,) = data["attachments"]
    assert (data["text"], file["kind"], file["name"]) == ("So kam es an", "image", "kaputt.png")
    answer = await chat.client.get(file["url"], params={"customer": token})
    assert await answer.read() == PNG
    assert answer.content_type == "image/png"


async def test_a_file_is_served_so_that_it_can_do_no_harm(chat: Site, token: str) -> None:
    await chat.upload(token, PDF, "rechnung.pdf")
    await chat.take_in()
    async with chat.stream(token) as events:
        url = (await events.next())[2]["attachments"][0]["url"]
    headers = (await chat.client.get(url, params={"customer": token})).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''rechnung.pdf"


async def test_only_whose_chat_shows_a_file_gets_it(chat: Site, token: str) -> None:
    key = await chat.files.put(PNG)
    file = Attachment(kind=AttachmentKind.IMAGE, name="a.png", mime="image/png", file=key)
    shown = await chat.answer(token, "Sehen Sie", attachments=(file,))
    note = await chat.answer(token, "intern", attachments=(file,), direction=Direction.NOTE)
    asked = [(chat.chat.mint(), shown.id), (token, note.id), (token, ""), (token, "nothing"), ("", shown.id)]
    statuses = [await _file_status(chat, key, *asks) for asks in asked]
    assert statuses == [404, 404, 404, 404, 401]
    assert await _file_status(chat, "0" * 64, token, shown.id) == 404
    assert await _file_status(chat, key, token, shown.id) == 200


async def _file_status(chat: Site, key: str, customer: str, message: str) -> int:
    params = {"customer": customer, "message": message}
    return (await chat.client.get(f"/chat/files/{key}", params=params)).status


@pytest.mark.parametrize(
    "content", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<!doctype html>", b"MZ\x90", PNG[:20]]
)
async def test_a_file_of_another_type_is_refused(chat: Site, token: str, content: bytes) -> None:
    answer = await chat.upload(token, content, "bild.png")
    assert answer.status == 400
    assert await chat.events() == []


async def test_five_megabytes_fit_and_one_byte_more_does_not(chat: Site, token: str) -> None:
    full = PNG + bytes(5 * 1024 * 1024 - len(PNG))
    assert (await chat.upload(token, full)).status == 202
    assert (await chat.upload(token, full + b"\0", id="f2")).status == 413


async def test_a_large_file_comes_back_whole(chat: Site, token: str) -> None:
    full = PNG + bytes(5 * 1024 * 1024 - len(PNG))
    await chat.upload(token, full)
    await chat.take_in()
    async with chat.stream(token) as events:
        url = (await events.next())[2]["attachments"][0]["url"]
    answer = await chat.client.get(url, params={"customer": token})
    assert await answer.read() == full


async def test_the_same_upload_again_is_the_same_event(chat: Site, token: str) -> None:
    answers = [await chat.upload(token, PNG) for _ in range(2)]
    first, second = [(await answer.json())["id"] for answer in answers]
    assert first == second
    assert len(await chat.events()) == 1


async def test_a_file_without_a_message_is_not_kept(chat: Site, token: str) -> None:
    form = _form({"customer": token, "id": "not an id"}, PNG)
    assert (await chat.client.post("/chat/files", data=form, headers=MULTIPART)).status == 400
    assert await chat.files.keys() == []


@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\n\r\n", b"--x\r\nContent-Disposition: form-data"])
async def test_a_broken_upload_is_malformed(chat: Site, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await chat.client.post("/chat/files", data=body, headers=headers)).status in {400, 401}
    assert (await chat.post("/chat/files", customer="")).status == 400


@pytest.mark.parametrize(
    ("junk", "status"),
    [(b'--x\r\nContent-Disposition: form-data; name="y"\r\n\r\n\r\n', 400), (b"\r\n", 202)],
)
async def test_nobody_keeps_the_server_busy_with_empty_parts(
    chat: Site, token: str, junk: bytes, status: int
) -> None:
    form = _form({"customer": token, "id": "f1"}, PNG)
    started = time.process_time()
    answer = await chat.client.post("/chat/files", data=BytesIO(junk * 50_000 + form), headers=MULTIPART)
    assert answer.status == status
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("head", ['name="' + ";" * 100_000, "name=y" + ";a=b" * 50_000, "x" * 5000])
async def test_nobody_keeps_the_server_busy_with_the_name_of_a_part(chat: Site, head: str) -> None:
    form = f"--x\r\nContent-Disposition: form-data; {head}\r\n\r\ny\r\n--x--\r\n".encode()
    started = time.process_time()
    assert (await chat.client.post("/chat/files", data=BytesIO(form), headers=MULTIPART)).status == 400
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    "told", ["boundary*" + "1" * 5000 + "*=x", 'boundary="' + ";" * 8000, "boundary=\udcff"]
)
async def test_a_type_that_is_none_is_malformed(chat: Site, told: str) -> None:
    headers = {"Content-Type": f"multipart/form-data; {told}"}
    started = time.process_time()
    assert (await chat.client.post("/chat/files", data=b"x", headers=headers)).status == 400
    assert time.process_time() - started < 0.05


async def test_what_is_beside_the_file_has_a_limit_too(chat: Site, token: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="y"\r\n\r\n'
        for _ in range(20):
            yield bytes(1024 * 1024)
        yield b"\r\n" + _form({"customer": token, "id": "f1"}, PNG)

    assert (await chat.client.post("/chat/files", data=endless(), headers=MULTIPART)).status == 413


@pytest.mark.parametrize("limit", ["SILENT_SECONDS", "SLOWEST_SECONDS"])
@pytest.mark.parametrize("path", ["/chat/files", "/chat/messages", "/console/login"])
async def test_a_body_that_falls_silent_is_given_up(
    chat: Site, monkeypatch: pytest.MonkeyPatch, path: str, limit: str
) -> None:
    monkeypatch.setattr(multipart, limit, 0.05)
    kept = asyncio.Event()

    async def silent() -> AsyncIterator[bytes]:
        yield b"--x\r\n"
        await kept.wait()

    async with asyncio.timeout(5):
        assert (await chat.client.post(path, data=silent(), headers=MULTIPART)).status == 400
    kept.set()


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ('filename="schöne Grüße.png"', "schöne Grüße.png"),
        ("filename*=UTF-8''%E2%82%AC.png", "€.png"),
        (r'filename="a\"b.png"', "ab.png"),
        ('filename="a;b.png"', "a;b.png"),
        ("filename=a.png; x=y", "a.png"),
    ],
)
async def test_a_file_keeps_its_name(chat: Site, token: str, told: str, shown: str) -> None:
    form = _form({"customer": token, "id": "f1"}, PNG, told)
    assert (await chat.client.post("/chat/files", data=form, headers=MULTIPART)).status == 202
    (event,) = await chat.events()
    assert event.inbound.attachments[0].name == shown


MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}


def _form(fields: dict[str, str], content: bytes, told: str = 'filename="a.png"') -> bytes:
    texts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in fields.items()
    ]
    file = f'--x\r\nContent-Disposition: form-data; name="file"; {told}\r\n\r\n'
    return "".join([*texts, file]).encode() + content + b"\r\n--x--\r\n"


async def test_an_upload_needs_a_token(chat: Site) -> None:
    assert (await chat.upload("", PNG)).status == 401
    assert await chat.events() == []


# -- who may embed it


def _cors(answer: Any) -> str | None:
    allowed: str | None = answer.headers.get("Access-Control-Allow-Origin")
    return allowed


async def test_an_admitted_site_may_ask_and_read(chat: Site, token: str) -> None:
    asked = await chat.client.options("/chat/messages", headers={"Origin": SHOP})
    assert (asked.status, _cors(asked)) == (204, SHOP)
    body = {"customer": token, "id": "1", "text": "Hallo"}
    answer = await chat.client.post("/chat/messages", json=body, headers={"Origin": SHOP})
    assert (answer.status, _cors(answer)) == (202, SHOP)


async def test_errors_can_be_read_too(chat: Site) -> None:
    answer = await chat.client.post("/chat/messages", json={}, headers={"Origin": SHOP})
    assert (answer.status, _cors(answer)) == (401, SHOP)
    assert answer.headers["Vary"] == "Origin"


async def test_a_stream_can_be_read_by_an_admitted_site(chat: Site, token: str) -> None:
    async with chat.client.get(
        "/chat/stream", params={"customer": token}, headers={"Origin": SHOP}
    ) as answer:
        assert _cors(answer) == SHOP


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", SHOP + ".evil.example", "http://shop.example"]
)
async def test_any_other_site_is_refused(chat: Site, token: str, origin: str) -> None:
    body = {"customer": token, "id": "1", "text": "Hallo"}
    answer = await chat.client.post("/chat/messages", json=body, headers={"Origin": origin})
    assert (answer.status, _cors(answer)) == (403, None)
    assert _cors(await chat.client.options("/chat/messages", headers={"Origin": origin})) is None
    assert await chat.events() == []


async def test_a_site_of_one_account_is_none_of_another(chat: Site) -> None:
    headers = {"Origin": SHOP}
    answer = await chat.client.post("/chat/sessions", json={"account": "other"}, headers=headers)
    assert answer.status == 403


async def test_our_own_pages_always_may(chat: Site) -> None:
    for origin in (f"http://127.0.0.1:{chat.server.port}", "http://chat.example"):
        answer = await chat.client.post("/chat/sessions", headers={"Origin": origin})
        assert (answer.status, _cors(answer)) == (200, origin)


async def test_a_star_admits_everybody(tmp_path: Path) -> None:
    async with site(tmp_path, origins=("*",)) as chat:
        answer = await chat.client.post("/chat/sessions", headers={"Origin": "https://any.example"})
        assert (answer.status, _cors(answer)) == (200, "https://any.example")


# -- the widget


async def test_the_widget_is_one_script(chat: Site) -> None:
    answer = await chat.client.get("/chat/widget.js")
    script = await answer.text()
    assert answer.content_type == "text/javascript"
    assert "switchboard-chat" in script
    assert len(await answer.read()) < 60_000
    again = await chat.client.get("/chat/widget.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304


async def test_the_widget_learns_whom_it_speaks_for(chat: Site) -> None:
    answer = await chat.client.get("/chat/config", params={"account": "site"})
    told = await answer.json()
    assert (told["brand"], told["languages"], told["file_limit"]) == ("Nordwind", ["de", "en"], 5 * 2**20)
    assert (await chat.client.get("/chat/config", params={"account": "nobody"})).status == 404
