"""The conditions by which an upgrade selects instances."""

from typing import Self

import strawberry

from uplift import domain
from uplift.graphql_api.types.enums import Status


@strawberry.type(description="The conditions by which a request selects active instances.")
class Conditions:
    versions: list[int] | None = strawberry.field(
        description="The versions to which the instances are pinned; null for any."
    )
    elements: list[str] | None = strawberry.field(
        description="The ids of elements, sorted. Each instance waits at one of them at least; null for any."
    )
    statuses: list[Status] | None = strawberry.field(
        description="The statuses of the instances; null for PENDING and RUNNING."
    )
    limit: int | None = strawberry.field(
        description="The largest number of instances, the first in the order of registration; null for all."
    )

    @classmethod
    def from_domain(cls, conditions: domain.Conditions) -> Self:
        return cls(
            versions=None if conditions.versions is None else list(conditions.versions),
            elements=None if conditions.elements is None else list(conditions.elements),
            statuses=None if conditions.statuses is None else list(conditions.statuses),
            limit=conditions.limit,
        )
