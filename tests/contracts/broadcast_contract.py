"""What every broadcast must do: reach whoever listens now, and wait for nobody."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.domain.ports import Broadcast

LONG = 5.0  # seconds; a test that waits this long has failed
MOMENT = 0.02


class BroadcastContract:
    """Inherit, and give a fresh broadcast that keeps `kept` hints per subscriber."""

    kept = 10

    @pytest.fixture
    def broadcast(self) -> Broadcast:
        raise NotImplementedError

    async def test_every_listener_hears_everything_in_order(self, broadcast: Broadcast) -> None:
        async with broadcast.subscribe("cases") as one, broadcast.subscribe("cases") as two:
            for n in range(3):
                await broadcast.publish("cases", f"{n}".encode())
            assert [await hint(one) for _ in range(3)] == [b"0", b"1", b"2"]
            assert [await hint(two) for _ in range(3)] == [b"0", b"1", b"2"]

    async def test_a_topic_is_heard_by_its_own_listeners(self, broadcast: Broadcast) -> None:
        async with (
            broadcast.subscribe("webchat:site:c1") as one,
            broadcast.subscribe("webchat:site:c2") as two,
        ):
            await broadcast.publish("webchat:site:c1", b"for one")
            assert await hint(one) == b"for one"
            await assert_silence(two)

    async def test_a_listener_hears_from_the_moment_it_listens(self, broadcast: Broadcast) -> None:
        await broadcast.publish("cases", b"before")
        async with broadcast.subscribe("cases") as hints:
            await broadcast.publish("cases", b"after")
            assert await hint(hints) == b"after"
            await assert_silence(hints)

    async def test_a_listener_that_waits_is_called(self, broadcast: Broadcast) -> None:
        async with broadcast.subscribe("cases") as hints:
            waiting = asyncio.create_task(hint(hints))
            await asyncio.sleep(0)
            await broadcast.publish("cases", b"now")
            assert await waiting == b"now"

    async def test_a_listener_may_stop_waiting_and_listen_on(self, broadcast: Broadcast) -> None:
        async with broadcast.subscribe("cases") as hints:
            await assert_silence(hints)
            await broadcast.publish("cases", b"later")
            assert await hint(hints) == b"later"

    async def test_a_slow_listener_loses_the_oldest_and_holds_up_nobody(self, broadcast: Broadcast) -> None:
        async with broadcast.subscribe("cases") as slow, asyncio.timeout(LONG):
            for n in range(self.kept * 3):
                await broadcast.publish("cases", f"{n}".encode())
            heard = await everything(slow)
        assert heard[-1] == f"{self.kept * 3 - 1}".encode()
        assert len(heard) <= self.kept
        assert heard == sorted(heard, key=int)

    async def test_any_bytes_arrive(self, broadcast: Broadcast) -> None:
        odd = bytes(range(256)) * 100
        async with broadcast.subscribe("a topic: with\nodd*[characters]é") as hints:
            await broadcast.publish("a topic: with\nodd*[characters]é", odd)
            assert await hint(hints) == odd

    async def test_whoever_left_is_forgotten(self, broadcast: Broadcast) -> None:
        async with broadcast.subscribe("cases") as stays:
            async with broadcast.subscribe("cases"):
                pass
            await broadcast.publish("cases", b"still here")
            assert await hint(stays) == b"still here"


async def hint(hints: AsyncIterator[bytes]) -> bytes:
    async with asyncio.timeout(LONG):
        return await anext(hints)


async def everything(hints: AsyncIterator[bytes]) -> list[bytes]:
    """What comes until a moment passes in silence."""
    heard = []
    while True:
        try:
            async with asyncio.timeout(MOMENT):
                heard.append(await anext(hints))
        except TimeoutError:
            return heard


async def assert_silence(hints: AsyncIterator[bytes]) -> None:
    assert await everything(hints) == []
