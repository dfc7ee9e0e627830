"""What an agent changes about their own words at the customer's, from the console and without a script."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from bot.domain.cases import Case
from bot.domain.errors import SendRejected
from bot.domain.messages import Message, MessageState
from tests.builders import inbound
from tests.console import Desk, Page, Viewer, desk
from tests.fakes.channel import FilesChannel
from tests.integration.test_console_browser import looking, show

FORM = r'<form method="post" action="[^"]*" data-act="{act}">(.*?)</form>'
FIELD = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


@pytest.fixture
def channel() -> FilesChannel:
    return FilesChannel()


@pytest.fixture
async def console(tmp_path: Path, channel: FilesChannel) -> AsyncIterator[Desk]:
    async with desk(tmp_path, channel) as made:
        yield made


@pytest.fixture
async def ada(console: Desk) -> Viewer:
    return await console.viewer("Ada")


async def replied(console: Desk, ada: Viewer, text: str = "Tomorow") -> Case:
    await console.here.hear(inbound("A person please", "e1"))
    case = await console.here.case()
    await ada.act(case.id, "claim")
    await ada.act(case.id, "reply", text=text)
    await console.here.send()
    return case


def form(page: Page, act: str) -> dict[str, str]:
    """The fields that a browser without a script would send."""
    found = re.findall(FORM.format(act=act), page.html, re.DOTALL)
    return {name: html.unescape(value) for name, value in FIELD.findall(found[-1])} if found else {}


async def change(viewer: Viewer, case: Case, act: str, **more: str) -> Page:
    fields = form(await viewer.get(f"/console/cases/{case.id}"), act)
    assert fields["action"] == act
    return await viewer.post(f"/console/cases/{case.id}/actions", {**fields, **more})


async def reply(console: Desk) -> Message:
    return (await console.here.transcript())[-1]


async def test_a_reply_is_put_in_other_words(console: Desk, ada: Viewer, channel: FilesChannel) -> None:
    case = await replied(console, ada)
    await change(ada, case, "edit", text="Tomorrow")
    await console.here.send()
    page = await ada.get(f"/console/cases/{case.id}")
    assert channel.texts[-1] == "Tomorrow"
    assert "Tomorrow edited" in page.words
    assert "Tomorow" not in page.words


@pytest.mark.parametrize(
    ("language", "question", "after"),
    [
        ("en", "Take back Delete this message at the customer’s?", "Taken back"),
        ("de", "Zurücknehmen Diese Nachricht beim Kunden löschen?", "Zurückgenommen"),
    ],
)
async def test_a_reply_is_taken_back_after_a_question(
    console: Desk, ada: Viewer, channel: FilesChannel, language: str, question: str, after: str
) -> None:
    case = await replied(console, ada)
    viewer = await console.viewer("Ada", language=language)
    assert question in (await viewer.get(f"/console/cases/{case.id}")).words
    await change(viewer, case, "delete")
    await console.here.send()
    page = await viewer.get(f"/console/cases/{case.id}")
    assert (channel.texts[-1], after in page.words, "Tomorow" in page.words) == ("", True, False)


async def test_a_change_that_failed_shows_why(console: Desk, ada: Viewer, channel: FilesChannel) -> None:
    case = await replied(console, ada)
    channel.fails(SendRejected("It is too old."))
    await change(ada, case, "edit", text="Tomorrow")
    await console.here.send()
    page = await ada.get(f"/console/cases/{case.id}")
    assert "It is too old." in page.words
    assert form(page, "retry")
    assert not form(page, "edit")


async def test_only_ones_own_words_are_offered_to_be_changed(console: Desk, ada: Viewer) -> None:
    case = await replied(console, ada)
    page = await ada.get(f"/console/cases/{case.id}")
    assert page.html.count('data-act="edit"') == page.html.count('data-act="delete"') == 1
    assert form(page, "edit")["message"] == (await reply(console)).id
    others = await (await console.viewer("Ben")).get(f"/console/cases/{case.id}")
    assert (form(others, "edit"), form(others, "delete")) == ({}, {})


async def test_a_channel_that_cannot_change_anything_offers_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path) as console:
        ada = await console.viewer("Ada")
        case = await replied(console, ada)
        page = await ada.get(f"/console/cases/{case.id}")
        assert (form(page, "edit"), form(page, "delete")) == ({}, {})


async def test_an_empty_text_is_refused(console: Desk, ada: Viewer) -> None:
    page = await change(ada, await replied(console, ada), "edit", text="  ")
    assert (page.status, page.problem) == (400, "There is no text yet.")
    assert (await reply(console)).text == "Tomorow"


async def test_what_cannot_be_changed_any_more_is_said_and_the_text_kept(console: Desk, ada: Viewer) -> None:
    case = await replied(console, ada)
    fields = form(await ada.get(f"/console/cases/{case.id}"), "edit")
    await change(ada, case, "delete")
    await console.here.send()
    page = await ada.post(f"/console/cases/{case.id}/actions", {**fields, "text": "Tomorrow"})
    assert page.status == 403
    assert (page.problem, page.draft) == ("This message cannot be changed. Write a new one.", "Tomorrow")
    assert (await reply(console)).state is MessageState.SENT


async def test_the_script_changes_a_reply_and_shows_what_became_of_it(
    console: Desk, ada: Viewer, browser: Browser, channel: FilesChannel
) -> None:
    case = await replied(console, ada)
    async with looking(browser, console, viewport={"width": 390, "height": 800}) as page:
        await show(page, console, case)
        await page.locator(".own summary").first.click()
        await page.locator(".own textarea").fill("Tomorrow")
        await page.locator(".own button").first.click()
        await expect(page.locator("#timeline")).to_contain_text("edited")
        await console.here.send()
        await expect(page.locator(".said .state").last).to_contain_text("Sent")
    assert channel.texts[-1] == "Tomorrow"
