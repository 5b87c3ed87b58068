"""Moves single instances, and reads the answers of Flowable.

The texts are those of flowable-engine 7.2.0 (ProcessInstanceMigrationManagerImpl).
"""

from urllib.parse import quote

from uplift.domain.ports.process_engine import (
    ElementRole,
    EngineFault,
    EngineFaultKind,
    EngineInstanceId,
    MovePlan,
    Refusal,
)
from uplift.engines.client import EngineClient, Reply
from uplift.engines.flowable.lists import locate
from uplift.engines.refusals import elsewhere, not_on_source, refused, unexplained

ATTEMPTS = 3
"""How often an instance is sent while the engine fails without an explanation: writers may conflict."""

_NOT_MAPPED = "Migration Activity mapping missing"
_OF_THE_PLAN = ("Cannot find activity", "Could not find activity")


def migration_document(plan: MovePlan) -> dict[str, object]:
    """The plan in the form of Flowable. It maps where tokens wait; scopes and listeners follow by themselves.

    Flowable would also map elements of the same id on its own.
    """
    return {
        "toProcessDefinitionId": plan.target,
        "activityMappings": [
            {"fromActivityId": instruction.source, "toActivityId": instruction.target}
            for instruction in plan.instructions
            if instruction.role is ElementRole.POSITION
        ],
    }


async def move_one(client: EngineClient, plan: MovePlan, instance_id: EngineInstanceId) -> Refusal | None:
    """Move an instance; returns why it was refused, or None if it moved. Raises EngineFault."""
    path = f"/runtime/process-instances/{quote(instance_id, safe='')}/migrate"
    message = ""
    for _ in range(ATTEMPTS):
        reply = await client.request("POST", path, body=migration_document(plan))
        # Only an empty reply says that the engine has moved it: a page of a proxy may have status 200.
        if reply.status == 200 and not reply.body:
            return None
        if reply.status < 400:
            raise reply.unexpected("it is none that an engine gives to a migration")
        message = reply.message or f"status {reply.status}"
        if (refusal := _refusal_in(reply)) is not None:
            return refusal
        version = (await locate(client, [instance_id]))[instance_id]
        if version != plan.source:
            return None if version == plan.target else not_on_source(version)
    return unexplained(message)


def _refusal_in(reply: Reply) -> Refusal | None:
    """The refusal that an error gives a reason for; None if where the instance is must tell."""
    if reply.status != 500:
        return None
    if reply.message.startswith(_NOT_MAPPED):
        return elsewhere(reply.message)
    if reply.message.startswith(_OF_THE_PLAN):
        return refused(reply.message)
    if not reply.is_json:
        raise EngineFault(
            EngineFaultKind.FAILED,
            f"Expected an answer to {reply.request}, but the engine answers {reply.status}.",
        )
    return None
