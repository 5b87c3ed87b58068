"""Two processes never both get an instance, even if the database reports the rows that were sent."""

from asyncio import create_task
from typing import Any

import pytest
from sqlalchemy import Insert

from tests.storage.postgres.on_postgres import until_a_lock_is_awaited
from uplift.domain.errors import StoreUnavailable
from uplift.storage.sql.connection import Connection
from uplift.storage.store import SqlStore
from uplift.testing.builders import INVOICES, ORDERS, a_process, an_id, an_instance
from uplift.testing.stores import instances_of

pytestmark = pytest.mark.anyio


class SentCount:
    """A result whose row count is the number of rows that were sent, as Citus reports it."""

    def __init__(self, result: Any, sent: int) -> None:
        self._result = result
        self.rowcount = sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._result, name)


@pytest.fixture
def sent_counts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Report what was sent for each INSERT from arrays. Returns the tables that were filled."""
    execute = Connection.execute
    counted: list[str] = []

    async def reporting(self: Connection, statement: Any, parameters: Any = None, **options: Any) -> Any:
        result = await execute(self, statement, parameters, **options)
        if isinstance(statement, Insert) and isinstance(parameters, dict):
            arrays = [values for values in parameters.values() if isinstance(values, list)]
            counted.append(statement.entity_description["name"])
            return SentCount(result, len(arrays[0])) if arrays else result
        return result

    monkeypatch.setattr(Connection, "execute", reporting)
    return counted


@pytest.mark.parametrize("number", [1, 2_000])
async def test_an_instance_goes_to_one_of_two_processes(
    store: SqlStore, number: int, sent_counts: list[str]
) -> None:
    await a_process(store, ORDERS)
    await a_process(store, INVOICES)
    first = [an_instance(place) for place in range(number)]
    second = [an_instance(place, process=INVOICES) for place in range(number)]

    async def register_late() -> None:
        async with store.transaction() as transaction:
            assert await transaction.instances.lock([new.id for new in second]) == {}
            await transaction.instances.register(INVOICES, second)

    async with store.transaction() as transaction:
        await transaction.instances.register(ORDERS, first)
        late = create_task(register_late())
        await until_a_lock_is_awaited(store)
    with pytest.raises(StoreUnavailable, match="another process has got one of these instances"):
        await late
    assert len(await instances_of(store, ORDERS)) == number
    assert await instances_of(store, INVOICES) == []
    assert "instance" in sent_counts, "the fake was asked"


async def test_what_was_registered_is_found_by_its_id(store: SqlStore) -> None:
    await a_process(store, ORDERS, holding=[an_instance(place) for place in range(40)])
    ids = [an_id(number) for number in (39, 3, 900, 17)]
    assert list(await store.instances.find_many(ids)) == [an_id(39), an_id(3), an_id(17)]
