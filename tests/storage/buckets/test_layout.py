"""A database is divided into buckets with all that it holds, or refused."""

from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis.strategies import integers, uuids

from tests.support.hash_partitions import HashPartitions
from tests.support.postgres import the_server
from uplift.domain import all_active, by_ids, upgrade_instances
from uplift.domain.errors import InvalidInput
from uplift.domain.model.request import UpgradeRequest
from uplift.storage.buckets.layout import apply_layout
from uplift.storage.database import Database
from uplift.storage.sql.buckets import (
    BUCKETED,
    NO_BUCKETS,
    Layout,
    bucket_of,
    bucket_of_key,
    key_in,
    key_within,
)
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, an_id, instances

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


async def divide(database: Database, count: int = COUNT) -> Layout:
    async with database.migrating() as connection:
        divided = await apply_layout(connection, count, HashPartitions())
    await database.read_layout()
    assert database.layout == divided
    return divided


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


async def test_a_new_database_has_no_buckets(database: Database) -> None:
    assert database.layout == NO_BUCKETS


async def test_an_empty_database_is_divided(database: Database) -> None:
    divided = await divide(database)
    assert len(divided.buckets) == COUNT
    assert {table: await sizes(database, table) for table in BUCKETED} == {table: {} for table in BUCKETED}


async def test_each_row_goes_to_the_bucket_of_its_instance(database: Database) -> None:
    store = SqlStore(database)
    await a_process(store, holding=instances(range(200)))
    named = by_ids([an_id(number) for number in (*range(20), 900, 901)])
    for selection in (named, all_active()):
        await upgrade_instances(store, UpgradeRequest(process=ORDERS, selection=selection), caller=ADMIN)
    divided = await divide(database)
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


async def test_each_bucket_has_a_partition_of_its_own(database: Database) -> None:
    store = SqlStore(database)
    await a_process(store, holding=instances(range(200)))
    await divide(database)
    async with database.reading() as connection:
        rows = await connection.exec_driver_sql("SELECT DISTINCT tableoid, bucket FROM instance")
        assert len(rows.all()) == COUNT


async def test_a_divided_database_is_not_divided_again(database: Database) -> None:
    await divide(database)
    with pytest.raises(InvalidInput, match="divided already"):
        await divide(database)


@pytest.mark.parametrize("count", [0, 1_025])
async def test_a_wrong_number_of_buckets_is_refused(database: Database, count: int) -> None:
    with pytest.raises(InvalidInput, match="from 1 to 1,024, but got"):
        await divide(database, count)
