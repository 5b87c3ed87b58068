"""Stores processes and their versions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update

from uplift.domain.errors import ProcessExists
from uplift.domain.model.access import Namespaces
from uplift.domain.model.link import LinkId
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.process import (
    Process,
    ProcessKey,
    ProcessState,
    Version,
    VersionModel,
    VersionNumber,
    VersionState,
    folded,
)
from uplift.domain.ports import ANY_PROCESS, ProcessFilter, ProcessOrder
from uplift.storage.repositories.sessions import Reading, Session
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import insert_new, upsert
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import process, version
from uplift.storage.sqlite.prepared import RUN_INLINE
from uplift.storage.statements.processes import process_lists
from uplift.storage.statements.processes.model_cache import ModelCache
from uplift.storage.statements.processes.process_lists import PROCESSES
from uplift.storage.statements.processes.process_states import PROCESS_STATES

PROCESS = PROCESSES.where(
    process.c.namespace == bindparam("namespace"), process.c.code == bindparam("code")
).execution_options(**RUN_INLINE)
PROCESSES_BY_ID = PROCESSES.where(process.c.id.in_(bindparam("ids", expanding=True)))
ADD_PROCESS = insert_new(process)
LOCK_PROCESSES = (
    select(process.c.id)
    .where(process.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(process.c.id)
    .with_for_update(key_share=True)
)
"""Locks processes in the order of their ids, so that two transactions never wait for each other.

