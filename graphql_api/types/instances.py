"""Process instances, one by one and counted by cohort."""

from typing import TYPE_CHECKING, Annotated, Self
from uuid import UUID

import strawberry

from uplift import domain
from uplift.domain.ports import InstanceFilter
from uplift.graphql_api.context import Info
from uplift.graphql_api.types.connections import Connection
from uplift.graphql_api.types.enums import Status
from uplift.graphql_api.types.fields import field
from uplift.graphql_api.types.nodes import Node

if TYPE_CHECKING:  # these modules import this one
    from uplift.graphql_api.types.processes import Process
    from uplift.graphql_api.types.upgrades import HistoryEntry

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
    ) -> Annotated["Process", strawberry.lazy("uplift.graphql_api.types.processes")]:
        return await info.context.loaders.processes.load(self.process_key)

    @field(
        "What upgrades did to the instance, the oldest first. Outcomes that were pruned are missing. The "
        f"node budget assumes {ASSUMED_ENTRIES} entries.",
        items=ASSUMED_ENTRIES,
    )
    async def history(
        self, info: Info
    ) -> list[Annotated["HistoryEntry", strawberry.lazy("uplift.graphql_api.types.upgrades")]]:
        return await info.context.loaders.histories.load(domain.InstanceId(self.instance_id))

    def node_id(self) -> str:
        return f"instance:{self.instance_id}"

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

    @field("The number of instances on all pages together. Counted only if requested.")
    async def total_count(self, info: Info) -> int:
        status, version = self.instance_filter.status, self.instance_filter.version
        cohorts = await info.context.loaders.cohorts.load(self.process_key)
        return sum(
            cohort.count
            for cohort in cohorts
            if status in (None, cohort.status) and version in (None, cohort.version)
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
