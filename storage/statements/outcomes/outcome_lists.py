"""Builds the statements that list outcomes."""

from functools import lru_cache, partial
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
    union_all,
)

from uplift.storage.sql.cohort_list import COHORT, cohorts_in
from uplift.storage.sql.tables import decision, instance, move_order, outcome, selected
from uplift.storage.sql.types import LONG
from uplift.storage.sqlite.prepared import RUN_INLINE
from uplift.storage.statements.outcomes.bucket_outcomes import along_ids, along_instances, with_ids
from uplift.storage.statements.outcomes.decisions import IS_DECISION_OF_OUTCOME, is_decision_of
from uplift.storage.statements.outcomes.processed import IS_PROCESSED

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


class ListForm(NamedTuple):
    """Which statement lists the outcomes of an upgrade.

    `is_by_ids` says whether its instances are listed in `selected`, `is_linked` whether they have orders,
    `has_few` whether they are so few that SQLite lists them on the event loop, and `has_buckets` whether
    outcomes lie in buckets, apart from decisions.
    """

    is_by_ids: bool
    is_linked: bool
    has_few: bool
    has_buckets: bool


@lru_cache(maxsize=64)
def seek_statement(count: int, is_by_ids: bool) -> CompoundSelect[Any]:
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
def list_statement(count: int, form: ListForm, is_filtered: bool, not_found: bool) -> CompoundSelect[Any]:
    """The statement that lists the outcomes of `count` upgrades. Building it takes longer than running it."""
    if form.has_buckets:
        in_buckets = (
            _in_buckets(place, form, is_filtered=is_filtered, not_found=not_found) for place in range(count)
        )
        return union_all(*(select(listing.subquery()) for listing in in_buckets))
    listing = partial(_along_ids, not_found=not_found) if form.is_by_ids else _along_instances
    shown = (IS_SHOWN_OF_LINK if form.is_linked else IS_SHOWN) if is_filtered else None
    listed = union_all(
        *(
            select(listing(place, is_linked=form.is_linked, is_shown=shown).subquery())
            for place in range(count)
        )
    )
    return listed.execution_options(**RUN_INLINE) if form.has_few and count == 1 else listed


def _in_buckets(place: int, form: ListForm, *, is_filtered: bool, not_found: bool) -> Select[Any]:
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
