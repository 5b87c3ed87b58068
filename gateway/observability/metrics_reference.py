"""Renders docs/reference/metrics.md.

After a change, write the page anew:

    python -m uplift.gateway.observability.metrics_reference > docs/reference/metrics.md
"""

import sys
from collections.abc import Iterator, Mapping

from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.upgrade import UNFINISHED, OutcomeKind, UpgradeState
from uplift.domain.ports.process_engine import EngineFaultKind
from uplift.gateway.observability.metrics import (
    COUNTED_LEVELS,
    MOVED,
    OK,
    STREAMS,
    MetricDescription,
    Metrics,
)
from uplift.gateway.observability.refusals import ConnectionRefusal
from uplift.graphql_api.engine.streams import StreamRefusal

INTRODUCTION = """\
# Metrics

With `UPLIFT_METRICS_PORT` a server or a worker serves these metrics for Prometheus at `/metrics`.
[Operate](../how-to/operate.md#metrics) says how to protect the port, and has alerts. No metric names a
process, an instance or a caller. Those of links have the name of the link.

This page is generated from `gateway/observability/metrics.py`.

"""
LIBRARY = """
The library adds `process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_open_fds` and other
metrics of the process. A histogram has the series `_bucket`, `_sum` and `_count`.

## Labels

A label has one of these values:
"""


def _codes(*values: str) -> str:
    return ", ".join(f"`{value}`" for value in values)


LABELS: Mapping[str, str] = {
    "uplift_build_info version": "the version of Uplift",
    "uplift_build_info python": "the version of Python",
    "uplift_http_requests_total route": "the template of the route; `OTHER` for unknown ones",
    "uplift_http_requests_total method": "the method; `WEBSOCKET`, or `OTHER` for unknown ones",
    "uplift_http_requests_total status": "the HTTP status; 499 if the client disconnected before the answer, "
    "101 for a WebSocket, which counts when it ends",
    "uplift_http_request_seconds route": "as above",
    "uplift_open_streams kind": _codes(*STREAMS),
    "uplift_connections_refused_total reason": f"{_codes(*ConnectionRefusal)}. `body_framing` is for "
    "trailers and chunk sizes, `unread_bytes` for responses that wait for slow readers "
    "([connections](connections.md))",
    "uplift_streams_refused_total reason": _codes(*StreamRefusal),
    "uplift_outcomes_total kind": _codes(*OutcomeKind),
    "uplift_skips_total reason": f"{_codes(*ReasonCode)} ([reasons](reasons.md))",
    "uplift_upgrades_ended_total state": _codes(UpgradeState.COMPLETED, UpgradeState.FAILED),
    "uplift_upgrades state": _codes(*sorted(UNFINISHED)),
    "uplift_connections_in_use pool": _codes("reading", "writing"),
    "uplift_connections_max pool": "as above",
    "uplift_engine_requests_total question": "what the engine is asked: "
    + _codes("describe", "versions", "model", "instances", "waiting", "locate", "objections", "move"),
    "uplift_engine_requests_total result": f"{_codes(OK, *EngineFaultKind)} ([reasons](reasons.md))",
    "uplift_engine_moves_total result": f"{_codes(MOVED)}, or the reason of the refusal",
    "uplift_log_lines_total level": _codes(*COUNTED_LEVELS),
}
"""The values of each label, except `link`: "metric label" to a text."""


def render_reference() -> str:
    """The page docs/reference/metrics.md."""
    metrics = Metrics().descriptions
    lines = (*_metrics(metrics), LIBRARY, *_labels(metrics), "")
    return INTRODUCTION + "\n".join(lines)


def _metrics(metrics: list[MetricDescription]) -> Iterator[str]:
    yield "| Metric | Type | Labels | Counts |"
    yield "|---|---|---|---|"
    for metric in metrics:
        yield f"| `{metric.name}` | {metric.kind} | {_codes(*metric.labels)} | {metric.text} |"


def _labels(metrics: list[MetricDescription]) -> Iterator[str]:
    yield "| Metric | Label | Values |"
    yield "|---|---|---|"
    yield "| all of links | `link` | the name of the link |"
    for metric in metrics:
        for label in metric.labels:
            if label != "link":
                yield f"| `{metric.name}` | `{label}` | {LABELS[f'{metric.name} {label}']} |"


if __name__ == "__main__":
    sys.stdout.write(render_reference())
