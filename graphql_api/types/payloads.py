"""What does a mutation answer?"""

import strawberry

from uplift import domain
from uplift.graphql_api.context import Info
from uplift.graphql_api.types.fields import field
from uplift.graphql_api.types.processes import Process, show_process
from uplift.graphql_api.types.upgrades import Upgrade
from uplift.graphql_api.types.user_errors import UserError
from uplift.graphql_api.types.versions import Version

_CHANGED_UPGRADE = "The upgrade as it is now; null if it was refused."
_USER_ERRORS = "Why it was refused; empty if it was done."


@strawberry.type(description="What came of an upgrade.")
class UpgradeInstancesPayload:
    upgrade: Upgrade | None = strawberry.field(description="The upgrade; null if it was refused.")
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)


@strawberry.type(description="What came of pausing an upgrade.")
class PauseUpgradePayload:
    upgrade: Upgrade | None = strawberry.field(description=_CHANGED_UPGRADE)
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)


@strawberry.type(description="What came of resuming an upgrade.")
class ResumeUpgradePayload:
    upgrade: Upgrade | None = strawberry.field(description=_CHANGED_UPGRADE)
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)


@strawberry.type(description="What came of cancelling an upgrade.")
class CancelUpgradePayload:
    upgrade: Upgrade | None = strawberry.field(description=_CHANGED_UPGRADE)
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)


@strawberry.type(description="What came of trying again what an upgrade skipped.")
class RetryUpgradePayload:
    upgrade: Upgrade | None = strawberry.field(description="The new upgrade; null if it was refused.")
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)


@strawberry.type(description="What came of taking an upgrade back.")
class UndoUpgradePayload:
    upgrade: Upgrade | None = strawberry.field(description="The new upgrade; null if it was refused.")
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)


@strawberry.type(description="What came of creating a process.")
class CreateProcessPayload:
    process: Process | None = strawberry.field(description="The process; null if it was refused.")
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)


@strawberry.type(description="What came of saving a draft.")
class SaveDraftPayload:
    version: Version | None = strawberry.field(description="The draft; null if it was refused.")
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)


@strawberry.type(description="What came of publishing a draft.")
class PublishVersionPayload:
    version: Version | None = strawberry.field(description="The version as published; null if refused.")
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)


@strawberry.type(description="What came of registering instances.")
class RegisterInstancesPayload:
    process_key: strawberry.Private[domain.ProcessKey]
    count: int | None = strawberry.field(description="How many were registered; null if it was refused.")
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)

    @field("Their process as it is now; null if it was refused.")
    async def process(self, info: Info) -> Process | None:
        if self.count is None:
            return None
        return show_process(await info.context.loaders.processes.load(self.process_key))


@strawberry.type(description="What came of a report.")
class ReportInstancesPayload:
    count: int | None = strawberry.field(description="How many were taken over; null if it was refused.")
    user_errors: list[UserError] = strawberry.field(description=_USER_ERRORS)
