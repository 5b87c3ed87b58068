"""Times a plan against the bare GROUP BY that it needs.

1,000,000 waiting instances of 25 published versions at 20 positions: 500 cohorts, each version with a BPMN
document. The floor counts the same cohorts by plain sqlite3 on the same file, in turn with the plans. The
first plan of a program reads and compares the documents; later ones find them compared.
Run: python -m bench.plan [instances] [rounds]
"""

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from uuid import UUID

from bench.population import ADMIN, BATCH, PROCESS, plain_connection
from tests.support.bpmn_builder import a_process
from uplift.domain import (
    ElementId,
    Instance,
    InstanceId,
    Status,
    VersionNumber,
    all_active,
    create_process,
    publish_version,
    register_instances,
    save_draft,
)
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.use_cases.plan import Plan, plan_upgrade
from uplift.storage.store import SqlStore

VERSIONS = 25
POSITIONS = 20


def document(version: int) -> bytes:
    """A chain of user tasks; each version lacks one task of the others and has one task of its own."""
    process = a_process(PROCESS.code).start()
    for number in range(POSITIONS + 1):
        if number != version % POSITIONS:
            process.user_task(f"task-{number}")
    return process.user_task(f"new-{version}").end().xml()


async def populate(path: Path, count: int, *, seed: int = 1) -> None:
    """Fill a new database file."""
    store = await SqlStore.open(path)
    await create_process(store, namespace=PROCESS.namespace, code=PROCESS.code, title=None, caller=ADMIN)
    for version in range(1, VERSIONS + 1):
        await save_draft(store, process=PROCESS, model=document(version), caller=ADMIN)
        await publish_version(store, process=PROCESS, caller=ADMIN)
    chance = random.Random(seed)
    positions = [frozenset({ElementId(f"task-{number}")}) for number in range(POSITIONS)]
    for start in range(0, count, BATCH):
        batch = [an_instance(chance, positions) for _ in range(min(BATCH, count - start))]
        await register_instances(store, process=PROCESS, instances=batch, caller=ADMIN)
    await store.close()


def an_instance(chance: random.Random, positions: list[frozenset[ElementId]]) -> Instance:
    return Instance(
        id=InstanceId(UUID(bytes=chance.randbytes(16), version=4)),
        process=PROCESS,
        version=VersionNumber(chance.randint(1, VERSIONS)),
        status=Status.PENDING,
        position=chance.choice(positions),
    )


def floor(path: Path) -> tuple[float, int]:
    connection = plain_connection(path)
    start = time.perf_counter()
    rows = connection.execute(
        "SELECT version, status, position_id, count(*) FROM instance WHERE process_id = 1 AND status <= 2"
        " GROUP BY version, status, position_id"
    ).fetchall()
    took = time.perf_counter() - start
    connection.close()
    return took, len(rows)


async def ours(store: SqlStore) -> tuple[float, Plan]:
    start = time.perf_counter()
    plan = await plan_upgrade(store, UpgradeRequest(process=PROCESS, selection=all_active()))
    return time.perf_counter() - start, plan


async def measure(path: Path, rounds: int) -> None:
    store = await SqlStore.open(path)
    floors: list[float] = []
    plans: list[float] = []
    for _ in range(rounds):
        bare, cohorts = floor(path)
        took, plan = await ours(store)
        floors.append(bare)
        plans.append(took)
        print(
            f"floor {bare:.3f} s ({cohorts} cohorts)   plan {took:.3f} s ({len(plan.decisions)} cohorts, "
            f"{plan.upgraded:,} upgraded, {plan.skipped:,} skipped)   ratio {took / bare:.2f}"
        )
    await store.close()
    print(
        f"median ratio {median(plans) / median(floors):.2f}, the first plan {plans[0] / median(floors):.2f}"
    )


def main(count: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.sqlite"
        start = time.perf_counter()
        asyncio.run(populate(path, count))
        print(f"registered {count:,} instances in {time.perf_counter() - start:.1f} s")
        asyncio.run(measure(path, rounds))


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000,
        int(sys.argv[2]) if len(sys.argv) > 2 else 7,
    )
