"""The widget in a real browser, against the real routes; the test plays the bot, the desk and the bad luck."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from bot.domain.messages import Author, AuthorKind, Button, EventKind, MessageState, Press
from bot.web.context import WEB
from tests.site import Away, Site, site
from tests.unit.test_uploads import PNG
from tests.world import until

pytestmark = pytest.mark.timeout(90)
PHONE = {"width": 360, "height": 740}
ADA = Author(kind=AuthorKind.AGENT, id="ada", name="Ada")
SEALED = "default-src 'none'; require-trusted-types-for 'script'; " + "; ".join(
    f"{what} {{url}}" for what in ("script-src", "connect-src", "img-src")
)


class Widget:
    def __init__(self, page: Page, chat: Site) -> None:
        self.page, self.chat = page, chat
        self.problems: list[str] = []
        self.root = page.locator("switchboard-chat")
        self.log = page.get_by_role("log")
        self.field = self.root.locator("textarea")
        self.launcher = self.root.locator(".launcher")
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda line: self._blame(line.text))

    def _blame(self, line: str) -> None:
        if "Security Policy" in line or "TrustedHTML" in line:
            self.problems.append(line)

    @property
    def token(self) -> Any:
        return self.page.evaluate(
            "() => JSON.parse(localStorage.getItem(Object.keys(localStorage).find(k => k.endsWith(':token'))))"
        )

    def line(self, text: str) -> Locator:
        return self.log.locator("li", has_text=text)

    async def say(self, text: str) -> None:
        await self.field.fill(text)
        await self.field.press("Enter")

    async def is_in_state(self, text: str, state: str) -> None:
        await expect(self.line(text)).to_have_attribute("data-state", state, timeout=15_000)

    async def is_taken_in(self, text: str) -> None:
        await self.is_in_state(text, "stored")
        await self.chat.take_in()
        await self.is_in_state(text, "received")

    async def answer(self, text: str, **changes: Any) -> Any:
        return await self.chat.answer(await self.token, text, **changes)


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as made:
        yield made


@asynccontextmanager
async def opened(browser: Browser, chat: Site, url: str = "", **how: Any) -> AsyncIterator[Widget]:
    context: BrowserContext = await browser.new_context(**{"locale": "de-DE", **how})
    widget = Widget(await context.new_page(), chat)
    await widget.page.goto(url or str(chat.server.make_url("/")))
    yield widget
    assert widget.problems == []
    await context.close()


@pytest.fixture
async def widget(browser: Browser, chat: Site) -> AsyncIterator[Widget]:
    async with opened(browser, chat) as made:
        yield made


# -- nothing is lost


async def test_ticks_say_how_far_a_message_is(widget: Widget) -> None:
    await widget.say("Wo ist mein Paket 4711?")
    await widget.is_in_state("4711", "stored")
    await expect(widget.line("4711").locator(".tick")).to_have_text("Gesendet")
    await widget.chat.take_in()
    await expect(widget.line("4711").locator(".tick")).to_have_text("Angekommen")
    await expect(widget.line("4711")).to_have_count(1)


async def test_what_could_not_be_stored_is_sent_later_once_and_in_order(widget: Widget) -> None:
    await widget.say("eins")
    await widget.is_taken_in("eins")
    context, down = widget.chat.app[WEB], Away()
    away: Any = msgspec.structs.replace(context, receiving=down)
    widget.chat.app._state[WEB] = away
    for text in ("zwei", "drei"):
        await widget.say(text)
    await expect(widget.root.locator(".banner")).to_contain_text("nicht erreichbar")
    await widget.page.reload()
    await expect(widget.line("drei")).to_be_visible()
    widget.chat.app._state[WEB] = context
    await widget.is_in_state("drei", "stored")
    await expect(widget.root.locator(".banner")).to_be_hidden()
    events = await widget.chat.events()
    assert [event.inbound.text for event in events] == ["eins", "zwei", "drei"]


async def test_without_a_connection_it_says_so_and_waits(widget: Widget) -> None:
    await widget.say("eins")
    await widget.is_taken_in("eins")
    await widget.page.context.set_offline(True)
    await widget.say("zwei")
    await expect(widget.root.locator(".banner")).to_contain_text("Keine Verbindung")
    await widget.page.context.set_offline(False)
    await widget.is_in_state("zwei", "stored")


async def test_a_reload_shows_the_same_conversation_and_keeps_the_draft(widget: Widget) -> None:
    await widget.say("eins")
    await widget.is_taken_in("eins")
    await widget.answer("Guten Tag")
    await widget.field.fill("noch nicht fer")
    await widget.page.reload()
    await expect(widget.line("Guten Tag")).to_be_visible()
    await expect(widget.line("eins")).to_have_attribute("data-state", "received")
    await expect(widget.field).to_have_value("noch nicht fer")


async def test_a_session_the_server_does_not_know_begins_anew(widget: Widget) -> None:
    await widget.say("eins")
    await widget.is_taken_in("eins")
    await widget.page.evaluate(
        "() => localStorage.setItem(Object.keys(localStorage).find(k => k.endsWith(':token')), '\"c1.x\"')"
    )
    await widget.say("zwei")
    await widget.is_in_state("zwei", "stored")
    await expect(widget.log).to_contain_text("hier beginnt eine neue Unterhaltung")
    await expect(widget.line("eins")).to_have_count(0)


# -- what arrives


async def test_an_answer_appears_while_one_looks_and_is_read(widget: Widget) -> None:
    await widget.say("eins")
    await widget.is_taken_in("eins")
    message = await widget.answer("Guten Tag, hier ist Ada.", author=ADA)
    await expect(widget.line("Guten Tag")).to_be_visible()
    await expect(widget.root.locator("header")).to_contain_text("Im Gespräch mit Ada")
    await _receipt(widget.chat, EventKind.READ, message.id)


async def test_what_arrives_while_closed_is_counted_and_read_when_opened(widget: Widget) -> None:
    await widget.say("eins")
    await widget.is_taken_in("eins")
    await widget.page.keyboard.press("Escape")
    await widget.answer("Guten Tag")
    message = await widget.answer("Sind Sie noch da?")
    await expect(widget.root.locator(".badge")).to_have_text("2")
    await expect(widget.launcher).to_have_accessible_name("Chat öffnen, 2 neue Nachrichten")
    await _receipt(widget.chat, EventKind.DELIVERED, message.id)
    await widget.page.reload()
    await expect(widget.root.locator(".badge")).to_have_text("2")
    await widget.launcher.click()
    await expect(widget.root.locator(".badge")).to_be_hidden()
    await _receipt(widget.chat, EventKind.READ, message.id)


async def _receipt(chat: Site, kind: EventKind, message: str) -> None:
    async def came() -> bool:
        told = [event.inbound for event in await chat.events()]
        return (kind, message) in [(one.kind, one.refers_to) for one in told]

    await until(came)


async def test_typing_is_shown_until_the_answer_is_there(widget: Widget) -> None:
    await widget.say("eins")
    await widget.is_taken_in("eins")
    await widget.chat.typing(await widget.token, "agent")
    await expect(widget.root.locator(".typing")).to_be_visible()
    await widget.answer("Guten Tag")
    await expect(widget.root.locator(".typing")).to_be_hidden()


async def test_nothing_moves_under_somebody_who_reads(widget: Widget) -> None:
    await widget.say("eins")
    await widget.is_taken_in("eins")
    for number in range(30):
        await widget.answer(f"Antwort {number}")
    await expect(widget.line("Antwort 29")).to_be_visible()
    await widget.log.evaluate("log => { log.scrollTop = 100 }")
    await widget.page.wait_for_timeout(100)  # the scroll event comes with the next frame
    await widget.answer("etwas Neues")
    jump = widget.root.get_by_role("button", name="Neue Nachrichten")
    await expect(jump).to_be_visible()
    assert await widget.log.evaluate("log => log.scrollTop") == 100
    await jump.click()
    await expect(widget.line("etwas Neues")).to_be_in_viewport()
    await expect(jump).to_be_hidden()


GROWS_BEFORE_ITS_SCROLLING_IS_TOLD = """log => {
  const tall = document.createElement("div");
  tall.style.cssText = "flex: none; height: 300px";
  log.append(tall);
  log.dispatchEvent(new Event("scroll"));
}"""


async def test_who_reads_the_end_follows_however_fast_it_grows(widget: Widget) -> None:
    await widget.say("eins")
    await widget.is_taken_in("eins")
    for number in range(10):
        await widget.answer(f"Antwort {number}")
    await expect(widget.line("Antwort 9")).to_be_in_viewport()
    await widget.log.evaluate(GROWS_BEFORE_ITS_SCROLLING_IS_TOLD)
    await widget.answer("etwas Neues")
    await expect(widget.line("etwas Neues")).to_be_in_viewport()
    await expect(widget.root.get_by_role("button", name="Neue Nachrichten")).to_be_hidden()


async def test_only_the_last_question_can_be_answered_and_only_once(widget: Widget) -> None:
    await widget.say("Rückgabe")
    await widget.is_taken_in("Rückgabe")
    buttons = (Button(label="Gern", choice="affirm"), Button(label="Nein", choice="deny"))
    await widget.answer("Erste Frage", buttons=buttons, question="q1")
    await widget.answer("Zweite Frage", buttons=buttons, question="q2")
    await expect(widget.line("Erste Frage").get_by_role("button", name="Gern")).to_be_disabled()
    await widget.line("Zweite Frage").get_by_role("button", name="Gern").click()
    await expect(widget.line("Zweite Frage").get_by_role("button", name="Nein")).to_be_disabled()
    await expect(widget.log.locator("li.mine").last).to_have_attribute("data-state", "stored")
    pressed = [event.inbound.press for event in await widget.chat.events() if event.inbound.press]
    assert pressed == [Press(question="q2", choice="affirm")]  # receipts come whenever they come


async def test_text_is_text_and_addresses_are_links(widget: Widget) -> None:
    await widget.say("eins")
    await widget.is_taken_in("eins")
    await widget.answer("<img src=x onerror=alert(1)> javascript:alert(1) https://a.example/x?y=1.")
    link = widget.log.get_by_role("link")
    await expect(link).to_have_attribute("href", "https://a.example/x?y=1")
    await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    await expect(widget.log).to_contain_text("<img src=x onerror=alert(1)>")


async def test_a_deleted_message_loses_its_text(widget: Widget) -> None:
    await widget.say("eins")
    await widget.is_taken_in("eins")
    message = await widget.answer("vertippt")
    await expect(widget.line("vertippt")).to_be_visible()
    await widget.chat.change(message, deleted_at=widget.chat.clock(), state=MessageState.DELIVERED)
    await expect(widget.log).to_contain_text("Diese Nachricht wurde gelöscht.")
    await expect(widget.line("vertippt")).to_have_count(0)


# -- files


async def test_a_picture_is_sent_and_shown(widget: Widget) -> None:
    picker = widget.root.locator("input[type=file]")
    await picker.set_input_files({"name": "kaputt.png", "mimeType": "image/png", "buffer": PNG})
    await expect(widget.root.locator(".tray")).to_contain_text("kaputt.png")
    await widget.say("So kam es an")
    await widget.is_taken_in("So kam es an")
    picture = widget.log.get_by_role("img", name="kaputt.png")
    await expect(picture).to_be_visible()
    await expect(picture).to_have_js_property("naturalWidth", 2)


async def test_a_file_the_server_refuses_says_why_and_can_be_thrown_away(widget: Widget) -> None:
    picker = widget.root.locator("input[type=file]")
    await picker.set_input_files({"name": "böse.png", "mimeType": "image/png", "buffer": b"<svg/>"})
    await widget.field.press("Enter")
    await widget.is_in_state("böse.png", "failed")
    await expect(widget.line("böse.png")).to_contain_text("Nur Bilder")
    await widget.line("böse.png").get_by_role("button", name="Verwerfen").click()
    await expect(widget.line("böse.png")).to_have_count(0)


async def test_a_file_nobody_would_take_is_not_even_staged(widget: Widget) -> None:
    picker = widget.root.locator("input[type=file]")
    large = {"name": "groß.png", "mimeType": "image/png", "buffer": PNG + bytes(5 * 1024 * 1024)}
    await picker.set_input_files({"name": "a.html", "mimeType": "text/html", "buffer": b"<p>"})
    await expect(widget.root.locator(".hint")).to_contain_text("Nur Bilder")
    await picker.set_input_files(large)  # type: ignore[arg-type]
    await expect(widget.root.locator(".hint")).to_contain_text("5 MB")
    await expect(widget.root.locator(".tray")).to_be_hidden()


# -- for everybody


async def test_it_can_be_used_without_a_mouse(widget: Widget) -> None:
    await widget.field.focus()
    await widget.page.keyboard.type("eine Zeile")
    await widget.page.keyboard.press("Shift+Enter")
    await widget.page.keyboard.type("noch eine")
    await widget.page.keyboard.press("Enter")
    await widget.is_in_state("eine Zeile", "stored")
    assert (await widget.chat.events())[0].inbound.text == "eine Zeile\nnoch eine"
    await widget.page.keyboard.press("Escape")
    await expect(widget.field).to_be_hidden()
    await expect(widget.launcher).to_be_focused()
    await expect(widget.launcher).to_have_attribute("aria-expanded", "false")
    await widget.page.keyboard.press("Enter")
    await expect(widget.field).to_be_focused()


async def test_the_field_grows_with_the_text_and_has_no_bar_while_all_of_it_fits(widget: Widget) -> None:
    field = widget.field
    for text in ("", "a line", "two\nlines"):
        await field.fill(text)
        assert await field.evaluate("field => field.scrollHeight <= field.clientHeight"), text
    await field.fill("line\n" * 30)
    assert await field.evaluate("field => field.scrollHeight > field.clientHeight")


async def test_everything_has_a_name(widget: Widget) -> None:
    await expect(widget.page.get_by_role("dialog", name="Nordwind")).to_be_visible()
    await expect(widget.log).to_have_accessible_name("Verlauf")
    await expect(widget.log).to_have_attribute("aria-live", "polite")
    names = {"Nachricht", "Senden", "Bild oder PDF anhängen", "Chat schließen", "Switch to English"}
    for name in names:
        await expect(widget.root.get_by_label(name, exact=True).first).to_be_visible()


async def test_the_language_can_be_switched_and_stays(widget: Widget) -> None:
    await widget.say("eins")
    await widget.is_taken_in("eins")
    await widget.root.get_by_role("button", name="Switch to English").click()
    await expect(widget.field).to_have_attribute("placeholder", "Write a message …")
    await expect(widget.line("eins").locator(".tick")).to_have_text("Arrived")
    await widget.page.reload()
    await expect(widget.field).to_have_attribute("placeholder", "Write a message …")


async def test_on_a_phone_it_opens_only_by_hand_and_fills_the_screen(browser: Browser, chat: Site) -> None:
    async with opened(browser, chat, viewport=PHONE, reduced_motion="reduce") as widget:
        await expect(widget.launcher).to_be_visible()
        await expect(widget.field).to_be_hidden()
        await widget.launcher.click()
        assert await widget.root.locator(".panel").bounding_box() == {"x": 0, "y": 0, **PHONE}
        await expect(widget.launcher).to_be_hidden()


async def test_a_second_tab_shows_the_same(widget: Widget) -> None:
    await widget.say("eins")
    await widget.is_taken_in("eins")
    second = Widget(await widget.page.context.new_page(), widget.chat)
    await second.page.goto(widget.page.url)
    await second.say("zwei")
    await second.is_taken_in("zwei")
    await expect(widget.line("zwei")).to_have_attribute("data-state", "received")


async def test_a_tab_that_was_there_before_the_first_message_follows(widget: Widget) -> None:
    early = Widget(await widget.page.context.new_page(), widget.chat)
    await early.page.goto(widget.page.url)
    await expect(early.field).to_be_visible()
    await widget.say("eins")
    await widget.is_taken_in("eins")
    await expect(early.line("eins")).to_have_attribute("data-state", "received")


# -- on other sites


@asynccontextmanager
async def shop(chat_url: str) -> AsyncIterator[BaseTestServer]:
    """Somebody's page, as tightly sealed as a page can be."""

    async def page(_: web.Request) -> web.Response:
        tag = f'<script src="{chat_url}/chat/widget.js" data-language="en" async></script>'
        headers = {"Content-Security-Policy": SEALED.format(url=chat_url)}
        return web.Response(
            text=f"<!doctype html><h1>Shop</h1>{tag}", content_type="text/html", headers=headers
        )

    app = web.Application()
    app.router.add_get("/", page)
    async with TestServer(app) as server:
        yield server


