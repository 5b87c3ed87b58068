"""Times `uplift import` of 1,000,000 instances against plain sqlite3 with the same rows.

Ours is the command's own work on a file of JSON Lines, and on one of CSV: reading, checking, and registering
in transactions. The floor has the rows ready as tuples in memory and adds them to the same empty
tables by one executemany in one transaction. Run: python -m bench.import_file [instances] [rounds]
"""

import asyncio
import csv
import json
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_most, compared
from bench.population import ADMIN, PROCESS, batches, copied, plain_connection, populate
from uplift.domain import Instance
from uplift.gateway.files.importer import import_file
from uplift.gateway.memory import few_full_collections
from uplift.storage.store import SqlStore

COLUMNS = ("type", "namespace", "code", "id", "version", "status", "position")
ADD = "INSERT INTO instance (uuid, process_id, version, status, position_id) VALUES (?, 1, ?, ?, ?)"
STATUSES = ("PENDING", "RUNNING", "COMPLETED")


def write_files(folder: Path, count: int) -> dict[str, Path]:
    files = {"JSON Lines": folder / "instances.jsonl", "CSV": folder / "instances.csv"}
    with files["JSON Lines"].open("w") as lines, files["CSV"].open("w", newline="") as cells:
        table = csv.writer(cells)
        table.writerow(COLUMNS)
        for instance in instances_of_the_file(count):
            facts = (
                "instance",
                PROCESS.namespace,
                PROCESS.code,
                str(instance.id),
                instance.version,
                instance.status,
            )
            lines.write(json.dumps(dict(zip(COLUMNS, (*facts, list(instance.position)), strict=True))) + "\n")
            table.writerow((*facts, " ".join(instance.position)))
    return files


def bare(path: Path, count: int) -> tuple[float, float]:
    places: dict[frozenset[str], int] = {}
    rows = [
        (
            instance.id.bytes,
            instance.version,
            STATUSES.index(instance.status) + 1,
            places.setdefault(frozenset(instance.position), len(places) + 1),
        )
        for instance in instances_of_the_file(count)
    ]
    connection = plain_connection(path)
    start, cpu = time.perf_counter(), time.process_time()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(ADD, rows)
    connection.execute("COMMIT")
    took = time.perf_counter() - start, time.process_time() - cpu
    connection.close()
    return took


async def ours(path: Path, file: Path) -> tuple[tuple[float, float], int]:
    store = await SqlStore.open(path)
    start, cpu = time.perf_counter(), time.process_time()
    with few_full_collections():  # as the command does
        done = await import_file(store, file, caller=ADMIN)
    took = time.perf_counter() - start, time.process_time() - cpu
    await store.close()
    return took, done.instances


def instances_of_the_file(count: int) -> Iterable[Instance]:
    return (instance for batch in batches(count, 1) for instance in batch)


def measure(count: int, rounds: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base.sqlite"
        asyncio.run(populate(base, 0))
        files = write_files(Path(folder), count)
        seen: dict[str, list[tuple[float, float]]] = {name: [] for name in ("bare", *files)}
        for _ in range(rounds):
            seen["bare"].append(bare(copied(base, "bare.sqlite"), count))
            for name, file in files.items():
                took, imported = asyncio.run(ours(copied(base, "ours.sqlite"), file))
                assert imported == count, imported
                seen[name].append(took)
            print("   ".join(f"{name} {took[-1][0]:.1f} s" for name, took in seen.items()))
    wall, cpu = ({name: [sample[i] for sample in took] for name, took in seen.items()} for i in (0, 1))
    return [
        compared(
            f"{what} {name}", took[name], took["bare"], unit="s", beside="a bare executemany", target=target
        )
        for name in files
        for what, took, target in (("import of", wall, TARGET), ("CPU time of", cpu, None))
    ]


TARGET = at_most("import of 1,000,000", 60, "s")
BENCH = Bench(
    compares="importing 1,000,000 instances into SQLite, beside a bare executemany of the finished rows",
    sizes={"instances": (1_000_000, 5_000), "rounds": (2, 1)},
    targets=(TARGET,),
    measure=measure,
)

if __name__ == "__main__":
    run_alone(BENCH)
