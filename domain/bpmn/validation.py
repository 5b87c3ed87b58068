"""Validates the ids and references of a BPMN document."""

from collections.abc import Iterator, Set

from uplift.domain.bpmn.events import TRIGGERS, local_name
from uplift.domain.bpmn.model import SCOPE_KINDS, ElementKind
from uplift.domain.bpmn.nodes import flow_nodes, nodes_named
from uplift.domain.bpmn.tree import BPMN, Node
from uplift.domain.errors import InvalidModel

_ACTIVITIES = SCOPE_KINDS | {kind for kind in ElementKind if kind.value.lower().endswith("task")}
_HOSTS = _ACTIVITIES | {ElementKind.CALL_ACTIVITY}


def require_unique_ids(root: Node) -> Set[str]:
    """Return the ids of all tags that the reader looks up by id.

    Other tags, such as lanes, data or global tasks, may repeat an id. Raises InvalidModel if the root is not
    BPMN's `definitions`, or if two of the tags have the same id.
    """
    if root.tag != f"{BPMN}definitions":
        raise InvalidModel(
            f"Expected BPMN 2.0 'definitions' as the root of the document, but found '{root.tag}'.",
            line=root.line,
        )
    lines: dict[str, int] = {}
    for node in sorted(_referenced_nodes(root), key=lambda node: node.line):
        if node.id is None:
            continue
        if node.id in lines:
            raise InvalidModel(
                f"Expected each id once, but '{node.id}' is on lines {lines[node.id]} and {node.line}.",
                line=node.line,
                element=node.id,
            )
        lines[node.id] = node.line
    return lines.keys()


def require_references(process: Node) -> None:
    """Raise InvalidModel for the first flow, host or default that refers to nothing in the process.

    All flow nodes must have an id. The tags `incoming` and `outgoing` only repeat what the flows say, and
    most associations are drawings, so neither is validated.
    """
    kinds = {str(node.id): kind for node, kind, _ in flow_nodes(process)}
    hosts = {node_id for node_id, kind in kinds.items() if kind in _HOSTS}
    flows = {flow.id for flow in nodes_named(process, "sequenceFlow") if flow.id is not None}
    for flow in nodes_named(process, "sequenceFlow"):
        _require_attribute(flow, "sourceRef", kinds.keys())
        _require_attribute(flow, "targetRef", kinds.keys())
    for node, kind, _ in flow_nodes(process):
        if kind is ElementKind.BOUNDARY_EVENT:
            _require_attribute(node, "attachedToRef", hosts)
        if "default" in node.attributes:
            _require_attribute(node, "default", flows)


def _referenced_nodes(root: Node) -> Iterator[Node]:
    yield from root.children_named("process", "message", "signal", "error", "escalation", *TRIGGERS)
    for process in root.children_named("process"):
        yield from (node for node, _, _ in flow_nodes(process))
        yield from nodes_named(process, "sequenceFlow")


def _require_attribute(node: Node, attribute: str, valid_ids: Set[str]) -> None:
    reference = node.attributes.get(attribute, "")
    if local_name(reference) not in valid_ids:
        raise InvalidModel(
            f"Expected '{reference}', the {attribute} of {node.title}, to be in the same process, "
            "but it is not there.",
            line=node.line,
            element=node.id,
        )
