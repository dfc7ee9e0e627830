"""Every recorded payload of Slack goes in, signed like Slack signs, and what is not meant for us changes nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from tests.fakes.slack_telling import PATHS
from tests.fakes.slack_workspace import File
from tests.slack import ADA, DEFAULT, Office, office

FOLDER = Path(__file__).parents[1] / "payloads" / "slack"
RECORDED = {path.stem: path for path in sorted(FOLDER.glob("*.json")) if not path.name.startswith("socket-")}
KINDS = {"event": "events_api", "interaction": "interactive", "command": "slash_commands"}
AT_SLACK = re.compile(r'https://files\.slack\.com/files-pri/([^/"]+)/(?:download/)?([^"]+)')
ROOT = "1795348790.004200"  # of the thread that the recordings are about
TS = re.compile(r"\b17953488\d\d(?=\.\d{6})")
LAST = 1795348899  # no recording is younger
SPOKEN = {
    "event-message-reply", "event-message-reply-with-markup", "event-message-reply-with-list",
    "event-message-thread-broadcast", "event-message-me", "event-message-file", "event-message-files-several",
    "event-message-file-only", "event-message-voice-clip", "event-app-mention",
}  # fmt: skip


def body_of(here: Office, path: Path, root: str) -> tuple[str, bytes, str]:
    """As Slack posts it, about a thread and files that are there."""
    late = int(here.here.clock().timestamp()) - LAST
    text = path.read_text(encoding="utf-8").replace(ROOT, "ROOT")
    text = TS.sub(lambda ts: str(int(ts[0]) + late), text).replace("ROOT", root)
    text = AT_SLACK.sub(lambda at: f"{here.slack.url}/files-pri/{at[1]}/{at[2]}", text)
    for told in re.finditer(r'"id": "(F0\w+)".*?"size": (\d+)', text, re.DOTALL):
        here.slack.workspace.files[told[1]] = File(id=told[1], name="file", content=b"x" * int(told[2]))
    kind = KINDS[path.name.partition("-")[0]]
    if kind == "events_api":
        return PATHS[kind], text.encode(), "application/json"
    found: dict[str, Any] = json.loads(text)
    form = found if kind == "slash_commands" else {"payload": json.dumps(found)}
    return PATHS[kind], urlencode(form).encode(), "application/x-www-form-urlencoded"


async def put(here: Office, path: Path, root: str, **headers: str) -> tuple[int, str]:
    where, body, content_type = body_of(here, path, root)
    signed = here.slack.signed(body) | {"Content-Type": content_type} | headers
    async with (
        aiohttp.ClientSession() as http,
        http.post(here.slack.app_url + where, data=body, headers=signed) as answer,
    ):
        found = answer.status, await answer.text()
    await here.settle()
    return found


@pytest.mark.parametrize("name", sorted(SPOKEN))
async def test_what_an_agent_says_in_any_form_reaches_the_customer(tmp_path: Path, name: str) -> None:
    async with office(tmp_path) as here:
        await here.claimed()
        here.here.clock.forward(seconds=300)
        before = len(here.here.channel.texts)
        assert (await put(here, RECORDED[name], here.card.ts))[0] == 200
        assert len(here.here.channel.texts) == before + 1


async def test_every_other_recording_is_taken_and_reaches_nobody(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        await here.claimed()
        here.here.clock.forward(seconds=300)
        before = here.here.channel.texts
        for name in sorted(set(RECORDED) - SPOKEN):
            assert (await put(here, RECORDED[name], here.card.ts))[0] == 200, name
            assert here.here.channel.texts == before, name


@pytest.mark.parametrize("name", ["file-external", "file-tombstone", "file-of-another-company"])
async def test_a_file_that_cannot_be_had_is_told_and_nothing_is_sent(tmp_path: Path, name: str) -> None:
    path = RECORDED[f"event-message-{name}"]
    async with office(tmp_path, language="de") as here:
        await here.claimed()
        here.here.clock.forward(seconds=300)
        before = len(here.here.channel.texts)
        await put(here, path, here.card.ts)
        assert here.here.channel.texts[before:] == []
        assert "Datei" in here.whispers(ADA)[-1]


@pytest.mark.parametrize("name", ["event-message-reply", "event-message-changed", "event-app-uninstalled"])
async def test_the_same_again_changes_nothing(tmp_path: Path, name: str) -> None:
    path = RECORDED[name]
    async with office(tmp_path) as here:
        await here.claimed()
        here.here.clock.forward(seconds=300)
        for number in range(3):
            retry = (
                {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": "http_timeout"} if number else {}
            )
            assert (await put(here, path, here.card.ts, **retry))[0] == 200
        told = [text for text in here.here.channel.texts if "unterwegs" in text]
        assert len(told) == (name == "event-message-reply")


async def test_a_mention_of_the_app_is_not_said_twice(tmp_path: Path) -> None:
    """Slack tells it as a message too, under another event_id."""
    mention = RECORDED["event-app-mention"]
    async with office(tmp_path) as here:
        await here.claimed()
        here.here.clock.forward(seconds=300)
        before = len(here.here.channel.texts)
        await put(here, mention, here.card.ts)
        event = json.loads(mention.read_text(encoding="utf-8").replace(ROOT, here.card.ts))["event"]
        await here.slack.event({**event, "type": "message", "channel_type": "channel"})
        await here.settle()
        assert len(here.here.channel.texts) == before + 1


async def test_the_challenge_is_answered(tmp_path: Path) -> None:
    path = RECORDED["event-url-verification"]
    async with office(tmp_path) as here:
        status, body = await put(here, path, "1.0")
        assert (status, "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P" in body) == (200, True)


@pytest.mark.parametrize("path", [*RECORDED.values()][::7], ids=lambda path: path.stem)
async def test_without_slacks_signature_nothing_is_taken(tmp_path: Path, path: Path) -> None:
    async with office(tmp_path) as here:
        here.slack.signing_secret = "somebody else's"
        assert (await put(here, path, "1.0"))[0] == 401


@pytest.mark.parametrize("stamp", ["", "now", "1e9", "-1", "9" * 30])
async def test_a_time_that_is_none_is_a_401(tmp_path: Path, stamp: str) -> None:
    async with office(tmp_path) as here:
        path = RECORDED["interaction-view-submission"]
        assert (await put(here, path, "1.0", **{"X-Slack-Request-Timestamp": stamp}))[0] == 401


async def test_what_is_broken_is_refused_and_breaks_nothing(tmp_path: Path) -> None:
    broken = [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"type":"event_callback"}',
        b"payload=%7B",
        b"\xff",
        b"payload=" + b"[" * 5000,
    ]
    async with office(tmp_path) as here, aiohttp.ClientSession() as http:
        for path in PATHS.values():
            for body in broken:
                url = here.slack.app_url + path
                async with http.post(url, data=body, headers=here.slack.signed(body)) as answer:
                    assert answer.status in {200, 400, 401}, (path, body[:20])
        await here.customer("Still there?")
        assert here.here.channel.texts


async def test_counted_what_nobody_knows(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        for kind in ("event", "interaction"):
            assert (await put(here, RECORDED[f"{kind}-unknown-of-next-year"], "1.0"))[0] == 200
        counted = await here.here.store.counters("unknown:slack")
        assert sorted(counted) == ["unknown:slack:canvas_levitated", "unknown:slack:gesture_action"]


async def test_a_thread_that_is_no_card_is_nobodys(tmp_path: Path) -> None:
    path = RECORDED["event-message-reply"]
    async with office(tmp_path) as here:
        await here.claimed()
        here.here.clock.forward(seconds=300)
        other = await here.slack.says(ADA, "Lunch?", channel=DEFAULT)
        before = len(here.here.channel.texts)
        await put(here, path, other.ts)
        assert len(here.here.channel.texts) == before
