"""The demo shop and the orders it pretends to have."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from bot.web.demo import STATUSES, invented
from tests.builders import NOON
from tests.site import Site, site

TODAY = NOON.date()


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [("", "de-DE,de;q=0.9", "de"), ("", "en-GB,en", "en"), ("?lang=en", "de", "en"), ("", "fr", "de")],
)
async def test_the_shop_speaks_the_visitors_language(
    shop: Site, query: str, accepted: str, language: str
) -> None:
    answer = await shop.client.get(f"/{query}", headers={"Accept-Language": accepted})
    page = await answer.text()
    assert f'<html lang="{language}">' in page
    assert f'data-language="{language}"' in page


async def test_the_shop_needs_no_other_host_and_no_inline_script(shop: Site) -> None:
    answer = await shop.client.get("/")
    page = await answer.text()
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in page
    assert " style=" not in page


async def test_everything_the_shop_asks_for_is_there(shop: Site) -> None:
    for name in ("demo.css", "demo.js", "icon.svg"):
        assert (await shop.client.get(f"/demo/assets/{name}")).status == 200
    assert (await shop.client.get("/demo/assets/..%2Fdemo.py")).status == 404


async def test_an_order_is_looked_up_over_http(shop: Site) -> None:
    answer = await shop.client.get("/demo/orders/4711")
    order = await answer.json()
    assert (answer.status, order["order_number"], order["status"]) == (200, "4711", "shipped")
    assert order == invented("4711", TODAY)


@pytest.mark.parametrize("number", ["NW-4711", "nw4711", "%234711"])
async def test_an_order_number_may_be_written_as_people_do(shop: Site, number: str) -> None:
    answer = await shop.client.get(f"/demo/orders/{number}")
    assert (await answer.json())["order_number"] == "4711"


@pytest.mark.parametrize("number", ["0815", "99912", "12", "12345678901", "abcd", "47 11"])
async def test_an_order_that_is_not_there_is_404(shop: Site, number: str) -> None:
    answer = await shop.client.get(f"/demo/orders/{number}")
    assert answer.status == 404
    assert (await answer.json())["error"]["code"] == "not_found"


def test_every_status_occurs_and_stays_with_its_number() -> None:
    orders = {number: invented(str(number), TODAY) for number in range(1000, 1200)}
    assert {order["status"] for order in orders.values()} == set(STATUSES)
    assert orders == {number: invented(str(number), TODAY) for number in range(1000, 1200)}


def test_what_is_on_its_way_comes_later_and_what_came_came_before() -> None:
    for number in range(1000, 1100):
        order = invented(str(number), TODAY)
        expected = date.fromisoformat(order["expected"])
        assert (expected > TODAY) == (order["status"] in {"processing", "shipped"})
        assert abs(expected - TODAY) <= timedelta(days=6)
