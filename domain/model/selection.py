"""Selections of instances: by id, all active ones except some, or those of an earlier upgrade."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, NewType
from uuid import UUID

from uplift.domain.errors import InvalidSelection
from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.instance import InstanceId

UpgradeId = NewType("UpgradeId", UUID)

MAX_IDS = 100_000
"""Ids that one request may carry (rest.md#limits)."""


class SelectionKind(StrEnum):
    """The ways of selecting."""

    BY_IDS = "BY_IDS"
    ALL_ACTIVE = "ALL_ACTIVE"
    RETRY = "RETRY"
    UNDO = "UNDO"


@dataclass(frozen=True, slots=True, kw_only=True)
class ByIds:
    """These instances, each once, in the order of the request."""

    kind: ClassVar[SelectionKind] = SelectionKind.BY_IDS
    of: ClassVar[UpgradeId | None] = None
    reasons: ClassVar[frozenset[ReasonCode]] = frozenset()

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
    size: ClassVar[int | None] = None

    excluded: tuple[InstanceId, ...] = ()

    @property
    def named_ids(self) -> tuple[InstanceId, ...]:
        """The ids that the request names."""
        return self.excluded


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The instances that an upgrade skipped for one of these reasons."""

    kind: ClassVar[SelectionKind] = SelectionKind.RETRY
    named_ids: ClassVar[tuple[InstanceId, ...]] = ()
    size: ClassVar[int | None] = None

    of: UpgradeId
    reasons: frozenset[ReasonCode]


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """The instances that an upgrade moved, to be moved back to where it found them."""

    kind: ClassVar[SelectionKind] = SelectionKind.UNDO
    reasons: ClassVar[frozenset[ReasonCode]] = frozenset()
    named_ids: ClassVar[tuple[InstanceId, ...]] = ()
    size: ClassVar[int | None] = None

    of: UpgradeId


Selection = ByIds | AllActive
"""What a request selects by itself."""

UpgradeSelection = ByIds | AllActive | Retry | Undo
"""What an upgrade processes.

All kinds have the same members, so that no caller tests their type. `kind` names the way of selecting,
`named_ids` are the ids in the request, and `size` is the number of outcomes if the request alone determines
it. `of` and `reasons` say which outcomes of which earlier upgrade a retry or an undo selects.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionFields:
    """What the caller calls the three parts of a selection.

    Errors use these names in `message` and `field`. The defaults are those of `by_ids` and `all_active`; each
    API passes its own, because a message about two fields helps only in the words of the caller.
    """

    ids: str = "ids"
    all_active: str = "all_active"
    excluded: str = "excluded"


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


def _require_at_most(limit: int, ids: tuple[InstanceId, ...], field: str) -> None:
    if len(ids) > limit:
        raise InvalidSelection(
            f"Expected {field} to hold at most {limit:,} ids, but got {len(ids):,}.", field=(field,)
        )
