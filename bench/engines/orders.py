"""Times the store's side of linked upgrades: instances are recorded, ordered, sent and settled.

The engine answers at once, so this is how fast Uplift is beside any engine. Requests of 100 instances are
those of Camunda 7. Prints the rate of each part, and by how much the program grew.
Run: python -m bench.engines.orders [instances] [instances of a request]
"""

import asyncio
import os
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from bench.engines.instant import InstantEngine
from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_least, single
from bench.memory import memory_of
from bench.population import ADMIN, OLD_VERSIONS, PROCESS, SMALL_PROCESS, populate
from uplift.domain import Upgrade, UpgradeRequest, Worker, all_active, claim, request_upgrade, run_upgrade
from uplift.domain.clock import utc_now
from uplift.domain.model.link import EngineVersionId, Link, LinkId, LinkKind
from uplift.domain.model.linked_process import LinkedProcess
from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.use_cases.links.holding import HeldLink, claim_link
from uplift.domain.use_cases.links.sender import Sender
from uplift.storage.store import SqlStore


async def link(store: SqlStore, *processes: ProcessKey) -> None:
    """Link the processes to an engine."""
    new = Link(
        id=LinkId(uuid4()),
        name="instant",
        kind=LinkKind.CAMUNDA7,
        namespace=PROCESS.namespace,
        url="http://127.0.0.1/",
        created_at=utc_now(),
        created_by="bench",
    )
    async with store.transaction() as transaction:
        await transaction.links.add(new)
        locked = await transaction.links.lock(new.id)
        assert locked is not None
        for process in processes:
            await locked.add_process(LinkedProcess(process=process, link=new.id, engine_key=process.code))
            for number in range(1, OLD_VERSIONS + 2):
                engine_id = EngineVersionId(f"{process.code}:{number}")
                await locked.put_version(process, VersionNumber(number), engine_id)


async def order(store: SqlStore, process: ProcessKey) -> Upgrade:
    """Request an upgrade, and record and order all its instances."""
    worker = Worker(name=f"worker-{uuid4()}")
    request = UpgradeRequest(process=process, selection=all_active())
    upgrade = await request_upgrade(store, request, caller=ADMIN, worker=worker)
    claimed = await claim(store, worker, only=upgrade.id)
    return upgrade if claimed is None else await run_upgrade(store, claimed, worker)


async def send(held: HeldLink, engine: InstantEngine) -> None:
    """Send and settle all orders."""
    sender = Sender(held, engine, asyncio.Event())
    while await sender.run_once():
        pass


async def take(path: Path, max_size: int) -> list[Figure]:
    store = await SqlStore.open(path)
    await link(store, PROCESS, SMALL_PROCESS)
    held = await claim_link(store, Worker(name="holder", lease_for=timedelta(hours=1)))
    assert held is not None
    engine = InstantEngine(max_size=max_size)
    # Statements are compiled once in the life of a program.
    await order(store, SMALL_PROCESS)
    await send(held, engine)
    memory, start, start_cpu = _memory(), time.perf_counter(), time.process_time()
    upgrade = await order(store, PROCESS)
    ordered, ordered_cpu, memory_ordered = time.perf_counter(), time.process_time(), _memory()
    await send(held, engine)
    sent, sent_cpu, memory_sent = time.perf_counter(), time.process_time(), _memory()
    done = await store.upgrades.find(upgrade.id)
    await store.close()
    assert done is not None
    assert done.is_finished
    print(f"{done.upgraded:,} instances, {max_size} a request; memory {memory:.0f} MiB before, ", end="")
    print(f"{memory_ordered:.0f} after the orders, {memory_sent:.0f} at the end")
    figures = []
    for part, seconds, cpu in (
        ("together", sent - start, sent_cpu - start_cpu),
        ("recorded and ordered", ordered - start, ordered_cpu - start_cpu),
        ("sent and settled", sent - ordered, sent_cpu - ordered_cpu),
    ):
        target = RATE if part == "together" else None
        figures += [
            single(part, [done.upgraded / seconds], unit="/s", target=target),
            single(f"{part}, a second of CPU time", [done.upgraded / cpu], unit="/s"),
        ]
    return [*figures, single("growth of memory", [max(memory_ordered, memory_sent) - memory], unit="MiB")]


def _memory() -> float:
    return memory_of(os.getpid())


def measure(count: int, max_size: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "base.sqlite"
        asyncio.run(populate(path, count))
        return asyncio.run(take(path, max_size))


RATE = at_least("instances together", 20_000, "/s")
BENCH = Bench(
    compares=(
        "the store's side of linked upgrades on SQLite: instances are recorded, ordered, sent and settled, "
        "and the engine answers at once"
    ),
    sizes={"instances": (500_000, 5_000), "request": (100, 100)},
    targets=(RATE,),
    measure=measure,
)

if __name__ == "__main__":
    run_alone(BENCH)
