"""In a real browser: a customer in the chat, an agent at the desk, at the same time."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.server import PASSWORD, Server

pytestmark = pytest.mark.timeout(120)
NARROW = {"width": 360, "height": 740}


class Chat:
    """The demo page with its widget, as a customer uses it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.log = page.get_by_role("log")
        self.field = page.locator("switchboard-chat textarea")

    async def say(self, text: str) -> None:
        await self.field.fill(text)
        await self.field.press("Enter")

    async def sees(self, text: str, milliseconds: float = 5000) -> None:
        await expect(self.log).to_contain_text(text, timeout=milliseconds)


class Desk:
    def __init__(self, page: Page, server: Server) -> None:
        self.page, self._url = page, server.url

    async def log_in(self) -> None:
        await self.page.goto(f"{self._url}/console")
        await self.page.locator("#name").fill("admin")
        await self.page.locator("#password").fill(PASSWORD)
        await self.page.locator("form button.primary").click()
        await expect(self.page.locator("nav.tabs")).to_be_visible()

    async def open_case(self, words: str) -> None:
        """The only one there is; the list shows the last words, the case all of them."""
        await self.page.locator("td.words a").click()
        await expect(self.page.locator("#timeline")).to_contain_text(words)

    async def claim(self) -> None:
        await self.page.locator("form[data-act=claim] button").click()
        await expect(self.page.locator("#head")).to_have_attribute("data-speaking", "mine")

    async def reply(self, text: str) -> None:
        await self.page.locator("#modes label", has=self.page.locator("#as-reply")).click()
        await self.page.locator("#text").fill(text)
        await self.page.locator("#senders button.primary").click()
        await expect(self.page.locator("#timeline")).to_contain_text(text)

    async def note(self, text: str) -> None:
        await self.page.locator("#modes label", has=self.page.locator("#as-note")).click()
        await self.page.locator("#text").fill(text)
        await self.page.locator("#senders button.for-note").last.click()
        await expect(self.page.locator("#timeline")).to_contain_text(text)

    async def resolve(self) -> None:
        await self.page.locator("#resolve summary").click()
        await self.page.locator("#resolve form button.primary").click()
        await expect(self.page.locator("#head")).to_have_attribute("data-state", "resolved")


@pytest.fixture
async def chat(browser: Browser, server: Server) -> AsyncIterator[Chat]:
    context = await browser.new_context(locale="de-DE")
    page = await context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if "Security Policy" in line.text else None)
    await page.goto(server.url)
    yield Chat(page)
    assert problems == []
    await context.close()


@pytest.fixture
async def desk(browser: Browser, server: Server) -> AsyncIterator[Desk]:
    context = await browser.new_context(locale="de-DE")
    yield Desk(await context.new_page(), server)
    await context.close()


async def test_from_question_to_resolved_case(chat: Chat, desk: Desk) -> None:
    """The whole way, as the README tells it."""
    await desk.log_in()
    await chat.say("Wo ist mein Paket 4711?")
    await chat.sees("4711 ist", 2000)
    await chat.say("ich will mit einem Menschen sprechen")
    asked = time.monotonic()
    fresh = desk.page.locator("#fresh, td.words a").locator("visible=true").first
    await expect(fresh).to_be_visible(timeout=1500)
    assert time.monotonic() - asked < 1.5
    await desk.page.reload()
    await desk.open_case("ich will mit einem Menschen sprechen")
    await expect(desk.page.locator("#context")).to_contain_text("4711")
    await desk.claim()
    await desk.note("Kunde klingt nett")
    await desk.reply("Guten Tag, hier ist Ada. Ihr Paket kommt morgen.")
    await chat.sees("Ihr Paket kommt morgen.", 2000)
    await expect(chat.log).not_to_contain_text("klingt nett")
    await desk.resolve()


async def test_an_english_question_gets_an_english_answer(chat: Chat) -> None:
    await chat.say("Where is my parcel 4711?")
    await chat.sees("order 4711 is")


async def test_a_number_may_come_alone(chat: Chat) -> None:
    await chat.say("Wo ist mein Paket?")
    await chat.sees("Bestellnummer")
    await chat.say("4711")
    await chat.sees("4711 ist")


async def test_a_reload_loses_nothing(chat: Chat) -> None:
    await chat.say("Wo ist mein Paket 4711?")
    await chat.sees("4711 ist")
    await chat.page.reload()
    await chat.sees("Wo ist mein Paket 4711?")
    await chat.sees("4711 ist")


async def test_what_is_written_while_the_server_is_away_arrives_later(chat: Chat, server: Server) -> None:
    await chat.say("Wo ist mein Paket 4711?")
    await chat.sees("4711 ist")
    await server.kill()
    await chat.say("ich will mit einem Menschen sprechen")
    await server.start()
    await chat.sees("Kundenservice", 15_000)


async def test_a_click_on_an_example_asks_it(chat: Chat) -> None:
    await chat.page.get_by_role("button", name="Wo ist mein Paket 4711?").click()
    await chat.sees("4711 ist")


async def test_the_chat_speaks_english_on_request(browser: Browser, server: Server) -> None:
    page = await browser.new_page(locale="en-GB")
    await page.goto(f"{server.url}/?lang=en")
    chat = Chat(page)
    await expect(chat.log).to_contain_text("How can we help?")
    await chat.say("I want to talk to a human")
    await chat.sees("Customer service")


async def test_it_works_with_the_keyboard_alone(chat: Chat) -> None:
    await chat.field.focus()
    await chat.page.keyboard.type("Wo ist mein Paket 4711?")
    await chat.page.keyboard.press("Enter")
    await chat.sees("4711 ist")
    await chat.page.keyboard.press("Escape")
    await expect(chat.field).to_be_hidden()


async def test_markup_in_a_message_stays_text(chat: Chat, desk: Desk) -> None:
    hostile = "<img src=x onerror=alert(1)> ich will mit einem Menschen sprechen"
    await chat.say(hostile)
    await chat.sees(hostile)
    await desk.log_in()
    await desk.open_case("<img src=x onerror=alert(1)>")


async def test_a_picture_reaches_the_desk(chat: Chat, desk: Desk, tmp_path: Path) -> None:
    await chat.say("ich will mit einem Menschen sprechen")
    await chat.sees("Kundenservice")
    picture = await chat.page.screenshot()
    shot = tmp_path / "broken.png"
    shot.write_bytes(picture)
    await chat.page.locator("switchboard-chat input[type=file]").set_input_files(shot)
    send = chat.page.locator("switchboard-chat textarea")
    await send.press("Enter")
    await desk.log_in()
    await desk.open_case("ich will mit einem Menschen sprechen")
    await expect(desk.page.locator("#timeline img")).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/console"])
async def test_no_page_is_wider_than_a_small_phone(browser: Browser, server: Server, path: str) -> None:
    page = await browser.new_page(viewport=NARROW)  # type: ignore[arg-type]
    await page.goto(server.url + path)
    assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


async def test_the_desk_works_before_its_script_has_loaded(
    chat: Chat, browser: Browser, server: Server
) -> None:
    await chat.say("ich will mit einem Menschen sprechen")
    await chat.sees("Kundenservice")
    context = await browser.new_context(java_script_enabled=False, locale="de-DE")
    desk = Desk(await context.new_page(), server)
    await desk.log_in()
    await desk.page.locator("td.words a", has_text="Menschen").click()
    await desk.page.locator("form[data-act=claim] button").click()
    await desk.page.locator("#text").fill("Ohne Skript geht es auch.")
    await desk.page.locator("#senders button.primary").click()
    await chat.sees("Ohne Skript geht es auch.")
    await context.close()
