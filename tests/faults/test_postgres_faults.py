"""Two gateways on one PostgreSQL database, and what befalls them: every instance is moved exactly once."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.engine import URL

from domain import Role, create_process, publish_version, register_instances, save_draft
from gateway.keys import create_key
from storage.keys import SqlKeys
from storage.store import SqlStore
from tests.faults.population import ADMIN, POSITIONS, PROCESS, TARGET, UPGRADE_COMPLETED, an_instance
from tests.faults.programs import Program, served, until
from tests.support.postgres import Server, a_server, binaries

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(
        binaries() is None, reason="there is no PostgreSQL server: apt-get install postgresql"
    ),
]

INSTANCES = 100_000
NUMBERS = count(1)
THE_REST = f"""
INSERT INTO instance (uuid, process_id, version, status, position_id)
SELECT md5(n::text)::uuid, 1, 1 + n % 2, CASE WHEN n % 21 = 20 THEN 3 WHEN n % 50 = 7 THEN 2 ELSE 1 END,
       1 + n % {len(POSITIONS)}
FROM generate_series({len(POSITIONS)}, {INSTANCES - 1}) AS n;
CREATE TABLE untouched AS SELECT * FROM instance;
ANALYZE
"""
PROGRESS = "SELECT state, lease_worker, upgraded + skipped AS total FROM upgrade WHERE uuid = $1"
CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
LIES = f"""
SELECT count(*) FROM untouched AS before
LEFT JOIN instance AS now USING (id)
LEFT JOIN outcome ON outcome.instance_id = before.id
WHERE now.uuid IS DISTINCT FROM before.uuid
   OR now.status <> before.status OR now.position_id <> before.position_id
   OR now.version <> CASE WHEN before.status = 1 THEN {TARGET} ELSE before.version END
   OR (outcome.instance_id IS NULL) <> (before.status > 2)
   OR (outcome.version, outcome.status, outcome.position_id)
      <> (before.version, before.status, before.position_id)
"""
COUNTS = """
SELECT upgraded = (SELECT count(*) FROM untouched WHERE status = 1)
   AND skipped = (SELECT count(*) FROM untouched WHERE status = 2)
   AND upgraded + skipped = (SELECT count(*) FROM outcome)
   AND lease_worker IS NULL AND finished_at IS NOT NULL
