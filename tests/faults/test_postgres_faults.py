"""Faults of gateways that share a PostgreSQL database: every instance is upgraded exactly once."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import md5
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.engine import URL

from tests.faults.population import (
    ADMIN,
    COUNT_ALL,
    POSITIONS,
    PROCESS,
    TARGET,
    UPGRADE_COMPLETED,
    WRONG_COUNTS,
    an_instance,
)
from tests.faults.programs import Program, served, started, until
from tests.faults.test_engine_beside_upgrade import STATUSES, Report, send
from tests.faults.test_killed_server import KILLS
from tests.support.postgres import Server, a_server, binaries
from uplift.domain import Role, create_process, publish_version, register_instances, save_draft
from uplift.gateway.auth.keys import create_key
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(
        binaries() is None, reason="there is no PostgreSQL server: apt-get install postgresql"
    ),
]

INSTANCES = 200_000
NUMBERS = count(1)
THE_REST = f"""
INSERT INTO instance (uuid, process_id, version, status, position_id)
SELECT md5(n::text)::uuid, 1, 1 + n % 2, CASE WHEN n % 21 = 20 THEN 3 WHEN n % 50 = 7 THEN 2 ELSE 1 END,
       1 + n % {len(POSITIONS)}
FROM generate_series({len(POSITIONS)}, {INSTANCES - 1}) AS n;
{COUNT_ALL}
CREATE TABLE untouched AS SELECT * FROM instance;
ANALYZE
"""
UPGRADE_PAUSED, UPGRADE_CANCELLED = 3, 5
PROGRESS = """
SELECT state, upgraded + skipped AS total,
       (SELECT count(*) FROM partition WHERE upgrade_id = upgrade.id) AS partitions,
       ARRAY(SELECT lease_worker FROM partition WHERE upgrade_id = upgrade.id AND lease_worker IS NOT NULL)
       AS workers
FROM upgrade WHERE uuid = $1
"""
WRITTEN_LAST = """
SELECT max(xmin::text::bigint)
FROM (SELECT xmin FROM outcome UNION ALL SELECT xmin FROM instance UNION ALL SELECT xmin FROM upgrade
      UNION ALL SELECT xmin FROM decision UNION ALL SELECT xmin FROM partition) AS row
"""
"""The latest transaction that wrote a current row."""
ARE_BUSY = """
SELECT count(*) > 0 FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'
  AND coalesce(wait_event_type, '') NOT IN ('Client', 'Lock')
"""
"""Whether the database executes statements, and waits for no program and no lock."""
STATES = "SELECT array_agg(state) FROM pg_stat_activity WHERE usename = $1"
SOMEBODY = "somebody"
"""A role by which the connections of the first gateway can be distinguished from those of the other."""
FREE_ALL = "UPDATE partition SET lease_until = now() - interval '1 second'"
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
LIES_SO_FAR = f"""
SELECT count(*) FROM untouched AS before
LEFT JOIN instance AS now USING (id)
LEFT JOIN outcome ON outcome.instance_id = before.id
LEFT JOIN partition ON partition.cursor < before.id AND before.id <= partition.last_key
WHERE now.uuid IS DISTINCT FROM before.uuid
   OR now.status <> before.status OR now.position_id <> before.position_id
   OR now.version <>
      CASE WHEN before.status = 1 AND outcome.instance_id IS NOT NULL THEN {TARGET} ELSE before.version END
   OR (outcome.instance_id IS NULL) <> (before.status > 2 OR partition.upgrade_id IS NOT NULL)
"""
COUNTS_SO_FAR = "SELECT upgraded + skipped = (SELECT count(*) FROM outcome) FROM upgrade WHERE uuid = $1"
COUNTS = """
SELECT upgraded = (SELECT count(*) FROM untouched WHERE status = 1)
   AND skipped = (SELECT count(*) FROM untouched WHERE status = 2)
   AND upgraded + skipped = (SELECT count(*) FROM outcome)
   AND NOT EXISTS (SELECT FROM partition) AND finished_at IS NOT NULL
