"""Reads the outcomes of upgrades.

The outcomes of a selection by ids come in the order of the request, so that an id without an instance appears
in its place. All others come in the order of registration.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import CompoundSelect, FromClause, Select, bindparam, select, union_all

from uplift.domain.model.decision import INSTANCE_NOT_FOUND, ReasonCode
from uplift.domain.model.instance import InstanceId, Position
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.selection import LISTED
from uplift.domain.model.upgrade import Outcome, OutcomeKind, UpgradeId
from uplift.domain.ports import OutcomeFilter
from uplift.storage.sql.codecs import decode_reasons
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.id_list import ID_LIST, bind_ids
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import decision, instance, outcome, selected, upgrade
from uplift.storage.sql.types import LONG
from uplift.storage.statements.decisions import IS_DECISION_OF_OUTCOME, stored_code
from uplift.storage.statements.processed import IS_PROCESSED

LISTED_TOGETHER = 16
"""Upgrades in one statement, at most. SQLAlchemy caches each statement, with about 40 KiB an upgrade."""
SELECTION_KINDS = select(upgrade.c.id, upgrade.c.uuid, upgrade.c.selection).where(
    upgrade.c.uuid.in_(select(ID_LIST.c.uuid))
)
OUTCOME_COLUMNS = (
    outcome.c.version,
    outcome.c.position_id,
    decision.c.to_version,
    decision.c.to_position_id,
    decision.c.reasons,
)


async def outcome_pages(
    connection: Connection,
    surrogate_keys: SurrogateKeys,
    ids: Sequence[UpgradeId],
    outcome_filter: OutcomeFilter,
    page: PageRequest,
) -> Mapping[UpgradeId, Page[Outcome]]:
    heads = (await connection.execute(SELECTION_KINDS, bind_ids(ids))).all()
    listed: dict[UpgradeId, list[tuple[int, Outcome]]] = defaultdict(list)
    by_id = {head.id: head for head in heads}
    for batch, is_by_ids in _batches(heads):
        bound = {"after": page.after or 0, "limit": page.first + 1}
        for place, head in enumerate(batch):
            bound[f"upgrade_{place}"] = head.id
        rows = (await connection.execute(_listings(len(batch), is_by_ids, outcome_filter), bound)).all()
        positions = await surrogate_keys.positions(position_ids_in(rows))
        for row in rows:
            head = by_id[row.upgrade_id]
            listed[head.uuid].append((row.key, outcome_of(row, positions)))
    # UNION ALL does not keep the order of its SELECTs.
    return {
        upgrade_id: page_of(sorted(listed[upgrade_id], key=itemgetter(0)), page.first) for upgrade_id in ids
    }


def _batches(heads: Sequence[Any]) -> Iterator[tuple[Sequence[Any], bool]]:
    """Group upgrades by statement. The flag says whether their instances are listed in `selected`."""
    by_ids = [head for head in heads if head.selection in LISTED]
    others = [head for head in heads if head.selection not in LISTED]
    for several, is_by_ids in ((by_ids, True), (others, False)):
        for begin in range(0, len(several), LISTED_TOGETHER):
            yield several[begin : begin + LISTED_TOGETHER], is_by_ids


@lru_cache(maxsize=64)
def _listings(count: int, is_by_ids: bool, outcome_filter: OutcomeFilter) -> CompoundSelect[Any]:
    """The statement that lists the outcomes of `count` upgrades. Building it takes longer than running it."""
    return union_all(
        *(select(_listing(place, is_by_ids, outcome_filter).subquery()) for place in range(count))
    )


def _listing(place: int, is_by_ids: bool, outcome_filter: OutcomeFilter) -> Select[Any]:
    listing = _along_ids(place) if is_by_ids else _along_instances(place)
    key = listing.selected_columns.key
    listing = listing.where(key > bindparam("after", type_=LONG)).order_by(key).limit(bindparam("limit"))
    is_skipped = decision.c.to_position_id.is_(None)
    if outcome_filter.kind is OutcomeKind.UPGRADED:
        listing = listing.where(~is_skipped)
    if outcome_filter.kind is OutcomeKind.SKIPPED:
        listing = listing.where(is_skipped)
    if outcome_filter.reason is ReasonCode.INSTANCE_NOT_FOUND:
        listing = listing.where(outcome.c.instance_id.is_(None))
    elif outcome_filter.reason is not None:
        listing = listing.where(decision.c.codes.contains(stored_code(outcome_filter.reason)))
    return listing


def _along_ids(place: int) -> Select[Any]:
    recorded = (outcome.c.upgrade_id == selected.c.upgrade_id) & (
        outcome.c.instance_id == selected.c.instance_id
    )
    found: FromClause = selected.outerjoin(outcome, recorded).outerjoin(decision, IS_DECISION_OF_OUTCOME)
    return (
        select(selected.c.upgrade_id, selected.c.ordinal.label("key"), selected.c.uuid, *OUTCOME_COLUMNS)
        .select_from(found)
        .where(selected.c.upgrade_id == bindparam(f"upgrade_{place}"), IS_PROCESSED)
    )


def _along_instances(place: int) -> Select[Any]:
    found = outcome.join(decision, IS_DECISION_OF_OUTCOME).join(
        instance, instance.c.id == outcome.c.instance_id
    )
    return (
        select(outcome.c.upgrade_id, outcome.c.instance_id.label("key"), instance.c.uuid, *OUTCOME_COLUMNS)
        .select_from(found)
        .where(outcome.c.upgrade_id == bindparam(f"upgrade_{place}"))
    )


def position_ids_in(rows: Sequence[Any]) -> set[int]:
    """The surrogate keys of the positions in rows with OUTCOME_COLUMNS."""
    position_ids = {row.position_id for row in rows} | {row.to_position_id for row in rows}
    return position_ids - {None}


def outcome_of(row: Any, positions: Mapping[int, Position]) -> Outcome:
    """The outcome of a row with a `uuid` and OUTCOME_COLUMNS."""
    instance_id = InstanceId(row.uuid)
    if row.version is None:
        return Outcome(instance=instance_id, reasons=(INSTANCE_NOT_FOUND,))
    stayed = row.to_position_id is None
    return Outcome(
        instance=instance_id,
        reasons=decode_reasons(row.reasons),
        from_version=row.version,
        to_version=row.version if stayed else row.to_version,
        from_position=positions[row.position_id],
        to_position=positions[row.position_id if stayed else row.to_position_id],
    )
