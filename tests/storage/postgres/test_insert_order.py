"""Transactions that insert the same keys in different orders do not deadlock."""

import json
from asyncio import Task, create_task, gather
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import date

import pytest

from tests.storage.postgres.on_postgres import ask, until
from uplift.domain import ProcessKey, Role, register_instances, report_instances
from uplift.domain.model.access import ApiKey, KeyUse
from uplift.domain.model.instance import Instance
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.statements.instances.instances import COPY_THRESHOLD
from uplift.storage.store import SqlStore
from uplift.testing.builders import (
    ADMIN,
    INVOICES,
    NOON,
    ORDERS,
    a_process,
    a_report,
    an_id,
    an_instance,
    at,
    instances,
)
from uplift.testing.stores import instances_of

pytestmark = pytest.mark.anyio

WAITS = """
SELECT count(*) >= {} FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def until_awaited(store: SqlStore, waiting: int) -> None:
    """Wait until this many transactions wait for a lock."""
    await until(store, f"SELECT ({WAITS.format(waiting)})::int")


@asynccontextmanager
async def registered_in_between(store: SqlStore, new: Sequence[Instance]) -> AsyncIterator[None]:
    """Register the instance whose id is in the middle, and undo it at the end.

    A transaction that inserts all of them in any order must wait half way.
    """
    middle = sorted(new, key=lambda instance: instance.id)[len(new) // 2]
    async with store.database.writing() as connection:
        row = "INSERT INTO instance (uuid, process_id, version, status, position_id) VALUES"
        await connection.exec_driver_sql(f"{row} ('{middle.id}', 1, 1, 1, 1)")
        yield
        await connection.rollback()


@pytest.mark.parametrize("count", [3, COPY_THRESHOLD])
async def test_ids_registered_at_once_in_two_orders_do_not_deadlock(
    store: SqlStore, neighbour: SqlStore, count: int
) -> None:
    await a_process(store, holding=[an_instance(0)])
    new = sorted(instances(range(1, count + 1)), key=lambda instance: instance.id)

    def register(where: SqlStore, some: Sequence[Instance]) -> Task[int]:
        return create_task(register_instances(where, process=ORDERS, instances=some, caller=ADMIN))

    async with registered_in_between(store, new):
        upward = register(store, new)
        await until_awaited(store, 1)
        downward = register(neighbour, new[::-1])
        await until_awaited(store, 2)
    assert list(await gather(upward, downward)) == [count, count]
    held = [held for held in await instances_of(store, ORDERS) if held != an_instance(0)]
    # Both go on when the row in the middle is undone. The first to insert has registered all, in its order.
    assert held in (new, new[::-1])


async def test_new_positions_of_two_processes_reported_in_two_orders_do_not_deadlock(store: SqlStore) -> None:
    third = ProcessKey(namespace="crm", code="third")
    held = {
        process: [an_instance(number + start, process=process) for number in range(4)]
        for start, process in ((0, ORDERS), (10, INVOICES))
    }
    for process, some in held.items():
        await a_process(store, process, holding=some)
    known = [an_instance(20 + n, process=third, position=at(name)) for n, name in enumerate(("a", "b"))]
    await a_process(store, third, holding=known)
    last = (
        "SELECT elements FROM position WHERE elements IN ('[\"a\"]', '[\"b\"]') ORDER BY digest DESC LIMIT 1"
    )
    last_position = at(*json.loads(await ask(store, last)))

    def report(*some: Sequence[Instance]) -> Task[Sequence[ProcessKey]]:
        """Report instances of two processes at both new positions."""
        reports = [
            a_report(instance, position=at(name))
            for pair in some
            for instance, name in zip(pair, ("a", "b"), strict=True)
        ]
        return create_task(report_instances(store, reports=reports, caller=ADMIN))

    with suppress(Undone):
        async with store.transaction() as transaction:
            for process, some in held.items():
                # Both reports insert the other new position of a process, and then wait for this one.
                moved = replace(a_report(some[0]), position=last_position)
                await transaction.instances.report(process, [moved])
            first = report(held[ORDERS][:2], held[INVOICES][:2])
            await until_awaited(store, 1)
            second = report(held[INVOICES][2:], held[ORDERS][2:])
            await until_awaited(store, 2)
            raise Undone
    assert list(await gather(first, second)) == [[INVOICES, ORDERS]] * 2


class Undone(Exception):
    """Rolls a transaction back."""


async def test_uses_of_keys_stored_by_two_gateways_in_two_orders_do_not_deadlock(
    store: SqlStore, neighbour: SqlStore
) -> None:
    for number in range(3):
        key = ApiKey(id=an_id(number), name=str(number), role=Role.READER, created_at=NOON)
        await SqlKeys(store.database).add(key, bytes([number]))
    uses = [
        KeyUse(key_id=key, day=date(2026, 11, 30), accepted=True, times=1, last_at=NOON)
        for key in sorted(map(an_id, range(3)))
    ]
    async with store.database.writing() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO key_use (key_id, day, accepted, times, last_at) "
            f"VALUES ('{uses[1].key_id}', 20787, true, 1, now())"
        )
        upward = create_task(SqlKeys(store.database).add_uses(uses))
        await until_awaited(store, 1)
        downward = create_task(SqlKeys(neighbour.database).add_uses(uses[::-1]))
        await until_awaited(store, 2)
        await connection.rollback()
    await gather(upward, downward)
    assert await ask(store, "SELECT sum(times) FROM key_use") == 6
