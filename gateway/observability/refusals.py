"""Counts and logs what the gateway refuses: connections, and WebSockets and event streams on them."""

import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from structlog import get_logger

from uplift.gateway.observability.metrics import Metrics
from uplift.graphql_api.engine.streams import StreamRefusal

LOG_INTERVAL = 10.0
"""Seconds between two log lines with the same reason: many refusals must not fill the log."""


class ConnectionRefusal(StrEnum):
    """Why the server refuses or cuts off a connection."""

    SERVER_FULL = "server_full"
    ADDRESS_FULL = "address_full"
    HEAD_TOO_SLOW = "head_too_slow"
    HEAD_TOO_LARGE = "head_too_large"
    BAD_REQUEST = "bad_request"
    BODY_FRAMING = "body_framing"
    SLOW_READER = "slow_reader"
    UNREAD_BYTES = "unread_bytes"
    SOCKET_BYTES = "socket_bytes"
    SOCKET_FLOOD = "socket_flood"
    SOCKET_SILENT = "socket_silent"


class ConnectionRefusals:
    """The refusals of one server, as a metric and in the log."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._silent_until: dict[ConnectionRefusal, float] = {}
        self._unlogged: dict[ConnectionRefusal, int] = {}
        for reason in ConnectionRefusal:
            metrics.count_refusal(reason, 0)

    def note(self, reason: ConnectionRefusal, why: str, *, client: str | None, now: float) -> None:
        """Count a refusal. Logs it too, unless a line with this reason is younger than LOG_INTERVAL."""
        self._metrics.count_refusal(reason)
        if now < self._silent_until.get(reason, 0.0):
            self._unlogged[reason] = self._unlogged.get(reason, 0) + 1
            return
        self._silent_until[reason] = now + LOG_INTERVAL
        get_logger().warning("connection refused", reason=reason, why=why, client=client)

    def log_rest(self, now: float) -> None:
        """Log how many refusals `note` did not log, once their interval is over."""
        for reason, count in list(self._unlogged.items()):
            if now >= self._silent_until[reason]:
                del self._unlogged[reason]
                self._silent_until[reason] = now + LOG_INTERVAL
                get_logger().warning("more connections refused", reason=reason, count=count)


class StreamRefusals:
    """The refused streams of one gateway, as a metric and in the log."""

    def __init__(self, metrics: Metrics, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._monotonic = monotonic
        self._silent_until: dict[StreamRefusal, float] = {}
        self._unlogged: Counter[StreamRefusal] = Counter()
        for reason in StreamRefusal:
            metrics.stream_refused(reason, 0)

    def note(self, reason: StreamRefusal) -> None:
        """Count a refusal. The line about it says how many came since the last line, this one included."""
        self._metrics.stream_refused(reason)
        self._unlogged[reason] += 1
        now = self._monotonic()
        if now >= self._silent_until.get(reason, now):
            self._silent_until[reason] = now + LOG_INTERVAL
            get_logger(__name__).warning("stream refused", reason=reason, count=self._unlogged.pop(reason))
