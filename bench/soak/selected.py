"""Checks that exactly the selected instances have an outcome, for all upgrades at once."""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import CompoundSelect, Select, Table, case, func, or_, select, union
from sqlalchemy.sql.elements import ColumnElement

from bench.soak.observations import ACTIVE, FOLLOWED, NAMED, REQUESTED, UPGRADED
from uplift.domain.model.selection import SelectionKind, UpgradeId
from uplift.storage.sql import bucket_tables
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import decision, instance, outcome, partition, selected, upgrade
from uplift.storage.statements.outcomes.decisions import IS_DECISION_OF_OUTCOME, stored_code
from uplift.storage.statements.outcomes.processed import IS_PROCESSED

WHAT = case((decision.c.to_position_id.is_not(None), stored_code(UPGRADED)), else_=decision.c.codes)
"""What a decision did to its instances: UPGRADED, or the codes of its reasons."""


def _of(*kinds: SelectionKind) -> ColumnElement[bool]:
    return REQUESTED.c.selection.in_(kinds)


ALL_ACTIVE = _of(SelectionKind.ALL_ACTIVE)
BY_IDS = _of(SelectionKind.BY_IDS)
FOLLOWS = _of(SelectionKind.RETRY, SelectionKind.UNDO)

OUTCOMES = select(outcome.c.upgrade_id, outcome.c.instance_id).join(
    REQUESTED, REQUESTED.c.upgrade_id == outcome.c.upgrade_id
)
STAYED = (ACTIVE.c.process_id == REQUESTED.c.process_id) & (ACTIVE.c.since < REQUESTED.c.moment)
"""The instances that were active when an upgrade was requested, and ever since."""
ALWAYS_ACTIVE = select(REQUESTED.c.upgrade_id, ACTIVE.c.instance_id).join(ACTIVE, STAYED).where(ALL_ACTIVE)
ALWAYS_ACTIVE_PROCESSED = (
    OUTCOMES.join(ACTIVE, ACTIVE.c.instance_id == outcome.c.instance_id).where(ALL_ACTIVE).where(STAYED)
)
EXCLUDED = (
    select(NAMED.c.upgrade_id, instance.c.id.label("instance_id"))
    .join(REQUESTED, REQUESTED.c.upgrade_id == NAMED.c.upgrade_id)
    .join(instance, instance.c.uuid == NAMED.c.uuid)
    .where(ALL_ACTIVE)
)
EXCLUDED_PROCESSED = EXCLUDED.join(
    outcome, (outcome.c.upgrade_id == NAMED.c.upgrade_id) & (outcome.c.instance_id == instance.c.id)
)
BY_NAME = (
    select(NAMED.c.upgrade_id, NAMED.c.uuid)
    .join(REQUESTED, REQUESTED.c.upgrade_id == NAMED.c.upgrade_id)
    .where(BY_IDS)
)
NOT_FOUND = (
    select(selected.c.upgrade_id, selected.c.uuid)
    .join(REQUESTED, REQUESTED.c.upgrade_id == selected.c.upgrade_id)
    .where(BY_IDS, selected.c.instance_id.is_(None))
)
PROCESSED_BY_NAME = (
    OUTCOMES.join(instance, instance.c.id == outcome.c.instance_id)
    .where(BY_IDS)
    .with_only_columns(outcome.c.upgrade_id, instance.c.uuid)
)
FOLLOWED_UP = (
    select(REQUESTED.c.upgrade_id, outcome.c.instance_id)
    .join(FOLLOWED, FOLLOWED.c.upgrade_id == REQUESTED.c.upgrade_id)
    .join(outcome, outcome.c.upgrade_id == REQUESTED.c.of_upgrade_id)
    .join(decision, IS_DECISION_OF_OUTCOME)
    .where(WHAT.contains(FOLLOWED.c.what))
)
STRANGERS = (
    select(outcome.c.upgrade_id, outcome.c.instance_id)
    .join(upgrade, upgrade.c.id == outcome.c.upgrade_id)
    .join(instance, instance.c.id == outcome.c.instance_id)
    .where(
        or_(
            instance.c.process_id != upgrade.c.process_id,
            outcome.c.instance_id < upgrade.c.first_instance_id,
            outcome.c.instance_id > upgrade.c.last_instance_id,
        )
    )
)
TOO_EARLY = "has an outcome for {} that a partition of it covers"


