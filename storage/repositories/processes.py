"""Implements the ports of processes and versions."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.process import Process, ProcessKey, Version, VersionNumber
from uplift.storage.repositories.sessions import Reading, Session
from uplift.storage.statements import processes
from uplift.storage.statements.model_cache import ModelCache


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


class SqlProcessRepository:
    """Implements uplift.domain.ports.ProcessRepository."""

    def __init__(self, session: Session, model_cache: ModelCache) -> None:
        self._session = session
        self._model_cache = model_cache

    async def find(self, process_key: ProcessKey) -> Process | None:
        return await processes.find_process(self._session.connection, process_key)

    async def add(self, process: Process) -> None:
        await processes.add_process(self._session.connection, process)

    async def lock_versions(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, tuple[Version, ...]]:
        connection, surrogate_keys = self._session.connection, self._session.surrogate_keys
        await processes.lock_processes(connection, surrogate_keys, process_keys)
        return await processes.find_versions(connection, surrogate_keys, process_keys)

    async def model(self, process_key: ProcessKey, number: VersionNumber) -> bytes | None:
        process_id = await self._session.process_id(process_key)
        return await self._model_cache.find(self._session.connection, process_id, number)

    async def put_version(self, process_key: ProcessKey, version: Version, model: bytes | None) -> None:
        self._model_cache = ModelCache()  # what is rolled back must not stay in that of the store
        process_id = await self._session.process_id(process_key)
        await processes.put_version(self._session.connection, process_id, version, model)

    async def publish(self, process_key: ProcessKey, number: VersionNumber, at: datetime) -> None:
        self._model_cache = ModelCache()
        process_id = await self._session.process_id(process_key)
        await processes.publish(self._session.connection, process_id, number, at)
