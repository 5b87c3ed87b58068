"""Inputs that restrict lists."""

from datetime import datetime
from uuid import UUID

import strawberry

from uplift import domain
from uplift.domain.ports.instances import ANY_INSTANCE, MAX_LISTED, InstanceFilter
from uplift.domain.ports.upgrades import ANY_OUTCOME, ANY_UPGRADE, OutcomeFilter, UpgradeFilter
from uplift.graphql_api.types.enums import (
    FindingCode,
    OutcomeKind,
    ReasonCode,
    SelectionKind,
    Status,
    UpgradeState,
)

NODES_OF_A_FILTER = 10
"""The cost of a filter in the node budget: the page looks at up to 1,000 rows of each list at least."""
COSTS_A_FILTER = f" The filter costs {NODES_OF_A_FILTER} nodes in the node budget."


@strawberry.input(
    description="Restricts a list of instances to those that meet all conditions. A condition that is null "
    f"or absent lets all through, and an empty one none. At most {MAX_LISTED:,} values each."
)
class InstanceFilterInput:
    statuses: list[Status] | None = strawberry.field(
        default=None, description="Only instances with one of these statuses."
    )
    versions: list[int] | None = strawberry.field(
        default=None, description="Only instances that are pinned to a version with one of these numbers."
    )
    elements: list[str] | None = strawberry.field(
        default=None,
        description="Only instances that wait at an element with one of these ids, alone or among others.",
    )
    ids: list[UUID] | None = strawberry.field(
        default=None, description="Only instances with one of these ids."
    )


def instance_filter_of(filter_: InstanceFilterInput | None) -> InstanceFilter:
    """The filter that a client requests. Raises InvalidInput if it has too many values."""
    if filter_ is None:
        return ANY_INSTANCE
    statuses, versions, elements, ids = filter_.statuses, filter_.versions, filter_.elements, filter_.ids
    return InstanceFilter(
        statuses=None if statuses is None else frozenset(statuses),
        versions=None if versions is None else frozenset(map(domain.VersionNumber, versions)),
        elements=None if elements is None else frozenset(map(domain.ElementId, elements)),
        ids=None if ids is None else frozenset(map(domain.InstanceId, ids)),
    )


@strawberry.input(
    description="Restricts a list of upgrades to those that meet all conditions. A condition that is null or "
    "absent lets all through, and an empty one none."
)
class UpgradeFilterInput:
    states: list[UpgradeState] | None = strawberry.field(
        default=None, description="Only upgrades in one of these states."
    )
    kinds: list[SelectionKind] | None = strawberry.field(
        default=None, description="Only upgrades that select instances in one of these ways."
    )
    requested_by: str | None = strawberry.field(
        default=None, description="Only upgrades that the API key with exactly this name requested."
    )
    since: datetime | None = strawberry.field(
        default=None, description="Only upgrades that were requested at this time or later."
    )


def upgrade_filter_of(filter_: UpgradeFilterInput | None) -> UpgradeFilter:
    """The filter that a client requests."""
    if filter_ is None:
        return ANY_UPGRADE
    return UpgradeFilter(
        states=None if filter_.states is None else frozenset(filter_.states),
        kinds=None if filter_.kinds is None else frozenset(filter_.kinds),
        requested_by=filter_.requested_by,
        since=filter_.since,
    )


@strawberry.input(
    description="Restricts a list of outcomes to those that meet all conditions. A condition that is null or "
    "absent lets all through, and an empty one none."
)
class OutcomeFilterInput:
    kinds: list[OutcomeKind] | None = strawberry.field(
        default=None, description="Only outcomes of one of these kinds."
    )
    reasons: list[ReasonCode] | None = strawberry.field(
        default=None,
        description="Only instances that were skipped for one of these reasons, alone or among others.",
    )
    elements: list[str] | None = strawberry.field(
        default=None,
        description="Only instances that waited at an element with one of these ids before, alone or among "
        f"others. At most {MAX_LISTED:,} ids.",
    )
    findings: list[FindingCode] | None = strawberry.field(
        default=None,
        description="Only instances whose decision has a finding with one of these codes: an error that made "
        "their position INCOMPATIBLE, or a warning.",
    )


def outcome_filter_of(filter_: OutcomeFilterInput | None) -> OutcomeFilter:
    """The filter that a client requests. Raises InvalidInput if it has too many elements."""
    if filter_ is None:
        return ANY_OUTCOME
    kinds, reasons, elements, findings = filter_.kinds, filter_.reasons, filter_.elements, filter_.findings
    return OutcomeFilter(
        kinds=None if kinds is None else frozenset(kinds),
        reasons=None if reasons is None else frozenset(reasons),
        elements=None if elements is None else frozenset(map(domain.ElementId, elements)),
        findings=None if findings is None else frozenset(findings),
    )
