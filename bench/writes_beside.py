r"""Times registrations, reports, imports and upgrades beside another work tree, and without kept counts.

Each contender is a child program with a database of its own: this tree, this tree with the kept counts of
cohorts switched off, and, if its folder is given, another tree. They take turns, one short piece of work
each, so that other programs on the machine disturb all alike. PostgreSQL's processes are counted as well.
Run: git worktree add ../before <commit>; python -m bench.writes_beside [rounds] [../before]
"""

import asyncio
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

HERE = Path(__file__).resolve()
COHORTS = 500
KNOWN = 100_000
"""Instances that reports and upgrades find."""
WORK = (
    "register 1",
    "register 1,000",
    "register 20,000",
    "report 1",
    "report 100 of 100 cohorts",
    "report 1,000 of 10 cohorts",
    "import 20,000",
    "upgrade 1",
    "upgrade 20,000",
)


def main(rounds: int, other: Path | None, only: str = "") -> None:
    contenders = {"off": ["--off"], "new": []} | ({"old": []} if other else {})
    for kind in [kind for kind in ("SQLite", "PostgreSQL") if any(only in f"{kind} {work}" for work in WORK)]:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = stack.enter_context(_server()) if kind == "PostgreSQL" else None
            children = {}
            for name, options in contenders.items():
                source = (other if name == "old" and other else HERE.parent.parent) / "src"
                database = _database(server, name) if server else str(folder / f"{name}.sqlite")
                child = subprocess.Popen(
                    [sys.executable, str(HERE), "--child", database, *options],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "PYTHONPATH": str(source), "PYTHONSAFEPATH": "1"},
                )
                stack.callback(child.wait)
                stack.callback(child.stdin.close)  # type: ignore[union-attr]
                children[name] = child
            works = [work for work in WORK if only in f"{kind} {work}"]
            _compare(kind, children, server, rounds, works)


def _compare(kind: str, children: dict[str, Any], server: Any, rounds: int, works: Iterable[str]) -> None:
    for work in works:
        spent: dict[str, list[tuple[float, float]]] = {name: [] for name in children}
        for turn in range(rounds + 1):
            order = list(children) if turn % 2 else list(reversed(children))
            for name in order:
                before = _on_processors(server, name)
                children[name].stdin.write(work + "\n")
                children[name].stdin.flush()
                wall, cpu = json.loads(children[name].stdout.readline())
                cpu += _on_processors(server, name) - before
                if turn:  # the first turn warms up
                    spent[name].append((wall, cpu))
        ratios = "  ".join(
            f"{name} {_ratio(spent['new'], taken, 0):.2f} (CPU time {_ratio(spent['new'], taken, 1):.2f})"
            for name, taken in spent.items()
            if name != "new"
        )
        milliseconds = 1_000 * median(cpu for _, cpu in spent["new"])
        print(f"{kind}: {work:28} {milliseconds:8.1f} ms of CPU time, times {ratios}", flush=True)


def _ratio(ours: list[tuple[float, float]], others: list[tuple[float, float]], which: int) -> float:
    """The median of the ratios of turns: both contenders of a turn meet the same load."""
    return median(our[which] / other[which] for our, other in zip(ours, others, strict=True))


def _server() -> Any:
    from tests.support.postgres import a_server

    return a_server()


def _database(server: Any, name: str) -> str:
    asyncio.run(server.execute(f'CREATE DATABASE "{name}"'))
    url: str = server.url(name).render_as_string()
    return url


def _on_processors(server: Any, name: str) -> float:
    """The CPU time of the server's processes that serve a contender."""
    if server is None:
        return 0.0
    found = 0.0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f": uplift {name} ".encode() in (process / "cmdline").read_bytes():
                found += int((process / "schedstat").read_text().split()[0]) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
    return found


def child(database: str, *, counts: bool) -> None:
    if not counts:
        _switch_off()
    asyncio.run(_serve(database))


def _switch_off() -> None:
    from uplift.storage.statements.cohort_counts import CountChanges

    async def nothing(*_: Any) -> None:
        pass

    for name in ("add", "remove", "move"):
        setattr(CountChanges, name, lambda *_: None)
    CountChanges.save = nothing  # type: ignore[method-assign, assignment]


async def _serve(database: str) -> None:
    from sqlalchemy.engine import make_url

    from uplift.storage.store import SqlStore

    store = await SqlStore.open(make_url(database) if "://" in database else Path(database))
    with tempfile.TemporaryDirectory() as folder:
        works = await _prepare(store, Path(folder))
        for line in sys.stdin:
            work, times = works[line.strip()]
            prepared = [work() for _ in range(times)]
            wall, cpu = time.perf_counter(), time.process_time()
            for step in prepared:
                await step()
            print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]), flush=True)
    await store.close()


async def _prepare(
    store: Any, folder: Path
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

    known = new(KNOWN)
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
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], counts="--off" not in sys.argv)
    else:
        given = sys.argv[1:]
        main(int(given[0]) if given else 15, Path(given[1]).resolve() if given[1:] else None, *given[2:])
