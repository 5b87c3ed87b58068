"""Times what reads kept counts, with as many cohorts but ten times as many instances.

Each database has waiting instances of 25 published versions at 20 positions: 500 cohorts, each version with a
BPMN document. Timed are a plan of all active instances, a plan without 1,000 of them, `cohorts`, and the
number of active ones; and beside them the GROUP BY that counts the same cohorts from the instances. The first
plan of a program reads and compares the documents; later ones find them compared.
Run: python -m bench.plan [rounds] [instances …]
"""

import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from sqlalchemy.engine import URL

from bench.population import ADMIN, PROCESS
from tests.support.bpmn_builder import a_process
from tests.support.postgres import a_server
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
from uplift.domain.use_cases.plan import plan_upgrade
from uplift.storage.count_check import repair_counts
from uplift.storage.store import SqlStore

VERSIONS = 25
POSITIONS = 20
EXCLUDED = 1_000
FILL = {
    "sqlite": f"""
        WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {{count}})
        INSERT INTO instance (uuid, process_id, version, status, position_id)
        SELECT randomblob(16), 1, 1 + abs(random()) % {VERSIONS}, 1, 1 + abs(random()) % {POSITIONS}
        FROM number""",
    "postgresql": f"""
        INSERT INTO instance (uuid, process_id, version, status, position_id)
        SELECT gen_random_uuid(), 1, 1 + floor(random() * {VERSIONS})::int, 1,
               1 + floor(random() * {POSITIONS})::int
        FROM generate_series(1, {{count}})""",
}
"""Instances by plain SQL, which is faster than to register them."""
COUNTED = """
SELECT version, status, position_id, count(*) FROM instance WHERE process_id = 1 AND status <= 2
GROUP BY version, status, position_id
"""


def document(version: int) -> bytes:
    """A chain of user tasks; each version lacks one task of the others and has one task of its own."""
    process = a_process(PROCESS.code).start()
    for number in range(POSITIONS + 1):
        if number != version % POSITIONS:
            process.user_task(f"task-{number}")
    return process.user_task(f"new-{version}").end().xml()


async def populate(store: SqlStore, count: int) -> None:
    """Fill an empty database."""
    await create_process(store, namespace=PROCESS.namespace, code=PROCESS.code, title=None, caller=ADMIN)
    for version in range(1, VERSIONS + 1):
        await save_draft(store, process=PROCESS, model=document(version), caller=ADMIN)
        await publish_version(store, process=PROCESS, caller=ADMIN)
    first = [an_instance(number) for number in range(EXCLUDED)]
    await register_instances(store, process=PROCESS, instances=first, caller=ADMIN)
    async with store.database.migrating() as connection:
        if connection.dialect.name == "sqlite":  # enough for the index of the ids
            await connection.exec_driver_sql("PRAGMA cache_size = -2000000")
        await connection.exec_driver_sql(FILL[connection.dialect.name].format(count=count - EXCLUDED))
    await store.database.analyze()


def an_instance(number: int) -> Instance:
    return Instance(
        id=InstanceId(UUID(int=number)),
        process=PROCESS,
        version=VersionNumber(1 + number % VERSIONS),
        status=Status.PENDING,
        position=frozenset({ElementId(f"task-{number % POSITIONS}")}),
    )


async def count_again(store: SqlStore) -> int:
    async with store.database.reading() as connection:
        return len((await connection.exec_driver_sql(COUNTED)).all())


async def plan(store: SqlStore, excluded: int) -> int:
    selection = all_active([UUID(int=number) for number in range(excluded)])
    return len((await plan_upgrade(store, UpgradeRequest(process=PROCESS, selection=selection))).decisions)


async def cohorts(store: SqlStore) -> int:
    return len((await store.instances.cohorts([PROCESS]))[PROCESS])


TIMED: dict[str, Callable[[SqlStore], Awaitable[Any]]] = {
    "GROUP BY of the instances": count_again,
    "plan": lambda store: plan(store, 0),
    "plan without 1,000": lambda store: plan(store, EXCLUDED),
    "cohorts, totalCount": cohorts,
    "number of active": lambda store: store.instances.count_active(PROCESS),
}


async def measure(name: str, where: Path | URL, count: int, rounds: int) -> None:
    store = await SqlStore.open(where)
    began = time.perf_counter()
    await populate(store, count)
    filled = time.perf_counter()
    await repair_counts(store.database)
    repaired = time.perf_counter()
    took: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        for what, read in TIMED.items():
            if number > 0 and read is count_again:
                continue  # once is enough: it takes longest, and is no more than a comparison
            begin = time.perf_counter()
            await read(store)
            took[what].append((time.perf_counter() - begin) * 1_000)
    await store.close()
    print(
        f"{name}, {count:,} instances: filled in {filled - began:.0f} s, "
        f"counts repaired in {repaired - filled:.1f} s"
    )
    for what, times in took.items():
        print(
            f"    {what:26} first {times[0]:8.1f} ms   median {median(times):8.1f}   best {min(times):8.1f}"
        )


async def main(rounds: int, counts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder, a_server() as server:
        for count in counts:
            path = Path(folder) / f"{count}.sqlite"
            await measure("SQLite", path, count, rounds)
            path.unlink()
            async with server.empty_database() as url:
                # An empty database of PostgreSQL gets its tables when it is opened.
                await measure("PostgreSQL", url, count, rounds)


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(main(arguments[0] if arguments else 9, arguments[1:] or [1_000_000, 10_000_000]))
