"""Adds up what an upgrade and its partitions have done, and lets an upgrade take over what partitions did.

While chunks run, each partition counts for itself, so that no chunk waits for the row of the upgrade or for
that of a decision. The figures of an upgrade are its own and the sums over its partitions, read by one
statement.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Integer,
    and_,
    bindparam,
    cast,
    delete,
    func,
    select,
    type_coerce,
    update,
)

from uplift.domain.model.upgrade import Partition, Tally
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import decision, partition, skip_count, upgrade
from uplift.storage.sql.types import LONG
from uplift.storage.sql.upgrade_keys import UpgradeKeys

COUNTS = ("upgraded", "skipped", "ordered", "worked")
"""The columns of a tally, in `upgrade` and in `partition`."""
AFTER_ALL = 2**63 - 1

under_way = partition.alias("under_way")


def total(name: str, of: FromClause = upgrade) -> ColumnElement[Any]:
    """One of COUNTS, of an upgrade and all of its partitions."""
    own = of.c[name]
    # PostgreSQL adds BIGINT up to NUMERIC.
    in_partitions = cast(func.coalesce(func.sum(under_way.c[name]), 0), own.type)
    summed = select(in_partitions).where(under_way.c.upgrade_id == of.c.id).scalar_subquery()
    return type_coerce(own + summed, own.type).label(name)


TOTALS = tuple(total(name) for name in COUNTS)

COHORT = tuple(column.key for column in decision.primary_key)
IS_OF_DECISION = and_(*(skip_count.c[name] == decision.c[name] for name in COHORT))
SKIPPED = decision.c.instances + (
    select(func.coalesce(func.sum(skip_count.c.instances), 0)).where(IS_OF_DECISION).scalar_subquery()
)
"""How many instances a decision skipped, in all partitions."""

UPGRADE_ID: BindParameter[int] = bindparam("of_upgrade", type_=Integer)
FIRST: BindParameter[int] = bindparam("first_last", type_=LONG)
LAST: BindParameter[int] = bindparam("last_last", type_=LONG)


def _is_taken(counting: FromClause) -> ColumnElement[bool]:
    last_key = counting.c.last_key
    return and_(counting.c.upgrade_id == UPGRADE_ID, last_key >= FIRST, last_key <= LAST)


TAKE_COUNTS = (
    update(upgrade)
    .where(upgrade.c.id == UPGRADE_ID)
    .values(
        {
            name: upgrade.c[name]
            + select(cast(func.coalesce(func.sum(partition.c[name]), 0), upgrade.c[name].type))
            .where(_is_taken(partition))
            .scalar_subquery()
            for name in COUNTS
        }
    )
)
TAKEN_SKIPS = (
    select(*(skip_count.c[name] for name in COHORT), func.sum(skip_count.c.instances).label("instances"))
    .where(_is_taken(skip_count))
    .group_by(*(skip_count.c[name] for name in COHORT))
    .subquery("taken")
)
TAKE_SKIPS = (
    update(decision)
    .where(*(decision.c[name] == TAKEN_SKIPS.c[name] for name in COHORT))
    .values(instances=decision.c.instances + TAKEN_SKIPS.c.instances)
)
DELETE_SKIPS = delete(skip_count).where(_is_taken(skip_count))


async def take_over(connection: Connection, upgrade_keys: UpgradeKeys, only: Partition | None = None) -> None:
    """Add what one or all of its partitions did to an upgrade and its decisions.

    The caller has locked the upgrade and then these partitions, and sets their tallies back or deletes them.
    """
    bound = {
        "of_upgrade": upgrade_keys.id,
        "first_last": 0 if only is None else only.last,
        "last_last": AFTER_ALL if only is None else only.last,
    }
    for statement in (TAKE_COUNTS, TAKE_SKIPS, DELETE_SKIPS):
        await connection.execute_later(statement, bound)


def tally_in(row: Any, names: Sequence[str] = COUNTS) -> Tally:
    """The tally in a row, in these columns."""
    return Tally(**{count: getattr(row, name) for count, name in zip(COUNTS, names, strict=True)})
