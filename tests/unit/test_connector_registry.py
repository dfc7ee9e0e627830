"""Every channel that is registered has its page and its recorded payloads."""

import re
from pathlib import Path

import pytest

from connectors import CONNECTORS
from tests.contracts.connector_contract import PAYLOADS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "channels"
HOSTED = {"webchat"}  # its page and its stream are the server's own
WORDS = "texts.py"  # what the console calls things, in two languages


@pytest.mark.parametrize("channel", CONNECTORS)
def test_a_channel_has_its_page_and_its_payloads(channel: str) -> None:
    assert (DOCS / f"{channel}.md").exists()
    assert list((PAYLOADS / channel).glob("*.json"))


@pytest.mark.parametrize("channel", CONNECTORS)
def test_every_setting_of_a_channel_is_on_its_page(channel: str) -> None:
    page = (DOCS / f"{channel}.md").read_text(encoding="utf-8")
    missing = [name for name in CONNECTORS[channel].Settings.__struct_fields__ if f"`{name}`" not in page]
    assert missing == []


@pytest.mark.parametrize("channel", sorted({*CONNECTORS} - HOSTED))
def test_nothing_but_its_connector_knows_a_channel_by_name(channel: str) -> None:
    name = re.compile(rf"[\"']{channel}[\"']")
    code = [path for folder in ("bot", "handoff", "nlu") for path in (ROOT / folder).rglob("*.py")]
    assert [
        path for path in code if path.name != WORDS and name.search(path.read_text(encoding="utf-8"))
    ] == []


def test_payloads_belong_to_registered_channels_or_to_a_desk() -> None:
    folders = {folder.name for folder in PAYLOADS.iterdir() if folder.is_dir()}
    assert folders == {*CONNECTORS, "slack"}
