"""How are the metrics shown, at a port of their own?

Who may see them is a matter of the network, as with any exporter of Prometheus: no key is asked for, and
nothing else is served there but the probes, which a worker alone has nowhere else.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog import get_logger

from uplift.domain.model.upgrade import UpgradeState
from uplift.gateway.http.health import PATIENCE, health_routes
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.server.listener import listening, url_of
from uplift.gateway.settings import Settings
from uplift.storage.store import SqlStore


@asynccontextmanager
async def metrics_served(
    store: SqlStore, settings: Settings, metrics: Metrics, *, on_ready: Callable[[str], None]
) -> AsyncIterator[None]:
    """Serve the metrics while the block runs, if settings say where. `on_ready` gets their URL.

    Raises InvalidInput when it cannot listen there.
    """
    if settings.metrics_port is None:
        yield
        return
    with listening(settings.metrics_host, settings.metrics_port, of="metrics_") as listener:
        server = _Server(
            uvicorn.Config(
                metrics_app(store, metrics),
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=1,
            )
        )
        tasks = asyncio.create_task(server.serve([listener])), asyncio.create_task(metrics.measure_lag())
        on_ready(f"{url_of(listener)}/metrics")
        try:
            yield
        finally:
            server.should_exit = True
            tasks[1].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def metrics_app(store: SqlStore, metrics: Metrics) -> Starlette:
    """`/metrics`, and the probes."""

    async def show(_: Request) -> Response:
        shown = metrics.show(await _queue_of(store), store.database.pools())
        return Response(shown, media_type=CONTENT_TYPE_PLAIN_1_0_0)

    return Starlette(routes=[Route("/metrics", show), *health_routes(store.database)])


async def _queue_of(store: SqlStore) -> Mapping[UpgradeState, int] | None:
    """How many unfinished upgrades there are of each state; None when the database does not answer."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await store.unfinished()
    except Exception:
        get_logger().warning("no queue in the metrics: the database does not answer", exc_info=True)
        return None


class _Server(uvicorn.Server):
    """Leaves signals to the program."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
