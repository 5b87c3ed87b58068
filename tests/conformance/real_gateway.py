"""A real gateway with data, for the tools of other projects."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from sqlalchemy.engine import URL

from tests.gateway.gateway_world import Program, started
from tests.rest_compat.support.rest_world import ADMIN, add_world
from uplift.domain import Role, UpgradeId, all_active, upgrade_instances
from uplift.domain.model.request import UpgradeRequest
from uplift.gateway.auth.keys import create_key
from uplift.gateway.demo import PROCESS, fill
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore

INSTANCES = 300


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """The base URL, the API keys, and a completed upgrade of a gateway."""

    url: str
    admin_key: str
    reader_key: str
    upgrade: UpgradeId
    program: Program

    def must_be_well(self, *, since: int) -> None:
        """Check that it still answers, and that its log has no error after this many characters."""
        assert httpx2.get(f"{self.url}/readyz").status_code == 200
        logged = self.program.errors[since:]
        assert "unexpected_error" not in logged
        assert "Traceback" not in logged


@contextmanager
def served_gateway(folder: Path, database: URL | None = None, **environment: str) -> Iterator[Gateway]:
    """`uplift serve` in this folder on a database of the documented examples and the demo's loans.

    The database is an empty one of PostgreSQL, or else a new file in the folder. `environment` has settings.
    """
    admin_key, reader_key, upgrade = asyncio.run(_populate(database or folder / "uplift.sqlite"))
    options = ["--database-url", database.render_as_string(hide_password=False)] if database else []
    environment = {"UPLIFT_LOG_FORMAT": "json", **environment}
    with started("serve", "--port", "0", *options, folder=folder, **environment) as program:
        yield Gateway(
            url=program.url(), admin_key=admin_key, reader_key=reader_key, upgrade=upgrade, program=program
        )


async def _populate(where: Path | URL) -> tuple[str, str, UpgradeId]:
    """Fill a database; returns the keys of a system administrator and a reader, and the id of an upgrade."""
    store = await SqlStore.open(where)
    try:
        await add_world(store)
        await fill(store, instances=INSTANCES, seed=1, caller=ADMIN)
        done = await upgrade_instances(
            store, UpgradeRequest(process=PROCESS, selection=all_active()), caller=ADMIN
        )
        keys = SqlKeys(store.database)
        _, admin_key = await create_key(keys, name="admin", role=Role.SYSTEM_ADMIN)
        _, reader_key = await create_key(keys, name="reader", role=Role.READER)
        return admin_key, reader_key, done.id
    finally:
        await store.close()
