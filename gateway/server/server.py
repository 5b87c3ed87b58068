"""How is the gateway served over a socket, and stopped again?"""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog import get_logger

from uplift.domain.model.access import Role
from uplift.gateway.app import build_app
from uplift.gateway.auth.keys import create_key
from uplift.gateway.database import open_store
from uplift.gateway.http.security_headers import SecurityHeaders
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.observability.request_log import Observing
from uplift.gateway.server.header_timeout import punctual_http
from uplift.gateway.server.listener import listening, url_of
from uplift.gateway.server.metrics_server import metrics_served
from uplift.gateway.server.signals import stopped_by_signals
from uplift.gateway.settings import Settings
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore


async def serve(
    settings: Settings,
    metrics: Metrics,
    *,
    on_ready: Callable[[str, str | None], None],
    on_metrics: Callable[[str], None],
) -> None:
    """Serve until told to stop. `on_ready` gets the base URL, and the first key if one had to be made.
    `on_metrics` gets the URL of the metrics, if settings want them served.

    Raises InvalidInput when it cannot listen where the settings say, with nothing written.
    """
    where = settings.database
    # First, for a key that is made must also be shown.
    with listening(settings.host, settings.port) as listener:
        store = await open_store(where)
        try:
            async with metrics_served(store, settings, metrics, on_ready=on_metrics):
                first_key = await first_admin_key(SqlKeys(store.database))
                await serve_store(
                    store, settings, metrics, listener, on_ready=lambda url: on_ready(url, first_key)
                )
        finally:
            await store.close()


async def serve_store(
    store: SqlStore,
    settings: Settings,
    metrics: Metrics,
    listener: socket.socket,
    *,
    on_ready: Callable[[str], None],
) -> None:
    """Serve an open store until told to stop."""
    stopping = asyncio.Event()
    config = uvicorn.Config(
        served_app(store, settings, metrics, stopping),
        http=punctual_http(settings.max_head_seconds),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="on",
        ws="websockets-sansio",
        ws_max_size=settings.max_body_bytes,
        timeout_graceful_shutdown=settings.stop_seconds,
    )
    await _Server(config, on_ready, stopping).serve([listener])


def served_app(store: SqlStore, settings: Settings, metrics: Metrics, stopping: asyncio.Event) -> ASGIApp:
    """The application as it is served: observed from outside, and cut off when it is too slow to stop."""
    app = SecurityHeaders(_CuttingOff(build_app(store, settings, metrics, stopping)))
    return Observing(app, metrics, access_log=settings.access_log)


async def first_admin_key(keys: SqlKeys) -> str | None:
    """A key for a system administrator when there is no key at all yet, else None."""
    if not await keys.is_empty():
        return None
    _, token = await create_key(keys, name="first-admin", role=Role.SYSTEM_ADMIN, by="first start")
    return token


class _CuttingOff:
    """Ends a request that is too slow for a gateway that stops: by a 503, not by a traceback in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:  # nothing else than a stop cancels a request
            get_logger().warning("a request was cut off by the stop")  # which one, its own line tells
            if scope["type"] == "http":
                said = PlainTextResponse("The gateway stops.", 503, {"connection": "close"})
                with suppress(RuntimeError):  # it had begun to answer
                    await said(scope, receive, send)


class _Server(uvicorn.Server):
    """Tells its URL once it answers, and takes being told to stop for a good end."""

    def __init__(
        self, config: uvicorn.Config, on_ready: Callable[[str], None], stopping: asyncio.Event
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready(url_of(self.servers[0].sockets[0]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()  # before the wait for requests under way, which wait for this
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on these signals. uvicorn would raise them again at the end, and so end with an error."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        with stopped_by_signals(self._end):
            yield

    def _end(self) -> None:
        self.should_exit = True
