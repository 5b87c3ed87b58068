"""Process instances, one by one and counted by cohort."""

from typing import TYPE_CHECKING, Annotated, Self
from uuid import UUID

import strawberry

from uplift import domain
from uplift.domain.model import cohort as model
from uplift.domain.ports import InstanceFilter
from uplift.graphql_api.context import Info
from uplift.graphql_api.types.connections import Connection
from uplift.graphql_api.types.enums import Status
from uplift.graphql_api.types.fields import field
from uplift.graphql_api.types.nodes import Node

if TYPE_CHECKING:  # these modules import this one
    from uplift.graphql_api.types.processes.processes import Process
    from uplift.graphql_api.types.upgrades.histories import HistoryEntry

NODES_OF_COUNTS = 10
"""The cost of adding up the kept counts of the cohorts of a process in the node budget."""
COSTS_COUNTS = f" Costs {NODES_OF_COUNTS} nodes in the node budget."
ASSUMED_COHORTS = 50
"""How many cohorts the node budget assumes a process has."""
ASSUMED_ENTRIES = 10
"""How many upgrades the node budget assumes in the history of an instance."""


@strawberry.type(description="An instance of a process, pinned to one version.")
class ProcessInstance(Node):
    process_key: strawberry.Private[domain.ProcessKey]
    instance_id: UUID = strawberry.field(description="The id of the instance, assigned by the engine.")
    version: int = strawberry.field(description="The number of the version to which it is pinned.")
    status: Status = strawberry.field(description="The status of the instance.")
    position: list[str] = strawberry.field(
        description="The ids of the elements at which it waits, sorted; empty if the engine did not report "
        "them."
    )

    @field("The process of the instance.")
    async def process(
        self, info: Info
    ) -> Annotated["Process", strawberry.lazy("uplift.graphql_api.types.processes.processes")]:
        return await info.context.loaders.processes.load(self.process_key)

    @field(
        "What upgrades did to the instance, the oldest first. Outcomes that were pruned are missing. The "
        f"node budget assumes {ASSUMED_ENTRIES} entries.",
        items=ASSUMED_ENTRIES,
    )
    async def history(
        self, info: Info
    ) -> list[Annotated["HistoryEntry", strawberry.lazy("uplift.graphql_api.types.upgrades.histories")]]:
        return await info.context.loaders.histories.load(domain.InstanceId(self.instance_id))

    def node_id(self) -> str:
        return f"instance:{self.instance_id}"

    def cohort(self) -> domain.Cohort:
        """The cohort of the instance."""
        position = frozenset(map(domain.ElementId, self.position))
        return domain.Cohort(
            version=domain.VersionNumber(self.version), status=self.status, position=position
        )

    @classmethod
    def from_domain(cls, instance: domain.Instance) -> Self:
        return cls(
            process_key=instance.process,
            instance_id=instance.id,
            version=instance.version,
            status=instance.status,
            position=sorted(instance.position),
        )


@strawberry.type(description="A page of the instances of a process, in the order of registration.")
class ProcessInstanceConnection(Connection[ProcessInstance]):
    process_key: strawberry.Private[domain.ProcessKey]
    instance_filter: strawberry.Private[InstanceFilter]

    @field(
        "The number of instances on all pages together, added up from the counts of cohorts." + COSTS_COUNTS,
        nodes=NODES_OF_COUNTS,
    )
    async def total_count(self, info: Info) -> int:
        which = self.instance_filter
        if which.ids is None:
            cohorts = await info.context.loaders.cohorts.load(self.process_key)
            return sum(counted.count for counted in cohorts if which.shows_cohort(counted.cohort))
        named = await info.context.loaders.found_instances.load_many(list(which.ids))
        return sum(
            instance is not None
            and instance.process_key == self.process_key
            and which.shows_cohort(instance.cohort())
            for instance in named
        )


@strawberry.type(
    description="All instances of a process with the same version, status and position. The rules decide "
    "once for each cohort."
)
class Cohort:
    version: int = strawberry.field(description="The number of the version to which they are pinned.")
    status: Status = strawberry.field(description="The status of the instances.")
    position: list[str] = strawberry.field(
        description="The ids of the elements at which each instance waits, sorted; empty if the engine did "
        "not report them."
    )
    count: int = strawberry.field(description="The number of instances.")

    @classmethod
    def from_domain(cls, counted: domain.CountedCohort) -> Self:
        return cls(
            version=counted.cohort.version,
            status=counted.cohort.status,
            position=sorted(counted.cohort.position),
            count=counted.count,
        )


@strawberry.type(description="The number of active instances of a version.")
class VersionCount:
    version: int = strawberry.field(description="The number of the version.")
    pending: int = strawberry.field(description="The number of PENDING instances.")
    running: int = strawberry.field(description="The number of RUNNING instances.")

    @classmethod
    def from_domain(cls, counted: model.VersionCount) -> Self:
        return cls(version=counted.version, pending=counted.pending, running=counted.running)


@strawberry.type(
    description="The number of active instances of a version that wait at an element. An instance counts at "
    "each element of its position."
)
class TokenCount:
    element_id: str = strawberry.field(description="The id of the element.")
    pending: int = strawberry.field(description="The number of PENDING instances.")
    running: int = strawberry.field(description="The number of RUNNING instances.")

    @classmethod
    def from_domain(cls, counted: model.TokenCount) -> Self:
        return cls(element_id=counted.element, pending=counted.pending, running=counted.running)
