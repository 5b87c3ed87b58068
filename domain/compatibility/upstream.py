"""Which changed elements may an instance have passed before it came to where it waits?"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set

from uplift.domain.bpmn.model import ElementKind, ProcessModel

_Point = tuple[str, bool]
"""An element's id, and whether the instance has left it (True) or just come to it (False)."""


def changes_behind(model: ProcessModel, changed: Set[str]) -> Mapping[str, int]:
    """For each element the other changed elements that may lie behind it, as bits in the order of their ids.

    Sets of bits make this linear in practice: the points of the process are visited in the direction of
    the flow, and again only as long as a loop carries something new around.
    """
    bits = {element: 1 << place for place, element in enumerate(sorted(changed))}
    ahead = _steps(model)
    order = _in_flow_order(model, ahead)
    behind: dict[_Point, int] = defaultdict(int)
    grown = True
    while grown:
        grown = False
        for point in order:
            element, left = point
            passed = behind[point] | (bits.get(element, 0) if left else 0)
            for following in ahead[point]:
                if passed & ~behind[following]:
                    behind[following] |= passed
                    grown = True
    return {element: behind[element, False] & ~bits.get(element, 0) for element in model.elements}


def _steps(model: ProcessModel) -> Mapping[_Point, list[_Point]]:
    ahead: defaultdict[_Point, list[_Point]] = defaultdict(list)
    for element in model.elements.values():
        ahead[element.id, False].append((element.id, True))
        for flow in element.outgoing:
            ahead[element.id, True].append((model.flows[flow].target, False))
        if element.host is not None:
            ahead[element.host, True].append((element.id, False))
        if element.scope is not None:
            ahead[element.id, True].append((element.scope, True))
            if not element.incoming and element.kind is not ElementKind.BOUNDARY_EVENT:
                ahead[element.scope, False].append((element.id, False))
    return ahead


def _in_flow_order(model: ProcessModel, ahead: Mapping[_Point, list[_Point]]) -> list[_Point]:
    """All points, each before those that follow it as far as there are no loops (reverse post-order)."""
    finished: list[_Point] = []
    seen: set[_Point] = set()
    for element in model.elements:
        start = (element, False)
        if start in seen:
            continue
        seen.add(start)
        way: list[tuple[_Point, Iterator[_Point]]] = [(start, iter(ahead[start]))]
        while way:
            point, following = way[-1]
            fresh = next((other for other in following if other not in seen), None)
            if fresh is None:
                finished.append(point)
                way.pop()
            else:
                seen.add(fresh)
                way.append((fresh, iter(ahead[fresh])))
    finished.reverse()
    return finished