FROM upgrade WHERE uuid = $1
"""


class World(NamedTuple):
    """A database with many instances, and two gateways that share it."""

    server: Server
    url: URL
    gateways: tuple[Program, Program]

    def ask(self, sql: str, *given: object) -> Any:
        """The first row that the database answers."""

        async def answer() -> Any:
            connection = await asyncpg.connect(self.url.render_as_string(), ssl=False)
            try:
                return await connection.fetchrow(sql, *given)
            finally:
                await connection.close()

        return asyncio.run(answer())

    def upgrade_all(self) -> UUID:
        return self.gateways[0].upgrade_all_by_rest("once")

    def progress(self, upgrade: UUID) -> Any:
        return self.ask(PROGRESS, upgrade)

    def who_works_on(self, upgrade: UUID) -> tuple[Program, Program]:
        """The gateway that works on an upgrade, and the other; waits until there is one."""
        until(lambda: self.progress(upgrade)["lease_worker"] is not None, "a gateway takes the upgrade")
        pid = int(self.progress(upgrade)["lease_worker"].split(":")[1])
        first, second = self.gateways
        return (first, second) if first.process.pid == pid else (second, first)

    def must_come_to_the_truth(self, upgrade: UUID) -> None:
        """The upgrade is completed, and each instance was moved exactly once or is as it was."""
        until(lambda: self.progress(upgrade)["state"] == UPGRADE_COMPLETED, "the upgrade is completed")
        assert self.ask(LIES)[0] == 0
        assert self.ask(COUNTS, upgrade)[0] is True
        assert self.ask("SELECT count(*) FROM upgrade")[0] == 1


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with a_server() as started:
        yield started


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    """The key to a database that serves as the template of all others."""
    return asyncio.run(populate(server))


@pytest.fixture
def world(server: Server, key: str, tmp_path: Path) -> Iterator[World]:
    name = f"world_{next(NUMBERS)}"
    asyncio.run(server.execute(f"CREATE DATABASE {name} TEMPLATE populated"))
    url = server.url(name)
    with ExitStack() as stack:
        first, second = (stack.enter_context(served(url, key, folder=tmp_path)) for _ in range(2))
        assert first.url != second.url
        yield World(server, url, (first, second))


async def populate(server: Server) -> str:
    await server.execute("CREATE DATABASE populated")
    store = await SqlStore.open(server.url("populated"))
    await create_process(store, namespace=PROCESS.namespace, code=PROCESS.code, title=None, caller=ADMIN)
    for _ in range(TARGET):
        await save_draft(store, process=PROCESS, model=None, caller=ADMIN)
        await publish_version(store, process=PROCESS, caller=ADMIN)
    few = [an_instance(number) for number in range(len(POSITIONS))]
    await register_instances(store, process=PROCESS, instances=few, caller=ADMIN)
    _, key = await create_key(SqlKeys(store.database), name="faults", role=Role.SYSTEM_ADMIN)
    await store.close()
    await server.execute(THE_REST, database="populated")
    return key


def until_begun(world: World, upgrade: UUID) -> None:
    until(lambda: world.progress(upgrade)["total"] > 0, "the upgrade has begun")
    assert world.progress(upgrade)["state"] != UPGRADE_COMPLETED, "faults come too late"


def test_another_gateway_goes_on_when_one_is_killed(world: World) -> None:
    upgrade = world.upgrade_all()
    until_begun(world, upgrade)
    working, other = world.who_works_on(upgrade)
    working.kill()
    world.must_come_to_the_truth(upgrade)
    assert other.is_running


def test_a_gateway_that_was_stopped_beyond_its_lease_writes_nothing_more(world: World) -> None:
    upgrade = world.upgrade_all()
    until_begun(world, upgrade)
    working, other = world.who_works_on(upgrade)
    working.freeze()
    until(
        lambda: (
            f":{other.process.pid}:" in (world.progress(upgrade)["lease_worker"] or "")
            or world.progress(upgrade)["state"] == UPGRADE_COMPLETED
        ),
        "the other takes over",
    )
    working.thaw()
    world.must_come_to_the_truth(upgrade)
    time.sleep(0.5)
    world.must_come_to_the_truth(upgrade)
    assert working.ask("/readyz").status == 200


def test_connections_that_are_cut_again_and_again_cost_nothing_but_time(world: World) -> None:
    upgrade = world.upgrade_all()
    until_begun(world, upgrade)
    for _ in range(5):
        world.ask(CUT)
        time.sleep(0.1)
    world.must_come_to_the_truth(upgrade)
    assert [gateway.ask("/readyz").status for gateway in world.gateways] == [200, 200]


def test_gateways_outlive_their_database(world: World) -> None:
    upgrade = world.upgrade_all()
    until_begun(world, upgrade)
    world.server.stop(mode="immediate")
    try:
        assert [gateway.ask("/readyz").status for gateway in world.gateways] == [503, 503]
        assert world.gateways[1].ask("/healthz").status == 200
        refused = world.gateways[1].ask("/graphql", {"query": "{ processes(first: 1) { nodes { code } } }"})
    finally:
        world.server.start()
    assert "STORE_UNAVAILABLE" in str(refused.body), refused
    world.must_come_to_the_truth(upgrade)
    assert [gateway.ask("/readyz").status for gateway in world.gateways] == [200, 200]


def test_the_same_request_of_both_gateways_is_carried_out_once(world: World) -> None:
    with ThreadPoolExecutor(2) as both:
        [upgrade] = set(both.map(lambda gateway: gateway.upgrade_all_by_rest("once"), world.gateways))
    world.must_come_to_the_truth(upgrade)
