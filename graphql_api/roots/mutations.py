"""What can a client change?"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, TypeVar

import strawberry
from structlog import get_logger

from uplift.domain.errors import StoreUnavailable, UpliftError
from uplift.domain.model.access import require_system_admin
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.use_cases.control import cancel_upgrade, pause_upgrade, resume_upgrade
from uplift.domain.use_cases.instances import register_instances, report_instances
from uplift.domain.use_cases.request import request_retry, request_undo, request_upgrade
from uplift.domain.use_cases.versions import create_process, publish_version, save_draft
from uplift.graphql_api.context import Context, Info
from uplift.graphql_api.types.fields import root_field
from uplift.graphql_api.types.inputs import (
    CancelUpgradeInput,
    CreateProcessInput,
    PauseUpgradeInput,
    PublishVersionInput,
    RegisterInstancesInput,
    ReportInstancesInput,
    ResumeUpgradeInput,
    RetryUpgradeInput,
    SaveDraftInput,
    UndoUpgradeInput,
    UpgradeInstancesInput,
)
from uplift.graphql_api.types.payloads import (
    CancelUpgradePayload,
    CreateProcessPayload,
    PauseUpgradePayload,
    PublishVersionPayload,
    RegisterInstancesPayload,
    ReportInstancesPayload,
    ResumeUpgradePayload,
    RetryUpgradePayload,
    SaveDraftPayload,
    UndoUpgradePayload,
    UpgradeInstancesPayload,
)
from uplift.graphql_api.types.processes import show_process
from uplift.graphql_api.types.upgrades import show_upgrade
from uplift.graphql_api.types.user_errors import UserError, show_refusal
from uplift.graphql_api.types.versions import show_version
from uplift.web.incidents import log_outage
from uplift.web.waiting import wait_for_end

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
        "A few instances are upgraded at once and all together; many are queued and worked off in chunks."
    )
    async def upgrade_instances(
        self, info: Info, asked: Annotated[UpgradeInstancesInput, INPUT]
    ) -> UpgradeInstancesPayload | None:
        upgrade, user_errors = await _attempt(
            info.context,
            lambda: _finished(
                info.context,
                request_upgrade(
                    info.context.store,
                    asked.request(max_ids=info.context.limits.max_ids),
                    caller=info.context.caller,
                    worker=info.context.worker,
                ),
                wait=asked.wait,
            ),
            show_upgrade,
        )
        return UpgradeInstancesPayload(upgrade=upgrade, user_errors=user_errors)

    @root_field(
        "Stop an upgrade that is QUEUED or RUNNING until it is resumed. Chunks under way are not carried out."
    )
    async def pause_upgrade(
        self, info: Info, asked: Annotated[PauseUpgradeInput, INPUT]
    ) -> PauseUpgradePayload | None:
        upgrade, user_errors = await _attempt(
            info.context,
            lambda: pause_upgrade(info.context.store, asked.upgrade(), caller=info.context.caller),
            show_upgrade,
        )
        return PauseUpgradePayload(upgrade=upgrade, user_errors=user_errors)

    @root_field("Queue an upgrade that is PAUSED again; it goes on where it stopped.")
    async def resume_upgrade(
        self, info: Info, asked: Annotated[ResumeUpgradeInput, INPUT]
    ) -> ResumeUpgradePayload | None:
        upgrade, user_errors = await _attempt(
            info.context,
            lambda: resume_upgrade(info.context.store, asked.upgrade(), caller=info.context.caller),
            show_upgrade,
        )
        return ResumeUpgradePayload(upgrade=upgrade, user_errors=user_errors)

    @root_field(
        "Stop an upgrade that is QUEUED, RUNNING or PAUSED for good. Chunks under way are not carried out; "
        "what is done stays done, and `undoUpgrade` takes it back."
    )
    async def cancel_upgrade(
        self, info: Info, asked: Annotated[CancelUpgradeInput, INPUT]
    ) -> CancelUpgradePayload | None:
        upgrade, user_errors = await _attempt(
            info.context,
            lambda: cancel_upgrade(info.context.store, asked.upgrade(), caller=info.context.caller),
            show_upgrade,
        )
        return CancelUpgradePayload(upgrade=upgrade, user_errors=user_errors)

    @root_field(
        "Upgrade just those instances that an upgrade skipped for some reasons, to what is the latest "
        "published version now. The upgrade must be COMPLETED, CANCELLED or FAILED, and stays as it is: this "
        "makes a new one."
    )
    async def retry_upgrade(
        self, info: Info, asked: Annotated[RetryUpgradeInput, INPUT]
    ) -> RetryUpgradePayload | None:
        upgrade, user_errors = await _attempt(
            info.context,
            lambda: _finished(
                info.context,
                request_retry(
                    info.context.store,
                    asked.request(),
                    caller=info.context.caller,
                    worker=info.context.worker,
                ),
                wait=asked.wait,
            ),
            show_upgrade,
        )
        return RetryUpgradePayload(upgrade=upgrade, user_errors=user_errors)

    @root_field(
        "Take back every instance that still is where an upgrade put it, to the version and position it came "
        "from; those that have moved on are skipped. The upgrade must be COMPLETED, CANCELLED or FAILED, and "
        "stays as it is: this makes a new one."
    )
    async def undo_upgrade(
        self, info: Info, asked: Annotated[UndoUpgradeInput, INPUT]
    ) -> UndoUpgradePayload | None:
        upgrade, user_errors = await _attempt(
            info.context,
            lambda: _finished(
                info.context,
                request_undo(
                    info.context.store,
                    asked.request(),
                    caller=info.context.caller,
                    worker=info.context.worker,
                ),
                wait=asked.wait,
            ),
            show_upgrade,
        )
        return UndoUpgradePayload(upgrade=upgrade, user_errors=user_errors)

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
                most=info.context.limits.max_ids,
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
                most=info.context.limits.max_ids,
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


async def _finished(context: Context, requested: Awaitable[Upgrade], *, wait: bool) -> Upgrade:
    """The requested upgrade when it is finished, or as it is when it was not to be waited for any longer.

    Nor is it when the server is being stopped.
    """
    upgrade, store = await requested, context.store
    get_logger(__name__).info(
        "upgrade requested", upgrade_id=str(upgrade.id), process=str(upgrade.process), state=upgrade.state
    )
    if wait:
        # The request is stored by now: an outage only hides how it goes on.
        try:
            return await wait_for_end(
                store, upgrade, max_seconds=context.wait_seconds, stopping=context.stopping
            )
        except StoreUnavailable as error:
            log_outage(error)
    return upgrade