FROM upgrade WHERE uuid = $1
"""


class World(NamedTuple):
    """A database with many instances, and two gateways that share it."""

    server: Server
    url: URL
    gateways: tuple[Program, ...]

    def ask(self, sql: str, *parameters: object) -> Any:
        """The first row of the answer."""

        async def answer() -> Any:
            connection = await asyncpg.connect(self.url.render_as_string(), ssl=False)
            try:
                return await connection.fetchrow(sql, *parameters)
            finally:
                await connection.close()

        return asyncio.run(answer())

    def must_tell_the_truth(self, upgrade: UUID) -> None:
        """Check, at any moment, that outcomes explain what moved, and that nothing else changed.

        The partitions cover exactly the active instances without an outcome.
        """
        assert self.ask(LIES_SO_FAR)[0] == 0
        assert self.ask(WRONG_COUNTS)[0] == 0
        assert self.ask(COUNTS_SO_FAR, upgrade)[0] is True

    def upgrade_all(self) -> UUID:
        return self.gateways[0].upgrade_all_by_rest("once")

    def progress(self, upgrade: UUID) -> Any:
        return self.ask(PROGRESS, upgrade)

    def all_work(self, upgrade: UUID) -> bool:
        """Whether each of the gateways has a partition of the upgrade now."""
        now = self.progress(upgrade)
        assert now["state"] != UPGRADE_COMPLETED, "faults come too late"
        return all(partitions_of(gateway, now) > 0 for gateway in self.gateways)

    def until_all_work(self, upgrade: UUID) -> None:
        until(lambda: self.all_work(upgrade), "all gateways work on the upgrade")

    def freeze_while_all_work(self, upgrade: UUID) -> None:
        """Suspend the first gateway inside a transaction, while both have a partition of the upgrade."""
        # The database does not end a client that is suspended after half a statement: its state is "active".
        freeze_when(
            self.gateways[0],
            lambda: (
                "active" not in self.states() and self.all_work(upgrade) and not is_idle(self.gateways[0])
            ),
        )

    def states(self) -> set[str]:
        """The activity of the first gateway's connections."""
        return set(self.ask(STATES, SOMEBODY)[0])

    def until_quiet(self) -> None:
        """Wait until the database has executed everything that suspended programs have sent."""
        until(lambda: not self.ask(ARE_BUSY)[0], "the database is done")

    def must_come_to_the_truth(self, upgrade: UUID) -> None:
        """Check that the upgrade is completed, and each instance was moved at most once."""
        until(lambda: self.progress(upgrade)["state"] == UPGRADE_COMPLETED, "the upgrade is completed")
        assert self.ask(LIES)[0] == 0
        assert self.ask(WRONG_COUNTS)[0] == 0
        assert self.ask(COUNTS, upgrade)[0] is True
        assert self.ask("SELECT count(*) FROM upgrade")[0] == 1


def partitions_of(gateway: Program, progress: Any) -> int:
    """The number of partitions that a gateway's workers hold."""
    return sum(f":{gateway.process.pid}:" in name for name in progress["workers"])


def freeze_when(gateway: Program, is_time: Callable[[], bool]) -> None:
    """Suspend a gateway at a moment when the condition holds, and still holds afterwards."""

    def is_frozen_in_time() -> bool:
        gateway.freeze()
        if is_time():
            return True
        gateway.thaw()
        return False

    until(is_frozen_in_time, "the moment comes")


def is_idle(gateway: Program) -> bool:
    """Whether its log shows each claimed upgrade as released."""
    return gateway.log.count('"upgrade claimed"') == gateway.log.count('"upgrade released')


def until_idle(gateway: Program) -> None:
    until(lambda: is_idle(gateway), "the gateway leaves what it has taken")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with a_server() as started:
        yield started


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    """The API key of the database that is the template of all others."""
    return asyncio.run(populate(server))


