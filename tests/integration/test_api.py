"""`/api/v1` as other tools use it: shapes, pages, who may, and the same id again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from bot.domain.brand import Brand
from bot.domain.messages import EventKind
from bot.web.app import build
from bot.web.context import Web
from tests.builders import HERE, inbound
from tests.world import World, world

TOKEN = "a-token"
WHO = {"id": "ada", "name": "Ada"}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


class Tool:
    """A program with the token."""

    def __init__(self, client: TestClient[Any, Any]) -> None:
        self._client = client
        self.headers = {"Authorization": f"Bearer {TOKEN}"}
        self._count = 0

    async def get(self, path: str) -> tuple[int, Any]:
        async with self._client.get(f"/api/v1/{path}", headers=self.headers) as answer:
            return answer.status, await answer.json()

    async def act(self, case: str, action: str, **more: Any) -> tuple[int, Any]:
        self._count += 1
        body = {"id": f"a{self._count}", "agent": WHO, "action": action, **more}
        data = BytesIO(msgspec.json.encode(body))
        async with self._client.post(
            f"/api/v1/cases/{case}/actions", data=data, headers=self.headers
        ) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def tool(here: World) -> AsyncIterator[Tool]:
    context = Web(
        brand=Brand(name="Nordwind"),
        departments=here.rules.departments,
        connectors=here.connectors,
        origins={},
        store=here.store,
        broadcast=here.broadcast,
        alarms=here.alarms,
        files=here.files,
        receiving=here.receiving,
        takeover=here.takeover,
        reporting=here.reporting,
        understander=here.engine,
        labels={},
        clock=here.clock,
        new_id=here.new_id,
        secret=b"secret",
        public_url="http://chat.example",
        api_token=TOKEN,
    )
    async with TestClient(TestServer(build(context, {}))) as client:
        yield Tool(client)


async def waiting(here: World) -> str:
    await here.hear(inbound("A person please"))
    return (await here.case()).id


async def test_without_the_token_nothing_is_told(tool: Tool) -> None:
    for wrong in ("", "Bearer", "Bearer another", "Basic a-token", "Bearer \udcff"):
        tool.headers = {"Authorization": wrong}
        status, answer = await tool.get("cases")
        assert (status, answer["error"]["code"]) == (401, "unauthorized")


async def test_a_case_has_what_is_promised(here: World, tool: Tool) -> None:
    _, case = await tool.get(f"cases/{await waiting(here)}")
    promised = {"id", "number", "state", "owner", "department", "intent", "urgency", "channel", "customer"}
    assert promised | {"opened_at", "messages", "journal", "context"} <= set(case)
    assert case["context"]["last_words"] == case["messages"][0]["text"]
    assert (case["state"], case["owner"]) == ("waiting", None)
    assert [line["direction"] for line in case["messages"]] == ["in", "out"]
    assert {"id", "direction", "author", "text", "state", "at"} <= set(case["messages"][0])
    assert "handed_off" in [entry["kind"] for entry in case["journal"]]


async def test_a_message_says_how_its_customer_reacted(here: World, tool: Tool) -> None:
    case = await waiting(here)
    sent = (await here.transcript())[1].external_id
    await here.hear(inbound("👍", "r1", kind=EventKind.REACTION, refers_to=sent))
    _, told = await tool.get(f"cases/{case}")
    assert [line["reaction"] for line in told["messages"]] == [None, "👍"]


async def test_pages_of_cases_show_each_case_once(here: World, tool: Tool) -> None:
    for number in range(7):
        who = msgspec.structs.replace(HERE, user=f"u{number}", chat=f"u{number}")
        await here.hear(inbound("When are you open?", f"e{number}", address=who))
    found: list[int] = []
    after: str | None = ""
    while after is not None:
        _, page = await tool.get(f"cases?limit=3&after={after}")
        found += [case["number"] for case in page["cases"]]
        after = page["next"]
    assert found == sorted(set(found), reverse=True)
    assert len(found) == 7


@pytest.mark.parametrize("query", ["after=abc", "after=-1", f"after={'9' * 30}", "limit=many", "state=odd"])
async def test_a_question_that_makes_no_sense_is_refused(tool: Tool, query: str) -> None:
    status, answer = await tool.get(f"cases?{query}")
    assert (status, answer["error"]["code"]) == (400, "malformed")


async def test_the_same_id_again_changes_nothing(here: World, tool: Tool) -> None:
    case = await waiting(here)
    await tool.act(case, "claim")
    for _ in range(3):
        status, _ = await tool.act(case, "reply", id="click", text="Hello!")
        assert status == 200
    await here.send()
    assert here.channel.texts.count("Hello!") == 1


async def test_who_may_not_and_who_is_late_hear_different_things(here: World, tool: Tool) -> None:
    case = await waiting(here)
    assert (await tool.act(case, "reply", text="Hello!"))[0] == 403
    assert (await tool.act(case, "claim"))[0] == 200
    assert (await tool.act(case, "claim", agent={"id": "ben", "name": "Ben"}))[0] == 409
    assert (await tool.act("nothing", "claim"))[0] == 404


@pytest.mark.parametrize(
    ("action", "more", "status"),
    [
        ("snooze", {"until": "2030-01-01T10:00:00"}, 400),  # whose ten o'clock?
        ("snooze", {"until": "2020-01-01T10:00:00Z"}, 403),
        ("snooze", {"until": "2030-01-01T10:00:00Z"}, 200),
        ("relabel", {"intent": ""}, 403),
        ("relabel", {"intent": "returns", "message": "of another case"}, 404),
        ("relabel", {"intent": "returns"}, 200),
        ("set_urgency", {"level": "huge"}, 403),
        ("set_urgency", {"level": "high"}, 200),
        ("move", {"department": "nowhere"}, 403),
        ("move", {"department": "press"}, 200),
        ("retry", {"message": "unknown"}, 404),
        ("dance", {}, 400),
    ],
)
async def test_what_an_action_may_say(
    here: World, tool: Tool, action: str, more: dict[str, str], status: int
) -> None:
    case = await waiting(here)
    await tool.act(case, "claim")
    assert (await tool.act(case, action, **more))[0] == status


async def test_understanding_works_without_a_case(here: World, tool: Tool) -> None:
    data = BytesIO(b'{"text": "Can I return it?"}')
    async with tool._client.post("/api/v1/understand", data=data, headers=tool.headers) as answer:
        understood = await answer.json()
    assert understood["text"] == "Can I return it?"
    assert understood["intent"]["name"] == "returns"
    assert await here.cases() == []


async def test_nothing_unprocessed_is_null(here: World, tool: Tool) -> None:
    await here.receive(inbound("When are you open?"))
    here.clock.forward(seconds=3)
    assert (await tool.get("stats"))[1]["oldest_unprocessed_seconds"] == 3
    await here.answer()
    _, stats = await tool.get("stats")
    assert (stats["oldest_unprocessed_seconds"], stats["outbox_depth"]) == (None, 1)


async def test_a_wrong_address_and_a_wrong_method_are_told_in_a_sentence(tool: Tool) -> None:
    status, told = await tool.get("nothing")
    assert (status, told["error"]["message"]) == (404, "There is nothing at this address; check its path.")
    status, told = await tool.get("understand")
    assert (status, told["error"]["code"]) == (405, "method_not_allowed")
    assert told["error"]["message"] == "This address does not take GET; it takes POST."
