"""What can a client change?"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, TypeVar

import strawberry

from domain.access import require_system_admin
from domain.errors import UpliftError
from domain.publishing import create_process, publish_version, save_draft
from domain.reporting import register_instances, report_instances
from domain.upgrading import upgrade_instances
from graphql_api.context import Context, Info
from graphql_api.fields import root_field
from graphql_api.inputs import (
    CreateProcessInput,
    PublishVersionInput,
    RegisterInstancesInput,
    ReportInstancesInput,
    SaveDraftInput,
    UpgradeInstancesInput,
)
from graphql_api.payloads import (
    CreateProcessPayload,
    PublishVersionPayload,
    RegisterInstancesPayload,
    ReportInstancesPayload,
    SaveDraftPayload,
    UpgradeInstancesPayload,
)
from graphql_api.processes import show_process
from graphql_api.upgrades import show_upgrade
from graphql_api.user_errors import UserError, show_refusal
from graphql_api.versions import show_version

Changed = TypeVar("Changed")
Shown = TypeVar("Shown")

INPUT = strawberry.argument(name="input", description="What to change, and how.")


@strawberry.type(
    description=(
        "What can be changed, by a system administrator's key only: other keys get a top-level error with "
        "the code FORBIDDEN. Other refusals stand in `userErrors`. Whatever was refused changed nothing."
    )
)
class Mutation:
    @root_field(
        "Upgrade instances of a process to its latest published version. Each selected instance gets exactly "
        "one outcome; those that cannot be upgraded are skipped with every reason, and hold back no other. "
        "Answers when all is done."
    )
    async def upgrade_instances(
        self, info: Info, asked: Annotated[UpgradeInstancesInput, INPUT]
    ) -> UpgradeInstancesPayload | None:
        upgrade, user_errors = await _attempt(
            info.context,
            lambda: upgrade_instances(
                info.context.store,
                process=asked.key(),
                selection=asked.selection.selection(),
                mappings=asked.version_mappings(),
                fingerprint=asked.fingerprint,
                reason=asked.reason,
                caller=info.context.caller,
            ),
            show_upgrade,
        )
        return UpgradeInstancesPayload(upgrade=upgrade, user_errors=user_errors)

    @root_field("Create a process without versions.")
    async def create_process(
        self, info: Info, asked: Annotated[CreateProcessInput, INPUT]
    ) -> CreateProcessPayload | None:
        process, user_errors = await _attempt(
            info.context,
            lambda: create_process(
                info.context.store,
                namespace=asked.namespace,
                code=asked.code,
                title=asked.title,
                caller=info.context.caller,
            ),
            show_process,
        )
        return CreateProcessPayload(process=process, user_errors=user_errors)

    @root_field(
        "Save the draft of the next version of a process: a new one above all others, or in place of the "
        "present draft."
    )
    async def save_draft(
        self, info: Info, asked: Annotated[SaveDraftInput, INPUT]
    ) -> SaveDraftPayload | None:
        draft, user_errors = await _attempt(
            info.context,
            lambda: save_draft(
                info.context.store, process=asked.key(), model=asked.model(), caller=info.context.caller
            ),
            partial(show_version, asked.key()),
        )
        return SaveDraftPayload(version=draft, user_errors=user_errors)

    @root_field("Publish the draft of a process, which makes it what instances are upgraded to.")
    async def publish_version(
        self, info: Info, asked: Annotated[PublishVersionInput, INPUT]
    ) -> PublishVersionPayload | None:
        version, user_errors = await _attempt(
            info.context,
            lambda: publish_version(info.context.store, process=asked.key(), caller=info.context.caller),
            partial(show_version, asked.key()),
        )
        return PublishVersionPayload(version=version, user_errors=user_errors)

    @root_field(
        "Register instances of a process. One that is known already gets the status and position given and "
        "keeps its version, so a registration may be repeated."
    )
    async def register_instances(
        self, info: Info, asked: Annotated[RegisterInstancesInput, INPUT]
    ) -> RegisterInstancesPayload | None:
        process = asked.key()
        count, user_errors = await _attempt(
            info.context,
            lambda: register_instances(
                info.context.store,
                process=process,
                instances=[one.instance(process) for one in asked.instances],
                caller=info.context.caller,
            ),
            int,
        )
        return RegisterInstancesPayload(process_key=process, count=count, user_errors=user_errors)

    @root_field(
        "Take over status and position of registered instances, of whatever processes. An unknown id refuses "
        "the whole report."
    )
    async def report_instances(
        self, info: Info, asked: Annotated[ReportInstancesInput, INPUT]
    ) -> ReportInstancesPayload | None:
        count, user_errors = await _attempt(
            info.context,
            lambda: report_instances(
                info.context.store,
                reports=[one.report() for one in asked.instances],
                caller=info.context.caller,
            ),
            int,
        )
        return ReportInstancesPayload(count=count, user_errors=user_errors)


async def _attempt(
    context: Context, change: Callable[[], Awaitable[Changed]], show: Callable[[Changed], Shown]
) -> tuple[Shown | None, list[UserError]]:
    """What a use case returned as a client sees it, or the user error for its refusal. Raises Forbidden."""
    require_system_admin(context.caller)  # before anything that the caller sent is looked at
    try:
        changed = await change()
    except UpliftError as error:
        return None, [show_refusal(error)]
    context.loaders.forget()
    return show(changed), []
