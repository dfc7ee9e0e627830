"""One line per event: JSON for machines, readable on a terminal, and never anything a customer wrote.

A log line carries ids, channel, outcome, milliseconds. Whoever passes more loses it here, and is told so.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO, cast

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bot.domain.errors import SwitchboardError

# Names of values that belong to a person or open a door. Ids (customer, case, message) are fine.
WRITTEN = {"text", "texts", "body", "content", "payload", "raw", "query", "attachments"}
PERSONAL = {
    "name",
    "username",
    "first_name",
    "last_name",
    "full_name",
    "email",
    "phone",
    "address",
    "ip",
    "remote",
}
OPENING = {"token", "secret", "password", "authorization", "cookie", "headers", "url", "signature", "api_key"}
FORBIDDEN = frozenset(WRITTEN | PERSONAL | OPENING)
ROOT = Path(__file__).resolve().parent.parent
FRAMES = 8  # of a traceback, innermost last
LONGEST = 500  # characters of a value

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def setup(
    stream: TextIO | None = None, environ: Mapping[str, str] | None = None, level: int = logging.INFO
) -> None:
    """Send our events from `level` on, and the libraries' warnings, to `stream` (standard error)."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            redact,
            without_traceback,
            *_rendering(stream or sys.stderr, os.environ if environ is None else environ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.WriteLogger(cast("TextIO", Lossy(stream or sys.stderr))),
    )
    logging.root.handlers[:] = [Forward()]
    logging.root.setLevel(logging.WARNING)
    # Its lines hold whole addresses, with the tokens in them.
    logging.getLogger("aiohttp.access").disabled = True


class Lossy:
    """A stream whose trouble (a full disk, a pipe that nobody reads any more) is not that of whoever logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def _rendering(stream: TextIO, environ: Mapping[str, str]) -> list[Processor]:
    if not stream.isatty():
        return [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=_json),
        ]
    from structlog.dev import ConsoleRenderer  # looks for other libraries, which takes a while

    colors = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return [
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        ConsoleRenderer(colors=colors, pad_event_to=24),
    ]


def _json(event: Any, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Drop what must not be written down, and name what was dropped so that the caller can be mended."""
    kept = {key: _short(value) for key, value in event.items() if key.lower() not in FORBIDDEN}
    dropped = [key for key in event if key not in kept]
    return {**kept, "dropped": dropped} if dropped else kept


def _short(value: Any) -> Any:
    if isinstance(value, Mapping | bytes):
        return f"<{type(value).__name__} of {len(value)}>"
    return f"{value[:LONGEST]}…" if isinstance(value, str) and len(value) > LONGEST else value


def without_traceback(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Say of an exception what kind it is and where it happened; the words of a foreign one may quote a customer."""
    info = _exc_info(event.pop("exc_info", None))
    if info is None:
        return event
    _, error, trace = info
    event["error"] = " from ".join(_described(link) for link in _chain(error))
    event["at"] = [_frame(frame) for frame in traceback.extract_tb(trace)[-FRAMES:]]
    return event


def _exc_info(given: Any) -> ExcInfo | None:
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    info = given if isinstance(given, tuple) else sys.exc_info() if given else None
    return info if info and info[1] is not None else None


def _chain(error: BaseException) -> list[BaseException]:
    links: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in links:
        links.append(following)
        following = following.__cause__
    return links


def _described(error: BaseException) -> str:
    kind = type(error).__name__
    return f"{kind}: {error}" if isinstance(error, SwitchboardError) else kind


def _frame(frame: traceback.FrameSummary) -> str:
    file = Path(frame.filename)
    shown = file.relative_to(ROOT) if file.is_relative_to(ROOT) else Path(*file.parts[-2:])
    return f"{shown}:{frame.lineno} {frame.name}"


class Forward(logging.Handler):
    """What libraries log through the standard library, without the values they fill in."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        # The template, and only its first line: asyncio puts the exception's words into the next ones.
        event = str(record.msg).partition("\n")[0]
        log.log(record.levelno, event, logger=record.name, exc_info=record.exc_info)
