"""Measures how the cost per instance grows with the number of instances.

Upgrades 40 % of 100,000 and of 10,000,000 instances, and compares the time per instance. The files are filled
by plain sqlite3. The smaller number takes three turns for each of the larger one, which takes longer.
Run: python -m bench.growth [smaller] [larger] [rounds]
"""

import asyncio
import random
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_most, compared
from bench.population import (
    ADMIN,
    OLD_VERSIONS,
    POSITIONS,
    PROCESS,
    SMALL_PROCESS,
    copied,
    plain_connection,
    populate,
)
from uplift.domain import all_active, upgrade_instances
from uplift.domain.model.request import UpgradeRequest
from uplift.storage.store import SqlStore

FIRST = 1_000
FILL = """
INSERT INTO instance (uuid, process_id, version, status, position_id) VALUES (?, 1, ?, ?, ?)
"""


def fill(path: Path, count: int) -> None:
    """A file with `count` instances like those of bench.population."""
    asyncio.run(populate(path, FIRST))
    chance = random.Random(3)
    connection = plain_connection(path)
    connection.execute("PRAGMA cache_size = -2000000")  # enough for the index of the ids
    connection.execute("BEGIN")
    connection.executemany(
        FILL,
        (
            (
                chance.randbytes(16),
                chance.randint(1, OLD_VERSIONS),
                1 if chance.random() < 0.4 else 3,
                chance.randint(1, POSITIONS),
            )
            for _ in range(count - FIRST)
        ),
    )
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


async def upgrade(path: Path) -> tuple[float, int]:
    store = await SqlStore.open(path)
    await upgrade_instances(
        store, UpgradeRequest(process=SMALL_PROCESS, selection=all_active()), caller=ADMIN
    )
    began = time.perf_counter()
    done = await upgrade_instances(
        store, UpgradeRequest(process=PROCESS, selection=all_active()), caller=ADMIN
    )
    took = time.perf_counter() - began
    await store.close()
    return took, done.total


def costs_of(count: int, rounds: int) -> list[float]:
    """The microseconds of an instance in each round, on a copy of one file each."""
    costs = []
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base.sqlite"
        with ProcessPoolExecutor(1) as another:  # its memory is not that of the upgrade
            another.submit(fill, base, count).result()
        for _ in range(rounds):
            took, total = asyncio.run(upgrade(copied(base, "growth.sqlite")))
            costs.append(took / total * 1e6)
            print(f"{count:>12,} instances: {total:,} outcomes in {took:.2f} s, {costs[-1]:.2f} µs each")
    return costs


def measure(smaller: int, larger: int, rounds: int) -> list[Figure]:
    costs, peaks = [], []
    for count, times in ((smaller, 3 * rounds), (larger, rounds)):
        costs.append(median(costs_of(count, times)))
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    beside = f"with {smaller:,}"
    return [
        compared(f"an instance of {larger:,}", costs[1:], costs[:1], unit="µs", beside=beside, target=TARGET),
        compared("peak of memory", peaks[1:], peaks[:1], unit="MiB", beside=beside),
    ]


TARGET = at_most("an instance with 10,000,000, beside 100,000", 1.2)
BENCH = Bench(
    compares="the time of an upgrade for each instance on SQLite, with 10,000,000 instances beside 100,000",
    sizes={"smaller": (100_000, 2_000), "larger": (10_000_000, 20_000), "rounds": (3, 1)},
    targets=(TARGET,),
    measure=measure,
)

if __name__ == "__main__":
    run_alone(BENCH)
