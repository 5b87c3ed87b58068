"""Which instances a request means: some by id, all active ones except some, those of an earlier upgrade."""

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
"""Most ids that one request may carry (rest.md#limits)."""


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

WorkedSelection = ByIds | AllActive | Retry | Undo
"""What an upgrade processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionFields:
    """How a front door calls the three parts of a selection, so that an error names what its caller wrote."""

    ids: str = "instanceIds"
    all_active: str = "allActive"
    excluded: str = "except"


DEFAULT_FIELDS = SelectionFields()


def by_ids(ids: Iterable[UUID], *, fields: SelectionFields = DEFAULT_FIELDS, most: int = MAX_IDS) -> ByIds:
    """A checked selection of instances by id; an id given twice counts once.

    Raises InvalidSelection when there are none, or more than `most`.
    """
    chosen = _once(ids)
    if not chosen:
        raise InvalidSelection(
            f"Expected {fields.ids} to hold at least one id, but it is empty.", field=(fields.ids,)
        )
    return ByIds(ids=_must_be_few(chosen, fields.ids, most))


def all_active(
    excluded: Iterable[UUID] = (), *, fields: SelectionFields = DEFAULT_FIELDS, most: int = MAX_IDS
) -> AllActive:
    """A checked selection of all active instances except some. Raises InvalidSelection above `most` ids."""
    return AllActive(excluded=_must_be_few(_once(excluded), fields.excluded, most))


def one_way_of_selecting(
    *,
    ids: Iterable[UUID] | None,
    every_active: bool | None,
    excluded: Iterable[UUID] | None,
    fields: SelectionFields = DEFAULT_FIELDS,
) -> Selection:
    """The selection that three optional parts of a request amount to.

    `None`, empty and `False` count as absent. Raises InvalidSelection unless exactly one way of selecting
    remains, with exclusions only beside all active (rules.md#the-request).
    """
    chosen, spared = tuple(ids or ()), tuple(excluded or ())
    if chosen and every_active:
        raise InvalidSelection(
            f"Expected either {fields.ids} or {fields.all_active}, but got both.",
            field=(fields.ids, fields.all_active),
        )
    if spared and not every_active:
        raise InvalidSelection(
            f"Expected {fields.excluded} only together with {fields.all_active}, "
            f"but {fields.all_active} is not set.",
            field=(fields.excluded,),
        )
    if not chosen and not every_active:
        raise InvalidSelection(
            f"Expected {fields.ids} with at least one id, or {fields.all_active}, but got neither.",
            field=(fields.ids, fields.all_active),
        )
    return all_active(spared, fields=fields) if every_active else by_ids(chosen, fields=fields)


def _once(ids: Iterable[UUID]) -> tuple[InstanceId, ...]:
    return tuple(dict.fromkeys(InstanceId(given) for given in ids))


def _must_be_few(ids: tuple[InstanceId, ...], field: str, most: int) -> tuple[InstanceId, ...]:
    if len(ids) > most:
        raise InvalidSelection(
            f"Expected {field} to hold at most {most:,} ids, but got {len(ids):,}.", field=(field,)
        )
    return ids
