"""How is the gateway started, and what does it say when it is ready?"""

import asyncio
import gc
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from uplift.domain.model.instance import Status
from uplift.domain.model.paging import PageRequest
from uplift.domain.model.selection import AllActive
from uplift.domain.ports import InstanceFilter
from uplift.domain.use_cases.plan import plan_upgrade
from uplift.gateway.app import upgrade_worker
from uplift.gateway.cli.runner import DatabaseUrl, local_caller, opened_store, run, settings_with
from uplift.gateway.cli.tables import console, plan_table
from uplift.gateway.demo import PROCESS, fill
from uplift.gateway.observability.logging import configure_logs
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.observability.metrics_server import metrics_served
from uplift.gateway.operations.summaries import summary_of_plan
from uplift.gateway.server.listener import listening
from uplift.gateway.server.server import first_admin_key, serve_store
from uplift.gateway.server.server import serve as serve_settings
from uplift.gateway.server.signals import stopped_by_signals
from uplift.gateway.settings import Settings, without_password
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore

ROWS = 16
"""Cohorts of the plan that the demo shows."""

Host = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="The address to listen at, 127.0.0.1. \\[env var: UPLIFT_HOST]"),
]
Port = Annotated[
    int | None,
    typer.Option(metavar="PORT", help="The port, 8000; 0 takes a free one. \\[env var: UPLIFT_PORT]"),
]


AtOnce = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Shares of upgrades worked on side by side, 2; with SQLite an upgrade is one partition. "
        "\\[env var: UPLIFT_WORKER_CONCURRENCY]",
    ),
]
ChunkMs = Annotated[
    int | None,
    typer.Option(
        metavar="MS", help="How long a chunk may hold the write lock, 50. \\[env var: UPLIFT_CHUNK_MS]"
    ),
]
LeaseSeconds = Annotated[
    int | None,
    typer.Option(
        metavar="S",
        help="How long a dead worker's partition waits for another, 10. \\[env var: UPLIFT_LEASE_SECONDS]",
    ),
]
StopSeconds = Annotated[
    int | None,
    typer.Option(
        metavar="S",
        help="How long requests and chunks under way may take to end at a stop, 5. "
        "\\[env var: UPLIFT_STOP_SECONDS]",
    ),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        metavar="PORT",
        help="The port of /metrics, without a key; none unless it is set. \\[env var: UPLIFT_METRICS_PORT]",
    ),
]
MetricsHost = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="The address of /metrics, 127.0.0.1. \\[env var: UPLIFT_METRICS_HOST]"
    ),
]
LogFormat = Annotated[
    Literal["console", "json"] | None,
    typer.Option(help="How log lines look. \\[env var: UPLIFT_LOG_FORMAT]"),
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"] | None,
    typer.Option(help="The least important line that is logged. \\[env var: UPLIFT_LOG_LEVEL]"),
]


def serve(
    host: Host = None,
    port: Port = None,
    database_url: DatabaseUrl = None,
    max_body_bytes: Annotated[
        int | None,
        typer.Option(metavar="BYTES", help="The largest request body. \\[env var: UPLIFT_MAX_BODY_BYTES]"),
    ] = None,
    introspection: Annotated[
        bool | None,
        typer.Option(help="Whether schema and GraphiQL are shown. \\[env var: UPLIFT_INTROSPECTION]"),
    ] = None,
    allowed_origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Another web origin whose pages may call. \\[env var: UPLIFT_ALLOWED_ORIGINS, a JSON list]"
        ),
    ] = None,
    worker: Annotated[
        bool | None,
        typer.Option(help="Whether the server works off upgrades itself. \\[env var: UPLIFT_WORKER]"),
    ] = None,
    worker_concurrency: AtOnce = None,
    chunk_ms: ChunkMs = None,
    lease_seconds: LeaseSeconds = None,
    wait_seconds: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="How long upgradeInstances waits for the end, 30. \\[env var: UPLIFT_WAIT_SECONDS]",
        ),
    ] = None,
    stop_seconds: StopSeconds = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = None,
    access_log: Annotated[
        bool | None,
        typer.Option(help="Whether each request gets a line in the log. \\[env var: UPLIFT_ACCESS_LOG]"),
    ] = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
) -> None:
    """Serve both APIs and GraphiQL. The database is created when it is not there, with a first key."""
    settings = settings_with(
        host=host,
        port=port,
        database_url=database_url,
        max_body_bytes=max_body_bytes,
        introspection=introspection,
        allowed_origins=tuple(allowed_origin) if allowed_origin else None,
        worker=worker,
        worker_concurrency=worker_concurrency,
        chunk_ms=chunk_ms,
        lease_seconds=lease_seconds,
        wait_seconds=wait_seconds,
        access_log=access_log,
        stop_seconds=stop_seconds,
        metrics_port=metrics_port,
        metrics_host=metrics_host,
        log_format=log_format,
        log_level=log_level,
    )
    metrics = Metrics()
    configure_logs(settings, metrics)
    run(serve_settings(settings, metrics, on_ready=_announce, on_metrics=_announce_metrics))


