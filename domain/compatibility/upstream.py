"""Finds the changed elements that an instance may have passed before it reached its position."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set

from uplift.domain.bpmn.model import ElementKind, ProcessModel

_Point = tuple[str, bool]
"""An element's id, and whether the instance has left the element (True) or has just reached it (False)."""


def changes_upstream(model: ProcessModel, changed: Set[str]) -> Mapping[str, int]:
    """The other changed elements that an instance may have passed, by the element it has reached.

    Each set is an integer: bit n stands for the changed element with the n-th id in sorted order.

    This is a forward data-flow analysis. It visits all points in the order of the sequence flows, and repeats
    as long as a loop propagates another bit, which is two or three times in practice.
    """
    bits = {element_id: 1 << index for index, element_id in enumerate(sorted(changed))}
    successors = _successors(model)
    order = _in_flow_order(model, successors)
    upstream: dict[_Point, int] = defaultdict(int)
    # Sets only grow and are finite, so the loop ends.
    has_grown = True
    while has_grown:
        has_grown = False
        for point in order:
            element_id, has_left = point
            passed = upstream[point] | (bits.get(element_id, 0) if has_left else 0)
            for successor in successors[point]:
                if passed & ~upstream[successor]:
                    upstream[successor] |= passed
                    has_grown = True
    return {
        element_id: upstream[element_id, False] & ~bits.get(element_id, 0) for element_id in model.elements
    }


def _successors(model: ProcessModel) -> Mapping[_Point, list[_Point]]:
    """The points that an instance may reach next, by point."""
    successors: defaultdict[_Point, list[_Point]] = defaultdict(list)
    for element in model.elements.values():
        successors[element.id, False].append((element.id, True))
        for flow_id in element.outgoing:
            successors[element.id, True].append((model.flows[flow_id].target, False))
        # An instance that continues at a boundary event has passed its host.
        if element.host is not None:
            successors[element.host, True].append((element.id, False))
        # An instance leaves a scope from any element inside: an event may interrupt it at any of them.
        if element.scope is not None:
            successors[element.id, True].append((element.scope, True))
            if not element.incoming and element.kind is not ElementKind.BOUNDARY_EVENT:
                successors[element.scope, False].append((element.id, False))
    return successors


def _in_flow_order(model: ProcessModel, successors: Mapping[_Point, list[_Point]]) -> list[_Point]:
    """All points in reverse post-order: each before its successors, unless there is a loop."""
    # Iterative, because a chain of elements may be longer than Python's recursion limit.
    finished: list[_Point] = []
    seen: set[_Point] = set()
    for element_id in model.elements:
        start = (element_id, False)
        if start in seen:
            continue
        seen.add(start)
        path: list[tuple[_Point, Iterator[_Point]]] = [(start, iter(successors[start]))]
        while path:
            point, candidates = path[-1]
            unseen = next((candidate for candidate in candidates if candidate not in seen), None)
            if unseen is None:
                finished.append(point)
                path.pop()
            else:
                seen.add(unseen)
                path.append((unseen, iter(successors[unseen])))
    finished.reverse()
    return finished
