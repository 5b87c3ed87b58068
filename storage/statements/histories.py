"""Reads the histories of instances.

An upgrade stores the range of the instances in its outcomes. Most upgrades have a single outcome, so that
the range excludes most of them without a look at their outcomes.
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
from uplift.storage.statements.decisions import IS_DECISION_OF_OUTCOME
from uplift.storage.statements.outcomes import OUTCOME_COLUMNS, outcome_of, position_ids_in
from uplift.storage.statements.upgrades import UPGRADE_COLUMNS, upgrades_of

HISTORIES = (
    select(instance.c.uuid.label("uuid"), *UPGRADE_COLUMNS, *OUTCOME_COLUMNS)
    .join_from(ID_LIST, instance, instance.c.uuid == ID_LIST.c.uuid)
    .join(
        upgrade,
        (upgrade.c.process_id == instance.c.process_id)
        & (upgrade.c.first_instance_id <= instance.c.id)
        & (upgrade.c.last_instance_id >= instance.c.id),
    )
    .join(outcome, (outcome.c.upgrade_id == upgrade.c.id) & (outcome.c.instance_id == instance.c.id))
    .join(decision, IS_DECISION_OF_OUTCOME)
    .order_by(upgrade.c.id)
)


async def find_histories(
    connection: Connection, surrogate_keys: SurrogateKeys, ids: Sequence[InstanceId]
) -> Mapping[InstanceId, tuple[HistoryEntry, ...]]:
    """The outcomes of each instance in all upgrades, the oldest first."""
    rows = (await connection.execute(HISTORIES, bind_ids(list(dict.fromkeys(ids))))).all()
    positions = await surrogate_keys.positions(position_ids_in(rows))
    found: dict[InstanceId, list[HistoryEntry]] = defaultdict(list)
    for row, upgraded in zip(rows, await upgrades_of(surrogate_keys, rows), strict=True):
        found[InstanceId(row.uuid)].append(HistoryEntry(upgrade=upgraded, outcome=outcome_of(row, positions)))
    return {instance_id: tuple(found[instance_id]) for instance_id in ids}
