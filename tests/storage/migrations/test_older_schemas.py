"""A database with an older schema is migrated with all its rows, or left unchanged."""

import sqlite3
import subprocess
import sys
from asyncio import gather, to_thread
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from tests.support.first_revision import (
    ALSO_UPGRADED,
    CANCELLED,
    FIRST,
    KEY,
    LEFT_ALONE,
    MODEL,
    NOON,
    RUNNING,
    UNFINISHED_ROWS,
    UNKNOWN,
    UPGRADE,
    UPGRADED,
    add_rows,
    bring_to,
    make_first_revision,
)
from tests.support.postgres import the_server, tool
from tests.support.project import ROOT
from tests.support.stores import an_open_database
from uplift.domain import (
    InstanceId,
    ReasonCode,
    Status,
    UpgradeEventKind,
    UpgradeId,
    UpgradeState,
    VersionModel,
    all_active,
    claim,
    get_events,
    run_upgrade,
    upgrade_instances,
)
from uplift.domain.model.access import KeyUse
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.upgrade import Lease, Partition
from uplift.gateway.auth.keys import digest_of
from uplift.storage.database import Database
from uplift.storage.migrations.running import VERSIONS, migrate, revisions
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.schema import NEWEST, WrongSchema, find_revision
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, EVENING, ORDERS, a_clock, a_worker, at
from uplift.testing.stores import by_id, everything_in, outcomes_of

pytestmark = pytest.mark.anyio

FURTHER = Path(__file__).with_name("further_revisions")


@pytest.fixture(params=["sqlite", "postgresql"])
async def older(request: pytest.FixtureRequest, file: Path) -> AsyncIterator[Path | URL]:
    """The place of a database of the first revision, with rows in every table."""
    if request.param == "sqlite":
        await make_first_revision(file)
        yield file
        return
    async with the_server().empty_database() as url:
        await make_first_revision(url)
        yield url


async def revision_at(where: Path | URL) -> str | None:
    database = Database.at(where)
    async with database.reading() as connection:
        found = await find_revision(connection)
    await database.close()
    return found


def url_of(where: Path | URL) -> str:
    return f"sqlite:///{where}" if isinstance(where, Path) else where.render_as_string()


async def contents(where: Path | URL) -> str:
    """The tables and rows of a database, as SQL."""
    if isinstance(where, Path):
        with closing(sqlite3.connect(where)) as connection:
            return "\n".join(connection.iterdump())
    dump = [str(tool("pg_dump")), "--inserts", url_of(where)]
    done = await to_thread(lambda: subprocess.run(dump, capture_output=True, text=True, check=True))
    return "\n".join(line for line in done.stdout.splitlines() if "restrict" not in line)


def _go_further(connection: Connection, to: str) -> None:
    migrate(connection, to, among=revisions(VERSIONS, FURTHER))


async def test_all_rows_are_kept(older: Path | URL) -> None:
    await bring_to(older, NEWEST)
    assert await revision_at(older) == NEWEST
    async with an_open_database(older) as store:
        kept = await everything_in(store)
        assert [(process.key, process.title) for process in kept.processes] == [(ORDERS, "Orders")]
        assert list(kept.models.values()) == [VersionModel(document=MODEL, process_id="orders"), None]
        assert {
            instance.id: (instance.version, instance.status, instance.position)
            for instance in kept.instances[ORDERS]
        } == {
            UPGRADED: (2, Status.PENDING, at("approve")),
            ALSO_UPGRADED: (2, Status.PENDING, at("approve")),
            LEFT_ALONE: (1, Status.PENDING, at("approve")),
        }
        (upgrade,) = kept.upgrades
        assert (upgrade.id, upgrade.state, upgrade.reason) == (UPGRADE, UpgradeState.COMPLETED, "news")
        assert (upgrade.expected, upgrade.upgraded, upgrade.skipped) == (3, 2, 1)
        assert upgrade.selected_count == 3
        assert [(event.kind, event.by) for event in await get_events(store, upgrade)] == [
            (UpgradeEventKind.REQUESTED, "ci"),
            (UpgradeEventKind.STARTED, None),
            (UpgradeEventKind.COMPLETED, None),
        ]
        assert {outcome.instance for outcome in kept.outcomes[UpgradeId(UPGRADE)]} >= {
            UPGRADED,
            ALSO_UPGRADED,
        }
        keys = SqlKeys(store.database)
        key = await keys.find(digest_of(KEY))
        assert key is not None
        assert (key.name, key.is_valid(NOON), key.expires_at, key.created_by) == ("ci", True, None, None)
        await keys.add_uses([KeyUse(key_id=key.id, day=NOON.date(), accepted=True, times=2, last_at=NOON)])
        assert await keys.last_uses() == {key.id: NOON}


async def test_what_is_kept_can_be_worked_on(older: Path | URL) -> None:
    await bring_to(older, NEWEST)
    async with an_open_database(older) as store:
        done = await upgrade_instances(
            store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN, worker=a_worker()
        )
        assert (done.upgraded, done.skipped) == (1, 2)
        assert {instance.version for instance in (await by_id(store, ORDERS)).values()} == {2}
        histories = await store.instances.histories([InstanceId(UPGRADED), InstanceId(LEFT_ALONE)])
        assert len(histories[InstanceId(UPGRADED)]) == 2


