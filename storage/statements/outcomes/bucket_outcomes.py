"""Builds the statements that list outcomes over all buckets, and adds decisions, which lie elsewhere."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    bindparam,
    literal,
    or_,
    select,
    tuple_,
    type_coerce,
)

from uplift.storage.sql.bucket_tables import instance, outcome, partition, selected
from uplift.storage.sql.cohort_list import COHORT, bind_cohorts, cohorts_in
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import decision

COHORT_COLUMNS = (
    outcome.c.version,
    type_coerce(outcome.c.status, Integer).label("status_code"),
    outcome.c.position_id,
    outcome.c.origin_version,
    outcome.c.origin_position_id,
)
NO_ORDER: Final = {"order_state": None, "order_code": None, "order_message": None}
IS_SHOWN = tuple_(*(outcome.c[name] for name in COHORT)).in_(cohorts_in("cohorts"))
IS_PROCESSED = ~(
    select(literal(1))
    .where(
        partition.c.bucket == selected.c.bucket,
        partition.c.upgrade_id == selected.c.upgrade_id,
        partition.c.cursor < selected.c.place,
        partition.c.last_key >= selected.c.place,
    )
    .exists()
)
"""No remaining partition covers the id, so it has an outcome, whether or not an instance has this id."""
DECIDED = select(
    decision.c.to_version,
    decision.c.to_position_id,
    decision.c.reasons,
    *(decision.c[name] for name in COHORT if name != "status"),
    type_coerce(decision.c.status, Integer).label("status_code"),
).where(tuple_(*(decision.c[name] for name in COHORT)).in_(cohorts_in("cohorts")))


def along_ids(place: int, *, is_filtered: bool, not_found: bool) -> tuple[Select[Any], ColumnElement[int]]:
    """Lists the outcomes of an upgrade whose instances are listed, and the key that orders them."""
    is_recorded = (
        (outcome.c.bucket == selected.c.bucket)
        & (outcome.c.upgrade_id == selected.c.upgrade_id)
        & (outcome.c.instance_id == selected.c.instance_id)
    )
    found: FromClause = selected.outerjoin(outcome, is_recorded)
    listing = (
        select(selected.c.upgrade_id, selected.c.ordinal.label("key"), selected.c.uuid, *COHORT_COLUMNS)
        .select_from(found)
        .where(selected.c.upgrade_id == bindparam(f"upgrade_{place}"), IS_PROCESSED)
    )
    if is_filtered:
        is_absent = outcome.c.instance_id.is_(None)
        listing = listing.where(or_(IS_SHOWN, is_absent) if not_found else IS_SHOWN)
    return listing, selected.c.ordinal


def along_instances(place: int, *, is_filtered: bool) -> tuple[Select[Any], ColumnElement[int]]:
    """Lists the outcomes of any other upgrade, and the key that orders them."""
    walked = select(outcome.c.bucket, outcome.c.upgrade_id, outcome.c.instance_id, *COHORT_COLUMNS).where(
        outcome.c.upgrade_id == bindparam(f"upgrade_{place}")
    )
    return (walked.where(IS_SHOWN) if is_filtered else walked), outcome.c.instance_id


def with_ids(walked: Select[Any]) -> Select[Any]:
    """The outcomes of a page of `along_instances`, with the ids of their instances."""
    shown = walked.subquery("shown")
    columns = (shown.c[name] for name in ("version", "status_code", "position_id", *COHORT[-2:]))
    return select(shown.c.upgrade_id, shown.c.instance_id.label("key"), instance.c.uuid, *columns).join_from(
        shown, instance, (instance.c.bucket == shown.c.bucket) & (instance.c.id == shown.c.instance_id)
    )


async def with_decisions(connection: Connection, rows: Sequence[Any]) -> list[Any]:
    """The rows of a list of outcomes, with what was decided on their cohorts."""
    cohorts = {_cohort_of(row) for row in rows if row.version is not None}
    decided = {}
    if cohorts:
        found = await connection.execute(DECIDED, {"cohorts": bind_cohorts(sorted(cohorts))})
        decided = {_cohort_of(row): row for row in found}
    listed = []
    for row in rows:
        by = decided.get(_cohort_of(row))
        names = ("to_version", "to_position_id", "reasons")
        result = {name: getattr(by, name, None) for name in names}
        listed.append(SimpleNamespace(**row._asdict(), **result, **NO_ORDER))
    return listed


def _cohort_of(row: Any) -> tuple[int, ...]:
    own = (row.upgrade_id, row.version, row.status_code, row.position_id)
    return (*own, row.origin_version, row.origin_position_id)
