"""Writes a plan of moves as a migration plan of Camunda 7."""

from collections.abc import Iterator
from typing import Any

from uplift.domain.model.instance import ElementId
from uplift.domain.ports.process_engine import MoveInstruction, MovePlan

BODY = "#multiInstanceBody"
"""What Camunda 7 appends to the id of a multi-instance activity to name its body."""
INNER = "#innerInstance"
"""What some reports append to name the activity inside. The REST API knows it by its plain id."""


def migration_plan(plan: MovePlan) -> dict[str, Any]:
    """The plan as JSON, with its own instructions only: the same id on both sides is no instruction."""
    instructions: dict[tuple[str, str], bool] = {}
    for instruction in plan.instructions:
        for source, target in _pairs(instruction):
            instructions.setdefault((source, target), instruction.updates_trigger)
    return {
        "sourceProcessDefinitionId": plan.source,
        "targetProcessDefinitionId": plan.target,
        "instructions": [
            {"sourceActivityIds": [source], "targetActivityIds": [target], "updateEventTrigger": updates}
            for (source, target), updates in instructions.items()
        ],
    }


def activity(element: str) -> ElementId:
    """The id of the activity, for the id of the activity or of a part of it."""
    return ElementId(element.removesuffix(BODY).removesuffix(INNER))


def _pairs(instruction: MoveInstruction) -> Iterator[tuple[str, str]]:
    source, target = (element.removesuffix(INNER) for element in (instruction.source, instruction.target))
    if instruction.is_multi_instance:
        source, target = activity(source), activity(target)
        yield source + BODY, target + BODY
    yield source, target
