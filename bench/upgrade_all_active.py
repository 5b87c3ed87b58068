"""How long does a whole upgrade take beside the bare statements that nobody can do without?

The floor is one UPDATE and one audit INSERT … SELECT of the same rows by plain sqlite3, in one transaction, on a
copy of the same file. Run: python -m bench.upgrade_all_active [instances] [rounds]
"""

import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.population import ADMIN, PROCESS, copied, plain_connection, populate
from domain import all_active, upgrade_instances
from storage.store import SqlStore

EXCLUDED = 1_000


def floor(path: Path) -> tuple[float, int]:
    connection = plain_connection(path)
    connection.execute(
        "CREATE TABLE bare_audit (upgrade_id INT, instance_id INT, from_version INT, to_version INT, position_id INT)"
    )
    start = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    where = "process_id = 1 AND status <= 2 AND status = 1 AND version < 4"
    connection.execute(f"INSERT INTO bare_audit SELECT 1, id, version, 4, position_id FROM instance WHERE {where}")
    moved = connection.execute(f"UPDATE instance SET version = 4 WHERE {where}").rowcount
    connection.execute("COMMIT")
    took = time.perf_counter() - start
    connection.close()
    return took, moved


async def ours(path: Path, excluded: list) -> tuple[float, int]:
    store = await SqlStore.open(path)
    start = time.perf_counter()
    done = await upgrade_instances(store, process=PROCESS, selection=all_active(excluded), caller=ADMIN)
    took = time.perf_counter() - start
    await store.close()
    return took, done.upgraded


def main(count: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base.sqlite"
        start = time.perf_counter()
        waiting = asyncio.run(populate(base, count))
        print(f"registered {count:,} instances in {time.perf_counter() - start:.1f} s")
        excluded = waiting[:: max(1, len(waiting) // EXCLUDED)][:EXCLUDED]
        floors, uppers = [], []
        for _ in range(rounds):
            took, moved = floor(copied(base, "floor.sqlite"))
            floors.append(took)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            ours_took, upgraded = asyncio.run(ours(copied(base, "ours.sqlite"), excluded))
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            uppers.append(ours_took)
            print(f"floor {took:.3f} s ({moved:,})   ours {ours_took:.3f} s ({upgraded:,})   "
                  f"ratio {ours_took / took:.2f}   memory peak grew {grown / 1024:.1f} MiB")
        print(f"median ratio {median(uppers) / median(floors):.2f}")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000,
        int(sys.argv[2]) if len(sys.argv) > 2 else 5,
    )
