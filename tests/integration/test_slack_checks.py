"""What the doctor says about Slack, each line with what to do."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner

from bot.bootstrap.slack import slack_settings
from bot.cli import cli
from bot.config import load
from bot.domain.errors import Misconfigured
from bot.domain.ports import Finding
from bot.domain.routing import Department
from bot.domain.strict import BadShape, convert
from handoff.desks.slack.api import SlackApi
from handoff.desks.slack.checks import Checks
from handoff.desks.slack.settings import SlackSettings
from tests.fakes.slack_api import APP_TOKEN, SIGNING_SECRET, TOKEN
from tests.fakes.slack_api import SlackApi as Fake

CHANNELS = {"default": "C0DEFAULT", "billing": "C0BILLING"}


def settings(**changes: Any) -> SlackSettings:
    known = {"token": TOKEN, "signing_secret": SIGNING_SECRET, "channels": CHANNELS}
    return convert({**known, **changes}, SlackSettings, "desks.slack")


class Bench:
    def __init__(self, slack: Fake, http: aiohttp.ClientSession) -> None:
        self.slack, self.http = slack, http
        self.departments: dict[str, Department] = {}

    async def findings(
        self, public_url: str = "https://chat.nordwind.example", **changes: Any
    ) -> dict[str, Finding]:
        """By name; of several with one name, the worst that came last."""
        known = settings(api_url=self.slack.api_url, **changes)
        api = SlackApi(known.token, known.api_url, self.http)
        checks = Checks(known, api, self.http, departments=self.departments, public_url=public_url)
        return {one.name: one for one in await checks.check()}


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Fake().serving() as slack, aiohttp.ClientSession() as http:
        yield Bench(slack, http)


async def test_what_works_is_said_in_one_line_each(bench: Bench) -> None:
    found = await bench.findings()
    assert {one.status for one in found.values()} == {"ok"}
    assert set(found) == {
        "slack",
        "slack scopes",
        "slack channel C0DEFAULT",
        "slack channel C0BILLING",
        "slack signing secret",
    }
    assert bench.slack.posted() == []


async def test_a_wrong_token_fails_with_what_to_do(bench: Bench) -> None:
    found = await bench.findings(token="xoxb-wrong")
    assert (found["slack"].status, "copy the current one" in found["slack"].detail) == ("fail", True)
    assert "xoxb-wrong" not in repr(found)


@pytest.mark.parametrize(("scope", "status"), [("chat:write", "fail"), ("usergroups:read", "warn")])
async def test_a_missing_scope_says_what_is_lost(bench: Bench, scope: str, status: str) -> None:
    bench.slack.scopes.discard(scope)
    found = (await bench.findings())["slack scopes"]
    assert (found.status, scope in found.detail, bool(found.fix)) == (status, True, True)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("archived", "archived"),
        ("left", "not in it"),
        ("gone", "does not know"),
        ("shared", "another company"),
    ],
)
async def test_a_channel_that_does_not_work_says_why(bench: Bench, trouble: str, words: str) -> None:
    channel = bench.slack.workspace.channels["C0BILLING"]
    if trouble == "archived":
        channel.archived = True
    elif trouble == "left":
        channel.members.clear()
    elif trouble == "gone":
        channel.deleted = True
    else:
        channel.shared = True
    found = (await bench.findings())["slack channel C0BILLING"]
    assert found.status == ("warn" if trouble == "shared" else "fail")
    assert words in found.detail + found.fix
    assert "billing" in found.fix + found.detail or trouble == "left"


async def test_a_departments_own_channel_is_looked_at_too(bench: Bench) -> None:
    bench.departments["press"] = Department(name="press", label={}, desk_channel="C0PRESS")
    found = (await bench.findings())["slack channel C0PRESS"]
    assert (found.status, "press" in found.fix) == ("fail", True)


async def test_agents_who_cannot_speak_are_named(bench: Bench) -> None:
    found = await bench.findings(agents={"U0ADA": {}, "U0GUEST": {}})
    assert (found["slack agents"].status, "U0GUEST" in found["slack agents"].detail) == ("warn", True)
    assert (await bench.findings(agents={"U0ADA": {}}))["slack agents"].status == "ok"


async def test_events_need_an_address_that_slack_reaches(bench: Bench) -> None:
    found = await bench.findings(public_url="http://127.0.0.1:8080")
    assert found["slack events"].status == "fail"


async def test_sockets_need_a_token_of_their_own(bench: Bench) -> None:
    found = await bench.findings(public_url="", app_token=APP_TOKEN, signing_secret="")
    assert found["slack sockets"].status == "ok"
    assert "slack events" not in found
    wrong = await bench.findings(app_token="xapp-wrong")
    assert (wrong["slack sockets"].status, "connections:write" in wrong["slack sockets"].fix) == (
        "fail",
        True,
    )


async def test_a_secret_that_looks_like_none_is_told(bench: Bench) -> None:
    assert (await bench.findings(signing_secret="oops"))["slack signing secret"].status == "warn"


# ── Settings ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"token": "xoxp-1"}, "xoxb-"),
        ({"app_token": "xoxb-1"}, "xapp-"),
        ({"signing_secret": ""}, "desks.slack.signing_secret: it is empty"),
        ({"channels": {"billing": "C0BILLING"}}, "desks.slack.channels.default: it is missing"),
        ({"channels": {"default": "#service"}}, "desks.slack.channels.default: .*C0123"),
        ({"agents": {"ada": {}}}, "desks.slack.agents.ada: .*member id"),
    ],
)
def test_what_cannot_work_stops_the_start(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Misconfigured, match=words) as caught:
        settings(**changes).require()
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"tokn": "x"}, "desks.slack.tokn"),
        ({"token": ""}, "desks.slack.token"),
        ({"agents": "everybody"}, "desks.slack.agents"),
        ({"agents": {"U012": {"role": "boss"}}}, "desks.slack.agents.U012.role"),
        ({"undo_seconds": -1}, "desks.slack.undo_seconds"),
    ],
)
def test_a_wrong_key_is_named_with_its_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(BadShape) as caught:
        settings(**changes)
    assert caught.value.path == place


def test_the_example_in_the_shipped_file_works_once_it_is_uncommented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "s")
    lines = (Path(__file__).parents[2] / "config.yml").read_text(encoding="utf-8").splitlines()
    start = lines.index("  # slack:")
    end = next(index for index in range(start, len(lines)) if not lines[index].startswith("  # "))
    shown = [line.replace("# ", "", 1) for line in lines[start:end]]
    config = tmp_path / "config.yml"
    config.write_text("\n".join([*lines[:start], *shown, *lines[end:]]), encoding="utf-8")
    known = slack_settings(load(config, os.environ))
    assert known is not None
    assert (known.token, set(known.channels), known.by_socket) == ("xoxb-1", {"default", "billing"}, False)


SECTION = "token: xoxb-1, signing_secret: s, channels: {default: C012}"
WRONG = {
    "desks.slack.token: this is no bot token": "desks: {slack: {token: xoxp-1, channels: {default: C012}}}",
    "desks.slack.signing_secret: it is empty": "desks: {slack: {token: xoxb-1, channels: {default: C012}}}",
    "desks.slack.tokn: there is no such key": f"desks: {{slack: {{{SECTION}, tokn: x}}}}",
    "desks.slack.channels.sales: there is no such department": (
        "desks: {slack: {token: xoxb-1, signing_secret: s, channels: {default: C012, sales: C013}}}"
    ),
    "desks.slack.channels.default: this is no channel's id. Slack shows": (
        "desks: {slack: {token: xoxb-1, signing_secret: s, channels: {default: general}}}"
    ),
    "departments.press.desk_channel: this is no channel's id": (
        f"desks: {{slack: {{{SECTION}}}}}\ndepartments: {{press: {{desk_channel: '#press'}}}}"
    ),
    "routing[0].ping: write here, or the id of a user group": (
        f"desks: {{slack: {{{SECTION}}}}}\n"
        "departments: {service: {}}\nrouting: [{when: {}, to: service, ping: '@channel'}]"
    ),
}


@pytest.mark.parametrize("command", [("serve",), ("check", "--offline")], ids=lambda typed: typed[0])
@pytest.mark.parametrize(("sentence", "text"), WRONG.items(), ids=WRONG)
def test_a_wrong_section_stops_the_start_with_the_keys_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], sentence: str, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config.yml"
    answers = Path(__file__).parents[2] / "nlu/data/answers.yml"
    config.write_text(f"nlu: {{answers: {answers}}}\nserver: {{port: 0}}\n{text}\n", encoding="utf-8")
    result = CliRunner().invoke(cli, ["--config", str(config), *command])
    assert result.exit_code == (2 if command == ("serve",) else 1)
    assert f"{config}: {sentence}" in result.output


def test_settings_show_no_secret() -> None:
    shown = repr(settings(app_token=APP_TOKEN))
    assert not any(secret in shown for secret in (TOKEN, APP_TOKEN, SIGNING_SECRET))


def test_a_department_without_a_channel_has_the_default_one() -> None:
    known = settings()
    assert (known.channel("billing"), known.channel("press")) == ("C0BILLING", "C0DEFAULT")
    known.require()
