"""Finds the changed elements that an instance may have passed before it reached its position."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set

from uplift.domain.bpmn.model import ElementKind, ProcessModel

_Point = tuple[str, bool]
"""An element's id, and whether the instance has left the element (True) or has just reached it (False)."""

_First = tuple[str, ...]
"""The first ids of a set, sorted."""


def changes_upstream(model: ProcessModel, changed: Set[str], *, limit: int) -> Mapping[str, _First]:
    """The other changed elements that an instance may have passed, by the element it has reached.

    Each set is cut off after the first `limit` ids in sorted order: whole sets would take time and memory in
    proportion to the square of the number of elements. Loops are contracted to one place, whose points all
    have the same elements before them; then each sequence flow is followed once.
    """
    successors = _successors(model)
    loops = _loops(model, successors)
    loop_of = {point: index for index, loop in enumerate(loops) for point in loop}
    kept = limit + 1  # one more, because an element is not upstream of itself
    passed: list[_First] = [()] * len(loops)
    # Every loop comes after all loops that it leads to.
    for index in reversed(range(len(loops))):
        own = sorted({element_id for element_id, has_left in loops[index] if has_left} & changed)
        after = _merged(passed[index], own, kept)
        if len(loops[index]) > 1:
            passed[index] = after
        if after:
            for successor in {loop_of[target] for point in loops[index] for target in successors[point]}:
                if successor != index and passed[successor] != after:
                    passed[successor] = _merged(passed[successor], after, kept)
    return {
        element_id: _without(element_id, passed[loop_of[element_id, False]], limit)
        for element_id in model.elements
    }


def _merged(before: _First, more: Sequence[str], limit: int) -> _First:
    if not more:
        return before
    if not before:
        return tuple(more[:limit])
    return tuple(sorted({*before, *more})[:limit])


def _without(element_id: str, ids: _First, limit: int) -> _First:
    return tuple(other for other in ids if other != element_id)[:limit] if ids else ids


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


def _loops(model: ProcessModel, successors: Mapping[_Point, list[_Point]]) -> list[list[_Point]]:
    """The points grouped by loop, each group after all groups to which it leads.

    A point outside of any loop is a group of its own. Tarjan's algorithm for strongly connected components.
    """
    # Iterative, because a chain of elements may be longer than Python's recursion limit.
    loops: list[list[_Point]] = []
    number: dict[_Point, int] = {}
    lowest: dict[_Point, int] = {}
    opened: list[_Point] = []
    is_open: set[_Point] = set()
    for element_id in model.elements:
        start = (element_id, False)
        if start in number:
            continue
        path: list[tuple[_Point, Iterator[_Point]]] = []
        entered: _Point | None = start
        while entered is not None or path:
            if entered is not None:
                number[entered] = lowest[entered] = len(number)
                opened.append(entered)
                is_open.add(entered)
                path.append((entered, iter(successors[entered])))
            point, candidates = path[-1]
            entered = None
            for candidate in candidates:
                if candidate not in number:
                    entered = candidate
                    break
                if candidate in is_open:
                    lowest[point] = min(lowest[point], number[candidate])
            if entered is not None:
                continue
            path.pop()
            if path:
                lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[point])
            if lowest[point] == number[point]:
                loop = [opened.pop()]
                while loop[-1] != point:
                    loop.append(opened.pop())
                is_open.difference_update(loop)
                loops.append(loop)
    return loops
