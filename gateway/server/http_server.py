"""Serves the gateway over a socket until it is stopped."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog import get_logger

from uplift.gateway.app import build_app
from uplift.gateway.auth.keys import first_admin_key
from uplift.gateway.database import open_store
from uplift.gateway.http.forwarded import Forwarded, TrustedProxies
from uplift.gateway.http.security_headers import SecurityHeaders
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.observability.refusals import ConnectionRefusals
from uplift.gateway.observability.request_log import RequestLog
from uplift.gateway.server.bounded_server import BoundedServer
from uplift.gateway.server.bounds import Bounds, connections_within_descriptors
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
    """Serve until a signal stops the program.

    `on_ready` receives the base URL, and the first API key if the database had none. `on_metrics` receives
    the URL of the metrics if they are served. Raises InvalidInput, and writes nothing, when it cannot listen.
    """
    database = settings.database
    # Listen before the first key is created: a key that cannot be shown would be lost.
    with listening(settings.host, settings.port) as listeners:
        store = await open_store(database)
        try:
            async with metrics_served(store, settings, metrics, on_ready=on_metrics):
                first_key = await first_admin_key(SqlKeys(store.database))
                await serve_store(
                    store, settings, metrics, listeners, on_ready=lambda url: on_ready(url, first_key)
                )
        finally:
            await store.close()


async def serve_store(
    store: SqlStore,
    settings: Settings,
    metrics: Metrics,
    listeners: Sequence[socket.socket],
    *,
    on_ready: Callable[[str], None],
) -> None:
    """Serve an open store until a signal stops the program."""
    stopping = asyncio.Event()
    app = served_app(store, settings, metrics, stopping)
    await _Server(app, settings, metrics, on_ready, stopping).serve(list(listeners))


def bounds_of(settings: Settings) -> Bounds:
    """The bounds of the clients' connections."""
    connections = connections_within_descriptors(settings.max_connections)
    if connections < settings.max_connections:
        get_logger().warning(
            "fewer connections than UPLIFT_MAX_CONNECTIONS: the limit of descriptors (ulimit -n) is low",
            connections=connections,
            expected=settings.max_connections,
        )
    return Bounds(
        connections=connections,
        connections_per_address=min(settings.max_connections_per_address, connections),
        head_seconds=settings.max_head_seconds,
        message_seconds=settings.max_body_seconds,
        message_bytes=settings.max_body_bytes,
        send_seconds=settings.max_send_seconds,
    )


def served_app(store: SqlStore, settings: Settings, metrics: Metrics, stopping: asyncio.Event) -> ASGIApp:
    """The application inside its middleware: proxy, request log, security headers, an answer at shutdown."""
    app = SecurityHeaders(_AnswerAtShutdown(build_app(store, settings, metrics, stopping)))
    return Forwarded(
        RequestLog(app, metrics, access_log=settings.access_log),
        root_path=settings.root_path,
        proxies=TrustedProxies(settings.trusted_proxies),
    )


class _AnswerAtShutdown:
    """Answers a request with 503 when the shutdown cancels it, instead of logging a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:  # only uvicorn cancels a request, when its shutdown timeout has passed
            get_logger().warning("request cancelled by shutdown")
            if scope["type"] == "http":
                response = PlainTextResponse("The gateway is shutting down.", 503, {"connection": "close"})
                with suppress(RuntimeError):  # the response has started already
                    await response(scope, receive, send)


class _Server(BoundedServer):
    """Reports its URL once it answers, and exits with code 0 when a signal stops it."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        metrics: Metrics,
        on_ready: Callable[[str], None],
        stopping: asyncio.Event,
    ) -> None:
        bounds = bounds_of(settings)
        super().__init__(
            app,
            bounds,
            ConnectionRefusals(metrics),
            stop_seconds=settings.stop_seconds,
            is_proxy=TrustedProxies(settings.trusted_proxies).__contains__,
            on_count=partial(metrics.set_clients, limit=bounds.connections),
        )
        self._on_ready = on_ready
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready(url_of(self.servers[0].sockets[0]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn now waits for open requests. Requests that wait for an upgrade end on this event.
        self._stopping.set()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Replaces uvicorn's handlers: they raise the signal again at the end, which ends in an error."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        with stopped_by_signals(self._begin_to_stop):
            yield

    def _begin_to_stop(self) -> None:
        self.should_exit = True
