"""What does a client see of instances, one by one and counted?"""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from uplift import domain
from uplift.domain.model.paging import Page
from uplift.domain.ports import InstanceFilter
from uplift.graphql_api.context import Info
from uplift.graphql_api.types.connections import Connection
from uplift.graphql_api.types.enums import Status
from uplift.graphql_api.types.fields import field

if TYPE_CHECKING:
    from uplift.graphql_api.types.histories import HistoryEntry
    from uplift.graphql_api.types.processes import Process


ASSUMED_ENTRIES = 10
"""How many upgrades an instance is taken to have met."""


@strawberry.type(description="One run of a process, pinned to one version.")
class ProcessInstance:
    process_key: strawberry.Private[domain.ProcessKey]
    id: UUID = strawberry.field(description="The id that the engine gave it.")
    version: int = strawberry.field(description="The number of the version that it is pinned to.")
    status: Status = strawberry.field(description="What it is doing.")
    position: list[str] = strawberry.field(
        description="The elements at which it waits, sorted by id; empty if the engine has not told."
    )

    @field("The process that it runs.")
    async def process(
        self, info: Info
    ) -> Annotated["Process", strawberry.lazy("uplift.graphql_api.types.processes")]:
        from uplift.graphql_api.types.processes import show_process  # the two types lead to each other

        return show_process(await info.context.loaders.processes.load(self.process_key))

    @field(
        "What upgrades did to it, the oldest first, as long as their outcomes are kept. In the budget of an "
        f"operation an instance is taken to have met {ASSUMED_ENTRIES} upgrades.",
        items=ASSUMED_ENTRIES,
    )
    async def history(
        self, info: Info
    ) -> list[Annotated["HistoryEntry", strawberry.lazy("uplift.graphql_api.types.histories")]]:
        from uplift.graphql_api.types.histories import show_entry  # as above

        return [
            show_entry(entry)
            for entry in await info.context.loaders.histories.load(domain.InstanceId(self.id))
        ]


@strawberry.type(description="A page of the instances of a process, in the order of registration.")
class ProcessInstanceConnection(Connection[ProcessInstance]):
    process_key: strawberry.Private[domain.ProcessKey]
    which: strawberry.Private[InstanceFilter]

    @field("How many instances the whole list has at this moment. Counted only when asked for.")
    async def total_count(self, info: Info) -> int:
        cohorts = await info.context.loaders.cohorts.load(self.process_key)
        return sum(counted.count for counted in cohorts if _is_shown(counted.cohort, self.which))


@strawberry.type(
    description="All instances that share version, status and position: the rules treat them as one."
)
class Cohort:
    version: int = strawberry.field(description="The number of the version that they are pinned to.")
    status: Status = strawberry.field(description="What they are doing.")
    position: list[str] = strawberry.field(
        description="The elements at which each waits, sorted by id; empty if the engine has not told."
    )
    count: int = strawberry.field(description="How many instances there are.")


def show_instance(instance: domain.Instance) -> ProcessInstance:
    """An instance as a client sees it."""
    return ProcessInstance(
        process_key=instance.process,
        id=instance.id,
        version=instance.version,
        status=Status(instance.status),
        position=sorted(instance.position),
    )


def show_instances(
    process: domain.ProcessKey, which: InstanceFilter, page: Page[domain.Instance], *, follows_cursor: bool
) -> ProcessInstanceConnection:
    """A page of the instances of a process as a client sees it."""
    return ProcessInstanceConnection(
        page=page.map(show_instance), follows_cursor=follows_cursor, process_key=process, which=which
    )


def show_cohort(counted: domain.CountedCohort) -> Cohort:
    """A counted cohort as a client sees it."""
    return Cohort(
        version=counted.cohort.version,
        status=Status(counted.cohort.status),
        position=sorted(counted.cohort.position),
        count=counted.count,
    )


def _is_shown(cohort: domain.Cohort, which: InstanceFilter) -> bool:
    return which.status in (None, cohort.status) and which.version in (None, cohort.version)
