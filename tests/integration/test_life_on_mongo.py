"""What the promises say about many at once, on the store for many processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import Raw

from bot.domain.messages import Event, EventState
from bot.domain.ports import Query
from bot.stores.mongo import MongoStore
from tests.builders import inbound
from tests.integration.test_life_of_a_message import (
    test_a_handoff_is_state_word_and_card_in_one_transaction,
    test_a_question_is_answered,
    test_fifty_clicks_on_claim_make_one_owner,
    test_first_messages_at_once_make_one_customer_and_one_case,
    test_the_same_action_twice_is_one_action,
    test_the_same_event_ten_times_at_once_is_one_message_and_one_answer,
    test_two_workers_on_one_lane_answer_once,
)
from tests.world import World, world

__all__ = [
    "test_a_handoff_is_state_word_and_card_in_one_transaction",
    "test_a_question_is_answered",
    "test_fifty_clicks_on_claim_make_one_owner",
    "test_first_messages_at_once_make_one_customer_and_one_case",
    "test_the_same_action_twice_is_one_action",
    "test_the_same_event_ten_times_at_once_is_one_message_and_one_answer",
    "test_two_workers_on_one_lane_answer_once",
]


async def test_thirty_megabytes_that_waited_hold_up_no_lane(here: World) -> None:
    """As much as a customer of the web chat may send at once: no transaction could take it all."""
    text = "wo ist es " * 100_000
    raw = Raw(b'{"text": "' + text.encode() + b'"}')
    await here.receive(*(inbound(text, f"e{number}", raw=raw) for number in range(30)))
    await here.answer()
    pending = Query(kind=Event, equals={"state": EventState.PENDING})
    assert await here.store.count(pending) == 0


@pytest.fixture
async def here(tmp_path: Path, mongo_url: str) -> AsyncIterator[World]:
    store = MongoStore(mongo_url)
    await store.open()
    async with world(tmp_path, store=store) as made:
        yield made
