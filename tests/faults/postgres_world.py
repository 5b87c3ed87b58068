"""A PostgreSQL database with many instances, gateways that share it, and checks of it by SQL."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from asyncpg.exceptions import InterfaceError, OperatorInterventionError, PostgresConnectionError
from sqlalchemy.engine import URL

from tests.faults.population import (
    COUNT_ALL,
    POSITIONS,
    TARGET,
    UPGRADE_COMPLETED,
    WRONG_COUNTS,
    add_few,
)
from tests.faults.programs import Program, until
from tests.support.long_mode import IS_LONG
from tests.support.postgres import Server
from uplift.storage.store import SqlStore

INSTANCES = 200_000 if IS_LONG else 100_000
NUMBERS = count(1)
THE_REST = f"""
INSERT INTO instance (uuid, process_id, version, status, position_id)
SELECT md5(n::text)::uuid, 1, 1 + n % 2, CASE WHEN n % 21 = 20 THEN 3 WHEN n % 50 = 7 THEN 2 ELSE 1 END,
       1 + n % {len(POSITIONS)}
FROM generate_series({len(POSITIONS)}, {INSTANCES - 1}) AS n;
{COUNT_ALL}
CREATE TABLE untouched AS SELECT * FROM instance;
ANALYZE
"""
PROGRESS = """
SELECT state, upgraded + skipped + (
           SELECT coalesce(sum(upgraded + skipped), 0) FROM partition WHERE upgrade_id = upgrade.id
       ) AS total,
       (SELECT count(*) FROM partition WHERE upgrade_id = upgrade.id) AS partitions,
       ARRAY(SELECT lease_worker FROM partition WHERE upgrade_id = upgrade.id AND lease_worker IS NOT NULL)
       AS workers
FROM upgrade WHERE uuid = $1
"""
ARE_BUSY = """
SELECT count(*) > 0 FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'
  AND coalesce(wait_event_type, '') NOT IN ('Client', 'Lock')
"""
"""Whether the database executes statements, and waits for no program and no lock."""
STATES = "SELECT array_agg(state) FROM pg_stat_activity WHERE usename = $1"
SOMEBODY = "somebody"
"""A role by which the connections of the first gateway can be distinguished from those of the other."""
LIES = f"""
SELECT count(*) FROM untouched AS before
LEFT JOIN instance AS now USING (id)
LEFT JOIN outcome ON outcome.instance_id = before.id
WHERE now.uuid IS DISTINCT FROM before.uuid
   OR now.status <> before.status OR now.position_id <> before.position_id
   OR now.version <> CASE WHEN before.status = 1 THEN {TARGET} ELSE before.version END
   OR (outcome.instance_id IS NULL) <> (before.status > 2)
   OR (outcome.version, outcome.status, outcome.position_id)
      <> (before.version, before.status, before.position_id)
"""
LIES_SO_FAR = f"""
SELECT count(*) FROM untouched AS before
LEFT JOIN instance AS now USING (id)
LEFT JOIN outcome ON outcome.instance_id = before.id
LEFT JOIN partition ON partition.cursor < before.id AND before.id <= partition.last_key
WHERE now.uuid IS DISTINCT FROM before.uuid
   OR now.status <> before.status OR now.position_id <> before.position_id
   OR now.version <>
      CASE WHEN before.status = 1 AND outcome.instance_id IS NOT NULL THEN {TARGET} ELSE before.version END
   OR (outcome.instance_id IS NULL) <> (before.status > 2 OR partition.upgrade_id IS NOT NULL)
"""
COUNTS_SO_FAR = """
SELECT upgraded + skipped + (SELECT coalesce(sum(upgraded + skipped), 0) FROM partition)
     = (SELECT count(*) FROM outcome)
FROM upgrade WHERE uuid = $1
"""
COUNTS = """
SELECT upgraded = (SELECT count(*) FROM untouched WHERE status = 1)
   AND skipped = (SELECT count(*) FROM untouched WHERE status = 2)
   AND upgraded + skipped = (SELECT count(*) FROM outcome)
   AND NOT EXISTS (SELECT FROM partition) AND finished_at IS NOT NULL
FROM upgrade WHERE uuid = $1
"""


class Observer:
    """Asks a database by a connection of its own, which it keeps: waiting for a condition asks often."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._url: URL | None = None
        self._connection: Any = None

    def ask(self, url: URL, sql: str, *parameters: object) -> Any:
        """The first row of the answer. Connects again if the connection was lost."""
        return self._runner.run(self._ask(url, sql, *parameters))

    def close(self) -> None:
        self._runner.run(self._leave())
        self._runner.close()

    async def _ask(self, url: URL, sql: str, *parameters: object) -> Any:
        if url == self._url:
            with suppress(OSError, PostgresConnectionError, OperatorInterventionError, InterfaceError):
                return await self._connection.fetchrow(sql, *parameters)
        await self._leave()
        self._connection = await asyncpg.connect(url.render_as_string(), ssl=False)
        self._url = url
        return await self._connection.fetchrow(sql, *parameters)

    async def _leave(self) -> None:
        if self._url is not None:
            self._url = None
            self._connection.terminate()


