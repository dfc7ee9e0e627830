"""The manifest is one that Slack takes, and asks for what the desk uses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from bot.cli import cli
from handoff.desks.slack.manifest import SHORTCUT, SHORTCUTS, as_json, manifest
from handoff.desks.slack.settings import SlackSettings
from tests.fakes.slack_api import METHODS

URL = "https://chat.nordwind.example/"


def made(**changes: Any) -> dict[str, Any]:
    return manifest(**{"name": "Nordwind", "language": "de", "public_url": URL, **changes})


def urls(found: Any) -> set[str]:
    if isinstance(found, dict):
        return set().union(*(urls(value) for value in found.values()))
    if isinstance(found, list):
        return set().union(*(urls(value) for value in found))
    return {found} if isinstance(found, str) and found.startswith("http") else set()


def test_slack_is_told_the_three_addresses() -> None:
    base = "https://chat.nordwind.example/slack"
    assert urls(made()) == {f"{base}/events", f"{base}/interactions", f"{base}/commands"}
    assert made()["settings"]["socket_mode_enabled"] is False


def test_with_sockets_no_address_is_needed() -> None:
    found = made(public_url="")
    assert urls(found) == set()
    assert found["settings"]["socket_mode_enabled"] is True
    assert found["settings"]["interactivity"]["is_enabled"] is True


@pytest.mark.parametrize("language", ["de", "en", "fr"])
def test_no_word_is_longer_than_slack_takes(language: str) -> None:
    found = made(language=language, name="Nordwind Versand und Handel GmbH & Co. KG")
    features = found["features"]
    assert len(found["display_information"]["name"]) <= 35
    assert len(found["display_information"]["description"]) <= 140
    assert len(features["shortcuts"]) <= 5
    assert all(
        len(one["name"]) <= SHORTCUT and len(one["description"]) <= 150 for one in features["shortcuts"]
    )
    assert features["bot_user"]["display_name"] == "nordwind-versand-und-handel-gmbh---co.-kg"


def test_shortcuts_have_their_callback_ids() -> None:
    assert [one["callback_id"] for one in made()["features"]["shortcuts"]] == list(SHORTCUTS)
    assert made(language="en")["features"]["shortcuts"][0]["name"] == "Claim this case"


def test_what_the_desk_calls_and_hears_is_asked_for() -> None:
    scopes = set(made()["oauth_config"]["scopes"]["bot"])
    called = {
        "chat.postMessage", "chat.update", "chat.delete", "chat.postEphemeral", "reactions.add", "reactions.remove",
        "conversations.history", "conversations.replies", "conversations.info", "users.info", "users.getPresence",
        "usergroups.list", "files.getUploadURLExternal", "files.completeUploadExternal", "files.info",
    }  # fmt: skip
    assert {METHODS[method][0] for method in called} <= scopes
    assert {"groups:history", "groups:read", "commands"} <= scopes


def test_it_is_printed_as_json() -> None:
    assert json.loads(as_json(made())) == made()
    assert "ü" in as_json(made())


@pytest.mark.parametrize(
    ("server", "options", "by_socket"),
    [
        ("{public_url: https://chat.nordwind.example}", (), False),
        ("{public_url: https://chat.nordwind.example}", ("--sockets",), True),
        ("{public_url: http://127.0.0.1:8080}", (), True),
        ("{}", (), True),
    ],
)
def test_the_command_prints_it_for_this_configuration(
    tmp_path: Path, server: str, options: tuple[str, ...], *, by_socket: bool
) -> None:
    config = tmp_path / "config.yml"
    config.write_text(f"brand: {{name: Polarlicht, language: en}}\nserver: {server}\n", encoding="utf-8")
    result = CliRunner().invoke(cli, ["--config", str(config), "slack-manifest", *options])
    found = json.loads(result.stdout)
    assert (result.exit_code, found["settings"]["socket_mode_enabled"]) == (0, by_socket)
    assert (found["display_information"]["name"], bool(urls(found))) == ("Polarlicht", not by_socket)


def test_every_setting_has_its_line_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "slack.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert told == {one.name for one in msgspec.structs.fields(SlackSettings)}
