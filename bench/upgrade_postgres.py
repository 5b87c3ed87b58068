"""Times a whole upgrade on PostgreSQL against the bare statements that it needs.

The floor is one audit INSERT … SELECT and one UPDATE of the same rows in one transaction, sent by the bare
driver to the same private server, on a copy of the same database. Ours is the upgrade from beginning to end,
as the workers of `uplift serve` do it that have upgraded a small process before: one alone, and two and four
that share it; besides, for how long its transactions kept rows locked.
Run: python -m bench.upgrade_postgres [instances] [rounds] [milliseconds a chunk]
"""

import asyncio
import logging
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import structlog

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_most, compared
from bench.figures.needs import postgresql
from bench.on_postgres import Spent, a_bare_connection, a_copy, figures_of, populate, settings_on, spending
from bench.population import ADMIN, PROCESS, SMALL_PROCESS
from bench.upgrade_all_active import TimedStore, lock_figures
from tests.support.postgres import Server, a_server
from uplift.domain import ChunkResult, ProcessKey, UpgradeId, Worker, all_active, request_upgrade
from uplift.domain.model.request import UpgradeRequest
from uplift.gateway.worker import UpgradeWorker

STOP_TIMEOUT = 10
"""Seconds in which the workers end after the last chunk."""
FLOOR = (
    """
    INSERT INTO outcome (upgrade_id, instance_id, version, status, position_id)
    SELECT 1, id, version, status, position_id FROM instance
    WHERE process_id = 1 AND status <= 2 AND version < 4
    """,
    "UPDATE instance SET version = 4 WHERE process_id = 1 AND status <= 2 AND status = 1 AND version < 4",
)


async def floor(server: Server) -> tuple[Spent, int]:
    async with a_copy(server) as name, a_bare_connection(server, name) as connection:
        with spending(server) as spent:
            async with connection.transaction():
                for statement in FLOOR:
                    done = await connection.execute(statement)
        return spent, int(done.split()[-1])


async def ours(server: Server, worker: Worker, concurrency: int) -> tuple[Spent, int, list[float]]:
    """What it cost, how many were upgraded, and how long each transaction was open."""
    async with a_copy(server) as name:
        store = await TimedStore.open(server.url(name))
        await upgraded(store, SMALL_PROCESS, worker, concurrency)
        # Compile the statement that passes over an upgrade: the small upgrade ends before an idle worker
        # needs it.
        await store.upgrades.claimable(worker.clock(), passing_over=[UpgradeId(uuid4())])
        store.open_for.clear()
        with spending(server) as spent:
            done = await upgraded(store, PROCESS, worker, concurrency)
        await store.close()
        return spent, done, store.open_for


async def upgraded(store: TimedStore, process: ProcessKey, worker: Worker, concurrency: int) -> int:
    """How many instances the workers of one program have upgraded."""
    stopping = asyncio.Event()
    done = 0

    def count(chunk: ChunkResult, _: timedelta) -> None:
        nonlocal done
        done += chunk.upgraded
        if chunk.upgrade.is_finished:
            stopping.set()

    await request_upgrade(
        store, UpgradeRequest(process=process, selection=all_active()), caller=ADMIN, worker=worker
    )
    counting = replace(worker, on_chunk=count)
    await UpgradeWorker(
        store, counting, concurrency=concurrency, stopping=stopping, stop_timeout=STOP_TIMEOUT
    ).run()
    return done


async def take(
    count: int, rounds: int, chunk_ms: int
) -> tuple[list[Spent], dict[int, list[Spent]], dict[int, list[float]]]:
    """The cost of the bare statements, of several workers, and how long these kept rows locked."""
    bare: list[Spent] = []
    whole: dict[int, list[Spent]] = defaultdict(list)
    locks: dict[int, list[float]] = defaultdict(list)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with a_server() as server:
        settings = settings_on(server, chunk_ms=chunk_ms)
        await populate(server, count)
        for _ in range(rounds):
            spent, moved = await floor(server)
            bare.append(spent)
            print(f"floor {spent.wall:.3f} s", end="")
            for several in WORKERS:
                spent, done, open_for = await ours(server, settings.build_worker("bench"), several)
                whole[several].append(spent)
                locks[several] += open_for
                assert done == moved, (done, moved)
                print(f"   {several} workers {spent.wall:.3f} s ({done:,})", end="")
            print(flush=True)
    return bare, whole, locks


def measure(count: int, rounds: int, chunk_ms: int) -> list[Figure]:
    bare, whole, locks = asyncio.run(take(count, rounds, chunk_ms))
    two, four = ([spent.wall for spent in whole[several]] for several in (2, 4))
    figures = []
    for several, what in WORKERS.items():
        figures += figures_of(
            what, whole[several], bare, beside="bare statements", target=TARGETS.get(several)
        )
        figures += lock_figures(f"rows locked by {what}", locks[several], LOCKED)
    return [
        *figures,
        compared("four workers beside two", four, two, unit="s", beside="two workers", target=FOUR),
    ]


WORKERS = {1: "one worker", 2: "two workers", 4: "four workers"}
TARGETS = {1: at_most("one worker", 1.5), 2: at_most("two workers", 1.0)}
FOUR = at_most("four workers beside two", 1.0)
LOCKED = at_most("rows locked by a chunk, 99th percentile", 50, "ms")
BENCH = Bench(
    compares=(
        "an upgrade of 40 % of all instances in chunks on PostgreSQL, by one worker, two and four, beside "
        "one bare UPDATE and audit INSERT in one transaction"
    ),
    sizes={"instances": (1_000_000, 5_000), "rounds": (4, 1), "chunk_ms": (50, 50)},
    targets=(*TARGETS.values(), FOUR, LOCKED),
    measure=measure,
    needs=(postgresql,),
)

if __name__ == "__main__":
    run_alone(BENCH)
