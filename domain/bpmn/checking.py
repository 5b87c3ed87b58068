"""Is a document BPMN, and does all it refers to exist exactly once?"""

from collections.abc import Iterator, Set

from uplift.domain.bpmn.events import local_name
from uplift.domain.bpmn.model import SCOPE_KINDS, ElementKind
from uplift.domain.bpmn.nodes import flow_nodes, nodes_named
from uplift.domain.bpmn.tree import BPMN, Node
from uplift.domain.errors import InvalidModel

_ACTIVITIES = SCOPE_KINDS | {kind for kind in ElementKind if kind.value.lower().endswith("task")}
_HOSTS = _ACTIVITIES | {ElementKind.CALL_ACTIVITY}


def check_document(root: Node) -> Set[str]:
    """The ids of all BPMN tags of a document.

    Raises InvalidModel when the root is not BPMN's `definitions` or an id stands twice.
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
                f"Expected each id once, but '{node.id}' stands on lines {lines[node.id]} and {node.line}.",
                line=node.line,
                element=node.id,
            )
        lines[node.id] = node.line
    return lines.keys()


def check_references(process: Node, known: Set[str]) -> None:
    """Check that elements and flows of a process have ids and that their references lead somewhere.

    `known` are the ids of the document. Raises InvalidModel for the first that does not hold.
    """
    kinds = {_own_id(node): kind for node, kind, _ in flow_nodes(process)}
    hosts = {element for element, kind in kinds.items() if kind in _HOSTS}
    flows = {_own_id(flow) for flow in nodes_named(process, "sequenceFlow")}
    for flow in nodes_named(process, "sequenceFlow"):
        _check_attribute(flow, "sourceRef", kinds.keys())
        _check_attribute(flow, "targetRef", kinds.keys())
    for node, kind, _ in flow_nodes(process):
        if kind is ElementKind.BOUNDARY_EVENT:
            _check_attribute(node, "attachedToRef", hosts)
        if "default" in node.attributes:
            _check_attribute(node, "default", flows)
        for end in node.named("incoming", "outgoing"):
            _check(end, end.text, flows, node.id)
    for association in nodes_named(process, "association"):
        _check_attribute(association, "sourceRef", known)
        _check_attribute(association, "targetRef", known)


def _bpmn_nodes(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.bpmn_name is not None and node.bpmn_name != "extensionElements":
            yield node
            waiting.extend(reversed(node.inside))


def _own_id(node: Node) -> str:
    if node.id is None:
        raise InvalidModel(f"Expected each {node.bpmn_name} to have an id, but one has none.", line=node.line)
    return node.id


def _check_attribute(node: Node, attribute: str, known: Set[str]) -> None:
    _check(node, node.attributes.get(attribute, ""), known, node.id, said=attribute)


def _check(node: Node, reference: str, known: Set[str], element: str | None, said: str | None = None) -> None:
    if local_name(reference) not in known:
        raise InvalidModel(
            f"Expected '{reference}', the {said or node.bpmn_name} of '{element}', "
            "to be in the same process, but it is not there.",
            line=node.line,
            element=element,
        )
