"""Words both ways: what agents write in Slack's markup is readable at the customer's, and what customers write is
shown in Slack as it stands, without any power over it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.actions import Act
from bot.domain.errors import SendRejected
from bot.domain.journal import Did
from bot.domain.messages import Attachment, AttachmentKind, EventKind
from bot.domain.routing import Department, Rule
from tests.builders import rules
from tests.fakes.channel import FilesChannel
from tests.fakes.slack_workspace import Post
from tests.slack import ADA, BEN, Office, office

HOSTILE = (
    "<!channel>",
    "<!here|here>",
    "<@U0ADA>",
    "<!subteam^S0ONDUTY>",
    "@channel @here @everyone",
    "<https://evil.example|your bank>",
    "https://evil.example/pay",
    "*bold* _italic_ ~gone~ `code` ```block```",
    "> quoted\n- a list\n1. numbered",
    ":tada: :skull:",
    "&lt;!channel&gt; &amp;lt;!channel&amp;gt;",
    "<!date^1392734382^{date}|<!channel>>",
    "\u202e<!channel>\u2066",
    '"}], "blocks": [{"type": "section"',
    "|https://evil.example",
)


@pytest.fixture
def channel() -> FilesChannel:
    return FilesChannel()


@pytest.fixture
async def desk(tmp_path: Path, channel: FilesChannel) -> AsyncIterator[Office]:
    async with office(tmp_path, channel=channel) as made:
        yield made


def rich(*elements: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "rich_text", "block_id": "typed", "elements": list(elements)}]


def section(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text_section", "elements": list(elements)}


def text(words: str, **style: bool) -> dict[str, Any]:
    return {"type": "text", "text": words, **({"style": style} if style else {})}


# ── From agents ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("typed", "blocks", "reads"),
    [
        ("It *ships*", rich(section(text("It "), text("ships", bold=True))), "It ships"),
        ("2 &lt; 3 &amp; 4 &gt; 3", rich(section(text("2 < 3 & 4 > 3"))), "2 < 3 & 4 > 3"),
        (
            "<@U0BEN> looks :tada:",
            rich(
                section({"type": "user", "user_id": BEN}, text(" looks "), {"type": "emoji", "name": "tada"})
            ),
            "@Ben looks 🎉",
        ),
        (
            "<https://shop.example/r|here>",
            rich(section({"type": "link", "url": "https://shop.example/r", "text": "here"})),
            "here (https://shop.example/r)",
        ),
        (
            "<https://shop.example>",
            rich(section({"type": "link", "url": "https://shop.example"})),
            "https://shop.example",
        ),
        (
            "• One\n• Two",
            rich(
                {
                    "type": "rich_text_list",
                    "style": "bullet",
                    "indent": 0,
                    "elements": [section(text("One")), section(text("Two"))],
                }
            ),
            "• One\n• Two",
        ),
        (
            "Use `4711`\n```a = 1\nb = 2```",
            rich(
                section(text("Use "), text("4711", code=True), text("\n")),
                {"type": "rich_text_preformatted", "elements": [text("a = 1\nb = 2")]},
            ),
            "Use 4711\na = 1\nb = 2",
        ),
        ("*not bold* really", rich(section(text("*not bold* really"))), "*not bold* really"),
        ("<@U0BEN> says *hi* :tada: <https://a.example|x>", [], "@Ben says hi 🎉 x (https://a.example)"),
        ("<!subteam^S0ONDUTY> and <#C0BILLING>", [], "@on-duty and #billing"),
        ("<mailto:a@b.example|a@b.example>", [], "a@b.example"),
    ],
)
async def test_what_an_agent_writes_is_readable_at_the_customers(
    desk: Office, channel: FilesChannel, typed: str, blocks: list[dict[str, Any]], reads: str
) -> None:
    await desk.claimed(ADA)
    await desk.say(ADA, typed, blocks=blocks)
    assert channel.texts[-1] == reads


async def test_a_name_that_slack_does_not_tell_is_no_id_at_the_customers(
    desk: Office, channel: FilesChannel
) -> None:
    await desk.claimed(ADA)
    desk.slack.breaks("users.info", error="user_not_found")
    await desk.say(ADA, "<@U0CLEO> looks into it", blocks=[])
    assert channel.texts[-1] == "@… looks into it"


async def test_an_edit_is_read_like_a_message(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    said = await desk.say(ADA, "It ships today")
    before = desk.slack.workspace.message(said)
    said.text, said.edited = "It ships *today* :tada:", desk.slack.workspace.new_ts()
    party = {"type": "emoji", "name": "tada"}
    said.blocks = rich(section(text("It ships "), text("today", bold=True), text(" "), party))
    await desk.slack.event(desk.slack._changed(said, before))
    await desk.settle()
    assert channel.texts[-1] == "It ships today 🎉"


async def test_a_very_long_reply_is_whole(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    await desk.say(ADA, "word " * 2400)
    assert channel.texts[-1].count("word") == 2400


# ── From customers ──────────────────────────────────────────────────────────────────────────────


def parts(found: Any) -> Iterator[dict[str, Any]]:
    if isinstance(found, dict):
        yield found
    for inside in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from parts(inside)


def powers(post: Post) -> list[dict[str, Any]]:
    """Whatever in a message does more than show text and the time."""
    kinds = {"link", "user", "usergroup", "channel", "broadcast", "emoji"}
    return [part for part in parts(post.blocks) if part.get("type") in kinds]


def markup(post: Post) -> str:
    """All that Slack reads as markup."""
    return "\n".join(
        [post.text, *(part["text"] for part in parts(post.blocks) if part.get("type") == "mrkdwn")]
    )


@pytest.mark.parametrize("words", HOSTILE)
async def test_hostile_words_have_no_power_in_card_story_line_or_notification(
    desk: Office, words: str
) -> None:
    await desk.customer(words)
    await desk.handed_off()
    await desk.customer(f"{words} again")
    await desk.click(ADA, "claim")
    assert desk.slack.notified == []
    mine = desk.slack.posted()
    assert [powers(post) for post in mine] == [[]] * len(mine)
    assert not any(re.search(r"<[^<>]*evil|<[!@]", markup(post)) for post in mine)
    assert plain(words) in plain(" ".join(desk.thread()))


def plain(words: str) -> str:
    """What a reader sees of it: without the signs that turn text around or keep markup apart."""
    return re.sub("[\u202e\u2066\u2060\\s]+", "", words)


async def test_hostile_names_of_files_buttons_and_reactions_have_no_power(
    desk: Office, channel: FilesChannel
) -> None:
    await desk.claimed(ADA)
    bad = "<!channel> <https://evil.example|x>.pdf"
    channel.remote["r"] = b"%PDF"
    await desk.customer(
        "Look", attachments=(Attachment(kind=AttachmentKind.DOCUMENT, name=bad, remote="r"),), quote=bad
    )
    await desk.here.fetch()
    await desk.settle()
    line = (await desk.here.transcript())[-1]
    await desk.customer(bad, kind=EventKind.REACTION, refers_to=line.external_id)
    assert desk.slack.notified == []
    assert not any(powers(post) for post in desk.slack.posted())
    assert not any("<!" in markup(post) for post in desk.slack.posted())


async def test_a_reason_a_platform_gave_has_no_power(desk: Office, channel: FilesChannel) -> None:
    await desk.claimed(ADA)
    channel.fails(SendRejected("<!channel> see <https://evil.example|this>"))
    await desk.say(ADA, "It ships today")
    assert desk.slack.notified == []
    assert not any(powers(post) for post in desk.slack.posted())


async def test_what_an_agent_answered_at_the_console_has_no_power_either(desk: Office) -> None:
    await desk.claimed(ADA)
    await desk.here.act(Act.REPLY, agent=(await desk.case()).owner, text="<!channel> read this")
    await desk.here.act(Act.NOTE, text="<@U0BEN> look")
    await desk.settle()
    assert desk.slack.notified == []
    assert "<!channel> read this" in " ".join(desk.thread()).replace("\u2060", "")


async def test_only_our_own_calls_call(tmp_path: Path, channel: FilesChannel) -> None:
    """Whoever is on duty is called, whatever the customer's own words say."""
    known = rules(
        departments={"service": Department(name="service", label={"en": "Service"})},
        routing=(Rule(to="service", ping="S0ONDUTY"),),
    )
    async with office(tmp_path, channel=channel, rules_=known) as desk:
        await desk.handed_off("<!channel>")
        assert desk.slack.notified == []
        await desk.here.takeover.tick(await overdue(desk))
        await desk.settle()
        assert [one.mention for one in desk.slack.notified] == ["!subteam^S0ONDUTY"]


