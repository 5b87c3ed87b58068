"""Builds the statements on one chunk that both databases share.

A chunk lies between two keys: places in `selected` if the instances of the upgrade are listed there, and
instance ids otherwise. Each statement repeats all conditions that select its instances, because in PostgreSQL
other transactions may change them between two statements.
"""

from typing import Any

from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnElement,
    Insert,
    Integer,
    Select,
    Update,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.instance import Status
from uplift.domain.model.order import OrderState
from uplift.domain.model.selection import LISTED, SelectionKind
from uplift.storage.sql.tables import IS_ACTIVE, decision, instance, move_order, outcome, selected
from uplift.storage.statements.instances.conditions import MEETS_CONDITIONS
from uplift.storage.statements.links.orders import order_chunk
from uplift.storage.statements.outcomes.decisions import IS_DECISION_OF_OUTCOME, is_decision_of

UPGRADE_ID: BindParameter[int] = bindparam("upgrade_id", type_=Integer)
AFTER: BindParameter[int] = bindparam("after")
UPTO: BindParameter[int] = bindparam("upto")
OF_PROCESS: BindParameter[int] = bindparam("of_process")
OF_UPGRADE: BindParameter[int] = bindparam("of_upgrade")
TARGET: BindParameter[int] = bindparam("target")
RECORDED = ["upgrade_id", "instance_id", "version", "status", "position_id"]

earlier = outcome.alias("earlier")
earlier_decision = decision.alias("earlier_decision")
NAMED_IN_CHUNK = select(selected.c.instance_id).where(
    selected.c.upgrade_id == UPGRADE_ID,
    selected.c.place > AFTER,
    selected.c.place <= UPTO,
    selected.c.instance_id.is_not(None),
)
EXCLUDED_IN_CHUNK = select(selected.c.instance_id).where(
    selected.c.upgrade_id == UPGRADE_ID, selected.c.place > AFTER, selected.c.place <= UPTO
)


def _earlier_in_chunk(matches: ColumnElement[bool]) -> Select[Any]:
    """The instances of the chunk whose outcome of the earlier upgrade matches."""
    return (
        select(earlier.c.instance_id)
        .join(earlier_decision, is_decision_of(earlier_decision, earlier))
        .where(
            earlier.c.upgrade_id == OF_UPGRADE,
            earlier.c.instance_id > AFTER,
            earlier.c.instance_id <= UPTO,
            matches,
        )
    )


