"""Room for everybody: each open chat window is a connection, and systems allow a process few of them at first."""

from __future__ import annotations

import resource

import structlog

log = structlog.get_logger()

WANTED = 65_536  # open files and connections
FEW = 4_096


def have_room() -> None:
    """As many as this process may have; who comes when there is no room is turned away without a word."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
        except (OSError, ValueError):  # some systems promise more than they give
            pass
    if soft != resource.RLIM_INFINITY and soft < FEW:
        log.warning(
            "connections.few", most=soft, fix="Raise the limit of open files: LimitNOFILE, ulimit -n."
        )
