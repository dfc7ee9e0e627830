"""The console's script, in a real browser: live without moving anything, and nothing typed is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, Page, Route, expect

from bot.domain.accounts import User
from bot.domain.actions import Act, AgentAction
from bot.domain.cases import Agent, Case, CaseState
from bot.domain.messages import Direction
from bot.domain.ports import Delete, Update
from bot.web.console.visits import COOKIE, PATH, open_session
from tests.console import ADA, BEN, Desk, desk
from tests.integration.test_console import PNG

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as made:
        yield made


@asynccontextmanager
async def looking(browser: Browser, console: Desk, name: str = "Ada", **how: Any) -> AsyncIterator[Page]:
    """A page of somebody who is logged in; an error of the script fails the test."""
    user = await console.here.store.get(User, name)
    assert user
    url = str(console.server.make_url(PATH))
    context = await browser.new_context(locale="en-GB", timezone_id="America/New_York", **how)
    await context.add_cookies(
        [{"name": COOKIE, "value": await open_session(console.context, user), "url": url}]
    )
    page = await context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if "Security Policy" in line.text else None)
    await page.goto(url)
    yield page
    assert problems == []
    await context.close()


@pytest.fixture
async def page(browser: Browser, console: Desk) -> AsyncIterator[Page]:
    async with looking(browser, console) as made:
        yield made


async def show(page: Page, console: Desk, case: Case) -> None:
    await page.goto(str(console.server.make_url(f"{PATH}/cases/{case.id}")))
    await expect(page.locator("#text")).to_be_visible()


async def do(console: Desk, case: Case, action: Act, agent: Agent, **changes: Any) -> None:
    here = console.here
    await here.takeover.act(
        AgentAction(id=here.new_id(), case=case.id, agent=agent, action=action, at=here.clock(), **changes)
    )


async def hear(console: Desk, case: Case, text: str) -> None:
    """The customer writes; the case knows it."""
    await console.message(case, text)
    now = await console.now(case)
    await console.write(Update(record=replace(now, updated_at=console.here.clock())))


# ── The list ────────────────────────────────────────────────────────────────────────────────────


async def test_new_cases_wait_for_a_click_and_move_nothing(page: Page, console: Desk) -> None:
    first = await console.waiting("first")
    await expect(page.locator("tr[data-case]")).to_have_count(1)
    await console.waiting("more urgent", level="critical")
    await console.waiting("second")
    await expect(page.locator("#fresh")).to_have_text("2 new cases – show")
    assert await page.locator("tr[data-case]").get_attribute("data-case") == first.id
    await expect(page.locator("[data-count=waiting]")).to_have_text("3")
    await page.locator("#fresh").click()
    await expect(page.locator("tr[data-case] .words span").first).to_have_text("more urgent")
    await expect(page.locator("#fresh")).to_be_hidden()


async def test_a_case_that_leaves_the_list_stays_where_it_was_read(page: Page, console: Desk) -> None:
    case = await console.waiting("mine?")
    await expect(page.locator("tr[data-case]")).to_have_count(1)
    await do(console, case, Act.CLAIM, BEN)
    await expect(page.locator("tr.gone")).to_contain_text("mine?")
    await expect(page.locator("[data-count=claimed]")).to_have_text("1")


async def test_the_keyboard_moves_and_opens(page: Page, console: Desk) -> None:
    await console.waiting("older", minutes=5)
    newer = await console.waiting("newer")
    await page.reload()
    for key in ("j", "j", "j", "k", "j", "Enter"):
        await page.keyboard.press(key)
    await page.wait_for_url(f"**/cases/{newer.id}#latest")
    await page.keyboard.press("u")
    await expect(page.locator("nav.tabs")).to_be_visible()


async def test_one_key_claims_and_the_next_words_are_the_reply(page: Page, console: Desk) -> None:
    case = await console.waiting()
    await page.reload()
    await page.keyboard.press("j")
    await page.keyboard.press("c")
    await page.wait_for_url(f"**/cases/{case.id}#reply")
    await expect(page.locator("#text")).to_be_focused()
    await page.keyboard.type("Hello, I am Ada.")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".by-agent .text")).to_have_text("Hello, I am Ada.")
    assert (await console.now(case)).owner == ADA


async def test_the_keys_are_told(page: Page) -> None:
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await page.keyboard.press("/")
    await expect(page.get_by_role("textbox", name="Search a case number")).to_be_focused()
    await page.keyboard.type("?")
    await expect(page.get_by_role("dialog")).to_be_hidden()


# ── One case ────────────────────────────────────────────────────────────────────────────────────


async def test_what_the_customer_writes_appears_while_one_types(page: Page, console: Desk) -> None:
    case = await console.waiting("first")
    await show(page, console, case)
    await page.locator("#text").fill("I am typing")
    await hear(console, case, "and another thing")
    await expect(page.locator(".customer .text").last).to_have_text("and another thing")
    await expect(page.locator("#written")).to_have_text("The customer has written again meanwhile.")
    await expect(page.locator("#text")).to_be_focused()
    await expect(page.locator("#text")).to_have_value("I am typing")


async def test_who_reads_further_up_is_not_moved(page: Page, console: Desk) -> None:
    case = await console.waiting("first")
    for number in range(40):
        await console.message(case, f"message {number}\n\n\nwith lines")
    await show(page, console, case)
    await page.evaluate("scrollTo(0, 300)")
    await hear(console, case, "the newest")
    await expect(page.locator("#below")).to_have_text("↓ 1 new message")
    assert await page.evaluate("scrollY") == 300
    await page.locator("#below").click()
    await expect(page.locator(".customer .text").last).to_be_in_viewport()
    await expect(page.locator("#below")).to_be_hidden()


async def test_who_reads_the_end_keeps_seeing_the_end(page: Page, console: Desk) -> None:
    case = await console.waiting("first")
    for number in range(40):
        await console.message(case, f"message {number}\n\n\nwith lines")
    await show(page, console, case)
    await hear(console, case, "the newest")
    await expect(page.locator(".customer .text").last).to_have_text("the newest")
    await expect(page.locator(".customer .text").last).to_be_in_viewport()


async def test_a_case_claimed_elsewhere_keeps_the_draft_and_offers_it_as_a_note(
    page: Page, console: Desk
) -> None:
    case = await console.waiting()
    await show(page, console, case)
    await page.locator("#text").fill("My answer")
    await do(console, case, Act.CLAIM, BEN)
    await expect(page.locator("#problem")).to_have_text(
        "Ben has claimed this case. Your text is kept: add it as a note?"
    )
    await expect(page.locator("#text")).to_have_value("My answer")
    await page.locator("#rescue button").click()
    await expect(page.locator(".note .text")).to_have_text("My answer")
    await expect(page.locator("#text")).to_have_value("")
    assert await console.lines(case, Direction.OUT) == []


async def test_a_draft_outlives_the_page_but_not_the_log_out(page: Page, console: Desk) -> None:
    case = await console.waiting()
    await show(page, console, case)
    await page.locator("#text").fill("half a sen")
    await page.locator("#text").press("Escape")
    await page.keyboard.press("u")
    await expect(page.locator("nav.tabs")).to_be_visible()
    await show(page, console, case)
    await expect(page.locator("#text")).to_have_value("half a sen")
    await page.locator("summary", has_text="Ada").click()
    await page.get_by_role("button", name="Log out").click()
    await expect(page.locator("#password")).to_be_visible()
    assert await page.evaluate("Object.keys(localStorage)") == []


async def test_without_a_connection_nothing_is_lost_and_nothing_is_sent_twice(
    page: Page, console: Desk
) -> None:
    case = await console.waiting()
    await do(console, case, Act.CLAIM, ADA)
    await show(page, console, case)
    await page.locator("#text").fill("Hello?")
    await page.context.set_offline(True)
    await page.locator("#senders button.primary").click()
    await expect(page.locator("#problem")).to_have_text("Not sent: no connection. Your text is kept.")
    await page.context.set_offline(False)
    await page.locator("#senders button.primary").click()
    await expect(page.locator(".by-agent .text")).to_have_text("Hello?")
    assert await console.lines(case, Direction.OUT) == ["Hello?"]


async def test_when_the_answer_is_lost_the_second_try_is_the_same_message(page: Page, console: Desk) -> None:
    case = await console.waiting()
    await do(console, case, Act.CLAIM, ADA)
    await show(page, console, case)

    async def arrives_but_is_not_answered(route: Any) -> None:
        await route.fetch()
        await route.abort()

    await page.route("**/actions", arrives_but_is_not_answered, times=1)
    await page.locator("#text").fill("Once, please")
    await page.locator("#senders button.primary").click()
    await expect(page.locator("#problem")).to_be_visible()
    await page.locator("#senders button.primary").click()
    await expect(page.locator("#problem")).to_be_hidden()
    assert await console.lines(case, Direction.OUT) == ["Once, please"]


async def test_a_removed_users_page_says_so_and_keeps_the_text(page: Page, console: Desk) -> None:
    case = await console.waiting()
    await show(page, console, case)
    await page.locator("#text").fill("My answer")
    await console.write(Delete(kind=User, id="Ada"))
    await hear(console, case, "hello?")
    await expect(page.locator("#bar")).to_contain_text("Your session is over.")
    await expect(page.locator("#text")).to_have_value("My answer")


async def test_a_file_goes_with_the_reply(page: Page, console: Desk) -> None:
    case = await console.waiting()
    await do(console, case, Act.CLAIM, ADA)
    await show(page, console, case)
    await page.locator("input[type=file]").set_input_files(
        {"name": "bowl.png", "mimeType": "image/png", "buffer": PNG}
    )
    await expect(page.locator(".attach")).to_contain_text("bowl.png")
    await page.locator("#senders button.primary").click()
    await expect(page.locator(".by-agent .picture img")).to_be_visible()
    await expect(page.locator(".attach")).to_contain_text("Attach a file")


async def test_snooze_resolve_and_correct_in_place(page: Page, console: Desk) -> None:
    case = await console.waiting(intent="parcel")
    await do(console, case, Act.CLAIM, ADA)
    await show(page, console, case)
    await page.locator("#text").fill("not sent yet")
    await page.locator("#context summary", has_text="Correct").click()
    await page.locator("#intent").select_option("returns")
    await page.locator("#context form[data-act=relabel] button").click()
    await expect(page.locator("#context")).to_contain_text("returns? ")
    await page.locator("summary", has_text="Snooze").click()
    await page.locator("#until").fill("2026-11-25T10:30")
    await page.locator("form[data-act=snooze] .together button").click()
    await expect(page.locator("#head")).to_have_attribute("data-state", "snoozed")
    until = (await console.now(case)).snoozed_until
    assert until
    assert until.isoformat() == "2026-11-25T15:30:00+00:00"  # as the viewer in New York meant it
    await page.keyboard.press("Escape")
    await page.keyboard.press("e")
    await page.keyboard.press("Enter")
    await expect(page.locator("#head")).to_have_attribute("data-state", "resolved")
    await expect(page.locator("#text")).to_have_value("not sent yet")
    assert (await console.now(case)).state is CaseState.RESOLVED


async def test_a_menu_stays_open_while_the_page_is_read_again_and_an_earlier_action_comes_back(
    page: Page, console: Desk
) -> None:
    case = await console.waiting(intent="parcel")
    await do(console, case, Act.CLAIM, ADA)
    await show(page, console, case)
    answered = asyncio.Event()

    async def slowly(route: Route) -> None:
        await answered.wait()
        await route.continue_()

    await page.route("**/actions", slowly)
    await page.locator("#context summary", has_text="Correct").click()
    await page.locator("#intent").select_option("returns")
    await page.locator("#context form[data-act=relabel] button").click()
    await page.locator("summary", has_text="Snooze").click()
    await page.locator("#until").evaluate("field => { field.same = true }")
    await hear(console, case, "hello?")
    await expect(page.locator("#timeline")).to_contain_text("hello?")
    answered.set()
    await expect(page.locator("#context")).to_contain_text("returns? ")
    await expect(page.locator("#announce")).to_have_text("Done.")
    await expect(page.locator("#until")).to_be_visible()
    assert await page.locator("#until").evaluate("field => field.same")


@pytest.mark.parametrize("width", [360, 1280])
async def test_the_day_until_which_a_case_is_snoozed_can_be_read(
    browser: Browser, console: Desk, width: int
) -> None:
    case = await console.waiting()
    await do(console, case, Act.CLAIM, ADA)
    async with looking(browser, console, viewport={"width": width, "height": 740}) as page:
        await show(page, console, case)
        await page.locator("summary", has_text="Snooze").click()
        field = await page.locator("#until").bounding_box()
    assert field
    assert field["width"] >= 200


async def test_times_are_the_viewers_own(page: Page, console: Desk) -> None:
    case = await console.waiting("at noon in London")
    await show(page, console, case)
    clock = page.locator(".customer time")
    await expect(clock).to_have_text("07:00")
    assert "Monday" in (await clock.get_attribute("title") or "")


async def test_a_second_tab_shares_the_stream_and_takes_it_over(page: Page, console: Desk) -> None:
    second = await page.context.new_page()
    await second.goto(page.url)
    await console.waiting("one")
    await expect(second.locator("tr[data-case]")).to_have_count(1)
    await page.close()
    await console.waiting("two")
    await expect(second.locator("#fresh")).to_have_text("1 new case – show", timeout=15_000)
    await second.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440, 1920])
async def test_no_page_scrolls_sideways(browser: Browser, console: Desk, width: int, scheme: str) -> None:
    case = await console.waiting("W" * 400, level="critical", slots={"order_number": "9" * 200})
    await console.user("x" * 40)
    async with looking(
        browser, console, "admin", viewport={"width": width, "height": 740}, color_scheme=scheme
    ) as page:
        for path in ("", "?tab=all", "/users", "/account", f"/cases/{case.id}", "/nothing"):
            await page.goto(str(console.server.make_url(PATH)) + path)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
