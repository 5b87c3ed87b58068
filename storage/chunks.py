"""How one chunk of an upgrade is recorded and moved: a few statements, however many instances it covers.

The chunk lies between two keys: ordinals of the given ids, or ids of instances for all active. Both
statements that find its instances repeat all conditions, within one transaction.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.decision import CountedDecision, Decision, Verdict
from domain.instance import Status
from domain.ports import CarriedOut, RecordedChunk
from domain.selection import SelectionKind
from domain.upgrade import Upgrade
from storage.decisions import add_counts, add_decisions
from storage.identities import Identities
from storage.instances import cohorts_of
from storage.opened import Opened
from storage.tables import IS_ACTIVE, decision, instance, outcome, selected

UPGRADE_ID: BindParameter[int] = bindparam("upgrade_id")
AFTER: BindParameter[int] = bindparam("after")
UPTO: BindParameter[int] = bindparam("upto")
OF_PROCESS: BindParameter[int] = bindparam("of_process")

COHORT = (outcome.c.version, outcome.c.status, outcome.c.position_id)
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
    .where(
        instance.c.process_id == OF_PROCESS,
        IS_ACTIVE,
        instance.c.id > AFTER,
        instance.c.id <= UPTO,
    )
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


def _cohorts(kind: SelectionKind) -> Select[Any]:
    return select(*COHORT).where(outcome.c.upgrade_id == UPGRADE_ID, RECORDED_IN_CHUNK[kind]).distinct()


def _count_skipped(kind: SelectionKind) -> Select[Any]:
    """Only what is skipped is counted by cohort: sorting the moved ones too would cost a third more."""
    skipping = select(decision.c.version, decision.c.status, decision.c.position_id).where(
        decision.c.upgrade_id == UPGRADE_ID, decision.c.to_position_id.is_(None)
    )
    return (
        select(*COHORT, func.count().label("instances"))
        .where(outcome.c.upgrade_id == UPGRADE_ID, RECORDED_IN_CHUNK[kind], tuple_(*COHORT).in_(skipping))
        .group_by(*COHORT)
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
COHORTS = {kind: _cohorts(kind) for kind in SelectionKind}
COUNT_SKIPPED = {kind: _count_skipped(kind) for kind in SelectionKind}
MOVE_IN_PLACE = {kind: _move_in_place(kind) for kind in SelectionKind}
MOVE_ELSEWHERE = {kind: _move_elsewhere(kind) for kind in SelectionKind}


async def record_chunk(
    connection: AsyncConnection, identities: Identities, opened: Opened, running: Upgrade, size: int
) -> RecordedChunk:
    upto = await _end_of_chunk(connection, opened, running, size)
    bound = _bound(opened, running, upto)
    recorded = (await connection.execute(RECORD[running.selection], bound)).rowcount
    rows = (await connection.execute(COHORTS[running.selection], bound)).all()
    is_by_ids = running.selection is SelectionKind.BY_IDS
    return RecordedChunk(
        cohorts=tuple(await cohorts_of(identities, rows)),
        recorded=recorded,
        not_found=upto - running.cursor - recorded if is_by_ids else 0,
        cursor=upto,
        is_last=upto >= opened.last_key,
    )


async def carry_out(
    connection: AsyncConnection,
    identities: Identities,
    opened: Opened,
    running: Upgrade,
    chunk: RecordedChunk,
    decisions: Sequence[Decision],
) -> CarriedOut:
    bound = _bound(opened, running, chunk.cursor)
    await add_decisions(connection, identities, opened, decisions)
    moves = [one for one in decisions if one.verdict is Verdict.UPGRADE]
    moved = 0
    if any(one.to_position == one.cohort.position for one in moves):
        moved += (await connection.execute(MOVE_IN_PLACE[running.selection], bound)).rowcount
    if any(one.to_position != one.cohort.position for one in moves):
        moved += (await connection.execute(MOVE_ELSEWHERE[running.selection], bound)).rowcount
    if len(moves) == len(decisions):
        return CarriedOut(moved=moved, skipped=())
    rows = (await connection.execute(COUNT_SKIPPED[running.selection], bound)).all()
    await add_counts(connection, opened, rows)
    by_cohort = {one.cohort: one for one in decisions}
    cohorts = zip(await cohorts_of(identities, rows), rows, strict=True)
    return CarriedOut(
        moved=moved,
        skipped=tuple(
            CountedDecision(decision=by_cohort[cohort], count=row.instances) for cohort, row in cohorts
        ),
    )


def _bound(opened: Opened, running: Upgrade, upto: int) -> dict[str, int]:
    return {
        "upgrade_id": opened.id,
        "of_process": opened.process_id,
        "after": running.cursor,
        "upto": upto,
        "target": running.target_version,
    }


async def _end_of_chunk(connection: AsyncConnection, opened: Opened, running: Upgrade, size: int) -> int:
    if running.selection is SelectionKind.BY_IDS:
        return min(running.cursor + size, opened.last_key)
    bound = {**_bound(opened, running, opened.last_key), "before_end": size - 1}
    found: int | None = (await connection.execute(NEXT_KEY, bound)).scalar_one_or_none()
    return opened.last_key if found is None else found
