"""Finds the changed elements that an instance may have passed before it reached its position."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

from uplift.domain.bpmn.model import ElementKind, ProcessModel
from uplift.domain.compatibility.links import link_targets
from uplift.domain.compatibility.reachability import first_origins

_Point = tuple[str, bool]
"""An element's id, and whether the instance has left the element (True) or has just reached it (False)."""


def changes_upstream(model: ProcessModel, changed: Set[str], *, limit: int) -> Mapping[str, tuple[str, ...]]:
    """The other changed elements that an instance may have passed, by the element it has reached.

    Each has at most the first `limit` ids in sorted order.
    """
    ids = sorted(changed)
    passing = {(element_id, True): (index,) for index, element_id in enumerate(ids)}
    points = [(element_id, has_left) for element_id in model.elements for has_left in (False, True)]
    # One more than the limit, because an element is not upstream of itself.
    passed = first_origins(points, _successors(model), passing, limit=limit + 1)
    return {
        element_id: _without(element_id, [ids[index] for index in passed[element_id, False]], limit)
        for element_id in model.elements
    }


def _without(element_id: str, ids: Sequence[str], limit: int) -> tuple[str, ...]:
    return tuple(other for other in ids if other != element_id)[:limit] if ids else ()


def _successors(model: ProcessModel) -> Mapping[_Point, list[_Point]]:
    """The points that an instance may reach next, by point."""
    successors: defaultdict[_Point, list[_Point]] = defaultdict(list)
    links = link_targets(model)
    for element in model.elements.values():
        successors[element.id, False].append((element.id, True))
        for flow_id in element.outgoing:
            successors[element.id, True].append((model.flows[flow_id].target, False))
        if element.id in links:
            successors[element.id, True].append((links[element.id], False))
        # An instance that continues at a boundary event has passed its host.
        if element.host is not None:
            successors[element.host, True].append((element.id, False))
        # An instance leaves a scope from any element inside: an event may interrupt it at any of them.
        if element.scope is not None:
            successors[element.id, True].append((element.scope, True))
            if not element.incoming and element.kind is not ElementKind.BOUNDARY_EVENT:
                successors[element.scope, False].append((element.id, False))
    return successors
