"""The mutations of the schema."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, TypeVar

import strawberry
from structlog import get_logger

from uplift.domain.errors import StoreUnavailable
from uplift.domain.model.access import Caller, require_engine, require_system_admin
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.use_cases.control import cancel_upgrade, pause_upgrade, resume_upgrade
from uplift.domain.use_cases.instances import register_instances, report_instances
from uplift.domain.use_cases.request import request_retry, request_undo, request_upgrade
from uplift.domain.use_cases.versions import create_process, publish_version, save_draft
from uplift.graphql_api.context import Context, Info
from uplift.graphql_api.roots.attempts import INPUT, attempt
from uplift.graphql_api.roots.links import LinkMutations
from uplift.graphql_api.types.fields import root_field
from uplift.graphql_api.types.inputs.inputs import (
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
from uplift.graphql_api.types.inputs.long_inputs import Positions, converted
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
from uplift.graphql_api.types.user_errors import UserError
from uplift.web.incidents import log_outage
from uplift.web.waiting import wait_for_end

Changed = TypeVar("Changed")
Payload = TypeVar("Payload")


@strawberry.type(
    description="Mutations. Only API keys of system administrators may run them, and those of engines "
    "`registerInstances`, `reportInstances` and `settleMoves`; other keys get a top-level error with the "
    "code FORBIDDEN, and so does `createProcess` outside of the scope of the key. All other "
    "refusals are in `userErrors`. A refused mutation changes nothing."
)
class Mutation(LinkMutations):
    @root_field(
        "Upgrade instances of a process to its latest published version. Each selected instance gets one "
        "outcome. Instances that cannot be upgraded are skipped, with every reason, and do not affect the "
        "others. A few instances are upgraded in one transaction within the request; a larger upgrade is "
        "queued and processed in chunks."
    )
    async def upgrade_instances(
        self, info: Info, input_: Annotated[UpgradeInstancesInput, INPUT]
    ) -> UpgradeInstancesPayload | None:
        context = info.context
        return await _attempt(
            context,
            lambda: _finished(
                context,
                request_upgrade(
                    context.store,
                    input_.request(max_ids=context.limits.max_ids),
                    caller=context.caller,
                    worker=context.worker,
                ),
                wait=input_.wait,
            ),
            UpgradeInstancesPayload.of,
        )

    @root_field("Pause a QUEUED or RUNNING upgrade until it is resumed. Running chunks end first.")
    async def pause_upgrade(
        self, info: Info, input_: Annotated[PauseUpgradeInput, INPUT]
    ) -> PauseUpgradePayload | None:
        context = info.context
        return await _attempt(
            context,
            lambda: pause_upgrade(
                context.store, input_.upgrade_id(), caller=context.caller, clock=context.worker.clock
            ),
            PauseUpgradePayload.of,
        )

    @root_field("Queue a PAUSED upgrade again. It continues where it was paused.")
    async def resume_upgrade(
        self, info: Info, input_: Annotated[ResumeUpgradeInput, INPUT]
    ) -> ResumeUpgradePayload | None:
        context = info.context
        return await _attempt(
            context,
            lambda: resume_upgrade(
                context.store, input_.upgrade_id(), caller=context.caller, clock=context.worker.clock
            ),
            ResumeUpgradePayload.of,
        )

    @root_field(
        "End a QUEUED, RUNNING or PAUSED upgrade early. Running chunks end first; what is done "
        "stays done, and `undoUpgrade` can reverse it."
    )
    async def cancel_upgrade(
        self, info: Info, input_: Annotated[CancelUpgradeInput, INPUT]
    ) -> CancelUpgradePayload | None:
        context = info.context
        return await _attempt(
            context,
            lambda: cancel_upgrade(
                context.store, input_.upgrade_id(), caller=context.caller, clock=context.worker.clock
            ),
            CancelUpgradePayload.of,
        )

    @root_field(
        "Upgrade the instances that an earlier upgrade skipped for one of the listed reasons, to the present "
        "latest published version. The earlier upgrade must be COMPLETED, CANCELLED or FAILED. It does not "
        "change: the retry is a new upgrade."
    )
    async def retry_upgrade(
        self, info: Info, input_: Annotated[RetryUpgradeInput, INPUT]
    ) -> RetryUpgradePayload | None:
        context = info.context
        return await _attempt(
            context,
            lambda: _finished(
                context,
                request_retry(context.store, input_.request(), caller=context.caller, worker=context.worker),
                wait=input_.wait,
            ),
            RetryUpgradePayload.of,
        )

    @root_field(
        "Move the instances of an earlier upgrade back to the version and position from which it moved them. "
        "Instances that have moved since are skipped. The earlier upgrade must be COMPLETED, CANCELLED or "
        "FAILED. It does not change: the undo is a new upgrade."
    )
    async def undo_upgrade(
        self, info: Info, input_: Annotated[UndoUpgradeInput, INPUT]
    ) -> UndoUpgradePayload | None:
        context = info.context
        return await _attempt(
            context,
            lambda: _finished(
                context,
                request_undo(context.store, input_.request(), caller=context.caller, worker=context.worker),
                wait=input_.wait,
            ),
            UndoUpgradePayload.of,
        )

    @root_field("Create a process without versions.")
    async def create_process(
        self, info: Info, input_: Annotated[CreateProcessInput, INPUT]
    ) -> CreateProcessPayload | None:
        context = info.context
        return await _attempt(
            context,
            lambda: create_process(
                context.store,
                namespace=input_.namespace,
                code=input_.code,
                title=input_.title,
                caller=context.caller,
            ),
            CreateProcessPayload.of,
        )

    @root_field("Save the draft of the next version of a process. It replaces the present draft.")
    async def save_draft(
        self, info: Info, input_: Annotated[SaveDraftInput, INPUT]
    ) -> SaveDraftPayload | None:
        context, process_key = info.context, input_.process_key()
        return await _attempt(
            context,
            lambda: save_draft(
                context.store,
                process=process_key,
                model=input_.model(),
                process_id=input_.process_id,
                caller=context.caller,
                comparer=context.worker.comparer,
            ),
            partial(SaveDraftPayload.of, process_key),
        )

    @root_field("Publish the draft of a process. From then on instances are upgraded to this version.")
    async def publish_version(
        self, info: Info, input_: Annotated[PublishVersionInput, INPUT]
    ) -> PublishVersionPayload | None:
        context, process_key = info.context, input_.process_key()
        return await _attempt(
            context,
            lambda: publish_version(context.store, process=process_key, caller=context.caller),
            partial(PublishVersionPayload.of, process_key),
        )

    @root_field(
        "Register instances of a process. An instance that is registered already gets the new status and "
        "position, but keeps its version, so that a registration can be repeated.",
        for_engines=True,
    )
    async def register_instances(
        self, info: Info, input_: Annotated[RegisterInstancesInput, INPUT]
    ) -> RegisterInstancesPayload | None:
        context, process_key, positions = info.context, input_.process_key(), Positions()
        instances = await converted(
            info, input_.instances, lambda instance: instance.instance(process_key, positions)
        )
        return await _attempt(
            context,
            lambda: register_instances(
                context.store,
                process=process_key,
                instances=instances,
                caller=context.caller,
                limit=context.limits.max_ids,
            ),
            partial(RegisterInstancesPayload.of, process_key, instances),
            require_engine,
        )

    @root_field(
        "Update the status and position of registered instances, which may belong to different processes. An "
        "unknown id causes the whole report to be refused.",
        for_engines=True,
    )
    async def report_instances(
        self, info: Info, input_: Annotated[ReportInstancesInput, INPUT]
    ) -> ReportInstancesPayload | None:
        context, positions = info.context, Positions()
        reports = await converted(info, input_.instances, lambda instance: instance.report(positions))
        return await _attempt(
            context,
            lambda: report_instances(
                context.store,
                reports=reports,
                caller=context.caller,
                limit=context.limits.max_ids,
            ),
            partial(ReportInstancesPayload.of, reports),
            require_engine,
        )


async def _attempt(
    context: Context,
    change: Callable[[], Awaitable[Changed]],
    payload: Callable[[Changed | None, list[UserError]], Payload],
    require_role: Callable[[Caller], None] = require_system_admin,
) -> Payload:
    """Run a use case and make a payload of what it returns, or of the user error. Raises Forbidden."""
    return payload(*await attempt(context, change, require_role))


async def _finished(context: Context, request: Awaitable[Upgrade], *, wait: bool) -> Upgrade:
    """The requested upgrade: finished, or in its present state when waiting ends.

    Waiting ends after `wait_seconds`, or when the server stops.
    """
    upgrade, store = await request, context.store
    get_logger(__name__).info(
        "upgrade requested", upgrade_id=str(upgrade.id), process=str(upgrade.process), state=upgrade.state
    )
    if wait:
        # The request is stored. If the store cannot answer now, only the progress is unknown.
        try:
            return await wait_for_end(
                store, upgrade, max_seconds=context.wait_seconds, stopping=context.stopping
            )
        except StoreUnavailable as error:
            log_outage(error)
    return upgrade
