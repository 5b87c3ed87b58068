"""Reads the histories of instances: their upgrades on the coordinator, their outcomes in their buckets."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from uplift.domain.model.instance import InstanceId
from uplift.domain.model.upgrade import HistoryEntry
from uplift.storage.sql.bucket_tables import BUCKET, instance, outcome
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import unnest_rows
from uplift.storage.sql.id_list import ID_LIST, bind_ids
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import upgrade
from uplift.storage.statements.outcomes.bucket_outcomes import COHORT_COLUMNS, with_decisions
from uplift.storage.statements.outcomes.bucket_totals import own_columns
from uplift.storage.statements.outcomes.outcomes import outcome_of, position_ids_in
from uplift.storage.statements.upgrades.upgrades import UPGRADE_COLUMNS, upgrades_of

KEYS = select(instance.c.id, instance.c.uuid, instance.c.process_id).where(
    instance.c.bucket == BUCKET, instance.c.uuid.in_(select(ID_LIST.c.uuid))
)
NAMED = unnest_rows(instance, {"process_id": "process_ids", "id": "instance_ids"})
UPGRADES = (
    select(*own_columns(UPGRADE_COLUMNS), NAMED.c.id.label("of_instance"))
    .join_from(
        NAMED,
        upgrade,
        (upgrade.c.process_id == NAMED.c.process_id)
        & (upgrade.c.first_instance_id <= NAMED.c.id)
        & (upgrade.c.last_instance_id >= NAMED.c.id),
    )
    .order_by(upgrade.c.id)
)
"""The upgrades that may have an outcome of an instance."""
PAIRS = unnest_rows(outcome, {"upgrade_id": "upgrade_ids", "instance_id": "instance_ids"})
OUTCOMES = (
    select(outcome.c.upgrade_id, outcome.c.instance_id, *COHORT_COLUMNS)
    .join(
        PAIRS,
        (PAIRS.c.upgrade_id == outcome.c.upgrade_id) & (PAIRS.c.instance_id == outcome.c.instance_id),
    )
    .where(outcome.c.bucket == BUCKET)
)


async def find_histories(
    connection: Connection, surrogate_keys: SurrogateKeys, ids: Sequence[InstanceId]
) -> Mapping[InstanceId, tuple[HistoryEntry, ...]]:
    """The upgrades that each instance was part of, the oldest first, and their outcomes."""
    entries: dict[InstanceId, list[HistoryEntry]] = defaultdict(list)
    for bucket, listed in connection.layout.by_bucket(dict.fromkeys(ids), lambda uuid: uuid).items():
        keys = (await connection.execute(KEYS, {"of_bucket": bucket, **bind_ids(listed)})).all()
        named = {"process_ids": [row.process_id for row in keys], "instance_ids": [row.id for row in keys]}
        candidates = (await connection.execute(UPGRADES, named)).all() if keys else []
        if not candidates:
            continue
        pairs = {
            "upgrade_ids": [row.id for row in candidates],
            "instance_ids": [row.of_instance for row in candidates],
        }
        found = (await connection.execute(OUTCOMES, {"of_bucket": bucket, **pairs})).all()
        uuids = {row.id: row.uuid for row in keys}
        decided = await with_decisions(connection, found)
        outcomes: dict[tuple[int, int], Any] = {
            (row.upgrade_id, row.instance_id): SimpleNamespace(**vars(row), uuid=uuids[row.instance_id])
            for row in decided
        }
        rows = [row for row in candidates if (row.id, row.of_instance) in outcomes]
        positions = await surrogate_keys.positions(position_ids_in(list(outcomes.values())))
        for row, upgraded in zip(rows, await upgrades_of(surrogate_keys, rows), strict=True):
            result = outcome_of(outcomes[row.id, row.of_instance], positions)
            entries[result.instance].append(HistoryEntry(upgrade=upgraded, outcome=result))
    return {instance_id: tuple(entries[instance_id]) for instance_id in ids}
