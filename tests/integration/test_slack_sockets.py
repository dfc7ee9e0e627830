"""Socket Mode: nothing is acknowledged before it was taken, and no connection that ends loses anything."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from bot.domain.errors import StoreUnavailable
from handoff.desks.slack.api import SlackApi
from handoff.desks.slack.sockets import Sockets
from tests.fakes.slack_api import APP_TOKEN, TOKEN
from tests.fakes.slack_api import SlackApi as Fake


class Bench:
    """What the desk would do with an envelope, and when."""

    def __init__(self, slack: Fake, http: aiohttp.ClientSession) -> None:
        self.slack, self.http = slack, http
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.answer: dict[str, Any] | None = None
        self.store_is_away = 0
        self.bugs = 0
        self.stored_at = 0.0
        self.pauses: list[float] = []

    async def take(self, kind: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        if self.store_is_away:
            self.store_is_away -= 1
            raise StoreUnavailable("away")
        if self.bugs:
            self.bugs -= 1
            raise ZeroDivisionError
        await asyncio.sleep(0.02)
        self.taken.append((kind, payload))
        self.stored_at = asyncio.get_running_loop().time()
        return self.answer

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def sockets(self, connections: int = 1, token: str = APP_TOKEN) -> Sockets:
        api = SlackApi(token, self.slack.api_url, self.http)
        return Sockets(api, self.http, self.take, connections=connections, ping=0.05, sleep=self.pause)

    def texts(self) -> list[str]:
        return [payload["event"]["text"] for kind, payload in self.taken if kind == "events_api"]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Fake().serving() as slack, aiohttp.ClientSession() as http:
        slack.ack_seconds = 1.0
        yield Bench(slack, http)


@pytest.fixture
async def one(bench: Bench) -> AsyncIterator[Bench]:
    """With one connection that stands."""
    sockets = bench.sockets()
    await sockets.start()
    await until(lambda: bool(bench.slack.sockets))
    yield bench
    await sockets.stop()


async def test_an_envelope_is_acknowledged_after_it_was_taken(one: Bench) -> None:
    await one.slack.says("U0ADA", "hello")
    assert one.texts() == ["hello"]
    assert one.slack.acks[0].at >= one.stored_at


async def test_what_could_not_be_stored_comes_again(one: Bench) -> None:
    one.store_is_away = 1
    await one.slack.says("U0ADA", "hello")
    assert one.texts() == ["hello"]
    assert one.slack.deliveries[-1].statuses == [0, 200]


async def test_what_breaks_on_one_envelope_does_not_stop_the_next(one: Bench) -> None:
    one.bugs = 1
    await one.slack.says("U0ADA", "first")
    await one.slack.says("U0ADA", "second")
    assert one.texts() == ["first", "second"]
    assert [done.statuses for done in one.slack.deliveries] == [[0, 200], [200]]


async def test_an_answer_goes_with_the_acknowledgement(one: Bench) -> None:
    one.answer = {"response_action": "clear"}
    done = await one.slack.shortcut("U0ADA", "case")
    assert (done.kind, done.answer) == ("interactive", {"response_action": "clear"})
    assert one.taken[0][1]["callback_id"] == "case"


async def test_commands_come_over_the_socket_too(one: Bench) -> None:
    one.answer = {"text": "None."}
    await one.slack.commands("U0ADA", "mine")
    assert one.taken[0][0] == "slash_commands"
    assert one.slack.ephemerals[0].text == "None."


async def test_being_told_to_reconnect_loses_nothing(one: Bench) -> None:
    old = one.slack.sockets[0]
    await one.slack.disconnects(old)
    await until(lambda: bool(one.slack.sockets) and old not in one.slack.sockets)
    await one.slack.says("U0ADA", "after")
    assert one.texts()[-1] == "after"


@pytest.mark.parametrize("reason", ["too_many_websockets", "link_disabled"])
async def test_a_connection_that_is_not_wanted_is_not_opened_at_once_again(one: Bench, reason: str) -> None:
    old = one.slack.sockets[0]
    await one.slack.disconnects(old, reason)
    await until(lambda: bool(one.slack.sockets) and old not in one.slack.sockets)
    assert one.pauses == [30.0]


async def test_a_connection_that_just_ends_is_opened_again(one: Bench) -> None:
    old = one.slack.sockets[0]
    await one.slack.cuts(old)
    await until(lambda: bool(one.slack.sockets) and old not in one.slack.sockets)
    await one.slack.says("U0ADA", "after")
    assert "after" in one.texts()


async def test_with_two_connections_one_may_end_at_any_time(bench: Bench) -> None:
    sockets = bench.sockets(connections=2)
    await sockets.start()
    await until(lambda: len(bench.slack.sockets) == 2)
    assert await sockets.connected() == 2
    bench.slack.refuse_sockets = True
    await bench.slack.cuts(bench.slack.sockets[0])
    for number in range(4):
        await bench.slack.says("U0ADA", str(number))
    assert sorted(set(bench.texts())) == ["0", "1", "2", "3"]
    await sockets.stop()


async def test_slack_that_is_away_at_the_start_is_tried_on(bench: Bench) -> None:
    bench.slack.breaks("apps.connections.open", times=3, status=503)
    sockets = bench.sockets()
    await sockets.start()
    await until(lambda: bool(bench.slack.sockets))
    assert bench.pauses == [1.0, 2.0, 4.0]
    await sockets.stop()


async def test_an_address_that_is_refused_is_not_tried_again(bench: Bench) -> None:
    bench.slack.refuse_sockets = True
    sockets = bench.sockets()
    await sockets.start()
    await until(lambda: len(bench.slack.called("apps.connections.open")) > 2)
    bench.slack.refuse_sockets = False
    await until(lambda: bool(bench.slack.sockets))
    await sockets.stop()


async def test_a_wrong_token_is_tried_seldom_and_stopping_does_not_wait(bench: Bench) -> None:
    sockets = bench.sockets(token=TOKEN)
    await sockets.start()
    await until(lambda: len(bench.pauses) > 2)
    assert set(bench.pauses) == {30.0}
    async with asyncio.timeout(2):
        await sockets.stop()


async def test_stopping_lets_what_is_under_way_end(bench: Bench) -> None:
    sockets = bench.sockets()
    await sockets.start()
    await until(lambda: bool(bench.slack.sockets))
    telling = asyncio.create_task(bench.slack.says("U0ADA", "last"))
    await until(lambda: bool(bench.slack.deliveries))
    await asyncio.sleep(0.01)
    await sockets.stop()
    await telling
    assert [ack.payload for ack in bench.slack.acks] == [None]


async def test_no_word_of_an_envelope_is_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    bench.store_is_away = 1
    sockets = bench.sockets()
    await sockets.start()
    await until(lambda: bool(bench.slack.sockets))
    await bench.slack.says("U0ADA", "a customer's words")
    await sockets.stop()
    said = caplog.text + "".join(capsys.readouterr())
    assert "customer's words" not in said
    assert APP_TOKEN not in said
