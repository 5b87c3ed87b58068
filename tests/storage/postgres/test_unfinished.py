"""Unfinished upgrades are found by their indexes on PostgreSQL."""

import pytest

from tests.storage.recording import statements_on
from uplift.domain import UpgradeState, pause_upgrade
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, a_process, instances
from uplift.testing.upgrade_work import request

pytestmark = pytest.mark.anyio

ENDED = """
INSERT INTO upgrade
SELECT (jsonb_populate_record(
    upgrade, jsonb_build_object('id', upgrade.id + number, 'uuid', gen_random_uuid(), 'state', 4)
)).*
FROM upgrade, generate_series(1, 20000) AS number
"""
"""Many copies of an upgrade that have ended."""


async def test_unfinished_upgrades_are_found_without_those_that_have_ended(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(3)))
    paused = await pause_upgrade(store, (await request(store)).id, caller=ADMIN)
    async with store.database.writing() as connection:
        await connection.exec_driver_sql(ENDED)
        await connection.exec_driver_sql("SELECT setval(pg_get_serial_sequence('upgrade', 'id'), 20001)")
    queued = await request(store)
    async with store.database.writing() as connection:
        await connection.exec_driver_sql("ANALYZE upgrade")
    for namespaces in (None, frozenset({"crm"})):
        async with store.database.reading() as connection:
            pass
        with statements_on(connection) as sent:
            found = await store.upgrades.unfinished(100, namespaces=namespaces)
        assert [(progress.id, progress.state) for progress in found] == [
            (queued.id, UpgradeState.QUEUED),
            (paused.id, UpgradeState.PAUSED),
        ]
        [statement] = [statement for statement in sent if "UNION ALL" in statement.sql]
        async with store.database.reading() as reading:
            plan = await reading.exec_driver_sql(f"EXPLAIN {statement.sql}", statement.values)
            steps = [step for (step,) in plan if " on upgrade" in step]
        assert ["upgrade_waiting" in steps[0], "upgrade_paused" in steps[1]] == [True, True], steps
        assert len(steps) == 2, steps
