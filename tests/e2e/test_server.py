"""The whole server from outside: what a stranger does after `make run`."""

from __future__ import annotations

import asyncio
import resource
import shutil
import signal
from pathlib import Path

import aiohttp
import pytest

from bot.domain.accounts import User
from bot.domain.ports import Query
from bot.stores.sqlite import SqliteStore
from tests.e2e.server import ROOT, Api, Customer, Server, serving

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def customer(http: aiohttp.ClientSession, server: Server) -> Customer:
    visitor = Customer(http, server)
    await visitor.arrive()
    return visitor


async def eventually_waiting(api: Api) -> str:
    async with asyncio.timeout(5):
        while not (cases := (await api.get("cases", state="waiting"))["cases"]):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return str(cases[0]["id"])


@pytest.mark.parametrize(
    ("question", "part"), [("Wo ist mein Paket 4711?", "4711"), ("Where is my parcel 4711?", "4711")]
)
async def test_where_is_my_parcel_is_answered_within_a_second(
    customer: Customer, question: str, part: str
) -> None:
    await customer.say(question)
    (answer,) = await customer.hears(1, seconds=1.0)
    assert part in answer


async def test_the_answer_is_in_the_customers_language(customer: Customer) -> None:
    await customer.say("Where is my parcel 4711?")
    (english,) = await customer.hears(1)
    await customer.say("Wo ist mein Paket 4712?")
    german = (await customer.hears(2))[1]
    assert " is " in f" {english} " or "your" in english
    assert "Ihr" in german or "ist" in german


async def test_who_wants_a_person_waits_on_the_desk_within_a_second(customer: Customer, api: Api) -> None:
    await customer.say("ich will mit einem Menschen sprechen")
    async with asyncio.timeout(1):
        case = await eventually_waiting(api)
    whole = await api.get(f"cases/{case}")
    assert whole["reason"] == "asked_for_person"
    assert whole["messages"][0]["text"] == "ich will mit einem Menschen sprechen"


async def test_a_case_is_claimed_answered_and_resolved(customer: Customer, api: Api) -> None:
    await customer.say("ich will mit einem Menschen sprechen")
    case = await eventually_waiting(api)
    assert (await api.act(case, "claim"))[0] == 200
    status, refused = await api.act(case, "claim", agent={"id": "ben", "name": "Ben"})
    assert (status, refused["error"]["code"]) == (409, "too_late")
    status, refused = await api.act(case, "reply", agent={"id": "ben", "name": "Ben"}, text="Moin")
    assert (status, refused["error"]["code"]) == (403, "not_allowed")
    assert (await api.act(case, "reply", text="Guten Tag, hier ist Ada."))[0] == 200
    assert (await customer.hears(2))[1] == "Guten Tag, hier ist Ada."
    status, done = await api.act(case, "resolve", outcome="solved")
    assert (status, done["state"]) == (200, "resolved")


async def test_the_api_is_closed_without_its_token(http: aiohttp.ClientSession, server: Server) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}):
        async with http.get(f"{server.url}/api/v1/stats", headers=headers) as answer:
            assert answer.status == 401
            assert (await answer.json())["error"]["code"] == "unauthorized"


async def test_understand_is_a_superset_of_what_rasa_answers(api: Api) -> None:
    status, body = await api.post("understand", {"text": "Wo ist mein Paket 4711?"})
    assert status == 200
    assert body["intent"]["name"] == "where_is_parcel"
    assert body["intent_ranking"][0] == body["intent"]
    assert body["entities"][0]["value"] == "4711"
    assert {"text", "urgency", "sentiment", "language", "model"} <= body.keys()


async def test_the_counters_add_up(customer: Customer, api: Api) -> None:
    for _ in range(3):
        await customer.say("Wo ist mein Paket 4711?", "the-same-id")
    await customer.hears(1)
    stats = await api.get("stats")
    assert (stats["received"], stats["duplicate"], stats["stored"]) == (3, 2, 1)
    assert stats["answered"] == 1
    assert stats["oldest_unprocessed_seconds"] is None


async def test_probes(http: aiohttp.ClientSession, server: Server) -> None:
    for path, part in (("/healthz", "ok"), ("/readyz", "ok"), ("/metrics", "switchboard_received_total")):
        async with http.get(f"{server.url}{path}") as answer:
            assert answer.status == 200
            assert part in await answer.text()


@pytest.mark.parametrize(
    "text", ["\x00 mit NUL \x00", "🧶" * 500, "مرحبا، أين طلبي؟", "x" * 1_000_000, "a\u202eb\u200d"]
)
async def test_odd_texts_are_stored_whole(customer: Customer, api: Api, text: str) -> None:
    await customer.say(text)
    async with asyncio.timeout(5):
        while not (cases := (await api.get("cases"))["cases"]):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    whole = await api.get(f"cases/{cases[0]['id']}")
    assert whole["messages"][0]["text"] == text.replace("\x00", "")  # no text holds a NUL: it is taken out


async def test_an_empty_message_is_refused_with_a_sentence(
    http: aiohttp.ClientSession, server: Server, customer: Customer
) -> None:
    body = {"customer": customer.token, "id": "m1", "text": "  \n"}
    async with http.post(f"{server.url}/chat/messages", json=body) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["message"]


async def test_no_customer_text_and_no_token_in_the_log(customer: Customer, server: Server) -> None:
    await customer.say("Mein Geheimwort ist Zwetschgendatschi, wo ist mein Paket 4711?")
    await customer.hears(1)
    log = server.log()
    assert "Zwetschgendatschi" not in log
    assert customer.token not in log


