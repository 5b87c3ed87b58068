r"""Times `uplift import` into PostgreSQL against psql's own \copy of the same rows.

Ours is the command's own work on a file of JSON Lines, and on one of CSV: reading, checking, and registering
in transactions. \copy reads the finished rows (numbers for processes and positions) as CSV into the same
empty tables of the same private server. Run: python -m bench.import_postgres [instances] [rounds]
"""

import asyncio
import csv
import resource
import subprocess
import tempfile
import time
from pathlib import Path

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_most
from bench.figures.needs import postgresql
from bench.import_file import STATUSES, instances_of_the_file, write_files
from bench.on_postgres import Spent, a_copy, figures_of, populate, spending
from bench.population import ADMIN
from tests.support.postgres import Server, a_server, tool
from uplift.gateway.files.importer import import_file
from uplift.gateway.memory import few_full_collections
from uplift.storage.store import SqlStore

BARE = """
\\copy instance (uuid, process_id, version, status, position_id) from '{}' (format csv)
SELECT pg_backend_pid() AS pid \\gset
\\setenv BACKEND :pid
\\! cat /proc/$BACKEND/schedstat
"""
"""For psql; says in the end how many nanoseconds the server's process was on the processors."""


def write_rows(path: Path, count: int) -> None:
    """The rows as they are stored in the end."""
    places: dict[frozenset[str], int] = {}
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        for instance in instances_of_the_file(count):
            place = places.setdefault(frozenset(instance.position), len(places) + 1)
            table.writerow((instance.id, 1, instance.version, STATUSES.index(instance.status) + 1, place))


async def bare(server: Server, rows: Path) -> Spent:
    async with a_copy(server) as name:
        url = server.url(name).render_as_string()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        done = subprocess.run(
            [tool("psql"), "-q", "-X", url],
            input=BARE.format(rows),
            capture_output=True,
            text=True,
            check=True,
        )
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        client = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Spent(wall=wall, cpu=client + int(done.stdout.split()[0]) / 1e9)


async def ours(server: Server, file: Path, count: int) -> Spent:
    async with a_copy(server) as name:
        store = await SqlStore.open(server.url(name))
        with spending(server) as spent, few_full_collections():  # as the command does
            done = await import_file(store, file, caller=ADMIN)
        await store.close()
        assert done.instances == count, done
        return spent


async def take(count: int, rounds: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, a_server() as server:
        await populate(server, 0)
        rows = Path(folder) / "rows.csv"
        write_rows(rows, count)
        files = write_files(Path(folder), count)
        copied: list[Spent] = []
        imported: dict[str, list[Spent]] = {name: [] for name in files}
        for _ in range(rounds):
            copied.append(await bare(server, rows))
            line = [f"\\copy {copied[-1].wall:.1f} s (CPU time {copied[-1].cpu:.1f} s)"]
            for name, file in files.items():
                imported[name].append(await ours(server, file, count))
                line.append(
                    f"{name} {imported[name][-1].wall:.1f} s (CPU time {imported[name][-1].cpu:.1f} s)"
                )
            print("   ".join(line), flush=True)
    return [
        figure
        for name, spent in imported.items()
        for figure in figures_of(f"import of {name}", spent, copied, beside="psql's copy", target=TARGET)
    ]


def measure(count: int, rounds: int) -> list[Figure]:
    return asyncio.run(take(count, rounds))


TARGET = at_most("import", 2)
BENCH = Bench(
    compares="`uplift import` into PostgreSQL, beside psql's own `\\copy` of the finished rows",
    sizes={"instances": (300_000, 2_000), "rounds": (3, 1)},
    targets=(TARGET,),
    measure=measure,
    needs=(postgresql,),
)

if __name__ == "__main__":
    run_alone(BENCH)
