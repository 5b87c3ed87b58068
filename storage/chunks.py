"""How one chunk of an upgrade is recorded and moved: a few statements, however many instances it covers.

The chunk lies between two keys: ordinals of the given ids, or ids of instances for all active. Both
statements that find its instances repeat all conditions, within one transaction.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.cohort import CountedCohort
from domain.decision import CountedDecision, Verdict
from domain.instance import Status
from domain.ports import RecordedChunk
from domain.selection import SelectionKind
from domain.upgrade import Upgrade
from storage.decisions import ADD_DECISIONS, decision_rows
from storage.identities import Identities
from storage.instances import cohorts_of
from storage.opened import Opened
from storage.tables import IS_ACTIVE, decision, instance, outcome, selected

UPGRADE_ID: BindParameter[int] = bindparam("upgrade_id")
AFTER: BindParameter[int] = bindparam("after")
UPTO: BindParameter[int] = bindparam("upto")
OF_PROCESS: BindParameter[int] = bindparam("of_process")

NAMED_IN_CHUNK = select(selected.c.instance_id).where(
    selected.c.upgrade_id == UPGRADE_ID,
    selected.c.ordinal > AFTER,
    selected.c.ordinal <= UPTO,
    selected.c.instance_id.is_not(None),
)
LEFT_OUT_IN_CHUNK = select(selected.c.instance_id).where(
    selected.c.upgrade_id == UPGRADE_ID, selected.c.instance_id > AFTER, selected.c.instance_id <= UPTO
)
IN_CHUNK: dict[SelectionKind, ColumnElement[bool]] = {
    SelectionKind.BY_IDS: instance.c.id.in_(NAMED_IN_CHUNK),
    SelectionKind.ALL_ACTIVE: (
        (instance.c.process_id == OF_PROCESS)
        & IS_ACTIVE
        & (instance.c.id > AFTER)
        & (instance.c.id <= UPTO)
        & instance.c.id.not_in(LEFT_OUT_IN_CHUNK)
    ),
}
RECORDED_IN_CHUNK: dict[SelectionKind, ColumnElement[bool]] = {
    SelectionKind.BY_IDS: outcome.c.instance_id.in_(NAMED_IN_CHUNK),
    SelectionKind.ALL_ACTIVE: (outcome.c.instance_id > AFTER) & (outcome.c.instance_id <= UPTO),
}

NEXT_KEY = (
    select(instance.c.id)
    .where(instance.c.process_id == OF_PROCESS, IS_ACTIVE, instance.c.id > AFTER)
    .order_by(instance.c.id)
    .offset(bindparam("before_end"))
    .limit(1)
)


def _record(kind: SelectionKind) -> Any:
    found = select(
        UPGRADE_ID, instance.c.id, instance.c.version, instance.c.status, instance.c.position_id
    ).where(IN_CHUNK[kind])
    return insert(outcome).from_select(
        ["upgrade_id", "instance_id", "version", "status", "position_id"], found
    )


def _group(kind: SelectionKind) -> Select[Any]:
    cohort = (outcome.c.version, outcome.c.status, outcome.c.position_id)
    return (
        select(*cohort, func.count().label("instances"))
        .where(outcome.c.upgrade_id == UPGRADE_ID, RECORDED_IN_CHUNK[kind])
        .group_by(*cohort)
    )


def _move_in_place(kind: SelectionKind) -> Any:
    """The bulk of nearly every upgrade: the version changes, the position stays."""
    staying = select(decision.c.version, decision.c.position_id).where(
        decision.c.upgrade_id == UPGRADE_ID,
        decision.c.status == Status.PENDING,
        decision.c.to_position_id == decision.c.position_id,
    )
    return (
        update(instance)
        .where(
            IN_CHUNK[kind],
            instance.c.status == Status.PENDING,
            tuple_(instance.c.version, instance.c.position_id).in_(staying),
        )
        .values(version=bindparam("target"))
    )


def _move_elsewhere(kind: SelectionKind) -> Any:
    return (
        update(instance)
        .where(
            IN_CHUNK[kind],
            instance.c.status == Status.PENDING,
            decision.c.upgrade_id == UPGRADE_ID,
            decision.c.status == Status.PENDING,
            decision.c.version == instance.c.version,
            decision.c.position_id == instance.c.position_id,
            decision.c.to_position_id != decision.c.position_id,
        )
        .values(version=bindparam("target"), position_id=decision.c.to_position_id)
    )


RECORD = {kind: _record(kind) for kind in SelectionKind}
GROUP = {kind: _group(kind) for kind in SelectionKind}
MOVE_IN_PLACE = {kind: _move_in_place(kind) for kind in SelectionKind}
MOVE_ELSEWHERE = {kind: _move_elsewhere(kind) for kind in SelectionKind}


async def record_chunk(
    connection: AsyncConnection, identities: Identities, opened: Opened, running: Upgrade, size: int
) -> RecordedChunk:
    upto = await _end_of_chunk(connection, opened, running, size)
    bound = {"upgrade_id": opened.id, "of_process": opened.process_id, "after": running.cursor, "upto": upto}
    recorded = await connection.execute(RECORD[running.selection], bound)
    rows = (await connection.execute(GROUP[running.selection], bound)).all()
    cohorts = zip(rows, await cohorts_of(identities, rows), strict=True)
    is_by_ids = running.selection is SelectionKind.BY_IDS
    return RecordedChunk(
        cohorts=tuple(CountedCohort(cohort=cohort, count=row.instances) for row, cohort in cohorts),
        not_found=upto - running.cursor - recorded.rowcount if is_by_ids else 0,
        cursor=upto,
        is_last=upto >= opened.last_key,
    )


async def move(
    connection: AsyncConnection,
    identities: Identities,
    opened: Opened,
    running: Upgrade,
    chunk: RecordedChunk,
    decisions: Sequence[CountedDecision],
) -> int:
    if decisions:
        await connection.execute(ADD_DECISIONS, await decision_rows(identities, opened, decisions))
    moves = [one.decision for one in decisions if one.decision.verdict is Verdict.UPGRADE]
    bound = {
        "upgrade_id": opened.id,
        "of_process": opened.process_id,
        "after": running.cursor,
        "upto": chunk.cursor,
        "target": running.target_version,
    }
    moved = 0
    if any(one.to_position == one.cohort.position for one in moves):
        moved += (await connection.execute(MOVE_IN_PLACE[running.selection], bound)).rowcount
    if any(one.to_position != one.cohort.position for one in moves):
        moved += (await connection.execute(MOVE_ELSEWHERE[running.selection], bound)).rowcount
    return moved


async def _end_of_chunk(connection: AsyncConnection, opened: Opened, running: Upgrade, size: int) -> int:
    if running.selection is SelectionKind.BY_IDS:
        return min(running.cursor + size, opened.last_key)
    bound = {"of_process": opened.process_id, "after": running.cursor, "before_end": size - 1}
    found = (await connection.execute(NEXT_KEY, bound)).scalar_one_or_none()
    return opened.last_key if found is None else min(found, opened.last_key)
