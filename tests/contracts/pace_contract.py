"""What every pace must do: let a burst pass, and say to the others how long they have to wait."""

import asyncio

import pytest

from bot.domain.ports import Pace, Rate

SLOW = Rate(key="telegram:shop:c1", per_second=0.01)  # so slow that the time a test takes is no matter
SECONDS = 100
NEARLY = 1.0


class PaceContract:
    """Inherit, and give a fresh pace."""

    @pytest.fixture
    def pace(self) -> Pace:
        raise NotImplementedError

    async def test_the_first_goes_at_once_and_the_others_one_after_the_other(self, pace: Pace) -> None:
        waits = [await pace.reserve([SLOW]) for _ in range(3)]
        assert waits == [0, pytest.approx(SECONDS, abs=NEARLY), pytest.approx(2 * SECONDS, abs=NEARLY)]

    async def test_a_burst_passes_at_once(self, pace: Pace) -> None:
        rate = Rate(key="telegram:shop", per_second=0.01, burst=3)
        waits = [await pace.reserve([rate]) for _ in range(4)]
        assert waits == [0, 0, 0, pytest.approx(SECONDS, abs=NEARLY)]

    async def test_asking_counts_nothing(self, pace: Pace) -> None:
        assert [await pace.expected([SLOW]) for _ in range(3)] == [0, 0, 0]
        await pace.reserve([SLOW])
        assert await pace.expected([SLOW]) == pytest.approx(SECONDS, abs=NEARLY)
        assert await pace.expected([SLOW]) == pytest.approx(SECONDS, abs=NEARLY)

    async def test_keys_do_not_share(self, pace: Pace) -> None:
        await pace.reserve([SLOW])
        assert await pace.reserve([Rate(key="telegram:shop:c2", per_second=0.01)]) == 0

    async def test_of_several_rates_the_slowest_counts_and_all_are_used_up(self, pace: Pace) -> None:
        account = Rate(key="telegram:shop", per_second=0.02)
        await pace.reserve([account, SLOW])
        assert await pace.expected([account, SLOW]) == pytest.approx(SECONDS, abs=NEARLY)
        assert await pace.expected([account]) == pytest.approx(SECONDS / 2, abs=NEARLY)

    async def test_a_pause_saves_up_no_more_than_a_burst(self, pace: Pace) -> None:
        quick = Rate(key="telegram:shop", per_second=5, burst=2)
        await pace.reserve([quick])
        await asyncio.sleep(0.7)  # three times as long as one takes
        waits = [await pace.reserve([quick]) for _ in range(3)]
        assert waits == [0, 0, pytest.approx(0.2, abs=0.19)]

    async def test_time_frees_what_was_used(self, pace: Pace) -> None:
        quick = Rate(key="telegram:shop", per_second=20)
        await pace.reserve([quick])
        await asyncio.sleep(0.06)
        assert await pace.expected([quick]) == 0

    async def test_without_a_rate_nobody_waits(self, pace: Pace) -> None:
        assert await pace.reserve([]) == 0
        assert await pace.expected([]) == 0
