"""How is the gateway served over a socket, and stopped again?"""

from collections.abc import Callable
from socket import socket

import uvicorn

from domain.access import Role
from gateway.app import build_app
from gateway.keys import create_key
from gateway.settings import Settings
from storage.keys import SqlKeys
from storage.store import SqlStore


async def serve(settings: Settings, *, on_ready: Callable[[str, str | None], None]) -> None:
    """Serve until told to stop. `on_ready` gets the base URL, and the first key if one had to be made."""
    store = await SqlStore.open(settings.database_path)
    try:
        first_key = await first_admin_key(SqlKeys(store.database))
        await serve_store(store, settings, on_ready=lambda url: on_ready(url, first_key))
    finally:
        await store.close()


async def serve_store(store: SqlStore, settings: Settings, *, on_ready: Callable[[str], None]) -> None:
    """Serve an open store until told to stop."""
    config = uvicorn.Config(
        build_app(store, settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="websockets-sansio",
    )
    await _AnnouncingServer(config, on_ready).serve()


async def first_admin_key(keys: SqlKeys) -> str | None:
    """A key for a system administrator when there is no key at all yet, else None."""
    if not await keys.is_empty():
        return None
    _, token = await create_key(keys, name="first-admin", role=Role.SYSTEM_ADMIN)
    return token


class _AnnouncingServer(uvicorn.Server):
    """Tells its URL once it listens: only then is the port known when a free one was asked for."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._on_ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
