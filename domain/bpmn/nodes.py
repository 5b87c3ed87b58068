"""Which tags of a process are its flow nodes, and which tags stand anywhere inside it?"""

from collections.abc import Iterator

from uplift.domain.bpmn.model import ElementKind
from uplift.domain.bpmn.tree import Node

_KINDS = {kind.value: kind for kind in ElementKind if kind is not ElementKind.EVENT_SUB_PROCESS}


def flow_nodes(scope: Node, around: str | None = None) -> Iterator[tuple[Node, ElementKind, str | None]]:
    """Every flow node with its kind and the id of the scope around it, the outer ones first."""
    for node in scope.inside:
        kind = _kind(node)
        if kind is not None:
            yield node, kind, around
            yield from flow_nodes(node, node.id)


def nodes_named(scope: Node, name: str) -> Iterator[Node]:
    """The BPMN tags of this name in a process and in its subprocesses."""
    yield from scope.named(name)
    for node, _, _ in flow_nodes(scope):
        yield from node.named(name)


def _kind(node: Node) -> ElementKind | None:
    kind = _KINDS.get(node.bpmn_name or "")
    if kind is ElementKind.SUB_PROCESS and node.states("triggeredByEvent"):
        return ElementKind.EVENT_SUB_PROCESS
    return kind
