"""The results of mutations. Each is made `of` what a use case returned, or None, and of user errors."""

from typing import Self

import strawberry

from uplift import domain
from uplift.graphql_api.context import Info
from uplift.graphql_api.types.fields import field
from uplift.graphql_api.types.processes import Process
from uplift.graphql_api.types.upgrades import Upgrade
from uplift.graphql_api.types.user_errors import UserError
from uplift.graphql_api.types.versions import Version

_UPGRADE = "The upgrade after the change; null if the request was refused."
_NEW_UPGRADE = "The new upgrade; null if the request was refused."
_USER_ERRORS = "Why the request was refused; empty if it succeeded."


@strawberry.type
class _UpgradePayload:
    upgrade: Upgrade | None = strawberry.field(description=_UPGRADE)
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)

    @classmethod
    def of(cls, upgrade: domain.Upgrade | None, user_errors: list[UserError]) -> Self:
        return cls(upgrade=None if upgrade is None else Upgrade.from_domain(upgrade), user_errors=user_errors)


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


@strawberry.type(description="The result of `registerInstances`.")
class RegisterInstancesPayload:
    process_key: strawberry.Private[domain.ProcessKey]
    count: int | None = strawberry.field(
        description="The number of registered instances; null if the request was refused."
    )
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)

    @field("The process after the change; null if the request was refused.")
    async def process(self, info: Info) -> Process | None:
        if self.count is None:
            return None
        return await info.context.loaders.processes.load(self.process_key)

    @classmethod
    def of(cls, process_key: domain.ProcessKey, count: int | None, user_errors: list[UserError]) -> Self:
        return cls(process_key=process_key, count=count, user_errors=user_errors)


@strawberry.type(description="The result of `reportInstances`.")
class ReportInstancesPayload:
    count: int | None = strawberry.field(
        description="The number of updated instances; null if the request was refused."
    )
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)

    @classmethod
    def of(cls, count: int | None, user_errors: list[UserError]) -> Self:
        return cls(count=count, user_errors=user_errors)