async def overdue(desk: Office) -> Any:
    desk.here.clock.forward(minutes=16)
    return await desk.case()


async def test_a_customers_edits_and_deletions_change_their_line(desk: Office) -> None:
    await desk.claimed(ADA)
    await desk.customer("I live in Ulm")
    line = (await desk.here.transcript())[-1]
    posts = len(desk.slack.posted())
    await desk.customer("I live in Köln", kind=EventKind.EDIT, refers_to=line.external_id)
    assert "I live in Köln" in desk.thread()[-1]
    assert "I live in Ulm" not in " ".join(desk.thread())
    await desk.customer("", kind=EventKind.DELETE, refers_to=line.external_id)
    assert "I live in Köln" not in " ".join(desk.thread())
    assert len(desk.slack.posted()) == posts, "in place"


async def test_no_word_of_a_customer_or_an_agent_is_in_the_journal(desk: Office) -> None:
    await desk.claimed(ADA)
    await desk.say(ADA, "It ships today")
    facts = [fact for kind in (Did.REPLIED, Did.NOTED, Did.SENT) for fact in await desk.here.did(kind)]
    assert facts
    assert "ships" not in " ".join(str(fact.attributes) for fact in facts)


async def test_ten_thousand_characters_and_two_hundred_lines_of_emoji_fit(desk: Office) -> None:
    await desk.claimed(ADA)
    for words in ("x" * 10_000, "🏳️‍🌈👩‍👩‍👧‍👦\n" * 200, "<!channel>" * 900):
        await desk.customer(words)
    assert desk.slack.notified == []
    assert sum("Show the whole text" in line for line in desk.thread()) == 3
    assert not [call for call in desk.slack.calls if call.error]