def a_database(server: Server) -> URL:
    """A new database with many instances."""
    name = f"world_{next(NUMBERS)}"
    asyncio.run(server.execute(f"CREATE DATABASE {name} TEMPLATE populated"))
    return server.url(name)


@pytest.fixture
def world(server: Server, key: str, tmp_path: Path) -> Iterator[World]:
    url = a_database(server)
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(served(address, key, folder=tmp_path))
            for address in (url.set(username=SOMEBODY), url)
        )
        assert first.url != second.url
        yield World(server, url, (first, second))


async def populate(server: Server) -> str:
    await server.execute(f"CREATE ROLE {SOMEBODY} SUPERUSER LOGIN")
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


def test_another_gateway_goes_on_when_one_is_killed(world: World) -> None:
    killed, other = world.gateways
    upgrade = world.upgrade_all()
    world.freeze_while_all_work(upgrade)
    killed.kill()
    assert partitions_of(killed, world.progress(upgrade)) > 0, "what it had is left to the other"
    world.must_tell_the_truth(upgrade)
    world.must_come_to_the_truth(upgrade)
    assert other.is_running


def test_another_gateway_claims_the_partitions_of_one_that_was_suspended_beyond_its_lease(
    world: World,
) -> None:
    frozen, _ = world.gateways
    upgrade = world.upgrade_all()
    world.freeze_while_all_work(upgrade)
    stopped = world.progress(upgrade)
    until(lambda: world.progress(upgrade)["total"] > stopped["total"], "the other works on")
    until(lambda: partitions_of(frozen, world.progress(upgrade)) == 0, "the other takes all of it over")
    frozen.thaw()
    world.must_come_to_the_truth(upgrade)
    until_idle(frozen)
    world.must_come_to_the_truth(upgrade)
    assert [gateway.ask("/readyz").status for gateway in world.gateways] == [200, 200]


def test_a_gateway_that_was_suspended_beyond_its_lease_writes_nothing_more(
    server: Server, key: str, tmp_path: Path
) -> None:
    """The other gateway claims all remaining partitions and dies. Its long lease protects them."""
    url = a_database(server)
    with (
        served(url.set(username=SOMEBODY), key, folder=tmp_path, UPLIFT_WORKER_CONCURRENCY="1") as frozen,
        served(url, key, folder=tmp_path, UPLIFT_LEASE_SECONDS="3600") as other,
    ):
        world = World(server, url, (frozen, other))
        assert frozen.url != other.url
        upgrade = world.upgrade_all()

        def is_between_chunks() -> bool:
            # Inside a transaction the database would end it, and the gateway would send nothing more.
            return world.states() == {"idle"} and world.all_work(upgrade) and not is_idle(frozen)

        freeze_when(frozen, is_between_chunks)

        def has_other_all() -> bool:
            world.until_quiet()
            now = world.progress(upgrade)
            assert now["state"] != UPGRADE_COMPLETED, "faults come too late"
            return 0 < partitions_of(other, now) == int(now["partitions"])

        until(lambda: world.progress(upgrade)["total"] > 150_000, "the other works on")
        freeze_when(other, has_other_all)
        other.kill()
        world.until_quiet()
        written = world.ask(WRITTEN_LAST)
        frozen.thaw()
        until_idle(frozen)
        assert '"upgrade released"' in frozen.log, "it has looked at what it had"
        assert world.ask(WRITTEN_LAST) == written
        world.must_tell_the_truth(upgrade)
        assert url.database is not None
        asyncio.run(server.execute(FREE_ALL, database=url.database))
        world.must_come_to_the_truth(upgrade)


def test_connections_that_are_cut_again_and_again_cost_nothing_but_time(world: World) -> None:
    upgrade = world.upgrade_all()
    world.until_all_work(upgrade)
    for _ in range(5):
        world.ask(CUT)
        time.sleep(0.1)
    world.must_come_to_the_truth(upgrade)
    assert [gateway.ask("/readyz").status for gateway in world.gateways] == [200, 200]


