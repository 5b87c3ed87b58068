"""Times a whole upgrade against the bare statements that it needs.

The floor is one UPDATE and one audit INSERT … SELECT of the same rows by plain sqlite3, in one transaction,
on a copy of the same file. Ours is the upgrade from beginning to end, as a worker does it; besides, how long
its transactions were open (the write lock that others wait for), and by how much the program grew. The store
has upgraded a small process before, as that of a server has: it compiles each statement once.
Run: python -m bench.upgrade_all_active [instances] [rounds]
"""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, Target, at_most, compared, percentile, single
from bench.population import ADMIN, PROCESS, SMALL_PROCESS, copied, plain_connection, populate
from uplift.domain import all_active, upgrade_instances
from uplift.domain.model.request import UpgradeRequest
from uplift.storage.database import Database
from uplift.storage.store import SqlStore
from uplift.storage.transaction import SqlTransaction

EXCLUDED = 1_000


class TimedStore(SqlStore):
    """Keeps how long each of its transactions was open, in seconds, its commit included."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.open_for: list[float] = []

    @asynccontextmanager
    async def transaction(self, *, in_background: bool = False) -> AsyncIterator[SqlTransaction]:
        async with super().transaction(in_background=in_background) as transaction:
            start = time.perf_counter()
            yield transaction
        self.open_for.append(time.perf_counter() - start)


def floor(path: Path) -> tuple[float, float]:
    connection = plain_connection(path)
    connection.execute(
        "CREATE TABLE bare_audit"
        " (upgrade_id INT, instance_id INT, from_version INT, to_version INT, position_id INT)"
    )
    start, cpu = time.perf_counter(), time.process_time()
    connection.execute("BEGIN IMMEDIATE")
    where = "process_id = 1 AND status <= 2 AND status = 1 AND version < 4"
    connection.execute(
        f"INSERT INTO bare_audit SELECT 1, id, version, 4, position_id FROM instance WHERE {where}"
    )
    connection.execute(f"UPDATE instance SET version = 4 WHERE {where}")
    connection.execute("COMMIT")
    took = time.perf_counter() - start, time.process_time() - cpu
    connection.close()
    return took


async def ours(path: Path, excluded: list[UUID]) -> tuple[tuple[float, float], list[float], float]:
    """Times, how long each transaction was open, and by how many MiB the program grew."""
    store = await TimedStore.open(path)
    await upgrade_instances(
        store, UpgradeRequest(process=SMALL_PROCESS, selection=all_active()), caller=ADMIN
    )
    store.open_for.clear()
    memory, start, cpu = _resident_mib(), time.perf_counter(), time.process_time()
    await upgrade_instances(
        store, UpgradeRequest(process=PROCESS, selection=all_active(excluded)), caller=ADMIN
    )
    took = time.perf_counter() - start, time.process_time() - cpu
    grown = _resident_mib() - memory
    await store.close()
    return took, store.open_for, grown


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(count: int, rounds: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base.sqlite"
        waiting = asyncio.run(populate(base, count))
        excluded = waiting[:: max(1, len(waiting) // EXCLUDED)][:EXCLUDED]
        floors, uppers, locks, growths = [], [], [], []
        for _ in range(rounds):
            bare = floor(copied(base, "floor.sqlite"))
            whole, open_for, grown = asyncio.run(ours(copied(base, "ours.sqlite"), excluded))
            floors.append(bare)
            uppers.append(whole)
            locks += open_for
            growths.append(grown)
            print(
                f"floor {bare[0]:.3f} s   ours {whole[0]:.3f} s   ratio {whole[0] / bare[0]:.2f}   "
                f"{len(open_for)} transactions, the longest open {max(open_for) * 1_000:.0f} ms   "
                f"memory grew {grown:.1f} MiB"
            )
    wall, cpu = ([[sample[i] for sample in samples] for samples in (uppers, floors)] for i in (0, 1))
    return [
        compared("whole upgrade", *wall, unit="s", beside="bare statements", target=WHOLE),
        compared("its CPU time", *cpu, unit="s", beside="bare statements"),
        *lock_figures("write lock of a chunk", locks, LOCK),
        single("growth of memory", growths, unit="MiB"),
    ]


def lock_figures(what: str, locks: list[float], target: Target) -> list[Figure]:
    """The 99th percentile and the longest of how long transactions were open, in seconds."""
    p99 = percentile(locks, 99)
    return [
        single(f"{what}, 99th percentile", [p99 * 1_000], unit="ms", target=target),
        single(f"{what}, longest", [max(locks) * 1_000], unit="ms"),
    ]


WHOLE = at_most("whole upgrade", 1.5)
LOCK = at_most("write lock of a chunk, 99th percentile", 50, "ms")
BENCH = Bench(
    compares=(
        "an upgrade of 40 % of all instances in chunks on SQLite, beside one bare UPDATE and audit INSERT "
        "in one transaction"
    ),
    sizes={"instances": (1_000_000, 5_000), "rounds": (5, 2)},
    targets=(WHOLE, LOCK),
    measure=measure,
)

if __name__ == "__main__":
    run_alone(BENCH)
