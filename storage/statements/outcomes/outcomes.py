"""Reads the outcomes of upgrades.

The outcomes of a selection by ids come in the order of the request, so that an id without an instance appears
in its place. All others come in the order of registration.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    null,
    or_,
    select,
    tuple_,
    type_coerce,
    union_all,
)

from uplift.domain.model.decision import INSTANCE_NOT_FOUND, ReasonCode, SkipReason, Verdict
from uplift.domain.model.instance import InstanceId, Position
from uplift.domain.model.order import OrderState
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.selection import LISTED, SelectionKind
from uplift.domain.model.upgrade import Outcome, OutcomeKind, UpgradeId
from uplift.domain.ports import ANY_OUTCOME, OutcomeFilter
from uplift.storage.sql.codecs import decode_reasons
from uplift.storage.sql.cohort_list import COHORT, bind_cohorts, cohorts_in
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.id_list import ID_LIST, bind_ids
from uplift.storage.sql.surrogate_keys import SurrogateKeys, UpgradeHead, batches
from uplift.storage.sql.tables import decision, instance, move_order, outcome, selected, upgrade
from uplift.storage.sql.types import LONG
from uplift.storage.sqlite.prepared import RUN_INLINE
from uplift.storage.statements.bounded_search import Search, looks
from uplift.storage.statements.outcomes.bucket_outcomes import (
    along_ids,
    along_instances,
    with_decisions,
    with_ids,
)
from uplift.storage.statements.outcomes.decisions import IS_DECISION_OF_OUTCOME, decisions_of, is_decision_of
from uplift.storage.statements.outcomes.processed import IS_PROCESSED

LISTED_TOGETHER = 16
"""Upgrades in one statement, at most. SQLAlchemy caches each statement, with about 40 KiB an upgrade."""
HEADS = select(upgrade.c.id, upgrade.c.uuid, upgrade.c.selection, upgrade.c.link, upgrade.c.named_ids).where(
    upgrade.c.uuid.in_(select(ID_LIST.c.uuid))
)
DECIDED_COLUMNS = (decision.c.to_version, decision.c.to_position_id, decision.c.reasons)
OUTCOME_COLUMNS = (outcome.c.version, outcome.c.position_id, *DECIDED_COLUMNS)
ORDER_COLUMNS = (
    move_order.c.state.label("order_state"),
    move_order.c.code.label("order_code"),
    move_order.c.message.label("order_message"),
)
NO_ORDER = tuple(null().label(column.key) for column in ORDER_COLUMNS)
"""Stands for ORDER_COLUMNS in the outcomes of upgrades without a link, which do not read orders."""
IS_ORDER_OF_OUTCOME = and_(
    move_order.c.upgrade_id == outcome.c.upgrade_id, move_order.c.instance_id == outcome.c.instance_id
)
DECISIONS_OF_MANY = select(decision, type_coerce(decision.c.status, Integer).label("status_code")).where(
    decision.c.upgrade_id.in_(bindparam("upgrade_ids", expanding=True))
)
COHORT_OF_OUTCOME = tuple_(*(outcome.c[name] for name in COHORT))
IS_SHOWN = COHORT_OF_OUTCOME.in_(cohorts_in("cohorts"))
IS_SHOWN_OF_LINK = or_(
    and_(move_order.c.state.is_(None), IS_SHOWN),
    and_(
        COHORT_OF_OUTCOME.in_(cohorts_in("ordered_cohorts")),
        or_(
            move_order.c.state.in_(bindparam("order_states", expanding=True)),
            move_order.c.code.in_(bindparam("order_codes", expanding=True)),
        ),
    ),
)
"""The outcomes of a linked upgrade that a filter lets through: by their decision, or also by their order."""
AFTER_ALL = 2**63 - 1
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


class _Form(NamedTuple):
    """Which statement lists the outcomes of an upgrade.

    `is_by_ids` says whether its instances are listed in `selected`, `is_linked` whether they have orders,
    `has_few` whether they are so few that SQLite lists them on the event loop, and `has_buckets` whether
    outcomes lie in buckets, apart from decisions.
    """

    is_by_ids: bool
    is_linked: bool
    has_few: bool
    has_buckets: bool


def _form_of(head: UpgradeHead, *, has_buckets: bool) -> _Form:
    has_few = head.selection is SelectionKind.BY_IDS and head.named_ids <= FEW
    return _Form(head.selection in LISTED, head.link is not None, has_few, has_buckets)


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
    forms: Mapping[int, _Form],
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
    connection: Connection, searches: Sequence[Search], forms: Mapping[int, _Form], look: int
) -> Mapping[int, int | None]:
    """The key of the last outcome to look at of each upgrade; None if fewer remain."""
    ends: dict[int, int | None] = {}
    for batch, form in _batches(searches, forms):
        bound: dict[str, Any] = {"before_end": look - 1}
        for place, search in enumerate(batch):
            bound |= {f"upgrade_{place}": search.list_id, f"after_{place}": search.begin}
        rows = await connection.execute(_seeks(len(batch), form.is_by_ids), bound)
        ends |= {row.upgrade_id: row.end for row in rows}
    return ends


async def _find_rows(
    connection: Connection,
    searches: Sequence[Search],
    forms: Mapping[int, _Form],
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
        listing = _listings(len(batch), form, shown is not None, shown is not None and shown.not_found)
        for row in (await connection.execute(listing, bound)).all():
            by_upgrade[row.upgrade_id].rows.append(row)
    for search in searches:
        end = ends.get(search.list_id)
        search.is_complete = end is None or len(search.rows) > page.first
        search.begin = search.begin if end is None else end


def _batches(
    searches: Sequence[Search], forms: Mapping[int, _Form]
) -> Iterator[tuple[Sequence[Search], _Form]]:
    """Group upgrades by statement."""
    by_form: dict[_Form, list[Search]] = defaultdict(list)
    for search in searches:
        by_form[forms[search.list_id]].append(search)
    for form, several in by_form.items():
        for begin in range(0, len(several), LISTED_TOGETHER):
            yield several[begin : begin + LISTED_TOGETHER], form


@lru_cache(maxsize=64)
def _seeks(count: int, is_by_ids: bool) -> CompoundSelect[Any]:
    """The statement that finds the last outcome to look at of each of `count` upgrades."""
    return union_all(*(_seek(place, selected if is_by_ids else outcome) for place in range(count)))


def _seek(place: int, table: Table) -> Select[Any]:
    upgrade_id: BindParameter[int] = bindparam(f"upgrade_{place}", type_=Integer)
    key = selected.c.ordinal if table is selected else outcome.c.instance_id
    end = (
        select(key)
        .where(table.c.upgrade_id == upgrade_id, key > bindparam(f"after_{place}", type_=LONG))
        .order_by(key)
        .limit(1)
        .offset(bindparam("before_end"))
    )
    return select(upgrade_id.label("upgrade_id"), end.scalar_subquery().label("end"))


@lru_cache(maxsize=64)
def _listings(count: int, form: _Form, is_filtered: bool, not_found: bool) -> CompoundSelect[Any]:
    """The statement that lists the outcomes of `count` upgrades. Building it takes longer than running it."""
    if form.has_buckets:
        in_buckets = (
            _in_buckets(place, form, is_filtered=is_filtered, not_found=not_found) for place in range(count)
        )
        return union_all(*(select(listing.subquery()) for listing in in_buckets))
    listing = partial(_along_ids, not_found=not_found) if form.is_by_ids else _along_instances
    shown = (IS_SHOWN_OF_LINK if form.is_linked else IS_SHOWN) if is_filtered else None
    listings = union_all(
        *(
            select(listing(place, is_linked=form.is_linked, is_shown=shown).subquery())
            for place in range(count)
        )
    )
    return listings.execution_options(**RUN_INLINE) if form.has_few and count == 1 else listings


def _in_buckets(place: int, form: _Form, *, is_filtered: bool, not_found: bool) -> Select[Any]:
    if form.is_by_ids:
        return _part(*along_ids(place, is_filtered=is_filtered, not_found=not_found), place)
    return with_ids(_part(*along_instances(place, is_filtered=is_filtered), place))


def _part(listing: Select[Any], key: ColumnElement[int], place: int) -> Select[Any]:
    """The part of a list between two keys, up to a number of rows."""
    return (
        listing.where(
            key > bindparam(f"after_{place}", type_=LONG), key <= bindparam(f"end_{place}", type_=LONG)
        )
        .order_by(key)
        .limit(bindparam(f"limit_{place}"))
    )


def _along_ids(
    place: int, *, is_linked: bool, is_shown: ColumnElement[bool] | None, not_found: bool
) -> Select[Any]:
    recorded = (outcome.c.upgrade_id == selected.c.upgrade_id) & (
        outcome.c.instance_id == selected.c.instance_id
    )
    found: FromClause = selected.outerjoin(outcome, recorded).outerjoin(decision, IS_DECISION_OF_OUTCOME)
    if is_linked:
        found = found.outerjoin(move_order, IS_ORDER_OF_OUTCOME)
    listing = (
        select(selected.c.upgrade_id, selected.c.ordinal.label("key"), selected.c.uuid, *OUTCOME_COLUMNS)
        .add_columns(*(ORDER_COLUMNS if is_linked else NO_ORDER))
        .select_from(found)
        .where(selected.c.upgrade_id == bindparam(f"upgrade_{place}"), IS_PROCESSED)
    )
    if is_shown is not None:
        is_absent = outcome.c.instance_id.is_(None)
        listing = listing.where(or_(is_shown, is_absent) if not_found else is_shown)
    return _part(listing, selected.c.ordinal, place)


def _along_instances(place: int, *, is_linked: bool, is_shown: ColumnElement[bool] | None) -> Select[Any]:
    # The rows of the page first: a join before the LIMIT tempts PostgreSQL to read all outcomes.
    walked = select(outcome, *(ORDER_COLUMNS if is_linked else NO_ORDER)).where(
        outcome.c.upgrade_id == bindparam(f"upgrade_{place}")
    )
    if is_linked:
        walked = walked.outerjoin_from(outcome, move_order, IS_ORDER_OF_OUTCOME)
    if is_shown is not None:
        walked = walked.where(is_shown)
    walked = _part(walked, outcome.c.instance_id, place)
    shown = walked.subquery("shown")
    return (
        select(
            shown.c.upgrade_id,
            shown.c.instance_id.label("key"),
            instance.c.uuid,
            shown.c.version,
            shown.c.position_id,
            *DECIDED_COLUMNS,
            *(shown.c[column.key] for column in ORDER_COLUMNS),
        )
        .join_from(shown, decision, is_decision_of(decision, shown))
        .join(instance, instance.c.id == shown.c.instance_id)
    )


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
