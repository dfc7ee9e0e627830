"""Slack is a desk like any other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.ports import Desk
from tests.contracts.desk_contract import DeskContract
from tests.slack import office


class TestSlackDesk(DeskContract):
    @pytest.fixture
    async def desk(self, tmp_path: Path) -> AsyncIterator[Desk]:
        async with office(tmp_path) as made:
            yield made.desk
