"""Validates the ids and references of a BPMN document."""

from collections.abc import Iterable, Set

from uplift.domain.bpmn.events import resolved
from uplift.domain.bpmn.model import SCOPE_KINDS, ElementKind
from uplift.domain.bpmn.nodes import Contents, find_contents
from uplift.domain.bpmn.tree import BPMN, Node, quoted
from uplift.domain.errors import InvalidModel

_ACTIVITIES = SCOPE_KINDS | {kind for kind in ElementKind if kind.value.lower().endswith("task")}
_HOSTS = _ACTIVITIES | {ElementKind.CALL_ACTIVITY}
_REFERENCED = {
    "sourceRef": "an element",
    "targetRef": "an element",
    "attachedToRef": "an activity",
}
"""What an attribute refers to, for messages."""


def require_unique_processes(root: Node) -> None:
    """Raise InvalidModel if the root is not BPMN's `definitions`, or if two processes have the same id."""
    if root.tag != f"{BPMN}definitions":
        raise InvalidModel(
            f"Expected BPMN 2.0 'definitions' as the root of the document, but found {quoted(root.tag)}. "
            "Export the process as BPMN 2.0 XML.",
            line=root.line,
        )
    _require_different_ids(list(root.children_named("process")))


def require_unique_ids(process: Node, contents: Contents) -> Set[str]:
    """Return the ids of a process and its flow nodes. Raises InvalidModel if two of them have the same id.

    No other id names where an instance waits: messages, lanes, data or the elements of other processes may
    repeat an id, and sequence flows that do get other ids (`naming`).
    """
    return _require_different_ids([process, *(found.node for found in contents.flow_nodes)])


def resolve_references(contents: Contents, root: Node) -> None:
    """Replace what flows and boundary events refer to by the ids of the elements, without a prefix.

    `root` is the root of the document, whose other processes a message may name. Raises InvalidModel for the
    first flow or host that refers to nothing in the process. The tags `incoming` and `outgoing` only repeat
    what the flows say, most associations are drawings, and no rule reads a `default`, so none is validated.
    """
    kinds = {found.node.id: found.kind for found in contents.flow_nodes if found.node.id is not None}
    for flow in contents.flows:
        _resolve_attribute(flow, "sourceRef", kinds.keys(), root)
        _resolve_attribute(flow, "targetRef", kinds.keys(), root)
    boundary_events = [
        found.node for found in contents.flow_nodes if found.kind is ElementKind.BOUNDARY_EVENT
    ]
    if boundary_events:
        hosts = {node_id for node_id, kind in kinds.items() if kind in _HOSTS}
        for event in boundary_events:
            _resolve_attribute(event, "attachedToRef", hosts, root)


def _require_different_ids(nodes: Iterable[Node]) -> Set[str]:
    nodes_by_id: dict[str, Node] = {}
    for node in nodes:
        if node.id is None:
            continue
        other = nodes_by_id.setdefault(node.id, node)
        if other is not node:
            lines = sorted((other.line, node.line))
            raise InvalidModel(
                f"Expected each id once, but {quoted(node.id)} is on lines {lines[0]} and {lines[1]}. "
                "Give one of them another id.",
                line=lines[1],
                element=node.id,
            )
    return nodes_by_id.keys()


def _resolve_attribute(node: Node, attribute: str, valid_ids: Set[str], root: Node) -> None:
    reference = node.attributes.get(attribute, "")
    if reference in valid_ids:
        return
    found = resolved(reference, valid_ids)
    if found not in valid_ids:
        raise InvalidModel(
            f"Expected {quoted(reference)}, the {attribute} of {node.title}, to be {_REFERENCED[attribute]} "
            f"in the same process, but {_found_instead(found, node, root)}",
            line=node.line,
            element=node.id,
        )
    node.attributes[attribute] = found


def _found_instead(reference: str, node: Node, root: Node) -> str:
    """What a reference names instead, and what to do about it."""
    for process in root.children_named("process"):
        contents = find_contents(process)
        elements = [found.node for found in contents.flow_nodes]
        for found in (*elements, *contents.flows):
            if found.id == reference:
                if node in elements or node in contents.flows:
                    return f"it is the {found.bpmn_name} on line {found.line}. Correct the reference."
                return f"it is in process {quoted(str(process.id))}. Connect processes by message flows."
    return "it is not there. Correct the reference, or remove what has it."
