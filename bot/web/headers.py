"""What a request's headers say, and how far that can be believed."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from aiohttp import web

HOST_BITS = 64  # of an IPv6 address, https://www.rfc-editor.org/rfc/rfc6177


def octets(value: str) -> bytes:
    """A header's bytes as they were sent: not everybody sends UTF-8."""
    return value.encode(errors="surrogateescape")


def caller(request: web.Request) -> str:
    """The network address to count requests under: what a proxy beside us says, else who is connected.

    Only the last address of `X-Forwarded-For` counts, since that is the one our neighbour wrote itself.
    """
    peer = _address(request.remote or "")
    told = _address(request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip())
    known = told if told and _is_near(peer) else peer
    return _counted(known) if known else ""


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _is_near(peer: IPv4Address | IPv6Address | None) -> bool:
    """On this machine or in its private network, where a reverse proxy lives; a socket file has no address."""
    return peer is None or peer.is_private


def _counted(address: IPv4Address | IPv6Address) -> str:
    """Everybody has more IPv6 addresses than anybody could count: what is theirs is the network."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Address(int(address) >> HOST_BITS << HOST_BITS))
