"""Keeps the count of each cohort, in the transactions that change it.

A transaction collects its changes and saves them at its end. SQLite has one writer, which adds to the counts
themselves. On PostgreSQL writers would wait for each other there, so a transaction inserts its changes as
one row, and now and then one transaction folds the rows of a process into its counts. The view `cohort_part`
has both: its sums are right while rows are folded, because a statement has one snapshot.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    SmallInteger,
    Text,
    bindparam,
    cast,
    column,
    delete,
    func,
    insert,
    literal,
    select,
    table,
    text,
    tuple_,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from uplift.domain.bounded_cache import BoundedCache
from uplift.domain.model.instance import Status
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import STATUS, cohort_change
from uplift.storage.sqlite.driver import SqliteConnection
from uplift.storage.sqlite.prepared import RUN_IN_THREAD

KEY: Final = ("process_id", "version", "status", "position_id")
"""The columns that identify a cohort."""
FOLDED_AFTER = 8_192
"""After so many changes of a process a program folds them. Reading as many takes some milliseconds."""
KNOWN_PROCESSES = 10_000
"""For how many processes a program knows how many changes it has saved."""


StoredCohort = tuple[int, int, int, int]
"""A process, a version, the code of a status and a position, as they are stored. A transaction may have
thousands of them, so no value is converted on the way."""
CountChange = tuple[StoredCohort, int]
"""A cohort, and how many more instances it has."""
PENDING = STATUS.members.index(Status.PENDING) + 1
"""The code of the status of instances that upgrades move."""
STORED = table(
    "cohort_count",
    *(column(name, SmallInteger if name == "status" else Integer) for name in KEY),
    column("instances", Integer),
)
"""The table without the conversion of its statuses."""


def is_listed_cohort(stored: FromClause) -> ColumnElement[bool]:
    """Whether a row of this table is of one of the `cohorts`, a list of StoredCohort."""
    return tuple_(*(stored.c[name] for name in KEY)).in_(bindparam("cohorts", expanding=True))


def cohort_in(row: Any) -> StoredCohort:
    """The cohort in a row with KEY."""
    return row.process_id, row.version, row.status, row.position_id


def counted_in(rows: Iterable[Any]) -> list[dict[str, int]]:
    """The right counts of cohorts whose kept counts were deleted. The rows are those of differing_cohorts."""
    counted = (row for row in rows if row.counted)
    return [dict(zip(KEY, cohort_in(row), strict=True), instances=row.counted) for row in counted]


class SavedChanges:
    """How many changes this program has saved of each process since it folded them.

    Folding is due first for a process that this program has not written to, or not for long: other programs
    may have saved changes, and ended before they folded them.
    """

    def __init__(self) -> None:
        self._remaining: BoundedCache[int, int] = BoundedCache(KNOWN_PROCESSES)

    def is_due(self, process_id: int) -> bool:
        """Whether the changes of the process should be folded."""
        return not self._remaining.get(process_id)

    def add(self, process_id: int, changes: int) -> None:
        self._remaining.put(process_id, max(0, (self._remaining.get(process_id) or 0) - changes), 1)

    def reset(self, process_id: int) -> None:
        """All changes of the process have been folded."""
        self._remaining.put(process_id, FOLDED_AFTER, 1)


class CountChanges:
    """The changes of a transaction to the counts of cohorts."""

    def __init__(self, saved: SavedChanges) -> None:
        self._saved = saved
        # Not a Counter: its methods take longer for the one change of most transactions.
        self._changes: defaultdict[StoredCohort, int] = defaultdict(int)

    def add(self, cohorts: Iterable[StoredCohort]) -> None:
        """An instance has entered each of these cohorts; one that is named twice has two more."""
        changes = self._changes
        for cohort in cohorts:
            changes[cohort] += 1

    def add_counted(self, cohorts: Mapping[StoredCohort, int]) -> None:
        """So many instances have entered each of these cohorts."""
        for cohort, instances in cohorts.items():
            self._changes[cohort] += instances

    def remove(self, cohorts: Iterable[StoredCohort]) -> None:
        """An instance has left each of these cohorts."""
        changes = self._changes
        for cohort in cohorts:
            changes[cohort] -= 1

    def move(self, source: StoredCohort, target: StoredCohort, instances: int) -> None:
        """Instances have moved from one cohort to another."""
        self._changes[source] -= instances
        self._changes[target] += instances

    def take(self, connection: Connection) -> dict[str, Any] | None:
        """The parameters of ADD_CHANGE for the changes so far, which count as saved then.

        None if there is none, or if another statement cannot save them: on SQLite, for several processes, or
        if folding is due.
        """
        if isinstance(connection, SqliteConnection):
            return None
        changes = self._nonzero()
        process_ids = {cohort[0] for cohort, _ in changes}
        if len(process_ids) != 1:  # there is none if instances have changed places
            return None
        [process_id] = process_ids
        if self._saved.is_due(process_id):
            return None
        self._changes.clear()
        self._saved.add(process_id, len(changes))
        return change_of(process_id, changes)

    async def save(self, connection: Connection) -> None:
        """Save the changes since the last call, as late in the transaction as possible."""
        if isinstance(connection, SqliteConnection):
            saved = await self._add_to_counts(connection)
        else:
            taken = self._take_changes()
            for process_id, changes in taken.items():
                await connection.execute(ADD_CHANGE, change_of(process_id, changes))
            saved = {process_id: len(changes) for process_id, changes in taken.items()}
        for process_id, count in saved.items():
            if self._saved.is_due(process_id):
                await _fold(connection, process_id)
                self._saved.reset(process_id)
            self._saved.add(process_id, count)

    async def _add_to_counts(self, connection: SqliteConnection) -> Mapping[int, int]:
        """Add the changes to the counts of SQLite. Returns how many there are of each process."""
        rows = [(*cohort, count) for cohort, count in self._changes.items() if count]
        self._changes.clear()
        if rows:
            await connection.insert_later(ADD_TO_COUNTS, rows)
        process_ids = {row[0] for row in rows}
        if len(process_ids) == 1:  # as nearly always: counting takes longer
            return dict.fromkeys(process_ids, len(rows))
        return Counter(row[0] for row in rows)

    def _take_changes(self) -> Mapping[int, Sequence[CountChange]]:
        """The changes of each process, which are not kept."""
        taken: defaultdict[int, list[CountChange]] = defaultdict(list)
        for change in self._nonzero():
            taken[change[0][0]].append(change)
        self._changes.clear()
        return taken

    def _nonzero(self) -> list[CountChange]:
        """The changes without those that cancel each other out."""
        return [change for change in self._changes.items() if change[1]]


ADD_TO_COUNTS = """
    INSERT INTO cohort_count (process_id, version, status, position_id, instances) {rows}
    ON CONFLICT (process_id, version, status, position_id)
    DO UPDATE SET instances = instances + excluded.instances
