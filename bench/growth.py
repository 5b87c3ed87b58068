"""Measures how the cost per instance grows with the number of instances.

Upgrades 40 % of 100,000, of 1,000,000 and of 10,000,000 instances, and prints the time and the memory
per instance. The files are filled by plain sqlite3. Run: python -m bench.growth [counts …]
"""

import asyncio
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from bench.population import (
    ADMIN,
    OLD_VERSIONS,
    POSITIONS,
    PROCESS,
    SMALL_PROCESS,
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


def main(counts: list[int]) -> None:
    costs = []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "growth.sqlite"
            fill(path, count)
            took, total = asyncio.run(upgrade(path))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        costs.append(took / total)
        print(
            f"{count:>12,} instances: {total:,} outcomes in {took:.2f} s, "
            f"{took / total * 1e6:.2f} µs each, memory peak {peak:.0f} MiB"
        )
    print(f"the largest beside the smallest, an instance: {costs[-1] / costs[0]:.2f}")


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [100_000, 1_000_000, 10_000_000])
