"""Every channel that is registered has its page and its recorded payloads."""

from pathlib import Path

import pytest

from connectors import CONNECTORS
from tests.contracts.connector_contract import PAYLOADS

DOCS = Path(__file__).parents[2] / "docs" / "channels"


@pytest.mark.parametrize("channel", CONNECTORS)
def test_a_channel_has_its_page_and_its_payloads(channel: str) -> None:
    assert (DOCS / f"{channel}.md").exists()
    assert list((PAYLOADS / channel).glob("*.json"))


@pytest.mark.parametrize("channel", CONNECTORS)
def test_every_setting_of_a_channel_is_on_its_page(channel: str) -> None:
    page = (DOCS / f"{channel}.md").read_text(encoding="utf-8")
    missing = [name for name in CONNECTORS[channel].Settings.__struct_fields__ if f"`{name}`" not in page]
    assert missing == []


def test_payloads_belong_to_registered_channels() -> None:
    assert {folder.name for folder in PAYLOADS.iterdir() if folder.is_dir()} == set(CONNECTORS)
