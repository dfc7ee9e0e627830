"""The card of a handoff, as agents see it in their channel through the whole life of a case."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.actions import Act
from bot.domain.cases import CaseState
from bot.domain.messages import Address
from bot.domain.ports import Capabilities
from bot.domain.understanding import Entity, Level, Sentiment, Urgency
from tests.builders import ADA as AT_THE_CONSOLE
from tests.builders import HERE, inbound, order_number, understanding
from tests.contracts.desk_contract import HOSTILE
from tests.fakes.channel import FilesChannel
from tests.fakes.slack_blocks import elements
from tests.fakes.slack_workspace import Post
from tests.slack import ADA, BEN, BILLING, DEFAULT, Office, office

LEGAL = understanding(
    "parcel",
    0.93,
    urgency=Urgency(level=Level.HIGH, score=0.8, reasons=('legal: "my lawyer"', "about: parcel")),
    sentiment=Sentiment(label="negative"),
    entities=(order_number("4711"),),
    wants_person=True,
)


@pytest.fixture
def channel() -> FilesChannel:
    return FilesChannel()


@pytest.fixture
async def desk(tmp_path: Path, channel: FilesChannel) -> AsyncIterator[Office]:
    async with office(tmp_path, channel=channel) as made:
        made.here.knows("My lawyer asks for parcel 4711, a person please", LEGAL)
        yield made


def buttons(post: Post) -> list[str]:
    return [element["action_id"] for _, element in elements(post.blocks) if element["type"] == "button"]


def words(desk: Office, card: Post | None = None) -> str:
    return " ".join(desk.slack.words(card or desk.card).split())


# ── What it says ────────────────────────────────────────────────────────────────────────────────


async def test_it_says_who_what_why_how_urgent_and_what_is_known(desk: Office) -> None:
    await desk.customer("Where is my parcel?")
    await desk.customer("4711")
    await desk.customer("My lawyer asks for parcel 4711, a person please")
    case, told = await desk.case(), words(desk)
    for part in (
        f"#{case.number}", f"Customer {case.pseudonym}", "parcel?", "Test", "shop", "English",
        "93% sure", "Asked for a person", "High", "legal steps: “my lawyer”", "upset",
        "Which order number?", "is on its way", "Order number 4711", "no consent: pseudonym",
        "Waiting since", "promised by", "Service",
    ):  # fmt: skip
        assert part in told, part
    assert told.index("Asked for a person") < told.index("My lawyer asks") < told.index("They gave")


async def test_the_first_lines_are_who_why_and_the_last_words(desk: Office) -> None:
    await desk.customer("My lawyer asks for parcel 4711, a person please")
    header, why, *_ = desk.card.blocks
    assert header["type"] == "header"
    assert header["text"]["text"].startswith("#")
    section, quote = why["elements"]
    assert "Asked for a person" in str(section)
    assert "My lawyer asks for parcel 4711" in str(quote)
    assert len(buttons(desk.card)) <= 5


async def test_it_tells_the_last_cases_with_their_outcome_and_who_had_this_one_before(desk: Office) -> None:
    await desk.claimed(ADA)
    first = (await desk.case()).number
    await desk.here.act(Act.RESOLVE, outcome="not_possible")
    await desk.later(days=8)
    await desk.customer("A person please")
    await desk.click(ADA, "claim")
    await desk.click(ADA, "release")
    assert f"Earlier cases: #{first}" in words(desk)
    assert "(Not possible)" in words(desk)
    assert "Before with Ada" in words(desk)


async def test_it_says_until_when_the_channel_takes_a_reply(desk: Office, channel: FilesChannel) -> None:
    channel.capabilities = Capabilities(window=timedelta(hours=24))
    await desk.handed_off()
    assert "Reply possible until" in words(desk)
    until = (await desk.case()).customer_at + timedelta(hours=24)
    assert f"'timestamp': {int(until.timestamp())}" in str(desk.card.blocks)


async def test_the_deadline_follows_the_customers_next_message(desk: Office, channel: FilesChannel) -> None:
    channel.capabilities = Capabilities(window=timedelta(hours=24))
    await desk.claimed()
    await desk.later(hours=3)
    await desk.customer("Hello?")
    until = (await desk.case()).customer_at + timedelta(hours=24)
    assert f"'timestamp': {int(until.timestamp())}" in str(desk.card.blocks)


async def test_it_says_since_when_they_wait_and_how_long_that_is(desk: Office) -> None:
    await desk.handed_off()
    since = (await desk.case()).waiting_since
    assert since is not None
    shown = {"timestamp": int(since.timestamp()), "format": "{date_short_pretty}, {time} ({ago})"}
    assert str(shown)[1:-1] in str(desk.card.blocks)


async def test_in_public_it_warns(desk: Office) -> None:
    public = Address(channel="test", account="shop", user="u1", chat="u1", public=True)
    await desk.customer("A person please", address=public)
    assert "Public: others can read it" in words(desk)


async def test_it_links_to_the_whole_case(desk: Office) -> None:
    await desk.handed_off()
    case = await desk.case()
    assert f"https://desk.nordwind.example/console/cases/{case.id}" in str(desk.card.blocks)


# ── Through the life of a case ──────────────────────────────────────────────────────────────────


async def test_one_card_is_updated_in_place_through_the_whole_life(desk: Office) -> None:
    card = await desk.handed_off()
    seen = []
    for user, action, values in (
        (ADA, "claim", None),
        (ADA, "release", None),
        (BEN, "claim", None),
        (BEN, "snooze", {"preset": "hour"}),
    ):
        await desk.click(user, action)
        if values:
            await desk.submit(user, **values)
        seen.append(words(desk, card))
    await desk.customer("Hello again")
    seen.append(words(desk, card))
    await desk.click(BEN, "resolve")
    await desk.submit(BEN, outcome="solved")
    seen.append(words(desk, card))
    claimed, released, by_ben, snoozed, woken, resolved = seen
    assert "Ada has this case" in claimed
    assert "has this case" not in released
    assert "Ben has this case" in by_ben
    assert "Snoozed until" in snoozed
    assert "Ben has this case" in woken
    assert "Resolved: Solved" in resolved
    assert desk.slack.cards() == [card]
    assert buttons(card) == []


@pytest.mark.parametrize(
    ("clicks", "wanted"),
    [
        ((), ["claim", "move", "resolve", "more"]),
        (("claim",), ["release", "resolve", "snooze", "canned", "more"]),
    ],
)
async def test_the_buttons_are_those_that_fit_now(
    desk: Office, clicks: tuple[str, ...], wanted: list[str]
) -> None:
    await desk.handed_off()
    for action in clicks:
        await desk.click(ADA, action)
    assert buttons(desk.card) == wanted


async def test_what_is_done_at_the_console_is_on_the_card_too(desk: Office) -> None:
    card = await desk.handed_off()
    await desk.here.act(Act.CLAIM)
    await desk.settle()
    assert f"{AT_THE_CONSOLE.name} has this case" in words(desk, card)
    await desk.here.act(Act.SET_URGENCY, level="critical")
    await desk.settle()
    assert "Critical" in words(desk, card)
    await desk.here.act(Act.RELABEL, intent="returns")
    await desk.settle()
    assert "returns?" in words(desk, card)


async def test_the_customers_newest_words_are_on_the_card(desk: Office) -> None:
    card = await desk.handed_off()
    await desk.customer("Is anybody there?")
    assert "Is anybody there?" in words(desk, card)


async def test_returned_to_the_bot_and_handed_off_again_there_is_a_second_card(desk: Office) -> None:
    first = await desk.claimed()
    await desk.click(ADA, "more")
    await desk.slack.clicks_in_view(ADA, "return_to_bot")
    await desk.settle()
    await desk.submit(ADA)
    assert "The bot leads the conversation" in words(desk, first)
    await desk.later(minutes=1)
    await desk.customer("A person please")
    second = desk.card
    assert second is not first
    assert "goes on elsewhere" in words(desk, first)
    assert buttons(first) == []
    assert len(desk.slack.cards()) == 2


async def test_a_customer_who_comes_back_brings_a_new_card_and_the_old_one_leads_to_it(desk: Office) -> None:
    first = await desk.claimed()
    await desk.click(ADA, "resolve")
    await desk.submit(ADA)
    await desk.later(hours=1)
    await desk.customer("A person please")
    assert (await desk.case()).state is CaseState.WAITING
    assert desk.card is not first
    assert "goes on elsewhere" in words(desk, first)
    assert desk.card.ts.replace(".", "") in str(first.blocks)


async def test_a_case_that_moves_has_its_card_in_the_other_channel_and_the_old_one_says_where(
    desk: Office,
) -> None:
    old = await desk.handed_off("Can I return it?")
    await desk.click(ADA, "move")
    await desk.submit(ADA, department="press")
    new = desk.card
    assert (old.channel, new.channel) == (DEFAULT, BILLING)
    assert "Press" in words(desk, new)
    assert f"/archives/{BILLING}/p{new.ts.replace('.', '')}" in str(old.blocks)
    assert buttons(old) == []
    assert "A person please" in " ".join(desk.thread(new))
    await desk.customer("Hello?")
    assert "Hello?" in " ".join(desk.thread(new))
    assert "Hello?" not in " ".join(desk.thread(old))


async def test_what_is_said_under_the_card_that_was_left_counts_for_its_case(desk: Office) -> None:
    old = await desk.claimed()
    await desk.here.act(Act.MOVE, department="press")
    await desk.settle()
    await desk.slack.says(ADA, "She has called, too", thread=old)
    await desk.settle()
    assert "She has called, too" in " ".join(desk.thread())


# ── Whatever the customer wrote ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_whatever_they_write_there_is_a_card_a_story_and_a_line_and_nobody_is_called(
    desk: Office, text: str
) -> None:
    hostile = understanding("parcel", entities=(Entity(entity="order_number", value=text, start=0, end=1),))
    desk.here.knows(text, hostile)
    if text:
        await desk.customer(text)
    await desk.customer("A person please")
    if text:
        await desk.customer(text)
    assert len(desk.slack.cards()) == 1
    assert [call for call in desk.slack.calls if call.error] == []
    assert [one.reason for one in await desk.here.rows() if one.state == "failed"] == []
    shown = [post for post in desk.slack.posted() if not post.deleted]
    assert all("<!" not in post.text and "<@" not in post.text for post in shown)
    marked = [part for post in shown for part in _marked(post.blocks)]
    assert all("<!" not in part and "<@" not in part for part in marked)


def _marked(blocks: object) -> list[str]:
    """The texts in which Slack reads markup."""
    if isinstance(blocks, list):
        return [found for one in blocks for found in _marked(one)]
    if not isinstance(blocks, dict):
        return []
    if blocks.get("type") == "mrkdwn":
        return [str(blocks["text"])]
    return [found for one in blocks.values() for found in _marked(one)]


async def test_a_very_long_message_is_told_in_short_with_a_link_to_all_of_it(desk: Office) -> None:
    await desk.handed_off()
    await desk.customer("word " * 2000)
    line = next(post for post in desk.slack.thread(desk.card) if "word word" in desk.slack.words(post))
    assert "Show the whole text" in desk.slack.words(line)
    assert "/texts/" in str(line.blocks)
    assert len(words(desk)) < 2000


# ── The thread ──────────────────────────────────────────────────────────────────────────────────


async def test_the_story_is_told_under_the_card_in_order(desk: Office) -> None:
    await desk.customer("Where is my parcel?")
    await desk.customer("4711")
    await desk.customer("A person please")
    told = " ".join(desk.thread())
    order = [
        told.index(part) for part in ("Where is my parcel?", "Which order", "on its way", "A person please")
    ]
    assert order == sorted(order)


async def test_a_long_story_is_capped_and_links_to_all_of_it(desk: Office) -> None:
    await desk.here.receive(*[inbound(f"This is branch {number}.", f"e{number}") for number in range(45)])
    await desk.handed_off()
    told = " ".join(desk.thread())
    assert "branch 44." in told
    assert "branch 3." not in told
    assert "The whole story (" in told
    assert f"/console/cases/{(await desk.case()).id}" in str([p.blocks for p in desk.slack.thread(desk.card)])
    assert len(desk.thread()) <= 4


async def test_another_customer_has_a_card_of_their_own(desk: Office) -> None:
    first = await desk.handed_off()
    other = Address(channel="test", account="shop", user="u2", chat="u2")
    await desk.customer("A person please", address=other)
    assert len(desk.slack.cards()) == 2
    assert HERE.user != other.user
    await desk.click(ADA, "claim", first)
    assert "Ada has this case" in words(desk, first)
    assert "Ada has this case" not in words(desk, desk.card)
