"""Sends, settles and reads orders. Every statement reads a range of an index, or orders by their numbers.

The caller has locked the row of the link, so no other transaction changes a number or a state of its orders.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    String,
    Update,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    tuple_,
    update,
)

from uplift.domain.model.decision import SkipReason
from uplift.domain.model.instance import Status
from uplift.domain.model.order import OrderState
from uplift.domain.model.upgrade import UNFINISHED
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import unnest_rows
from uplift.storage.sql.link_tables import COHORT_OF_ORDER, IS_ORDERED, IS_SENT, IS_UNSETTLED
from uplift.storage.sql.number_list import is_listed
from uplift.storage.sql.tables import (
    IS_WAITING,
    MAY_HAVE_UNSETTLED,
    decision,
    instance,
    link,
    may_have_unsettled,
    move_order,
    outcome,
    upgrade,
)
from uplift.storage.sql.types import LONG, TIME
from uplift.storage.sqlite.prepared import RUN_INLINE
from uplift.storage.statements.outcomes.decisions import IS_DECISION_OF_OUTCOME
from uplift.storage.statements.outcomes.tallies import total

awaiting = upgrade.alias("awaiting")
LINK_ID: BindParameter[int] = bindparam("of_link", type_=Integer)
UPGRADE_ID: BindParameter[int] = bindparam("of_upgrade", type_=Integer)
LIMIT: BindParameter[int] = bindparam("limit", type_=Integer)
AT: BindParameter[datetime] = bindparam("at", type_=TIME)
IS_SENT_OF_LINK = (move_order.c.link_id == LINK_ID) & IS_SENT
IS_SENT_AND_LISTED = IS_SENT_OF_LINK & is_listed(move_order.c.number, "numbers")
COHORT = tuple(move_order.c[name] for name in COHORT_OF_ORDER)
IS_DECISION_OF_ORDER = and_(
    decision.c.upgrade_id == move_order.c.upgrade_id,
    # Only PENDING instances are ordered, so the rest of the key is the cohort.
    decision.c.status == Status.PENDING,
    *(decision.c[name] == move_order.c[name] for name in COHORT_OF_ORDER),
)

UNSETTLED_OF_LINK = select(upgrade.c.uuid).where(
    MAY_HAVE_UNSETTLED, total("ordered") > 0, upgrade.c.link == bindparam("link")
)
# Few upgrades have unsettled orders, so these read a few rows.
NEXT_TO_SEND = (
    UNSETTLED_OF_LINK.where(IS_WAITING).order_by(upgrade.c.id).limit(1).execution_options(**RUN_INLINE)
)
NEXT_TO_DROP = UNSETTLED_OF_LINK.where(upgrade.c.state.not_in(UNFINISHED)).order_by(upgrade.c.id).limit(1)
KEYS_OF_UPGRADE = (
    select(upgrade.c.id, upgrade.c.process_id)
    .where(upgrade.c.uuid == bindparam("uuid"))
    .execution_options(**RUN_INLINE)
)
NEXT_NUMBER = select(link.c.next_number).where(link.c.id == LINK_ID).execution_options(**RUN_INLINE)
ADVANCE = update(link).where(link.c.id == LINK_ID).values(next_number=link.c.next_number + bindparam("count"))

NEXT_ORDERS = (
    select(
        *COHORT,
        move_order.c.instance_id,
        move_order.c.number,
        move_order.c.attempt,
        instance.c.uuid,
        instance.c.engine_id,
    )
    .join_from(move_order, instance, instance.c.id == move_order.c.instance_id)
    .where(move_order.c.upgrade_id == UPGRADE_ID, IS_ORDERED)
    .order_by(*COHORT, move_order.c.instance_id)
    .limit(LIMIT)
)
"""The next orders of an upgrade, cohort by cohort. Under the lock of the link they stay ORDERED until this
transaction ends. It names no cohort: SQLite, which has no statistics, would then take the primary key, and
read all orders of the upgrade for each batch.
"""
SENT = {"state": OrderState.SENT, "attempt": move_order.c.attempt + 1, "sent_at": AT}
# Not IS_ORDERED: by its index PostgreSQL would look at all ORDERED orders of the upgrade, of which it expects
# few in a table that was not analyzed yet. So the key of the upgrade comes with each instance, too.
IS_NOT_SENT = move_order.c.state < literal_column("2")
IS_ROW = (move_order.c.upgrade_id == UPGRADE_ID) & (
    move_order.c.instance_id == bindparam("row_instance_id", type_=LONG)
)
ROWS = unnest_rows(move_order, {name: f"row_{name}" for name in ("upgrade_id", "instance_id", "number")})
IS_IN_ROWS = (move_order.c.upgrade_id == ROWS.c.upgrade_id) & (move_order.c.instance_id == ROWS.c.instance_id)
SEND_ONE = (
    update(move_order)
    .where(IS_NOT_SENT, IS_ROW)
    .values({**SENT, "number": bindparam("row_number", type_=LONG)})
)
SEND_ALL = update(move_order).where(IS_NOT_SENT, IS_IN_ROWS).values({**SENT, "number": ROWS.c.number})
ORDER_COLUMNS = (
    move_order.c.number,
    move_order.c.upgrade_id,
    *COHORT,
    move_order.c.state,
    move_order.c.attempt,
    move_order.c.sent_at,
    move_order.c.code,
    move_order.c.message,
    instance.c.uuid,
    instance.c.engine_id,
    upgrade.c.uuid.label("upgrade_uuid"),
    upgrade.c.process_id,
)
NUMBERED: Select[Any] = (
    select(*ORDER_COLUMNS)
    .join_from(move_order, instance, instance.c.id == move_order.c.instance_id)
    .join(upgrade, upgrade.c.id == move_order.c.upgrade_id)
    .where(move_order.c.link_id == LINK_ID)
    .order_by(move_order.c.number)
)
UNANSWERED = NUMBERED.where(IS_SENT, move_order.c.sent_at < bindparam("sent_before")).limit(LIMIT)
PAGE = NUMBERED.where(move_order.c.number > bindparam("after", type_=LONG)).limit(LIMIT)
FIRST_UNANSWERED = select(move_order.c.number).where(IS_SENT_OF_LINK).order_by(move_order.c.number).limit(1)
COUNT_UNANSWERED = select(func.count()).select_from(
    select(move_order.c.number).where(IS_SENT_OF_LINK).limit(LIMIT).subquery("unanswered")
)
RESEND = update(move_order).where(IS_SENT_AND_LISTED).values(attempt=move_order.c.attempt + 1, sent_at=AT)
SENT_BY_UPGRADE = (
    select(move_order.c.upgrade_id, upgrade.c.uuid, func.count().label("orders"))
    .join_from(move_order, upgrade, upgrade.c.id == move_order.c.upgrade_id)
    .where(IS_SENT_AND_LISTED)
    .group_by(move_order.c.upgrade_id, upgrade.c.uuid)
    .order_by(move_order.c.upgrade_id)
)
PUT_BACK = update(move_order).where(IS_SENT_AND_LISTED).values(state=OrderState.ORDERED)

REFUSED = {
    "state": OrderState.REFUSED,
    "code": bindparam("row_code", type_=String),
    "message": bindparam("row_message", type_=String),
}
NEXT_TO_REFUSE = (
    select(move_order.c.instance_id)
    .where(move_order.c.upgrade_id == UPGRADE_ID, IS_ORDERED)
    .order_by(*COHORT, move_order.c.instance_id)
    .limit(LIMIT)
)
DROP_ONE = update(move_order).where(IS_NOT_SENT, IS_ROW).values(REFUSED)
DROP_ALL = update(move_order).where(IS_NOT_SENT, IS_IN_ROWS).values(REFUSED)
DECISION_OF_COHORT = (
    select(decision)
    .where(
        decision.c.upgrade_id == UPGRADE_ID,
        decision.c.status == Status.PENDING,
        *(decision.c[name] == bindparam(f"of_{name}") for name in COHORT_OF_ORDER),
    )
    .execution_options(**RUN_INLINE)
)
DECISIONS_OF_COHORTS = select(decision).where(
    decision.c.status == Status.PENDING,
    tuple_(decision.c.upgrade_id, *(decision.c[name] for name in COHORT_OF_ORDER)).in_(
        bindparam("cohorts", expanding=True)
    ),
)
ORDERED_OF_CHUNK = [
    "upgrade_id",
    "instance_id",
    *COHORT_OF_ORDER,
    "link_id",
    "state",
    "attempt",
]


def order_chunk(recorded: ColumnElement[bool]) -> Any:
    """Orders the recorded instances that meet a condition and whose decision upgrades."""
    return insert(move_order).from_select(
        ORDERED_OF_CHUNK,
        select(
            outcome.c.upgrade_id,
            outcome.c.instance_id,
            *(outcome.c[name] for name in COHORT_OF_ORDER),
            select(link.c.id).where(link.c.uuid == bindparam("link")).scalar_subquery(),
            literal_column("1"),  # ORDERED
            literal_column("0"),
        )
        .join_from(outcome, decision, IS_DECISION_OF_OUTCOME)
        .where(recorded, decision.c.to_position_id.is_not(None)),
    )


def unsettled_of(of: ColumnElement[int]) -> Select[Any]:
    """An order of this instance that has no answer. Few upgrades have such orders at a time."""
    return (
        select(move_order.c.upgrade_id)
        .join_from(upgrade, move_order, move_order.c.upgrade_id == upgrade.c.id)
        .where(MAY_HAVE_UNSETTLED, move_order.c.instance_id == of, IS_UNSETTLED)
    )


def awaiting_process(of: ColumnElement[int], not_of: ColumnElement[int] | None = None) -> Select[Any]:
    """Upgrades of a process whose orders the engine will carry out, or may have, except one."""
    # `+ 0` keeps SQLite from the index on processes: few upgrades have unsettled orders, a process has many.
    is_waiting = awaiting.c.state <= literal_column("2")
    found = select(awaiting.c.id).where(
        may_have_unsettled(awaiting),
        awaiting.c.process_id + 0 == of,
        (awaiting.c.sent > 0) | (is_waiting & (total("ordered", awaiting) > 0)),
    )
    return found if not_of is None else found.where(awaiting.c.id != not_of)


def of_cohort(row: Any) -> dict[str, int]:
    """The parameters of a statement on the cohort of an order."""
    return {f"of_{name}": getattr(row, name) for name in COHORT_OF_ORDER}


async def send(connection: Connection, upgrade_id: int, rows: Sequence[dict[str, Any]], at: datetime) -> None:
    """Mark orders as sent; each row has `row_instance_id` and `row_number`."""
    await _update_rows(connection, SEND_ONE, SEND_ALL, upgrade_id, rows, {"at": at})


async def drop(connection: Connection, upgrade_id: int, limit: int, refusal: SkipReason) -> int:
    """Refuse the next orders of an upgrade, which are not sent; return how many."""
    bound = {"of_upgrade": upgrade_id, "limit": limit}
    found = (await connection.execute(NEXT_TO_REFUSE, bound)).all()
    rows = [{"row_instance_id": row.instance_id, "row_number": None} for row in found]
    if rows:
        reason = {"row_code": refusal.code.value, "row_message": refusal.message}
        await _update_rows(connection, DROP_ONE, DROP_ALL, upgrade_id, rows, reason)
    return len(rows)


async def _update_rows(
    connection: Connection,
    update_one: Update,
    update_all: Update,
    upgrade_id: int,
    rows: Sequence[dict[str, Any]],
    bound: Mapping[str, Any],
) -> None:
    """Update orders of an upgrade; on SQLite along with the next statement."""
    if connection.dialect.name == "sqlite":
        await connection.execute_later(
            update_one, [{**bound, "of_upgrade": upgrade_id, **row} for row in rows]
        )
    else:
        arrays = {name: [row[name] for row in rows] for name in rows[0]}
        arrays["row_upgrade_id"] = [upgrade_id] * len(rows)
        await connection.execute(update_all, {**bound, **arrays})
