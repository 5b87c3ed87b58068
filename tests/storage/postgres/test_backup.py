"""A dump of a database in use can be restored, and its unfinished upgrades go on from their cursors."""

import subprocess
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from tests.support.postgres import the_server, tool
from tests.support.stores import an_open_database
from uplift.domain import UpgradeState
from uplift.testing.builders import EVENING, ORDERS, a_clock, a_process, a_worker, an_instance, instances
from uplift.testing.stores import everything_in, instances_of
from uplift.testing.upgrade_work import request, work, work_and_die

pytestmark = pytest.mark.anyio

LATER = a_worker("later", size=2, clock=a_clock(EVENING))
"""A worker that starts after the lease of the dead worker has expired."""


def run(program: str, url: URL, *arguments: str) -> None:
    where = f"--dbname={url.render_as_string()}"
    subprocess.run([tool(program), where, *arguments], check=True, capture_output=True)


async def test_a_dump_of_a_running_upgrade_goes_on_where_it_was(tmp_path: Path) -> None:
    server, dump = the_server(), str(tmp_path / "uplift.dump")
    async with (
        server.database() as url,
        server.empty_database() as empty,
        an_open_database(url) as store,
    ):
        await a_process(store, holding=[*instances(range(6)), an_instance(6, version=2)])
        queued = await request(store)
        await work_and_die(store, queued.id, chunks=1)
        before = await everything_in(store)
        run("pg_dump", url, "--format=custom", f"--file={dump}")
        await work(store, queued.id, LATER)
        run("pg_restore", empty, dump)
        async with an_open_database(empty) as restored:
            assert await everything_in(restored) == before
            done = await work(restored, queued.id, LATER)
            assert (done.state, done.upgraded, done.skipped) == (UpgradeState.COMPLETED, 6, 1)
            assert await instances_of(restored, ORDERS) == await instances_of(store, ORDERS)
