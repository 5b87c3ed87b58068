"""A migration of the schema is killed or has no disk space: nothing is half done, and the next completes."""

import asyncio
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import asyncpg
import pytest
from sqlalchemy.engine import URL

from tests.faults.programs import TIMEOUT, Program, started, until
from tests.faults.small_disk import small_disk
from tests.faults.test_full_disk import LITTLE
from tests.support.first_revision import FIRST, make_first_revision
from tests.support.long_mode import IS_LONG, long_only
from tests.support.postgres import Server, a_server
from uplift.storage.count_check import CountDifference, find_count_differences
from uplift.storage.database import Database
from uplift.storage.schema import NEWEST

pytestmark = pytest.mark.faults

INSTANCES = 1_000_000 if IS_LONG else 200_000
POSITIONS = 20_000
KILLS = 5 if IS_LONG else 1
NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {})"
ON_SQLITE = f"""
{NUMBERS.format(POSITIONS)}
INSERT INTO position (process_id, digest, elements)
SELECT 1, randomblob(16), '["task-' || n || '"]' FROM numbers;
{NUMBERS.format(INSTANCES)}
INSERT INTO instance (uuid, process_id, version, status, position_id)
SELECT randomblob(16), 1, 1 + n % 2, 1, 2 + n % {POSITIONS} FROM numbers;
"""
ON_POSTGRES = f"""
INSERT INTO position (process_id, digest, elements)
SELECT 1, decode(md5(n::text), 'hex'), '["task-' || n || '"]' FROM generate_series(1, {POSITIONS}) AS n;
INSERT INTO instance (uuid, process_id, version, status, position_id)
SELECT md5(n::text)::uuid, 1, 1 + n % 2, 1, 2 + n % {POSITIONS} FROM generate_series(1, {INSTANCES}) AS n;
ANALYZE
"""
REVISION = "SELECT version_num FROM alembic_version"
COUNTED = "SELECT sum(instances) FROM cohort_part"
IS_COUNTING = """
SELECT count(*) > 0 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'INSERT INTO cohort_count%'
  AND datname = current_database() AND pid <> pg_backend_pid()
"""


class Older(NamedTuple):
    """A database of the first revision."""

    place: Path | URL
    folder: Path

    def ask(self, sql: str) -> Any:
        """The first value of the answer."""
        return (
            _ask_sqlite(self.place, sql) if isinstance(self.place, Path) else _ask_postgres(self.place, sql)
        )

    def run(self, command: str, *arguments: str) -> Any:
        return started(command, self.place, "", *arguments, folder=self.folder)

    def is_under_way(self) -> bool:
        """Whether a migration has written something and not committed it."""
        if isinstance(self.place, Path):
            return is_locked(self.place)
        return bool(self.ask(IS_COUNTING))

    def must_be_as_before(self) -> None:
        """Check that the database is as it was, and in the long mode that programs say what to do."""
        assert self.ask(REVISION) == FIRST
        if not IS_LONG:
            return
        with self.run("db check") as check:
            assert check.process.wait(TIMEOUT) == 1
            assert f"it is at {FIRST}. Make a backup. Run 'uplift db upgrade'." in check.log

    def must_be_migrated_by_a_second_run(self) -> None:
        with self.run("db upgrade") as second:
            assert second.process.wait(TIMEOUT) == 0, second.log
            assert f"Migrated the schema from revision {FIRST} to the newest, {NEWEST}." in second.log
        assert asyncio.run(_wrong_counts(self.place)) == ()
        assert self.ask(COUNTED) == INSTANCES + 3
        if isinstance(self.place, Path):
            assert self.ask("PRAGMA integrity_check") == "ok"
            assert self.ask("SELECT count(*) FROM pragma_foreign_key_check") == 0


def _ask_sqlite(file: Path, sql: str) -> Any:
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        return connection.execute(sql).fetchone()[0]


def _ask_postgres(url: URL, sql: str) -> Any:
    async def answer() -> Any:
        connection = await asyncpg.connect(url.render_as_string(), ssl=False)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(answer())


async def _wrong_counts(place: Path | URL) -> tuple[CountDifference, ...]:
    database = Database.at(place)
    try:
        return await find_count_differences(database)
    finally:
        await database.close()


def is_locked(file: Path) -> bool:
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False


def older_file(folder: Path, workplace: Path) -> Older:
    file = folder / "older.sqlite"
    asyncio.run(make_first_revision(file))
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(ON_SQLITE)
    return Older(file, workplace)


