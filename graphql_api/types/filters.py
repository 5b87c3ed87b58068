"""Inputs that restrict lists."""

from uuid import UUID

import strawberry

from uplift import domain
from uplift.domain.ports.instances import ANY_INSTANCE, MAX_LISTED, InstanceFilter
from uplift.graphql_api.types.enums import Status


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
