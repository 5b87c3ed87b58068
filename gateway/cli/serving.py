"""Runs a gateway or a worker until it is stopped: the work of the commands `serve` and `worker`."""

import asyncio
import sys

from uplift.gateway.app import beside, following_clock, link_worker, upgrade_worker
from uplift.gateway.cli.output import complain, is_output_lost, report
from uplift.gateway.cli.runner import opened_store, run
from uplift.gateway.database_clock import DatabaseClock
from uplift.gateway.memory import collect_rarely, use_one_heap
from uplift.gateway.observability.logging import configure_logs
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.server.http_server import serve
from uplift.gateway.server.metrics_server import metrics_served
from uplift.gateway.server.signals import stopped_by_signals
from uplift.gateway.settings import Settings, without_password

SWITCH_SECONDS = 0.001
"""How long a thread, such as that for large requests, keeps the interpreter while the event loop waits. With
Python's default of five times as long, each step of a small request may wait that long."""


def run_gateway(settings: Settings) -> None:
    """Serve both APIs until stopped."""
    use_one_heap()
    sys.setswitchinterval(SWITCH_SECONDS)
    metrics = Metrics()
    configure_logs(settings, metrics)
    run(serve(settings, metrics, on_ready=_announce, on_metrics=announce_metrics))


def run_worker(settings: Settings) -> None:
    """Run queued upgrades and hold links until stopped."""
    metrics = Metrics()
    configure_logs(settings, metrics)
    run(_run_worker(settings, metrics))


def announce_metrics(url: str) -> None:
    """Print where the metrics are."""
    report(f"Metrics are at {url}, without an API key.")


async def _run_worker(settings: Settings, metrics: Metrics) -> None:
    async with (
        opened_store(settings, must_exist=True) as store,
        metrics_served(store, settings, metrics, on_ready=announce_metrics),
    ):
        stopping = asyncio.Event()
        with stopped_by_signals(stopping.set):
            report(f"Running upgrades in {without_password(settings.database_url)} until stopped.")
            comparer, clock = settings.process_comparer(), DatabaseClock(store.database)
            try:
                async with following_clock(clock, stopping):
                    links = link_worker(store, settings, metrics, clock, comparer, stopping)
                    async with beside(links.run(), stopping):
                        await upgrade_worker(store, settings, metrics, clock, comparer, stopping).run()
            finally:
                await comparer.close()


def _announce(url: str, first_key: str | None) -> None:
    collect_rarely()
    pages = f"console: {url}/console, GraphiQL: {url}/graphql, REST: {url}/openapi.json"
    lines = [f"Uplift serves {url} ({pages})."]
    if first_key is not None:
        lines.append(f"The first system administrator key, shown only this once:\n\n  {first_key}\n")
    # One write: a program that waits for the first line can then read the key without waiting.
    report("\n".join(lines))
    if first_key is not None and is_output_lost():
        complain(
            "Expected to show the first system administrator key, but standard output cannot be written. "
            "Create another one: uplift keys create NAME --role system_admin."
        )
