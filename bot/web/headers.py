"""What a request's headers say, and how far that can be believed."""

from __future__ import annotations

from ipaddress import ip_address

from aiohttp import web


def octets(value: str) -> bytes:
    """A header's bytes as they were sent: not everybody sends UTF-8."""
    return value.encode(errors="surrogateescape")


def caller(request: web.Request) -> str:
    """The network address to count requests under: what a proxy beside us says, else who is connected.

    Only the last address of `X-Forwarded-For` counts, since that is the one our neighbour wrote itself.
    """
    peer = request.remote or ""
    told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return told if _address(told) and _is_near(peer) else peer


def _address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_near(peer: str) -> bool:
    """On this machine or in its private network, where a reverse proxy lives; a socket file has no address."""
    return not _address(peer) or ip_address(peer).is_private
