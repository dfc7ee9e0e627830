"""The loopback Slack tells what Slack tells: its payloads have the fields of the recorded ones."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.domain.errors import SendDeferred, SendRejected
from bot.domain.ports import Request
from handoff.desks.slack import markup
from handoff.desks.slack.api import SlackApi
from handoff.desks.slack.verify import Verifier
from tests.fakes.slack_api import TOKEN
from tests.fakes.slack_api import SlackApi as Fake
from tests.fakes.slack_people import SIGNING_SECRET
from tests.fakes.slack_workspace import BOT_ID, BOT_USER, File, Post

RECORDED = Path(__file__).parents[1] / "payloads" / "slack"
HERE = "C0DEFAULT"
MODAL = {
    "type": "modal",
    "callback_id": "resolve",
    "title": {"type": "plain_text", "text": "Resolve"},
    "submit": {"type": "plain_text", "text": "Resolve"},
    "notify_on_close": True,
    "blocks": [
        {
            "type": "input",
            "block_id": "outcome",
            "label": {"type": "plain_text", "text": "Outcome"},
            "element": {
                "type": "static_select",
                "action_id": "outcome",
                "options": [{"text": {"type": "plain_text", "text": "Solved"}, "value": "solved"}],
            },
        },
        {
            "type": "input",
            "block_id": "note",
            "optional": True,
            "label": {"type": "plain_text", "text": "Note"},
            "element": {"type": "plain_text_input", "action_id": "note", "max_length": 10},
        },
    ],
}
BUTTON = {
    "type": "actions",
    "block_id": "acts",
    "elements": [
        {
            "type": "button",
            "action_id": "claim",
            "text": {"type": "plain_text", "text": "Claim"},
            "value": "k1",
        }
    ],
}


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
async def slack() -> AsyncIterator[Fake]:
    async with Fake().serving() as running:
        running.hold()
        yield running


@pytest.fixture
async def api(slack: Fake) -> AsyncIterator[SlackApi]:
    async with aiohttp.ClientSession() as http:
        yield SlackApi(TOKEN, slack.api_url, http)


async def card(api: SlackApi, slack: Fake) -> Post:
    ts = await api.post(HERE, text="A case", blocks=[BUTTON])
    return next(one for one in slack.posted() if one.ts == ts)


def told(slack: Fake) -> dict[str, Any]:
    assert slack.held
    return slack.held[-1].payload


# What nobody should build on: it comes with some messages and not with others.
ODD = {
    "app_installed_team_id",
    "context_enterprise_id",
    "emoji",
    "icons",
    "is_locked",
    "source_team",
    "subscribed",
    "updated",
    "user_team",
}


def like(payload: dict[str, Any], name: str, *without: str) -> None:
    """Every field that the recording has is there, except the odd ones and those `without`."""
    missing = set(_missing(recorded(name), payload, ""))
    assert {path for path in missing if path.rpartition(".")[2] not in ODD | set(without)} == set()


def _missing(wanted: Any, found: Any, path: str) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key, value in wanted.items():
            if key in found:
                yield from _missing(value, found[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"


async def test_what_is_said_in_a_thread_is_told_like_slack_tells_it(slack: Fake, api: SlackApi) -> None:
    root = await card(api, slack)
    said = await slack.says("U0ADA", "Hello", thread=root)
    like(told(slack), "event-message-reply")
    await slack.edits(said, "Hello!")
    like(told(slack), "event-message-changed")
    await slack.unfurls(said)
    like(told(slack), "event-message-changed-unfurl")
    await slack.says("U0BEN", "To all", thread=root, broadcast=True)
    like(told(slack), "event-message-thread-broadcast")
    await slack.deletes(said)
    like(told(slack), "event-message-deleted")


async def test_a_card_that_is_deleted_under_its_replies_becomes_a_tombstone(
    slack: Fake, api: SlackApi
) -> None:
    root = await card(api, slack)
    await slack.says("U0ADA", "Hello", thread=root)
    await slack.deletes(root)
    like(told(slack), "event-message-changed-tombstone", "user_id")


@pytest.mark.parametrize(("who", "name"), [("U0OTHERBOT", "bot-other"), ("U0WORKFLOW", "workflow")])
async def test_machines_are_told_as_what_they_are(slack: Fake, api: SlackApi, who: str, name: str) -> None:
    await slack.says(who, "Hello", thread=await card(api, slack))
    like(told(slack), f"event-message-{name}", "user_id", "is_workflow_bot", "block_id")
    assert told(slack)["event"]["bot_id"] not in {"", BOT_ID}


async def test_files_are_told_with_where_they_are(slack: Fake, api: SlackApi) -> None:
    root = await card(api, slack)
    await slack.says(
        "U0ADA", "", thread=root, files=[File(id="F1", name="a.png", mime="image/png", content=b"x")]
    )
    event = told(slack)["event"]
    assert event["subtype"] == "file_share"
    fields = {"id", "name", "mimetype", "size", "mode", "url_private", "url_private_download", "file_access"}
    assert fields <= set(event["files"][0]) & set(recorded("event-message-file")["event"]["files"][0])


HAPPENINGS: list[tuple[Callable[[Fake], Any], str]] = [
    (lambda slack: slack.archives(HERE), "event-channel-archive"),
    (lambda slack: slack.deletes_channel(HERE), "event-channel-deleted"),
    (lambda slack: slack.removes_bot(HERE), "event-member-left-channel"),
    (lambda slack: slack.revokes(), "event-tokens-revoked"),
    (lambda slack: slack.uninstalls(), "event-app-uninstalled"),
    (lambda slack: slack.opens_home("U0ADA"), "event-app-home-opened"),
    (lambda slack: slack.reacts("U0BEN", slack.posted()[0], "eyes"), "event-reaction-added"),
]


@pytest.mark.parametrize(("happens", "name"), HAPPENINGS, ids=[name for _, name in HAPPENINGS])
async def test_what_happens_in_the_workspace_is_told(
    slack: Fake, api: SlackApi, happens: Callable[[Fake], Any], name: str
) -> None:
    await card(api, slack)
    await happens(slack)
    like(told(slack), name)


async def test_whoever_is_deactivated_is_told_with_what_they_are_now(slack: Fake) -> None:
    await slack.deactivates("U0BEN")
    assert told(slack)["event"]["user"]["deleted"] is True
    assert {"id", "team_id", "deleted", "is_bot", "profile"} <= set(told(slack)["event"]["user"])


async def test_presses_and_windows_are_told_like_slack_tells_them(slack: Fake, api: SlackApi) -> None:
    root = await card(api, slack)
    await slack.clicks("U0ADA", root, "claim")
    like(told(slack), "interaction-block-actions-button", "user_id")
    await slack.shortcut("U0ADA", "claim", root)
    like(told(slack), "interaction-message-action", "client_msg_id", "thread_ts", "parent_user_id")
    await slack.shortcut("U0ADA", "mine")
    like(told(slack), "interaction-shortcut")
    await slack.commands("U0ADA", "mine")
    like(told(slack), "command-mine")
    await api.open_view(slack.trigger("U0ADA"), MODAL)
    await slack.submits("U0ADA", {"outcome": "solved"})
    like(told(slack), "interaction-view-submission", "text")
    await slack.closes("U0ADA")
    like(told(slack), "interaction-view-closed")


async def test_slacks_client_submits_only_what_is_filled_in(slack: Fake, api: SlackApi) -> None:
    await api.open_view(slack.trigger("U0ADA"), MODAL)
    for values in ({}, {"outcome": "other"}, {"outcome": "solved", "note": "x" * 11}, {"nothing": "x"}):
        with pytest.raises(AssertionError):
            await slack.submits("U0ADA", values)


# ── How it is told ──────────────────────────────────────────────────────────────────────────────


class App:
    """Something that listens, and may be slow or broken."""

    def __init__(self) -> None:
        self.heard: list[Request] = []
        self.statuses: list[int] = []
        self.answer: dict[str, Any] | None = None

    async def hear(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        self.heard.append(Request(method="POST", path=request.path, query={}, headers=headers, body=body))
        status = self.statuses.pop(0) if self.statuses else 200
        return web.json_response(self.answer, status=status) if self.answer else web.Response(status=status)


@pytest.fixture
async def app(slack: Fake) -> AsyncIterator[App]:
    listening = App()
    application = web.Application()
    application.router.add_post("/{path:.*}", listening.hear)
    async with TestServer(application) as server:
        slack.app_url, slack.held = str(server.make_url("")).rstrip("/"), None
        slack.echoes = False
        yield listening


async def test_everything_is_signed_over_its_bytes(slack: Fake, api: SlackApi, app: App) -> None:
    root = await card(api, slack)
    await slack.says("U0ADA", "Grüße", thread=root)
    await slack.clicks("U0ADA", root, "claim")
    await slack.commands("U0ADA", "mine")
    assert [one.path for one in app.heard] == ["/slack/events", "/slack/interactions", "/slack/commands"]
    for request in app.heard:
        Verifier(SIGNING_SECRET, lambda: datetime.now(UTC))(request)


async def test_an_event_comes_again_until_it_is_taken(slack: Fake, app: App) -> None:
    app.statuses = [503, 500]
    await slack.says("U0ADA", "Hello")
    assert slack.deliveries[-1].statuses == [503, 500, 200]
    assert [one.headers.get("x-slack-retry-num") for one in app.heard] == [None, "1", "2"]
    assert len({one.body for one in app.heard}) == 1


async def test_a_press_does_not_come_again(slack: Fake, api: SlackApi, app: App) -> None:
    root = await card(api, slack)
    app.statuses = [503]
    assert (await slack.clicks("U0ADA", root, "claim")).statuses == [503]


async def test_deliveries_can_be_held_swapped_and_doubled(slack: Fake, app: App) -> None:
    slack.hold()
    await slack.says("U0ADA", "one")
    await slack.says("U0ADA", "two")
    assert app.heard == []
    await slack.release(swapped=True, twice=True)
    texts = [json.loads(one.body)["event"]["text"] for one in app.heard]
    assert texts == ["two", "two", "one", "one"]


async def test_windows_follow_the_answer_to_a_submission(slack: Fake, api: SlackApi, app: App) -> None:
    await api.open_view(slack.trigger("U0ADA"), MODAL)
    app.answer = {"response_action": "errors", "errors": {"outcome": "Choose another one."}}
    await slack.submits("U0ADA", {"outcome": "solved"})
    assert slack.view_of("U0ADA").errors == {"outcome": "Choose another one."}
    app.answer = {"response_action": "push", "view": {**MODAL, "callback_id": "second"}}
    await slack.submits("U0ADA", {"outcome": "solved"})
    assert slack.view_of("U0ADA").body["callback_id"] == "second"
    app.answer = {"response_action": "clear"}
    await slack.submits("U0ADA", {"outcome": "solved"})
    assert slack.open_views["U0ADA"] == []


async def test_the_app_hears_of_its_own_posts(slack: Fake, api: SlackApi, app: App) -> None:
    slack.echoes = True
    root = await card(api, slack)
    await api.update(HERE, root.ts, text="changed")
    await slack.settled()
    events = [json.loads(one.body)["event"] for one in app.heard]
    assert {one.get("subtype") for one in events} == {None, "message_changed"}
    assert all(BOT_USER in {one.get("user"), one.get("message", {}).get("user")} for one in events)


# ── Blocks ──────────────────────────────────────────────────────────────────────────────────────


def text(words: str, kind: str = "plain_text") -> dict[str, Any]:
    return {"type": kind, "text": words}


def button(label: str = "Go", **more: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": "go", "text": text(label), **more}


def acts(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def select(*values: str) -> dict[str, Any]:
    options = [{"text": text("x"), "value": value} for value in values]
    return {"type": "static_select", "action_id": "pick", "options": options}


WRONG: list[list[dict[str, Any]]] = [
    [{"type": "divider"}] * 51,
    [{"type": "section", "text": text("x" * 3001)}],
    [{"type": "section", "text": text("")}],
    [{"type": "section", "fields": [text("x")] * 11}],
    [{"type": "section", "fields": [text("x" * 2001)]}],
    [{"type": "section", "text": text("x"), "colour": "red"}],
    [{"type": "header", "text": text("x" * 151)}],
    [{"type": "header", "text": text("x", "mrkdwn")}],
    [{"type": "context", "elements": [text("x")] * 11}],
    [{"type": "context", "elements": []}],
    [{"type": "marquee"}],
    [acts(*[button(action_id=str(number)) for number in range(26)])],
    [acts(button("x" * 76))],
    [acts(button(value="x" * 2001))],
    [acts(button(style="loud"))],
    [acts(button(), button())],
    [acts(select(*map(str, range(101))))],
    [acts(select("same", "same"))],
    [acts(select("x" * 151))],
    [acts({**select("a"), "initial_option": {"text": text("x"), "value": "b"}})],
    [{"type": "divider", "block_id": "a"}, {"type": "divider", "block_id": "a"}],
    [{"type": "divider", "block_id": "a" * 256}],
    [{"type": "rich_text", "elements": [{"type": "text", "text": "x"}]}],
    [
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": ""}]}],
        }
    ],
]


@pytest.mark.parametrize("blocks", WRONG, ids=range(len(WRONG)))
async def test_blocks_that_slack_would_not_show_are_refused(
    api: SlackApi, blocks: list[dict[str, Any]]
) -> None:
    with pytest.raises(SendRejected, match="cannot show"):
        await api.post(HERE, text="x", blocks=blocks)


RIGHT: list[list[dict[str, Any]]] = [
    [
        {
            "type": "section",
            "text": text("x" * 3000),
            "fields": [text("x")] * 10,
            "accessory": button("x" * 75),
        }
    ],
    [{"type": "header", "text": text("x" * 150)}, *[{"type": "divider"}] * 49],
    [acts(select(*map(str, range(100)))), acts(button(value="x" * 2000, style="danger"))],
    [{"type": "context", "elements": [text("x")] * 10}],
]


@pytest.mark.parametrize("blocks", RIGHT, ids=range(len(RIGHT)))
async def test_blocks_at_their_limits_are_taken(
    api: SlackApi, slack: Fake, blocks: list[dict[str, Any]]
) -> None:
    await api.post(HERE, text="x", blocks=blocks)
    assert len(slack.posted()) == 1


async def test_emoji_count_twice_and_blocks_are_limited_in_all(api: SlackApi) -> None:
    with pytest.raises(SendRejected, match="3001"):
        await api.post(HERE, text="x", blocks=[{"type": "section", "text": text("🙂" * 1501)}])
    with pytest.raises(SendRejected, match="too long"):
        await api.post(HERE, text="x", blocks=[{"type": "section", "text": text("x" * 3000)}] * 5)


async def test_each_method_may_be_called_so_often_a_minute() -> None:
    now = [1000.0]
    async with (
        Fake(per_minute=True, clock=lambda: now[0]).serving() as slack,
        aiohttp.ClientSession() as http,
    ):
        api = SlackApi(TOKEN, slack.api_url, http)
        for _ in range(20):
            await api.groups()
        with pytest.raises(SendDeferred) as caught:
            await api.groups()
        assert caught.value.retry_after == timedelta(seconds=61)
        now[0] += 61
        await api.groups()


@pytest.mark.parametrize(
    "changes",
    [
        {"title": text("x" * 25)},
        {"submit": text("x" * 25)},
        {"private_metadata": "x" * 3001},
        {"callback_id": "x" * 256},
        {"blocks": [{"type": "divider"}] * 101},
        {"type": "poster"},
    ],
)
async def test_windows_that_slack_would_not_show_are_refused(
    api: SlackApi, slack: Fake, changes: dict[str, Any]
) -> None:
    with pytest.raises(SendRejected):
        await api.open_view(slack.trigger("U0ADA"), {**MODAL, **changes})


# ── The recordings ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", sorted(RECORDED.glob("event-message-*.json")), ids=lambda path: path.stem)
def test_every_recorded_message_can_be_read(path: Path) -> None:
    event = json.loads(path.read_text(encoding="utf-8"))["event"]
    for message in (event, event.get("message", {}), event.get("previous_message", {})):
        assert isinstance(markup.words(message, lambda _: ""), str)


def test_recorded_markup_reads_as_it_was_meant() -> None:
    event = recorded("event-message-reply-with-markup")["event"]
    names = {"U0BEN": "Ben"}.get
    wanted = "Wichtig: bitte hier (https://nordwind.example/ruecksendung?nr=4711&s=1) anmelden, @Ben hilft. NW-4711"
    assert markup.words(event, lambda id: names(id, "")) == wanted
    assert markup.plain(event["text"], lambda id: names(id, "")) == wanted
