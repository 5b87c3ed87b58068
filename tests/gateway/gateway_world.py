"""A small database, and the command line in this process or in one of its own."""

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.engine import URL
from typer.testing import CliRunner, Result

from tests.support.forked import Process, program
from tests.support.stores import an_open_database
from uplift.domain import Status
from uplift.domain.model.access import ApiKey, Role
from uplift.domain.model.chunk import ChunkPolicy
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.selection import AllActive
from uplift.domain.ports import Store
from uplift.domain.use_cases.request import request_upgrade
from uplift.domain.use_cases.worker import Worker
from uplift.gateway.auth.keys import create_key
from uplift.gateway.cli import app
from uplift.storage.database import Database
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, INVOICES, ORDERS, a_process, an_instance, instances
from uplift.testing.stores import Everything, everything_in

Answer = TypeVar("Answer")
Place = Path | URL
"""Where a database is: an SQLite file, or a database of a PostgreSQL server."""

UPLIFT = str(Path(sys.executable).with_name("uplift"))
TIMEOUT = 120
"""Seconds that a program may take to print what a test waits for."""

WAITING = range(1, 4)
"""Instances of ORDERS that wait on version 1, and so can be upgraded to version 2."""
RUNNING, LATEST, ENDED, FOREIGN = 4, 5, 6, 7


async def a_world(store: Store) -> None:
    """Two processes. Of ORDERS five instances are active, and three of them can be upgraded."""
    await a_process(
        store,
        holding=[
            *instances(WAITING),
            an_instance(RUNNING, status=Status.RUNNING),
            an_instance(LATEST, version=2),
            an_instance(ENDED, status=Status.COMPLETED),
        ],
    )
    await a_process(store, INVOICES, published=1, holding=[an_instance(FOREIGN, process=INVOICES)])


async def leave_queued(store: Store) -> None:
    """An upgrade of ORDERS that waits for a worker."""
    gone = Worker(name="gone", chunk_policy=ChunkPolicy(inline_limit=1, initial_size=1, min_size=1))
    await request_upgrade(
        store, UpgradeRequest(process=ORDERS, selection=AllActive()), caller=ADMIN, worker=gone
    )


def with_store(place: Place, work: Callable[[SqlStore], Awaitable[Answer]]) -> Answer:
    """Open the store in this database, do the work, and close it again."""

    async def opened() -> Answer:
        async with an_open_database(place) as store:
            return await work(store)

    return asyncio.run(opened())


def execute(place: Place, sql: str) -> list[tuple[Any, ...]]:
    """Execute a statement as another program does; returns its rows."""

    async def work(store: SqlStore) -> list[tuple[Any, ...]]:
        async with store.database.writing() as connection:
            result = await connection.exec_driver_sql(sql)
            return [tuple(row) for row in result] if result.returns_rows else []

    return with_store(place, work)


@contextmanager
def locked(place: Place, table: str) -> Iterator[None]:
    """Hold the locks on all rows of a table, as another program; on SQLite, the lock on the file."""
    with asyncio.Runner() as runner:
        database = Database.at(place)
        writing = database.writing()
        connection = runner.run(writing.__aenter__())
        rows = f"SELECT 1 FROM {table}"
        runner.run(connection.exec_driver_sql(rows if isinstance(place, Path) else f"{rows} FOR UPDATE"))
        try:
            yield
        finally:
            runner.run(writing.__aexit__(None, None, None))
            runner.run(database.close())


def url_of(place: Place) -> str:
    """The database URL of a place."""
    return f"sqlite:///{place}" if isinstance(place, Path) else place.render_as_string()


def break_table(file: Path, table: str) -> None:
    """Overwrite the first pages of a table and its indexes, as a bad disk does."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE tbl_name = ?", (table,)
        ).fetchall()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as written:
        for (page,) in pages:
            written.seek((page - 1) * size)
            written.write(b"\xff" * size)


def everything(place: Place) -> Everything:
    """The processes, instances and upgrades in a database."""
    return with_store(place, everything_in)


def a_key(place: Place, role: Role = Role.SYSTEM_ADMIN, name: str = "tester") -> tuple[ApiKey, str]:
    """A new API key in this database: its record, and the key."""
    return with_store(place, lambda store: create_key(SqlKeys(store.database), name=name, role=role))


def uplift(*arguments: str | Path, stdin: str | bytes | None = None, **environment: str) -> Result:
    """Run the command line in this process; `stdin` is its standard input."""
    return CliRunner().invoke(app, list(map(str, arguments)), input=stdin, env=environment)


def output_of(*arguments: str | Path, stdin: str | bytes | None = None, **environment: str) -> str:
    """The output of a command, which must succeed."""
    result = uplift(*arguments, stdin=stdin, **environment)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def error_of(
    *arguments: str | Path, code: int = 1, stdin: str | bytes | None = None, **environment: str
) -> str:
    """The error message of a command, which must fail with this exit code and no exception."""
    result = uplift(*arguments, stdin=stdin, **environment)
    assert isinstance(result.exception, SystemExit), result.exception
    assert (result.exit_code, result.stdout) == (code, "")
    return result.stderr.removesuffix("\n")


def until(holds: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + TIMEOUT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Program:
    """The command line as a program of its own."""

    def __init__(self, process: Process, output: Path, errors: Path) -> None:
        self.process = process
        self._output = output
        self._errors = errors

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    def wait_for(self, pattern: str) -> str:
        """Wait until it has printed this; returns the first group of the pattern."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            has_ended = self.process.poll() is not None
            if found := re.search(pattern, self.output):
                return found[1]
            if has_ended:
                break
            time.sleep(0.02)
        raise AssertionError(f"Expected {pattern!r}, but got {self.output!r} and {self.errors!r}")

    def url(self) -> str:
        """Its base URL; waits until it serves."""
        return self.wait_for(r"Uplift serves (http://[^ ]+) ")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end; returns the exit code."""
        self.process.send_signal(how)
        return self.process.wait(TIMEOUT)


@contextmanager
def started(
    *arguments: str, folder: Path, command: str | None = None, **environment: str
) -> Iterator[Program]:
    """Runs the command line, or another command, in this folder, and kills it at the end."""
    output, errors = folder / "output.txt", folder / "errors.txt"
    with output.open("wb") as out, errors.open("wb") as err:
        if command is None:
            process = program(
                "uplift.gateway.__main__", arguments, folder=folder, environment=environment, out=out, err=err
            )
        else:
            process = subprocess.Popen(
                [command, *arguments], cwd=folder, env={**os.environ, **environment}, stdout=out, stderr=err
            )
        try:
            yield Program(process, output, errors)
        finally:
            process.kill()
            process.wait()
