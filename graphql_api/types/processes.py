"""What does a client see of a process, and what does it lead to?"""

from datetime import datetime
from typing import Annotated

import strawberry

from uplift import domain
from uplift.domain.model.paging import page_request
from uplift.domain.ports import InstanceFilter
from uplift.domain.use_cases.compare import compare_versions
from uplift.graphql_api.context import Info
from uplift.graphql_api.types.comparisons import VersionComparison, show_comparison
from uplift.graphql_api.types.connections import DEFAULT_PAGE_SIZE, After, Connection, First
from uplift.graphql_api.types.enums import Status
from uplift.graphql_api.types.fields import field
from uplift.graphql_api.types.instances import Cohort, ProcessInstanceConnection, show_cohort, show_instances
from uplift.graphql_api.types.versions import NODES_OF_A_DOCUMENT, Version, show_version


@strawberry.type(description="What versions and instances belong to, named by namespace and code.")
class Process:
    key: strawberry.Private[domain.ProcessKey]
    latest_published: strawberry.Private[domain.VersionNumber | None]
    namespace: str = strawberry.field(description="The code of the workspace that it is in.")
    code: str = strawberry.field(description="The code of the process, unique in its namespace.")
    title: str = strawberry.field(description="What people call it.")
    created_at: datetime = strawberry.field(description="When it was created.")

    @field("All its versions, by number.")
    async def versions(self, info: Info) -> list[Version]:
        versions = await info.context.loaders.versions.load(self.key)
        return [show_version(self.key, version) for version in versions]

    @field("The version of this number, or null if there is none.")
    async def version(
        self,
        info: Info,
        number: Annotated[int, strawberry.argument(description="The number of the version, from 1.")],
    ) -> Version | None:
        versions = await info.context.loaders.versions.load(self.key)
        found = (show_version(self.key, version) for version in versions if version.number == number)
        return next(found, None)

    @field("What its instances are upgraded to; null if none was published. Drafts never count.")
    async def latest_published_version(self, info: Info) -> Version | None:
        versions = await info.context.loaders.versions.load(self.key)
        latest = (one for one in versions if one.number == self.latest_published)
        return next((show_version(self.key, version) for version in latest), None)

    @field(
        "How one version differs from another, drafts included; null if one of the two does not exist. "
        "Counts as two documents in the budget of an operation.",
        nodes=2 * NODES_OF_A_DOCUMENT,
    )
    async def comparison(
        self,
        info: Info,
        from_version: Annotated[int, strawberry.argument(description="The number of the version compared.")],
        to_version: Annotated[
            int | None,
            strawberry.argument(
                description="The number of the version it is compared to; the latest published one if not "
                "given."
            ),
        ] = None,
    ) -> VersionComparison | None:
        source = domain.VersionNumber(from_version)
        migration_path = await compare_versions(
            info.context.store,
            process=self.key,
            from_version=source,
            to_version=None if to_version is None else domain.VersionNumber(to_version),
        )
        return None if migration_path is None else show_comparison(source, migration_path)

    @field("Its instances, in the order of registration.")
    async def instances(
        self,
        info: Info,
        status: Annotated[
            Status | None, strawberry.argument(description="Only those with this status.")
        ] = None,
        version: Annotated[
            int | None, strawberry.argument(description="Only those pinned to the version of this number.")
        ] = None,
        first: First = DEFAULT_PAGE_SIZE,
        after: After = None,
    ) -> ProcessInstanceConnection:
        which = InstanceFilter(
            status=None if status is None else domain.Status[status.name],
            version=None if version is None else domain.VersionNumber(version),
        )
        page = await info.context.loaders.instance_pages.load((self.key, which, page_request(first, after)))
        return show_instances(self.key, which, page, follows_cursor=after is not None)

    @field("All its instances counted by version, status and position: what an operator looks at first.")
    async def cohorts(self, info: Info) -> list[Cohort]:
        cohorts = map(show_cohort, await info.context.loaders.cohorts.load(self.key))
        return sorted(cohorts, key=lambda one: (one.version, one.status.value, one.position))


@strawberry.type(description="A page of all processes, the oldest first.")
class ProcessConnection(Connection[Process]):
    pass


def show_process(process: domain.Process) -> Process:
    """A process as a client sees it."""
    return Process(
        key=process.key,
        latest_published=process.latest_published,
        namespace=process.key.namespace,
        code=process.key.code,
        title=process.title,
        created_at=process.created_at,
    )
