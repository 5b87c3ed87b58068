"""Positions are stored once, pruned when nobody has them, and cached within a limit."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tests.support.stores import SERVED, Stores
from uplift.domain import register_instances
from uplift.domain.model.instance import Position
from uplift.domain.ports import Store
from uplift.domain.use_cases import prune as pruning
from uplift.domain.use_cases.prune import prune_outcomes
from uplift.storage.sql.surrogate_keys import KeyCache, SurrogateKeys
from uplift.storage.sql.tables import position
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, EVENING, ORDERS, a_process, an_instance, at

pytestmark = pytest.mark.anyio

LATER = EVENING + timedelta(days=1)


@pytest.fixture(params=SERVED)
async def sql_store(request: pytest.FixtureRequest, stores: Stores) -> AsyncIterator[SqlStore]:
    """An empty store on each kind of database."""
    async with stores.empty(request.param) as empty:
        assert isinstance(empty, SqlStore)
        yield empty


@pytest.fixture
def other_store(sql_store: SqlStore) -> SqlStore:
    """Another store on the same database, with a cache of its own, as another program has it."""
    return SqlStore(sql_store.database)


async def stored(store: SqlStore) -> int:
    async with store.database.reading() as connection:
        return int((await connection.execute(select(func.count()).select_from(position))).scalar_one())


async def report(store: Store, *positions: Position) -> None:
    """Have one instance wait at each of the positions, one after the other."""
    for reported in positions:
        instance = an_instance(1, position=reported)
        await register_instances(store, process=ORDERS, instances=[instance], caller=ADMIN)


def positions(count: int, first: int = 0) -> list[Position]:
    return [at(f"place-{number}") for number in range(first, first + count)]


async def test_memory_and_table_stay_small_however_many_positions_there_were(
    sql_store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "POSITIONS_PER_TRANSACTION", 7)
    await a_process(sql_store)
    await report(sql_store, *positions(40))
    assert await stored(sql_store) == 40

    await prune_outcomes(sql_store, before=LATER)

    # The one that the instance has, which is also the newest.
    assert await stored(sql_store) == 1


async def test_the_number_of_a_pruned_position_is_not_given_to_another(sql_store: SqlStore) -> None:
    await a_process(sql_store)
    first, second, third = positions(3)
    await report(sql_store, first, second, third, first)
    await prune_outcomes(sql_store, before=LATER)
    await report(sql_store, *positions(3, first=3))
    async with sql_store.database.reading() as connection:
        numbers = list((await connection.execute(select(position.c.id).order_by(position.c.id))).scalars())
    assert len(set(numbers)) == len(numbers) == 5


async def test_another_program_that_has_cached_a_pruned_position_stores_it_again(
    sql_store: SqlStore, other_store: SqlStore
) -> None:
    await a_process(sql_store)
    first, second, third = positions(3)
    await report(other_store, first, second)
    await report(sql_store, third)
    await prune_outcomes(sql_store, before=LATER)
    await report(other_store, first)
    [found] = (await sql_store.instances.find_many([an_instance(1).id])).values()
    assert found.position == first


async def test_the_cache_keeps_its_limit_and_reads_again_what_it_dropped(sql_store: SqlStore) -> None:
    await a_process(sql_store)
    everything = positions(20)
    async with sql_store.database.writing() as connection:
        keys = SurrogateKeys(connection, KeyCache())
        process_id = await keys.process_id(ORDERS)
        assert process_id is not None
        numbers = await keys.position_ids(process_id, everything)
    small = KeyCache(max_bytes=2_000)
    for _ in range(2):
        async with sql_store.database.reading() as connection:
            keys = SurrogateKeys(connection, small)
            assert set((await keys.positions(numbers.values())).values()) == set(everything)
            assert await keys.process_key(process_id) == ORDERS
            keys.publish()
        cached = [number for number in numbers.values() if small.positions.get(number) is not None]
        assert len(cached) == 3
