"""Reads what changes of unfinished upgrades, by the indexes of waiting and of paused ones."""

from typing import Any

from sqlalchemy import Select, Subquery, bindparam, select, union_all

from uplift.domain.model.access import Namespaces
from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import UpgradeProgress
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import IS_PAUSED, IS_WAITING, process, upgrade
from uplift.storage.statements.outcomes.tallies import total

LOOKED_AT = 20_000
"""How many waiting and how many paused upgrades a query within namespaces looks at."""

COLUMNS = (
    upgrade.c.id,
    upgrade.c.uuid,
    upgrade.c.process_id,
    upgrade.c.state,
    upgrade.c.upgraded,
    upgrade.c.skipped,
    upgrade.c.ordered,
    upgrade.c.sent,
)


def newest(looked_at: Any, *, within_namespaces: bool) -> Subquery:
    """The newest waiting and the newest paused upgrades together, with COLUMNS.

    One condition for all three states would have no index, and read all finished upgrades.
    """
    kinds = [
        select(select(*COLUMNS).where(is_kind).order_by(upgrade.c.id.desc()).limit(looked_at).subquery())
        for is_kind in (IS_WAITING, IS_PAUSED)
    ]
    either = union_all(*kinds).subquery("either")
    found = select(either).order_by(either.c.id.desc()).limit(bindparam("limit"))
    if within_namespaces:
        within = process.c.namespace.in_(bindparam("namespaces", expanding=True))
        found = found.where(either.c.process_id.in_(select(process.c.id).where(within)))
    return found.subquery("newest")


def _with_totals(found: Subquery) -> Select[Any]:
    """The sums over partitions come last, for the few that are returned."""
    return select(
        found.c.uuid,
        found.c.process_id,
        found.c.state,
        (total("upgraded", found) + total("skipped", found)).label("total"),
        total("ordered", found),
        found.c.sent,
    ).order_by(found.c.id.desc())


UNFINISHED = _with_totals(newest(bindparam("limit"), within_namespaces=False))
UNFINISHED_WITHIN = _with_totals(newest(LOOKED_AT, within_namespaces=True))


async def unfinished(
    connection: Connection, surrogate_keys: SurrogateKeys, limit: int, namespaces: Namespaces | None
) -> tuple[UpgradeProgress, ...]:
    """The newest unfinished upgrades, in these namespaces or in all (None)."""
    if namespaces is None:
        rows = (await connection.execute(UNFINISHED, {"limit": limit})).all()
    else:
        bound = {"limit": limit, "namespaces": sorted(namespaces)}
        rows = (await connection.execute(UNFINISHED_WITHIN, bound)).all()
    process_keys = await surrogate_keys.process_keys(row.process_id for row in rows)
    return tuple(
        UpgradeProgress(
            id=UpgradeId(row.uuid),
            process=process_keys[row.process_id],
            state=row.state,
            total=row.total,
            ordered=row.ordered,
            sent=row.sent,
        )
        for row in rows
    )