async def test_an_upgrade_that_was_unfinished_goes_on_where_it_was(older: Path | URL) -> None:
    await add_rows(older, UNFINISHED_ROWS)
    await bring_to(older, NEWEST)
    async with an_open_database(older) as store:
        running, done = UpgradeId(RUNNING), UpgradeId(UPGRADE)
        gone = Lease(worker="gone", until=NOON)
        assert await store.partitions.remaining([running, done]) == {
            running: (Partition(upgrade=running, cursor=2, last=3, lease=gone),),
            done: (),
        }
        assert await claim(store, a_worker(clock=a_clock(NOON))) is None
        claimed = await claim(store, a_worker(clock=a_clock(EVENING)))
        assert claimed is not None
        ended = await run_upgrade(store, claimed, a_worker())
        assert (ended.state, ended.upgraded, ended.skipped) == (UpgradeState.COMPLETED, 1, 2)
        assert {instance.version for instance in (await by_id(store, ORDERS)).values()} == {2}


async def test_a_cancelled_upgrade_has_only_the_outcomes_it_reached(older: Path | URL) -> None:
    await add_rows(older, UNFINISHED_ROWS)
    await bring_to(older, NEWEST)
    async with an_open_database(older) as store:
        (outcome,) = await outcomes_of(store, UpgradeId(CANCELLED))
        assert (outcome.instance, [reason.code for reason in outcome.reasons]) == (
            UNKNOWN,
            [ReasonCode.INSTANCE_NOT_FOUND],
        )


async def test_a_file_is_brought_up_to_date_by_whatever_opens_it(file: Path) -> None:
    await make_first_revision(file)
    stores = await gather(*(SqlStore.open(file) for _ in range(4)))
    assert await revision_at(file) == NEWEST
    for store in stores:
        assert len(await by_id(store, ORDERS)) == 3
        await store.close()


async def test_databases_may_be_brought_up_to_date_side_by_side(tmp_path: Path) -> None:
    async with the_server().empty_database() as url:
        databases: list[Path | URL] = [url, *(tmp_path / f"{number}.db" for number in range(3))]
        await gather(*(make_first_revision(where) for where in databases))
        await gather(*(bring_to(where, NEWEST) for where in databases))
        for where in databases:
            async with an_open_database(where) as store:
                assert len(await by_id(store, ORDERS)) == 3


async def test_an_older_postgresql_database_is_left_alone() -> None:
    async with the_server().empty_database() as url:
        await make_first_revision(url)
        before = await contents(url)
        with pytest.raises(WrongSchema, match=f"at revision {NEWEST}, but it is at {FIRST}, an older one"):
            await SqlStore.open(url)
        assert await contents(url) == before


async def test_a_newer_schema_is_left_alone(older: Path | URL) -> None:
    database = Database.at(older)
    async with database.migrating() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9000'")
    await database.close()
    before = await contents(older)
    with pytest.raises(WrongSchema, match=f"at revision {NEWEST}, but it is at 9000, which this version"):
        await SqlStore.open(older)
    assert await contents(older) == before


@pytest.mark.parametrize(
    "spoil",
    [
        "DELETE FROM alembic_version",
        "DROP TABLE alembic_version",
        "INSERT INTO alembic_version VALUES ('8000')",
    ],
)
async def test_tables_without_a_single_revision_are_left_alone(older: Path | URL, spoil: str) -> None:
    database = Database.at(older)
    async with database.migrating() as connection:
        await connection.exec_driver_sql(spoil)
    await database.close()
    before = await contents(older)
    with pytest.raises(WrongSchema, match="there are tables without a single revision"):
        await SqlStore.open(older)
    assert await contents(older) == before


KILLED = """
import asyncio, sys
from pathlib import Path
from uplift.gateway.settings import database_at
from uplift.storage.database import Database
from uplift.storage.migrations.running import VERSIONS, migrate, revisions

async def main():
    async with Database.at(database_at(sys.argv[1])).migrating() as connection:
        await connection.run_sync(migrate, "9999", among=revisions(VERSIONS, Path(sys.argv[2])))

asyncio.run(main())
"""


async def test_a_revision_that_is_killed_half_way_leaves_the_old_schema_whole(older: Path | URL) -> None:
    before = await contents(older)
    program = [sys.executable, "-c", KILLED, url_of(older), str(FURTHER)]
    done = await to_thread(subprocess.run, program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("half way", -9), done.stderr
    assert await contents(older) == before
    await bring_to(older, NEWEST)
    assert await revision_at(older) == NEWEST


async def test_a_table_that_others_refer_to_can_be_made_anew(file: Path) -> None:
    await make_first_revision(file)
    database = Database.at(file)
    async with database.migrating() as connection:
        await connection.run_sync(_go_further, "9998")
    async with database.writing() as connection:
        for table, rows in {"version": 2, "instance": 3, "process": 1}.items():
            count = await connection.exec_driver_sql(f"SELECT count(*) FROM {table}")
            assert count.scalar() == rows
        with pytest.raises(DBAPIError, match="FOREIGN KEY constraint failed"):
            await connection.exec_driver_sql("INSERT INTO position VALUES (7, 404, x'00', '[]')")
    await database.close()


async def test_a_revision_that_would_leave_rows_without_what_they_refer_to_fails(older: Path | URL) -> None:
    before = await contents(older)
    database = Database.at(older)
    with pytest.raises((RuntimeError, DBAPIError), match="foreign key"):
        async with database.migrating() as connection:
            await connection.run_sync(_go_further, "9997")
    await database.close()
    assert await contents(older) == before
