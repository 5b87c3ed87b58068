"""Creates the instances that the benchmarks run on.

One process with three published versions and 1,000,000 instances in 60 cohorts below the latest version: 40 %
wait (PENDING), the rest have ended. So a selection of all active ones means 400,000. Beside it a process with
30,000, for programs to warm up with: just enough for two chunks. What a program makes once in
its life is not measured.
"""

import os
import random
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

from uplift.domain import (
    Caller,
    ElementId,
    Instance,
    InstanceId,
    ProcessKey,
    Role,
    Status,
    VersionNumber,
    create_process,
    publish_version,
    register_instances,
    save_draft,
)
from uplift.gateway.auth.keys import create_key
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.sqlite.backend import PRAGMAS
from uplift.storage.store import SqlStore

ADMIN = Caller(name="bench", role=Role.SYSTEM_ADMIN)
PROCESS = ProcessKey(namespace="bench", code="order")
SMALL_PROCESS = ProcessKey(namespace="bench", code="small")
OLD_VERSIONS = 3
POSITIONS = 20
BATCH = 50_000
BARE_PRAGMAS = (*PRAGMAS, "PRAGMA cache_size = -65536", "PRAGMA wal_autocheckpoint = 8000")
"""What the store's own connections are set to; but the bare ones make their checkpoints by themselves."""


async def populate(path: Path, count: int, *, seed: int = 1) -> list[UUID]:
    """Fill a new database file, and return the ids of the waiting instances of PROCESS in their order."""
    store = await SqlStore.open(path)
    waiting = await fill(store, count, seed=seed)
    await store.close()
    return waiting


async def fill(store: SqlStore, count: int, *, seed: int = 1) -> list[UUID]:
    """As `populate`, in an empty store."""
    waiting = await _add(store, PROCESS, batches(count, seed))
    await _add(store, SMALL_PROCESS, batches(30_000, seed + 1, process=SMALL_PROCESS))
    return waiting


def batches(count: int, seed: int, *, process: ProcessKey = PROCESS) -> Iterator[list[Instance]]:
    """The instances, in batches."""
    chance = random.Random(seed)
    positions = [frozenset({ElementId(f"task-{number}")}) for number in range(POSITIONS)]
    for start in range(0, count, BATCH):
        yield [_instance(chance, process, positions) for _ in range(min(BATCH, count - start))]


async def add_admin_key(path: Path) -> str:
    """A new key of a system administrator in a closed database file."""
    store = await SqlStore.open(path)
    _, token = await create_key(SqlKeys(store.database), name="bench", role=Role.SYSTEM_ADMIN)
    await store.close()
    return token


def copied(path: Path, name: str) -> Path:
    """A copy of a closed database file beside it, so that each contender starts from the same bytes."""
    copy = path.with_name(name)
    for suffix in ("-wal", "-shm"):
        copy.with_name(copy.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(path, copy)
    os.sync()  # Otherwise the first write would wait until the whole copy is on disk.
    return copy


def plain_connection(path: Path) -> sqlite3.Connection:
    """sqlite3 without any of our code, under the settings that suit it best."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in BARE_PRAGMAS:
        connection.execute(pragma)
    return connection


async def _add(store: SqlStore, process: ProcessKey, instances: Iterable[list[Instance]]) -> list[UUID]:
    await create_process(store, namespace=process.namespace, code=process.code, title=None, caller=ADMIN)
    for _ in range(OLD_VERSIONS):
        await _publish(store, process)
    waiting: list[UUID] = []
    for batch in instances:
        await register_instances(store, process=process, instances=batch, caller=ADMIN)
        waiting += [instance.id for instance in batch if instance.status is Status.PENDING]
    await _publish(store, process)
    return waiting


def _instance(chance: random.Random, process: ProcessKey, positions: list[frozenset[ElementId]]) -> Instance:
    return Instance(
        id=InstanceId(UUID(bytes=chance.randbytes(16), version=4)),
        process=process,
        version=VersionNumber(chance.randint(1, OLD_VERSIONS)),
        status=Status.PENDING if chance.random() < 0.4 else Status.COMPLETED,
        position=chance.choice(positions),
    )


async def _publish(store: SqlStore, process: ProcessKey) -> None:
    await save_draft(store, process=process, model=None, caller=ADMIN)
    await publish_version(store, process=process, caller=ADMIN)
