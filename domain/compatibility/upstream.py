"""Finds the changed elements that an instance may have passed before it reached its position."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

from uplift.domain.bpmn.model import ElementKind, ProcessModel
from uplift.domain.compatibility.links import link_targets
from uplift.domain.compatibility.reachability import first_origins

_Point = int
"""Twice the number of an element if the instance has just reached it, and one more if it has left it."""


def changes_upstream(model: ProcessModel, changed: Set[str], *, limit: int) -> Mapping[str, tuple[str, ...]]:
    """The other changed elements that an instance may have passed, by the element it has reached.

    Each has at most the first `limit` ids in sorted order.
    """
    ids = sorted(changed)
    reached = {element_id: 2 * number for number, element_id in enumerate(model.elements)}
    passing = {reached[element_id] + 1: (index,) for index, element_id in enumerate(ids)}
    # One more than the limit, because an element is not upstream of itself.
    passed = first_origins(range(2 * len(reached)), _successors(model, reached), passing, limit=limit + 1)
    return {
        element_id: _without(element_id, [ids[index] for index in passed[point]], limit)
        for element_id, point in reached.items()
    }


def _without(element_id: str, ids: Sequence[str], limit: int) -> tuple[str, ...]:
    return tuple(other for other in ids if other != element_id)[:limit] if ids else ()


def _successors(model: ProcessModel, reached: Mapping[str, _Point]) -> Mapping[_Point, list[_Point]]:
    """The points that an instance may reach next, by point."""
    successors: defaultdict[_Point, list[_Point]] = defaultdict(list)
    links = link_targets(model)
    for element in model.elements.values():
        point = reached[element.id]
        passed = point + 1
        successors[point].append(passed)
        for flow_id in element.outgoing:
            successors[passed].append(reached[model.flows[flow_id].target])
        if element.id in links:
            successors[passed].append(reached[links[element.id]])
        # An instance that continues at a boundary event has passed its host.
        if element.host is not None:
            successors[reached[element.host] + 1].append(point)
        # An instance leaves a scope from any element inside: an event may interrupt it at any of them.
        if element.scope is not None:
            scope = reached[element.scope]
            successors[passed].append(scope + 1)
            if not element.incoming and element.kind is not ElementKind.BOUNDARY_EVENT:
                successors[scope].append(point)
    return successors