async def test_sigterm_stops_cleanly_and_a_restart_goes_on(
    customer: Customer, server: Server, http: aiohttp.ClientSession
) -> None:
    await customer.say("Wo ist mein Paket 4711?")
    await customer.hears(1)
    assert await server.stop() == 0
    await server.start()
    await customer.say("ich will mit einem Menschen sprechen")
    assert len(await customer.hears(2)) == 2


async def test_sighup_keeps_the_old_configuration_on_error(customer: Customer, server: Server) -> None:
    server.config.write_text("brand: {nmae: Typo}\n", encoding="utf-8")
    server.send_signal(signal.SIGHUP)
    async with asyncio.timeout(5):
        while "config.kept" not in server.log():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await customer.say("Wo ist mein Paket 4711?")
    assert len(await customer.hears(1)) == 1


async def test_sighup_makes_new_answers_count(customer: Customer, server: Server, tmp_path: Path) -> None:
    answers = tmp_path / "answers.yml"
    shipped = (ROOT / "nlu/data/answers.yml").read_text(encoding="utf-8")
    answers.write_text(shipped.replace("Sehr gern!", "Immer gern!"), encoding="utf-8")
    changed = server.config.read_text(encoding="utf-8").replace("nlu/data/answers.yml", str(answers))
    server.config.write_text(changed, encoding="utf-8")
    server.send_signal(signal.SIGHUP)
    async with asyncio.timeout(5):
        while "config.read" not in server.log():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await customer.say("Danke!")
    assert (await customer.hears(1))[0].startswith("Immer gern!")


async def test_a_port_in_use_is_said_in_one_sentence(server: Server, tmp_path: Path, models: Path) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    second = Server(folder, models)
    second.port = server.port
    assert await second.fails_to_start() == 2
    assert f"Port {server.port} on 127.0.0.1 is in use" in second.log()


async def test_two_servers_do_not_share_a_store(server: Server, models: Path) -> None:
    second = Server(server.folder, models)
    assert await second.fails_to_start() == 2
    assert f"Another server works with {server.folder}/switchboard.db" in second.log()


async def test_a_key_that_is_gone_is_not_replaced_in_silence(customer: Customer, server: Server) -> None:
    """A new one would shut every customer out of their chat."""
    await customer.say("Wo ist mein Paket 4711?")
    await server.stop()
    key = server.folder / "secret.key"
    kept = key.read_text(encoding="ascii")
    key.unlink()
    assert await server.fails_to_start() == 2
    assert "secret.key is gone" in server.log()
    key.write_text(kept, encoding="ascii")
    await server.start()
    assert len(await customer.hears(1)) == 1


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
async def test_a_full_disk_says_come_again_until_there_is_room(
    customer: Customer, server: Server, http: aiohttp.ClientSession
) -> None:
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    body = {"customer": customer.token, "id": "m1", "text": "Wo ist mein Paket 4711?"}
    async with http.post(f"{server.url}/chat/messages", json=body) as answer:
        assert (answer.status, "Retry-After" in answer.headers) == (503, True)
    async with http.get(f"{server.url}/readyz") as answer:
        assert (answer.status, list((await answer.json())["failing"])) == (503, ["store"])
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await server.ready()
    await customer.say("Wo ist mein Paket 4711?")
    assert len(await customer.hears(1)) == 1


async def test_a_packed_body_is_not_unpacked(server: Server, http: aiohttp.ClientSession) -> None:
    """What is no gzip at all would be noticed by whoever tried."""
    headers = {"Content-Encoding": "gzip"}
    async with http.post(f"{server.url}/chat/messages", data=b"no gzip", headers=headers) as answer:
        assert answer.status == 415
    assert "Unhandled" not in server.log()


async def test_a_start_that_fails_makes_no_account_whose_password_nobody_saw(
    server: Server, tmp_path: Path, models: Path
) -> None:
    elsewhere = tmp_path / "second"
    elsewhere.mkdir()
    second = Server(elsewhere, models)
    second.port = server.port
    assert await second.fails_to_start() == 2
    store = SqliteStore(elsewhere / "switchboard.db")
    assert not await store.find(Query(kind=User, limit=1))
    await store.close()


async def test_a_lookup_that_does_not_answer_hands_off(
    tmp_path: Path, models: Path, http: aiohttp.ClientSession
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    broken = Server(folder, models)
    text = broken.config.read_text(encoding="utf-8")
    assert "{public_url}/demo/orders" in text
    broken.config.write_text(
        text.replace("{public_url}/demo/orders", "http://127.0.0.1:9/demo/orders"), encoding="utf-8"
    )
    await broken.start()
    try:
        visitor = Customer(http, broken)
        await visitor.arrive()
        await visitor.say("Wo ist mein Paket 4711?")
        case = await eventually_waiting(Api(http, broken))
        assert (await Api(http, broken).get(f"cases/{case}"))["reason"] == "lookup_failed"
    finally:
        await broken.stop()


async def test_a_damaged_model_file_says_what_to_do(tmp_path: Path, models: Path) -> None:
    own = tmp_path / "models"
    shutil.copytree(models, own)
    async with serving(tmp_path, own):
        pass
    (file,) = own.glob("*.npz")
    file.write_bytes(file.read_bytes()[:-1000])
    again = Server(tmp_path, own)
    assert await again.fails_to_start() in {1, 2}
    assert "switchboard train" in again.log()
    assert "Traceback" not in again.log()
