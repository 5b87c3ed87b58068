"""What is counted of the gateway's work, for Prometheus to collect?

The names, labels and meaning of all metrics are told in docs/how-to/operate.md. Every label has few values,
however many callers, processes and upgrades there are.
"""

import asyncio
import platform
import time
from collections.abc import Mapping, MutableMapping
from datetime import timedelta
from importlib.metadata import version
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import generate_latest
from structlog.typing import WrappedLogger

from uplift.domain.model.decision import ReasonCode, count_reasons
from uplift.domain.model.upgrade import UNFINISHED, OutcomeKind, UpgradeState
from uplift.domain.use_cases.run import DoneChunk
from uplift.storage.backend import PoolUse

METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "WEBSOCKET"})
OTHER = "OTHER"
"""Stands for every method and route that we do not answer."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
STREAMS = WEBSOCKET, EVENTS = "websocket", "events"
COUNTED_LEVELS = ("warning", "error")
LAG_EVERY = 0.5
"""Seconds between two looks at how late the event loop is."""


class Metrics:
    """The counters of one program."""

    def __init__(self) -> None:
        # Else each counter has a twin that tells when it began.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info("uplift_build", "What runs.", registry=self.registry).info(
            {"version": version("uplift-gateway"), "python": platform.python_version()}
        )
        self._requests = self._counter(
            "uplift_http_requests", "Requests that were answered.", "route", "method", "status"
        )
        self._request_seconds = self._histogram(
            "uplift_http_request_seconds", "Seconds until the answer began.", "route"
        )
        self._streams = self._gauge("uplift_open_streams", "Open WebSockets and event streams.", "kind")
        self._outcomes = self._counter("uplift_outcomes", "What upgrades did to instances.", "kind")
        self._reasons = self._counter(
            "uplift_skips", "Skipped instances, under each of their reasons.", "reason"
        )
        self._chunk_seconds = self._histogram(
            "uplift_chunk_seconds", "Seconds that a chunk's transaction took."
        )
        self._ended = self._counter("uplift_upgrades_ended", "Upgrades that ended here.", "state")
        self._upgrades = self._gauge("uplift_upgrades", "Unfinished upgrades in the database.", "state")
        self._is_up = self._gauge("uplift_database_up", "Whether the database answered just now.")
        self._in_use = self._gauge("uplift_connections_in_use", "Database connections in use.", "pool")
        self._most = self._gauge("uplift_connections_max", "Database connections there can be.", "pool")
        self._lines = self._counter("uplift_log_lines", "Lines in the log that ask for attention.", "level")
        self._lag = self._histogram("uplift_event_loop_lag_seconds", "Seconds that the event loop is late.")
        self._begin_at_zero()

    def request_answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request by its route's template, never by its path."""
        known = method if method in METHODS else OTHER
        self._requests.labels(route, known, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def stream_opened(self, kind: str) -> None:
        self._streams.labels(kind).inc()

    def stream_closed(self, kind: str) -> None:
        self._streams.labels(kind).dec()

    def chunk_done(self, chunk: DoneChunk, took: timedelta) -> None:
        """Count what became of a chunk; a uplift.domain.use_cases.run.OnChunk."""
        skipped = chunk.not_found + sum(counted.count for counted in chunk.skipped)
        self._outcomes.labels(OutcomeKind.UPGRADED).inc(chunk.upgraded)
        self._outcomes.labels(OutcomeKind.SKIPPED).inc(skipped)
        for reason, count in count_reasons(chunk.skipped, not_found=chunk.not_found).items():
            self._reasons.labels(reason).inc(count)
        self._chunk_seconds.observe(took.total_seconds())
        if chunk.upgrade.is_finished:
            self._ended.labels(chunk.upgrade.state).inc()

    def upgrade_failed(self) -> None:
        self._ended.labels(UpgradeState.FAILED).inc()

    def count_line(
        self, _: WrappedLogger, __: str, line: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Count a line of the log; a processor of structlog."""
        if line.get("level") in COUNTED_LEVELS:
            self._lines.labels(line["level"]).inc()
        return line

    def show(self, queue: Mapping[UpgradeState, int] | None, pools: Mapping[str, PoolUse]) -> bytes:
        """All metrics as Prometheus reads them. `queue` is None when the database does not answer."""
        self._is_up.set(queue is not None)
        self._upgrades.clear()
        if queue is not None:
            for state in UNFINISHED:
                self._upgrades.labels(state).set(queue.get(state, 0))
        for name, pool in pools.items():
            self._in_use.labels(name).set(pool.in_use)
            self._most.labels(name).set(pool.most)
        return generate_latest(self.registry)

    async def measure_lag(self) -> None:
        """Look now and then how late the event loop is, until cancelled."""
        while True:
            due = time.monotonic() + LAG_EVERY
            await asyncio.sleep(LAG_EVERY)
            self._lag.observe(max(0.0, time.monotonic() - due))

    def _begin_at_zero(self) -> None:
        """A counter that first shows when it is 1 has no rate before."""
        for stream in STREAMS:
            self._streams.labels(stream)
        for kind in OutcomeKind:
            self._outcomes.labels(kind)
        for reason in ReasonCode:
            self._reasons.labels(reason)
        for state in (UpgradeState.COMPLETED, UpgradeState.FAILED):
            self._ended.labels(state)
        for level in COUNTED_LEVELS:
            self._lines.labels(level)

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(name, says, labels, registry=self.registry)

    def _gauge(self, name: str, says: str, *labels: str) -> Gauge:
        return Gauge(name, says, labels, registry=self.registry)

    def _histogram(self, name: str, says: str, *labels: str) -> Histogram:
        return Histogram(name, says, labels, buckets=SECONDS, registry=self.registry)
