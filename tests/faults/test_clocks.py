"""The clocks of the machines that share a database are a minute apart."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.engine import URL

from tests.faults.conftest import Template
from tests.faults.population import must_be_all_done, progress_of
from tests.faults.postgres_world import World, a_database, partitions_of
from tests.faults.programs import TIMEOUT, Program, served, started, until
from tests.support.faketime import clock_ahead
from tests.support.long_mode import long_only
from tests.support.postgres import Server
from uplift.domain import Role
from uplift.gateway.auth.keys import create_key
from uplift.storage.database import Database
from uplift.storage.repositories.api_keys import SqlKeys

pytestmark = pytest.mark.faults

MINUTE = 60
LEASE = 10
SOON = 30.0
"""Seconds: longer than a lease, and shorter than the clocks differ."""
LONGEST_LEASE = "SELECT max(extract(epoch FROM lease_until - clock_timestamp())) FROM partition"
SHORTEST_LEASE = "SELECT min(extract(epoch FROM lease_until - clock_timestamp())) FROM partition"
TIMES = """
SELECT requested_at <= started_at AND started_at <= finished_at AND finished_at <= clock_timestamp()
   AND requested_at > clock_timestamp() - interval '50 seconds' FROM upgrade WHERE uuid = $1
"""
PACE = "query($id: UUID!) { upgrade(id: $id) { total expected rate etaSeconds } }"
EXPIRE = "UPDATE api_key SET expires_at = clock_timestamp() + interval '{} seconds' WHERE name = 'short'"


def must_tell_the_pace(gateway: Program, upgrade: UUID) -> None:
    """Check that rate and time left come from how long the work takes, not from clocks."""
    shown = gateway.ask("/graphql", {"query": PACE, "variables": {"id": str(upgrade)}}).body["data"][
        "upgrade"
    ]
    assert shown["rate"] is None or shown["rate"] > 0, shown
    assert shown["etaSeconds"] is None or 0 <= shown["etaSeconds"] < TIMEOUT, shown


def test_leases_and_times_follow_the_clock_of_postgresql(server: Server, key: str, tmp_path: Path) -> None:
    url = a_database(server)
    more: dict[str, Any] = {"folder": tmp_path, "UPLIFT_LEASE_SECONDS": str(LEASE)}
    with (
        served(url, key, **more, **clock_ahead(MINUTE)) as ahead,
        served(url, key, **more, **clock_ahead(-MINUTE)) as behind,
    ):
        world = World(server, url, (ahead, behind))
        assert ahead.url != behind.url
        upgrade = world.upgrade_all()
        world.until_all_work(upgrade)
        must_tell_the_pace(ahead, upgrade)
        must_tell_the_pace(behind, upgrade)
        leases = [world.ask(LONGEST_LEASE)[0], world.ask(SHORTEST_LEASE)[0]]
        assert all(lease is None or 0 < lease <= LEASE + 1 for lease in leases), leases
        world.must_come_to_the_truth(upgrade)
        assert world.ask(TIMES, upgrade)[0] is True
        assert '"the clock differs from the database\'s"' in ahead.log
        assert '"seconds_ahead": 60.0' in ahead.log
        assert '"seconds_ahead": -60.0' in behind.log


@long_only
@pytest.mark.parametrize("seconds", [MINUTE, -MINUTE])
def test_what_a_killed_worker_had_is_taken_over_when_its_lease_ends(
    server: Server, key: str, tmp_path: Path, seconds: int
) -> None:
    url = a_database(server)
    with (
        served(url, key, folder=tmp_path) as killed,
        served(url, key, folder=tmp_path, **clock_ahead(seconds)) as other,
    ):
        world = World(server, url, (killed, other))
        assert killed.url != other.url
        upgrade = world.upgrade_all()
        world.until_all_work(upgrade)
        killed.kill()
        began = time.monotonic()
        until(lambda: partitions_of(killed, world.progress(upgrade)) == 0, "the other takes all of it over")
        assert time.monotonic() - began < SOON
        world.must_come_to_the_truth(upgrade)


async def a_key(url: URL) -> str:
    database = Database.at(url)
    try:
        _, token = await create_key(
            SqlKeys(database),
            name="short",
            role=Role.READER,
            expires_at=datetime.now(UTC) + timedelta(days=1),
        )
        return token
    finally:
        await database.close()


@long_only
def test_a_key_expires_by_the_clock_of_postgresql(server: Server, key: str, tmp_path: Path) -> None:
    url = a_database(server)
    token = asyncio.run(a_key(url))
    with (
        served(url, key, folder=tmp_path, **clock_ahead(MINUTE)) as ahead,
        served(url, key, folder=tmp_path, **clock_ahead(-MINUTE)) as behind,
    ):

        def statuses() -> list[int]:
            path, headers = f"/pub/v1/bpm/upgrades/{UUID(int=1)}", {"authorization": f"Bearer {token}"}
            return [gateway.ask(path, **headers).status for gateway in (ahead, behind)]

        def expire_in(seconds: int) -> None:
            asyncio.run(server.execute(EXPIRE.format(seconds), database=str(url.database)))

        expire_in(30)
        assert statuses() == [404, 404]
        expire_in(-30)
        assert statuses() == [401, 401]


@long_only
def test_pruning_counts_from_the_clock_of_postgresql(server: Server, key: str, tmp_path: Path) -> None:
    url = a_database(server)
    with served(url, key, folder=tmp_path) as gateway:
        world = World(server, url, (gateway,))
        world.must_come_to_the_truth(world.upgrade_all())

    def prune(days: int, seconds: int) -> None:
        older = ("--older-than", str(days))
        more: dict[str, Any] = clock_ahead(seconds)
        with started("prune-audit", url, key, *older, folder=tmp_path, **more) as program:
            assert program.process.wait(TIMEOUT) == 0, program.log

    prune(1, 24 * 3_600 + MINUTE)
    assert world.ask("SELECT count(*) > 0 FROM outcome")[0] is True
    prune(0, -MINUTE)
    assert world.ask("SELECT count(*) FROM outcome")[0] == 0


@long_only
@pytest.mark.parametrize("seconds", [MINUTE, -MINUTE])
def test_clocks_that_differ_move_no_instance_twice_in_a_file(
    template: Template, file: Path, seconds: int
) -> None:
    """Programs of one file share a clock, unless it jumps while one reads it: then leases look expired."""
    more: dict[str, Any] = clock_ahead(seconds)
    with served(file, template.key) as first, started("worker", file, template.key, **more) as other:
        upgrade = first.upgrade_all_by_rest("one")
        until(lambda: progress_of(file, upgrade).total > 0, "the upgrade is under way")
        must_tell_the_pace(first, upgrade)
        until(lambda: progress_of(file, upgrade).is_completed, "the upgrade ends")
        assert (first.is_running, other.is_running) == (True, True)
        assert "upgrade failed" not in first.log + other.log
    must_be_all_done(file, upgrade, template.file)
