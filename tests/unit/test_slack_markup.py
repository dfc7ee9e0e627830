"""Slack's markup and plain text, in both directions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoff.desks.slack import emoji
from handoff.desks.slack.markup import escape, named, plain, unescape, words
from tests.fakes.slack_blocks import mentions

KNOWN = {"U0ADA": "Ada", "C0DEFAULT": "service", "S0ONDUTY": "on-duty"}
UNMARKED = st.text(st.characters(exclude_characters="`*_~:\ufdd0\ufdd1", codec="utf-8"))


def names(id: str) -> str:
    return KNOWN.get(id, "")


# ── To Slack ────────────────────────────────────────────────────────────────────────────────────


@given(st.text())
def test_what_is_escaped_mentions_nobody_and_comes_back_as_it_was(text: str) -> None:
    written = escape(text)
    assert mentions(written, [], parsed=False) == []
    assert not set(written) & {"<", ">"}
    assert unescape(written) == text


@given(UNMARKED)
def test_what_a_customer_wrote_reads_the_same_after_both_ways(text: str) -> None:
    assert plain(escape(text), names) == text


@given(st.text(st.sampled_from("<>|@#!&;*_~`: \nU0ADAsubteam^http://+1")))
def test_no_text_breaks_the_reading(text: str) -> None:
    plain(text, names)
    words({"text": text, "blocks": [{"type": "rich_text", "elements": text}]}, names)


# ── From Slack: text ────────────────────────────────────────────────────────────────────────────

READ = [
    ("Tom &amp; Jerry &lt;3", "Tom & Jerry <3"),
    ("&amp;lt; stays", "&lt; stays"),
    ("<@U0ADA> please", "@Ada please"),
    ("<@U0NEW|nora> please", "@nora please"),
    ("<@U0NEW> please", "@… please"),
    ("see <#C0DEFAULT|service>", "see #service"),
    ("see <#C0DEFAULT>", "see #service"),
    ("see <#C0SECRET|>", "see #…"),
    ("<!here> look", "@here look"),
    ("<!channel|@channel> look", "@channel look"),
    ("<!subteam^S0ONDUTY> look", "@on-duty look"),
    ("<!subteam^S0NEW|@billing> look", "@billing look"),
    ("until <!date^1795348800^{date_short}|22 Nov 2026>", "until 22 Nov 2026"),
    ("<https://nordwind.example/a?b=1&amp;c=2>", "https://nordwind.example/a?b=1&c=2"),
    ("<https://nordwind.example|our shop>", "our shop (https://nordwind.example)"),
    ("<http://nordwind.example|nordwind.example>", "http://nordwind.example"),
    ("<mailto:hi@nordwind.example|hi@nordwind.example>", "hi@nordwind.example"),
    ("<mailto:hi@nordwind.example|write to us>", "write to us (hi@nordwind.example)"),
    ("<tel:+4930123|+4930123>", "+4930123"),
    ("that is *important*, _really_ ~not~", "that is important, really not"),
    ("*bold with <https://a.example/x_y_z|a link>*", "bold with a link (https://a.example/x_y_z)"),
    ("2*3*4 and snake_case_name and ~/bin/x~y", "2*3*4 and snake_case_name and ~/bin/x~y"),
    ("* one\n* two", "* one\n* two"),
    ("take `*this*` or `:wave:`", "take *this* or :wave:"),
    ("```\nif a &lt; b:\n  _x_\n```", "if a < b:\n  _x_"),
    ("&gt; quoted", "> quoted"),
    ("hi :wave: :+1::skin-tone-3: :flag-de:", "hi 👋 👍🏼 🇩🇪"),
    (":nordwind-logo: at 12:30:45", ":nordwind-logo: at 12:30:45"),
    ("<not closed", "<not closed"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "read"), READ)
def test_markup_is_read(text: str, read: str) -> None:
    assert plain(text, names) == read


def test_a_message_full_of_marks_is_read_in_no_time() -> None:
    for mark in ("*", "_a", "`", "```", "<", "<@", "~ ", ":a", "&amp;"):
        plain(mark * 20_000, names)


# ── From Slack: rich text ───────────────────────────────────────────────────────────────────────


def section(*parts: dict[str, Any], kind: str = "rich_text_section") -> dict[str, Any]:
    return {"type": kind, "elements": list(parts)}


def text(words_: str, **style: bool) -> dict[str, Any]:
    return {"type": "text", "text": words_, "style": style} if style else {"type": "text", "text": words_}


def message(*groups: dict[str, Any], lossy: str = "lossy") -> dict[str, Any]:
    return {"text": lossy, "blocks": [{"type": "rich_text", "block_id": "x", "elements": list(groups)}]}


def test_what_was_typed_is_taken_as_it_was_typed() -> None:
    assert words(message(section(text("5 *stars* & <b>"))), names) == "5 *stars* & <b>"


@given(st.text().filter(lambda typed: not typed.endswith("\n")))
def test_typed_text_arrives_as_it_is(typed: str) -> None:
    assert words(message(section(text(typed))), names) == typed


def test_every_element_is_read() -> None:
    parts = (
        text("Hi "),
        {"type": "user", "user_id": "U0ADA"},
        text(" in "),
        {"type": "channel", "channel_id": "C0DEFAULT"},
        text(" and "),
        {"type": "usergroup", "usergroup_id": "S0ONDUTY"},
        text(" "),
        {"type": "broadcast", "range": "here"},
        text(" "),
        {"type": "link", "url": "https://nordwind.example", "text": "shop"},
        text(" "),
        {"type": "emoji", "name": "+1", "unicode": "1f44d-1f3fd", "skin_tone": 4},
        {"type": "emoji", "name": "wave", "skin_tone": 2},
        {"type": "emoji", "name": "nordwind-logo"},
        text(" "),
        {"type": "date", "timestamp": 1, "format": "{date}", "fallback": "today"},
        {"type": "color", "value": "#aabbcc"},
        {"type": "of_next_year", "text": "!"},
    )
    read = "Hi @Ada in #service and @on-duty @here shop (https://nordwind.example) 👍🏽👋🏻:nordwind-logo: today#aabbcc!"
    assert words(message(section(*parts)), names) == read


def test_lists_quotes_and_code_keep_their_shape() -> None:
    inner = {**section(section(text("deep")), kind="rich_text_list"), "style": "bullet", "indent": 1}
    steps = {**section(section(text("one")), section(text("two")), kind="rich_text_list"), "style": "ordered"}
    found = words(
        message(
            section(text("Please:\n")),
            steps,
            inner,
            section(text("a\nb"), kind="rich_text_quote"),
            section(text("x = *1*"), kind="rich_text_preformatted"),
        ),
        names,
    )
    assert found == "Please:\n1. one\n2. two\n  • deep\n> a\n> b\nx = *1*"


def test_a_list_goes_on_where_it_stopped() -> None:
    more = {**section(section(text("c")), kind="rich_text_list"), "style": "ordered", "offset": 2}
    assert words(message(more), names) == "3. c"


def test_other_blocks_leave_it_to_the_text() -> None:
    assert words({"text": "*hi*", "blocks": [{"type": "section"}]}, names) == "hi"
    assert words({"text": "hi"}, names) == "hi"
    assert words({"text": None, "blocks": 7}, names) == ""


def test_who_is_named_can_be_looked_up_before() -> None:
    rich = section({"type": "user", "user_id": "U0ADA"}, {"type": "usergroup", "usergroup_id": "S0ONDUTY"})
    assert named(message(rich, lossy="<@U0ADA> <#C0DEFAULT|x> <@U0BEN|ben>")) == {
        "U0ADA",
        "S0ONDUTY",
        "C0DEFAULT",
        "U0BEN",
    }


# ── Emoji ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("rocket", "🚀"),
        ("cat", "🐱"),
        ("warning", "⚠️"),
        ("white_check_mark", "✅"),
        ("colon", ""),
        ("a", ""),
        ("", ""),
    ],
)
def test_names_of_emoji_are_known(name: str, shown: str) -> None:
    assert emoji.character(name) == shown


@pytest.mark.parametrize("codes", ["", "zz", "110000", "1f44d-", "-"])
def test_codes_that_are_none_are_no_emoji(codes: str) -> None:
    assert emoji.of_codes(codes) == ""