"""
"""On SQLite only."""
DELETE_EMPTY = (
    delete(STORED)
    .where(STORED.c.process_id == bindparam("of_process"), STORED.c.instances == 0)
    .execution_options(**RUN_IN_THREAD)
)
CHANGED_ARRAYS: Final = ("versions", "statuses", "position_ids", "counts")
CHANGED: Final[Mapping[str, ColumnElement[Any]]] = {
    "process_id": bindparam("changed_process_id", type_=Integer),
    # As text: the driver looks at each number of an array to encode it, which takes twice as long.
    **{name: cast(bindparam(f"changed_{name}", type_=Text), ARRAY(Integer)) for name in CHANGED_ARRAYS},
}
"""The values of a row of `cohort_change`, whose parameters `change_of` makes."""
ADD_CHANGE = insert(cohort_change).values(CHANGED).inline()
BRACES = str.maketrans("[]", "{}")
"""Makes the text of a list of numbers that of an array of PostgreSQL."""
FOLD_LOCK = 7_202
"""The first key of the advisory locks under which changes are folded; the second one is the process."""
# Only the holder of the lock changes counts, so no transaction ever waits for one. Arrays are unnested in a
# SELECT list, because one unnest(...) of all of them after FROM stores their values before it returns any.
FOLD = text(
    """
    WITH free AS MATERIALIZED (
        SELECT pg_try_advisory_xact_lock(:fold_lock, :of_process) AS is_free
    ),
    folded AS (
        DELETE FROM cohort_change USING free WHERE is_free AND process_id = :of_process
        RETURNING versions, statuses, position_ids, counts
    ),
    change AS (
        SELECT unnest(versions) AS version, unnest(statuses) AS status,
            unnest(position_ids) AS position_id, unnest(counts) AS count
        FROM folded
    ),
    summed AS (
        SELECT version, status, position_id, sum(count) AS instances
        FROM change
        GROUP BY version, status, position_id
    )
    INSERT INTO cohort_count (process_id, version, status, position_id, instances)
    SELECT :of_process, version, status, position_id, instances FROM summed WHERE instances <> 0
    ON CONFLICT (process_id, version, status, position_id)
    DO UPDATE SET instances = cohort_count.instances + excluded.instances
    """
).bindparams(bindparam("of_process", type_=Integer), bindparam("fold_lock", FOLD_LOCK, type_=Integer))
CHANGED_PROCESSES = select(cohort_change.c.process_id).distinct()


async def fold_all(connection: Connection) -> None:
    """Fold the changes of all processes into their counts, while nobody writes instances."""
    for process_id in (await connection.execute(CHANGED_PROCESSES)).scalars().all():
        await _fold(connection, process_id)


async def _fold(connection: Connection, process_id: int) -> None:
    """Fold the saved changes of a process into its counts, unless another transaction does so now."""
    bound = {"of_process": process_id}
    if connection.dialect.name == "sqlite":
        await connection.execute_later(DELETE_EMPTY, bound)
    elif (await connection.execute(FOLD, bound)).rowcount:
        await connection.execute(DELETE_EMPTY, bound)


def change_of(process_id: int, changes: Iterable[CountChange]) -> dict[str, Any]:
    """The parameters of CHANGED for the changes of a process."""
    cohorts, counts = zip(*changes, strict=True)
    _, *columns = zip(*cohorts, strict=True)
    return {
        "changed_process_id": process_id,
        **{
            f"changed_{name}": str(list(values)).translate(BRACES)
            for name, values in zip(CHANGED_ARRAYS, (*columns, counts), strict=True)
        },
    }


def differing_cohorts(kept: FromClause, instance: FromClause, key: Sequence[str]) -> Select[Any]:
    """Selects the cohorts of a key whose kept count is not that of their instances, with both counts.

    Statuses are the codes as they are stored: a damaged row may have one that no status has.
    """

    def columns_of(source: FromClause) -> list[Any]:
        return [
            type_coerce(source.c[name], Integer()).label(name) if name == "status" else source.c[name]
            for name in key
        ]

    members = union_all(
        select(*columns_of(kept), kept.c.instances.label("kept"), literal(0, Integer).label("counted")),
        select(*columns_of(instance), literal(0, Integer), func.count()).group_by(
            *(instance.c[name] for name in key)
        ),
    ).subquery("members")
    cohort = [members.c[name] for name in key]
    kept_sum, counted_sum = func.sum(members.c.kept), func.sum(members.c.counted)
    return (
        select(*cohort, kept_sum.label("kept"), counted_sum.label("counted"))
        .group_by(*cohort)
        .having(kept_sum != counted_sum)
    )
