"""Finds the flow nodes, sequence flows and associations of a process, at any depth of subprocesses."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from uplift.domain.bpmn.model import SCOPE_KINDS, ElementKind
from uplift.domain.bpmn.tree import Node

_KINDS: dict[str | None, ElementKind] = {
    kind.value: kind for kind in ElementKind if kind is not ElementKind.EVENT_SUB_PROCESS
}


class FlowNode(NamedTuple):
    """The tag of a flow node, its kind, and the tag of the subprocess around it (None for the process)."""

    node: Node
    kind: ElementKind
    scope: Node | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The tags of a process; each scope comes before what is inside it."""

    flow_nodes: list[FlowNode] = field(default_factory=list)
    flows: list[Node] = field(default_factory=list)
    associations: list[Node] = field(default_factory=list)


def find_contents(process: Node) -> Contents:
    """Find everything in a process in one walk."""
    contents = Contents()
    scopes: list[Node | None] = [None]
    # The list grows while it is read: a loop for each depth would end at Python's limit of recursion.
    for scope in scopes:
        for child in (process if scope is None else scope).children:
            kind = _KINDS.get(child.bpmn_name)
            if kind is not None:
                if kind is ElementKind.SUB_PROCESS and child.is_true("triggeredByEvent"):
                    kind = ElementKind.EVENT_SUB_PROCESS
                contents.flow_nodes.append(FlowNode(child, kind, scope))
                if child.children and kind in SCOPE_KINDS:
                    scopes.append(child)
            elif child.bpmn_name == "sequenceFlow":
                contents.flows.append(child)
            elif child.bpmn_name == "association":
                contents.associations.append(child)
    return contents


def has_flow_nodes(process: Node) -> bool:
    """Whether there is a flow node directly in the process."""
    return any(child.bpmn_name in _KINDS for child in process.children)


def all_nodes(root: Node) -> Iterator[Node]:
    """A tag and every tag inside it, at any depth."""
    queue = [root]
    while queue:
        node = queue.pop()
        yield node
        queue.extend(node.children)
