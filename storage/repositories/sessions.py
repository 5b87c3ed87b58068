"""Provides repositories with connections and surrogate keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import Partition, Upgrade
from uplift.storage.chunks.chunks import ChunksOf
from uplift.storage.database import Database
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.surrogate_keys import KeyCache, SurrogateKeys
from uplift.storage.statements.instances.cohort_counts import CountChanges


class Reading:
    """Opens connections for reading. Each sees the surrogate keys that the store has cached."""

    def __init__(self, database: Database, known: KeyCache) -> None:
        self._database = database
        self._known = known

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is an SQLite file."""
        return self._database.is_sqlite

    @asynccontextmanager
    async def __call__(
        self, *, in_background: bool = False
    ) -> AsyncIterator[tuple[Connection, SurrogateKeys]]:
        async with self._database.reading(in_background=in_background) as connection:
            surrogate_keys = SurrogateKeys(connection, self._known)
            yield connection, surrogate_keys
            surrogate_keys.publish()


@dataclass(slots=True)
class Session:
    """The connection of a transaction, the surrogate keys that it sees, and its changes to kept counts.

    `added` and `changed` collect upgrades, so that the store can notify subscribers after the commit.
    """

    connection: Connection
    surrogate_keys: SurrogateKeys
    chunks: ChunksOf
    counts: CountChanges
    added: set[UpgradeId] = field(default_factory=set)
    changed: dict[UpgradeId, Upgrade] = field(default_factory=dict)

    def note_saved_partition(self, upgrade: Upgrade, partition: Partition) -> None:
        """Note that a partition was saved, unless that is only the progress of a chunk.

        Subscribers read progress once per interval. If each chunk woke them, and the workers that look for
        partitions, they would keep requests waiting. A chunk of a linked upgrade has orders for senders.
        """
        if partition.lease is None or upgrade.link is not None:
            self.changed.setdefault(upgrade.id, upgrade)

    async def process_id(self, process_key: ProcessKey) -> int:
        """The surrogate key of a process. The caller has checked that the process exists."""
        found = await self.surrogate_keys.process_id(process_key)
        assert found is not None, f"process '{process_key}' was looked up before"
        return found
