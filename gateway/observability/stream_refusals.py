"""Counts and logs the WebSockets and event streams that the gateway refuses."""

import time
from collections import Counter
from collections.abc import Callable

from structlog import get_logger

from uplift.gateway.observability.metrics import Metrics
from uplift.graphql_api.engine.streams import Refusal

LOG_INTERVAL = 10.0
"""Seconds between two log lines with the same reason: many refusals must not fill the log."""


class StreamRefusals:
    """The refused streams of one gateway, as a metric and in the log."""

    def __init__(self, metrics: Metrics, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._monotonic = monotonic
        self._silent_until: dict[Refusal, float] = {}
        self._unlogged: Counter[Refusal] = Counter()
        for reason in Refusal:
            metrics.stream_refused(reason, 0)

    def note(self, reason: Refusal) -> None:
        """Count a refusal. The line about it says how many came since the last line, this one included."""
        self._metrics.stream_refused(reason)
        self._unlogged[reason] += 1
        now = self._monotonic()
        if now >= self._silent_until.get(reason, now):
            self._silent_until[reason] = now + LOG_INTERVAL
            get_logger(__name__).warning("stream refused", reason=reason, count=self._unlogged.pop(reason))
