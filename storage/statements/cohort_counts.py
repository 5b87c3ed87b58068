"""Keeps the count of each cohort, in the transactions that change it.

A transaction collects its changes and saves them at its end. On PostgreSQL a cohort may have several parts,
whose sum is its count. A transaction adds a part, or merges those parts that no other transaction has locked,
so it never waits for a count. Reads sum the parts in one statement, so they are right while parts are merged.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from secrets import randbits
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Insert,
    Integer,
    SmallInteger,
    and_,
    bindparam,
    column,
    delete,
    func,
    insert,
    null,
    or_,
    select,
    table,
    union_all,
    update,
)

from uplift.domain.bounded_cache import BoundedCache
from uplift.domain.concurrency import pieces
from uplift.domain.model.instance import Status
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import unnest_rows, upsert_adding
from uplift.storage.sql.tables import STATUS
from uplift.storage.sql.types import LONG

KEY: Final = ("process_id", "version", "status", "position_id")
"""The columns that identify a cohort."""
PART_BITS = 62
"""The length of the random numbers of parts: two transactions never choose the same one.

The numbers come from the operating system. Those of the module `random` repeat in a program that seeds it,
and in the children of one that forks.
"""
MERGED_FROM = 32
"""From this number of changed cohorts on, a transaction merges them: adding parts would be little faster."""
ADDED_LIMIT = 256
"""How many parts a program adds to a process before it merges the parts of all its cohorts."""
MERGED_LIMIT = 1_000
"""How many cohorts a transaction merges at most, besides those that it changes."""
KNOWN_PROCESSES = 10_000
"""For how many processes a program knows how many parts it has added."""


StoredCohort = tuple[int, int, int, int]
"""A process, a version, the code of a status and a position, as they are stored. A transaction may have
thousands
of them, so no value is converted on the way."""
PENDING = STATUS.members.index(Status.PENDING) + 1
"""The code of the status of instances that upgrades move."""
STORED = table(
    "cohort_count",
    *(column(name, SmallInteger if name == "status" else Integer) for name in KEY),
    column("part", LONG),
    column("instances", Integer),
)
"""The table without the conversion of its statuses."""


class AddedParts:
    """How many parts this program has added to each process since it merged all parts of that process.

    Merging is due first for a process that this program has not written to, or not for long: other programs
    may have added parts, and ended before they merged them.
    """

    def __init__(self) -> None:
        self._remaining: BoundedCache[int, int] = BoundedCache(KNOWN_PROCESSES)

    def is_due(self, process_id: int) -> bool:
        """Whether all parts of the process should be merged."""
        return not self._remaining.get(process_id)

    def add(self, process_id: int, parts: int) -> None:
        self._remaining.put(process_id, max(0, (self._remaining.get(process_id) or 0) - parts), 1)

    def reset(self, process_id: int) -> None:
        """All parts of the process have been merged."""
        self._remaining.put(process_id, ADDED_LIMIT, 1)


class CountChanges:
    """The changes of a transaction to the counts of cohorts."""

    def __init__(self, added_parts: AddedParts) -> None:
        self._added_parts = added_parts
        self._changes: Counter[StoredCohort] = Counter()

    def add(self, cohorts: Iterable[StoredCohort]) -> None:
        """An instance has entered each of these cohorts; one that is named twice has two more."""
        self._changes.update(cohorts)

    def remove(self, cohorts: Iterable[StoredCohort]) -> None:
        """An instance has left each of these cohorts."""
        self._changes.subtract(Counter(cohorts))

    def move(self, source: StoredCohort, target: StoredCohort, instances: int) -> None:
        """Instances have moved from one cohort to another."""
        self._changes[source] -= instances
        self._changes[target] += instances

    def take_parts(self, connection: Connection) -> dict[str, Any] | None:
        """The parameters of ADD_PARTS for the changes so far, which count as saved then.

        None if they cannot be added by another statement: on SQLite, or where parts have to be merged.
        """
        changes = {cohort: instances for cohort, instances in self._changes.items() if instances}
        process_ids = {process_id for process_id, _, _, _ in changes}
        if (
            connection.dialect.name == "sqlite"
            or not 0 < len(changes) < MERGED_FROM
            or any(map(self._added_parts.is_due, process_ids))
        ):
            return None
        self._changes.clear()
        for process_id in process_ids:
            self._added_parts.add(process_id, len(changes))
        return _arrays(changes)

    async def save(self, connection: Connection) -> None:
        """Save the changes since the last call, as late in the transaction as possible."""
        changes = {cohort: instances for cohort, instances in self._changes.items() if instances}
        self._changes.clear()
        if not changes:
            return
        process_ids = {process_id for process_id, _, _, _ in changes}
        due = [process_id for process_id in process_ids if self._added_parts.is_due(process_id)]
        if connection.dialect.name == "sqlite":
            async for _, piece in pieces(list(changes.items())):
                rows = [
                    {
                        "process_id": process_id,
                        "version": version,
                        "status": status,
                        "position_id": position_id,
                        "part": 0,
                        "instances": count,
                    }
                    for (process_id, version, status, position_id), count in piece
                ]
                await connection.execute_later(ADD_TO_COUNTS, rows)
            for process_id in due:
                await connection.execute_later(DELETE_EMPTY, {"of_process": process_id})
                self._added_parts.reset(process_id)
            for process_id in process_ids:
                self._added_parts.add(process_id, len(changes))
            return
        statement = ADD_PARTS if len(changes) < MERGED_FROM and not due else MERGE_PARTS
        for process_id in due:
            divided = await _divided_cohorts(connection, process_id)
            changes = {**dict.fromkeys(divided, 0), **changes}
            if len(divided) < MERGED_LIMIT:
                self._added_parts.reset(process_id)
        added = (await connection.execute(statement, _arrays(changes))).rowcount
        for process_id in process_ids:
            self._added_parts.add(process_id, added)


def _is_same(cohort: FromClause, other: FromClause, *, part: bool = False) -> ColumnElement[bool]:
    names = (*KEY, "part") if part else KEY
    return and_(*(cohort.c[name] == other.c[name] for name in names))


ADD_TO_COUNTS = upsert_adding(STORED, keys=[*KEY, "part"], counts=["instances"])
DELETE_EMPTY = delete(STORED).where(STORED.c.process_id == bindparam("of_process"), STORED.c.instances == 0)
CHANGED = unnest_rows(STORED, {name: f"changed_{name}" for name in (*KEY, "instances")})
CHANGED_COLUMNS = tuple(CHANGED.c[name] for name in (*KEY, "instances"))
NEW_PART = bindparam("new_part", type_=LONG)
ADD_PARTS = insert(STORED).from_select([*KEY, "instances", "part"], select(*CHANGED_COLUMNS, NEW_PART))


def _merge_parts() -> Insert:
    """Replace the free parts of each changed cohort by one, with the change added.

    A cohort without a free part gets a new one. SKIP LOCKED reads the newest version of each part that it
    locks, so what another transaction merged since the statement began is neither lost nor counted twice.
    """
    free = (
        select(STORED)
        .where(_is_same(STORED, CHANGED))
        .with_for_update(of=STORED, skip_locked=True)
        .cte("free")
    )
    parts = union_all(
        select(*(free.c[name] for name in KEY), free.c.part, free.c.instances),
        select(*(CHANGED.c[name] for name in KEY), null().cast(LONG), CHANGED.c.instances),
    ).subquery("parts")
    keys = [parts.c[name] for name in KEY]
    merged = (
        select(*keys, func.min(parts.c.part).label("part"), func.sum(parts.c.instances).label("instances"))
        .group_by(*keys)
        .cte("merged")
    )
    is_empty = merged.c.instances == 0
    changed = (
        update(STORED)
        .where(_is_same(STORED, merged, part=True), ~is_empty)
        .values(instances=merged.c.instances)
        .cte("changed")
    )
    deleted = (
        delete(STORED)
        .where(
            _is_same(STORED, free, part=True),
            _is_same(free, merged),
            or_(free.c.part != merged.c.part, is_empty),
        )
        .cte("deleted")
    )
    new = select(*(merged.c[name] for name in KEY), NEW_PART, merged.c.instances).where(
        merged.c.part.is_(None), ~is_empty
    )
    return (
        insert(STORED).from_select([*KEY, "part", "instances"], new).add_cte(free, merged, changed, deleted)
    )


MERGE_PARTS = _merge_parts()
DIVIDED = (
    select(*(STORED.c[name] for name in KEY))
    .where(STORED.c.process_id == bindparam("of_process"))
    .group_by(*(STORED.c[name] for name in KEY))
    .having(func.count() > 1)
    .limit(MERGED_LIMIT)
)


async def _divided_cohorts(connection: Connection, process_id: int) -> list[StoredCohort]:
    """Some cohorts of a process that have several parts."""
    rows = await connection.execute(DIVIDED, {"of_process": process_id})
    return [tuple(row) for row in rows]


def _arrays(changes: Mapping[StoredCohort, int]) -> dict[str, Any]:
    columns = dict(zip(KEY, zip(*changes, strict=True), strict=True))
    arrays = {f"changed_{name}": list(values) for name, values in columns.items()}
    return {**arrays, "changed_instances": list(changes.values()), "new_part": randbits(PART_BITS)}
