"""A database that is linked to an Operaton, for programs that a test kills."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from tests.engines.linked_operaton import add_link, require_true_audit
from tests.engines.operaton_harness import OperatonHarness
from tests.faults.programs import Program
from uplift.domain import Role, Upgrade, UpgradeId
from uplift.domain.model.instance import InstanceId
from uplift.domain.model.link import EngineInstanceId, EngineVersionId
from uplift.gateway.auth.keys import create_key
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore
from uplift.testing.engine.documents import tasks

STARTS = 8
"""Requests to start instances that are under way at a time."""


async def until(holds: Callable[[], bool], what: str, *, seconds: float = 300) -> None:
    """Wait until the condition holds; it may block for as long as a request takes."""
    try:
        async with asyncio.timeout(seconds):
            while not await asyncio.to_thread(holds):  # noqa: ASYNC110  another program's state
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"Expected that {what}.") from None


@dataclass(frozen=True, kw_only=True)
class LinkedDatabase:
    """A SQLite file with a link, and what runs in the engine: instances at 'check' of version 1.

    There is a version 2.
    """

    file: Path
    key: str
    tenant: str
    ids: Sequence[EngineInstanceId]
    versions: Sequence[EngineVersionId]

    def upgrade(self, program: Program) -> UUID:
        """Request an upgrade of all active instances."""
        fields = {
            "namespace": self.tenant,
            "code": "order",
            "selection": {"allActive": {}},
            "wait": False,
        }
        mutation = "upgradeInstances(input: $input) { upgrade { id } userErrors { code } }"
        return UUID(program.mutate(mutation, fields)["upgrade"]["id"])

    def undo(self, program: Program, upgrade: UUID) -> UUID:
        """Request an undo of an upgrade."""
        fields = {"id": str(upgrade), "wait": False}
        mutation = "undoUpgrade(input: $input) { upgrade { id } userErrors { code } }"
        return UUID(program.mutate(mutation, fields)["upgrade"]["id"])

    def count(self, condition: str) -> int:
        """How many orders meet a condition, whoever has the file open."""
        with closing(sqlite3.connect(self.file)) as connection:
            found: int = connection.execute(f"SELECT count(*) FROM move_order WHERE {condition}").fetchone()[
                0
            ]
            return found

    @property
    def sent(self) -> int:
        return self.count("state = 2")

    @property
    def attempts(self) -> int:
        """How often orders were sent, together."""
        return self._read("SELECT coalesce(sum(attempt), 0) FROM move_order")

    @property
    def open_orders(self) -> int:
        return self.count("state <= 2")

    @property
    def instances(self) -> int:
        return self._read("SELECT count(*) FROM instance WHERE status <= 2")

    def _read(self, statement: str) -> int:
        with closing(sqlite3.connect(self.file)) as connection:
            found: int = connection.execute(statement).fetchone()[0]
            return found

    async def require_true_audit(self, harness: OperatonHarness, upgrade: UUID, *, target: int) -> Upgrade:
        """Check the audit of a finished upgrade; no program may have the file open."""
        store = await SqlStore.open(self.file)
        try:
            done = await store.upgrades.find(UpgradeId(upgrade))
            assert done is not None
            assert done.is_finished
            assert (done.ordered, done.sent) == (0, 0)
            ids = {InstanceId(UUID(engine_id)): engine_id for engine_id in self.ids}
            await require_true_audit(store, harness.engine, done, ids, self.versions, target=target)
            return done
        finally:
            await store.close()


@asynccontextmanager
async def a_linked_database(
    folder: Path, url: str, *, count: int, max_rate: float | None = None
) -> AsyncIterator[tuple[LinkedDatabase, OperatonHarness]]:
    """A database that no program has opened yet, and a harness of the engine."""
    tenant = f"tenant-{uuid4().hex}"
    file = folder / f"{tenant}.sqlite"
    store = await SqlStore.open(file)
    _, key = await create_key(SqlKeys(store.database), name="admin", role=Role.SYSTEM_ADMIN)
    await add_link(store, url, tenant, max_rate=max_rate)
    await store.close()
    async with OperatonHarness.open(url) as harness:
        first = await harness.deploy("order", tasks("order", "check", "approve"), tenant=tenant)
        started = await asyncio.gather(
            *(harness.start(first, count // STARTS + (lane < count % STARTS)) for lane in range(STARTS))
        )
        second = await harness.deploy("order", tasks("order", "check", "sign"), tenant=tenant)
        ids = [engine_id for lane in started for engine_id in lane]
        yield (
            LinkedDatabase(file=file, key=key, tenant=tenant, ids=ids, versions=[first, second]),
            harness,
        )