FOR NO KEY UPDATE does not block the foreign key checks of other transactions that add instances or upgrades.
"""
VERSIONS = (
    select(
        version.c.process_id,
        version.c.number,
        version.c.state,
        version.c.created_at,
        version.c.published_at,
        version.c.model_process_id,
    )
    .where(version.c.process_id.in_(bindparam("ids", expanding=True)))
    .order_by(version.c.process_id, version.c.number)
)
PUT_VERSION = upsert(
    version,
    keys=("process_id", "number"),
    replaced=("state", "created_at", "published_at", "model_process_id", "model"),
)
PUBLISH = (
    update(version)
    .where(version.c.process_id == bindparam("of_process"), version.c.number == bindparam("of_number"))
    .values(state=VersionState.PUBLISHED, published_at=bindparam("at"))
)


class SqlProcessQueries:
    """Implements uplift.domain.ports.ProcessQueries."""

    def __init__(self, reading: Reading, model_cache: ModelCache) -> None:
        self._reading = reading
        self._model_cache = model_cache

    async def find(self, process_key: ProcessKey) -> Process | None:
        async with self._reading() as (connection, _):
            return await _find_process(connection, process_key)

    async def page(
        self,
        page: PageRequest,
        process_filter: ProcessFilter = ANY_PROCESS,
        *,
        order: ProcessOrder = ProcessOrder.CREATED,
        namespaces: Namespaces | None = None,
    ) -> Page[Process]:
        async with self._reading() as (connection, _):
            rows = await process_lists.page_rows(connection, page, process_filter, order, namespaces)
            return page_of(((row.id, _process(row)) for row in rows), page.first)

    async def count(
        self, process_filter: ProcessFilter = ANY_PROCESS, *, namespaces: Namespaces | None = None
    ) -> int:
        async with self._reading() as (connection, _):
            return await process_lists.count(connection, process_filter, namespaces)

    async def find_many(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, Process]:
        async with self._reading() as (connection, surrogate_keys):
            ids = await surrogate_keys.process_ids(process_keys)
            rows = await connection.execute(PROCESSES_BY_ID, {"ids": list(ids.values())})
            return {found.key: found for found in map(_process, rows)}

    async def states(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, ProcessState]:
        async with self._reading() as (connection, surrogate_keys):
            ids = await surrogate_keys.process_ids(process_keys)
            rows = await connection.execute(PROCESS_STATES, {"ids": list(ids.values())})
            return {found.process.key: found for found in map(process_state, rows)}

    async def versions(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, tuple[Version, ...]]:
        async with self._reading() as (connection, surrogate_keys):
            return await _find_versions(connection, surrogate_keys, process_keys)

    async def model(self, process_key: ProcessKey, number: VersionNumber) -> VersionModel | None:
        async with self._reading() as (connection, surrogate_keys):
            process_id = await surrogate_keys.process_id(process_key)
            if process_id is None:
                return None
            return await self._model_cache.find(connection, process_id, number)


class SqlProcessRepository:
    """Implements uplift.domain.ports.ProcessRepository."""

    def __init__(self, session: Session, model_cache: ModelCache) -> None:
        self._session = session
        self._model_cache = model_cache

    async def find(self, process_key: ProcessKey) -> Process | None:
        return await _find_process(self._session.connection, process_key)

    async def add(self, process: Process) -> None:
        values = {
            "namespace": process.key.namespace,
            "code": process.key.code,
            "title": process.title,
            "folded_title": folded(process.title),
            "folded_name": folded(str(process.key)),
            "created_at": process.created_at,
        }
        # Another transaction may have added the process after this one looked for it.
        if (await self._session.connection.execute(ADD_PROCESS, values)).rowcount == 0:
            raise ProcessExists(namespace=process.key.namespace, process_code=process.key.code)

    async def lock_versions(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, tuple[Version, ...]]:
        connection, surrogate_keys = self._session.connection, self._session.surrogate_keys
        ids = await surrogate_keys.process_ids(process_keys)
        await connection.execute(LOCK_PROCESSES, {"ids": list(ids.values())})
        return await _find_versions(connection, surrogate_keys, process_keys)

    async def model(self, process_key: ProcessKey, number: VersionNumber) -> VersionModel | None:
        process_id = await self._session.process_id(process_key)
        return await self._model_cache.find(self._session.connection, process_id, number)

    async def put_version(self, process_key: ProcessKey, version: Version, document: bytes | None) -> None:
        # The cache of the store must not keep a document that this transaction may roll back.
        self._model_cache = ModelCache()
        values = {
            "process_id": await self._session.process_id(process_key),
            "number": version.number,
            "state": version.state,
            "created_at": version.created_at,
            "published_at": version.published_at,
            "model_process_id": version.model_process_id,
            "model": document,
        }
        await self._session.connection.execute(PUT_VERSION, values)

    async def publish(self, process_key: ProcessKey, number: VersionNumber, at: datetime) -> None:
        self._model_cache = ModelCache()
        process_id = await self._session.process_id(process_key)
        bound = {"of_process": process_id, "of_number": number, "at": at}
        await self._session.connection.execute(PUBLISH, bound)


async def _find_process(connection: Connection, process_key: ProcessKey) -> Process | None:
    # Neither database takes a text with half of a surrogate pair, and PostgreSQL none with a NUL.
    if not process_key.can_exist:
        return None
    row = (
        await connection.execute(PROCESS, {"namespace": process_key.namespace, "code": process_key.code})
    ).one_or_none()
    return None if row is None else _process(row)


async def _find_versions(
    connection: Connection, surrogate_keys: SurrogateKeys, process_keys: Sequence[ProcessKey]
) -> Mapping[ProcessKey, tuple[Version, ...]]:
    ids = await surrogate_keys.process_ids(process_keys)
    found = defaultdict(list)
    for row in await connection.execute(VERSIONS, {"ids": list(ids.values())}):
        found[row.process_id].append(_version(row))
    return {
        process_key: tuple(found[ids[process_key]]) if process_key in ids else ()
        for process_key in process_keys
    }


def _process(row: Any) -> Process:
    return Process(
        key=ProcessKey(namespace=row.namespace, code=row.code),
        title=row.title,
        created_at=row.created_at,
        latest_published=row.latest_published,
        link=None if row.link is None else LinkId(row.link),
    )


def process_state(row: Any) -> ProcessState:
    """The state in a row with the columns of PROCESS_STATES."""
    return ProcessState(
        process=_process(row),
        newest_version=None
        if row.number is None
        else Version(
            number=VersionNumber(row.number),
            state=row.state,
            created_at=row.version_created_at,
            published_at=row.published_at,
            model_process_id=row.model_process_id,
        ),
        checksum=int(row.checksum),
    )


def _version(row: Any) -> Version:
    return Version(
        number=VersionNumber(row.number),
        state=row.state,
        created_at=row.created_at,
        published_at=row.published_at,
        model_process_id=row.model_process_id,
    )
