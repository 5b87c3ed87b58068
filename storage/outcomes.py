"""How the audit of upgrades is read: what each did to each instance.

A selection by ids is read along the ids as they were given, so that an id without an instance shows up in its
place; one of all active along the instances.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import CompoundSelect, FromClause, Select, bindparam, select, union_all

from domain.decision import INSTANCE_NOT_FOUND, ReasonCode
from domain.instance import InstanceId, Position
from domain.paging import Page, PageRequest, page_of
from domain.ports import OutcomeFilter
from domain.selection import SelectionKind
from domain.upgrade import Outcome, OutcomeKind, UpgradeId
from storage.connection import Connection
from storage.decisions import ITS_DECISION, stored_code
from storage.documents import reasons_of
from storage.given import GIVEN, given
from storage.identities import Identities, parts
from storage.tables import decision, instance, outcome, selected, upgrade
from storage.types import LONG

HEADS = select(upgrade.c.id, upgrade.c.uuid, upgrade.c.selection, upgrade.c.cursor).where(
    upgrade.c.uuid.in_(select(GIVEN.c.uuid))
)
FACTS = (
    outcome.c.version,
    outcome.c.position_id,
    decision.c.to_version,
    decision.c.to_position_id,
    decision.c.reasons,
)


async def outcome_pages(
    connection: Connection,
    identities: Identities,
    upgrades: Sequence[UpgradeId],
    which: OutcomeFilter,
    page: PageRequest,
) -> Mapping[UpgradeId, Page[Outcome]]:
    heads = (await connection.execute(HEADS, given(upgrades))).all()
    listed: dict[UpgradeId, list[tuple[int, Outcome]]] = defaultdict(list)
    by_id = {head.id: head for head in heads}
    for part in parts(heads):
        bound = {"after": page.after or 0, "most": page.first + 1}
        for place, head in enumerate(part):
            bound |= {f"upgrade_{place}": head.id, f"cursor_{place}": head.cursor}
        statement = _listings(tuple(head.selection is SelectionKind.BY_IDS for head in part), which)
        rows = (await connection.execute(statement, bound)).all()
        positions = await identities.positions(positions_named(rows))
        for row in rows:
            head = by_id[row.upgrade_id]
            listed[head.uuid].append((row.key, outcome_of(row, positions)))
    # Nothing promises that the database puts the lists one behind the other.
    return {wanted: page_of(sorted(listed[wanted], key=itemgetter(0)), page.first) for wanted in upgrades}


@lru_cache(maxsize=64)
def _listings(are_by_ids: tuple[bool, ...], which: OutcomeFilter) -> CompoundSelect[Any]:
    """The outcomes of some upgrades, each along its ids or not; kept, for building it takes longest."""
    return union_all(
        *(select(_listing(place, by_ids, which).subquery()) for place, by_ids in enumerate(are_by_ids))
    )


def _listing(place: int, is_by_ids: bool, which: OutcomeFilter) -> Select[Any]:
    listing = _along_ids(place) if is_by_ids else _along_instances(place)
    key = listing.selected_columns.key
    listing = listing.where(key > bindparam("after", type_=LONG)).order_by(key).limit(bindparam("most"))
    is_skipped = decision.c.to_position_id.is_(None)
    if which.kind is OutcomeKind.UPGRADED:
        listing = listing.where(~is_skipped)
    if which.kind is OutcomeKind.SKIPPED:
        listing = listing.where(is_skipped)
    if which.reason is ReasonCode.INSTANCE_NOT_FOUND:
        listing = listing.where(outcome.c.instance_id.is_(None))
    elif which.reason is not None:
        listing = listing.where(decision.c.codes.contains(stored_code(which.reason)))
    return listing


def _along_ids(place: int) -> Select[Any]:
    its_outcome = (outcome.c.upgrade_id == selected.c.upgrade_id) & (
        outcome.c.instance_id == selected.c.instance_id
    )
    found: FromClause = selected.outerjoin(outcome, its_outcome).outerjoin(decision, ITS_DECISION)
    return (
        select(selected.c.upgrade_id, selected.c.ordinal.label("key"), selected.c.uuid, *FACTS)
        .select_from(found)
        .where(
            selected.c.upgrade_id == bindparam(f"upgrade_{place}"),
            selected.c.place <= bindparam(f"cursor_{place}"),
        )
    )


def _along_instances(place: int) -> Select[Any]:
    found = outcome.join(decision, ITS_DECISION).join(instance, instance.c.id == outcome.c.instance_id)
    return (
        select(outcome.c.upgrade_id, outcome.c.instance_id.label("key"), instance.c.uuid, *FACTS)
        .select_from(found)
        .where(outcome.c.upgrade_id == bindparam(f"upgrade_{place}"))
    )


def positions_named(rows: Sequence[Any]) -> set[int]:
    """The numbers of the positions in rows with FACTS."""
    named = {row.position_id for row in rows} | {row.to_position_id for row in rows}
    return named - {None}


def outcome_of(row: Any, positions: Mapping[int, Position]) -> Outcome:
    """The outcome of a row with a `uuid` and FACTS."""
    its_id = InstanceId(row.uuid)
    if row.version is None:
        return Outcome(instance=its_id, reasons=(INSTANCE_NOT_FOUND,))
    stayed = row.to_position_id is None
    return Outcome(
        instance=its_id,
        reasons=reasons_of(row.reasons),
        from_version=row.version,
        to_version=row.version if stayed else row.to_version,
        from_position=positions[row.position_id],
        to_position=positions[row.position_id if stayed else row.to_position_id],
    )
