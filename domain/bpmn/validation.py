"""Validates the ids and references of a BPMN document."""

from collections.abc import Iterator, Set

from uplift.domain.bpmn.events import local_name
from uplift.domain.bpmn.model import SCOPE_KINDS, ElementKind
from uplift.domain.bpmn.nodes import flow_nodes, nodes_named
from uplift.domain.bpmn.tree import BPMN, Node
from uplift.domain.errors import InvalidModel

_ACTIVITIES = SCOPE_KINDS | {kind for kind in ElementKind if kind.value.lower().endswith("task")}
_HOSTS = _ACTIVITIES | {ElementKind.CALL_ACTIVITY}


def require_unique_ids(root: Node) -> Set[str]:
    """Return the ids of all BPMN tags of a document.

    Raises InvalidModel if the root is not BPMN's `definitions`, or if two tags have the same id.
    """
    if root.tag != f"{BPMN}definitions":
        raise InvalidModel(
            f"Expected BPMN 2.0 'definitions' as the root of the document, but found '{root.tag}'.",
            line=root.line,
        )
    lines: dict[str, int] = {}
    for node in _bpmn_nodes(root):
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


def require_references(process: Node, document_ids: Set[str]) -> None:
    """Raise InvalidModel for the first element or flow without an id or with a dangling reference.

    Flows, hosts and defaults must refer to elements of the process, associations to any id of the document.
    """
    kinds = {_require_id(node): kind for node, kind, _ in flow_nodes(process)}
    hosts = {node_id for node_id, kind in kinds.items() if kind in _HOSTS}
    flows = {_require_id(flow) for flow in nodes_named(process, "sequenceFlow")}
    for flow in nodes_named(process, "sequenceFlow"):
        _require_attribute(flow, "sourceRef", kinds.keys())
        _require_attribute(flow, "targetRef", kinds.keys())
    for node, kind, _ in flow_nodes(process):
        if kind is ElementKind.BOUNDARY_EVENT:
            _require_attribute(node, "attachedToRef", hosts)
        if "default" in node.attributes:
            _require_attribute(node, "default", flows)
        for end in node.children_named("incoming", "outgoing"):
            if local_name(end.text) not in flows:
                raise _dangling_reference(end, end.bpmn_name, end.text, node.id)
    for association in nodes_named(process, "association"):
        _require_attribute(association, "sourceRef", document_ids)
        _require_attribute(association, "targetRef", document_ids)


def _bpmn_nodes(root: Node) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        if node.bpmn_name is not None and node.bpmn_name != "extensionElements":
            yield node
            stack.extend(reversed(node.children))


def _require_id(node: Node) -> str:
    if node.id is None:
        raise InvalidModel(f"Expected each {node.bpmn_name} to have an id, but one has none.", line=node.line)
    return node.id


def _require_attribute(node: Node, attribute: str, valid_ids: Set[str]) -> None:
    if local_name(node.attributes.get(attribute, "")) not in valid_ids:
        raise _dangling_reference(node, attribute, node.attributes.get(attribute, ""), node.id)


def _dangling_reference(node: Node, role: str | None, reference: str, element_id: str | None) -> InvalidModel:
    return InvalidModel(
        f"Expected '{reference}', the {role} of '{element_id}', to be in the same process, "
        "but it is not there.",
        line=node.line,
        element=element_id,
    )
