"""What every test may rely on: nothing leaves the machine, and nothing that CI needs is skipped in silence."""

import ipaddress
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator

import hypothesis
import pytest
import structlog
from playwright.async_api import Browser, async_playwright

REQUIRED = frozenset(filter(None, os.environ.get("SWITCHBOARD_TESTS_REQUIRE", "").split(",")))

Require = Callable[[str, bool, str], None]

pytest_plugins = ("tests.mongod",)


def pytest_configure() -> None:
    """Start every run alike: without the settings of whoever runs it, patient on a busy machine."""
    for name in ("CONFIG", "ADMIN_PASSWORD", "API_TOKEN", "SECRET_KEY"):
        os.environ.pop(f"SWITCHBOARD_{name}", None)
    # Without the values of every frame: printing those can hold up a loop for a minute.
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, plain])
    usual = hypothesis.settings.get_profile(hypothesis.settings.get_current_profile_name())
    hypothesis.settings.register_profile("switchboard", parent=usual, deadline=None)
    hypothesis.settings.load_profile("switchboard")


def need(what: str, available: bool, how_to_get_it: str) -> None:  # noqa: FBT001 - reads like a sentence
    """Skip with the reason when something is not there, or fail where CI says it has to be.

    CI lists what may not be missing in `SWITCHBOARD_TESTS_REQUIRE`, comma-separated.
    """
    if available:
        return
    if what in REQUIRED:
        pytest.fail(f"{what} is required here: {how_to_get_it}")
    pytest.skip(f"no {what}: {how_to_get_it}")


@pytest.fixture(scope="session")
def require() -> Require:
    return need


# -- nothing leaves the machine: this process is watched; a server that a test starts is given local addresses only

_departures: list[str] = []


class LeftTheMachineError(AssertionError):
    """A test reached for another machine; give it a stand-in on 127.0.0.1."""


def _is_here(host: object) -> bool:
    if not isinstance(host, str):
        return host is None or host in {b"", b"localhost"}
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host in {"", "localhost"}
    return address.is_loopback or address.is_unspecified


def _host(address: object) -> object:
    """The host of an internet address; the path of a Unix socket is always here."""
    return address[0] if isinstance(address, tuple) else None


_DESTINATIONS: dict[str, Callable[[tuple[object, ...]], object]] = {
    "socket.connect": lambda args: _host(args[1]),
    "socket.sendto": lambda args: _host(args[1]),
    "socket.getaddrinfo": lambda args: args[0],
    "socket.gethostbyname": lambda args: args[0],
}


def _stay_here(event: str, args: tuple[object, ...]) -> None:
    destination = _DESTINATIONS.get(event)
    if destination is None or _is_here(host := destination(args)):
        return
    _departures.append(f"{event} {host!r}")
    raise LeftTheMachineError(_departures[-1])


sys.addaudithook(_stay_here)


@pytest.fixture(autouse=True)
def departures() -> Iterator[list[str]]:
    """Fail a test that reached for another machine, even when its code swallowed the error."""
    _departures.clear()
    yield _departures
    assert not _departures, f"left the machine: {', '.join(_departures)}"


# -- a real browser

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


def chromium() -> str | None:
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


@pytest.fixture
async def browser(require: Require) -> AsyncIterator[Browser]:
    """A fresh headless Chromium; one per test costs 0.7 s and shares no event loop, cookie or cache."""
    executable = chromium()
    how = "install Chromium (Debian: apt install chromium), or put the path of one in CHROMIUM"
    require("browser", executable is not None, how)
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGS)
        yield launched
        await launched.close()
