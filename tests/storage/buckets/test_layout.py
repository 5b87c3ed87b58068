"""A database is divided into buckets with all that it holds, or refused."""

from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis.strategies import integers, uuids

from tests.support.postgres import the_server
from tests.support.stores import DIVIDED, Stores, divide
from uplift.domain import UpgradeState, all_active, by_ids, upgrade_instances
from uplift.domain.errors import InvalidInput
from uplift.domain.model.request import UpgradeRequest
from uplift.storage.database import Database
from uplift.storage.sql.buckets import (
    NO_BUCKETS,
    Layout,
    bucket_of,
    bucket_of_key,
    key_in,
    key_within,
)
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, a_worker, an_id, instances
from uplift.testing.linked_work import a_link
from uplift.testing.stores import outcomes_of, require_right_counts
from uplift.testing.upgrade_work import request, work, work_and_stop

pytestmark = pytest.mark.anyio

COUNT = 4
SIZES = "SELECT bucket, count(*) FROM {} GROUP BY bucket"


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    """A database with empty tables, which the test may divide."""
    async with the_server().empty_database() as url:
        opened = await Database.open(url)
        yield opened
        await opened.close()


async def sizes(database: Database, table: str) -> dict[int, int]:
    async with database.reading() as connection:
        rows = await connection.exec_driver_sql(SIZES.format(table))
        return dict([*rows])


@given(uuids(), integers(1, 100))
def test_a_bucket_depends_on_the_id_alone(uuid: UUID, count: int) -> None:
    numbers = tuple(range(3, 3 + count))
    assert Layout(buckets=numbers).bucket_of(uuid) == numbers[bucket_of(uuid, count)]
    assert bucket_of(UUID(str(uuid)), count) == bucket_of(uuid, count) < count


@given(integers(0, 2**22), integers(0, 2**40 - 1), integers(0, 2**22), integers(0, 2**40 - 1))
def test_keys_keep_their_bucket_and_order(bucket: int, key: int, other: int, other_key: int) -> None:
    assert (bucket_of_key(key_in(bucket, key)), key_within(key_in(bucket, key))) == (bucket, key)
    assert (key_in(bucket, key) < key_in(other, other_key)) == ((bucket, key) < (other, other_key))
    assert key_in(bucket, key) < 2**63


async def test_each_bucket_is_a_partition_of_its_own(stores: Stores) -> None:
    async with stores.empty("buckets") as store:
        assert isinstance(store, SqlStore)
        await a_process(store, holding=instances(range(200)))
        async with store.database.reading() as connection:
            rows = await connection.exec_driver_sql("SELECT DISTINCT tableoid, bucket FROM instance")
            assert len(rows.all()) == len(store.database.layout.buckets) == DIVIDED["buckets"]


async def test_a_divided_database_is_not_divided_again(stores: Stores) -> None:
    async with stores.empty("buckets") as store:
        assert isinstance(store, SqlStore)
        with pytest.raises(InvalidInput, match="divided already"):
            await divide(store.database, 4)


@pytest.mark.parametrize("count", [0, 1_025])
async def test_a_wrong_number_of_buckets_is_refused(stores: Stores, count: int) -> None:
    async with stores.empty("postgres") as store:
        assert isinstance(store, SqlStore)
        with pytest.raises(InvalidInput, match="from 1 to 1,024, but got"):
            await divide(store.database, count)
        assert store.database.layout == NO_BUCKETS


async def test_a_database_with_links_is_not_divided(stores: Stores) -> None:
    async with stores.empty("postgres") as store:
        assert isinstance(store, SqlStore)
        async with store.transaction() as transaction:
            await transaction.links.add(a_link())
        with pytest.raises(InvalidInput, match="without links to process engines"):
            await divide(store.database, 4)


async def test_an_sqlite_file_is_not_divided(stores: Stores) -> None:
    async with stores.empty("sqlite") as store:
        assert isinstance(store, SqlStore)
        with pytest.raises(InvalidInput, match="Expected a PostgreSQL database"):
            await divide(store.database, 4)


async def test_an_upgrade_goes_on_in_buckets_where_it_was(database: Database) -> None:
    store = SqlStore(database)
    await a_process(store, holding=instances(range(60)))
    small = a_worker(size=7)
    named = await request(store, by_ids(map(an_id, (*range(0, 60, 2), 900, 901))), worker=small)
    await work_and_stop(store, named.id, small, chunks=2)
    await divide(database, COUNT)
    done = await work(SqlStore(database), named.id, small)
    assert (done.state, done.upgraded, done.skipped) == (UpgradeState.COMPLETED, 30, 2)
    assert len(await outcomes_of(SqlStore(database), named.id)) == 32
    await require_right_counts(SqlStore(database))


async def test_each_row_goes_to_the_bucket_of_its_instance(database: Database) -> None:
    store = SqlStore(database)
    await a_process(store, holding=instances(range(200)))
    named = by_ids([an_id(number) for number in (*range(20), 900, 901)])
    for selection in (named, all_active()):
        await upgrade_instances(store, UpgradeRequest(process=ORDERS, selection=selection), caller=ADMIN)
    await divide(database, COUNT)
    divided = database.layout
    expected = Counter(divided.bucket_of(an_id(number)) for number in range(200))
    assert await sizes(database, "instance") == expected
    assert sum((await sizes(database, "outcome")).values()) == 220
    assert sum((await sizes(database, "selected")).values()) == 22
    async with database.reading() as connection:
        strays = await connection.exec_driver_sql(
            "SELECT count(*) FROM outcome JOIN instance ON id = instance_id "
            "WHERE outcome.bucket <> instance.bucket"
        )
        assert strays.scalar_one() == 0
        counts = await connection.exec_driver_sql("SELECT bucket, sum(instances) FROM cohort_part GROUP BY 1")
        assert dict([*counts]) == expected
