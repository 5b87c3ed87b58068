"""The open connections of a server: bounds their number, and looks regularly at each for exceeded times."""

import asyncio
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Protocol, cast

from structlog import get_logger

from uplift.gateway.observability.refusals import ConnectionRefusal, ConnectionRefusals
from uplift.gateway.server.bounds import (
    FEW_CONTROL_FRAMES,
    MAX_ALL_CONTROL_FRAMES,
    MAX_CONTROL_FRAMES,
    MAX_DROPPED_BYTES,
    WATCH_SECONDS,
    Bounds,
)
from uplift.gateway.server.unread import Unread


class Watched(Protocol):
    """A connection, as the watch sees it."""

    def check(self, now: float) -> None:
        """End the connection if it has exceeded a time."""

    def abort(self) -> None:
        """Close the connection and drop what is not sent."""


class Connections:
    """The open connections of one server.

    `is_proxy` says whether a host may open as many as the server accepts. One task checks all connections: so
    none lacks a timer, nothing that a client sends stops one, and a request costs no timer.
    """

    def __init__(
        self,
        bounds: Bounds,
        refusals: ConnectionRefusals,
        *,
        is_proxy: Callable[[str], bool] = lambda _: False,
        on_count: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.bounds = bounds
        self.refusals = refusals
        self.socket_bytes = 0
        """Bytes of unread and unfinished messages of all WebSockets."""
        self.unread = Unread(lambda reader: self._open.get(cast("Watched", reader), ""))
        self._control_frames = self._dropped = 0
        self._is_proxy = is_proxy
        self._on_count = on_count
        self._open: dict[Watched, str] = {}
        self._by_network: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Watched, host: str | None) -> tuple[ConnectionRefusal, str] | None:
        """Register a connection from this host. Returns the reason and a sentence when it is refused."""
        # A trusted proxy connects for many clients.
        network = "" if host is None or self._is_proxy(host) else network_of(host)
        if len(self._open) >= self.bounds.connections:
            return ConnectionRefusal.SERVER_FULL, (
                f"Expected at most {self.bounds.connections:,} connections "
                "(UPLIFT_MAX_CONNECTIONS, and the limit of file descriptors), but got another."
            )
        if network and self._by_network[network] >= self.bounds.connections_per_address:
            return ConnectionRefusal.ADDRESS_FULL, (
                f"Expected at most {self.bounds.connections_per_address:,} connections from one address "
                "(UPLIFT_MAX_CONNECTIONS_PER_ADDRESS), but got another."
            )
        self._open[connection] = network
        self._by_network[network] += 1
        return None

    def remove(self, connection: Watched) -> None:
        """Remove a connection, if it is registered."""
        network = self._open.pop(connection, None)
        if network is not None:
            self._by_network[network] -= 1
            if not self._by_network[network]:
                del self._by_network[network]

    def is_control_flood(self, own: int) -> bool:
        """Count a ping, pong or empty fragment of a WebSocket with so many of its own. Is it a flood?"""
        self._control_frames += 1
        if self._control_frames > MAX_ALL_CONTROL_FRAMES and own > FEW_CONTROL_FRAMES:
            return True
        return own > MAX_CONTROL_FRAMES

    def drops_too_much(self, count: int) -> bool:
        """Count bytes that are dropped. Whether all connections have sent too many since the last look."""
        self._dropped += count
        return self._dropped > MAX_DROPPED_BYTES

    async def watch(self) -> None:
        """Check all connections at regular intervals, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            now = loop.time()
            self._control_frames = self._dropped = 0
            for connection in list(self._open):
                try:
                    connection.check(now)
                except Exception:  # one connection must not end the watch over the others
                    get_logger().exception("a connection could not be checked")
                    connection.abort()
            self.unread.cut_off_above_limit()
            self.refusals.log_rest(now)
            self._on_count(len(self._open))


def network_of(host: str) -> str:
    """The address to count by. One IPv6 client has a whole /64, so its addresses count as one."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else address.exploded[:19]
    return str(address)