def worker(
    database_url: DatabaseUrl = None,
    worker_concurrency: AtOnce = None,
    chunk_ms: ChunkMs = None,
    lease_seconds: LeaseSeconds = None,
    stop_seconds: StopSeconds = None,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
) -> None:
    """Work off queued upgrades, without serving, until told to stop."""
    settings = settings_with(
        database_url=database_url,
        worker_concurrency=worker_concurrency,
        chunk_ms=chunk_ms,
        lease_seconds=lease_seconds,
        stop_seconds=stop_seconds,
        metrics_port=metrics_port,
        metrics_host=metrics_host,
        log_format=log_format,
        log_level=log_level,
    )
    metrics = Metrics()
    configure_logs(settings, metrics)
    run(_work(settings, metrics))


async def _work(settings: Settings, metrics: Metrics) -> None:
    async with (
        opened_store(settings, must_exist=True) as store,
        metrics_served(store, settings, metrics, on_ready=_announce_metrics),
    ):
        stopping = asyncio.Event()
        with stopped_by_signals(stopping.set):
            typer.echo(
                f"Working off upgrades in {without_password(settings.database_url)} until told to stop."
            )
            await upgrade_worker(store, settings, metrics, stopping).run()


def demo(
    instances: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="How many instances there are.")
    ] = 100_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same instances.")] = 1,
    host: Host = None,
    port: Port = None,
) -> None:
    """Serve a loan process with many instances from a temporary database, and show how to call it."""
    settings, metrics = settings_with(host=host, port=port), Metrics()
    configure_logs(settings, metrics)
    with tempfile.TemporaryDirectory(prefix="uplift-demo-") as folder:
        run(_serve_demo(Path(folder) / "demo.sqlite", instances, seed, settings, metrics))


async def _serve_demo(path: Path, instances: int, seed: int, settings: Settings, metrics: Metrics) -> None:
    with listening(settings.host, settings.port) as listener:
        typer.echo(f"Drawing up {instances:,} instances of process {PROCESS} …")
        store = await SqlStore.open(path)
        try:
            await fill(store, instances=instances, seed=seed, caller=local_caller())
            key = await first_admin_key(SqlKeys(store.database))
            assert key is not None, "a new database has no keys"
            example = await _an_instance_that_waits(store)
            plan = summary_of_plan(await plan_upgrade(store, process=PROCESS, selection=AllActive()))

            def welcome(url: str) -> None:
                typer.echo(_welcome(url, key, example))
                console().print(plan_table(plan, rows=ROWS))

            async with metrics_served(store, settings, metrics, on_ready=_announce_metrics):
                await serve_store(store, settings, metrics, listener, on_ready=welcome)
        finally:
            await store.close()


async def _an_instance_that_waits(store: SqlStore) -> str:
    waiting = InstanceFilter(status=Status.PENDING)
    page = (await store.instance_pages([PROCESS], waiting, PageRequest(first=1)))[PROCESS]
    return str(page.items[0].id) if page.items else "00000000-0000-0000-0000-000000000000"


def _announce(url: str, first_key: str | None) -> None:
    _settle()
    said = f"Uplift serves {url} (GraphiQL: {url}/graphql, REST: {url}/openapi.json)."
    if first_key is not None:
        said += f"\nThe first system administrator key, shown only this once:\n\n  {first_key}\n"
    typer.echo(said)  # at once: whoever waits for the first line reads on without waiting


def _settle() -> None:
    """What is there by now stays: to look for garbage in it now and then would hold requests up by 50 ms."""
    gc.collect()
    gc.freeze()


def _announce_metrics(url: str) -> None:
    typer.echo(f"Metrics are at {url}, without a key.")


def _welcome(url: str, key: str, instance: str) -> str:
    return f"""
Uplift serves {url} until you press Ctrl+C.

  System administrator key   {key}
  GraphiQL                   {url}/graphql   (put the key into Headers)
  REST, as OpenAPI           {url}/openapi.json

Upgrade one instance over the REST path:

  curl -X POST {url}/pub/v1/bpm/instance/bytemplate/{PROCESS.namespace}/{PROCESS.code}/version \\
    -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
    -d '{{"instanceIds": ["{instance}"]}}'

Upgrade all active ones by GraphQL:

  mutation {{
    upgradeInstances(input: {{
      namespace: "{PROCESS.namespace}", code: "{PROCESS.code}", selection: {{allActive: {{}}}}
    }}) {{
      upgrade {{ id total upgraded skipped countsByReason {{ code count }} }}
      userErrors {{ code message }}
    }}
  }}
"""
