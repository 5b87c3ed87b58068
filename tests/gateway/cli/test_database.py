"""`uplift db` shows the revision of a schema, and migrates it."""

import asyncio
from asyncio import to_thread
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy.engine import URL

from tests.gateway.gateway_world import TIMEOUT, error_of, output_of, started, uplift
from tests.support.first_revision import (
    FIRST,
    KEY,
    KEY_ID,
    LEFT_ALONE,
    UPGRADED,
    make_first_revision,
)
from tests.support.postgres import the_server
from tests.support.stores import an_open_database
from uplift.storage.database import Database
from uplift.storage.schema import NEWEST
from uplift.testing.builders import ORDERS, a_worker, instances
from uplift.testing.linked_work import a_linked_process
from uplift.testing.upgrade_work import request

pytestmark = pytest.mark.anyio

SERVE = ("serve", "--port", "0")
STARTS: Sequence[Sequence[str]] = (SERVE, ("worker",), ("keys", "list"), ("db", "check"), ("db", "upgrade"))
"""Commands that need a database. Each refuses one with another schema."""


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Path | URL]:
    """The place of an empty database."""
    if request.param == "sqlite":
        (folder / "uplift.sqlite").touch()
        yield folder / "uplift.sqlite"
        return
    async with the_server().empty_database() as url:
        yield url


def setting(place: Path | URL) -> dict[str, Any]:
    """The environment of a command that works with this database."""
    url = f"sqlite:///{place}" if isinstance(place, Path) else place.render_as_string()
    return {"UPLIFT_DATABASE_URL": url}


async def execute(place: Path | URL, statement: str) -> None:
    database = Database.at(place)
    async with database.migrating() as connection:
        await connection.exec_driver_sql(statement)
    await database.close()


async def refusals(place: Path | URL, commands: Sequence[Sequence[str]] = STARTS) -> set[str]:
    """The errors of these commands on this database."""
    return {await to_thread(error_of, *command, **setting(place)) for command in commands}


async def done(place: Path | URL, *command: str) -> str:
    return await to_thread(output_of, *command, **setting(place))


async def test_an_empty_database_gets_its_tables(place: Path | URL) -> None:
    assert await done(place, "db", "current") == (
        f"Revision of the database: none, the database is empty\nNewest revision: {NEWEST}\n"
    )
    (said,) = await refusals(place, [("db", "check")])
    assert said == (
        f"Expected the schema to be at revision {NEWEST}, but the database is empty. Run 'uplift db upgrade'."
    )
    assert await done(place, "db", "upgrade") == (
        f"Created the tables in the empty database, at the newest revision, {NEWEST}.\n"
    )
    assert await done(place, "db", "check") == f"The schema is at the newest revision, {NEWEST}.\n"
    assert await done(place, "db", "upgrade") == f"The schema is already at the newest revision, {NEWEST}.\n"
    assert await done(place, "db", "current") == (
        f"Revision of the database: {NEWEST}\nNewest revision: {NEWEST}\n"
    )


async def test_any_command_gives_an_empty_database_its_tables(place: Path | URL) -> None:
    assert await done(place, "keys", "list") != ""
    assert await done(place, "db", "check") == f"The schema is at the newest revision, {NEWEST}.\n"


async def test_an_older_schema_of_postgresql_waits_for_its_operator() -> None:
    async with the_server().empty_database() as url:
        await make_first_revision(url)
        (said,) = await refusals(url, [SERVE, ("worker",), ("keys", "list")])
        assert said == (
            f"Expected the schema of the database to be at revision {NEWEST}, but it is at {FIRST}, an older "
            "one. Stop all gateways and workers, make a backup, and run 'uplift db upgrade'."
        )
        await must_be_brought_up_to_date_by_command(url)


async def test_an_older_schema_of_a_file_can_be_brought_up_to_date_by_command(folder: Path) -> None:
    await make_first_revision(folder / "uplift.sqlite")
    await must_be_brought_up_to_date_by_command(folder / "uplift.sqlite")


async def must_be_brought_up_to_date_by_command(place: Path | URL) -> None:
    """Create a database of the first revision."""
    assert await done(place, "db", "current") == (
        f"Revision of the database: {FIRST}\nNewest revision: {NEWEST}\n"
    )
    (said,) = await refusals(place, [("db", "check")])
    assert said == (
        f"Expected the schema to be at revision {NEWEST}, but it is at {FIRST}. Make a backup. "
        "Run 'uplift db upgrade'."
    )
    assert await done(place, "db", "upgrade") == (
        f"Migrated the schema from revision {FIRST} to the newest, {NEWEST}.\n"
    )
    assert await done(place, "db", "check") == f"The schema is at the newest revision, {NEWEST}.\n"
    assert str(KEY_ID) in await done(place, "keys", "list")


def test_an_older_file_is_served_with_all_that_is_in_it(folder: Path) -> None:
    asyncio.run(make_first_revision(folder / "uplift.sqlite"))
    with started("serve", "--port", "0", folder=folder) as program:
        path = f"/pub/v1/bpm/instance/bytemplate/{ORDERS.namespace}/{ORDERS.code}/version"
        with httpx2.Client(base_url=program.url(), headers={"authorization": f"Bearer {KEY}"}) as client:
            reply = client.post(path, json={"instanceIds": [str(LEFT_ALONE), str(UPGRADED)]})
        assert (reply.status_code, reply.json()["updated"], reply.json()["skipped"]) == (200, 1, 1)
        assert program.stop() == 0
        assert f"Bringing the schema from revision {FIRST} to {NEWEST}." in program.errors