def test_gateways_survive_an_outage_of_their_database(world: World) -> None:
    upgrade = world.upgrade_all()
    world.until_all_work(upgrade)
    world.server.stop(mode="immediate")
    try:
        assert [gateway.ask("/readyz").status for gateway in world.gateways] == [503, 503]
        assert world.gateways[1].ask("/healthz").status == 200
        refused = world.gateways[1].ask("/graphql", {"query": "{ processes(first: 1) { nodes { code } } }"})
    finally:
        world.server.start()
    assert "STORE_UNAVAILABLE" in str(refused.body), refused
    world.must_tell_the_truth(upgrade)
    world.must_come_to_the_truth(upgrade)
    assert [gateway.ask("/readyz").status for gateway in world.gateways] == [200, 200]


def test_the_same_request_of_both_gateways_is_carried_out_once(world: World) -> None:
    with ThreadPoolExecutor(2) as both:
        [upgrade] = set(both.map(lambda gateway: gateway.upgrade_all_by_rest("once"), world.gateways))
    world.must_come_to_the_truth(upgrade)


def test_an_upgrade_survives_the_kill_of_its_server(
    server: Server, key: str, tmp_path: Path, is_long: bool
) -> None:
    chance = Random(3)
    for _ in range(20 if is_long else 1):
        world = World(server, a_database(server), ())
        hits = kill_again_and_again(world, key, tmp_path, chance)
        assert hits > 0


def kill_again_and_again(world: World, key: str, folder: Path, chance: Random) -> int:
    """Run one upgrade through this many kills, and check it after each; returns the kills before its end."""
    upgrades: set[UUID] = set()
    hits = 0
    for _ in range(KILLS):
        with served(world.url, key, folder=folder) as gateway:
            # A client that got no answer repeats its request: it is the same upgrade.
            upgrades.add(gateway.upgrade_all_by_rest("once"))
            [upgrade] = upgrades
            goal = world.progress(upgrade)["total"] + chance.randint(1, 30_000)
            until(lambda: has_come_to(world, upgrade, goal), "the upgrade goes on by itself")  # noqa: B023
            time.sleep(chance.random() / 100)
            gateway.kill()
        hits += world.progress(upgrade)["state"] != UPGRADE_COMPLETED
        world.must_tell_the_truth(upgrade)
    with served(world.url, key, folder=folder):
        world.must_come_to_the_truth(upgrade)
    return hits


def has_come_to(world: World, upgrade: UUID, total: int) -> bool:
    now = world.progress(upgrade)
    return bool(now["state"] == UPGRADE_COMPLETED or now["total"] >= total)


@pytest.mark.parametrize("gateway", [0, 1])
def test_any_gateway_pauses_resumes_and_cancels_an_upgrade_that_several_run(
    world: World, gateway: int
) -> None:
    upgrade = world.upgrade_all()

    def change(mutation: str) -> None:
        fields = {"id": str(upgrade)}
        world.gateways[gateway].mutate(f"{mutation}(input: $input) {{ userErrors {{ code }} }}", fields)

    def must_stand_still(state: int) -> int:
        """After the answer nothing moves; returns how many instances have an outcome."""
        progress = world.progress(upgrade)
        assert progress["state"] == state, "it came too late"
        until(lambda: not world.progress(upgrade)["workers"], "all workers stop")
        stopped = world.progress(upgrade)
        assert (stopped["state"], stopped["total"]) == (state, progress["total"])
        world.must_tell_the_truth(upgrade)
        assert world.progress(upgrade) == stopped
        total: int = stopped["total"]
        return total

    world.until_all_work(upgrade)
    change("pauseUpgrade")
    paused = must_stand_still(UPGRADE_PAUSED)
    change("resumeUpgrade")
    until(lambda: world.progress(upgrade)["total"] > paused, "the work goes on")
    world.until_all_work(upgrade)
    change("cancelUpgrade")
    assert must_stand_still(UPGRADE_CANCELLED) > paused


