"""Outages of PostgreSQL are no defects of Uplift, and end by themselves."""

import gc
from asyncio import Event, create_task, gather, get_running_loop, sleep
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from tests.storage.postgres.on_postgres import ask
from tests.support.postgres import the_server
from tests.support.stores import an_open_database
from uplift.domain import register_instances
from uplift.domain.errors import StoreUnavailable
from uplift.storage.database import Database
from uplift.storage.postgres import backend
from uplift.storage.postgres.connect import ConnectOptions
from uplift.storage.postgres.engines import Engines, make_engines
from uplift.storage.postgres.errors import outage_reason
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, an_instance, instances
from uplift.testing.stores import instances_of

pytestmark = pytest.mark.anyio

OUTAGES = {
    "connection_exception": "08000",
    "connection_does_not_exist": "08003",
    "connection_failure": "08006",
    "protocol_violation, as poolers report": "08P01",
    "read_only_sql_transaction": "25006",
    "idle_in_transaction_session_timeout": "25P03",
    "transaction_timeout": "25P04",
    "invalid_authorization_specification": "28000",
    "invalid_password": "28P01",
    "invalid_catalog_name": "3D000",
    "serialization_failure": "40001",
    "deadlock_detected": "40P01",
    "insufficient_privilege": "42501",
    "disk_full": "53100",
    "out_of_memory": "53200",
    "too_many_connections": "53300",
    "object_in_use": "55006",
    "lock_not_available": "55P03",
    "query_canceled": "57014",
    "admin_shutdown": "57P01",
    "crash_shutdown": "57P02",
    "cannot_connect_now": "57P03",
    "database_dropped": "57P04",
    "idle_session_timeout": "57P05",
    "io_error": "58030",
}
DEFECTS = {
    "data_exception": "22000",
    "foreign_key_violation": "23503",
    "unique_violation": "23505",
    "invalid_transaction_state": "25000",
    "in_failed_sql_transaction": "25P02",
    "syntax_error": "42601",
    "undefined_table": "42P01",
    "program_limit_exceeded": "54000",
    "internal_error": "XX000",
    "data_corrupted": "XX001",
}


class DriverError(Exception):
    def __init__(self, sqlstate: str) -> None:
        super().__init__("permission of user 'geheim'")
        self.sqlstate = sqlstate


@pytest.mark.parametrize("is_wrapped", [True, False])
@pytest.mark.parametrize(("name", "sqlstate"), (OUTAGES | DEFECTS).items())
def test_each_class_of_errors_is_an_outage_or_a_defect(name: str, sqlstate: str, is_wrapped: bool) -> None:
    error = DriverError(sqlstate)
    reason = outage_reason(DBAPIError(None, None, error) if is_wrapped else error)
    assert (reason is not None) is (name in OUTAGES)
    if sqlstate.startswith(("28", "3D", "42501")):
        assert reason is not None
        assert "geheim" not in reason


@pytest.fixture
async def url() -> AsyncIterator[URL]:
    """A database with one instance, which becomes read-only for sessions that begin from now on."""
    async with the_server().empty_database() as where:
        async with an_open_database(where) as store:
            await a_process(store, holding=[an_instance(1)])
        await make_read_only(where, is_read_only=True)
        yield where


async def make_read_only(url: URL, *, is_read_only: bool) -> None:
    state = "on" if is_read_only else "off"
    await the_server().execute(f"ALTER DATABASE {url.database} SET default_transaction_read_only = {state}")


async def register(store: SqlStore) -> None:
    await register_instances(store, process=ORDERS, instances=instances([2]), caller=ADMIN)


async def test_a_read_only_database_is_an_outage_that_ends_by_itself(url: URL) -> None:
    async with an_open_database(url) as store:
        with pytest.raises(StoreUnavailable, match="the database is read-only"):
            await store.database.ping()
        with pytest.raises(StoreUnavailable, match="in a read-only transaction"):
            await register(store)
        assert await instances_of(store, ORDERS) == [an_instance(1)]
        await make_read_only(url, is_read_only=False)
        # The session of the last read stays read-only, as one with a server that has lost its role.
        with pytest.raises(StoreUnavailable, match="the database is read-only"):
            await store.database.ping()
        await store.database.ping()
        await register(store)
        assert len(await instances_of(store, ORDERS)) == 2


async def test_a_write_that_finds_the_database_read_only_drops_all_connections_to_it(url: URL) -> None:
    async with an_open_database(url) as store:
        reader = await ask(store, "SELECT pg_backend_pid()")
        assert await ask(store, "SELECT pg_backend_pid()") == reader
        with pytest.raises(StoreUnavailable, match="in a read-only transaction"):
            await register(store)
        await make_read_only(url, is_read_only=False)
        await register(store)
        assert await ask(store, "SELECT pg_backend_pid()") != reader
        await store.database.ping()


async def test_a_server_that_is_full_is_an_outage(url: URL) -> None:
    await the_server().execute(f"ALTER DATABASE {url.database} CONNECTION LIMIT 0")
    await the_server().execute("CREATE ROLE guest LOGIN")
    try:
        store = SqlStore.open(url.set(username="guest"))
        with pytest.raises(StoreUnavailable, match="too many connections"):
            await store
    finally:
        await the_server().execute("DROP ROLE guest")


async def test_calls_share_one_attempt_to_reach_a_server_that_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, the last would wait for the timeouts of all others."""
    attempts = []

    async def make_counted(options: ConnectOptions) -> Engines:
        attempts.append(options)
        return await make_engines(options)

    monkeypatch.setattr(backend, "make_engines", make_counted)
    database = Database.at(URL.create("postgresql", host="127.0.0.1", port=1, database="x"))
    results = await gather(*(database.ping() for _ in range(20)), return_exceptions=True)
    assert [type(result) for result in results] == [StoreUnavailable] * 20
    assert len(attempts) == 1


async def test_an_attempt_whose_callers_have_gone_logs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    released, ended = Event(), Event()

    async def fail_later(_: ConnectOptions) -> Engines:
        await released.wait()
        ended.set()
        raise ConnectionRefusedError

    monkeypatch.setattr(backend, "make_engines", fail_later)
    unseen: list[object] = []
    get_running_loop().set_exception_handler(lambda _, context: unseen.append(context))
    try:
        database = Database.at(URL.create("postgresql", host="127.0.0.1", port=1, database="x"))
        caller = create_task(database.ping())
        await sleep(0)
        caller.cancel()
        await gather(caller, return_exceptions=True)
        released.set()
        await ended.wait()
        del caller, database
        await sleep(0)
        gc.collect()
    finally:
        get_running_loop().set_exception_handler(None)
    assert unseen == []
