"""The metrics of one program, for Prometheus.

docs/reference/metrics.md lists all metrics. Every label has few values, however many callers, processes and
upgrades there are.
"""

import asyncio
import platform
import time
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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

from uplift.domain.model.chunk import ChunkResult
from uplift.domain.model.decision import ReasonCode, count_reasons
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.model.order import SettledOrders
from uplift.domain.model.upgrade import UNFINISHED, OutcomeKind, UpgradeState
from uplift.domain.ports.process_engine import EngineFaultKind
from uplift.storage.backend import PoolUse

METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "WEBSOCKET"})
OTHER = "OTHER"
"""The label value for methods and routes that do not exist."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
STREAMS = WEBSOCKET, EVENTS = "websocket", "events"
OK, MOVED = "OK", "MOVED"
"""The label values for an answered request, and for a moved instance."""
COUNTED_LEVELS = ("warning", "error")
LAG_INTERVAL = 0.5
"""Seconds between two measurements of the event loop's lag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDescription:
    """A metric as docs/reference/metrics.md lists it, by the name that Prometheus shows."""

    name: str
    kind: str
    text: str
    labels: tuple[str, ...]


class Metrics:
    """The metrics of one program, in a registry of their own."""

    def __init__(self) -> None:
        # Otherwise each counter gets a second series with its time of creation.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's own lack
        self.registry = CollectorRegistry()
        self.descriptions: list[MetricDescription] = []
        ProcessCollector(registry=self.registry)
        text = "Versions of Uplift and of Python; always 1."
        self._describe("uplift_build_info", "gauge", text, ("version", "python"))
        Info("uplift_build", text, registry=self.registry).info(
            {"version": version("uplift-gateway"), "python": platform.python_version()}
        )
        self._requests = self._counter(
            "uplift_http_requests",
            "Answered HTTP requests and closed WebSockets, by the template of the route.",
            "route",
            "method",
            "status",
        )
        self._request_seconds = self._histogram(
            "uplift_http_request_seconds", "Seconds until the answer began.", "route"
        )
        self._streams = self._gauge("uplift_open_streams", "Open WebSockets and event streams.", "kind")
        self._refusals = self._counter(
            "uplift_connections_refused", "Connections that the server refused or cut off.", "reason"
        )
        self._clients = self._gauge("uplift_client_connections", "Open client connections.")
        self._clients_limit = self._gauge(
            "uplift_client_connections_max", "The most client connections that can be open."
        )
        self._refused_streams = self._counter(
            "uplift_streams_refused", "Refused WebSockets and event streams.", "reason"
        )
        self._outcomes = self._counter(
            "uplift_outcomes",
            "Instances that this program decided. The rate is the speed of upgrades. ORDERED ones are left "
            "to a linked engine: what it does is in uplift_engine_moves_total.",
            "kind",
        )
        self._reasons = self._counter(
            "uplift_skips",
            "Skipped instances by reason. An instance counts under each of its reasons.",
            "reason",
        )
        self._chunk_seconds = self._histogram(
            "uplift_chunk_seconds", "Seconds of a chunk's transaction, in which it holds its locks."
        )
        self._upgrades_ended = self._counter(
            "uplift_upgrades_ended",
            "Upgrades that ended in this program, except cancelled ones and linked ones that ended with an "
            "answer of their engine.",
            "state",
        )
        self._upgrades = self._gauge(
            "uplift_upgrades",
            "Unfinished upgrades in the database. Every program shows the same: use max, not sum.",
            "state",
        )
        self._database_up = self._gauge(
            "uplift_database_up", "1 if the database answered at this scrape, else 0."
        )
        self._connections_in_use = self._gauge(
            "uplift_connections_in_use", "Database connections in use at this scrape.", "pool"
        )
        self._connections_limit = self._gauge(
            "uplift_connections_max", "The most database connections that can be in use.", "pool"
        )
        self._engine_requests = self._counter(
            "uplift_engine_requests",
            "Requests of this program to linked engines.",
            "link",
            "question",
            "result",
        )
        self._engine_seconds = self._histogram(
            "uplift_engine_request_seconds", "Seconds until a linked engine answered.", "link"
        )
        self._engine_moves = self._counter(
            "uplift_engine_moves",
            "Instances that linked engines moved or refused to move. Orders that an engine settles by itself "
            "count in the gateway that stores its answer.",
            "link",
            "result",
        )
        self._link_held = self._gauge(
            "uplift_link_held",
            "1 if any worker holds the link, else 0. Every program shows the same: use max.",
            "link",
        )
        self._link_reachable = self._gauge(
            "uplift_link_reachable",
            "0 while the engine of the link does not answer, and its orders wait, else 1.",
            "link",
        )
        self._link_age = self._gauge(
            "uplift_link_sweep_age_seconds", "Seconds since the engine was last read as a whole.", "link"
        )
        self._log_lines = self._counter("uplift_log_lines", "Log lines of level warning and error.", "level")
        self._lag = self._histogram(
            "uplift_event_loop_lag_seconds",
            "Seconds by which the event loop is late, measured twice a second.",
        )
        self._start_at_zero()

    def request_answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request by its route's template, never by its path."""
        known = method if method in METHODS else OTHER
        self._requests.labels(route, known, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def stream_opened(self, kind: str) -> None:
        self._streams.labels(kind).inc()

    def stream_closed(self, kind: str) -> None:
        self._streams.labels(kind).dec()

    def count_refusal(self, reason: str, count: int = 1) -> None:
        """Count refused connections. A count of 0 creates the series of this reason."""
        self._refusals.labels(reason).inc(count)

    def set_clients(self, count: int, *, limit: int) -> None:
        self._clients.set(count)
        self._clients_limit.set(limit)

    def stream_refused(self, reason: str, count: int = 1) -> None:
        """Count refused streams. A count of 0 creates the series of this reason."""
        self._refused_streams.labels(reason).inc(count)

    def chunk_done(self, chunk: ChunkResult, duration: timedelta) -> None:
        """Count the outcomes of a chunk. Implements uplift.domain.use_cases.worker.OnChunk."""
        skipped = chunk.not_found + sum(counted.count for counted in chunk.skipped)
        self._outcomes_of_kind[OutcomeKind.UPGRADED].inc(chunk.upgraded)
        self._outcomes_of_kind[OutcomeKind.SKIPPED].inc(skipped)
        self._outcomes_of_kind[OutcomeKind.ORDERED].inc(chunk.ordered)
        for reason, count in count_reasons(chunk.skipped, not_found=chunk.not_found).items():
            self._reasons.labels(reason).inc(count)
        self._chunk_seconds.observe(duration.total_seconds())
        if chunk.upgrade.is_finished:
            self._upgrades_ended.labels(chunk.upgrade.state).inc()

    def upgrade_failed(self) -> None:
        self._upgrades_ended.labels(UpgradeState.FAILED).inc()

    def count_line(
        self, _: WrappedLogger, __: str, line: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Count a log line. A processor of structlog."""
        if line.get("level") in COUNTED_LEVELS:
            self._log_lines.labels(line["level"]).inc()
        return line

    def engine_answered(
        self, link: str, question: str, seconds: float, fault: EngineFaultKind | None = None
    ) -> None:
        """Count a request to the engine of a link, and how it ended."""
        self._engine_requests.labels(link, question, OK if fault is None else fault).inc()
        self._engine_seconds.labels(link).observe(seconds)

    def engine_moved(self, link: str, refusal: ReasonCode | None) -> None:
        """Count the engine's answer on an instance."""
        self._engine_moves.labels(link, MOVED if refusal is None else refusal).inc()

    def orders_settled(self, link: str, settled: Sequence[SettledOrders]) -> None:
        """Count orders that an engine settled by itself. Implements uplift.graphql_api.context.OnSettled."""
        for of_upgrade in settled:
            self._engine_moves.labels(link, MOVED).inc(of_upgrade.confirmed)
            for refusal, count in of_upgrade.refusals.items():
                self._engine_moves.labels(link, refusal).inc(count)

    def render(
        self,
        queue: Mapping[UpgradeState, int] | None,
        pools: Mapping[str, PoolUse],
        links: Mapping[str, LinkStatus],
        now: datetime,
    ) -> bytes:
        """All metrics in Prometheus' text format. `queue` is None when the database does not answer."""
        self._database_up.set(queue is not None)
        for gauge in (self._link_held, self._link_reachable, self._link_age):
            gauge.clear()
        for name, status in links.items():
            self._link_held.labels(name).set(status.is_held(now))
            self._link_reachable.labels(name).set(status.unreachable_since is None)
            if status.swept_at is not None:
                self._link_age.labels(name).set(max(0.0, (now - status.swept_at).total_seconds()))
        self._upgrades.clear()
        if queue is not None:
            for state in UNFINISHED:
                self._upgrades.labels(state).set(queue.get(state, 0))
        for name, pool in pools.items():
            self._connections_in_use.labels(name).set(pool.in_use)
            self._connections_limit.labels(name).set(pool.limit)
        return generate_latest(self.registry)

    async def measure_lag(self) -> None:
        """Measure the event loop's lag at regular intervals, until cancelled."""
        while True:
            due = time.monotonic() + LAG_INTERVAL
            await asyncio.sleep(LAG_INTERVAL)
            self._lag.observe(max(0.0, time.monotonic() - due))

    def _start_at_zero(self) -> None:
        """Create every series with the value 0: a series that starts at 1 has no rate."""
        for stream in STREAMS:
            self._streams.labels(stream)
        self._outcomes_of_kind = {kind: self._outcomes.labels(kind) for kind in OutcomeKind}
        for reason in ReasonCode:
            self._reasons.labels(reason)
        for state in (UpgradeState.COMPLETED, UpgradeState.FAILED):
            self._upgrades_ended.labels(state)
        for level in COUNTED_LEVELS:
            self._log_lines.labels(level)

    def _describe(self, name: str, kind: str, help_text: str, labels: tuple[str, ...]) -> None:
        self.descriptions.append(MetricDescription(name=name, kind=kind, text=help_text, labels=labels))

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        self._describe(f"{name}_total", "counter", help_text, labels)
        return Counter(name, help_text, labels, registry=self.registry)

    def _gauge(self, name: str, help_text: str, *labels: str) -> Gauge:
        self._describe(name, "gauge", help_text, labels)
        return Gauge(name, help_text, labels, registry=self.registry)

    def _histogram(self, name: str, help_text: str, *labels: str) -> Histogram:
        self._describe(name, "histogram", help_text, labels)
        return Histogram(name, help_text, labels, buckets=SECONDS, registry=self.registry)
