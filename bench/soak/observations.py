"""Writes what clients observed into tables that can be joined with those of the database."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Integer, MetaData, Table, Text, select

from bench.soak.ledger import Ledger, RequestedUpgrade
from uplift.domain import ProcessKey, UpgradeId
from uplift.domain.model.selection import SelectionKind
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import SELECTION, instance, process, upgrade
from uplift.storage.sql.types import ID, LONG
from uplift.storage.statements.outcomes.decisions import stored_code

UPGRADED = "UPGRADED"
"""Stands for upgraded instances, which an undo selects, beside the reasons that a retry selects."""

metadata = MetaData()


def _table(name: str, *columns: Column[Any]) -> Table:
    return Table(f"soak_{name}", metadata, *columns, prefixes=["TEMPORARY"])


REQUESTED = _table(
    "requested",
    Column("upgrade_id", Integer, primary_key=True),
    Column("process_id", Integer),
    Column("selection", SELECTION),
    Column("moment", LONG),
    Column("of_upgrade_id", Integer),
)
"""The requested upgrades that completed."""
NAMED = _table(
    "named",
    Column("upgrade_id", Integer, primary_key=True),
    Column("uuid", ID, primary_key=True),
)
"""The instances that a request named, to upgrade or to exclude."""
FOLLOWED = _table("followed", Column("upgrade_id", Integer), Column("what", Text))
"""Which outcomes of an earlier upgrade a retry or an undo selects, as stored in `decision.codes`."""
ACTIVE = _table(
    "active",
    Column("instance_id", LONG, primary_key=True),
    Column("process_id", Integer),
    Column("since", LONG),
)
"""The instances that are certainly active, and since which logical time."""


async def write_observations(connection: Connection, ledger: Ledger, completed: Sequence[UpgradeId]) -> None:
    """Write what the clients know into temporary tables of this connection."""
    processes = {
        ProcessKey(namespace=row.namespace, code=row.code): row.id
        for row in await connection.execute(select(process.c.id, process.c.namespace, process.c.code))
    }
    upgrades = {row.uuid: row.id for row in await connection.execute(select(upgrade.c.id, upgrade.c.uuid))}
    instances = {row.uuid: row.id for row in await connection.execute(select(instance.c.id, instance.c.uuid))}
    requests = {upgrades[upgrade_id]: ledger.upgrades[upgrade_id] for upgrade_id in completed}
    rows = {
        REQUESTED: [
            _requested_row(number, request, processes, upgrades) for number, request in requests.items()
        ],
        NAMED: [
            {"upgrade_id": number, "uuid": named}
            for number, request in requests.items()
            for named in request.ids
        ],
        FOLLOWED: [
            {"upgrade_id": number, "what": stored_code(what)}
            for number, request in requests.items()
            for what in _followed(request)
        ],
        ACTIVE: list(_active(ledger, processes, instances)),
    }
    await connection.run_sync(metadata.create_all, checkfirst=False)
    for table, several in rows.items():
        if several:
            await connection.execute(table.insert(), several)
    # The tables have just been filled, so the planner has no statistics on them yet.
    await connection.exec_driver_sql("ANALYZE")


def _requested_row(
    number: int, request: RequestedUpgrade, processes: Mapping[ProcessKey, int], upgrades: Mapping[UUID, int]
) -> dict[str, Any]:
    return {
        "upgrade_id": number,
        "process_id": processes[request.process],
        "selection": request.selection,
        "moment": request.moment,
        "of_upgrade_id": None if request.of is None else upgrades[request.of],
    }


def _followed(request: RequestedUpgrade) -> Sequence[str]:
    return [UPGRADED] if request.selection is SelectionKind.UNDO else sorted(request.reasons)


def _active(
    ledger: Ledger, processes: Mapping[ProcessKey, int], instances: Mapping[UUID, int]
) -> Iterator[dict[str, Any]]:
    for instance_id, known in ledger.instances.items():
        if known.active_since is not None and instance_id in instances:
            number = processes[known.registered.process]
            yield {
                "instance_id": instances[instance_id],
                "process_id": number,
                "since": known.active_since,
            }
