"""Processes, with their versions and instances."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from uplift import domain
from uplift.domain.model.cohort import active_by_version, count_active
from uplift.domain.model.mapping import MAX_INSTRUCTIONS
from uplift.domain.ports import ProcessFilter
from uplift.domain.use_cases.compare import compare_versions
from uplift.graphql_api.context import Info
from uplift.graphql_api.engine.budget import require_within_budget
from uplift.graphql_api.types.connections import DEFAULT_PAGE_SIZE, After, Connection, First, page_of
from uplift.graphql_api.types.enums import VersionState
from uplift.graphql_api.types.fields import field
from uplift.graphql_api.types.inputs.filters import (
    COSTS_A_FILTER,
    NODES_OF_A_FILTER,
    InstanceFilterInput,
    instance_filter_of,
)
from uplift.graphql_api.types.inputs.inputs import NODES_OF_AN_INSTRUCTION, MappingInstructionInput
from uplift.graphql_api.types.nodes import Node
from uplift.graphql_api.types.processes.comparisons import VersionComparison
from uplift.graphql_api.types.processes.instances import (
    ASSUMED_COHORTS,
    COSTS_COUNTS,
    NODES_OF_COUNTS,
    Cohort,
    ProcessInstanceConnection,
    VersionCount,
)
from uplift.graphql_api.types.processes.versions import NODES_OF_A_DOCUMENT, Version

if TYPE_CHECKING:  # it imports this module
    from uplift.graphql_api.types.upgrades.upgrades import Upgrade

NODES_OF_AN_UPGRADE = 10
"""The cost of `lastUpgrade` in the node budget: it leads back to the process."""
ASSUMED_VERSIONS = 3
"""How many versions the node budget assumes before they are read."""
NODES_OF_A_COUNT = 100
"""The cost of counting the processes of a list in the node budget."""


@strawberry.type(description="A process with its versions and instances, named by namespace and code.")
class Process(Node):
    key: strawberry.Private[domain.ProcessKey]
    latest_published: strawberry.Private[domain.VersionNumber | None]
    namespace: str = strawberry.field(description="The code of the workspace of the process.")
    code: str = strawberry.field(description="The code of the process, unique in its namespace.")
    title: str = strawberry.field(description="The title of the process.")
    created_at: datetime = strawberry.field(description="When the process was created.")

    @field(
        f"All versions, sorted by number. The node budget assumes {ASSUMED_VERSIONS}; a longer list is "
        "checked again with its real length.",
        items=ASSUMED_VERSIONS,
    )
    async def versions(self, info: Info) -> list[Version]:
        versions = await info.context.loaders.versions.load(self.key)
        require_within_budget(info, items=len(versions))
        return versions

    @field("The version with this number, or null if there is none.")
    async def version(
        self,
        info: Info,
        number: Annotated[int, strawberry.argument(description="The number of the version, from 1.")],
    ) -> Version | None:
        return await self._version(info, number)

    @field("The version to which instances are upgraded; null if no version is published.")
    async def latest_published_version(self, info: Info) -> Version | None:
        return await self._version(info, self.latest_published)

    @field(
        "The differences between two versions, which may be drafts; null if one of them does not exist. "
        f"Costs {2 * NODES_OF_A_DOCUMENT:,} nodes in the node budget, because it reads two documents, and "
        f"{NODES_OF_AN_INSTRUCTION} for each instruction.",
        nodes=2 * NODES_OF_A_DOCUMENT,
        per={"instructions": NODES_OF_AN_INSTRUCTION},
    )
    async def comparison(
        self,
        info: Info,
        from_version: Annotated[int, strawberry.argument(description="The number of the source version.")],
        to_version: Annotated[
            int | None,
            strawberry.argument(
                description="The number of the target version; by default the latest published one."
            ),
        ] = None,
        instructions: Annotated[
            list[MappingInstructionInput] | None,
            strawberry.argument(
                description="Instructions that override or extend the generated mapping, as an upgrade takes "
                f"them, at most {MAX_INSTRUCTIONS:,}. Those that break a rule are among the errors."
            ),
        ] = None,
    ) -> VersionComparison | None:
        source = domain.VersionNumber(from_version)
        instructed = tuple(instruction.instruction() for instruction in instructions or ())
        compared = await compare_versions(
            info.context.store,
            process=self.key,
            from_version=source,
            to_version=None if to_version is None else domain.VersionNumber(to_version),
            instructions=instructed,
            comparer=info.context.worker.comparer,
        )
        if compared is None:
            return None
        return VersionComparison.from_domain(self.key, source, compared, instructed)

    @field(
        "The instances, in the order of registration. A page looks at a bounded number of instances, so with "
        "a filter it may be short, or empty, although `hasNextPage` is true." + COSTS_A_FILTER,
        per={"filter": NODES_OF_A_FILTER},
    )
    async def instances(
        self,
        info: Info,
        filter_: Annotated[
            InstanceFilterInput | None,
            strawberry.argument(name="filter", description="Only instances that meet these conditions."),
        ] = None,
        first: First = DEFAULT_PAGE_SIZE,
        after: After = None,
    ) -> ProcessInstanceConnection:
        instance_filter = instance_filter_of(filter_)
        page = await info.context.loaders.instance_pages.load(
            (self.key, instance_filter, page_of(first, after))
        )
        return ProcessInstanceConnection(
            page=page,
            follows_cursor=after is not None,
            process_key=self.key,
            instance_filter=instance_filter,
        )

    @field(
        "All instances, counted by version, status and position. The node budget assumes "
        f"{ASSUMED_COHORTS} cohorts.",
        items=ASSUMED_COHORTS,
    )
    async def cohorts(self, info: Info) -> list[Cohort]:
        counted = await info.context.loaders.cohorts.load(self.key)
        cohorts = map(Cohort.from_domain, counted)
        return sorted(cohorts, key=lambda cohort: (cohort.version, cohort.status, cohort.position))

    @field("The number of active instances: PENDING and RUNNING ones." + COSTS_COUNTS, nodes=NODES_OF_COUNTS)
    async def active_count(self, info: Info) -> int:
        return count_active(await info.context.loaders.cohorts.load(self.key))

    @field(
        "The number of active instances on versions before the latest published one; 0 if no version is "
        "published." + COSTS_COUNTS,
        nodes=NODES_OF_COUNTS,
    )
    async def outdated_count(self, info: Info) -> int:
        if self.latest_published is None:
            return 0
        counted = await info.context.loaders.cohorts.load(self.key)
        return count_active(counted, before=self.latest_published)

    @field(
        "The number of active instances of each version that has some, sorted by version." + COSTS_COUNTS,
        nodes=NODES_OF_COUNTS,
    )
    async def active_by_version(self, info: Info) -> list[VersionCount]:
        counted = await info.context.loaders.cohorts.load(self.key)
        return list(map(VersionCount.from_domain, active_by_version(counted)))

    @field("The draft of the next version; null if there is none.")
    async def draft(self, info: Info) -> Version | None:
        versions = await info.context.loaders.versions.load(self.key)
        return next((version for version in versions if version.state is VersionState.DRAFT), None)

    @field(
        "The newest upgrade of the process; null if there is none. Costs "
        f"{NODES_OF_AN_UPGRADE} nodes in the node budget.",
        nodes=NODES_OF_AN_UPGRADE,
    )
    async def last_upgrade(
        self, info: Info
    ) -> Annotated["Upgrade", strawberry.lazy("uplift.graphql_api.types.upgrades.upgrades")] | None:
        return await info.context.loaders.latest_upgrades.load(self.key)

    def node_id(self) -> str:
        return f"process:{self.key}"

    @classmethod
    def from_domain(cls, process: domain.Process) -> Self:
        return cls(
            key=process.key,
            latest_published=process.latest_published,
            namespace=process.key.namespace,
            code=process.key.code,
            title=process.title,
            created_at=process.created_at,
        )

    async def _version(self, info: Info, number: int | None) -> Version | None:
        versions = await info.context.loaders.versions.load(self.key)
        return next((version for version in versions if version.number == number), None)


@strawberry.type(description="A page of processes.")
class ProcessConnection(Connection[Process]):
    process_filter: strawberry.Private[ProcessFilter]

    @field(
        "The number of processes on all pages together. Counted only if requested, and costs "
        f"{NODES_OF_A_COUNT} nodes in the node budget.",
        nodes=NODES_OF_A_COUNT,
    )
    async def total_count(self, info: Info) -> int:
        return await info.context.store.processes.count(self.process_filter)
