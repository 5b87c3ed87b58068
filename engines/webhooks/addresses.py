"""Finds the addresses of a host that a webhook may be sent to."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from uplift.engines.webhooks.errors import WebhookError

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Finds the addresses of a host and port, the best one first. Raises OSError."""

MAX_ADDRESSES = 4
"""How many addresses of a host are tried."""
_NAT64 = IPv6Network("64:ff9b::/96")
"""IPv6 addresses that a router translates to the IPv4 address in their last four bytes (RFC 6052)."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def addresses_of(host: str, port: int, *, allow_private: bool, find: Resolve = resolve) -> list[str]:
    """The addresses to connect to, at most MAX_ADDRESSES. Raises WebhookError if there is none.

    Connect to one of them and not to the name, which may lead elsewhere a moment later. If one address is not
    public, none is used, unless `allow_private`.
    """
    try:
        found = await find(host, port)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "its name is not valid"
        raise WebhookError(f"Expected the host of the webhook to have an address, but: {reason}.") from error
    if not found:
        raise WebhookError("Expected the host of the webhook to have an address, but it has none.")
    if not allow_private and not all(map(is_public, found)):
        raise WebhookError(
            "Expected the host of the webhook to have public addresses only, but one is private, loopback or "
            "link-local. UPLIFT_WEBHOOK_PRIVATE_ADDRESSES=true allows them."
        )
    return list(dict.fromkeys(found))[:MAX_ADDRESSES]


def is_public(text: str) -> bool:
    """Whether an address is reachable from everywhere, also if it contains an IPv4 address."""
    address = ip_address(text)
    embedded = _embedded(address)
    return address.is_global and not address.is_multicast and (embedded is None or embedded.is_global)


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    if not isinstance(address, IPv6Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (None if teredo is None else teredo[1])
