"""The store that keeps everything in a database; it answers the questions of uplift.domain.ports.Store."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy.engine import URL

from uplift.domain.change_signal import ChangeSignal
from uplift.domain.model.cohort import Cohort, CountedCohort
from uplift.domain.model.decision import CountedDecision
from uplift.domain.model.idempotency import IdempotencyKey, KnownRequest
from uplift.domain.model.instance import Instance, InstanceId
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.process import Process, ProcessKey, Version, VersionNumber
from uplift.domain.model.selection import Selection, UpgradeId
from uplift.domain.model.upgrade import HistoryEntry, Outcome, Partition, Upgrade, UpgradeState
from uplift.domain.ports import InstanceFilter, OutcomeFilter, SelectedCohorts
from uplift.storage.database import Database
from uplift.storage.repositories import (
    histories,
    instances,
    outcomes,
    partitions,
    processes,
    requests,
    selections,
    upgrades,
)
from uplift.storage.repositories.model_cache import ModelCache
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.surrogate_keys import KeyCache, SurrogateKeys
from uplift.storage.transaction import SqlTransaction


class Reading:
    """Opens connections that read, each with the surrogate keys known to the store."""

    def __init__(self, database: Database, known: KeyCache) -> None:
        self._database = database
        self._known = known

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[tuple[Connection, SurrogateKeys]]:
        async with self._database.reading() as connection:
            surrogate_keys = SurrogateKeys(connection, self._known)
            yield connection, surrogate_keys
            surrogate_keys.publish()


class SqlProcessQueries:
    """Implements uplift.domain.ports.ProcessQueries."""

    def __init__(self, reading: Reading, model_cache: ModelCache) -> None:
        self._reading = reading
        self._model_cache = model_cache

    async def find(self, process_key: ProcessKey) -> Process | None:
        async with self._reading() as (connection, _):
            return await processes.find_process(connection, process_key)

    async def page(self, page: PageRequest) -> Page[Process]:
        async with self._reading() as (connection, _):
            return await processes.process_page(connection, page)

    async def find_many(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, Process]:
        async with self._reading() as (connection, surrogate_keys):
            return await processes.find_processes(connection, surrogate_keys, process_keys)

    async def versions(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, tuple[Version, ...]]:
        async with self._reading() as (connection, surrogate_keys):
            return await processes.find_versions(connection, surrogate_keys, process_keys)

    async def model(self, process_key: ProcessKey, number: VersionNumber) -> bytes | None:
        async with self._reading() as (connection, surrogate_keys):
            process_id = await surrogate_keys.process_id(process_key)
            return (
                None if process_id is None else await self._model_cache.find(connection, process_id, number)
            )


class SqlInstanceQueries:
    """Implements uplift.domain.ports.InstanceQueries."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def find_many(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]:
        async with self._reading() as (connection, surrogate_keys):
            return await instances.find_instances(connection, surrogate_keys, ids)

    async def pages(
        self, process_keys: Sequence[ProcessKey], instance_filter: InstanceFilter, page: PageRequest
    ) -> Mapping[ProcessKey, Page[Instance]]:
        async with self._reading() as (connection, surrogate_keys):
            return await instances.instance_pages(
                connection, surrogate_keys, process_keys, instance_filter, page
            )

    async def cohorts(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, tuple[CountedCohort, ...]]:
        async with self._reading() as (connection, surrogate_keys):
            return await instances.count_cohorts(connection, surrogate_keys, process_keys)

    async def count_active(self, process_key: ProcessKey) -> int:
        async with self._reading() as (connection, surrogate_keys):
            process_id = await surrogate_keys.process_id(process_key)
            return 0 if process_id is None else await selections.count_active(connection, process_id)

    async def selected_cohorts(self, process_key: ProcessKey, selection: Selection) -> SelectedCohorts:
        async with self._reading() as (connection, surrogate_keys):
            process_id = await surrogate_keys.process_id(process_key)
            if process_id is None:
                return SelectedCohorts(cohorts=(), not_found=selection.size or 0, excluded=0)
            return await selections.selected_cohorts(connection, surrogate_keys, process_id, selection)

    async def cohort_pages(
        self, process_key: ProcessKey, selection: Selection, cohorts: Sequence[Cohort], page: PageRequest
    ) -> Mapping[Cohort, Page[Instance]]:
        async with self._reading() as (connection, surrogate_keys):
            process_id = await surrogate_keys.process_id(process_key)
            if process_id is None:
                return {cohort: page_of((), page.first) for cohort in cohorts}
            return await selections.cohort_pages(
                connection, surrogate_keys, process_id, selection, cohorts, page
            )

    async def histories(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, tuple[HistoryEntry, ...]]:
        async with self._reading() as (connection, surrogate_keys):
            return await histories.find_histories(connection, surrogate_keys, ids)


