"""A uvicorn server whose client connections are bounded.

Of uvicorn it uses the server only: start and stop, the application's lifespan, and the `Date` header. uvicorn
calls `http_protocol_class` for each connection, tells the members of `server_state.connections` to shut down,
and waits for them and for `server_state.tasks` (decision 0016).
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Literal, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from uplift.gateway.observability.refusals import ConnectionRefusals
from uplift.gateway.server.bounds import Bounds
from uplift.gateway.server.connection import Connection
from uplift.gateway.server.connections import Connections
from uplift.gateway.server.protocol.http_handler import HttpHandler


class BoundedServer(uvicorn.Server):
    """Serves an application within bounds. `on_count` gets the number of open connections regularly."""

    def __init__(
        self,
        app: ASGIApp,
        bounds: Bounds,
        refusals: ConnectionRefusals,
        *,
        stop_seconds: int,
        websockets: bool = True,
        lifespan: Literal["on", "off"] = "on",
        is_proxy: Callable[[str], bool] = lambda _: False,
        on_count: Callable[[int], None] = lambda _: None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                # uvicorn only calls it, with the keywords of `_connect`.
                http=cast("type[asyncio.Protocol]", self._connect),
                ws="none",
                lifespan=lifespan,
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=stop_seconds,
            )
        )
        self._connections = Connections(bounds, refusals, is_proxy=is_proxy, on_count=on_count)
        self._websockets = websockets

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        watch = asyncio.create_task(self._connections.watch())
        try:
            await super().serve(sockets)
        finally:
            watch.cancel()

    def _connect(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None,
    ) -> Connection:
        return Connection(
            self._connections,
            config,
            server_state,
            app_state,
            lambda connection: HttpHandler(connection, websockets=self._websockets),
        )
