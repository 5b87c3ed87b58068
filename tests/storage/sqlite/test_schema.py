"""The tables have no index and no foreign key that would slow an upgrade down, and store ids compactly."""

import pytest

from uplift.domain import all_active, by_ids, upgrade_instances
from uplift.domain.model.request import UpgradeRequest
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, an_id, instances

pytestmark = pytest.mark.anyio

CHANGED_BY_UPGRADES = {("instance", "version"), ("instance", "position_id"), ("instance", "status")}


async def ask(store: SqlStore, sql: str) -> list[tuple[object, ...]]:
    async with store.database.reading() as connection:
        return [tuple(row) for row in await connection.exec_driver_sql(sql)]


async def names_of(store: SqlStore, kind: str) -> list[object]:
    return [name for (name,) in await ask(store, f"SELECT name FROM sqlite_master WHERE type = '{kind}'")]


async def indexed_columns(store: SqlStore, table: object) -> set[tuple[object, object]]:
    return {
        (table, column)
        for (_, index, *_rest) in await ask(store, f"PRAGMA index_list({table})")
        for (_, _, column) in await ask(store, f"PRAGMA index_info({index})")
    }


async def test_no_index_holds_what_an_upgrade_changes(store: SqlStore) -> None:
    indexed = set()
    for table in await names_of(store, "table"):
        indexed |= await indexed_columns(store, table)
    assert not indexed & CHANGED_BY_UPGRADES
    assert {column for table, column in indexed if table == "instance"} == {"id", "uuid", "process_id"}


async def test_no_foreign_key_stands_on_what_an_upgrade_changes(store: SqlStore) -> None:
    tables = await names_of(store, "table")
    keys = [
        (table, source, target, column)
        for table in tables
        for (_, _, target, source, column, *_rest) in await ask(store, f"PRAGMA foreign_key_list({table})")
    ]
    assert ("instance", "process_id", "process", "id") in keys
    assert not [key for key in keys if key[:2] in CHANGED_BY_UPGRADES]
    assert not [key for key in keys if key[2:] in CHANGED_BY_UPGRADES]
    assert not [key for key in keys if key[0] == "outcome"], "a row of the audit would look each one up"


async def test_the_audit_has_no_index_beside_its_primary_key(store: SqlStore) -> None:
    assert {origin for (_, _, _, origin, _) in await ask(store, "PRAGMA index_list(outcome)")} == {"pk"}


@pytest.mark.parametrize("table", ["instance", "upgrade", "selected"])
async def test_ids_take_sixteen_bytes(store: SqlStore, table: str) -> None:
    await a_process(store, holding=instances(range(3)))
    for selection in (by_ids([an_id(1), an_id(9)]), all_active([an_id(1)])):
        await upgrade_instances(store, UpgradeRequest(process=ORDERS, selection=selection), caller=ADMIN)
    kinds = await ask(store, f"SELECT DISTINCT typeof(uuid), length(uuid) FROM {table}")
    assert kinds == [("blob", 16)]


async def test_an_id_is_stored_as_its_own_bytes(store: SqlStore) -> None:
    await a_process(store, holding=instances([1]))
    [(stored,)] = await ask(store, "SELECT uuid FROM instance")
    assert stored == an_id(1).bytes


async def test_equal_positions_are_stored_once(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(100)))
    await upgrade_instances(store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN)
    assert await ask(store, "SELECT elements FROM position") == [('["approve"]',)]