class SqlUpgradeQueries:
    """Implements uplift.domain.ports.UpgradeQueries."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def find(self, upgrade_id: UpgradeId) -> Upgrade | None:
        async with self._reading() as (connection, surrogate_keys):
            found = await upgrades.find_upgrade(connection, surrogate_keys, upgrade_id)
            return None if found is None else found[0]

    async def find_many(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, Upgrade]:
        async with self._reading() as (connection, surrogate_keys):
            return await upgrades.find_upgrades(connection, surrogate_keys, ids)

    async def page(self, process_key: ProcessKey | None, page: PageRequest) -> Page[Upgrade]:
        async with self._reading() as (connection, surrogate_keys):
            return await upgrades.upgrade_page(connection, surrogate_keys, process_key, page)

    async def claimable(self, now: datetime, *, only: UpgradeId | None = None) -> Upgrade | None:
        async with self._reading() as (connection, surrogate_keys):
            return await partitions.find_claimable(connection, surrogate_keys, now, only)

    async def known_request(self, idempotency_key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        async with self._reading() as (connection, _):
            return await requests.find_request(connection, idempotency_key, since)

    async def measured_rate(self) -> float | None:
        async with self._reading() as (connection, _):
            return await upgrades.measure_rate(connection)

    async def outcome_pages(
        self, ids: Sequence[UpgradeId], outcome_filter: OutcomeFilter, page: PageRequest
    ) -> Mapping[UpgradeId, Page[Outcome]]:
        async with self._reading() as (connection, surrogate_keys):
            return await outcomes.outcome_pages(connection, surrogate_keys, ids, outcome_filter, page)

    async def skip_decisions(
        self, ids: Sequence[UpgradeId]
    ) -> Mapping[UpgradeId, tuple[CountedDecision, ...]]:
        async with self._reading() as (connection, surrogate_keys):
            return await upgrades.find_decisions(connection, surrogate_keys, ids)


class SqlPartitionQueries:
    """Implements uplift.domain.ports.PartitionQueries."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def remaining(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, tuple[Partition, ...]]:
        async with self._reading() as (connection, _):
            return await partitions.find_partitions(connection, ids)


class SqlStore:
    """Processes, versions, instances and upgrades in one database. Implements uplift.domain.ports.Store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._change_signal = ChangeSignal()
        self._known = KeyCache()
        self._model_cache = ModelCache()
        reading = Reading(database, self._known)
        self.processes = SqlProcessQueries(reading, self._model_cache)
        self.instances = SqlInstanceQueries(reading)
        self.upgrades = SqlUpgradeQueries(reading)
        self.partitions = SqlPartitionQueries(reading)

    @classmethod
    async def open(cls, where: Path | URL) -> Self:
        """The store in this SQLite file, which is created when it is not there, or PostgreSQL database."""
        return cls(await Database.open(where))

    async def close(self) -> None:
        await self._database.close()

    @property
    def database(self) -> Database:
        """The database beneath, for what is kept beside the domain's own tables."""
        return self._database

    @asynccontextmanager
    async def transaction(self, *, in_background: bool = False) -> AsyncIterator[SqlTransaction]:
        async with self._database.writing(in_background=in_background) as connection:
            surrogate_keys = SurrogateKeys(connection, self._known)
            transaction = SqlTransaction(connection, surrogate_keys, self._model_cache)
            yield transaction
        surrogate_keys.publish()
        if transaction.has_news:
            self._change_signal.notify()

    async def unfinished(self) -> Mapping[UpgradeState, int]:
        """How many unfinished upgrades there are of each state, all programs' together."""
        async with self._database.reading() as connection:
            return await upgrades.count_unfinished(connection)

    async def wait_for_change(self, seconds: float) -> None:
        await self._change_signal.wait(seconds)
