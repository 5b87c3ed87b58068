"""The results of mutations. Each is made `of` what a use case returned, or None, and of user errors.

A payload has what changed and its process, so that clients update what they show without further requests.
"""

from collections.abc import Sequence
from typing import Self

import strawberry

from uplift import domain
from uplift.domain.model.paging import MAX_PAGE_SIZE
from uplift.graphql_api.context import Info
from uplift.graphql_api.types.connections import DEFAULT_PAGE_SIZE, First, page_of
from uplift.graphql_api.types.fields import field
from uplift.graphql_api.types.processes.instances import ProcessInstance
from uplift.graphql_api.types.processes.processes import Process
from uplift.graphql_api.types.processes.versions import Version
from uplift.graphql_api.types.upgrades.upgrades import Upgrade
from uplift.graphql_api.types.user_errors import UserError

_UPGRADE = "The upgrade after the change; null if the request was refused."
_NEW_UPGRADE = "The new upgrade; null if the request was refused."
_PROCESS = "The process after the change; null if the request was refused."
_USER_ERRORS = "Why the request was refused; empty if it succeeded."


@strawberry.type
class _UpgradePayload:
    upgrade: Upgrade | None = strawberry.field(description=_UPGRADE)
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)

    @classmethod
    def of(cls, upgrade: domain.Upgrade | None, user_errors: list[UserError]) -> Self:
        return cls(upgrade=None if upgrade is None else Upgrade.from_domain(upgrade), user_errors=user_errors)

    @field(_PROCESS)
    async def process(self, info: Info) -> Process | None:
        return None if self.upgrade is None else await self.upgrade.process(info)


@strawberry.type(description="The result of `upgradeInstances`.")
class UpgradeInstancesPayload(_UpgradePayload):
    upgrade: Upgrade | None = strawberry.field(description=_NEW_UPGRADE)


@strawberry.type(description="The result of `pauseUpgrade`.")
class PauseUpgradePayload(_UpgradePayload):
    pass


@strawberry.type(description="The result of `resumeUpgrade`.")
class ResumeUpgradePayload(_UpgradePayload):
    pass


@strawberry.type(description="The result of `cancelUpgrade`.")
class CancelUpgradePayload(_UpgradePayload):
    pass


@strawberry.type(description="The result of `retryUpgrade`.")
class RetryUpgradePayload(_UpgradePayload):
    upgrade: Upgrade | None = strawberry.field(description=_NEW_UPGRADE)


@strawberry.type(description="The result of `undoUpgrade`.")
class UndoUpgradePayload(_UpgradePayload):
    upgrade: Upgrade | None = strawberry.field(description=_NEW_UPGRADE)


@strawberry.type(description="The result of `createProcess`.")
class CreateProcessPayload:
    process: Process | None = strawberry.field(description="The process; null if the request was refused.")
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)

    @classmethod
    def of(cls, process: domain.Process | None, user_errors: list[UserError]) -> Self:
        return cls(process=None if process is None else Process.from_domain(process), user_errors=user_errors)


@strawberry.type
class _VersionPayload:
    version: Version | None = strawberry.field(
        description="The published version; null if the request was refused."
    )
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)

    @field(_PROCESS)
    async def process(self, info: Info) -> Process | None:
        return None if self.version is None else await self.version.process(info)

    @classmethod
    def of(
        cls, process_key: domain.ProcessKey, version: domain.Version | None, user_errors: list[UserError]
    ) -> Self:
        return cls(
            version=None if version is None else Version.from_domain(process_key, version),
            user_errors=user_errors,
        )


@strawberry.type(description="The result of `saveDraft`.")
class SaveDraftPayload(_VersionPayload):
    version: Version | None = strawberry.field(description="The draft; null if the request was refused.")


@strawberry.type(description="The result of `publishVersion`.")
class PublishVersionPayload(_VersionPayload):
    pass


@strawberry.type
class _InstancesPayload:
    first_ids: strawberry.Private[Sequence[domain.InstanceId]]
    """Those of the largest page: all of them would keep a large request in memory until it is answered."""
    count: int | None
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)

    @field(
        "The first instances in the request after the change, in its order; null if the request was refused."
    )
    async def instances(self, info: Info, first: First = DEFAULT_PAGE_SIZE) -> list[ProcessInstance] | None:
        if self.count is None:
            return None
        ids = self.first_ids[: page_of(first, None).first]
        found = await info.context.loaders.found_instances.load_many(ids)
        return [instance for instance in found if instance is not None]


@strawberry.type(description="The result of `registerInstances`.")
class RegisterInstancesPayload(_InstancesPayload):
    process_key: strawberry.Private[domain.ProcessKey]
    count: int | None = strawberry.field(
        description="The number of registered instances; null if the request was refused."
    )

    @field(_PROCESS)
    async def process(self, info: Info) -> Process | None:
        return None if self.count is None else await info.context.loaders.processes.load(self.process_key)

    @classmethod
    def of(
        cls,
        process_key: domain.ProcessKey,
        instances: Sequence[domain.Instance],
        count: int | None,
        user_errors: list[UserError],
    ) -> Self:
        return cls(
            process_key=process_key, first_ids=_first_ids(instances), count=count, user_errors=user_errors
        )


@strawberry.type(description="The result of `reportInstances`.")
class ReportInstancesPayload(_InstancesPayload):
    process_keys: strawberry.Private[Sequence[domain.ProcessKey]]
    count: int | None = strawberry.field(
        description="The number of updated instances; null if the request was refused."
    )

    @field(
        "The first processes of these instances after the change, by namespace and code; null if the request "
        "was refused."
    )
    async def processes(self, info: Info, first: First = DEFAULT_PAGE_SIZE) -> list[Process] | None:
        if self.count is None:
            return None
        return await info.context.loaders.processes.load_many(self.process_keys[: page_of(first, None).first])

    @classmethod
    def of(
        cls,
        reports: Sequence[domain.InstanceReport],
        process_keys: Sequence[domain.ProcessKey] | None,
        user_errors: list[UserError],
    ) -> Self:
        count = None if process_keys is None else len(reports)
        return cls(
            first_ids=_first_ids(reports),
            process_keys=process_keys or (),
            count=count,
            user_errors=user_errors,
        )


def _first_ids(
    changed: Sequence[domain.Instance | domain.InstanceReport],
) -> Sequence[domain.InstanceId]:
    return [instance.id for instance in changed[:MAX_PAGE_SIZE]]