async def test_it_works_on_another_site_under_a_strict_policy(browser: Browser, chat: Site) -> None:
    url = str(chat.server.make_url("/")).rstrip("/")
    async with shop(url) as server:
        home = str(server.make_url("/"))
        context = chat.app[WEB]
        chat.app._state[WEB] = msgspec.structs.replace(context, origins={"site": (home,)})
        async with opened(browser, chat, home) as widget:
            await widget.launcher.click()
            picker = widget.root.locator("input[type=file]")
            await picker.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": PNG})
            await widget.say("Hello from afar")
            await widget.is_taken_in("Hello from afar")
            await expect(widget.log.get_by_role("img", name="a.png")).to_have_js_property("naturalWidth", 2)
            await expect(widget.root.locator(".panel")).to_have_css("border-radius", "20px")
            await widget.answer("Hello!")
            await expect(widget.line("Hello!")).to_be_visible()


async def test_a_site_that_was_not_let_in_gets_no_chat(browser: Browser, chat: Site) -> None:
    url = str(chat.server.make_url("/")).rstrip("/")
    async with shop(url) as server, opened(browser, chat, str(server.make_url("/"))) as widget:
        await widget.launcher.click()
        await widget.say("Hello?")
        await expect(widget.root.locator(".banner")).to_be_visible()
        assert await chat.events() == []
        kept = await widget.page.evaluate("() => JSON.stringify(localStorage)")
        assert ":token" not in json.loads(kept)
