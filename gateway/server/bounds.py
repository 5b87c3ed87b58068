"""The bounds of client connections: their number, and the memory and time that each may take.

docs/reference/connections.md adds them up. None of them depends on how a client divides its bytes.
"""

import sys
from dataclasses import dataclass

if sys.platform != "win32":
    import resource

READ_BYTES = 16 * 1024
"""Bytes of one read, and so also the body bytes that wait for an application that has not read any yet."""
MAX_HEAD_BYTES = 32 * 1024
"""Bytes of a request line and its headers."""
MAX_HEADERS = 128
MAX_FRAMING_BYTES = 64 * 1024
"""Bytes of chunk sizes, chunk extensions and trailers between two pieces of a body."""
MAX_PIPELINED = 8
"""Requests that wait on a connection for the response to an earlier one."""
WRITE_BUFFER_BYTES = 32 * 1024
"""Unsent bytes above which the application waits before it writes more, and the bytes of one write."""
MAX_UNREAD_BYTES = 64 * 1024 * 1024
"""Bytes of all responses and messages that wait until their clients have read earlier ones."""
SOCKET_READ_BYTES = 4 * 1024
MAX_UNAUTHENTICATED_SOCKET_BYTES = 16 * 1024
"""Bytes that a WebSocket may receive before its caller is authenticated, and after the server closed it."""
MAX_SOCKET_BYTES = 64 * 1024 * 1024
"""Bytes of unread and unfinished messages of all WebSockets of a server."""
MAX_CONTROL_FRAMES = 64
"""Pings, pongs and empty fragments of a WebSocket between two looks of the watch."""
MAX_ALL_CONTROL_FRAMES = 512
"""Those of all WebSockets of a server: they take about a twentieth of a processor."""
FEW_CONTROL_FRAMES = 4
"""A WebSocket with no more of them is never closed for what others send."""

MAX_DROPPED_BYTES = 16 * 1024 * 1024
"""Bytes that closed connections may send between two looks of the watch: they are read and dropped."""

WATCH_SECONDS = 0.25
"""Seconds between two looks at all connections."""
KEEP_ALIVE_SECONDS = 5.0
CLOSE_SECONDS = 5.0
"""Seconds that a client has to close its side after the server has closed its own."""
PING_SECONDS = 20.0
"""Seconds between the pings on a WebSocket; each must be answered before the next."""

KEPT_DESCRIPTORS = 128
"""File descriptors kept for databases, files, metrics and connections that are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The bounds that settings decide. Sizes are in bytes, times in seconds."""

    connections: int
    connections_per_address: int
    head_seconds: float
    message_seconds: float
    message_bytes: int
    send_seconds: float

    @property
    def socket_bytes(self) -> int:
        """Bytes of unread and unfinished messages of all WebSockets: a few of the largest always fit."""
        return max(MAX_SOCKET_BYTES, 4 * self.message_bytes)


def connections_within_descriptors(limit: int) -> int:
    """This limit, or less where the limit of file descriptors (`ulimit -n`) allows fewer connections."""
    if sys.platform == "win32":
        return limit
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return limit
    return max(1, min(limit, max(descriptors - KEPT_DESCRIPTORS, descriptors // 2)))
