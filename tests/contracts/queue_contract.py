"""What every queue must do: hints that are never lost while it lives, and leases that end."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest

from bot.domain.ports import Held, Queue, Work

SOON = timedelta(milliseconds=30)
LONG = 5.0  # seconds; a test that waits this long has failed
MOMENT = 0.02  # long enough for a key that was wrongly handed out to show


class QueueContract:
    """Inherit, and give a fresh queue whose leases last `ttl`."""

    ttl = timedelta(milliseconds=200)

    @pytest.fixture
    def queue(self) -> Queue:
        raise NotImplementedError

    async def test_a_key_that_was_woken_is_handed_out(self, queue: Queue) -> None:
        await queue.wake(Work.LANE, "k1")
        held = await take(queue)
        assert (held.work, held.key) == (Work.LANE, "k1")

    async def test_whoever_waits_gets_the_next_key(self, queue: Queue) -> None:
        waiting = asyncio.create_task(take(queue))
        await asyncio.sleep(0)
        await queue.wake(Work.LANE, "k1")
        assert (await waiting).key == "k1"

    async def test_lanes_and_sends_are_apart(self, queue: Queue) -> None:
        await queue.wake(Work.LANE, "same")
        await queue.wake(Work.SEND, "same")
        assert (await take(queue, Work.SEND)).work is Work.SEND
        assert (await take(queue)).work is Work.LANE
        await assert_nothing(queue)

    async def test_keys_come_in_the_order_of_waking(self, queue: Queue) -> None:
        for key in "abc":
            await queue.wake(Work.LANE, key)
        assert [(await take(queue)).key for _ in range(3)] == ["a", "b", "c"]

    async def test_urgent_keys_come_first(self, queue: Queue) -> None:
        for key in "abc":
            await queue.wake(Work.LANE, key, urgent=key == "c")
        assert [(await take(queue)).key for _ in range(3)] == ["c", "a", "b"]

    async def test_a_key_may_become_urgent_and_stays_it(self, queue: Queue) -> None:
        for key, urgent in (("a", False), ("b", False), ("b", True), ("b", False)):
            await queue.wake(Work.LANE, key, urgent=urgent)
        assert [(await take(queue)).key for _ in range(2)] == ["b", "a"]
        await assert_nothing(queue)

    async def test_waking_twice_is_waking_once(self, queue: Queue) -> None:
        await queue.wake(Work.LANE, "k1")
        await queue.wake(Work.LANE, "k1")
        await queue.done(await take(queue))
        await assert_nothing(queue)

    async def test_a_held_key_is_nobody_elses(self, queue: Queue) -> None:
        await queue.wake(Work.LANE, "k1")
        held = await take(queue)
        await queue.wake(Work.LANE, "k1")
        await queue.extend(held)
        await assert_nothing(queue)

    async def test_what_is_woken_while_held_comes_again_after_done(self, queue: Queue) -> None:
        await queue.wake(Work.LANE, "k1")
        held = await take(queue)
        await queue.wake(Work.LANE, "k1")
        await queue.wake(Work.LANE, "k1")
        await queue.done(held)
        await queue.done(again := await take(queue))
        assert (again.key, again.token != held.token) == ("k1", True)
        await assert_nothing(queue)

    async def test_what_is_woken_urgently_while_held_comes_first(self, queue: Queue) -> None:
        await queue.wake(Work.LANE, "a")
        held = await take(queue)
        await queue.wake(Work.LANE, "b")
        await queue.wake(Work.LANE, "a", urgent=True)
        await queue.done(held)
        assert [(await take(queue)).key for _ in range(2)] == ["a", "b"]

    async def test_a_delayed_key_waits(self, queue: Queue) -> None:
        started = asyncio.get_running_loop().time()
        await queue.wake(Work.SEND, "k1", delay=SOON)
        await queue.wake(Work.SEND, "k2")
        assert [(await take(queue, Work.SEND)).key for _ in range(2)] == ["k2", "k1"]
        assert asyncio.get_running_loop().time() - started >= SOON.total_seconds() * 0.9

    async def test_of_two_delays_the_earlier_counts(self, queue: Queue) -> None:
        await queue.wake(Work.SEND, "k1", delay=timedelta(hours=1))
        await queue.wake(Work.SEND, "k1", delay=SOON)
        await queue.wake(Work.SEND, "k1", delay=timedelta(hours=1))
        assert (await take(queue, Work.SEND)).key == "k1"

    async def test_a_delay_does_not_hold_back_a_wake_at_once(self, queue: Queue) -> None:
        await queue.wake(Work.SEND, "k1", delay=timedelta(hours=1))
        await queue.wake(Work.SEND, "k1")
        assert (await take(queue, Work.SEND)).key == "k1"

    async def test_a_delay_in_the_past_is_now(self, queue: Queue) -> None:
        await queue.wake(Work.SEND, "k1", delay=timedelta(seconds=-5))
        assert (await take(queue, Work.SEND)).key == "k1"

    async def test_a_delay_that_ends_while_the_key_is_held_comes_after_done(self, queue: Queue) -> None:
        await queue.wake(Work.LANE, "k1")
        held = await take(queue)
        await queue.wake(Work.LANE, "k1", delay=timedelta(milliseconds=5))
        await assert_nothing(queue)
        await queue.done(held)
        assert (await take(queue)).key == "k1"

    async def test_a_lease_that_runs_out_is_handed_out_again(self, queue: Queue) -> None:
        await queue.wake(Work.LANE, "k1")
        lost = await take(queue)
        held = await take(queue)
        assert (held.key, held.token != lost.token) == ("k1", True)
        assert await queue.extend(lost) is False
        assert await queue.extend(held) is True

    async def test_a_late_done_does_not_disturb_the_new_holder(self, queue: Queue) -> None:
        await queue.wake(Work.LANE, "k1")
        lost = await take(queue)
        held = await take(queue)
        await queue.done(lost)
        await queue.wake(Work.LANE, "k1")
        await assert_nothing(queue)
        assert await queue.extend(held) is True

    async def test_an_extended_lease_lasts(self, queue: Queue) -> None:
        await queue.wake(Work.LANE, "k1")
        held = await take(queue)
        for _ in range(6):
            await asyncio.sleep(self.ttl.total_seconds() / 4)
            assert await queue.extend(held) is True
        await assert_nothing(queue)

    async def test_a_lease_ends_with_done(self, queue: Queue) -> None:
        await queue.wake(Work.LANE, "k1")
        held = await take(queue)
        await queue.done(held)
        await queue.done(held)
        assert await queue.extend(held) is False
        await asyncio.sleep(self.ttl.total_seconds() * 1.5)
        await assert_nothing(queue)

    async def test_giving_up_waiting_loses_no_key(self, queue: Queue) -> None:
        for _ in range(5):
            impatient = asyncio.create_task(take(queue))
            await asyncio.sleep(0)
            await queue.wake(Work.LANE, "k1")
            impatient.cancel()
            await asyncio.gather(impatient, return_exceptions=True)
        assert (await take(queue)).key == "k1"

    async def test_many_takers_share_many_keys(self, queue: Queue) -> None:
        takers = [asyncio.create_task(take(queue)) for _ in range(100)]
        await asyncio.gather(*(queue.wake(Work.LANE, f"k{n}") for n in range(100)))
        assert {held.key for held in await asyncio.gather(*takers)} == {f"k{n}" for n in range(100)}

    async def test_one_key_is_never_in_two_hands(self, queue: Queue) -> None:
        spans: list[str] = []

        async def work() -> None:
            while len(spans) < 100:
                held = await queue.take(Work.LANE)
                spans.append("take")
                await asyncio.sleep(0)
                await queue.wake(Work.LANE, "k1")
                spans.append("done")
                await queue.done(held)

        workers = [asyncio.create_task(work()) for _ in range(10)]
        await queue.wake(Work.LANE, "k1")
        await asyncio.wait(workers, timeout=LONG, return_when=asyncio.FIRST_COMPLETED)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        assert len(spans) >= 100
        assert all(before != after for before, after in pairwise(spans))

    async def test_thousands_of_keys_are_no_burden(self, queue: Queue) -> None:
        await asyncio.gather(*(queue.wake(Work.LANE, f"k{n}") for n in range(5000)))
        await asyncio.gather(*(queue.wake(Work.LANE, f"k{n}") for n in range(5000)))
        for _ in range(5000):
            await queue.done(await take(queue))
        await assert_nothing(queue)


async def take(queue: Queue, work: Work = Work.LANE) -> Held:
    async with asyncio.timeout(LONG):
        return await queue.take(work)


async def assert_nothing(queue: Queue, work: Work = Work.LANE) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(MOMENT):
            await queue.take(work)
