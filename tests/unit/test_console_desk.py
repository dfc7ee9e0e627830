"""The desk that is always there."""

import pytest

from bot.domain.ports import Desk
from handoff.desks.console import ConsoleDesk
from tests.contracts.desk_contract import SECRET, DeskContract, card, post, texts


@pytest.fixture
def hinted() -> list[str]:
    return []


@pytest.fixture
def console(hinted: list[str]) -> ConsoleDesk:
    async def hint(case: str) -> None:
        hinted.append(case)

    return ConsoleDesk(hint)


class TestConsoleDesk(DeskContract):
    @pytest.fixture
    def desk(self, console: ConsoleDesk) -> Desk:
        return console


async def test_whoever_looks_is_told_which_case_changed(console: ConsoleDesk, hinted: list[str]) -> None:
    for payload in (*console.render(card()), *console.render(post())):
        await console.send(payload)
    assert hinted == ["case1", "case1"]


def test_payloads_hold_ids_and_no_words(console: ConsoleDesk) -> None:
    payloads = (*console.render(card(SECRET)), *console.render(post(SECRET)))
    assert {text for payload in payloads for text in texts(payload)} == {"case1", "m1"}


def test_nothing_is_copied_so_nothing_has_to_follow(console: ConsoleDesk) -> None:
    assert not console.copies
