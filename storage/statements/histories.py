"""Reads what upgrades did to instances.

Looks only into upgrades with an outcome around the instance: most upgrades have a single outcome.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import select

from uplift.domain.model.instance import InstanceId
from uplift.domain.model.upgrade import HistoryEntry
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.id_list import ID_LIST, bind_ids
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import decision, instance, outcome, upgrade
from uplift.storage.statements.decisions import ITS_DECISION
from uplift.storage.statements.outcomes import FACTS, outcome_of, positions_named
from uplift.storage.statements.upgrades import UPGRADE_COLUMNS, upgrades_of

HISTORIES = (
    select(instance.c.uuid.label("uuid"), *UPGRADE_COLUMNS, *FACTS)
    .join_from(ID_LIST, instance, instance.c.uuid == ID_LIST.c.uuid)
    .join(
        upgrade,
        (upgrade.c.process_id == instance.c.process_id)
        & (upgrade.c.first_instance_id <= instance.c.id)
        & (upgrade.c.last_instance_id >= instance.c.id),
    )
    .join(outcome, (outcome.c.upgrade_id == upgrade.c.id) & (outcome.c.instance_id == instance.c.id))
    .join(decision, ITS_DECISION)
    .order_by(upgrade.c.id)
)


async def find_histories(
    connection: Connection, surrogate_keys: SurrogateKeys, ids: Sequence[InstanceId]
) -> Mapping[InstanceId, tuple[HistoryEntry, ...]]:
    """Return what upgrades did to each of these instances, the oldest first."""
    rows = (await connection.execute(HISTORIES, bind_ids(list(dict.fromkeys(ids))))).all()
    positions = await surrogate_keys.positions(positions_named(rows))
    found: dict[InstanceId, list[HistoryEntry]] = defaultdict(list)
    for row, upgraded in zip(rows, await upgrades_of(surrogate_keys, rows), strict=True):
        found[InstanceId(row.uuid)].append(HistoryEntry(upgrade=upgraded, outcome=outcome_of(row, positions)))
    return {instance_id: tuple(found[instance_id]) for instance_id in ids}
