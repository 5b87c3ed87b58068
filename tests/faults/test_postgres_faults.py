"""Faults of gateways that share a PostgreSQL database: every instance is upgraded exactly once."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import md5
from pathlib import Path
from random import Random
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.engine import URL

from tests.faults.population import POSITIONS, TARGET, UPGRADE_COMPLETED
from tests.faults.postgres_world import (
    INSTANCES,
    SOMEBODY,
    World,
    a_database,
    freeze_when,
    is_idle,
    partitions_of,
    until_idle,
)
from tests.faults.programs import served, started, until
from tests.faults.test_engine_beside_upgrade import STATUSES, Report, send
from tests.faults.test_killed_server import KILLS
from tests.support.long_mode import long_only
from tests.support.postgres import Server

pytestmark = pytest.mark.faults

UPGRADE_PAUSED, UPGRADE_CANCELLED = 3, 5
WRITTEN_LAST = """
SELECT max(xmin::text::bigint)
FROM (SELECT xmin FROM outcome UNION ALL SELECT xmin FROM instance UNION ALL SELECT xmin FROM upgrade
      UNION ALL SELECT xmin FROM decision UNION ALL SELECT xmin FROM partition) AS row
"""
"""The latest transaction that wrote a current row."""
FREE_ALL = "UPDATE partition SET lease_until = now() - interval '1 second'"
CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


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


def test_another_gateway_goes_on_when_one_is_killed(world: World) -> None:
    killed, other = world.gateways
    upgrade = world.upgrade_all()
    world.freeze_while_all_work(upgrade)
    killed.kill()
    assert partitions_of(killed, world.progress(upgrade)) > 0, "what it had is left to the other"
    world.must_tell_the_truth(upgrade)
    world.must_come_to_the_truth(upgrade)
    assert other.is_running


@long_only
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

        until(lambda: world.progress(upgrade)["total"] > INSTANCES * 3 // 4, "the other works on")
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
            goal = world.progress(upgrade)["total"] + chance.randint(1, INSTANCES // 7)
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


@pytest.mark.parametrize("gateway", [pytest.param(0, marks=long_only), 1])
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


REPORTED = 20_000
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


@long_only
def test_an_engine_and_an_upgrade_do_not_disturb_each_other(server: Server, key: str, tmp_path: Path) -> None:
    world = World(server, a_database(server), ())
    reports = reports_of_an_engine(Random(5))
    with served(world.url, key, folder=tmp_path, UPLIFT_WORKER="false") as gateway:
        upgrade = gateway.upgrade_all_by_rest("once")
        # Some before the first chunk, most beside all chunks, some after the last.
        send(gateway, reports[:2_000])
        with started("worker", world.url, key, folder=tmp_path):
            send(gateway, reports[2_000:18_000])
            until(lambda: world.progress(upgrade)["state"] == UPGRADE_COMPLETED, "the upgrade ends")
        send(gateway, reports[18_000:])
    asyncio.run(keep(world.url, reports))
    mix = world.ask(MIX)
    assert (mix["overwritten"], mix["untrue"], mix["misplaced"]) == (0, 0, 0)
    counts = world.ask("SELECT upgraded, skipped FROM upgrade WHERE uuid = $1", upgrade)
    assert tuple(counts) == (mix["upgraded"], mix["skipped"])
    assert world.ask("SELECT count(*) FROM outcome")[0] == sum(counts)
    assert mix["reported_before"] > 0
    assert mix["reported_after"] > 0
