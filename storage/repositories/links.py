"""Stores links, their processes and versions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from uplift.domain.clock import utc_now
from uplift.domain.errors import LinkExists
from uplift.domain.model.link import EngineVersionId, Link, LinkId
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.model.linked_process import LinkedProcess
from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.model.selection import UpgradeId
from uplift.storage.repositories.orders import SqlOrders
from uplift.storage.repositories.sessions import Reading, Session
from uplift.storage.repositories.sweeps import SqlSweeps
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import lock_subject
from uplift.storage.statements.links import links as statements
from uplift.storage.statements.links.links import link_of, status_of


class SqlLinkQueries:
    """Implements uplift.domain.ports.LinkQueries."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def all(self) -> tuple[Link, ...]:
        async with self._reading() as (connection, _):
            return tuple(map(link_of, (await connection.execute(statements.LINKS_BY_NAME)).all()))

    async def all_with_status(self) -> tuple[tuple[Link, LinkStatus], ...]:
        async with self._reading() as (connection, _):
            rows = (await connection.execute(statements.LINKS_BY_NAME)).all()
        return tuple((link_of(row), status_of(row)) for row in rows)

    async def find(self, link_id: LinkId) -> Link | None:
        async with self._reading() as (connection, _):
            return await _find(connection, link_id)

    async def statuses(self, ids: Sequence[LinkId]) -> Mapping[LinkId, LinkStatus]:
        async with self._reading() as (connection, _):
            rows = (await connection.execute(statements.LINKS_BY_UUID, {"uuids": list(ids)})).all()
        return {LinkId(row.uuid): status_of(row) for row in rows}

    async def claimable(self, now: datetime) -> Link | None:
        async with self._reading() as (connection, _):
            row = (await connection.execute(statements.CLAIMABLE, {"now": now})).one_or_none()
        return None if row is None else link_of(row)

    async def processes(self, link_id: LinkId) -> tuple[LinkedProcess, ...]:
        async with self._reading() as (connection, _):
            rows = (await connection.execute(statements.PROCESSES_OF_LINK, {"uuid": link_id})).all()
        return tuple(
            LinkedProcess(
                process=ProcessKey(namespace=row.namespace, code=row.code),
                link=LinkId(row.link),
                engine_key=row.engine_key,
            )
            for row in rows
        )

    async def versions(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, Mapping[VersionNumber, EngineVersionId]]:
        found: dict[int, dict[VersionNumber, EngineVersionId]] = defaultdict(dict)
        async with self._reading() as (connection, surrogate_keys):
            ids = await surrogate_keys.process_ids(process_keys)
            rows = await connection.execute(statements.LINKED_VERSIONS, {"ids": list(ids.values())})
            for row in rows.all():
                found[row.process_id][VersionNumber(row.number)] = EngineVersionId(row.engine_id)
        return {
            process_key: found[ids[process_key]] if process_key in ids else {} for process_key in process_keys
        }

    async def ended_upgrades(
        self, link_id: LinkId, after: datetime, until: datetime, limit: int
    ) -> tuple[UpgradeId, ...]:
        bound = {"uuid": link_id, "after": after, "until": until, "limit": limit}
        async with self._reading() as (connection, _):
            rows = (await connection.execute(statements.ENDED_UPGRADES, bound)).all()
        return tuple(UpgradeId(row.uuid) for row in rows)


class SqlLockedLink:
    """Implements uplift.domain.ports.LockedLink."""

    def __init__(self, session: Session, row: Any) -> None:
        self._session = session
        self._link_key: int = row.id
        self.link = link_of(row)
        self.status = status_of(row)
        self.orders = SqlOrders(session, self.link.id, row.id)
        self.sweeps = SqlSweeps(session, self.link.id, row.id)

    async def save(self, status: LinkStatus) -> None:
        bound = {"of_link": self._link_key, **statements.bind_status(status)}
        await self._session.connection.execute(statements.SAVE_STATUS, bound)

    async def add_process(self, process: LinkedProcess) -> None:
        bound = {
            "of_process": await self._session.process_id(process.process),
            "new_link": process.link,
            "new_key": process.engine_key,
        }
        await self._session.connection.execute(statements.LINK_PROCESS, bound)

    async def put_version(
        self, process_key: ProcessKey, number: VersionNumber, engine_id: EngineVersionId
    ) -> None:
        values = {
            "process_id": await self._session.process_id(process_key),
            "number": number,
            "engine_id": engine_id,
        }
        await self._session.connection.execute(statements.PUT_VERSION, values)

    async def unfinished_upgrade(self) -> UpgradeId | None:
        bound = {"uuid": self.link.id}
        found = (
            await self._session.connection.execute(statements.FIND_UNFINISHED, bound)
        ).scalar_one_or_none()
        return None if found is None else UpgradeId(found)

    async def remove(self) -> None:
        connection = self._session.connection
        bound = {"of_link": self._link_key, "of_uuid": self.link.id, "at": utc_now()}
        for statement in (
            statements.UNLINK_VERSIONS,
            statements.UNLINK_PROCESSES,
            statements.CLEAR_SIGHTINGS,
            statements.REMOVE,
        ):
            await connection.execute(statement, bound)


class SqlLinkRepository:
    """Implements uplift.domain.ports.LinkRepository."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, link: Link) -> None:
        connection = self._session.connection
        # Transactions that add links wait for each other, so that the look for the name is certain.
        await lock_subject(connection, "link")
        taken = (await connection.execute(statements.NAME_IS_TAKEN, {"name": link.name})).one_or_none()
        if taken is not None:
            raise LinkExists(name=link.name)
        await connection.execute(statements.ADD, statements.row_of(link))

    async def find(self, link_id: LinkId) -> Link | None:
        return await _find(self._session.connection, link_id)

    async def lock(self, link_id: LinkId) -> SqlLockedLink | None:
        return await self._locked(statements.LOCKED_LINK, {"uuid": link_id})

    async def lock_held(self, link_id: LinkId, worker: str) -> SqlLockedLink | None:
        return await self._locked(statements.HELD_LINK, {"uuid": link_id, "worker": worker})

    async def lock_claimable(self, now: datetime) -> SqlLockedLink | None:
        return await self._locked(statements.LOCKED_CLAIMABLE, {"now": now})

    async def _locked(self, statement: Any, bound: Mapping[str, Any]) -> SqlLockedLink | None:
        row = (await self._session.connection.execute(statement, bound)).one_or_none()
        return None if row is None else SqlLockedLink(self._session, row)


async def _find(connection: Connection, link_id: LinkId) -> Link | None:
    row = (await connection.execute(statements.LINK, {"uuid": link_id})).one_or_none()
    return None if row is None else link_of(row)
