"""Console accounts from the command line: as strict about names as the console, and true about where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import bootstrap, config
from bot.bootstrap.at_work import alone
from bot.config import Settings
from bot.domain.errors import MalformedPayload

PASSWORD = "a long password"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "config.yml"
    file.write_text(
        f"store: sqlite:///{tmp_path}/switchboard.db\nfiles: {tmp_path}/files\n", encoding="utf-8"
    )
    return config.load(file, {})


@pytest.mark.parametrize("name", ["", " ", "ada ", "a\nb", "x" * 41, "bot", "Customer", "SYSTEM"])
async def test_a_name_the_console_would_refuse_gets_no_account(settings: Settings, name: str) -> None:
    with pytest.raises(MalformedPayload, match="A name has 1 to 40 visible characters"):
        await bootstrap.add_user(settings, name, "agent", PASSWORD)
    assert await bootstrap.list_users(settings) == []


async def test_who_is_added_hears_the_address_of_the_server_that_is_at_work(
    settings: Settings, tmp_path: Path
) -> None:
    assert await bootstrap.add_user(settings, "ada", "agent", PASSWORD) == "http://127.0.0.1:8080"
    with alone(tmp_path / "switchboard.db") as tell:
        tell("127.0.0.1", 9177, 4711)
        assert await bootstrap.add_user(settings, "ben", "agent", PASSWORD) == "http://127.0.0.1:9177"


async def test_who_removes_the_only_admin_is_told_that_none_is_left(settings: Settings) -> None:
    for name in ("ada", "ben"):
        await bootstrap.add_user(settings, name, "admin", PASSWORD)
    assert (await bootstrap.remove_user(settings, "ada")).admins == 1
    assert (await bootstrap.remove_user(settings, "ben")).admins == 0