OBSERVER = Observer()
"""Closed after the server, at the end of the session."""


class World(NamedTuple):
    """A database with many instances, and two gateways that share it."""

    server: Server
    url: URL
    gateways: tuple[Program, ...]

    def ask(self, sql: str, *parameters: object) -> Any:
        """The first row of the answer."""
        return OBSERVER.ask(self.url, sql, *parameters)

    def must_tell_the_truth(self, upgrade: UUID) -> None:
        """Check, at any moment, that outcomes explain what moved, and that nothing else changed.

        The partitions cover exactly the active instances without an outcome.
        """
        assert self.ask(LIES_SO_FAR)[0] == 0
        assert self.ask(WRONG_COUNTS)[0] == 0
        assert self.ask(COUNTS_SO_FAR, upgrade)[0] is True

    def upgrade_all(self) -> UUID:
        return self.gateways[0].upgrade_all_by_rest("once")

    def progress(self, upgrade: UUID) -> Any:
        return self.ask(PROGRESS, upgrade)

    def all_work(self, upgrade: UUID) -> bool:
        """Whether each of the gateways has a partition of the upgrade now."""
        now = self.progress(upgrade)
        assert now["state"] != UPGRADE_COMPLETED, "faults come too late"
        return all(partitions_of(gateway, now) > 0 for gateway in self.gateways)

    def until_all_work(self, upgrade: UUID) -> None:
        until(lambda: self.all_work(upgrade), "all gateways work on the upgrade")

    def freeze_while_all_work(self, upgrade: UUID) -> None:
        """Suspend the first gateway inside a transaction, while both have a partition of the upgrade."""
        # The database does not end a client that is suspended after half a statement: its state is "active".
        freeze_when(
            self.gateways[0],
            lambda: (
                "active" not in self.states() and self.all_work(upgrade) and not is_idle(self.gateways[0])
            ),
        )

    def states(self) -> set[str]:
        """The activity of the first gateway's connections."""
        return set(self.ask(STATES, SOMEBODY)[0])

    def until_quiet(self) -> None:
        """Wait until the database has executed everything that suspended programs have sent."""
        until(lambda: not self.ask(ARE_BUSY)[0], "the database is done")

    def must_come_to_the_truth(self, upgrade: UUID) -> None:
        """Check that the upgrade is completed, and each instance was moved at most once."""
        until(lambda: self.progress(upgrade)["state"] == UPGRADE_COMPLETED, "the upgrade is completed")
        assert self.ask(LIES)[0] == 0
        assert self.ask(WRONG_COUNTS)[0] == 0
        assert self.ask(COUNTS, upgrade)[0] is True
        assert self.ask("SELECT count(*) FROM upgrade")[0] == 1


def partitions_of(gateway: Program, progress: Any) -> int:
    """The number of partitions that a gateway's workers hold."""
    return sum(f":{gateway.process.pid}:" in name for name in progress["workers"])


def freeze_when(gateway: Program, is_time: Callable[[], bool]) -> None:
    """Suspend a gateway at a moment when the condition holds, and still holds afterwards."""

    def is_frozen_in_time() -> bool:
        gateway.freeze()
        if is_time():
            return True
        gateway.thaw()
        return False

    until(is_frozen_in_time, "the moment comes", every=0.002)


def is_idle(gateway: Program) -> bool:
    """Whether its log shows each claimed upgrade as released."""
    return gateway.log.count('"upgrade claimed"') == gateway.log.count('"upgrade released')


def until_idle(gateway: Program) -> None:
    until(lambda: is_idle(gateway), "the gateway leaves what it has taken")


def a_database(server: Server) -> URL:
    """A new database with many instances."""
    name = f"world_{next(NUMBERS)}"
    asyncio.run(server.execute(f"CREATE DATABASE {name} TEMPLATE populated"))
    # Without it, PostgreSQL 15 repeats numbers of copied sequences after a crash: the log has the value that
    # was copied, and up to 32 later numbers are not logged again.
    asyncio.run(server.execute("CHECKPOINT"))
    return server.url(name)


async def populate(server: Server) -> str:
    await server.execute(f"CREATE ROLE {SOMEBODY} SUPERUSER LOGIN")
    await server.execute("CREATE DATABASE populated")
    store = await SqlStore.open(server.url("populated"))
    key = await add_few(store)
    await store.close()
    await server.execute(THE_REST, database="populated")
    return key
