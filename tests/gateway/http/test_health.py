"""The health probes report whether the gateway runs and whether its database answers."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from structlog.testing import capture_logs

from tests.gateway.gateway_world import Place
from tests.support.postgres import the_server
from uplift.gateway.app import build_app
from uplift.gateway.settings import Settings
from uplift.storage.schema import NEWEST
from uplift.storage.store import SqlStore

pytestmark = pytest.mark.anyio

READY = (200, {"status": "ok", "database": "answers"})
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"
UNAVAILABLE = (503, {"status": "unavailable", "database": "does not answer or takes no writes"})


@asynccontextmanager
async def a_store(place: Place) -> AsyncIterator[SqlStore]:
    """An open store. At the end, also the threads that tried to open its broken file have ended."""
    before = set(threading.enumerate())
    store = await SqlStore.open(place)
    try:
        yield store
    finally:
        await store.close()
        for thread in set(threading.enumerate()) - before:
            await asyncio.to_thread(thread.join)


@asynccontextmanager
async def a_client(store: SqlStore, settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(build_app(store, settings))
    async with httpx2.AsyncClient(transport=transport, base_url="http://uplift.test") as client:
        yield client


async def probe(client: httpx2.AsyncClient, path: str) -> tuple[int, object]:
    reply = await client.get(path)
    return reply.status_code, reply.json()


async def put_revision(store: SqlStore, revision: str) -> None:
    async with store.database.migrating() as connection:
        await connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")


def write_garbage(file: Path) -> None:
    file.write_bytes(b"this is no database" * 1_000)


@pytest.mark.parametrize(
    "break_it", [write_garbage, Path.unlink, Path.mkdir], ids=["garbage", "gone", "folder"]
)
async def test_a_broken_database_makes_it_unready_but_not_dead(folder: Path, break_it: object) -> None:
    assert callable(break_it)
    file = folder / "uplift.sqlite"
    async with a_store(file) as store, a_client(store, Settings()) as client:
        assert await probe(client, "/healthz") == (200, {"status": "ok"})
        assert await probe(client, "/readyz") == READY

        await store.close()  # the garbage would damage the log of open connections
        if break_it is Path.mkdir:
            file.unlink()
        break_it(file)

        with capture_logs() as logged:
            assert await probe(client, "/readyz") == UNAVAILABLE
        assert logged == [
            {
                "event": "not ready: the database does not answer or takes no writes",
                "log_level": "warning",
                "exc_info": True,
            }
        ]
        assert await probe(client, "/healthz") == (200, {"status": "ok"})


async def test_it_is_ready_again_once_the_database_is(folder: Path) -> None:
    file, aside = folder / "uplift.sqlite", folder / "aside.sqlite"
    async with a_store(file) as store, a_client(store, Settings()) as client:
        file.rename(aside)
        with capture_logs():
            assert await probe(client, "/readyz") == UNAVAILABLE
        aside.rename(file)
        assert await probe(client, "/readyz") == READY


async def test_it_is_ready_again_once_a_server_of_postgresql_lets_it_in() -> None:
    server = the_server()
    async with server.empty_database() as url, a_store(url) as store, a_client(store, Settings()) as client:
        assert await probe(client, "/readyz") == READY
        await server.execute(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false")
        await server.execute(CUT.format(url.database))
        with capture_logs() as logged:
            assert await probe(client, "/readyz") == UNAVAILABLE
        assert [line["event"] for line in logged] == [
            "not ready: the database does not answer or takes no writes"
        ]
        assert await probe(client, "/healthz") == (200, {"status": "ok"})
        await server.execute(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS true")
        assert await probe(client, "/readyz") == READY


async def test_it_is_not_ready_as_long_as_another_version_has_changed_the_schema(empty: Place) -> None:
    async with a_store(empty) as store, a_client(store, Settings()) as client:
        await put_revision(store, "9000")
        with capture_logs() as logged:
            assert await probe(client, "/readyz") == UNAVAILABLE
        assert len(logged) == 1
        await put_revision(store, NEWEST)
        assert await probe(client, "/readyz") == READY


async def test_what_is_not_shown_is_not_served(folder: Path) -> None:
    settings = Settings(introspection=False)
    async with a_store(folder / "uplift.sqlite") as store, a_client(store, settings) as client:
        page = await client.get("/graphql", headers={"accept": "text/html"})
        assert page.status_code == 406
        assert (await client.get("/graphql/static/manifest.json")).status_code == 404
        assert await probe(client, "/readyz") == READY