async def test_a_newer_schema_stops_every_command(place: Path | URL) -> None:
    await done(place, "db", "upgrade")
    await execute(place, "UPDATE alembic_version SET version_num = '9000'")
    (said,) = await refusals(place)
    assert said == (
        f"Expected the schema of the database to be at revision {NEWEST}, but it is at 9000, which this "
        "version of Uplift does not know: a newer one made it. Run that one, or restore a backup."
    )


async def test_tables_of_others_stop_every_command(place: Path | URL) -> None:
    await execute(place, "CREATE TABLE invoice (number INTEGER)")
    (said,) = await refusals(place)
    assert said == (
        f"Expected the schema of the database to be at revision {NEWEST}, but there are tables without a "
        "single revision (invoice), which are not Uplift's. Give Uplift a database of its own."
    )


@pytest.mark.parametrize("command", ["current", "check"])
def test_a_file_that_is_not_there_is_not_created(folder: Path, command: str) -> None:
    assert error_of("db", command) == (
        "Expected to find the database uplift.sqlite, but there is no such file."
    )
    assert list(folder.iterdir()) == []


async def test_programs_that_start_on_an_empty_database_together_do_not_fail(
    place: Path | URL, folder: Path
) -> None:
    with ExitStack() as stack:
        several = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            begun = started("db", "upgrade", folder=folder / name, **setting(place))
            several.append(stack.enter_context(begun))
        for program in several:
            assert await to_thread(program.process.wait, TIMEOUT) == 0, program.errors
        said = sorted(program.output for program in several)
    assert said == [
        f"Created the tables in the empty database, at the newest revision, {NEWEST}.\n",
        f"The schema is already at the newest revision, {NEWEST}.\n",
    ]


SPOIL = (
    "UPDATE cohort_count SET instances = instances + 5 WHERE version = 1",
    "DELETE FROM cohort_count WHERE version = 2",
    "INSERT INTO cohort_count VALUES (1, 7, 9, 404, 3)",
    "INSERT INTO cohort_count VALUES (8, 1, 1, 1, 1)",
)
"""What no program of ours does: too many, too few, and counts of what is not there."""
TABLE = """
┏━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━┳━━━━━━┳━━━━━━━━━┓
┃ process    ┃ version ┃ status  ┃ position ┃ kept ┃ counted ┃
┡━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━╇━━━━━━╇━━━━━━━━━┩
│ crm/orders │       1 │ PENDING │ approve  │    6 │       1 │
│ crm/orders │       2 │ PENDING │ approve  │    0 │       2 │
│ crm/orders │       7 │ #9      │ #404     │    3 │       0 │
│ #8         │       1 │ PENDING │ approve  │    1 │       0 │
└────────────┴─────────┴─────────┴──────────┴──────┴─────────┘
"""
CHECK_COUNTS = ("db", "check", "--counts")


async def test_wrong_counts_are_listed_and_repaired(place: Path | URL) -> None:
    await make_first_revision(place)
    await done(place, "db", "upgrade")
    newest = f"The schema is at the newest revision, {NEWEST}.\n"
    right = newest + "The kept counts of all cohorts are right.\n"
    # The migration has counted the instances that existed.
    assert await done(place, *CHECK_COUNTS) == right
    for statement in SPOIL:
        await execute(place, statement)
    found = await to_thread(uplift, *CHECK_COUNTS, **setting(place))
    assert found.exit_code == 1
    assert found.stdout == newest + TABLE.lstrip()
    assert found.stderr == (
        "Expected kept counts to be the numbers of instances, but those of 4 cohorts are not. "
        "Run 'uplift db check --counts --repair'.\n"
    )
    assert await done(place, *CHECK_COUNTS, "--repair") == (
        newest + TABLE.lstrip() + "Corrected the kept counts of 4 cohorts.\n"
    )
    assert await done(place, *CHECK_COUNTS) == right
    assert await done(place, *CHECK_COUNTS, "--repair") == right


async def test_wrong_counts_of_cohorts_do_not_hide_those_of_orders(place: Path | URL) -> None:
    async with an_open_database(place) as store:
        await a_linked_process(store, holding=instances(range(6)))
        linked = await request(store, worker=a_worker("large"))
    await execute(place, "UPDATE upgrade SET ordered = 5")
    await execute(
        place,
        "INSERT INTO cohort_count (process_id, version, status, position_id, instances) "
        "VALUES (1, 7, 1, 1, 3)",
    )
    found = await to_thread(uplift, *CHECK_COUNTS, **setting(place))
    assert found.exit_code == 1
    wrong_counts, wrong_orders = found.stderr.splitlines()
    assert wrong_counts.startswith("Expected kept counts to be the numbers of instances, but those of ")
    assert wrong_orders == (
        "Expected the counts of linked upgrades to be those of their orders, but these are not."
    )
    assert str(linked.id) in found.stdout
    repaired = await to_thread(uplift, *CHECK_COUNTS, "--repair", **setting(place))
    assert (repaired.exit_code, repaired.stderr.splitlines()[-1:]) == (1, [wrong_orders])
    assert "Corrected the kept counts" in repaired.stderr + repaired.stdout


def test_counts_are_not_repaired_unless_they_are_checked() -> None:
    refused = uplift("db", "check", "--repair")
    assert (refused.exit_code, refused.stderr) == (2, "Expected --repair only together with --counts.\n")
