"""The guards of the test suite guard: each must fail what it is there to fail."""

import contextlib
import socket

import pytest
from playwright.async_api import Browser, Error

from tests import conftest

ELSEWHERE = ("192.0.2.1", 9)  # a documentation address (RFC 5737): nobody is there


def test_a_connection_off_the_machine_is_refused(departures: list[str]) -> None:
    with socket.socket() as sock, pytest.raises(conftest.LeftTheMachineError):
        sock.connect(ELSEWHERE)
    departures.clear()


def test_a_datagram_off_the_machine_is_refused(departures: list[str]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(conftest.LeftTheMachineError):
        sock.sendto(b"hello", ELSEWHERE)
    departures.clear()


def test_a_name_is_not_looked_up_elsewhere(departures: list[str]) -> None:
    with pytest.raises(conftest.LeftTheMachineError):
        socket.getaddrinfo("shop.example", 443)
    departures.clear()


def test_a_departure_is_remembered_when_the_error_is_swallowed(departures: list[str]) -> None:
    with socket.socket() as sock, contextlib.suppress(Exception):
        sock.connect(ELSEWHERE)
    assert departures == ["socket.connect '192.0.2.1'"]
    departures.clear()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_connection_on_the_machine_passes(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection((host, server.getsockname()[1])).close()


def test_what_is_missing_is_skipped_with_how_to_get_it() -> None:
    with pytest.raises(pytest.skip.Exception, match="no tea: put the kettle on"):
        conftest.need("tea", False, "put the kettle on")


def test_what_ci_needs_and_misses_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conftest, "REQUIRED", frozenset({"tea"}))
    with pytest.raises(pytest.fail.Exception, match="tea is required here: put the kettle on"):
        conftest.need("tea", False, "put the kettle on")


async def test_the_browser_reaches_no_other_machine(browser: Browser) -> None:
    page = await browser.new_page()
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        await page.goto("http://shop.example/")
