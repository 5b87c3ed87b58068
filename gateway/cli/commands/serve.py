"""The commands `serve` and `worker`."""

from uplift.gateway.cli.options import SETTINGS, with_settings
from uplift.gateway.importing import uncollected
from uplift.gateway.settings import Settings


@with_settings(*SETTINGS)
def serve(settings: Settings) -> None:
    """Serve both APIs and GraphiQL. A missing database is created, and its first API key is shown once."""
    # Other commands need neither the APIs nor the server, and start in two thirds of the time without them.
    with uncollected():
        from uplift.gateway.cli.serving import run_gateway

    run_gateway(settings)


@with_settings(
    "database_url",
    "worker_concurrency",
    "chunk_ms",
    "lease_seconds",
    "stop_seconds",
    "webhook_private_addresses",
    "max_model_bytes",
    "max_model_tags",
    "max_model_depth",
    "compare_seconds",
    "compare_mib",
    "metrics_port",
    "metrics_host",
    "log_format",
    "log_level",
)
def worker(settings: Settings) -> None:
    """Run queued upgrades and hold links until stopped, without serving the APIs."""
    with uncollected():
        from uplift.gateway.cli.serving import run_worker  # not by other commands: see `serve`

    run_worker(settings)
