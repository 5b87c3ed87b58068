"""Reads the outcomes of upgrades.

The outcomes of a selection by ids come in the order of the request, so that an id without an instance appears
in its place. All others come in the order of registration.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sqlalchemy import Integer, bindparam, select, type_coerce

from uplift.domain.model.decision import INSTANCE_NOT_FOUND, ReasonCode, SkipReason, Verdict
from uplift.domain.model.instance import InstanceId, Position
from uplift.domain.model.order import OrderState
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.selection import LISTED, SelectionKind
from uplift.domain.model.upgrade import Outcome, OutcomeKind, UpgradeId
from uplift.domain.ports import ANY_OUTCOME, OutcomeFilter
from uplift.storage.sql.codecs import decode_reasons
from uplift.storage.sql.cohort_list import bind_cohorts
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.id_list import ID_LIST, bind_ids
from uplift.storage.sql.surrogate_keys import SurrogateKeys, UpgradeHead, batches
from uplift.storage.sql.tables import decision, upgrade
from uplift.storage.statements.bounded_search import Search, looks
from uplift.storage.statements.outcomes.bucket_outcomes import with_decisions
from uplift.storage.statements.outcomes.decisions import decisions_of
from uplift.storage.statements.outcomes.outcome_lists import ListForm, list_statement, seek_statement
from uplift.storage.statements.outcomes.tallies import AFTER_ALL

LISTED_TOGETHER = 16
"""Upgrades in one statement, at most. SQLAlchemy caches each statement, with about 40 KiB an upgrade."""
HEADS = select(upgrade.c.id, upgrade.c.uuid, upgrade.c.selection, upgrade.c.link, upgrade.c.named_ids).where(
    upgrade.c.uuid.in_(select(ID_LIST.c.uuid))
)
DECISIONS_OF_MANY = select(decision, type_coerce(decision.c.status, Integer).label("status_code")).where(
    decision.c.upgrade_id.in_(bindparam("upgrade_ids", expanding=True))
)
FEW = 10
"""SQLite lists so few instances faster on the event loop than in a thread."""
KIND_OF_STATE = {
    OrderState.ORDERED: OutcomeKind.ORDERED,
    OrderState.SENT: OutcomeKind.ORDERED,
    OrderState.CONFIRMED: OutcomeKind.UPGRADED,
}
"""The kind of outcome that follows from the state of an order; that of a refused one has a reason too."""


async def outcome_pages(
    connection: Connection,
    surrogate_keys: SurrogateKeys,
    ids: Sequence[UpgradeId],
    outcome_filter: OutcomeFilter,
    page: PageRequest,
) -> Mapping[UpgradeId, Page[Outcome]]:
    """The same page of the outcomes of each upgrade.

    An upgrade has few decisions, one for each cohort, so a filter is applied to these. Where it lets none
    through, no outcome is looked at.
    """
    heads = await _heads(connection, surrogate_keys, ids)
    searches = {head.id: Search(head.id, page.after or 0) for head in heads}
    has_buckets = connection.layout.has_buckets
    forms = {head.id: _form_of(head, has_buckets=has_buckets) for head in heads}
    shown = None
    if outcome_filter != ANY_OUTCOME:
        shown = await _shown(connection, surrogate_keys, forms, outcome_filter)
        for search in searches.values():
            not_found = forms[search.list_id].is_by_ids and outcome_filter.shows_not_found
            search.is_complete = not (not_found or search.list_id in shown.upgrade_ids)
    if shown is None:
        await _find_rows(connection, list(searches.values()), forms, None, page, {})
    else:
        incomplete = [search for search in searches.values() if not search.is_complete]
        for look in looks(len(incomplete)):
            incomplete = [search for search in incomplete if not search.is_complete]
            ends = await _ends(connection, incomplete, forms, look)
            await _find_rows(connection, incomplete, forms, shown, page, ends)
    if has_buckets:
        for search in searches.values():
            search.rows = await with_decisions(connection, search.rows)
    rows = [row for search in searches.values() for row in search.rows]
    positions = await surrogate_keys.positions(position_ids_in(rows))
    pages: dict[UpgradeId, Page[Outcome]] = {}
    for head in heads:
        search = searches[head.id]
        # UNION ALL does not keep the order of its SELECTs.
        found = sorted(search.rows, key=attrgetter("key"))
        pages[head.uuid] = search.page([(row.key, outcome_of(row, positions)) for row in found], page.first)
    return {upgrade_id: pages.get(upgrade_id, page_of((), page.first)) for upgrade_id in ids}


async def _heads(
    connection: Connection, surrogate_keys: SurrogateKeys, ids: Sequence[UpgradeId]
) -> Sequence[UpgradeHead]:
    if len(ids) == 1 and (new := surrogate_keys.new_upgrade(ids[0])) is not None:
        return [new]
    return [UpgradeHead(*row) for row in await connection.execute(HEADS, bind_ids(ids))]


def _form_of(head: UpgradeHead, *, has_buckets: bool) -> ListForm:
    has_few = head.selection is SelectionKind.BY_IDS and head.named_ids <= FEW
    return ListForm(head.selection in LISTED, head.link is not None, has_few, has_buckets)


@dataclass(frozen=True, slots=True)
class _Shown:
    """The cohorts whose outcomes a filter lets through, as parameters, and the upgrades that have some.

    Outcomes of `ordered_cohorts` are let through if their orders are in one of `order_states`, or refused for
    one of `order_codes`.
    """

    upgrade_ids: Collection[int]
    cohorts: str
    ordered_cohorts: str
    order_states: Sequence[OrderState]
    order_codes: Sequence[str]
    not_found: bool


async def _shown(
    connection: Connection,
    surrogate_keys: SurrogateKeys,
    forms: Mapping[int, ListForm],
    outcome_filter: OutcomeFilter,
) -> _Shown:
    cohorts: list[tuple[int, ...]] = []
    ordered: list[tuple[int, ...]] = []
    states = [state for state, kind in KIND_OF_STATE.items() if outcome_filter.shows_result(kind)]
    codes = [code.value for code in ReasonCode if outcome_filter.shows_result(OutcomeKind.SKIPPED, {code})]
    for batch in batches(forms):
        rows = (await connection.execute(DECISIONS_OF_MANY, {"upgrade_ids": batch})).all()
        for row, decided in zip(rows, await decisions_of(surrogate_keys, rows), strict=True):
            origin = (row.origin_version, row.origin_position_id)
            cohort = (row.upgrade_id, row.version, row.status_code, row.position_id, *origin)
            if forms[row.upgrade_id].is_linked and decided.verdict is Verdict.UPGRADE:
                if (states or codes) and outcome_filter.shows_decision(decided):
                    ordered.append(cohort)
            elif outcome_filter.shows(decided):
                cohorts.append(cohort)
    return _Shown(
        upgrade_ids={cohort[0] for cohort in (*cohorts, *ordered)},
        cohorts=bind_cohorts(cohorts),
        ordered_cohorts=bind_cohorts(ordered),
        order_states=states,
        order_codes=codes,
        not_found=outcome_filter.shows_not_found,
    )


async def _ends(
    connection: Connection, searches: Sequence[Search], forms: Mapping[int, ListForm], look: int
) -> Mapping[int, int | None]:
    """The key of the last outcome to look at of each upgrade; None if fewer remain."""
    ends: dict[int, int | None] = {}
    for batch, form in _batches(searches, forms):
        bound: dict[str, Any] = {"before_end": look - 1}
        for place, search in enumerate(batch):
            bound |= {f"upgrade_{place}": search.list_id, f"after_{place}": search.begin}
        rows = await connection.execute(seek_statement(len(batch), form.is_by_ids), bound)
        ends |= {row.upgrade_id: row.end for row in rows}
    return ends


async def _find_rows(
    connection: Connection,
    searches: Sequence[Search],
    forms: Mapping[int, ListForm],
    shown: _Shown | None,
    page: PageRequest,
    ends: Mapping[int, int | None],
) -> None:
    by_upgrade = {search.list_id: search for search in searches}
    for batch, form in _batches(searches, forms):
        bound: dict[str, Any] = {} if shown is None else {"cohorts": shown.cohorts}
        if shown is not None and form.is_linked:
            bound |= {
                "ordered_cohorts": shown.ordered_cohorts,
                "order_states": shown.order_states,
                "order_codes": shown.order_codes,
            }
        for place, search in enumerate(batch):
            bound |= {
                f"upgrade_{place}": search.list_id,
                f"after_{place}": search.begin,
                f"end_{place}": ends.get(search.list_id) or AFTER_ALL,
                f"limit_{place}": page.first + 1 - len(search.rows),
            }
        listing = list_statement(len(batch), form, shown is not None, shown is not None and shown.not_found)
        for row in (await connection.execute(listing, bound)).all():
            by_upgrade[row.upgrade_id].rows.append(row)
    for search in searches:
        end = ends.get(search.list_id)
        search.is_complete = end is None or len(search.rows) > page.first
        search.begin = search.begin if end is None else end


def _batches(
    searches: Sequence[Search], forms: Mapping[int, ListForm]
) -> Iterator[tuple[Sequence[Search], ListForm]]:
    """Group upgrades by statement."""
    by_form: dict[ListForm, list[Search]] = defaultdict(list)
    for search in searches:
        by_form[forms[search.list_id]].append(search)
    for form, several in by_form.items():
        for begin in range(0, len(several), LISTED_TOGETHER):
            yield several[begin : begin + LISTED_TOGETHER], form


def position_ids_in(rows: Sequence[Any]) -> set[int]:
    """The surrogate keys of the positions in rows with OUTCOME_COLUMNS."""
    position_ids = {row.position_id for row in rows} | {row.to_position_id for row in rows}
    return position_ids - {None}


def outcome_of(row: Any, positions: Mapping[int, Position]) -> Outcome:
    """The outcome of a row with a `uuid`, OUTCOME_COLUMNS and ORDER_COLUMNS."""
    instance_id = InstanceId(row.uuid)
    if row.version is None:
        return Outcome(instance=instance_id, reasons=(INSTANCE_NOT_FOUND,))
    is_refused = row.order_code is not None
    stayed = row.to_position_id is None or is_refused
    return Outcome(
        instance=instance_id,
        reasons=(
            (SkipReason(code=ReasonCode(row.order_code), message=row.order_message),)
            if is_refused
            else decode_reasons(row.reasons)
        ),
        is_ordered=row.order_state in (OrderState.ORDERED, OrderState.SENT),
        from_version=row.version,
        to_version=row.version if stayed else row.to_version,
        from_position=positions[row.position_id],
        to_position=positions[row.position_id if stayed else row.to_position_id],
    )
