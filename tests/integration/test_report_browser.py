"""The report page on a phone, in a real browser: nothing is cut off, nothing is too small to read."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, Page

from bot.domain.understanding import Level
from nlu.evaluation import ask, report
from nlu.evaluation.comparison import compare
from nlu.evaluation.figures import Promise
from nlu.evaluation.page import page as written
from nlu.reading import TrainingData
from tests.unit.nlu.test_evaluation import Told, example

PHONE = {"width": 360, "height": 800}
LONG = ("newsletter_unsubscribe_at_once", "product_availability")
SHARES = (0.005, 0.01, 0.02, 0.05, 0.1)


async def html() -> str:
    """A report in which everything is as wide as it gets."""
    examples = tuple(
        example(f"a rather long message number {place} of a customer", LONG[0]) for place in range(20)
    )
    data = TrainingData(examples=examples)
    told = {one.text: (LONG[place % 2], 0.8, 0.1, Level.HIGH) for place, one in enumerate(examples)}
    pairs, others = [
        await ask(Told(said), data) for said in (told, dict.fromkeys(told, (LONG[0], 1, 0, Level.LOW)))
    ]
    this = replace(report(Told(told), data, pairs), model="d5298daa6f3ec28a", learned=20)
    promises = tuple(
        Promise(
            wrong_answers=share,
            n=90,
            mistakes=88,
            answered=0.4 + share,  # close together
            wrong=0.98,
            thresholds=dict.fromkeys(LONG, None if share < 0.02 else 0.12),
        )
        for share in SHARES
    )
    this = replace(this, automation=replace(this.automation, promises=promises))
    return written(this, ["nlu/test.yml"], compare(this, pairs, replace(this, learned=0), others))


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    made = await context.new_page()
    await made.set_content(await html())
    await made.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    yield made
    await context.close()


async def test_no_column_is_cut_off(page: Page) -> None:
    wide = "[...document.querySelectorAll('html, .table')].map(one => one.scrollWidth - one.clientWidth)"
    cut_off = await page.evaluate(wide)
    assert len(cut_off) >= 7
    assert set(cut_off) == {0}


async def test_letters_of_a_plot_can_be_read(page: Page) -> None:
    high = "[...document.querySelectorAll('svg text')].map(one => one.getBoundingClientRect())"
    letters = await page.evaluate(f"{high}.map(box => Math.min(box.width, box.height))")
    assert min(letters) >= 10


async def test_every_promise_has_its_label_and_none_lies_on_another(page: Page) -> None:
    boxes = await page.evaluate(
        "[...document.querySelectorAll('svg .label')].map(one => one.getBoundingClientRect().toJSON())"
    )
    assert len(boxes) == len(SHARES)
    assert not [
        (one, other)
        for place, one in enumerate(boxes)
        for other in boxes[:place]
        if max(one["left"], other["left"]) < min(one["right"], other["right"])
        and max(one["top"], other["top"]) < min(one["bottom"], other["bottom"])
    ]