def has_order(state: OrderState, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether the order of the earlier outcome is in a state and meets conditions."""
    return (
        select(move_order.c.upgrade_id)
        .where(
            move_order.c.upgrade_id == earlier.c.upgrade_id,
            move_order.c.instance_id == earlier.c.instance_id,
            move_order.c.state == state,
            *conditions,
        )
        .exists()
    )


# The parameter spares other upgrades a look for orders: both databases test it before the subquery.
HAS_ORDERS = bindparam("has_orders", type_=Boolean)
IS_RETRIED = or_(*(earlier_decision.c.codes.contains(bindparam(f"retried_{code}")) for code in ReasonCode))
IS_REFUSAL_RETRIED = or_(*(move_order.c.code == bindparam(f"refused_{code}") for code in ReasonCode))
RETRIED_IN_CHUNK = _earlier_in_chunk(
    IS_RETRIED | (HAS_ORDERS & has_order(OrderState.REFUSED, IS_REFUSAL_RETRIED))
)
UNDONE_IN_CHUNK = _earlier_in_chunk(
    earlier_decision.c.to_position_id.is_not(None) & (~HAS_ORDERS | has_order(OrderState.CONFIRMED))
)
IS_IN_RANGE = (instance.c.id > AFTER) & (instance.c.id <= UPTO)
IS_NOT_EXCLUDED = instance.c.id.not_in(EXCLUDED_IN_CHUNK)
ACTIVE_IN_CHUNK = (instance.c.process_id == OF_PROCESS) & IS_ACTIVE & IS_IN_RANGE & IS_NOT_EXCLUDED
IN_CHUNK: dict[SelectionKind, ColumnElement[bool]] = {
    SelectionKind.BY_IDS: instance.c.id.in_(NAMED_IN_CHUNK),
    SelectionKind.FIRST_MATCHING: instance.c.id.in_(NAMED_IN_CHUNK),
    SelectionKind.ALL_ACTIVE: ACTIVE_IN_CHUNK,
    SelectionKind.MATCHING: ACTIVE_IN_CHUNK & MEETS_CONDITIONS,
    SelectionKind.RETRY: instance.c.id.in_(RETRIED_IN_CHUNK),
    SelectionKind.UNDO: instance.c.id.in_(UNDONE_IN_CHUNK),
}


def recorded_in_chunk(kind: SelectionKind) -> ColumnElement[bool]:
    """Whether an outcome was recorded in the chunk."""
    covered = (
        outcome.c.instance_id.in_(NAMED_IN_CHUNK)
        if kind in LISTED
        else (outcome.c.instance_id > AFTER) & (outcome.c.instance_id <= UPTO)
    )
    return (outcome.c.upgrade_id == UPGRADE_ID) & covered


def next_key(key: ColumnElement[int], walked: Select[Any]) -> Select[Any]:
    """The key at which a chunk ends, after `before_end` others along a walk; none if fewer remain."""
    return walked.order_by(key).offset(bindparam("before_end")).limit(1)


NEXT_ACTIVE = next_key(
    instance.c.id,
    select(instance.c.id).where(
        instance.c.process_id == OF_PROCESS,
        IS_ACTIVE,
        instance.c.id > AFTER,
        instance.c.id <= UPTO,
    ),
)
NEXT_EARLIER = next_key(
    earlier.c.instance_id,
    select(earlier.c.instance_id).where(
        earlier.c.upgrade_id == OF_UPGRADE,
        earlier.c.instance_id > AFTER,
        earlier.c.instance_id <= UPTO,
    ),
)
# A chunk has the active instances or the earlier outcomes that it reads, selected or not. A chunk of so many
# selected ones, where few are selected, would read for seconds while it holds the write lock of SQLite. And
# PostgreSQL would read all that remain for each chunk, because it sorts what it joins.
NEXT_KEY = {
    SelectionKind.ALL_ACTIVE: NEXT_ACTIVE,
    SelectionKind.MATCHING: NEXT_ACTIVE,
    SelectionKind.RETRY: NEXT_EARLIER,
    SelectionKind.UNDO: NEXT_EARLIER,
}


def cohort_columns(kind: SelectionKind) -> tuple[ColumnElement[Any], ...]:
    """The columns of a cohort. Only an undo has origins; grouping others by them would cost time."""
    own = (outcome.c.version, outcome.c.status, outcome.c.position_id)
    origin = (outcome.c.origin_version, outcome.c.origin_position_id)
    return (*own, *origin) if kind is SelectionKind.UNDO else own


def recordable(in_chunk: ColumnElement[bool], *, nowait: bool = False) -> Select[Any]:
    """Selects and locks the instances of the chunk, as outcomes to record, in the order of their ids."""
    # FOR NO KEY UPDATE, the lock that the later UPDATE takes too; SQLite has no row locks and omits it.
    return (
        select(UPGRADE_ID, instance.c.id, instance.c.version, instance.c.status, instance.c.position_id)
        .where(in_chunk)
        .order_by(instance.c.id)
        .with_for_update(of=instance, key_share=True, nowait=nowait)
    )


def record(in_chunk: ColumnElement[bool]) -> Insert:
    """Locks and records the instances of the chunk."""
    return insert(outcome).from_select(RECORDED, recordable(in_chunk))


def _record_with_origin() -> Insert:
    found = recordable(IN_CHUNK[SelectionKind.UNDO])
    with_origin = found.add_columns(earlier.c.version, earlier.c.position_id).join(
        earlier, (earlier.c.upgrade_id == OF_UPGRADE) & (earlier.c.instance_id == instance.c.id)
    )
    return insert(outcome).from_select([*RECORDED, "origin_version", "origin_position_id"], with_origin)


def _recorded_cohorts(kind: SelectionKind) -> Select[Any]:
    """Count the recorded instances of the chunk by cohort."""
    cohort = cohort_columns(kind)
    return select(*cohort, func.count().label("instances")).where(recorded_in_chunk(kind)).group_by(*cohort)


def _unmoved(kind: SelectionKind) -> Select[Any]:
    """Count, by cohort, the recorded instances that still have their version, and so have not moved."""
    return (
        _recorded_cohorts(kind)
        .join_from(outcome, instance, instance.c.id == outcome.c.instance_id)
        .where(instance.c.version == outcome.c.version)
    )


def _move_back() -> Update:
    """Move each instance of an undo to its own origin."""
    return (
        update(instance)
        .where(
            IN_CHUNK[SelectionKind.UNDO],
            outcome.c.upgrade_id == UPGRADE_ID,
            outcome.c.instance_id == instance.c.id,
            IS_DECISION_OF_OUTCOME,
            decision.c.to_position_id.is_not(None),
            instance.c.status == Status.PENDING,
            instance.c.version == outcome.c.version,
            instance.c.position_id == outcome.c.position_id,
        )
        .values(version=decision.c.to_version, position_id=decision.c.to_position_id)
    )


ALONG_ACTIVE = (SelectionKind.ALL_ACTIVE, SelectionKind.MATCHING)
"""The kinds whose instances are the active ones between two ids."""
FORWARD: tuple[SelectionKind, ...] = tuple(kind for kind in SelectionKind if kind is not SelectionKind.UNDO)
"""The kinds that move instances to the target version."""
RECORD = {
    **{kind: record(IN_CHUNK[kind]) for kind in FORWARD},
    SelectionKind.UNDO: _record_with_origin(),
}
RECORDED_COHORTS = {kind: _recorded_cohorts(kind) for kind in SelectionKind}
UNMOVED = {kind: _unmoved(kind) for kind in SelectionKind}
MOVE_BACK = _move_back()
ORDER = {kind: order_chunk(recorded_in_chunk(kind)) for kind in SelectionKind}
