"""Checks each undocumented name of aiosqlite and SQLAlchemy that uplift.storage.sqlite uses.

When one of these tests fails after an update of a library, adapt uplift.storage.sqlite first.
"""

import inspect
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import aiosqlite
import pytest
from sqlalchemy import BindParameter, bindparam, delete, insert, literal, select
from sqlalchemy.dialects.sqlite.aiosqlite import dialect
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.sql.compiler import SQLCompiler

from uplift.storage.sql.tables import upgrade
from uplift.storage.sql.types import ID

pytestmark = pytest.mark.anyio

DIALECT = dialect()


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'any.db'}")
    yield engine
    await engine.dispose()


def compiled(statement: object, *names: str) -> SQLCompiler:
    """A statement as uplift.storage.sqlite.prepared compiles it."""
    result = statement.compile(dialect=DIALECT, column_keys=names)  # type: ignore[attr-defined]  # private
    assert isinstance(result, SQLCompiler)
    return result


async def test_aiosqlite_calls_a_function_on_its_thread_by_execute(tmp_path: Path) -> None:
    async with aiosqlite.connect(tmp_path / "any.db") as connection:
        assert inspect.iscoroutinefunction(connection._execute)
        kinds = [parameter.kind for parameter in inspect.signature(connection._execute).parameters.values()]
        assert kinds[:2] == [inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.VAR_POSITIONAL]
        assert await connection._execute(lambda *numbers: sum(numbers), 1, 2, 3) == 6  # type: ignore[no-untyped-call]  # private


async def test_aiosqlite_keeps_the_connection_of_the_driver_as_conn(tmp_path: Path) -> None:
    async with aiosqlite.connect(tmp_path / "any.db") as connection:
        assert isinstance(connection._conn, sqlite3.Connection)


async def test_an_engine_tells_whether_anyone_listens_to_its_statements(engine: AsyncEngine) -> None:
    listeners = engine.sync_engine.dispatch.before_cursor_execute
    assert not listeners
    async with engine.connect() as connection:
        assert connection.sync_engine is engine.sync_engine
        raw = await connection.get_raw_connection()
        assert isinstance(raw.driver_connection, aiosqlite.Connection)


def test_a_compiled_statement_names_its_parameters_in_their_order() -> None:
    statement = select(literal(7), upgrade.c.uuid).where(upgrade.c.id == bindparam("of_id"))
    result = compiled(statement, "of_id")
    assert result.positiontup is not None
    bound = [result.binds[name] for name in result.positiontup]
    assert all(isinstance(parameter, BindParameter) for parameter in bound)
    assert [parameter.required for parameter in bound] == [False, True]
    assert bound[0].effective_value == 7


def test_a_compiled_statement_tells_which_parameters_depend_on_their_values() -> None:
    by_id = upgrade.c.id.in_(bindparam("ids", expanding=True))
    assert compiled(select(upgrade.c.id).where(by_id), "ids").post_compile_params
    assert not compiled(select(upgrade.c.id)).post_compile_params


def test_a_compiled_statement_tells_what_it_returns() -> None:
    assert not compiled(delete(upgrade)).effective_returning
    assert compiled(delete(upgrade).returning(upgrade.c.id)).effective_returning


def test_a_statement_tells_its_kind_and_its_columns() -> None:
    read, write = select(upgrade.c.id), insert(upgrade)
    assert (read.is_select, read.is_dml, write.is_select, write.is_dml) == (True, False, False, True)
    assert [column.key for column in read.selected_columns] == ["id"]
    options = read.execution_options(run_inline=True).get_execution_options()
    assert options["run_inline"] is True


def test_a_type_has_its_processors_from_its_implementation_for_the_dialect() -> None:
    implementation = ID.dialect_impl(DIALECT)
    assert callable(implementation.bind_processor(DIALECT))
    assert callable(implementation.result_processor(DIALECT, None))


def test_an_error_of_the_driver_becomes_that_of_sqlalchemy() -> None:
    error = sqlite3.OperationalError("database is locked")
    wrapped = DBAPIError.instance(None, None, error, sqlite3.Error, dialect=DIALECT)
    assert isinstance(wrapped, OperationalError)
    assert wrapped.orig is error


def test_an_error_of_the_driver_tells_its_result_code() -> None:
    memory = closing(sqlite3.connect(":memory:"))
    with memory as connection, pytest.raises(sqlite3.OperationalError) as raised:
        connection.execute("SELECT")
    assert raised.value.sqlite_errorcode == sqlite3.SQLITE_ERROR
