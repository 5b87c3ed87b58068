"""Stages what sweeps see, and merges it into the instances."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from uplift.domain.model.instance import ElementId, Instance, InstanceId, Status
from uplift.domain.model.link import EngineInstanceId, LinkId
from uplift.domain.model.linked_process import instance_id_of
from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.ports import (
    MergedInstances,
    Sighting,
    SweptInstance,
    UnseenInstance,
    UnseenInstances,
)
from uplift.storage.repositories.instances import LOCKED, SqlInstanceRepository, StoredInstance
from uplift.storage.repositories.sessions import Session
from uplift.storage.sql.dialect import UpdateMany, insert_many
from uplift.storage.sql.id_list import bind_ids
from uplift.storage.sql.tables import instance
from uplift.storage.statements.instances.cohort_counts import StoredCohort
from uplift.storage.statements.instances.instances import STATUS_CODES
from uplift.storage.statements.links import sweeps as statements

CHANGE = UpdateMany(instance, key="id", changed=("version", "status", "position_id"))
NAME = UpdateMany(instance, key="uuid", changed=("engine_id",))
PENDING, COMPLETED = STATUS_CODES[Status.PENDING], STATUS_CODES[Status.COMPLETED]


class SqlSweeps:
    """Implements uplift.domain.ports.Sweeps for a locked link."""

    def __init__(self, session: Session, link_id: LinkId, link_key: int) -> None:
        self._session = session
        self._connection = session.connection
        self._link_id = link_id
        self._link_key = link_key

    async def stage(self, sightings: Sequence[Sighting]) -> None:
        if not sightings:
            return
        batch: int = (await self._execute(statements.NEXT_BATCH)).scalar_one()
        await self._execute(statements.ADVANCE)
        process_ids = await self._session.surrogate_keys.process_ids({seen.process for seen in sightings})
        rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        latest: dict[InstanceId, tuple[ProcessKey, VersionNumber]] = {}
        for seen in sightings:
            instance_id = instance_id_of(self._link_id, seen.engine_id)
            latest[instance_id] = seen.process, seen.version
            row = {
                "link_id": self._link_key,
                "uuid": instance_id,
                "process_id": process_ids[seen.process],
                "version": seen.version,
                "element": seen.element or "",
                "engine_id": None if seen.engine_id == str(instance_id) else seen.engine_id,
                "batch": batch,
            }
            rows[instance_id, seen.process, seen.version, seen.element] = row
        # Of two versions in one set, only the last one counts.
        staged = [row for key, row in rows.items() if latest[key[0]] == (key[1], key[2])]
        # PostgreSQL locks rows as it inserts them: along their ids, two sweeps cannot deadlock.
        staged.sort(key=lambda row: (row["uuid"].int, row["element"]))
        await insert_many(self._connection, statements.STAGE, staged)

    async def staged(self, after: InstanceId | None, limit: int) -> Sequence[SweptInstance]:
        statement = statements.FIRST_STAGED if after is None else statements.STAGED
        bound = {"limit": limit} if after is None else {"limit": limit, "after": after}
        rows = (await self._execute(statement, **bound)).all()
        keys = await self._session.surrogate_keys.process_keys(row.process_id for row in rows)
        return [_swept(list(group), keys) for _, group in groupby(rows, key=attrgetter("uuid"))]

    async def merge(self, swept: Sequence[SweptInstance]) -> MergedInstances:
        ids = bind_ids([seen.id for seen in swept])
        # The columns of LOCKED: the place in the list, the key of the instance, then its cohort.
        known: dict[InstanceId, StoredInstance] = {
            swept[ordinal - 1].id: (number, tuple(cohort))
            for ordinal, number, *cohort in (await self._execute(LOCKED, **ids)).all()
        }
        unsettled = {row.uuid for row in (await self._execute(statements.UNSETTLED_AMONG, **ids)).all()}
        process_ids = await self._session.surrogate_keys.process_ids({seen.process for seen in swept})
        foreign = sum(
            seen.id in known and known[seen.id][1][0] != process_ids[seen.process] for seen in swept
        )
        ordered = sum(
            seen.id in unsettled and known[seen.id][1][0] == process_ids[seen.process] for seen in swept
        )
        changed = 0
        by_process: dict[ProcessKey, list[SweptInstance]] = defaultdict(list)
        for seen in swept:
            by_process[seen.process].append(seen)
        # All transactions add new positions process by process in this order, so that they cannot deadlock.
        for process_key in sorted(by_process, key=str):
            of_process = by_process[process_key]
            await self._register(process_key, [seen for seen in of_process if seen.id not in known])
            own = [
                seen
                for seen in of_process
                if seen.id in known
                and seen.id not in unsettled
                and known[seen.id][1][0] == process_ids[process_key]
            ]
            changed += await self._change(process_ids[process_key], own, known)
        registered = sum(seen.id not in known for seen in swept)
        return MergedInstances(registered=registered, changed=changed, ordered=ordered, foreign=foreign)

    async def unseen(self, process: ProcessKey, after: int, limit: int) -> UnseenInstances:
        process_id = await self._session.process_id(process)
        bound = {"process_id": process_id, "after": after, "limit": limit}
        rows = (await self._execute(statements.ACTIVE_AFTER, **bound)).all()
        return UnseenInstances(
            instances=tuple(
                UnseenInstance(
                    id=InstanceId(row.uuid),
                    engine_id=EngineInstanceId(str(row.uuid) if row.engine_id is None else row.engine_id),
                )
                for row in rows
                if not row.is_staged and not row.is_unsettled
            ),
            next=rows[-1].id if len(rows) == limit else None,
        )

    async def complete(self, ids: Sequence[InstanceId]) -> int:
        bound = {"link": self._link_id, **bind_ids(list(dict.fromkeys(ids)))}
        rows = (await self._execute(statements.COMPLETABLE, **bound)).all()
        if not rows:
            return 0
        await self._execute(statements.COMPLETE, **bind_ids([row.uuid for row in rows]))
        for row in rows:
            status = STATUS_CODES[row.status]
            self._session.counts.move(
                (row.process_id, row.version, status, row.position_id),
                (row.process_id, row.version, COMPLETED, row.position_id),
                1,
            )
        return len(rows)

    async def clear(self, limit: int) -> int:
        cleared: int = (await self._execute(statements.CLEAR, limit=limit)).rowcount
        return cleared

    async def _register(self, process_key: ProcessKey, new: Sequence[SweptInstance]) -> None:
        if not new:
            return
        found = [
            Instance(
                id=seen.id,
                process=process_key,
                version=seen.version,
                status=Status.PENDING,
                position=seen.position,
            )
            for seen in new
        ]
        await SqlInstanceRepository(self._session).register(process_key, found)
        named = [
            {"row_uuid": seen.id, "row_engine_id": seen.engine_id}
            for seen in new
            if seen.engine_id != str(seen.id)
        ]
        if named:
            await NAME.execute(self._connection, named)

    async def _change(
        self, process_id: int, own: Sequence[SweptInstance], known: Mapping[InstanceId, StoredInstance]
    ) -> int:
        """Give known instances what the sweep saw of them; return how many were different."""
        positions = await self._session.surrogate_keys.position_ids(
            process_id, [seen.position for seen in own]
        )
        rows: list[dict[str, Any]] = []
        sources: list[StoredCohort] = []
        targets: list[StoredCohort] = []
        for seen in own:
            number, cohort = known[seen.id]
            now = (process_id, seen.version, PENDING, positions[seen.position])
            if cohort != now:
                sources.append(cohort)
                targets.append(now)
                rows.append(
                    {
                        "row_id": number,
                        "row_version": seen.version,
                        "row_status": Status.PENDING,
                        "row_position_id": now[3],
                    }
                )
        if rows:
            await CHANGE.execute(self._connection, rows)
            self._session.counts.remove(sources)
            self._session.counts.add(targets)
        return len(rows)

    async def _execute(self, statement: Any, **bound: Any) -> Any:
        return await self._connection.execute(statement, {"of_link": self._link_key, **bound})


def _swept(rows: Sequence[Any], keys: Mapping[int, ProcessKey]) -> SweptInstance:
    """What was seen of one instance: the elements seen with the version in the last row."""
    last = rows[-1]
    same = [row for row in rows if (row.process_id, row.version) == (last.process_id, last.version)]
    instance_id = InstanceId(last.uuid)
    return SweptInstance(
        id=instance_id,
        engine_id=EngineInstanceId(str(instance_id) if last.engine_id is None else last.engine_id),
        process=keys[last.process_id],
        version=VersionNumber(last.version),
        position=frozenset(ElementId(row.element) for row in same if row.element),
    )
