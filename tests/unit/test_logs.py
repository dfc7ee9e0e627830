"""No customer text, name, address or token in a log line, whatever the caller passes."""

from __future__ import annotations

import errno
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bot import logs
from bot.domain.errors import LookupFailed

PRIVATE = "Mein Name ist Ada"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    before = structlog.get_config()
    yield
    structlog.configure(**before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    logging.getLogger("aiohttp.access").disabled = False


@pytest.fixture
def out() -> io.StringIO:
    stream = io.StringIO()
    logs.setup(stream)
    return stream


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


class Full(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_stops_the_log_and_nothing_else() -> None:
    logs.setup(Full())
    structlog.get_logger().warning("store.unavailable")


def test_an_event_is_one_line_of_json(out: io.StringIO) -> None:
    structlog.get_logger().info("message.answered", case="c1", ms=12)
    (line,) = lines(out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "message.answered", "level": "info", "case": "c1", "ms": 12}


def test_what_is_below_the_level_is_not_said() -> None:
    out = io.StringIO()
    logs.setup(out, level=logging.WARNING)
    structlog.get_logger().info("model.live")
    assert not out.getvalue()


@pytest.mark.parametrize("key", ["text", "Token", "name", "authorization", "password", "url"])
def test_a_private_value_is_dropped_and_the_key_named(out: io.StringIO, key: str) -> None:
    structlog.get_logger().info("oops", **{key: PRIVATE})
    assert PRIVATE not in out.getvalue()
    assert lines(out)[0]["dropped"] == [key]


def test_a_mapping_says_only_how_large_it_is(out: io.StringIO) -> None:
    structlog.get_logger().info("oops", update={"message": {"text": PRIVATE}})
    assert lines(out)[0]["update"] == "<dict of 1>"


def test_a_long_value_is_cut(out: io.StringIO) -> None:
    structlog.get_logger().info("long", reason="x" * 10_000)
    assert len(lines(out)[0]["reason"]) == logs.LONGEST + 1


def fail_with_customer_text() -> None:
    raise ValueError(PRIVATE)


def test_a_foreign_exception_says_kind_and_place_but_not_its_words(out: io.StringIO) -> None:
    try:
        fail_with_customer_text()
    except ValueError:
        structlog.get_logger().exception("turn.failed")
    (line,) = lines(out)
    assert line["error"] == "ValueError"
    assert line["at"][-1].startswith("tests/unit/test_logs.py:")
    assert line["at"][-1].endswith("fail_with_customer_text")
    assert PRIVATE not in out.getvalue()


def test_an_error_of_ours_says_its_words_and_the_kind_of_its_cause(out: io.StringIO) -> None:
    try:
        try:
            fail_with_customer_text()
        except ValueError as exc:
            raise LookupFailed("The lookup did not answer.") from exc
    except LookupFailed as error:
        structlog.get_logger().warning("lookup", exc_info=error)
    assert lines(out)[0]["error"] == "LookupFailed: The lookup did not answer. from ValueError"


def test_a_library_speaks_without_the_values_it_filled_in(out: io.StringIO) -> None:
    logging.getLogger("aiohttp.server").error("Error handling request from %s", "203.0.113.9")
    as_asyncio_does = f"Task exception was never retrieved\nfuture: {PRIVATE}"
    logging.getLogger("asyncio").error(as_asyncio_does)
    first, second = lines(out)
    assert (first["event"], first["logger"]) == ("Error handling request from %s", "aiohttp.server")
    assert second["event"] == "Task exception was never retrieved"


def test_the_access_log_with_its_tokens_is_off(out: io.StringIO) -> None:
    logging.getLogger("aiohttp.access").error("GET /chat/stream?customer=c1.secret")
    assert not out.getvalue()


def test_a_terminal_gets_colours_and_no_json() -> None:
    out = Terminal()
    logs.setup(out, {})
    structlog.get_logger().info("server.started", port=8080)
    assert "\x1b[" in out.getvalue()
    assert "server.started" in out.getvalue()
    assert not out.getvalue().startswith("{")


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_means_none(environ: dict[str, str]) -> None:
    out = Terminal()
    logs.setup(out, environ)
    structlog.get_logger().info("server.started", port=8080)
    assert "\x1b" not in out.getvalue()
