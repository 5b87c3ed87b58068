"""Reads and writes processes and their versions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select, update

from uplift.domain.errors import ProcessExists
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.process import Process, ProcessKey, Version, VersionNumber, VersionState
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import insert_new, upsert
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import process, version
from uplift.storage.sql.types import LONG
from uplift.storage.sqlite.prepared import RUN_INLINE

LATEST_PUBLISHED = (
    select(func.max(version.c.number))
    .where(version.c.process_id == process.c.id, version.c.state == VersionState.PUBLISHED)
    .correlate(process)
    .scalar_subquery()
    .label("latest_published")
)
PROCESSES = select(
    process.c.id, process.c.namespace, process.c.code, process.c.title, process.c.created_at, LATEST_PUBLISHED
)
PROCESS = PROCESSES.where(
    process.c.namespace == bindparam("namespace"), process.c.code == bindparam("code")
).execution_options(**RUN_INLINE)
PROCESS_PAGE = (
    PROCESSES.where(process.c.id > bindparam("after", type_=LONG))
    .order_by(process.c.id)
    .limit(bindparam("limit"))
)
PROCESSES_BY_ID = PROCESSES.where(process.c.id.in_(bindparam("ids", expanding=True)))
ADD_PROCESS = insert_new(process)
LOCK_PROCESSES = (
    select(process.c.id)
    .where(process.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(process.c.id)
    .with_for_update(key_share=True)
)
VERSIONS = (
    select(
        version.c.process_id,
        version.c.number,
        version.c.state,
        version.c.model.is_not(None).label("has_model"),
        version.c.created_at,
        version.c.published_at,
    )
    .where(version.c.process_id.in_(bindparam("ids", expanding=True)))
    .order_by(version.c.process_id, version.c.number)
)
PUT_VERSION = upsert(
    version,
    keys=("process_id", "number"),
    replaced=("state", "created_at", "published_at", "model"),
)
PUBLISH = (
    update(version)
    .where(version.c.process_id == bindparam("of_process"), version.c.number == bindparam("of_number"))
    .values(state=VersionState.PUBLISHED, published_at=bindparam("at"))
)


async def find_process(connection: Connection, process_key: ProcessKey) -> Process | None:
    if (
        not process_key.can_exist
    ):  # PostgreSQL has no text with a NUL, and neither database one with half a character
        return None
    row = (
        await connection.execute(PROCESS, {"namespace": process_key.namespace, "code": process_key.code})
    ).one_or_none()
    return None if row is None else _process(row)


async def process_page(connection: Connection, page: PageRequest) -> Page[Process]:
    rows = await connection.execute(PROCESS_PAGE, {"after": page.after or 0, "limit": page.first + 1})
    return page_of(((row.id, _process(row)) for row in rows), page.first)


async def find_processes(
    connection: Connection, surrogate_keys: SurrogateKeys, process_keys: Sequence[ProcessKey]
) -> Mapping[ProcessKey, Process]:
    ids = await surrogate_keys.process_ids(process_keys)
    rows = await connection.execute(PROCESSES_BY_ID, {"ids": list(ids.values())})
    return {found.key: found for found in map(_process, rows)}


async def find_versions(
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


async def lock_processes(
    connection: Connection, surrogate_keys: SurrogateKeys, process_keys: Sequence[ProcessKey]
) -> None:
    """Lock these processes, so that no other transaction changes their versions until this one ends."""
    ids = await surrogate_keys.process_ids(process_keys)
    await connection.execute(LOCK_PROCESSES, {"ids": list(ids.values())})


async def add_process(connection: Connection, new: Process) -> None:
    """Add a process. Raises ProcessExists when another transaction has added it since it was looked up."""
    values = {
        "namespace": new.key.namespace,
        "code": new.key.code,
        "title": new.title,
        "created_at": new.created_at,
    }
    if (await connection.execute(ADD_PROCESS, values)).rowcount == 0:
        raise ProcessExists(namespace=new.key.namespace, process_code=new.key.code)


async def put_version(connection: Connection, process_id: int, new: Version, model: bytes | None) -> None:
    values = {
        "process_id": process_id,
        "number": new.number,
        "state": new.state,
        "created_at": new.created_at,
        "published_at": new.published_at,
        "model": model,
    }
    await connection.execute(PUT_VERSION, values)


async def publish(connection: Connection, process_id: int, number: VersionNumber, at: datetime) -> None:
    await connection.execute(PUBLISH, {"of_process": process_id, "of_number": number, "at": at})


def _process(row: Any) -> Process:
    return Process(
        key=ProcessKey(namespace=row.namespace, code=row.code),
        title=row.title,
        created_at=row.created_at,
        latest_published=row.latest_published,
    )


def _version(row: Any) -> Version:
    return Version(
        number=VersionNumber(row.number),
        state=row.state,
        has_model=bool(row.has_model),
        created_at=row.created_at,
        published_at=row.published_at,
    )
