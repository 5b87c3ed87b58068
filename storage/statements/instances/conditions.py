"""Provides the condition that an instance meets the conditions of a selection, and its parameters."""

import json
from typing import Any

from sqlalchemy import Boolean, ColumnElement, FromClause, Integer, and_, bindparam, or_, select

from uplift.domain.model.conditions import Conditions
from uplift.domain.model.instance import Status
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.number_list import numbers_in
from uplift.storage.sql.tables import IS_ACTIVE, STATUS, instance, position


def meets_conditions(of: FromClause) -> ColumnElement[bool]:
    """The condition on rows of a table of instances.

    It says nothing about process and activity. Each part has a parameter that turns it off, so that there is
    only one statement of each kind to prepare.
    """
    return and_(
        or_(bindparam("any_version", type_=Boolean), of.c.version.in_(numbers_in("versions"))),
        or_(bindparam("any_status", type_=Boolean), of.c.status == bindparam("only_status", type_=STATUS)),
        or_(bindparam("any_position", type_=Boolean), of.c.position_id.in_(numbers_in("positions"))),
    )


MEETS_CONDITIONS = meets_conditions(instance)
IS_MATCHING = (instance.c.process_id == bindparam("process_id", type_=Integer)) & IS_ACTIVE & MEETS_CONDITIONS
"""An active instance of the process that meets the conditions."""
POSITIONS = select(position.c.id, position.c.elements).where(position.c.process_id == bindparam("process_id"))


async def bind_conditions(connection: Connection, process_id: int, conditions: Conditions) -> dict[str, Any]:
    """The parameters of MEETS_CONDITIONS. With elements, it reads the positions of the process."""
    statuses = conditions.statuses or ()
    positions: list[int] = []
    if conditions.elements is not None:
        named = frozenset(conditions.elements)
        rows = (await connection.execute(POSITIONS, {"process_id": process_id})).all()
        positions = [row.id for row in rows if not named.isdisjoint(json.loads(row.elements))]
    return {
        "any_version": conditions.versions is None,
        "versions": list(conditions.versions or ()),
        # Of the two statuses of active instances, a condition names one or both.
        "any_status": len(statuses) != 1,
        "only_status": statuses[0] if statuses else Status.PENDING,
        "any_position": conditions.elements is None,
        "positions": positions,
    }
