"""Keeps the counts of cohorts in each bucket: a transaction saves them where its instances lie."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Column, Integer, MetaData, SmallInteger, Table, bindparam, delete, func, insert, select

from uplift.storage.sql.bucket_tables import BUCKET, cohort_change
from uplift.storage.sql.buckets import key_in
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import insert_many, upsert_adding
from uplift.storage.statements.instances.cohort_counts import (
    CHANGED,
    CHANGED_ARRAYS,
    KEY,
    CountChanges,
    SavedChanges,
    StoredCohort,
    change_of,
)

STORED = Table(
    "cohort_count",
    MetaData(),
    *(Column(name, SmallInteger if name == "status" else Integer) for name in KEY),
    Column("instances", Integer),
    Column("bucket", Integer),
)
"""The table without the conversion of its statuses."""
ADD_CHANGE = insert(cohort_change).values({"bucket": BUCKET, **CHANGED}).inline()
IS_OF_PROCESS = (cohort_change.c.bucket == BUCKET) & (cohort_change.c.process_id == bindparam("of_process"))
TAKE_CHANGES = (
    delete(cohort_change).where(IS_OF_PROCESS).returning(*(cohort_change.c[name] for name in CHANGED_ARRAYS))
)
ADD_TO_COUNTS = upsert_adding(STORED, keys=[*KEY, "bucket"], counts=["instances"])
DELETE_EMPTY = delete(STORED).where(
    STORED.c.bucket == BUCKET, STORED.c.process_id == bindparam("of_process"), STORED.c.instances == 0
)
FOLD_LOCK = 7_203_000
"""With a bucket, the first key of the advisory locks under which changes are folded; the process follows."""
TRY_LOCK = select(
    func.pg_try_advisory_xact_lock(
        bindparam("lock_number", type_=Integer), bindparam("of_process", type_=Integer)
    )
)
CHANGED_BUCKETS = select(cohort_change.c.bucket, cohort_change.c.process_id).distinct()


class CountsOfBucket(CountChanges):
    """The changes of a transaction to the counts of cohorts in one bucket."""

    def __init__(self, saved: SavedChanges, bucket: int) -> None:
        super().__init__(saved)
        self._bucket = bucket

    async def save(self, connection: Connection) -> None:
        for process_id, changes in self._take_changes().items():
            bound = {"of_bucket": self._bucket, **change_of(process_id, changes)}
            await connection.execute(ADD_CHANGE, bound)
            known = key_in(self._bucket, process_id)
            if self._saved.is_due(known):
                await fold(connection, self._bucket, process_id)
                self._saved.reset(known)
            self._saved.add(known, len(changes))


class CountsOfBuckets:
    """The changes of a transaction to the counts of cohorts, by bucket."""

    def __init__(self, saved: SavedChanges) -> None:
        self._saved = saved
        self._buckets: dict[int, CountsOfBucket] = {}

    def of(self, bucket: int) -> CountsOfBucket:
        """The changes in one bucket."""
        if bucket not in self._buckets:
            self._buckets[bucket] = CountsOfBucket(self._saved, bucket)
        return self._buckets[bucket]

    async def save(self, connection: Connection) -> None:
        """Save all changes, as late in the transaction as possible."""
        for _, changes in sorted(self._buckets.items()):
            await changes.save(connection)


async def fold_all(connection: Connection) -> None:
    """Fold the changes of all processes into their counts, while nobody writes instances."""
    for bucket, process_id in (await connection.execute(CHANGED_BUCKETS)).all():
        await fold(connection, bucket, process_id)


async def fold(connection: Connection, bucket: int, process_id: int) -> None:
    """Fold the saved changes of a process in a bucket, unless another transaction does so now."""
    bound = {"of_bucket": bucket, "of_process": process_id}
    is_free = (await connection.execute(TRY_LOCK, {**bound, "lock_number": FOLD_LOCK + bucket})).scalar_one()
    if not is_free:
        return
    rows = (await connection.execute(TAKE_CHANGES, bound)).all()
    if summed := _summed(process_id, rows):
        added = [
            {**dict(zip(KEY, cohort, strict=True)), "instances": count, "bucket": bucket}
            for cohort, count in sorted(summed.items())
        ]
        await insert_many(connection, ADD_TO_COUNTS, added)
        await connection.execute(DELETE_EMPTY, bound)


def _summed(process_id: int, rows: Iterable[Sequence[Sequence[int]]]) -> Mapping[StoredCohort, int]:
    summed: Counter[StoredCohort] = Counter()
    for row in rows:
        for version, status, position_id, count in zip(*row, strict=True):
            summed[process_id, version, status, position_id] += count
    return {cohort: count for cohort, count in summed.items() if count}