@contextmanager
def older_database(server: Server, workplace: Path) -> Iterator[Older]:
    asyncio.run(server.execute("CREATE DATABASE older"))
    url = server.url("older")
    asyncio.run(make_first_revision(url))
    asyncio.run(server.execute(ON_POSTGRES, database="older"))
    yield Older(url, workplace)
    asyncio.run(server.execute("DROP DATABASE older WITH (FORCE)"))


@pytest.fixture(params=["sqlite", "postgresql"])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Older]:
    if request.param == "sqlite":
        yield older_file(tmp_path, tmp_path)
        return
    with older_database(request.getfixturevalue("server"), tmp_path) as made:
        yield made


def until_under_way(older: Older, program: Program) -> None:
    until(lambda: not program.is_running or older.is_under_way(), "the migration is under way")
    assert program.is_running, program.log


def kill_in_the_middle(older: Older, program: Program) -> None:
    until_under_way(older, program)
    program.kill()


def test_a_killed_migration_leaves_the_old_schema_and_a_second_one_completes(older: Older) -> None:
    for _ in range(KILLS):
        with older.run("db upgrade") as program:
            kill_in_the_middle(older, program)
            assert "Migrated" not in program.log, "the kill came too late"
        older.must_be_as_before()
    older.must_be_migrated_by_a_second_run()


@long_only
def test_a_file_is_migrated_by_the_next_server_after_one_was_killed_in_its_migration(tmp_path: Path) -> None:
    older = older_file(tmp_path, tmp_path)
    with older.run("serve", "--port", "0") as program:
        kill_in_the_middle(older, program)
    assert older.ask(REVISION) == FIRST
    with older.run("serve", "--port", "0") as program:
        assert program.ask("/readyz").status == 200
    assert older.ask(COUNTED) == INSTANCES + 3


def must_refuse_for_want_of_space(program: Program) -> None:
    assert program.process.wait(TIMEOUT) == 1, program.log
    assert "Traceback" not in program.log
    assert "full" in program.log or "disk I/O error" in program.log or "No space left" in program.log
    assert "Nothing was written; try again later." in " ".join(program.log.split())


def test_a_migration_without_space_for_its_files_changes_nothing(tmp_path: Path) -> None:
    older = older_file(tmp_path, tmp_path)
    with older.run("db upgrade") as program:
        resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (LITTLE, resource.RLIM_INFINITY))
        must_refuse_for_want_of_space(program)
    older.must_be_as_before()
    older.must_be_migrated_by_a_second_run()


@long_only
def test_a_migration_on_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", mib=512) as disk:
        older = older_file(disk.folder, tmp_path)
        disk.fill()
        with older.run("db upgrade") as program:
            must_refuse_for_want_of_space(program)
        disk.empty()  # SQLite itself needs a little space to read a file with a log
        older.must_be_as_before()
        older.must_be_migrated_by_a_second_run()


@long_only
def test_a_migration_of_postgresql_on_a_full_disk_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not below tmp_path, which the user that PostgreSQL runs as may not enter.
    with TemporaryDirectory() as place, small_disk(Path(place) / "disk", mib=1_024) as disk:
        for folder in (Path(place), disk.folder):
            folder.chmod(0o755)
        monkeypatch.setattr("tempfile.tempdir", str(disk.folder))
        with a_server() as server, older_database(server, tmp_path) as older:
            asyncio.run(server.execute("CHECKPOINT"))
            disk.fill(spare=256 * 1_024)
            with older.run("db upgrade") as program:
                must_refuse_for_want_of_space(program)
            disk.empty()
            until(lambda: answers(older), "the server has recovered")
            older.must_be_as_before()
            older.must_be_migrated_by_a_second_run()


def answers(older: Older) -> bool:
    try:
        return bool(older.ask("SELECT true"))
    except (OSError, asyncpg.PostgresError):
        return False


@long_only
def test_a_migration_whose_server_crashes_changes_nothing(tmp_path: Path) -> None:
    with a_server() as server, older_database(server, tmp_path) as older:
        with older.run("db upgrade") as program:
            until_under_way(older, program)
            server.stop(mode="immediate")
            assert program.process.wait(TIMEOUT) == 1, program.log
            assert "Traceback" not in program.log
        server.start()
        older.must_be_as_before()
        older.must_be_migrated_by_a_second_run()
