"""Finds instances whose parallel multi-instance activity is partly done and would get a new id.

Camunda 7 migrates such an instance, but leaves the old id at the executions that have ended. The activity
does not count them any more, and the instance waits for ever, without an incident (Camunda 7.24.0, Operaton
1.0.3). With the same id on both sides all is well.
"""

from collections.abc import Mapping, Sequence, Set

from uplift.domain.bpmn import MultiInstance, read_model
from uplift.domain.errors import InvalidModel
from uplift.domain.model.decision import ReasonCode
from uplift.domain.ports.process_engine import EngineInstanceId, MoveInstruction, MovePlan, Refusal
from uplift.engines.camunda7.lists import limit_in
from uplift.engines.camunda7.plans import BODY, activity
from uplift.engines.client import EngineClient
from uplift.engines.replies import rows_of, text_of

_COMPLETED = "nrOfCompletedInstances"
_ROWS = 1_000
"""How many bodies of activities one request lists."""


def renames_body(instruction: MoveInstruction) -> bool:
    """Whether an instruction maps the body of a multi-instance activity to one with another id."""
    has_body = instruction.is_multi_instance or instruction.source.endswith(BODY)
    return has_body and activity(instruction.source) != activity(instruction.target)


def bodies_in(plan: MovePlan, document: bytes) -> Set[str]:
    """The bodies of parallel multi-instance activities that a plan renames, by the document of its source.

    Without a readable document, each body counts as one of a parallel activity.
    """
    renamed = {activity(instruction.source) for instruction in plan.instructions if renames_body(instruction)}
    try:
        elements = read_model(document).elements
    except InvalidModel:
        return {element + BODY for element in renamed}
    return {
        element + BODY
        for element in renamed
        if element in elements and elements[element].multi_instance is not MultiInstance.SEQUENTIAL
    }


async def partly_done(
    client: EngineClient, bodies: Set[str], ids: Sequence[EngineInstanceId]
) -> Mapping[EngineInstanceId, Refusal]:
    """The refusals of those instances in which a part of such an activity is done."""
    refusals: dict[EngineInstanceId, Refusal] = {}
    query = {
        "processInstanceIdIn": list(ids),
        "variableName": _COMPLETED,
        "variableValues": [{"name": _COMPLETED, "operator": "gt", "value": 0}],
        "sorting": [{"sortBy": "activityInstanceId", "sortOrder": "asc"}],
    }
    first, size = 0, _ROWS
    while True:
        reply = await client.request(
            "POST", "/variable-instance", query={"firstResult": first, "maxResults": size}, body=query
        )
        if (limit := limit_in(reply, size)) is not None:
            size = limit
            continue
        rows = rows_of(reply)
        for row in rows:
            body = text_of(reply, row, "activityInstanceId").rpartition(":")[0]
            if body in bodies:
                instance_id = EngineInstanceId(text_of(reply, row, "processInstanceId"))
                refusals[instance_id] = _refusal(body)
        if len(rows) < size:
            return refusals
        first += len(rows)


def _refusal(body: str) -> Refusal:
    return Refusal(
        code=ReasonCode.ENGINE_REFUSED,
        message=(
            f"Expected no part of the multi-instance activity '{activity(body)}' to be done, but one is: "
            "under its new id the activity would never end. Complete it first, or keep its id."
        ),
    )
