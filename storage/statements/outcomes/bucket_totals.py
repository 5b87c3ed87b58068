"""Adds up what upgrades and their partitions have done, which lie on different servers.

Without buckets one statement reads both. Here the counts of an upgrade are read before and after those of its
partitions: if they are the same, the upgrade has not taken over what a partition did in between. On several
nodes a sum may be too high for a moment, while a commit is under way to one of them (see
docs/explanation/scale.md).
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from sqlalchemy import ARRAY, Integer, Select, any_, bindparam, cast, func, select

from uplift.domain.model.upgrade import UpgradeState
from uplift.storage.sql.bucket_tables import partition, skip_count
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import upgrade
from uplift.storage.statements.outcomes.tallies import COHORT, COUNTS

Counts = tuple[Any, ...]
"""The values of COUNTS."""
ATTEMPTS = 10
"""How often counts are read again that change all the time. The last ones are as good as any."""
IDS = bindparam("ids", type_=ARRAY(Integer))
OWN = select(upgrade.c.id, *(upgrade.c[name] for name in COUNTS)).where(upgrade.c.id == any_(IDS))
SUMS_OF_ALL = select(
    partition.c.upgrade_id,
    *(cast(func.sum(partition.c[name]), partition.c[name].type).label(name) for name in COUNTS),
).group_by(partition.c.upgrade_id)
SUMS = SUMS_OF_ALL.where(partition.c.upgrade_id == any_(IDS))
SKIP_SUMS = (
    select(*(skip_count.c[name] for name in COHORT), func.sum(skip_count.c.instances).label("instances"))
    .where(skip_count.c.upgrade_id == any_(IDS))
    .group_by(*(skip_count.c[name] for name in COHORT))
)


def in_layout(connection: Connection, statement: Select[Any]) -> Select[Any]:
    """A statement on upgrades, without totals if the database has buckets: then `with_totals` adds them."""
    return with_own_counts(statement) if connection.layout.has_buckets else statement


@lru_cache(maxsize=64)
def with_own_counts(statement: Select[Any]) -> Select[Any]:
    """The statement on upgrades, with their own counts in place of the totals."""
    columns = own_columns(statement.selected_columns)
    return statement.with_only_columns(*columns, maintain_column_froms=True)


def own_columns(columns: Iterable[Any]) -> list[Any]:
    """The columns of upgrades, with their own counts in place of the totals."""
    return [upgrade.c[found.name] if found.name in COUNTS else found for found in columns]


async def with_totals(connection: Connection, rows: Sequence[Any]) -> Sequence[Any]:
    """Rows of upgrades with their own counts, to which the counts of their partitions are added."""
    # Partitions of upgrades in other states count nothing: a stop lets the upgrade take over what they did.
    # Rows without all counts differ from what is read then, so that these are read once more.
    own: dict[int, Counts] = {
        row.id: tuple(getattr(row, name, None) for name in COUNTS)
        for row in rows
        if row.state is UpgradeState.RUNNING
    }
    if not own:
        return rows
    sums = await sums_of_partitions(connection, own)
    return [
        SimpleNamespace(**{**row._asdict(), **_added(own[row.id], sums.get(row.id))})
        if row.id in own
        else row
        for row in rows
    ]


async def sums_of_partitions(connection: Connection, own: dict[int, Counts]) -> Mapping[int, Counts]:
    """What the partitions of each upgrade count; `own` is set to what the upgrades count then."""
    bound = {"ids": list(own)}
    sums: dict[int, Counts] = {}
    for _ in range(ATTEMPTS):
        sums = {row.upgrade_id: _counts(row) for row in await connection.execute(SUMS, bound)}
        now = {row.id: _counts(row) for row in await connection.execute(OWN, bound)}
        is_same = now == own
        own.update(now)
        if is_same:
            break
    return sums


async def with_skips(connection: Connection, statement: Select[Any], bound: Mapping[str, Any]) -> list[Any]:
    """The rows of a statement on decisions, to whose `instances` the skips of partitions are added."""
    rows = (await connection.execute(statement, bound)).all()
    ids = {"ids": sorted({row.upgrade_id for row in rows})}
    for _ in range(ATTEMPTS):
        skips = {tuple(row[:-1]): row.instances for row in await connection.execute(SKIP_SUMS, ids)}
        again = (await connection.execute(statement, bound)).all()
        is_same = again == rows
        rows = again
        if is_same:
            break
    found = []
    for row in rows:
        values = row._asdict()
        values["instances"] += skips.get(tuple(values[name] for name in COHORT), 0)
        found.append(SimpleNamespace(**values))
    return found


def _counts(row: Any) -> Counts:
    return tuple(getattr(row, name) for name in COUNTS)


def _added(own: Counts, more: Counts | None) -> dict[str, Any]:
    summed = own if more is None else tuple(count + added for count, added in zip(own, more, strict=True))
    return dict(zip(COUNTS, summed, strict=True))