def _covered(outcome: Table, partition: Table, *of_partition: ColumnElement[bool]) -> Select[Any]:
    """The instances with an outcome that a remaining partition covers by its keys."""
    return (
        select(outcome.c.upgrade_id, outcome.c.instance_id)
        .join(upgrade, upgrade.c.id == outcome.c.upgrade_id)
        .join(partition, partition.c.upgrade_id == upgrade.c.id)
        .where(
            upgrade.c.selection != SelectionKind.BY_IDS,
            outcome.c.instance_id > partition.c.cursor,
            outcome.c.instance_id <= partition.c.last_key,
            *of_partition,
        )
    )


COVERED_IN_BUCKET = _covered(
    bucket_tables.outcome,
    bucket_tables.partition,
    bucket_tables.outcome.c.bucket == bucket_tables.partition.c.bucket,
)
SELECTED_TOO_EARLY = (
    select(outcome.c.upgrade_id, outcome.c.instance_id)
    .join(upgrade, upgrade.c.id == outcome.c.upgrade_id)
    .join(
        selected,
        (selected.c.upgrade_id == outcome.c.upgrade_id) & (selected.c.instance_id == outcome.c.instance_id),
    )
    .where(upgrade.c.selection == SelectionKind.BY_IDS, ~IS_PROCESSED)
)
"""The ids with an outcome that a remaining partition covers."""


def _all_of(first: Select[Any], second: Select[Any]) -> Select[Any]:
    return select(union(first, second).subquery())


LAWS: dict[str, Select[Any] | CompoundSelect[Any]] = {
    "did without {} that were active all the time": ALWAYS_ACTIVE.except_(EXCLUDED, ALWAYS_ACTIVE_PROCESSED),
    "did something to {} that were left out": EXCLUDED_PROCESSED,
    "has no outcome for {} that it names": BY_NAME.except_(NOT_FOUND, PROCESSED_BY_NAME),
    "has an outcome for {} that it does not name": _all_of(NOT_FOUND, PROCESSED_BY_NAME).except_(BY_NAME),
    "has no outcome for {} that it follows up": FOLLOWED_UP.except_(OUTCOMES.where(FOLLOWS)),
    "has an outcome for {} that it does not follow up": OUTCOMES.where(FOLLOWS).except_(FOLLOWED_UP),
    "did something to {} of another process, or outside of its own bounds": STRANGERS,
    TOO_EARLY: union(_covered(outcome, partition), SELECTED_TOO_EARLY),
}
"""By the description of a violation, the pairs of upgrade and instance that it concerns."""
LAWS_OF_BUCKETS: dict[str, Select[Any] | CompoundSelect[Any]] = {
    **LAWS,
    TOO_EARLY: union(COVERED_IN_BUCKET, SELECTED_TOO_EARLY),
}
"""The same in a database with buckets, where a partition covers the keys in its bucket only."""


async def broken_selections(connection: Connection) -> AsyncIterator[tuple[UpgradeId, str]]:
    """The upgrades that break a law, each with the law. Call write_observations first."""
    for words, pairs in (LAWS_OF_BUCKETS if connection.layout.has_buckets else LAWS).items():
        broken = pairs.subquery()
        counted = (
            select(upgrade.c.uuid, func.count().label("instances"))
            .join(broken, broken.c.upgrade_id == upgrade.c.id)
            .group_by(upgrade.c.uuid)
        )
        for row in await connection.execute(counted):
            yield row.uuid, words.format(row.instances)
