"""Helpers of the PostgreSQL benchmarks: copies of a database, and the cost of work on them.

A machine that does other work makes wall-clock times swing, so the time on the processors is taken as well:
that of this program, and that of the server's processes that work for it (as Linux counts them).
"""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench.figures.figure import Figure, Target, compared
from bench.population import fill
from tests.support.postgres import Server
from uplift.gateway.settings import Settings
from uplift.storage.store import SqlStore

BASE = "base"
"""The database that copies are made of."""


@dataclass(slots=True)
class Spent:
    """Seconds of wall-clock time and of CPU time."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def spending(server: Server) -> Iterator[Spent]:
    """Measures the block, without the CPU time of connections that were closed in it."""
    spent = Spent()
    wall, own, before = time.perf_counter(), time.process_time(), _on_processors(server)
    yield spent
    spent.wall = time.perf_counter() - wall
    after = _on_processors(server)
    spent.cpu = time.process_time() - own
    spent.cpu += sum(seconds - before.get(process, 0.0) for process, seconds in after.items())


def figures_of(
    what: str,
    ours: Sequence[Spent],
    peer: Sequence[Spent],
    *,
    beside: str,
    target: Target | None,
    unit: str = "s",
) -> list[Figure]:
    """The wall-clock time, which has the target, and the CPU time."""
    return [
        compared(
            what,
            [spent.wall for spent in ours],
            [spent.wall for spent in peer],
            unit=unit,
            beside=beside,
            target=target,
        ),
        compared(
            f"{what}, CPU time",
            [spent.cpu for spent in ours],
            [spent.cpu for spent in peer],
            unit=unit,
            beside=beside,
        ),
    ]


async def populate(server: Server, count: int) -> None:
    """A base with the processes of the benchmarks, their latest versions published after all instances."""
    await server.execute(f"CREATE DATABASE {BASE}")
    store = await SqlStore.open(server.url(BASE))
    await fill(store, count)
    await store.close()
    await server.execute("VACUUM ANALYZE", database=BASE)


@asynccontextmanager
async def a_copy(server: Server) -> AsyncIterator[str]:
    """The name of a copy of the base, which exists for the block only."""
    await server.execute(f"CREATE DATABASE copy TEMPLATE {BASE}")
    await server.execute("CHECKPOINT")
    yield "copy"
    await server.execute("DROP DATABASE copy WITH (FORCE)")


def settings_on(server: Server, **more: int) -> Settings:
    """The settings of a gateway on this server."""
    return Settings.model_validate({"database_url": server.url(BASE).render_as_string(), **more})


@asynccontextmanager
async def a_bare_connection(server: Server, database: str) -> AsyncIterator[asyncpg.Connection]:
    """The driver without any of our code."""
    connection = await asyncpg.connect(server.url(database).render_as_string(), ssl=False)
    yield connection
    await connection.close()


def _on_processors(server: Server) -> dict[str, float]:
    """The CPU time of each server process that works for a client."""
    postmaster = (server.folder / "data" / "postmaster.pid").read_text().split()[0]
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == postmaster and b": uplift " in (process / "cmdline").read_bytes():
                found[process.name] = int((process / "schedstat").read_text().split()[0]) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
    return found
