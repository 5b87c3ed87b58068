"""PostgreSQL reads lists and selections along an index where one bounds the work."""

from typing import Any

import pytest
from sqlalchemy import text

from tests.storage.recording import statements_on
from uplift.domain import OutcomeKind, ReasonCode, Status, VersionNumber, all_active, matching
from uplift.domain.model.paging import PageRequest
from uplift.domain.ports import InstanceFilter, OutcomeFilter
from uplift.storage.store import SqlStore
from uplift.testing.builders import ORDERS, a_process, an_instance, at
from uplift.testing.store.upgrades import carry_out

pytestmark = pytest.mark.anyio

MANY = 20_000
COPIES = f"""
INSERT INTO instance (uuid, process_id, version, status, position_id)
SELECT gen_random_uuid(), process_id, version, status, position_id
FROM instance, generate_series(1, {MANY // 20})
"""
RECORDED = """
INSERT INTO outcome (upgrade_id, instance_id, version, status, position_id)
SELECT 1, instance.id, first.version, first.status, first.position_id
FROM instance, (SELECT * FROM outcome LIMIT 1) AS first
WHERE instance.id NOT IN (SELECT instance_id FROM outcome)
"""
LARGE = ("on instance", "on outcome", "on selected")


async def fill(store: SqlStore) -> None:
    """One upgrade of many instances; their counts are those of twenty, which the plans do not depend on."""
    held = [
        an_instance(
            number,
            status=Status.RUNNING if number % 5 == 0 else Status.PENDING,
            position=at(f"e{number % 10}"),
        )
        for number in range(20)
    ]
    await a_process(store, holding=held)
    await carry_out(store, 1, all_active())
    async with store.database.writing(in_background=False) as connection:
        for statement in (COPIES, RECORDED, "ANALYZE"):
            await connection.execute(text(statement))


async def sequential_scans(store: SqlStore, sql: str, values: Any) -> list[str]:
    async with store.database.reading() as connection:
        rows = (await connection.exec_driver_sql(f"EXPLAIN {sql}", values)).all()
    steps = [str(row[0]).strip() for row in rows]
    return [step for step in steps if "Seq Scan" in step and any(table in step for table in LARGE)]


async def test_lists_and_selections_read_no_large_table_as_a_whole(store: SqlStore) -> None:
    await fill(store)
    [upgrade] = (await store.upgrades.page(ORDERS, PageRequest(first=1))).items
    async with store.database.reading() as connection:
        pass
    with statements_on(connection) as sent:
        for outcomes in (
            OutcomeFilter(),
            OutcomeFilter(kinds=frozenset({OutcomeKind.SKIPPED})),
            OutcomeFilter(elements=at("e1", "e5")),
            OutcomeFilter(reasons=frozenset({ReasonCode.NOT_PENDING})),
        ):
            await store.upgrades.outcome_pages([upgrade.id], outcomes, PageRequest(first=50, after=9))
        for instances in (
            InstanceFilter(),
            InstanceFilter(statuses=frozenset({Status.RUNNING})),
            InstanceFilter(elements=at("e1")),
            InstanceFilter(versions=frozenset({VersionNumber(1)}), statuses=frozenset({Status.RUNNING})),
        ):
            await store.instances.pages([ORDERS], instances, PageRequest(first=50, after=9))
        for selection in (
            all_active(),
            matching(elements=["e1"]),
            matching(elements=["e1"], limit=1),
            matching(statuses=[Status.RUNNING], limit=2),
        ):
            await store.instances.selected_cohorts(ORDERS, selection)
    statements = {statement.sql: statement.values for statement in sent}
    assert len(statements) >= 10
    for sql, values in statements.items():
        assert await sequential_scans(store, sql, values) == [], sql
