"""Serves the metrics and health probes at a port of their own.

Like other Prometheus exporters it requires no authentication: the network decides who can reach it. A worker
serves its probes only here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog import get_logger

from uplift.domain.clock import utc_now
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.model.upgrade import UpgradeState
from uplift.gateway.http.health import TIMEOUT, health_routes
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.observability.refusals import ConnectionRefusals
from uplift.gateway.server.bounded_server import BoundedServer
from uplift.gateway.server.bounds import Bounds
from uplift.gateway.server.listener import listening, url_of
from uplift.gateway.settings import Settings
from uplift.storage.store import SqlStore

BOUNDS = Bounds(
    connections=32,
    connections_per_address=16,
    head_seconds=5,
    message_seconds=5,
    message_bytes=1,
    send_seconds=10,
)
"""Few programs read metrics and probes. The API's server keeps the descriptors for them free.

One address may have half of the connections, so that it cannot keep the probes of others out.
"""


@asynccontextmanager
async def metrics_served(
    store: SqlStore, settings: Settings, metrics: Metrics, *, on_ready: Callable[[str], None]
) -> AsyncIterator[None]:
    """Serve the metrics while the block runs, if `metrics_port` is set. `on_ready` receives their URL.

    Raises InvalidInput when it cannot listen.
    """
    if settings.metrics_port is None:
        yield
        return
    with listening(settings.metrics_host, settings.metrics_port, setting_prefix="metrics_") as listeners:
        server = _Server(
            metrics_app(store, metrics),
            BOUNDS,
            ConnectionRefusals(metrics),
            stop_seconds=1,
            websockets=False,
            lifespan="off",
        )
        serving = asyncio.create_task(server.serve(list(listeners)))
        measuring = asyncio.create_task(metrics.measure_lag())
        on_ready(f"{url_of(listeners[0])}/metrics")
        try:
            yield
        finally:
            server.should_exit = True
            measuring.cancel()
            await asyncio.gather(serving, measuring, return_exceptions=True)


def metrics_app(store: SqlStore, metrics: Metrics) -> Starlette:
    """The application with `/metrics` and the probes."""

    async def show(_: Request) -> Response:
        queue = await _queue_of(store)
        links = {} if queue is None else await _links_of(store)
        text = metrics.render(queue, store.database.pools(), links, utc_now())
        return Response(text, media_type=CONTENT_TYPE_PLAIN_1_0_0)

    return Starlette(routes=[Route("/metrics", show), *health_routes(store.database)])


async def _queue_of(store: SqlStore) -> Mapping[UpgradeState, int] | None:
    """Unfinished upgrades by state; None when the database does not answer."""
    try:
        async with asyncio.timeout(TIMEOUT):
            return await store.unfinished()
    except Exception:
        get_logger().warning("no queue metrics: the database does not answer", exc_info=True)
        return None


async def _links_of(store: SqlStore) -> Mapping[str, LinkStatus]:
    """The status of each link by name; none when the database does not answer."""
    try:
        async with asyncio.timeout(TIMEOUT):
            return {link.name: status for link, status in await store.links.all_with_status()}
    except Exception:
        get_logger().warning("no metrics of links: the database does not answer", exc_info=True)
        return {}


class _Server(BoundedServer):
    """Leaves signals to the program that it is part of."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
