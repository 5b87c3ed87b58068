"""Reads the states of processes: their versions on the coordinator, their counts over all buckets."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from sqlalchemy import ARRAY, Integer, any_, bindparam, select

from uplift.domain.model.process import ProcessKey, ProcessState
from uplift.storage.repositories.processes import SqlProcessQueries, process_state
from uplift.storage.sql.tables import cohort_part
from uplift.storage.statements.processes.process_states import NEWEST_VERSIONS, checksum

CHECKSUMS = (
    select(cohort_part.c.process_id, checksum().label("checksum"))
    .where(cohort_part.c.process_id == any_(bindparam("listed", type_=ARRAY(Integer))))
    .group_by(cohort_part.c.process_id)
)


class BucketProcessQueries(SqlProcessQueries):
    """Implements uplift.domain.ports.ProcessQueries."""

    async def states(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, ProcessState]:
        async with self._reading() as (connection, surrogate_keys):
            ids = list((await surrogate_keys.process_ids(process_keys)).values())
            rows = (await connection.execute(NEWEST_VERSIONS, {"ids": ids})).all()
            sums = {
                row.process_id: row.checksum for row in await connection.execute(CHECKSUMS, {"listed": ids})
            }
        states = (process_state(_with_checksum(row, sums)) for row in rows)
        return {found.process.key: found for found in states}


def _with_checksum(row: Any, sums: Mapping[int, int]) -> SimpleNamespace:
    return SimpleNamespace(**row._asdict(), checksum=sums.get(row.id, 0))
