"""A store works behind PgBouncer, or says at its start that it cannot."""

from asyncio import gather

import pytest

from tests.storage.postgres.on_postgres import ask
from tests.support.pgbouncer import pooled
from tests.support.postgres import the_server
from tests.support.stores import an_open_database
from uplift.domain import Status, all_active, by_ids, register_instances, report_instances, upgrade_instances
from uplift.domain.errors import InvalidInput
from uplift.domain.model.request import UpgradeRequest
from uplift.storage.statements.instances.instances import COPY_THRESHOLD
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, a_report, a_worker, an_id, an_instance, at
from uplift.testing.stores import instances_of, outcomes_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", ["transaction", "session"])
async def test_a_store_works_behind_a_pooler_that_has_fewer_connections_than_the_store(mode: str) -> None:
    """Each statement outside of a transaction may then run on another connection than the one before."""
    held = [an_instance(number, position=at(f"a{number % 7}")) for number in range(COPY_THRESHOLD + 1)]
    # In session mode a client that is connected keeps its connection of the pooler.
    size = 3 if mode == "transaction" else 20
    async with the_server().database() as url:
        with pooled(url, mode, size=size) as behind:
            async with an_open_database(behind) as store:
                await a_process(store, holding=held)
                tasks = [upgrade_some(store, number) for number in range(10)]
                await gather(
                    *tasks, *(read(store) for _ in range(30)), *(report(store, n) for n in range(10))
                )
                request = UpgradeRequest(process=ORDERS, selection=all_active())
                done = await upgrade_instances(store, request, caller=ADMIN, worker=a_worker(size=100))
                assert done.upgraded + done.skipped == len(held) - 10
                assert len(await outcomes_of(store, done.id)) == len(held) - 10
                assert {instance.version for instance in await instances_of(store, ORDERS)} <= {1, 2}
                await store.database.ping()
                await store.database.analyze()


async def upgrade_some(store: SqlStore, number: int) -> None:
    request = UpgradeRequest(process=ORDERS, selection=by_ids([an_id(100 + number)]))
    assert (await upgrade_instances(store, request, caller=ADMIN)).upgraded == 1


async def read(store: SqlStore) -> None:
    assert len(await store.instances.find_many([an_id(1), an_id(2)])) == 2


async def report(store: SqlStore, number: int) -> None:
    await report_instances(store, reports=[a_report(number, status=Status.FAILED)], caller=ADMIN)


async def test_transactions_behind_a_pooler_have_the_timeouts_of_a_store_and_leave_none() -> None:
    async with the_server().database() as url:
        # A pooler that drops the settings of a session without a word.
        ignored = (
            "ignore_startup_parameters = lock_timeout, jit, plan_cache_mode, options, extra_float_digits"
        )
        with pooled(url, "transaction", size=1, more=ignored) as behind:
            async with an_open_database(behind) as store:
                async with store.database.writing() as connection:
                    for name, value in (
                        ("lock_timeout", "5s"),
                        ("jit", "off"),
                        ("plan_cache_mode", "force_custom_plan"),
                    ):
                        assert (await connection.exec_driver_sql(f"SHOW {name}")).scalar() == value
                assert await ask(store, "SHOW lock_timeout") == "0"
                assert await ask(store, "SHOW timezone") == "UTC"
                assert await ask(store, "SELECT count(*) FROM pg_prepared_statements") == 0


async def test_a_pooler_that_refuses_transactions_is_refused_at_the_start() -> None:
    async with the_server().database() as url:
        with pooled(url, "statement") as behind, pytest.raises(InvalidInput, match="to allow transactions"):
            await SqlStore.open(behind)


async def test_many_instances_are_registered_behind_a_pooler() -> None:
    held = [an_instance(number) for number in range(COPY_THRESHOLD)]
    async with the_server().database() as url:
        with pooled(url, "transaction") as behind:
            async with an_open_database(behind) as store:
                await a_process(store)
                await register_instances(store, process=ORDERS, instances=held, caller=ADMIN)
                assert await register_instances(store, process=ORDERS, instances=held, caller=ADMIN) == len(
                    held
                )
