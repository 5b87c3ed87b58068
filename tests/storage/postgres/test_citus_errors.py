"""Errors of Citus that hide the SQLSTATE of a worker, or name its address, are read by their message.

The messages are those of Citus 13.2.2 on PostgreSQL 15.20.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.exc import DBAPIError

from uplift.domain import register_instances
from uplift.domain.errors import StoreUnavailable
from uplift.storage.postgres.errors import outage_reason
from uplift.storage.sql.sqlstate import sqlstate
from uplift.storage.statements.instances.instances import COPY_THRESHOLD
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, an_instance, instances
from uplift.testing.stores import instances_of

pytestmark = pytest.mark.anyio

DUPLICATE = (
    'duplicate key value violates unique constraint "instance_uuid_key_102008"\n'
    "DETAIL:  Key (uuid, bucket)=(0f8fad5b-d9cb-469f-a165-70867728950e, 3) already exists."
)
LOCK_TIMEOUT = "canceling statement due to lock timeout"
DEADLOCK = "canceling the transaction since it was involved in a distributed deadlock"
CANCELLED = "canceling statement due to user request"
HIDDEN = {
    DUPLICATE: "23505",
    LOCK_TIMEOUT: "55P03",
    'could not obtain lock on row in relation "instance_102011"': "55P03",
    DEADLOCK: "40P01",
    CANCELLED: "57014",
    "terminating connection due to administrator command": "57P01",
    "the database system is shutting down": "57P03",
    'could not extend file "base/16384/16500": No space left on device': "53100",
    "sorry, too many clients already": "53300",
    "cannot execute COPY FROM in a read-only transaction": "25006",
    "could not commit transaction for shard 102011 on at least one active node": "08007",
    "failure on connection marked as essential: 10.0.0.7:5432": "08006",
    "could not find shard for partition value": "XX000",
    "tuple concurrently updated\nDETAIL:  canceling statement due to lock timeout": "XX000",
}
"""Messages of internal errors, and the SQLSTATE that the worker gave them."""
OF_NODES = {
    "connection to the remote node uplift@10.0.0.7:5432 failed with the following error: connection not "
    "open": "08006",
    "connection establishment for node 10.0.0.7:5432 failed": "08006",
    "failed to COPY to shard 102011 on 10.0.0.7:5432": "58030",
    "failed to complete COPY on 10.0.0.7:5432": "58030",
    "failure on connection marked as essential: 10.0.0.7:5432": "XX000",
    "failed to prepare transaction 'citus_0_1_2_3' on host 10.0.0.7:5432": "XX000",
}


class DriverError(Exception):
    def __init__(self, message: str, sqlstate: str = "XX000") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(("message", "state"), HIDDEN.items())
def test_the_sqlstate_of_a_worker_is_read_from_its_message(message: str, state: str) -> None:
    error = DriverError(message)
    assert sqlstate(error) == sqlstate(DBAPIError(None, None, error)) == state
    is_defect = state in ("23505", "XX000")
    assert (outage_reason(error) is None) is is_defect


def test_a_message_counts_only_for_an_internal_error() -> None:
    assert sqlstate(DriverError(DUPLICATE, "22000")) == "22000"


@pytest.mark.parametrize(("message", "state"), OF_NODES.items())
def test_clients_read_no_address_of_a_node(message: str, state: str) -> None:
    assert outage_reason(DriverError(message, state)) == "a node of its cluster does not answer"


@asynccontextmanager
async def copy_fails(store: SqlStore, message: str) -> AsyncIterator[None]:
    """Let COPY into `instance` fail as on Citus, with this message of an internal error."""
    async with store.database.writing() as connection:
        await connection.exec_driver_sql(
            "CREATE FUNCTION fail_as_citus() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF current_query() LIKE 'COPY%%' THEN RAISE EXCEPTION USING ERRCODE = 'XX000', "
            f"MESSAGE = '{message.partition(chr(10))[0]}'; END IF; RETURN NEW; END $$"
        )
        await connection.exec_driver_sql(
            "CREATE TRIGGER copied BEFORE INSERT ON instance FOR EACH ROW EXECUTE FUNCTION fail_as_citus()"
        )
    try:
        yield
    finally:
        async with store.database.writing() as connection:
            await connection.exec_driver_sql("DROP FUNCTION fail_as_citus CASCADE")


@pytest.mark.parametrize("message", [DUPLICATE, LOCK_TIMEOUT, DEADLOCK])
async def test_copy_that_meets_a_hidden_conflict_falls_back_to_insert(store: SqlStore, message: str) -> None:
    await a_process(store, holding=[an_instance(0)])
    new = instances(range(1, COPY_THRESHOLD + 1))
    async with copy_fails(store, message):
        assert await register_instances(store, process=ORDERS, instances=new, caller=ADMIN) == COPY_THRESHOLD
    assert len(await instances_of(store, ORDERS)) == COPY_THRESHOLD + 1


async def test_copy_that_meets_a_hidden_outage_is_an_outage(store: SqlStore) -> None:
    await a_process(store, holding=[an_instance(0)])
    new = instances(range(1, COPY_THRESHOLD + 1))
    says = pytest.raises(
        StoreUnavailable, match="the database says 'canceling statement due to user request'"
    )
    async with copy_fails(store, CANCELLED):
        with says:
            await register_instances(store, process=ORDERS, instances=new, caller=ADMIN)
    assert await instances_of(store, ORDERS) == [an_instance(0)]
