"""What an upgrade did to each instance."""

from typing import Self
from uuid import UUID

import strawberry

from uplift import domain
from uplift.domain.ports import ANY_OUTCOME, OutcomeFilter
from uplift.graphql_api.context import Info
from uplift.graphql_api.types.connections import Connection
from uplift.graphql_api.types.enums import OutcomeKind
from uplift.graphql_api.types.fields import field
from uplift.graphql_api.types.processes.instances import COSTS_COUNTS, NODES_OF_COUNTS, ProcessInstance
from uplift.graphql_api.types.reasons import SkipReason, reasons_from_domain


@strawberry.type(description="What an upgrade did to one instance.")
class Outcome:
    instance_id: UUID = strawberry.field(description="The id of the instance.")
    kind: OutcomeKind = strawberry.field(description="What the upgrade did to the instance.")
    reasons: list[SkipReason] = strawberry.field(
        description="Every reason why the instance was skipped; empty if it was upgraded."
    )
    from_version: int | None = strawberry.field(
        description="The number of its version before; null if the instance was not found."
    )
    to_version: int | None = strawberry.field(
        description="The number of its version afterwards; null if the instance was not found."
    )
    from_position: list[str] | None = strawberry.field(
        description="The ids of the elements at which it waited before, sorted; null if the instance was "
        "not found."
    )
    to_position: list[str] | None = strawberry.field(
        description="The ids of the elements at which it waited afterwards, sorted; null if the instance was "
        "not found."
    )

    @field(
        "The instance as it is now; null if it was not found. Counts as a node in the node budget.", nodes=1
    )
    async def instance(self, info: Info) -> ProcessInstance | None:
        if self.from_version is None:
            return None
        return await info.context.loaders.found_instances.load(domain.InstanceId(self.instance_id))

    @classmethod
    def from_domain(cls, outcome: domain.Outcome) -> Self:
        return cls(
            instance_id=outcome.instance,
            kind=outcome.kind,
            reasons=reasons_from_domain(outcome.reasons),
            from_version=outcome.from_version,
            to_version=outcome.to_version,
            from_position=_sorted(outcome.from_position),
            to_position=_sorted(outcome.to_position),
        )


@strawberry.type(description="A page of the outcomes of an upgrade, in the order of its selection.")
class OutcomeConnection(Connection[Outcome]):
    upgrade: strawberry.Private[domain.Upgrade]
    outcome_filter: strawberry.Private[OutcomeFilter]

    @field(
        "The number of outcomes on all pages together; 0 after pruning. Added up from the counts of the "
        "upgrade and, with a filter, of its decisions to skip. Null if the filter tells upgraded instances "
        "apart by `elements` or `findings`: these are not counted, so add `kinds: SKIPPED`." + COSTS_COUNTS,
        nodes=NODES_OF_COUNTS,
    )
    async def total_count(self, info: Info) -> int | None:
        if self.upgrade.pruned_at is not None:
            return 0
        if self.outcome_filter == ANY_OUTCOME:
            return self.upgrade.total + self.upgrade.unsettled
        decisions = await info.context.loaders.decisions.load(self.upgrade.id)
        return self.outcome_filter.count(self.upgrade, decisions)


def _sorted(position: domain.Position | None) -> list[str] | None:
    return None if position is None else sorted(position)
