"""The program of a contender of `bench.writes_beside`: does pieces of work on a database of its own.

It runs the package of any work tree, so it imports nothing of `bench`. It reads the name of a piece of work
from its standard input, and answers with the seconds of wall-clock and CPU time.
Run: python bench/writes_child.py <database> <known instances> [--off]
"""

import asyncio
import csv
import json
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

COHORTS = 500


def child(database: str, known: int, *, counts: bool) -> None:
    """Work on a database in which reports and upgrades find so many instances."""
    if not counts:
        _switch_off()
    asyncio.run(_serve(database, known))


def _switch_off() -> None:
    from uplift.storage.statements.instances.cohort_counts import CountChanges

    async def nothing(*_: Any) -> None:
        pass

    for name in ("add", "add_counted", "remove", "move"):
        setattr(CountChanges, name, lambda *_: None)
    CountChanges.save = nothing  # type: ignore[method-assign, assignment]


async def _serve(database: str, known: int) -> None:
    from sqlalchemy.engine import make_url

    from uplift.storage.store import SqlStore

    store = await SqlStore.open(make_url(database) if "://" in database else Path(database))
    with tempfile.TemporaryDirectory() as folder:
        works = await _prepare(store, Path(folder), known)
        for line in sys.stdin:
            work, times = works[line.strip()]
            prepared = [work() for _ in range(times)]
            wall, cpu = time.perf_counter(), time.process_time()
            for step in prepared:
                await step()
            print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]), flush=True)
    await store.close()


async def _prepare(
    store: Any, folder: Path, count: int
) -> dict[str, tuple[Callable[[], Callable[[], Awaitable[Any]]], int]]:
    """Each piece of work: a function that prepares it and returns it, and how often it is done at once."""
    from uplift import domain
    from uplift.domain.model.request import UpgradeRequest
    from uplift.gateway.files.importer import import_file

    chance = random.Random(1)
    key = domain.ProcessKey(namespace="bench", code="order")
    caller = domain.Caller(name="bench", role=domain.Role.SYSTEM_ADMIN)
    await domain.create_process(store, namespace="bench", code="order", title=None, caller=caller)

    async def publish() -> None:
        await domain.save_draft(store, process=key, model=None, caller=caller)
        await domain.publish_version(store, process=key, caller=caller)

    await publish()
    positions = [frozenset({domain.ElementId(f"task-{number}")}) for number in range(COHORTS)]

    def new(count: int, cohorts: int = COHORTS) -> list[Any]:
        return [
            domain.Instance(
                id=domain.InstanceId(UUID(bytes=chance.randbytes(16), version=4)),
                process=key,
                version=domain.VersionNumber(1),
                status=domain.Status.PENDING,
                position=positions[chance.randrange(cohorts)],
            )
            for _ in range(count)
        ]

    async def register(instances: list[Any]) -> None:
        await domain.register_instances(store, process=key, instances=instances, caller=caller)

    known = new(count)
    await register(known)

    def reports(count: int, cohorts: int) -> list[Any]:
        return [
            domain.InstanceReport(
                id=instance.id,
                status=domain.Status.PENDING,
                position=positions[chance.randrange(cohorts)],
            )
            for instance in chance.sample(known, count)
        ]

    def a_file() -> Path:
        path = folder / f"{chance.random()}.csv"
        with path.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(("type", "namespace", "code", "id", "version", "status", "position"))
            for instance in new(20_000):
                table.writerow(("instance", *vars_of(instance)))
        return path

    def vars_of(instance: Any) -> Iterator[str]:
        yield from (key.namespace, key.code, str(instance.id), "1", "PENDING", " ".join(instance.position))

    async def upgrade(selection: Any) -> None:
        request = UpgradeRequest(process=key, selection=selection)
        done = await domain.upgrade_instances(store, request, caller=caller)
        assert done.skipped == 0, done

    async def upgrade_known() -> None:
        await publish()
        await upgrade(domain.by_ids([instance.id for instance in known[:20_000]]))

    async def upgrade_one() -> None:
        one = new(1)
        await register(one)
        await publish()
        await upgrade(domain.by_ids([one[0].id]))

    def registering(count: int) -> Callable[[], Callable[[], Awaitable[None]]]:
        def prepare() -> Callable[[], Awaitable[None]]:
            instances = new(count)
            return lambda: register(instances)

        return prepare

    def reporting(count: int, cohorts: int) -> Callable[[], Callable[[], Awaitable[Any]]]:
        def prepare() -> Callable[[], Awaitable[Any]]:
            made = reports(count, cohorts)
            return lambda: domain.report_instances(store, reports=made, caller=caller)

        return prepare

    def importing() -> Callable[[], Awaitable[Any]]:
        path = a_file()
        return lambda: import_file(store, path, caller=caller)

    return {
        "register 1": (registering(1), 50),
        "register 1,000": (registering(1_000), 4),
        "register 20,000": (registering(20_000), 1),
        "report 1": (reporting(1, COHORTS), 50),
        "report 100 of 100 cohorts": (reporting(100, COHORTS), 20),
        "report 1,000 of 10 cohorts": (reporting(1_000, 10), 5),
        "import 20,000": (importing, 1),
        "upgrade 1": (lambda: upgrade_one, 20),
        "upgrade 20,000": (lambda: upgrade_known, 1),
    }


if __name__ == "__main__":
    child(sys.argv[1], int(sys.argv[2]), counts="--off" not in sys.argv)
