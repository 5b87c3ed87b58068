"""A store does not open on a cluster where a crash or a lock could break what Uplift promises."""

import pytest
from sqlalchemy.engine import URL

from tests.storage.citus.coordinators import changed, distribute_at, execute
from uplift.domain.errors import StoreUnavailable
from uplift.storage.citus.examination import UnsafeCluster, require_safe
from uplift.storage.store import SqlStore

pytestmark = pytest.mark.anyio

KNOWN = "UPDATE pg_dist_partition SET {} WHERE logicalrelid = '{}'::regclass"
UNSAFE = {
    "it has no Citus. Install Citus 12": "DROP FUNCTION citus_version",
    "it has Citus 11.3.1. Install Citus 12": "UPDATE program SET version = 'Citus 11.3.1 on x86_64'",
    "no node may have shards. Add the workers": "UPDATE pg_dist_node SET shouldhaveshards = false",
    "the table instance is not distributed": KNOWN.format("partmethod = 'n'", "instance"),
    "the tables decision, version are not known to Citus, so that a crash": "DELETE FROM pg_dist_partition "
    "WHERE logicalrelid IN ('decision'::regclass, 'version'::regclass)",
    "the table upgrade is not local to the coordinator": KNOWN.format("repmodel = 't'", "upgrade"),
    "the table decision is not local to the coordinator": KNOWN.format("partmethod = 'h'", "decision"),
    "its lock_timeout is 0. Stop all gateways": "ALTER DATABASE {database} RESET lock_timeout",
    "its max_prepared_transactions is 0": "UPDATE worker_settings SET prepared = '0'",
    "other messages than English ones": "UPDATE worker_settings SET messages = 'de_DE.UTF-8'",
    "multi_shard_modify_mode is not sequential": "SET LOCAL citus.multi_shard_modify_mode = parallel",
}
"""What the error says, and the statement that makes the cluster unsafe."""


@pytest.mark.parametrize("message", UNSAFE)
async def test_names_what_makes_a_cluster_unsafe(distributed: URL, message: str) -> None:
    async with changed(distributed, UNSAFE[message]) as connection:
        with pytest.raises(UnsafeCluster) as raised:
            await require_safe(connection)
    assert raised.value.message.startswith("Expected a safe cluster of Citus, but ")
    assert message in raised.value.message


async def test_a_node_that_does_not_answer_is_an_outage(distributed: URL) -> None:
    async with changed(distributed, "UPDATE worker_settings SET answers = false") as connection:
        with pytest.raises(StoreUnavailable, match="a node of its cluster does not answer"):
            await require_safe(connection)


async def test_a_store_does_not_open_and_says_all_problems_at_once(url: URL) -> None:
    await distribute_at(url)
    store = await SqlStore.open(url)
    await store.close()
    await execute(
        url,
        f"ALTER DATABASE {url.database} RESET lock_timeout; "
        "DELETE FROM pg_dist_partition WHERE logicalrelid = 'decision'::regclass",
    )
    with pytest.raises(UnsafeCluster) as raised:
        await SqlStore.open(url)
    assert raised.value.message == (
        "Expected a safe cluster of Citus, but the table decision is not known to Citus, so that a crash of "
        "the coordinator could break a transaction in two; a node lets transactions wait for a lock without "
        "an end: its lock_timeout is 0. Stop all gateways and workers, and run 'uplift db distribute "
        "--yes', which repairs it."
    )


async def test_a_database_without_buckets_needs_no_citus(url: URL) -> None:
    await execute(url, "DROP SCHEMA fake_citus CASCADE")
    store = await SqlStore.open(url)
    await store.close()
