"""Selections of instances: by id, all active ones or those that meet conditions, or those of an upgrade."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, NewType, TypeVar
from uuid import UUID

from uplift.domain.errors import InvalidSelection
from uplift.domain.model.conditions import MAX_CONDITIONS, Conditions
from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.instance import ACTIVE, ElementId, InstanceId, Status
from uplift.domain.model.process import VersionNumber

UpgradeId = NewType("UpgradeId", UUID)
Value = TypeVar("Value")

MAX_IDS = 100_000
"""Ids that one request may carry (rest.md#limits)."""


class SelectionKind(StrEnum):
    """The ways of selecting."""

    BY_IDS = "BY_IDS"
    ALL_ACTIVE = "ALL_ACTIVE"
    RETRY = "RETRY"
    UNDO = "UNDO"
    MATCHING = "MATCHING"
    FIRST_MATCHING = "FIRST_MATCHING"


LISTED = frozenset({SelectionKind.BY_IDS, SelectionKind.FIRST_MATCHING})
"""The kinds whose instances are fixed when the upgrade is requested. Each of these gets an outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByIds:
    """These instances, each once, in the order of the request."""

    kind: ClassVar[SelectionKind] = SelectionKind.BY_IDS
    of: ClassVar[UpgradeId | None] = None
    reasons: ClassVar[frozenset[ReasonCode]] = frozenset()
    conditions: ClassVar[Conditions | None] = None

    ids: tuple[InstanceId, ...]

    @property
    def named_ids(self) -> tuple[InstanceId, ...]:
        """The ids that the request names."""
        return self.ids

    @property
    def size(self) -> int | None:
        """How many outcomes it leads to; None when only the store can count them."""
        return len(self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllActive:
    """Every instance of the process that has not ended, except these (ids that do not exist are ignored)."""

    kind: ClassVar[SelectionKind] = SelectionKind.ALL_ACTIVE
    of: ClassVar[UpgradeId | None] = None
    reasons: ClassVar[frozenset[ReasonCode]] = frozenset()
    conditions: ClassVar[Conditions | None] = None
    size: ClassVar[int | None] = None

    excluded: tuple[InstanceId, ...] = ()

    @property
    def named_ids(self) -> tuple[InstanceId, ...]:
        """The ids that the request names."""
        return self.excluded


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """The active instances of the process that meet conditions, except these.

    With a limit, the first so many of them in the order of registration, fixed when the upgrade is requested.
    Without one, those that meet the conditions when the upgrade comes to them.
    """

    of: ClassVar[UpgradeId | None] = None
    reasons: ClassVar[frozenset[ReasonCode]] = frozenset()
    size: ClassVar[int | None] = None

    conditions: Conditions
    excluded: tuple[InstanceId, ...] = ()

    @property
    def kind(self) -> SelectionKind:
        """The way of selecting."""
        return SelectionKind.MATCHING if self.conditions.limit is None else SelectionKind.FIRST_MATCHING

    @property
    def named_ids(self) -> tuple[InstanceId, ...]:
        """The ids that the request names."""
        return self.excluded


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The instances that an upgrade skipped for one of these reasons."""

    kind: ClassVar[SelectionKind] = SelectionKind.RETRY
    conditions: ClassVar[Conditions | None] = None
    named_ids: ClassVar[tuple[InstanceId, ...]] = ()
    size: ClassVar[int | None] = None

    of: UpgradeId
    reasons: frozenset[ReasonCode]


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """The instances that an upgrade moved, to be moved back to where it found them."""

    kind: ClassVar[SelectionKind] = SelectionKind.UNDO
    reasons: ClassVar[frozenset[ReasonCode]] = frozenset()
    conditions: ClassVar[Conditions | None] = None
    named_ids: ClassVar[tuple[InstanceId, ...]] = ()
    size: ClassVar[int | None] = None

    of: UpgradeId


Selection = ByIds | AllActive | Matching
"""What a request selects by itself."""

UpgradeSelection = ByIds | AllActive | Matching | Retry | Undo
"""What an upgrade processes.

All kinds have the same members, so that no caller tests their type. `kind` names the way of selecting,
`named_ids` are the ids in the request, and `size` is the number of outcomes if the request alone determines
it. `conditions` are those of a `Matching`. `of` and `reasons` say which outcomes of which earlier upgrade a
retry or an undo selects.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionFields:
    """What the caller calls the parts of a selection.

    Errors use these names in `message` and `field`. The defaults are those of the functions below; each API
    passes its own, because a message about two fields helps only in the words of the caller.
    """

    ids: str = "ids"
    all_active: str = "all_active"
    excluded: str = "excluded"
    versions: str = "versions"
    elements: str = "elements"
    statuses: str = "statuses"
    limit: str = "limit"


DEFAULT_FIELDS = SelectionFields()


def by_ids(ids: Iterable[UUID], *, fields: SelectionFields = DEFAULT_FIELDS, limit: int = MAX_IDS) -> ByIds:
    """A checked selection of instances by id; a repeated id counts once.

    Raises InvalidSelection for no ids, and for more than `limit`.
    """
    distinct = _distinct(ids)
    if not distinct:
        raise InvalidSelection(
            f"Expected {fields.ids} to hold at least one id, but it is empty.", field=(fields.ids,)
        )
    _require_at_most(limit, distinct, fields.ids)
    return ByIds(ids=distinct)


def all_active(
    excluded: Iterable[UUID] = (), *, fields: SelectionFields = DEFAULT_FIELDS, limit: int = MAX_IDS
) -> AllActive:
    """A checked selection of all active instances except some. Raises InvalidSelection above `limit` ids."""
    distinct = _distinct(excluded)
    _require_at_most(limit, distinct, fields.excluded)
    return AllActive(excluded=distinct)


def matching(
    *,
    versions: Iterable[int] | None = None,
    elements: Iterable[str] | None = None,
    statuses: Iterable[Status] | None = None,
    limit: int | None = None,
    excluded: Iterable[UUID] = (),
    fields: SelectionFields = DEFAULT_FIELDS,
    max_ids: int = MAX_IDS,
) -> Matching:
    """A checked selection of the active instances that meet conditions, except some; see `Conditions`.

    Raises InvalidSelection for an empty list, a status of instances that have ended, more than MAX_CONDITIONS
    versions and elements, a limit below 1 or above `max_ids`, and more than `max_ids` excluded ids. Whether
    versions and elements exist is checked when the upgrade is planned or requested.
    """
    numbers = _distinct_values(versions, fields.versions)
    element_ids = _distinct_values(elements, fields.elements)
    chosen = _distinct_values(statuses, fields.statuses)
    named = len(numbers or ()) + len(element_ids or ())
    if named > MAX_CONDITIONS:
        raise InvalidSelection(
            f"Expected {fields.versions} and {fields.elements} to hold at most {MAX_CONDITIONS:,} values in "
            f"all, but got {named:,}.",
            field=(fields.versions, fields.elements),
        )
    for status in chosen or ():
        if status not in ACTIVE:
            raise InvalidSelection(
                f"Expected {fields.statuses} to be among PENDING and RUNNING, but got {status.value}.",
                field=(fields.statuses,),
            )
    if limit is not None and not 1 <= limit <= max_ids:
        raise InvalidSelection(
            f"Expected {fields.limit} to be between 1 and {max_ids:,}, but got {limit:,}.",
            field=(fields.limit,),
        )
    distinct = _distinct(excluded)
    _require_at_most(max_ids, distinct, fields.excluded)
    return Matching(
        conditions=Conditions(
            versions=None if numbers is None else tuple(map(VersionNumber, sorted(numbers))),
            elements=None if element_ids is None else tuple(map(ElementId, sorted(element_ids))),
            statuses=None if chosen is None else tuple(status for status in Status if status in chosen),
            limit=limit,
        ),
        excluded=distinct,
    )


def selection_from(
    *,
    ids: Iterable[UUID] | None,
    every_active: bool | None,
    excluded: Iterable[UUID] | None,
    fields: SelectionFields = DEFAULT_FIELDS,
) -> Selection:
    """The selection that three optional parts of a request make up.

    `None`, empty and `False` count as absent. Raises InvalidSelection unless the parts select in exactly one
    way, with exclusions only beside all active instances (rules.md#the-request).
    """
    named_ids, excluded_ids = tuple(ids or ()), tuple(excluded or ())
    if named_ids and every_active:
        raise InvalidSelection(
            f"Expected either {fields.ids} or {fields.all_active}, but got both.",
            field=(fields.ids, fields.all_active),
        )
    if excluded_ids and not every_active:
        raise InvalidSelection(
            f"Expected {fields.excluded} only together with {fields.all_active}, "
            f"but {fields.all_active} is not set.",
            field=(fields.excluded,),
        )
    if not named_ids and not every_active:
        raise InvalidSelection(
            f"Expected {fields.ids} with at least one id, or {fields.all_active}, but got neither.",
            field=(fields.ids, fields.all_active),
        )
    return all_active(excluded_ids, fields=fields) if every_active else by_ids(named_ids, fields=fields)


def _distinct(ids: Iterable[UUID]) -> tuple[InstanceId, ...]:
    return tuple(dict.fromkeys(map(InstanceId, ids)))


def _distinct_values(values: Iterable[Value] | None, field: str) -> Sequence[Value] | None:
    """The values, each once; None for None. Raises InvalidSelection for an empty list."""
    if values is None:
        return None
    distinct = list(dict.fromkeys(values))
    if not distinct:
        raise InvalidSelection(
            f"Expected {field} to hold at least one value, but it is empty.", field=(field,)
        )
    return distinct


def _require_at_most(limit: int, ids: tuple[InstanceId, ...], field: str) -> None:
    if len(ids) > limit:
        raise InvalidSelection(
            f"Expected {field} to hold at most {limit:,} ids, but got {len(ids):,}.", field=(field,)
        )
