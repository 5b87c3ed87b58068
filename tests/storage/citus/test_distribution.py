"""`distribute` changes a whole database or nothing, and only one that it may change."""

from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from tests.storage.citus.coordinators import changed, distribute_at, execute
from tests.support.stores import an_open_database
from uplift.domain.errors import InvalidInput
from uplift.storage.citus import distribution
from uplift.storage.citus.distribution import CitusDistribution, distribute
from uplift.storage.citus.nodes import TABLES, TableKinds, find_kinds
from uplift.storage.database import Database
from uplift.storage.sql.buckets import BUCKETED, NO_BUCKETS, Layout, LayoutEngine
from uplift.testing.builders import a_process, instances

pytestmark = pytest.mark.anyio

ADD_LINK = (
    "INSERT INTO link (uuid, name, kind, namespace, sweep_interval, created_at, created_by, next_number, "
    "next_batch) VALUES (gen_random_uuid(), 'a', 1, 'n', 1, now(), 'a', 1, 1)"
)
UNDISTRIBUTED = TableKinds(
    distributed=frozenset(), reference=frozenset(), local=frozenset(), unknown=frozenset(TABLES)
)


async def seen(url: URL) -> tuple[Layout, TableKinds]:
    """The layout of a database, and how Citus knows its tables."""
    database = Database.at(url)
    try:
        await database.read_layout()
        async with database.reading() as connection:
            return database.layout, await find_kinds(connection)
    finally:
        await database.close()


async def value(url: URL, query: str) -> object:
    database = Database.at(url)
    try:
        async with database.reading() as connection:
            found: object = (await connection.exec_driver_sql(query)).scalar_one()
            return found
    finally:
        await database.close()


async def test_large_tables_are_distributed_and_all_others_known_to_citus(url: URL) -> None:
    async with an_open_database(url) as store:
        await a_process(store, holding=instances(range(40)))
    planned = await distribute_at(url)
    assert (planned.is_distributed, planned.instances, planned.shards, planned.workers) == (False, 40, 4, 2)
    layout, kinds = await seen(url)
    assert (len(layout.buckets), layout.engine) == (4, LayoutEngine.CITUS)
    assert kinds.distributed == frozenset(BUCKETED)
    assert kinds.local == frozenset(TABLES) - frozenset(BUCKETED)


async def test_each_bucket_hashes_to_a_shard_of_its_own(undistributed: URL) -> None:
    shards = "SELECT (hashint4(number)::bigint + 2147483648) / 134217728 FROM unnest($1::integer[]) AS number"
    async with changed(undistributed, "") as connection:
        numbers = await CitusDistribution().choose_buckets(connection, 32)
        found = await connection.exec_driver_sql(shards, (list(numbers),))
        assert sorted(found.scalars()) == list(range(32))


async def test_new_sessions_wait_for_no_lock_without_an_end(distributed: URL) -> None:
    settings = (
        "SELECT array_agg(setting ORDER BY setting) FROM pg_db_role_setting "
        "JOIN pg_database ON pg_database.oid = setdatabase, unnest(setconfig) AS setting "
        "WHERE datname = current_database() AND setting !~ 'search_path'"
    )
    assert await value(distributed, settings) == [
        "citus.multi_shard_modify_mode=sequential",
        "citus.propagate_set_commands=local",
        "jit=off",
        "lock_timeout=5s",
    ]


async def test_a_failure_half_way_leaves_nothing_and_can_be_repeated(url: URL) -> None:
    await execute(
        url,
        "CREATE FUNCTION fake_citus.fail() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE EXCEPTION ''the worker is off''; END'; CREATE TRIGGER failing BEFORE INSERT ON "
        "fake_citus.pg_dist_partition FOR EACH ROW WHEN (new.logicalrelid::text = 'version') "
        "EXECUTE FUNCTION fake_citus.fail()",
    )
    with pytest.raises(Exception, match="the worker is off"):
        await distribute_at(url)
    assert await seen(url) == (NO_BUCKETS, UNDISTRIBUTED)
    await execute(url, "DROP FUNCTION fake_citus.fail CASCADE")
    assert not (await distribute_at(url)).is_distributed


async def test_tables_of_a_restored_dump_are_distributed_again(url: URL) -> None:
    await distribute_at(url)
    before = await seen(url)
    await execute(url, "DELETE FROM pg_dist_partition")
    assert (await distribute_at(url, None)).is_distributed
    assert await seen(url) == before


async def test_a_distributed_database_is_repaired(url: URL) -> None:
    await distribute_at(url)
    before = await seen(url)
    await execute(
        url,
        f"ALTER DATABASE {url.database} RESET ALL; ALTER DATABASE {url.database} SET search_path = public, "
        "fake_citus; DELETE FROM pg_dist_partition WHERE logicalrelid = 'decision'::regclass; "
        "UPDATE pg_dist_partition SET repmodel = 't' WHERE logicalrelid = 'upgrade'::regclass",
    )
    assert (await distribute_at(url, None)).is_distributed
    assert await seen(url) == before
    async with an_open_database(url):
        pass


REFUSED = {
    "to be at revision": ("UPDATE alembic_version SET version_num = '0007'", 4),
    "at least 2 shards, but got none": ("", None),
    "at least 2 shards, but got 1": ("", 1),
    "from 1 to 1,024, but got 1,025": ("", 1_025),
    "Citus 12 or newer, but it has none": ("DROP FUNCTION citus_version", 4),
    "Citus 12 or newer, but it has 11.3.1": ("UPDATE program SET version = 'Citus 11.3.1 on x86_64'", 4),
    "to know the address of the coordinator": ("DELETE FROM pg_dist_node WHERE groupid = 0", 4),
    "a node that may have shards": ("UPDATE pg_dist_node SET shouldhaveshards = false", 4),
    "but it has some: linked processes": (ADD_LINK, 4),
}
"""What an error says, what comes before, and the number of shards."""


@pytest.mark.parametrize("message", REFUSED)
async def test_refuses_a_database_that_it_may_not_distribute(undistributed: URL, message: str) -> None:
    before, shards = REFUSED[message]
    async with changed(undistributed, before) as connection:
        with pytest.raises(InvalidInput, match=message):
            await distribute(connection, shards)
    assert await seen(undistributed) == (NO_BUCKETS, UNDISTRIBUTED)


async def test_refuses_while_another_program_is_connected(
    undistributed: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distribution, "ENDING_SECONDS", 0)
    other = Database.at(undistributed.update_query_dict({"application_name": "a gateway"}))
    async with other.reading():
        with pytest.raises(
            InvalidInput, match=r"there are connections of: a gateway\. Stop these programs\."
        ):
            await distribute_at(undistributed)
    await other.close()
    assert await seen(undistributed) == (NO_BUCKETS, UNDISTRIBUTED)


async def test_refuses_another_number_of_shards_later(distributed: URL) -> None:
    async with changed(distributed, "") as connection:
        with pytest.raises(InvalidInput, match=r"to be the 4 that the database has, .* but got 5"):
            await distribute(connection, 5)


async def test_refuses_a_file(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "uplift.sqlite")
    await database.close()
    with pytest.raises(InvalidInput, match="but it is an SQLite file"):
        await distribute_at(tmp_path / "uplift.sqlite")
