"""Slack's Web API as the desk talks to it, against a Slack that enforces what the real one enforces."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from bot.domain.errors import (
    Misconfigured,
    RecipientUnreachable,
    SendDeferred,
    SendError,
    SendInDoubt,
    SendRejected,
)
from handoff.desks.slack.api import Rejected, SlackApi, permalink
from tests.fakes.slack_api import TOKEN
from tests.fakes.slack_api import SlackApi as Fake
from tests.fakes.slack_workspace import BOT_ID, BOT_USER, TEAM, File, Post

HERE = "C0DEFAULT"
Act = Callable[[SlackApi], Awaitable[Any]]


@pytest.fixture
async def slack() -> AsyncIterator[Fake]:
    async with Fake().serving() as running:
        yield running


@pytest.fixture
async def api(slack: Fake) -> AsyncIterator[SlackApi]:
    async with aiohttp.ClientSession() as http:
        yield SlackApi(TOKEN, slack.api_url, http)


async def card(api: SlackApi, slack: Fake) -> Post:
    ts = await api.post(HERE, text="A case", metadata={"event_type": "case", "event_payload": {"id": "k1"}})
    found = slack.workspace.post(HERE, ts)
    assert found is not None
    return found


# ── Posts ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_post_is_there_and_can_be_found_by_its_metadata(api: SlackApi, slack: Fake) -> None:
    root = await card(api, slack)
    await api.post(
        HERE, text="below", thread_ts=root.ts, metadata={"event_type": "line", "event_payload": {}}
    )
    (above,) = await api.history(HERE)
    (below,) = await api.replies(HERE, root.ts)
    assert above["metadata"] == {"event_type": "case", "event_payload": {"id": "k1"}}
    assert (below["metadata"]["event_type"], below["thread_ts"]) == ("line", root.ts)


async def test_a_post_is_quiet(api: SlackApi, slack: Fake) -> None:
    await card(api, slack)
    (call,) = slack.called("chat.postMessage")
    quiet = {"unfurl_links": "false", "unfurl_media": "false", "parse": "none", "link_names": "false"}
    assert quiet.items() <= call.data.items()


async def test_what_was_posted_can_be_changed_and_taken_back(api: SlackApi, slack: Fake) -> None:
    root = await card(api, slack)
    await api.update(HERE, root.ts, text="A case, claimed")
    assert (root.text, root.calls) == ("A case, claimed", 2)
    await api.delete(HERE, root.ts)
    await api.delete(HERE, root.ts)  # once more is no trouble
    assert slack.posted() == []


async def test_a_hint_is_for_one_persons_eyes(api: SlackApi, slack: Fake) -> None:
    await api.ephemeral(HERE, "U0ADA", text="Claim it to speak.")
    assert [(one.user, one.text) for one in slack.ephemerals] == [("U0ADA", "Claim it to speak.")]
    assert slack.posted() == []


async def test_reacting_twice_is_reacting_once(api: SlackApi, slack: Fake) -> None:
    root = await card(api, slack)
    await api.react(HERE, root.ts, "eyes")
    await api.react(HERE, root.ts, "eyes")
    assert slack.reactions(root) == {"eyes"}
    await api.unreact(HERE, root.ts, "eyes")
    await api.unreact(HERE, root.ts, "eyes")
    assert slack.reactions(root) == set()


async def test_a_long_thread_is_read_to_its_end(api: SlackApi, slack: Fake) -> None:
    root = await card(api, slack)
    for number in range(430):
        await slack.says("U0ADA", f"line {number}", thread=root)
    found = await api.replies(HERE, root.ts)
    assert [one["text"] for one in found] == [f"line {number}" for number in range(430)]
    assert [one["text"] for one in await api.replies(HERE, root.ts, oldest=found[427]["ts"])] == [
        "line 428",
        "line 429",
    ]


# ── People, channels, views ─────────────────────────────────────────────────────────────────────


async def test_a_token_tells_whose_it_is_and_what_it_may(api: SlackApi, slack: Fake) -> None:
    me = await api.me()
    assert (me.team, me.user, me.bot) == (TEAM, BOT_USER, BOT_ID)
    assert me.scopes == slack.scopes


async def test_people_groups_and_channels_are_known(api: SlackApi, slack: Fake) -> None:
    slack.workspace.people["U0BEN"].presence = "away"
    assert (await api.user("U0ADA"))["profile"]["display_name"] == "Ada"
    assert await api.presence("U0BEN") == "away"
    assert await api.groups() == {"S0ONDUTY": "on-duty"}
    assert (await api.channel(HERE))["is_member"] is True


MODAL = {
    "type": "modal",
    "callback_id": "resolve",
    "title": {"type": "plain_text", "text": "Resolve"},
    "blocks": [{"type": "section", "text": {"type": "plain_text", "text": "How did it end?"}}],
}


async def test_a_trigger_opens_one_modal_within_three_seconds(slack: Fake, api: SlackApi) -> None:
    trigger = slack.trigger("U0ADA")
    id = await api.open_view(trigger, MODAL)
    assert slack.view_of("U0ADA").id == id
    with pytest.raises(SendRejected, match="once more"):
        await api.open_view(trigger, MODAL)


async def test_a_late_trigger_is_refused_in_words(slack: Fake, api: SlackApi) -> None:
    trigger = slack.trigger("U0ADA")
    user, at, used = slack.triggers[trigger]
    slack.triggers[trigger] = (user, at - 4, used)
    with pytest.raises(SendRejected, match="too long"):
        await api.open_view(trigger, MODAL)


async def test_a_modal_is_changed_only_as_it_was_seen(slack: Fake, api: SlackApi) -> None:
    id = await api.open_view(slack.trigger("U0ADA"), MODAL)
    seen = slack.view_of("U0ADA").hash
    await api.update_view(id, MODAL, hash=seen)
    with pytest.raises(SendRejected, match="faster"):
        await api.update_view(id, MODAL, hash=seen)


async def test_modals_stack_and_a_home_is_published(slack: Fake, api: SlackApi) -> None:
    await api.open_view(slack.trigger("U0ADA"), MODAL)
    await api.push_view(slack.trigger("U0ADA"), MODAL)
    await api.publish_home("U0ADA", {"type": "home", "blocks": MODAL["blocks"]})
    assert (len(slack.open_views["U0ADA"]), slack.homes["U0ADA"].body["type"]) == (2, "home")


# ── Files ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_file_takes_three_steps_into_the_thread(api: SlackApi, slack: Fake) -> None:
    root = await card(api, slack)
    upload = await api.upload_url("Rechnung.pdf", 7)
    await api.upload(upload, b"%PDF-1.")
    await api.share(upload.file, "Rechnung.pdf", HERE, root.ts)
    (reply,) = slack.thread(root)
    assert [(one.title, one.content) for one in reply.files] == [("Rechnung.pdf", b"%PDF-1.")]


def url_of(slack: Fake, file: File) -> str:
    slack.workspace.files[file.id] = file
    return str(slack.workspace.file(file)["url_private_download"])


async def test_a_file_is_downloaded_with_the_token(api: SlackApi, slack: Fake) -> None:
    url = url_of(slack, File(id="F1", name="a.png", mime="image/png", content=b"picture"))
    assert await api.download(url, 100) == (b"picture", "image/png")


async def test_a_page_to_log_in_is_no_file(api: SlackApi, slack: Fake) -> None:
    slack.scopes.discard("files:read")
    url = url_of(slack, File(id="F1", name="a.png", mime="image/png", content=b"picture"))
    with pytest.raises(Misconfigured, match="files:read"):
        await api.download(url, 100)


async def test_a_page_that_an_agent_attached_is_a_file(api: SlackApi, slack: Fake) -> None:
    url = url_of(slack, File(id="F1", name="a.html", mime="text/html", content=b"<html>mine</html>"))
    assert (await api.download(url, 100))[0] == b"<html>mine</html>"


async def test_a_file_that_is_too_large_is_not_read_to_its_end(api: SlackApi, slack: Fake) -> None:
    url = url_of(slack, File(id="F1", name="a.bin", content=b"x" * 5000))
    with pytest.raises(SendRejected, match="larger than"):
        await api.download(url, 4000)


@pytest.mark.parametrize(
    "url", ["https://evil.example/x", "http://files.slack.com/x", "https://notslack.com/x", ""]
)
async def test_the_token_goes_to_nobody_else(api: SlackApi, url: str) -> None:
    with pytest.raises(SendRejected, match="not kept at Slack"):
        await api.download(url, 100)


# ── What failures mean ──────────────────────────────────────────────────────────────────────────


async def post(api: SlackApi) -> None:
    await api.post(HERE, text="Hello")


async def update(api: SlackApi) -> None:
    await api.update(HERE, "1.000001", text="Hello")


MEANINGS: list[tuple[dict[str, Any], Act, type[SendError]]] = [
    ({"retry_after": 7}, post, SendDeferred),
    ({"status": 500}, post, SendDeferred),
    ({"status": 503}, post, SendDeferred),
    ({"status": 403}, post, SendDeferred),  # a proxy's page is no word of Slack's
    ({"status": 504}, post, SendInDoubt),
    ({"status": 504}, update, SendDeferred),
    ({"status": 413}, post, Rejected),
    ({"error": "service_unavailable"}, post, SendDeferred),
    ({"error": "internal_error"}, post, SendInDoubt),
    ({"error": "fatal_error"}, post, SendInDoubt),
    ({"error": "internal_error"}, update, SendDeferred),
    ({"error": "token_revoked"}, post, Misconfigured),
    ({"error": "account_inactive"}, post, Misconfigured),
    ({"error": "org_login_required"}, post, Misconfigured),
    ({"error": "channel_not_found"}, post, RecipientUnreachable),
    ({"error": "not_in_channel"}, post, RecipientUnreachable),
    ({"error": "is_archived"}, update, RecipientUnreachable),
    ({"error": "msg_too_long"}, post, Rejected),
    ({"error": "cant_update_message"}, update, Rejected),
    ({"error": "something_of_next_year"}, post, Rejected),
    ({"lose": True}, post, SendInDoubt),
    ({"drop": True}, post, SendInDoubt),
    ({"drop": True}, update, SendDeferred),
    ({"body": b""}, post, SendInDoubt),
    ({"body": b"<html>"}, post, SendInDoubt),
    ({"body": b"[]"}, post, SendInDoubt),
    ({"body": b'{"ok": true}'}, post, SendInDoubt),
    ({"body": b'{"ok": "yes"}'}, post, SendInDoubt),
    ({"body": b'{"ok": false}'}, post, Rejected),
    ({"body": b"x" * 100}, update, SendDeferred),
]


@pytest.mark.parametrize(("trouble", "act", "meaning"), MEANINGS, ids=range(len(MEANINGS)))
async def test_every_failure_has_its_meaning(
    slack: Fake, api: SlackApi, trouble: dict[str, Any], act: Act, meaning: type[SendError]
) -> None:
    slack.breaks("*", **trouble)
    with pytest.raises(SendError) as caught:
        await act(api)
    assert type(caught.value) is meaning
    assert TOKEN not in f"{caught.value!r} {caught.value.reason}"
    assert "<html>" not in caught.value.reason
    assert caught.value.__cause__ is None


async def test_a_429_says_how_long(slack: Fake, api: SlackApi) -> None:
    slack.breaks("chat.postMessage", retry_after=7)
    with pytest.raises(SendDeferred) as caught:
        await post(api)
    assert caught.value.retry_after == timedelta(seconds=7)


async def test_what_was_lost_can_be_found(slack: Fake, api: SlackApi) -> None:
    slack.breaks("chat.postMessage", lose=True)
    with pytest.raises(SendInDoubt):
        await card(api, slack)
    assert [one["metadata"]["event_payload"] for one in await api.history(HERE)] == [{"id": "k1"}]


async def test_an_answer_that_does_not_come_leaves_us_in_doubt(
    slack: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handoff.desks.slack.transport.CONNECT", 0.2)
    monkeypatch.setattr("handoff.desks.slack.transport.Client.__init__.__defaults__", (0.1,))
    slack.breaks("chat.postMessage", hang=1)
    async with aiohttp.ClientSession() as http:
        with pytest.raises(SendInDoubt):
            await post(SlackApi(TOKEN, slack.api_url, http))


async def test_what_never_got_there_is_not_in_doubt() -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(SendDeferred):
            await post(SlackApi(TOKEN, "http://127.0.0.1:9/api/", http))


async def test_a_wrong_token_and_a_missing_scope_say_what_to_do(slack: Fake, api: SlackApi) -> None:
    slack.scopes.discard("reactions:write")
    with pytest.raises(Misconfigured, match="reactions:write"):
        await api.react(HERE, "1.0", "eyes")
    async with aiohttp.ClientSession() as http:
        with pytest.raises(Misconfigured, match="copy the current one"):
            await post(SlackApi("xoxb-wrong", slack.api_url, http))


async def test_a_proxy_in_the_environment_is_not_used(slack: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with aiohttp.ClientSession() as http:
        await post(SlackApi(TOKEN, slack.api_url, http))
    assert len(slack.posted()) == 1


async def test_blocks_that_cannot_be_shown_name_rule_and_place(slack: Fake, api: SlackApi) -> None:
    long = {"type": "section", "text": {"type": "mrkdwn", "text": "geheim" * 600}}
    with pytest.raises(SendRejected, match=r"3001 characters.*/blocks/0/text/text") as caught:
        await api.post(HERE, text="x", blocks=[long])
    assert "geheim" not in caught.value.reason


async def test_the_token_is_nowhere_to_be_read(
    slack: Fake, api: SlackApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for trouble in ({"status": 500}, {"error": "fatal_error"}, {"lose": True}, {"body": b"<"}):
        slack.breaks("chat.postMessage", **trouble)
    for _ in range(5):
        with contextlib.suppress(SendError):
            await api.post(HERE, text="a customer's words")
    assert TOKEN not in caplog.text + repr(api)
    assert "customer's words" not in caplog.text


def test_a_permalink_is_made_by_hand() -> None:
    url = "https://nordwind.slack.com/"
    assert (
        permalink(url, "C1", "1355517523.000008")
        == "https://nordwind.slack.com/archives/C1/p1355517523000008"
    )
    assert permalink(url, "C1", "2.5", "1.4").endswith("/p25?thread_ts=1.4&cid=C1")


async def test_an_answer_to_a_click_is_taken_five_times(slack: Fake, api: SlackApi) -> None:
    url = slack._response("U0ADA", HERE)
    for _ in range(5):
        await api.respond(url, {"text": "Done."})
    with pytest.raises(SendRejected):
        await api.respond(url, {"text": "Done."})
    assert len(slack.ephemerals) == 5


# ── What the stand-in itself keeps to ───────────────────────────────────────────────────────────


async def test_a_second_is_kept_between_messages_of_a_channel() -> None:
    now = [1000.0]
    async with Fake(per_channel=1, clock=lambda: now[0]).serving() as slack, aiohttp.ClientSession() as http:
        api = SlackApi(TOKEN, slack.api_url, http)
        for _ in range(3):
            await post(api)
        with pytest.raises(SendDeferred) as caught:
            await post(api)
        assert caught.value.retry_after == timedelta(seconds=1)
        await api.post("C0BILLING", text="elsewhere")
        now[0] += 1
        await post(api)


async def test_an_hour_of_outage_ends() -> None:
    now = [1000.0]
    async with Fake(clock=lambda: now[0]).serving() as slack, aiohttp.ClientSession() as http:
        api = SlackApi(TOKEN, slack.api_url, http)
        slack.outage(3600)
        with pytest.raises(SendDeferred):
            await post(api)
        now[0] += 3601
        await post(api)
        assert len(slack.posted()) == 1


async def test_whoever_is_mentioned_is_told_of_it(slack: Fake, api: SlackApi) -> None:
    mrkdwn = {"type": "section", "text": {"type": "mrkdwn", "text": "@here"}}
    plain = {"type": "section", "text": {"type": "plain_text", "text": "<!here> @here"}}
    await api.post(HERE, text="<!channel> &lt;!here&gt; <@U0ADA>", blocks=[mrkdwn, plain])
    assert [one.mention for one in slack.notified] == ["!channel", "@U0ADA", "@here"]


async def test_a_root_with_replies_leaves_a_tombstone(slack: Fake, api: SlackApi) -> None:
    root = await card(api, slack)
    await slack.says("U0ADA", "a reply", thread=root)
    await api.delete(HERE, root.ts)
    assert root.subtype == "tombstone"
    with pytest.raises(SendRejected):
        await api.post(HERE, text="below", thread_ts=root.ts)


async def test_hundred_posts_at_once_have_their_own_ts(slack: Fake, api: SlackApi) -> None:
    found = await asyncio.gather(*(api.post(HERE, text=str(n)) for n in range(100)))
    assert len(set(found)) == 100
