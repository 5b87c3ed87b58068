"""Settles orders by their numbers: moves the instances of confirmed ones, and refuses others.

The caller has locked the row of the link, so no other transaction changes a number or a state of its orders.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, bindparam, case, func, select, update

from uplift.domain.model.instance import Status
from uplift.domain.model.order import OrderState
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import unnest_rows
from uplift.storage.sql.tables import decision, instance, move_order, upgrade
from uplift.storage.sql.types import LONG
from uplift.storage.statements.links.orders import (
    IS_DECISION_OF_ORDER,
    IS_SENT_AND_LISTED,
    IS_SENT_OF_LINK,
    REFUSED,
)

LOCK_INSTANCES = (
    select(instance.c.id)
    .join_from(move_order, instance, instance.c.id == move_order.c.instance_id)
    .where(IS_SENT_AND_LISTED)
    .order_by(instance.c.id)
    .with_for_update(of=instance, key_share=True)
)
"""Locks the instances of orders along their ids, as chunks do, so that the two never deadlock."""
IS_WHERE_ORDERED = and_(
    instance.c.status == Status.PENDING, instance.c.position_id == move_order.c.position_id
)
CONFIRMED_COHORTS = (
    select(
        move_order.c.upgrade_id,
        upgrade.c.uuid,
        instance.c.process_id,
        instance.c.version,
        instance.c.status,
        instance.c.position_id,
        move_order.c.version.label("from_version"),
        move_order.c.position_id.label("from_position_id"),
        decision.c.to_version,
        decision.c.to_position_id,
        func.count().label("orders"),
    )
    .join_from(move_order, instance, instance.c.id == move_order.c.instance_id)
    .join(decision, IS_DECISION_OF_ORDER)
    .join(upgrade, upgrade.c.id == move_order.c.upgrade_id)
    .where(IS_SENT_AND_LISTED)
    .group_by(
        move_order.c.upgrade_id,
        upgrade.c.uuid,
        instance.c.process_id,
        instance.c.version,
        instance.c.status,
        instance.c.position_id,
        move_order.c.version,
        move_order.c.position_id,
        decision.c.to_version,
        decision.c.to_position_id,
    )
)
"""Where the instances of confirmed orders are now, and where their orders lead."""
MOVE_CONFIRMED = (
    update(instance)
    .where(
        IS_SENT_AND_LISTED,
        move_order.c.instance_id == instance.c.id,
        IS_DECISION_OF_ORDER,
        instance.c.version == move_order.c.version,
    )
    .values(
        version=decision.c.to_version,
        position_id=case((IS_WHERE_ORDERED, decision.c.to_position_id), else_=instance.c.position_id),
    )
)
"""An instance that was reported elsewhere since keeps what was reported: the engine knows better."""
CONFIRM = update(move_order).where(IS_SENT_AND_LISTED).values(state=OrderState.CONFIRMED)
SENT_AND_LISTED = (
    select(move_order.c.number, move_order.c.upgrade_id, upgrade.c.uuid)
    .join_from(move_order, upgrade, upgrade.c.id == move_order.c.upgrade_id)
    .where(IS_SENT_AND_LISTED)
)
REFUSE_ONE = (
    update(move_order)
    .where(IS_SENT_OF_LINK, move_order.c.number == bindparam("row_number", type_=LONG))
    .values(REFUSED)
)
REFUSALS = unnest_rows(move_order, {name: f"row_{name}" for name in ("number", "code", "message")})
REFUSE_ALL = (
    update(move_order)
    .where(IS_SENT_OF_LINK, move_order.c.number == REFUSALS.c.number)
    .values(state=OrderState.REFUSED, code=REFUSALS.c.code, message=REFUSALS.c.message)
)


async def refuse(connection: Connection, link_id: int, rows: Sequence[dict[str, Any]]) -> None:
    """Refuse sent orders; each row has `row_number`, `row_code` and `row_message`."""
    if connection.dialect.name == "sqlite":
        await connection.execute(REFUSE_ONE, [{"of_link": link_id, **row} for row in rows])
    else:
        arrays = {name: [row[name] for row in rows] for name in rows[0]}
        await connection.execute(REFUSE_ALL, {"of_link": link_id, **arrays})
