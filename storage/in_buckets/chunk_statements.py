"""Builds the statements on one chunk within a bucket. Each names that bucket alone.

They are those of PostgreSQL, with decisions as arrays, since decisions lie on the coordinator.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Insert,
    Select,
    Update,
    func,
    insert,
    literal_column,
    select,
    tuple_,
    update,
)

from uplift.domain.model.instance import Status
from uplift.domain.model.selection import LISTED, SelectionKind
from uplift.storage.chunks.postgres import MOVES
from uplift.storage.chunks.statements import (
    AFTER,
    FORWARD,
    OF_PROCESS,
    OF_UPGRADE,
    RECORDED,
    TARGET,
    UPGRADE_ID,
    UPTO,
    next_key,
)
from uplift.storage.sql.bucket_tables import BUCKET, IS_ACTIVE, instance, outcome, selected
from uplift.storage.sql.dialect import unnest_rows
from uplift.storage.sql.tables import decision
from uplift.storage.statements.instances.conditions import meets_conditions

COHORT_OF_OUTCOME = ("version", "status", "position_id", "origin_version", "origin_position_id")
MOVE_OF_COHORT = (*COHORT_OF_OUTCOME, "to_version", "to_position_id")

earlier = outcome.alias("earlier")
EARLIER_COHORTS = unnest_rows(decision, {name: f"earlier_{name}" for name in COHORT_OF_OUTCOME})
"""The cohorts of the earlier upgrade whose instances a retry or an undo processes."""
MOVES_BACK = unnest_rows(decision, {name: f"back_{name}" for name in MOVE_OF_COHORT})
"""The decisions of an undo that move, each for instances of one origin."""
IN_PLACES = (
    selected.c.bucket == BUCKET,
    selected.c.upgrade_id == UPGRADE_ID,
    selected.c.place > AFTER,
    selected.c.place <= UPTO,
)
NAMED_IN_CHUNK = select(selected.c.instance_id).where(*IN_PLACES, selected.c.instance_id.is_not(None))
EXCLUDED_IN_CHUNK = select(selected.c.instance_id).where(*IN_PLACES)
IN_EARLIER_RANGE = (
    earlier.c.bucket == BUCKET,
    earlier.c.upgrade_id == OF_UPGRADE,
    earlier.c.instance_id > AFTER,
    earlier.c.instance_id <= UPTO,
)
EARLIER_IN_CHUNK = select(earlier.c.instance_id).where(
    *IN_EARLIER_RANGE,
    tuple_(*(earlier.c[name] for name in COHORT_OF_OUTCOME)).in_(
        select(*(EARLIER_COHORTS.c[name] for name in COHORT_OF_OUTCOME))
    ),
)
ACTIVE = (
    instance.c.bucket == BUCKET,
    instance.c.process_id == OF_PROCESS,
    IS_ACTIVE,
    instance.c.id > AFTER,
    instance.c.id <= UPTO,
)


def _in_chunk(kind: SelectionKind) -> list[ColumnElement[bool]]:
    is_here = instance.c.bucket == BUCKET
    if kind in LISTED:
        return [is_here, instance.c.id.in_(NAMED_IN_CHUNK)]
    if kind in (SelectionKind.RETRY, SelectionKind.UNDO):
        return [is_here, instance.c.id.in_(EARLIER_IN_CHUNK)]
    conditions = [*ACTIVE, instance.c.id.not_in(EXCLUDED_IN_CHUNK)]
    return [*conditions, meets_conditions(instance)] if kind is SelectionKind.MATCHING else conditions


def _recorded_in_chunk(kind: SelectionKind) -> list[ColumnElement[bool]]:
    of_upgrade = [outcome.c.bucket == BUCKET, outcome.c.upgrade_id == UPGRADE_ID]
    if kind in LISTED:
        return [*of_upgrade, outcome.c.instance_id.in_(NAMED_IN_CHUNK)]
    return [*of_upgrade, outcome.c.instance_id > AFTER, outcome.c.instance_id <= UPTO]


def _cohort(kind: SelectionKind) -> tuple[ColumnElement[Any], ...]:
    names = COHORT_OF_OUTCOME if kind is SelectionKind.UNDO else COHORT_OF_OUTCOME[:3]
    return tuple(outcome.c[name] for name in names)


def _record(kind: SelectionKind) -> Insert:
    # The bucket comes from the instance: with a constant in its place Citus would send the rows through the
    # coordinator.
    found = (
        select(
            UPGRADE_ID,
            instance.c.id,
            instance.c.version,
            instance.c.status,
            instance.c.position_id,
            instance.c.bucket,
        )
        .where(*_in_chunk(kind))
        .order_by(instance.c.id)
        .with_for_update(of=instance, key_share=True)
    )
    names = [*RECORDED, "bucket", "origin_version", "origin_position_id"]
    if kind is not SelectionKind.UNDO:
        none: ColumnElement[int] = literal_column("0")
        return insert(outcome).from_select(names, found.add_columns(none, none), include_defaults=False)
    is_earlier = (
        (earlier.c.bucket == instance.c.bucket)
        & (earlier.c.upgrade_id == OF_UPGRADE)
        & (earlier.c.instance_id == instance.c.id)
    )
    with_origin = found.add_columns(earlier.c.version, earlier.c.position_id).join(earlier, is_earlier)
    return insert(outcome).from_select(names, with_origin, include_defaults=False)


def _recorded_cohorts(kind: SelectionKind) -> Select[Any]:
    cohort = _cohort(kind)
    counted = select(*cohort, func.count().label("instances"))
    return counted.where(*_recorded_in_chunk(kind)).group_by(*cohort)


def _unmoved(kind: SelectionKind) -> Select[Any]:
    """Count, by cohort, the recorded instances that still have their version, and so have not moved."""
    is_same = (instance.c.bucket == outcome.c.bucket) & (instance.c.id == outcome.c.instance_id)
    return (
        _recorded_cohorts(kind)
        .join_from(outcome, instance, is_same)
        .where(instance.c.bucket == BUCKET, instance.c.version == outcome.c.version)
    )


def _is_where_recorded(kind: SelectionKind) -> list[ColumnElement[bool]]:
    return [
        *_recorded_in_chunk(kind),
        instance.c.bucket == BUCKET,
        instance.c.id == outcome.c.instance_id,
        instance.c.status == Status.PENDING,
        instance.c.version == outcome.c.version,
        instance.c.position_id == outcome.c.position_id,
    ]


def _move_recorded(kind: SelectionKind) -> Update:
    """Move the recorded instances of the chunk, which are locked, and no others."""
    is_moving = (outcome.c.version == MOVES.c.version) & (outcome.c.position_id == MOVES.c.position_id)
    moved = update(instance).where(*_is_where_recorded(kind), is_moving)
    return moved.values(version=TARGET, position_id=MOVES.c.to_position_id)


MOVE_BACK = (
    update(instance)
    .where(
        *_is_where_recorded(SelectionKind.UNDO),
        *(outcome.c[name] == MOVES_BACK.c[name] for name in COHORT_OF_OUTCOME),
    )
    .values(version=MOVES_BACK.c.to_version, position_id=MOVES_BACK.c.to_position_id)
)
"""Moves each instance of an undo to its own origin."""
NEXT_ACTIVE = next_key(instance.c.id, select(instance.c.id).where(*ACTIVE))
NEXT_EARLIER = next_key(earlier.c.instance_id, select(earlier.c.instance_id).where(*IN_EARLIER_RANGE))
NEXT_KEY = {
    SelectionKind.ALL_ACTIVE: NEXT_ACTIVE,
    SelectionKind.MATCHING: NEXT_ACTIVE,
    SelectionKind.RETRY: NEXT_EARLIER,
    SelectionKind.UNDO: NEXT_EARLIER,
}
RECORD = {kind: _record(kind) for kind in SelectionKind}
RECORDED_COHORTS = {kind: _recorded_cohorts(kind) for kind in SelectionKind}
UNMOVED = {kind: _unmoved(kind) for kind in SelectionKind}
MOVE_RECORDED = {kind: _move_recorded(kind) for kind in FORWARD}
