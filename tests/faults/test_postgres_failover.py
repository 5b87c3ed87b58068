"""A store follows PostgreSQL through a failover to a standby."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial

import anyio
import pytest

from tests.support.postgres import Server, a_server, a_standby, binaries
from tests.support.stores import an_open_database
from uplift.domain import register_instances
from uplift.domain.errors import StoreUnavailable
from uplift.storage.postgres.url import read_postgres_url
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, an_instance, instances
from uplift.testing.stores import instances_of

pytestmark = [
    pytest.mark.faults,
    pytest.mark.anyio,
    pytest.mark.skipif(
        binaries() is None, reason="there is no PostgreSQL server: apt-get install postgresql"
    ),
]


@pytest.fixture
def servers(is_long: bool) -> Iterator[tuple[Server, Server]]:
    """A primary and its standby."""
    if not is_long:
        pytest.skip("a failover takes ten seconds: UPLIFT_FAULTS=long")
    with a_server() as primary, a_standby(primary) as standby:
        yield primary, standby


@pytest.fixture
async def primary_store(servers: tuple[Server, Server]) -> AsyncIterator[SqlStore]:
    """A store that knows both servers, and wants the one that takes writes."""
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    url = read_postgres_url(f"postgres://uplift@{hosts}/postgres?target_session_attrs=read-write")
    async with an_open_database(url) as store:
        await a_process(store, holding=[an_instance(1)])
        yield store


async def is_ready(store: SqlStore) -> bool:
    try:
        await store.database.ping()
    except StoreUnavailable:
        return False
    return True


async def has_instance(server: Server) -> bool:
    try:
        async with an_open_database(server.url()) as store:
            return len(await instances_of(store, ORDERS)) > 0
    except StoreUnavailable:  # the tables are not there yet, and it can make none
        return False


async def until(is_time: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition holds. Fails after a minute."""
    for _ in range(1_200):
        if await is_time():
            return
        await anyio.sleep(0.05)
    pytest.fail("Expected the condition to hold within a minute, but it did not.")


async def test_a_store_writes_to_the_standby_once_it_is_promoted(
    servers: tuple[Server, Server], primary_store: SqlStore
) -> None:
    primary, standby = servers
    await until(partial(has_instance, standby))
    async with an_open_database(standby.url()) as follower:
        assert not await is_ready(follower)
        with pytest.raises(StoreUnavailable, match="read-only transaction"):
            await register_instances(follower, process=ORDERS, instances=instances([2]), caller=ADMIN)
        primary.stop(mode="immediate")
        try:
            assert not await is_ready(primary_store)
            standby.promote()
            for store, number in ((primary_store, 2), (follower, 3)):
                await until(partial(is_ready, store))
                await register_instances(store, process=ORDERS, instances=instances([number]), caller=ADMIN)
                assert await instances_of(store, ORDERS) == instances(range(1, number + 1))
        finally:
            primary.start()
