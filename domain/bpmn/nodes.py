"""Finds the flow nodes and other tags of a process, at any depth of subprocesses."""

from collections.abc import Iterator

from uplift.domain.bpmn.model import SCOPE_KINDS, ElementKind
from uplift.domain.bpmn.tree import Node

_KINDS: dict[str | None, ElementKind] = {
    kind.value: kind for kind in ElementKind if kind is not ElementKind.EVENT_SUB_PROCESS
}


def flow_nodes(scope: Node, scope_id: str | None = None) -> Iterator[tuple[Node, ElementKind, str | None]]:
    """Every flow node with its kind and the id of its scope, each scope before its contents."""
    # One generator for all depths: nested ones would pass each flow node on through every scope around it.
    path = [(scope_id, flow_nodes_inside(scope))]
    while path:
        around, inside = path[-1]
        for node, kind in inside:
            yield node, kind, around
            if node.children:
                path.append((node.id, flow_nodes_inside(node)))
                break
        else:
            path.pop()


def flow_nodes_inside(scope: Node) -> Iterator[tuple[Node, ElementKind]]:
    """The flow nodes directly inside a scope, with their kinds."""
    for node in scope.children:
        kind = _KINDS.get(node.bpmn_name)
        if kind is ElementKind.SUB_PROCESS and node.is_true("triggeredByEvent"):
            kind = ElementKind.EVENT_SUB_PROCESS
        if kind is not None:
            yield node, kind


def nodes_named(scope: Node, name: str) -> Iterator[Node]:
    """The BPMN tags with this local name in a process and in its subprocesses."""
    yield from scope.children_named(name)
    for node, kind, _ in flow_nodes(scope):
        if kind in SCOPE_KINDS:
            yield from node.children_named(name)
