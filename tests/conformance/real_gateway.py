"""A real gateway, on a database that has something to tell, for the tools of other projects to try."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from domain import Role, UpgradeId, all_active, upgrade_instances
from gateway.demo import PROCESS, fill
from gateway.keys import create_key
from storage.keys import SqlKeys
from storage.store import SqlStore
from tests.gateway.gateway_world import Program, started
from tests.rest.rest_world import ADMIN, add_world

INSTANCES = 300


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """Where it serves, the keys that open it, and an upgrade that it has completed."""

    url: str
    admin_key: str
    reader_key: str
    upgrade: UpgradeId
    program: Program

    def must_be_well(self) -> None:
        """It still answers, and nothing happened that it did not foresee."""
        assert httpx2.get(f"{self.url}/readyz").status_code == 200
        assert "unexpected_error" not in self.program.errors
        assert "Traceback" not in self.program.errors


@contextmanager
def served_gateway(folder: Path) -> Iterator[Gateway]:
    """`uplift serve` in this folder on a database of the documented examples and the demo's loans."""
    admin_key, reader_key, upgrade = asyncio.run(_populate(folder / "uplift.sqlite"))
    with started("serve", "--port", "0", folder=folder, UPLIFT_LOG_FORMAT="json") as program:
        yield Gateway(
            url=program.url(), admin_key=admin_key, reader_key=reader_key, upgrade=upgrade, program=program
        )


async def _populate(file: Path) -> tuple[str, str, UpgradeId]:
    """Fill a new file; returns the keys of a system administrator and a reader, and the id of an upgrade."""
    store = await SqlStore.open(file)
    try:
        await add_world(store)
        await fill(store, instances=INSTANCES, seed=1, caller=ADMIN)
        done = await upgrade_instances(store, process=PROCESS, selection=all_active(), caller=ADMIN)
        keys = SqlKeys(store.database)
        _, admin_key = await create_key(keys, name="admin", role=Role.SYSTEM_ADMIN)
        _, reader_key = await create_key(keys, name="reader", role=Role.READER)
        return admin_key, reader_key, done.id
    finally:
        await store.close()
