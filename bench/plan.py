"""Times what reads kept counts, with as many cohorts but ten times as many instances.

Each database has waiting instances of 25 published versions at 20 positions: 500 cohorts, each version with a
BPMN document. Timed are a plan of all active instances, a plan without 1,000 of them, `cohorts`, and the
number of active ones; and beside them the GROUP BY that counts the same cohorts from the instances. The first
plan of a program reads and compares the documents; later ones find them compared, and are measured.
Run: python -m bench.plan [smaller] [larger] [rounds]
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.engine import URL

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_most, compared, single
from bench.figures.needs import postgresql
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
    "all active": lambda store: plan(store, 0),
    "without 1,000": lambda store: plan(store, EXCLUDED),
    "cohorts, totalCount": cohorts,
    "number of active": lambda store: store.instances.count_active(PROCESS),
}


@asynccontextmanager
async def filled(name: str, where: Path | URL, count: int) -> AsyncIterator[SqlStore]:
    """A store with so many instances, whose kept counts are right."""
    store = await SqlStore.open(where)
    began = time.perf_counter()
    await populate(store, count)
    seconds = time.perf_counter()
    await repair_counts(store.database)
    print(
        f"{name}, {count:,} instances: filled in {seconds - began:.0f} s, "
        f"counts repaired in {time.perf_counter() - seconds:.1f} s"
    )
    yield store
    await store.close()


async def in_turns(stores: Sequence[SqlStore], rounds: int) -> dict[str, list[list[float]]]:
    """Milliseconds of what is timed, in each store, in turns. A first round is not counted."""
    took: dict[str, list[list[float]]] = {what: [[] for _ in stores] for what in TIMED}
    for number in range(rounds + 1):
        for what, read in TIMED.items():
            for times, store in zip(took[what], stores, strict=True):
                begin = time.perf_counter()
                await read(store)
                if number:
                    times.append((time.perf_counter() - begin) * 1_000)
    return took


async def figures_of(
    name: str, places: Sequence[Path | URL], counts: Sequence[int], rounds: int
) -> list[Figure]:
    smaller, larger = counts
    async with filled(name, places[0], smaller) as first, filled(name, places[1], larger) as second:
        took = await in_turns((first, second), rounds)
        began = time.perf_counter()
        await count_again(second)
        counted = (time.perf_counter() - began) * 1_000
    return [
        single(f"all active, {name}", took["all active"][1], unit="ms", target=PLAN),
        *(
            compared(
                f"{what}, {name}, beside fewer",
                times[1],
                times[0],
                unit="ms",
                beside=f"with {smaller:,}",
                target=SAME if what == "all active" else None,
            )
            for what, times in took.items()
        ),
        single(f"GROUP BY of the instances, {name}", [counted], unit="ms"),
    ]


async def take(smaller: int, larger: int, rounds: int) -> list[Figure]:
    counts = (smaller, larger)
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / f"{count}.sqlite" for count in counts]
        figures = await figures_of("SQLite", places, counts, rounds)
    with a_server() as server:
        # An empty database of PostgreSQL gets its tables when it is opened.
        async with server.empty_database() as first, server.empty_database() as second:
            return figures + await figures_of("PostgreSQL", (first, second), counts, rounds)


def measure(smaller: int, larger: int, rounds: int) -> list[Figure]:
    return asyncio.run(take(smaller, larger, rounds))


PLAN = at_most("a plan", 20, "ms")
SAME = at_most("a plan beside one of a tenth of the instances", 1.2)
BENCH = Bench(
    compares=(
        "plans, `cohorts` and counts in 500 cohorts, beside the same with a tenth of the instances, on both "
        "databases"
    ),
    sizes={"smaller": (200_000, 2_000), "larger": (2_000_000, 20_000), "rounds": (15, 2)},
    targets=(PLAN, SAME),
    measure=measure,
    needs=(postgresql,),
)

if __name__ == "__main__":
    run_alone(BENCH)
