"""`uplift db distribute` says what it would do, and does it once it is confirmed."""

import json
from asyncio import to_thread
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.engine import URL

from tests.gateway.gateway_world import error_of, output_of, uplift
from tests.support.fake_citus import fake_citus_in
from tests.support.postgres import the_server
from tests.support.stores import an_open_database
from uplift.testing.builders import a_process, instances

pytestmark = pytest.mark.anyio

SERVE = ("serve", "--port", "0")


@pytest.fixture
async def url() -> AsyncIterator[URL]:
    """A database with 40 instances that looks like that of a cluster of Citus."""
    async with the_server().empty_database() as where:
        async with an_open_database(where) as store:
            await a_process(store, holding=instances(range(40)))
        await fake_citus_in(where)
        yield where


async def done(url: URL, *command: str) -> str:
    return await to_thread(output_of, *command, UPLIFT_DATABASE_URL=url.render_as_string())


async def examined(url: URL) -> list[tuple[str, str | None]]:
    """What `uplift doctor` finds about the cluster, and what it advises."""
    place = url.render_as_string()
    said = await to_thread(uplift, "doctor", "--json", "--port", "1", UPLIFT_DATABASE_URL=place)
    return [(each["found"], each["advice"]) for each in json.loads(said.stdout) if each["part"] == "cluster"]


async def test_distributes_only_when_it_is_confirmed(url: URL) -> None:
    assert await examined(url) == []
    assert await done(url, "db", "distribute", "--shards", "4") == (
        "Would distribute 40 instances to 4 shards on 2 nodes, in one transaction. Nothing was changed: stop "
        "all gateways and workers, make a backup, and repeat the command with --yes.\n"
    )
    assert await examined(url) == []
    assert await done(url, "db", "distribute", "--shards", "4", "--yes") == (
        "The database is distributed to 4 shards on 2 nodes. Start gateways and workers, then run 'uplift "
        "doctor'.\n"
    )
    assert await done(url, "db", "distribute") == (
        "The database is distributed to 4 shards on 2 nodes. Would distribute its tables and set its "
        "settings again where that is missing. Nothing was changed: stop all gateways and workers, and "
        "repeat the command with --yes.\n"
    )
    assert await examined(url) == [("Citus 13.2.2, 4 shards on 2 nodes. It commits in two phases.", None)]


async def test_kept_counts_are_checked_and_repaired_in_their_buckets(url: URL) -> None:
    await done(url, "db", "distribute", "--shards", "4", "--yes")
    assert url.database is not None
    await the_server().execute("DELETE FROM cohort_count", database=url.database)
    right = "The kept counts of all cohorts are right."
    assert right not in await done(url, "db", "check", "--counts", "--repair")
    assert right in await done(url, "db", "check", "--counts")


async def test_an_unsafe_cluster_is_not_served_and_doctor_says_why(url: URL) -> None:
    await done(url, "db", "distribute", "--shards", "4", "--yes")
    assert url.database is not None
    await the_server().execute(
        "DELETE FROM fake_citus.pg_dist_partition WHERE logicalrelid = 'decision'::regclass; "
        "UPDATE fake_citus.worker_settings SET prepared = '0'",
        database=url.database,
    )
    repair = "Stop all gateways and workers, and run 'uplift db distribute --yes', which repairs it."
    prepare = "Set max_prepared_transactions on all nodes as high as max_connections, and restart them."
    unknown = (
        "he table decision is not known to Citus, so that a crash of the coordinator could break a "
        "transaction in two"
    )
    unprepared = " node cannot commit in two phases: its max_prepared_transactions is 0"
    assert await examined(url) == [(f"T{unknown}.", repair), (f"A{unprepared}.", prepare)]
    for command in (SERVE, ("worker",), ("keys", "list")):
        said = await to_thread(error_of, *command, UPLIFT_DATABASE_URL=url.render_as_string())
        assert said == (
            f"Expected a safe cluster of Citus, but t{unknown}; a{unprepared}. {repair} {prepare}"
        )