REPORTED = 50_000
SAID = "CREATE TABLE said (uuid uuid PRIMARY KEY, status int NOT NULL, elements text NOT NULL)"
MIX = f"""
SELECT count(*) FILTER (WHERE now.status <> coalesce(said.status, before.status)
         OR now_at.elements <> coalesce(said.elements, before_at.elements)) AS overwritten,
       count(*) FILTER (WHERE CASE WHEN outcome.instance_id IS NULL
         THEN before.status < 3 AND coalesce(said.status, before.status) < 3
         ELSE outcome.version <> before.version
           OR (outcome.status, outcome_at.elements) NOT IN (
                (before.status, before_at.elements),
                (coalesce(said.status, before.status), coalesce(said.elements, before_at.elements)))
         END) AS untrue,
       count(*) FILTER (WHERE now.version <>
         CASE WHEN outcome.status = 1 THEN {TARGET} ELSE before.version END) AS misplaced,
       count(*) FILTER (WHERE outcome.status = 1) AS upgraded,
       count(*) FILTER (WHERE outcome.status <> 1) AS skipped,
       count(*) FILTER (WHERE (outcome.status, outcome_at.elements) <> (before.status, before_at.elements)
         OR outcome.instance_id IS NULL AND before.status < 3) AS reported_before,
       count(*) FILTER (WHERE (outcome.status, outcome_at.elements) <> (said.status, said.elements))
         AS reported_after
FROM untouched AS before
JOIN position AS before_at ON before_at.id = before.position_id
JOIN instance AS now ON now.id = before.id
JOIN position AS now_at ON now_at.id = now.position_id
LEFT JOIN said ON said.uuid = before.uuid
LEFT JOIN outcome ON outcome.instance_id = before.id
LEFT JOIN position AS outcome_at ON outcome_at.id = outcome.position_id
"""


def reports_of_an_engine(chance: Random) -> list[Report]:
    """Changes to instances from all over the upgrade, each once."""
    active = [number for number in range(len(POSITIONS), INSTANCES) if number % 21 != 20]
    return [
        (
            UUID(md5(str(number).encode()).hexdigest()),
            chance.choice(list(STATUSES)),
            f"task-{chance.randrange(25)}",
        )
        for number in chance.sample(active, REPORTED)
    ]


async def keep(url: URL, reports: list[Report]) -> None:
    connection = await asyncpg.connect(url.render_as_string(), ssl=False)
    try:
        await connection.execute(SAID)
        rows = [(instance, STATUSES[status], f'["{place}"]') for instance, status, place in reports]
        await connection.copy_records_to_table("said", records=rows)
    finally:
        await connection.close()


def test_an_engine_and_an_upgrade_do_not_disturb_each_other(server: Server, key: str, tmp_path: Path) -> None:
    world = World(server, a_database(server), ())
    reports = reports_of_an_engine(Random(5))
    with served(world.url, key, folder=tmp_path, UPLIFT_WORKER="false") as gateway:
        upgrade = gateway.upgrade_all_by_rest("once")
        # Some before the first chunk, most beside all chunks, some after the last.
        send(gateway, reports[:5_000])
        with started("worker", world.url, key, folder=tmp_path):
            send(gateway, reports[5_000:45_000])
            until(lambda: world.progress(upgrade)["state"] == UPGRADE_COMPLETED, "the upgrade ends")
        send(gateway, reports[45_000:])
    asyncio.run(keep(world.url, reports))
    mix = world.ask(MIX)
    assert (mix["overwritten"], mix["untrue"], mix["misplaced"]) == (0, 0, 0)
    counts = world.ask("SELECT upgraded, skipped FROM upgrade WHERE uuid = $1", upgrade)
    assert tuple(counts) == (mix["upgraded"], mix["skipped"])
    assert world.ask("SELECT count(*) FROM outcome")[0] == sum(counts)
    assert mix["reported_before"] > 0
    assert mix["reported_after"] > 0
