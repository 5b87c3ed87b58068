"""How one chunk of an upgrade is recorded and moved: a few statements, however many instances it covers.

The chunk lies between two keys: places of the given ids, or else ids of instances. All statements that find
its instances repeat all conditions, within one transaction; what is recorded is locked until it ends, so that
it cannot change before it is moved, and nothing else is moved.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Insert,
    Integer,
    Select,
    Update,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from domain.cohort import CountedCohort
from domain.decision import Decision, ReasonCode
from domain.instance import Status
from domain.ports import RecordedChunk
from domain.selection import SelectionKind
from domain.upgrade import Upgrade
from storage.cohorts import cohorts_of, undo_cohorts_of
from storage.connection import Connection
from storage.decisions import ITS_DECISION, stored_code
from storage.identities import Identities
from storage.opened import Opened
from storage.tables import IS_ACTIVE, decision, instance, outcome, selected

UPGRADE_ID: BindParameter[int] = bindparam("upgrade_id", type_=Integer)
AFTER: BindParameter[int] = bindparam("after")
UPTO: BindParameter[int] = bindparam("upto")
OF_PROCESS: BindParameter[int] = bindparam("of_process")
OF_UPGRADE: BindParameter[int] = bindparam("of_upgrade")
NO_CODE = "-"
"""Stands for a reason that a retry does not take up: no stored code contains it."""

earlier = outcome.alias("earlier")
earlier_decision = decision.alias("earlier_decision")
ITS_EARLIER_DECISION = and_(
    earlier_decision.c.upgrade_id == earlier.c.upgrade_id,
    earlier_decision.c.version == earlier.c.version,
    earlier_decision.c.status == earlier.c.status,
    earlier_decision.c.position_id == earlier.c.position_id,
    earlier_decision.c.origin_version == earlier.c.origin_version,
    earlier_decision.c.origin_position_id == earlier.c.origin_position_id,
)

NAMED_IN_CHUNK = select(selected.c.instance_id).where(
    selected.c.upgrade_id == UPGRADE_ID,
    selected.c.place > AFTER,
    selected.c.place <= UPTO,
    selected.c.instance_id.is_not(None),
)
LEFT_OUT_IN_CHUNK = select(selected.c.instance_id).where(
    selected.c.upgrade_id == UPGRADE_ID, selected.c.place > AFTER, selected.c.place <= UPTO
)


def _earlier_in_chunk(matches: ColumnElement[bool]) -> Select[Any]:
    """The instances with such an outcome of the earlier upgrade, along the instances."""
    return (
        select(earlier.c.instance_id)
        .join(earlier_decision, ITS_EARLIER_DECISION)
        .where(
            earlier.c.upgrade_id == OF_UPGRADE,
            earlier.c.instance_id > AFTER,
            earlier.c.instance_id <= UPTO,
            matches,
        )
    )


RETRIED_IN_CHUNK = _earlier_in_chunk(
    or_(*(earlier_decision.c.codes.contains(bindparam(f"retried_{code}")) for code in ReasonCode))
)
UNDONE_IN_CHUNK = _earlier_in_chunk(earlier_decision.c.to_position_id.is_not(None))
IN_CHUNK: dict[SelectionKind, ColumnElement[bool]] = {
    SelectionKind.BY_IDS: instance.c.id.in_(NAMED_IN_CHUNK),
    SelectionKind.ALL_ACTIVE: (
        (instance.c.process_id == OF_PROCESS)
        & IS_ACTIVE
        & (instance.c.id > AFTER)
        & (instance.c.id <= UPTO)
        & instance.c.id.not_in(LEFT_OUT_IN_CHUNK)
    ),
    SelectionKind.RETRY: instance.c.id.in_(RETRIED_IN_CHUNK),
    SelectionKind.UNDO: instance.c.id.in_(UNDONE_IN_CHUNK),
}


def _recorded_in_chunk(kind: SelectionKind) -> ColumnElement[bool]:
    covered = (
        outcome.c.instance_id.in_(NAMED_IN_CHUNK)
        if kind is SelectionKind.BY_IDS
        else (outcome.c.instance_id > AFTER) & (outcome.c.instance_id <= UPTO)
    )
    return (outcome.c.upgrade_id == UPGRADE_ID) & covered


def _next_key(key: ColumnElement[int], walked: Select[Any]) -> Select[Any]:
    return walked.order_by(key).offset(bindparam("before_end")).limit(1)


NEXT_KEY = {
    SelectionKind.ALL_ACTIVE: _next_key(
        instance.c.id,
        select(instance.c.id).where(
            instance.c.process_id == OF_PROCESS,
            IS_ACTIVE,
            instance.c.id > AFTER,
            instance.c.id <= UPTO,
        ),
    ),
    SelectionKind.RETRY: _next_key(earlier.c.instance_id, RETRIED_IN_CHUNK),
    SelectionKind.UNDO: _next_key(earlier.c.instance_id, UNDONE_IN_CHUNK),
}


def _cohort_columns(kind: SelectionKind) -> tuple[ColumnElement[Any], ...]:
    """What tells cohorts apart: sorting by origins where there are none would only cost time."""
    own = (outcome.c.version, outcome.c.status, outcome.c.position_id)
    origin = (outcome.c.origin_version, outcome.c.origin_position_id)
    return (*own, *origin) if kind is SelectionKind.UNDO else own


def _record(kind: SelectionKind) -> Insert:
    columns = ["upgrade_id", "instance_id", "version", "status", "position_id"]
    found = (
        select(UPGRADE_ID, instance.c.id, instance.c.version, instance.c.status, instance.c.position_id)
        .where(IN_CHUNK[kind])
        .order_by(instance.c.id)
        .with_for_update(of=instance, key_share=True)
    )
    if kind is not SelectionKind.UNDO:
        return insert(outcome).from_select(columns, found)
    with_origin = found.add_columns(earlier.c.version, earlier.c.position_id).join(
        earlier, (earlier.c.upgrade_id == OF_UPGRADE) & (earlier.c.instance_id == instance.c.id)
    )
    return insert(outcome).from_select([*columns, "origin_version", "origin_position_id"], with_origin)


def _unmoved(kind: SelectionKind) -> Select[Any]:
    """Only what no decision moves is counted by cohort: sorting the others too would cost a third more."""
    cohort = _cohort_columns(kind)
    moving = select(*(decision.c[str(column.key)] for column in cohort)).where(
        decision.c.upgrade_id == UPGRADE_ID, decision.c.to_position_id.is_not(None)
    )
    return (
        select(*cohort, func.count().label("instances"))
        .where(_recorded_in_chunk(kind), tuple_(*cohort).not_in(moving))
        .group_by(*cohort)
    )


def _moving(kind: SelectionKind, *, alone: bool) -> ColumnElement[bool]:
    """The instances that were recorded, found again.

    Who does not write alone may meet others: instances that became active, or were registered, between two
    statements. Ids and the outcomes of an earlier upgrade stay the same.
    """
    if alone or kind is not SelectionKind.ALL_ACTIVE:
        return IN_CHUNK[kind]
    return instance.c.id.in_(select(outcome.c.instance_id).where(_recorded_in_chunk(kind)))


def _move_in_place(kind: SelectionKind, *, alone: bool) -> Update:
    """The bulk of nearly every upgrade: the version changes, the position stays."""
    staying = select(decision.c.version, decision.c.position_id).where(
        decision.c.upgrade_id == UPGRADE_ID,
        decision.c.status == Status.PENDING,
        decision.c.to_position_id == decision.c.position_id,
    )
    return (
        update(instance)
        .where(
            _moving(kind, alone=alone),
            instance.c.status == Status.PENDING,
            tuple_(instance.c.version, instance.c.position_id).in_(staying),
        )
        .values(version=bindparam("target"))
    )


def _move_elsewhere(kind: SelectionKind, *, alone: bool) -> Update:
    return (
        update(instance)
        .where(
            _moving(kind, alone=alone),
            instance.c.status == Status.PENDING,
            decision.c.upgrade_id == UPGRADE_ID,
            decision.c.status == Status.PENDING,
            decision.c.version == instance.c.version,
            decision.c.position_id == instance.c.position_id,
            decision.c.to_position_id != decision.c.position_id,
        )
        .values(version=bindparam("target"), position_id=decision.c.to_position_id)
    )


def _move_back() -> Update:
    """An undo: each instance goes where its own origin says."""
    return (
        update(instance)
        .where(
            IN_CHUNK[SelectionKind.UNDO],
            outcome.c.upgrade_id == UPGRADE_ID,
            outcome.c.instance_id == instance.c.id,
            ITS_DECISION,
            decision.c.to_position_id.is_not(None),
            instance.c.status == Status.PENDING,
            instance.c.version == outcome.c.version,
            instance.c.position_id == outcome.c.position_id,
        )
        .values(version=decision.c.to_version, position_id=decision.c.to_position_id)
    )


FORWARD = tuple(kind for kind in SelectionKind if kind is not SelectionKind.UNDO)
RECORD = {kind: _record(kind) for kind in SelectionKind}
UNMOVED = {kind: _unmoved(kind) for kind in SelectionKind}
MOVE_IN_PLACE: dict[tuple[SelectionKind, bool], Update] = {
    (kind, alone): _move_in_place(kind, alone=alone) for kind in FORWARD for alone in (False, True)
}
MOVE_ELSEWHERE: dict[tuple[SelectionKind, bool], Update] = {
    (kind, alone): _move_elsewhere(kind, alone=alone) for kind in FORWARD for alone in (False, True)
}
MOVE_BACK = _move_back()


async def record_chunk(connection: Connection, opened: Opened, running: Upgrade, size: int) -> RecordedChunk:
    upto = await _end_of_chunk(connection, opened, running, size)
    bound = _bound(opened, running, upto)
    recorded = (await connection.execute(RECORD[running.selection], bound)).rowcount
    is_by_ids = running.selection is SelectionKind.BY_IDS
    return RecordedChunk(
        recorded=recorded,
        not_found=upto - running.cursor - recorded if is_by_ids else 0,
        cursor=upto,
        is_last=upto >= opened.last_key,
    )


async def move(
    connection: Connection,
    opened: Opened,
    running: Upgrade,
    chunk: RecordedChunk,
    decisions: Collection[Decision],
) -> int:
    kind, bound = running.selection, _bound(opened, running, chunk.cursor)
    which = (kind, connection.dialect.name == "sqlite")
    statements = []
    if kind is SelectionKind.UNDO:
        statements += [MOVE_BACK] if decisions else []
    else:
        if any(one.to_position == one.cohort.position for one in decisions):
            statements.append(MOVE_IN_PLACE[which])
        if any(one.to_position != one.cohort.position for one in decisions):
            statements.append(MOVE_ELSEWHERE[which])
    moved = 0
    for statement in statements:
        moved += (await connection.execute(statement, bound)).rowcount
    return moved


async def unmoved(
    connection: Connection, identities: Identities, opened: Opened, running: Upgrade, chunk: RecordedChunk
) -> tuple[CountedCohort, ...]:
    bound = _bound(opened, running, chunk.cursor)
    rows = (await connection.execute(UNMOVED[running.selection], bound)).all()
    cohorts = (
        await undo_cohorts_of(connection, identities, opened, rows)
        if running.selection is SelectionKind.UNDO
        else await cohorts_of(identities, rows)
    )
    return tuple(
        CountedCohort(cohort=cohort, count=row.instances) for cohort, row in zip(cohorts, rows, strict=True)
    )


def _bound(opened: Opened, running: Upgrade, upto: int) -> dict[str, Any]:
    bound: dict[str, Any] = {
        "upgrade_id": opened.id,
        "of_process": opened.process_id,
        "of_upgrade": opened.of_upgrade_id,
        "after": running.cursor,
        "upto": upto,
        "target": running.target_version,
    }
    if running.selection is SelectionKind.RETRY:
        for code in ReasonCode:
            bound[f"retried_{code}"] = stored_code(code) if code in running.retried else NO_CODE
    return bound


async def _end_of_chunk(connection: Connection, opened: Opened, running: Upgrade, size: int) -> int:
    if running.selection is SelectionKind.BY_IDS:
        return min(running.cursor + size, opened.last_key)
    bound = {**_bound(opened, running, opened.last_key), "before_end": size - 1}
    found: int | None = (await connection.execute(NEXT_KEY[running.selection], bound)).scalar_one_or_none()
    return opened.last_key if found is None else found
