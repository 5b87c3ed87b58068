"""Finds the instructions by which an engine moves the instances of one position to another version.

They map what an instance at this position has, and nothing else. So an engine that checks the source refuses
an instance that waits elsewhere by now.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from uplift.domain.bpmn import Element, ElementKind, TriggerKind
from uplift.domain.compatibility import Comparison, without_part
from uplift.domain.compatibility.pending_compensation import compensation_events
from uplift.domain.compatibility.wait_states import event_subprocess_starts
from uplift.domain.model.instance import ElementId, Position
from uplift.domain.ports.process_engine import ElementRole, MoveInstruction

MoveInstructions = tuple[MoveInstruction, ...]
"""The instructions for one position: its elements, then the scopes, then the listeners, each sorted by id."""


def move_instructions(comparison: Comparison, position: Position) -> MoveInstructions:
    """Find the instructions for instances of the source version that wait at this position.

    They map each element of the position, the scopes around it, and the events that listen there and still
    exist. They map every compensation event too, with the scopes around it: a position does not say which of
    them are pending, and no instance waits at them. An element without a pair has no instruction.

    Source: Camunda 7. It refuses an instance if one of its leaves or of its compensation subscriptions has no
    instruction, removes a scope that has none, and starts a timer without one anew.
    """
    model = comparison.source
    waiting = [
        model.elements[element_id] for element_id in {*map(without_part, position)} & model.elements.keys()
    ]
    compensations = [event for event in compensation_events(model) if event.id in comparison.mapping]
    scopes = [scope for element in (*waiting, *compensations) for scope in model.scopes_around(element)]
    # One role for each element, the strongest last: an empty subprocess may be a position and a scope.
    roles = {
        **dict.fromkeys((event.id for event in compensations), ElementRole.LISTENER),
        **dict.fromkeys((event.id for event in _listeners(waiting, comparison)), ElementRole.LISTENER),
        **dict.fromkeys((scope.id for scope in scopes), ElementRole.SCOPE),
        **dict.fromkeys((element.id for element in waiting), ElementRole.POSITION),
    }
    return _in_order(
        _instruction(element_id, role, comparison)
        for element_id, role in roles.items()
        if element_id in comparison.position_map
    )


def identity_instructions(position: Position) -> MoveInstructions:
    """The instructions between two versions of which one has no BPMN model: each element stays as it is."""
    return _in_order(
        MoveInstruction(source=ElementId(element), target=ElementId(element), role=ElementRole.POSITION)
        for element in {*map(without_part, position)}
    )


def undo_instructions(instructions: MoveInstructions) -> MoveInstructions:
    """The instructions that move an instance back from where these move it.

    Of several events that lead to one event, the first gets its timer or subscription back; the engine starts
    the others anew.
    """
    listeners: set[ElementId] = set()
    reversed_instructions = []
    for instruction in instructions:
        if instruction.role is ElementRole.LISTENER:
            if instruction.target in listeners:
                continue
            listeners.add(instruction.target)
        reversed_instructions.append(
            replace(instruction, source=instruction.target, target=instruction.source)
        )
    return _in_order(reversed_instructions)


def _listeners(waiting: Iterable[Element], comparison: Comparison) -> Iterator[Element]:
    """The events with a pair of their own that listen while an instance waits at these elements."""
    model = comparison.source
    # How many of the elements are in each scope, None for the process.
    inside: Counter[str | None] = Counter()
    for element in waiting:
        inside.update((element.id, *(scope.id for scope in model.scopes_around(element)), None))
        if element.kind is ElementKind.EVENT_BASED_GATEWAY:
            yield from (model.elements[model.flows[flow_id].target] for flow_id in element.outgoing)
    for scope_id, count in inside.items():
        if scope_id is not None:
            yield from (event for event in model.boundary_events(scope_id) if _is_listed(event, comparison))
        for start in event_subprocess_starts(scope_id, model):
            # An interrupting start event no longer listens where the instance is in its event subprocess.
            if _is_listed(start, comparison) and not (start.interrupting and inside[start.scope] == count):
                yield start


def _is_listed(event: Element, comparison: Comparison) -> bool:
    """Whether an event has a pair that an engine knows of, unlike one that follows its host (see `Pair`)."""
    return event.id in comparison.mapping and event.trigger_kind is not TriggerKind.COMPENSATION


def _instruction(source_id: str, role: ElementRole, comparison: Comparison) -> MoveInstruction:
    source = comparison.source.elements[source_id]
    target = comparison.target.elements[comparison.position_map[source_id]]
    return MoveInstruction(
        source=ElementId(source.id),
        target=ElementId(target.id),
        role=role,
        is_multi_instance=source.multi_instance is not None and target.multi_instance is not None,
        updates_trigger=source.trigger_kind is TriggerKind.CONDITIONAL,
    )


_ROLES = tuple(ElementRole)


def _in_order(instructions: Iterable[MoveInstruction]) -> MoveInstructions:
    def order(instruction: MoveInstruction) -> tuple[int, str]:
        return _ROLES.index(instruction.role), instruction.source

    return tuple(sorted(instructions, key=order))
