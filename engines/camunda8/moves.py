"""Moves single instances, and reads the answers of Camunda 8.

The texts are those of its engine (ProcessInstanceMigrationPreconditions), as published for 8.5 to 8.8. Where
none of them is found, the status of the answer and a look-up decide.
"""

from collections.abc import Mapping

from uplift.domain.ports.process_engine import EngineInstanceId, MovePlan, Refusal
from uplift.engines.camunda8.keys import is_key
from uplift.engines.camunda8.lists import locate
from uplift.engines.client import EngineClient, Reply
from uplift.engines.refusals import elsewhere, gone, refused
from uplift.engines.replies import require_success

ATTEMPTS = 3
"""How often an instance is sent while the engine is just carrying out something else in it."""

_NO_INSTANCE = "no process instance found"
_NO_VERSION = "no process definition found"
_NOT_MAPPED = "no mapping instruction defined for active element"
_BUSY = "a concurrent command was executed"


def migration_document(plan: MovePlan) -> Mapping[str, object]:
    """The plan in the form of Camunda 8. One instruction stands for a multi-instance activity and its body.

    A listener that is mapped keeps its subscription; another one is subscribed anew by the target version.
    """
    return {
        "targetProcessDefinitionKey": plan.target,
        "mappingInstructions": [
            {"sourceElementId": instruction.source, "targetElementId": instruction.target}
            for instruction in plan.instructions
        ],
    }


async def move_one(client: EngineClient, plan: MovePlan, instance_id: EngineInstanceId) -> Refusal | None:
    """Move an instance; returns why it was refused, or None if it moved. Raises EngineFault."""
    if not is_key(instance_id):
        return gone(f"'{instance_id}' is no key of an instance")
    message = ""
    for _ in range(ATTEMPTS):
        reply = await client.request(
            "POST", f"/process-instances/{instance_id}/migration", body=migration_document(plan)
        )
        if reply.status == 204:
            return None
        if reply.status < 400:
            raise reply.unexpected("it is none that an engine gives to a migration")
        message = reply.message or f"status {reply.status}"
        if not (reply.status == 409 and _BUSY in message):
            return await _refusal_in(client, reply, message, plan, instance_id)
    return elsewhere(message)


async def _refusal_in(
    client: EngineClient, reply: Reply, message: str, plan: MovePlan, instance_id: EngineInstanceId
) -> Refusal:
    """The refusal that an error says. Raises the fault of one that says nothing of the instance."""
    if reply.status not in {400, 404, 409} or reply.content_type != "application/problem+json":
        require_success(reply)
    if reply.status == 404 and _NO_INSTANCE in message:
        return gone(message)
    if reply.status == 409 and _NOT_MAPPED in message:
        return elsewhere(message)
    if reply.status == 404 and _NO_VERSION in message:
        return refused(message)
    version = (await locate(client, [instance_id]))[instance_id]
    if version is None:
        return gone(message)
    if version != plan.source:
        return elsewhere(f"it is on {version}; {message}")
    if reply.status == 404:
        require_success(reply)
    return refused(message)
