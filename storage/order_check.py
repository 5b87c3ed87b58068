"""Compares the counts of linked upgrades with their orders."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, select

from uplift.domain.model.order import OrderState
from uplift.domain.model.selection import UpgradeId
from uplift.storage.database import Database
from uplift.storage.sql.codecs import decode_refusals
from uplift.storage.sql.tables import move_order, upgrade
from uplift.storage.statements.outcomes.tallies import total


def _count(state: OrderState) -> Any:
    return func.coalesce(func.sum(case((move_order.c.state == state, 1), else_=0)), 0)


COMPARED = (
    select(
        upgrade.c.uuid,
        total("ordered"),
        upgrade.c.sent,
        total("upgraded"),
        upgrade.c.refusals,
        *(_count(state).label(state.lower() + "_orders") for state in OrderState),
    )
    .join_from(upgrade, move_order, move_order.c.upgrade_id == upgrade.c.id, isouter=True)
    # Orders are pruned, but their counts stay.
    .where(upgrade.c.link.is_not(None), upgrade.c.pruned_at.is_(None))
    .group_by(
        upgrade.c.id,
        upgrade.c.uuid,
        upgrade.c.ordered,
        upgrade.c.sent,
        upgrade.c.upgraded,
        upgrade.c.refusals,
    )
    .order_by(upgrade.c.id)
)
"""One statement, so that both sides are of one moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDifference:
    """A count of an upgrade that is not the number of its orders in a state."""

    upgrade: UpgradeId
    state: OrderState
    kept: int
    counted: int


async def find_order_differences(database: Database) -> tuple[OrderDifference, ...]:
    """The wrong counts of linked upgrades. Reads all their orders, and blocks no one."""
    if database.layout.has_buckets:
        return ()  # such a database has no links
    async with database.reading() as connection:
        rows = (await connection.execute(COMPARED)).all()
    return tuple(
        OrderDifference(upgrade=UpgradeId(row.uuid), state=state, kept=kept, counted=counted)
        for row in rows
        for state, kept, counted in (
            (OrderState.ORDERED, row.ordered, row.ordered_orders),
            (OrderState.SENT, row.sent, row.sent_orders),
            (OrderState.CONFIRMED, row.upgraded, row.confirmed_orders),
            (OrderState.REFUSED, sum(decode_refusals(row.refusals).values()), row.refused_orders),
        )
        if kept != counted
    )
