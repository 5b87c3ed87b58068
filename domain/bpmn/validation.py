"""Validates the ids and references of a BPMN document."""

from collections.abc import Iterator, Set
from itertools import chain

from uplift.domain.bpmn.events import TRIGGERS, local_name
from uplift.domain.bpmn.model import SCOPE_KINDS, ElementKind
from uplift.domain.bpmn.nodes import flow_nodes, nodes_named
from uplift.domain.bpmn.tree import BPMN, Node, quoted
from uplift.domain.errors import InvalidModel

_ACTIVITIES = SCOPE_KINDS | {kind for kind in ElementKind if kind.value.lower().endswith("task")}
_HOSTS = _ACTIVITIES | {ElementKind.CALL_ACTIVITY}
_REFERENCED = {
    "sourceRef": "an element",
    "targetRef": "an element",
    "attachedToRef": "an activity",
    "default": "a sequence flow",
}
"""What an attribute refers to, for messages."""


def require_unique_ids(root: Node) -> Set[str]:
    """Return the ids of all tags that the reader looks up by id.

    Other tags, such as lanes, data or global tasks, may repeat an id. Raises InvalidModel if the root is not
    BPMN's `definitions`, or if two of the tags have the same id.
    """
    if root.tag != f"{BPMN}definitions":
        raise InvalidModel(
            f"Expected BPMN 2.0 'definitions' as the root of the document, but found {quoted(root.tag)}. "
            "Export the process as BPMN 2.0 XML.",
            line=root.line,
        )
    lines: dict[str, int] = {}
    for node in sorted(_referenced_nodes(root), key=lambda node: node.line):
        if node.id is None:
            continue
        if node.id in lines:
            raise InvalidModel(
                f"Expected each id once, but {quoted(node.id)} is on lines {lines[node.id]} and {node.line}. "
                "Give one of them another id.",
                line=node.line,
                element=node.id,
            )
        lines[node.id] = node.line
    return lines.keys()


def require_references(process: Node, root: Node) -> None:
    """Raise InvalidModel for the first flow, host or default that refers to nothing in the process.

    `root` is the root of the document, whose other processes a message may name.

    All flow nodes must have an id. The tags `incoming` and `outgoing` only repeat what the flows say, and
    most associations are drawings, so neither is validated.
    """
    nodes = list(flow_nodes(process))
    flows = list(nodes_named(process, "sequenceFlow"))
    kinds = {str(node.id): kind for node, kind, _ in nodes}
    hosts = {node_id for node_id, kind in kinds.items() if kind in _HOSTS}
    flow_ids = {flow.id for flow in flows if flow.id is not None}
    for flow in flows:
        _require_attribute(flow, "sourceRef", kinds.keys(), root)
        _require_attribute(flow, "targetRef", kinds.keys(), root)
    for node, kind, _ in nodes:
        if kind is ElementKind.BOUNDARY_EVENT:
            _require_attribute(node, "attachedToRef", hosts, root)
        if "default" in node.attributes:
            _require_attribute(node, "default", flow_ids, root)


def _referenced_nodes(root: Node) -> Iterator[Node]:
    yield from root.children_named("process", "message", "signal", "error", "escalation", *TRIGGERS)
    for process in root.children_named("process"):
        yield from (node for node, _, _ in flow_nodes(process))
        yield from nodes_named(process, "sequenceFlow")


def _require_attribute(node: Node, attribute: str, valid_ids: Set[str], root: Node) -> None:
    reference = node.attributes.get(attribute, "")
    if local_name(reference) not in valid_ids:
        raise InvalidModel(
            f"Expected {quoted(reference)}, the {attribute} of {node.title}, to be {_REFERENCED[attribute]} "
            f"in the same process, but {_found_instead(local_name(reference), node, root)}",
            line=node.line,
            element=node.id,
        )


def _found_instead(reference: str, node: Node, root: Node) -> str:
    """What a reference names instead, and what to do about it."""
    for process in root.children_named("process"):
        elements = (found for found, _, _ in flow_nodes(process))
        for found in chain(elements, nodes_named(process, "sequenceFlow")):
            if found.id == reference:
                if node in nodes_named(process, str(node.bpmn_name)):
                    return f"it is the {found.bpmn_name} on line {found.line}. Correct the reference."
                return f"it is in process {quoted(str(process.id))}. Connect processes by message flows."
    return "it is not there. Correct the reference, or remove what has it."
