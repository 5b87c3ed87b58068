"""Which process does a BPMN 2.0 document describe, element by element?

Whatever the exporter: namespace prefixes are free, vendors' tags and attributes are passed over, except the
form keys that Camunda and Flowable keep in theirs.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from uplift.domain.bpmn.checking import check_document, check_references
from uplift.domain.bpmn.events import Definitions, local_name, read_definitions, read_trigger
from uplift.domain.bpmn.model import Element, ElementKind, Flow, MultiInstance, ProcessModel, build_model
from uplift.domain.bpmn.nodes import flow_nodes, nodes_named
from uplift.domain.bpmn.tree import DEFAULT_MAX_BYTES, Node, read_tree
from uplift.domain.errors import InvalidModel

_FORM_KEYS = tuple(
    f"{{{namespace}}}{name}"
    for namespace in (
        "http://camunda.org/schema/1.0/bpmn",
        "http://flowable.org/bpmn",
        "http://activiti.org/bpmn",
    )
    for name in ("formKey", "formRef")
)


def read_model(
    document: bytes, *, process_id: str | None = None, max_bytes: int = DEFAULT_MAX_BYTES
) -> ProcessModel:
    """The process with this id, else the only one of the document.

    Raises InvalidModel, and nothing else, with line and element where known: for what is not XML or not
    BPMN, for dangling references and duplicate ids, for documents over `max_bytes` or nested too deeply,
    and, listing them, when there are several processes and none has the id.
    """
    root = read_tree(document, max_bytes=max_bytes)
    known = check_document(root)
    process = _choose(list(root.named("process")), process_id)
    check_references(process, known)
    return _model(process, read_definitions(root))


def _choose(processes: list[Node], process_id: str | None) -> Node:
    if not processes:
        raise InvalidModel("Expected a process in the BPMN document, but it has none.")
    for process in processes:
        if process_id is not None and process.id == process_id:
            return process
    if len(processes) > 1:
        known = ", ".join(sorted(f"'{process.id}'" for process in processes))
        asked = "the id of one process" if process_id is None else f"process '{process_id}'"
        raise InvalidModel(f"Expected {asked}, but the document has several processes: {known}.")
    return processes[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surroundings:
    """What an element is connected to, by its id."""

    definitions: Definitions
    incoming: Mapping[str, list[str]]
    outgoing: Mapping[str, list[str]]
    handlers: Mapping[str, str]


def _model(process: Node, definitions: Definitions) -> ProcessModel:
    flows = [_flow(node) for node in nodes_named(process, "sequenceFlow")]
    surroundings = _surroundings(process, flows, definitions)
    return build_model(
        process=str(process.id),
        name=process.attributes.get("name"),
        elements=[_element(node, kind, scope, surroundings) for node, kind, scope in flow_nodes(process)],
        flows=flows,
    )


def _flow(node: Node) -> Flow:
    return Flow(
        id=str(node.id),
        source=local_name(node.attributes["sourceRef"]),
        target=local_name(node.attributes["targetRef"]),
    )


def _surroundings(process: Node, flows: list[Flow], definitions: Definitions) -> _Surroundings:
    incoming: defaultdict[str, list[str]] = defaultdict(list)
    outgoing: defaultdict[str, list[str]] = defaultdict(list)
    for flow in flows:
        outgoing[flow.source].append(flow.id)
        incoming[flow.target].append(flow.id)
    return _Surroundings(
        definitions=definitions, incoming=incoming, outgoing=outgoing, handlers=_handlers(process)
    )


def _handlers(process: Node) -> dict[str, str]:
    """The compensation handler of each boundary event that an association leads from."""
    nodes = {node.id: (node, kind) for node, kind, _ in flow_nodes(process)}
    handlers = {}
    for association in nodes_named(process, "association"):
        event, handler = (local_name(association.attributes[end]) for end in ("sourceRef", "targetRef"))
        if event in nodes and handler in nodes and nodes[event][1] is ElementKind.BOUNDARY_EVENT:
            handlers[event] = handler
    return handlers


def _element(node: Node, kind: ElementKind, scope: str | None, surroundings: _Surroundings) -> Element:
    own = str(node.id)
    return Element(
        id=own,
        kind=kind,
        name=node.attributes.get("name"),
        scope=scope,
        trigger=read_trigger(node, surroundings.definitions),
        multi_instance=_multi_instance(node),
        host=local_name(node.attributes["attachedToRef"]) if kind is ElementKind.BOUNDARY_EVENT else None,
        interrupting=_interrupting(node, kind),
        handler=surroundings.handlers.get(own),
        compensates=node.states("isForCompensation"),
        called_process=node.attributes.get("calledElement") or None,
        form_key=_form_key(node),
        incoming=tuple(surroundings.incoming.get(own, ())),
        outgoing=tuple(surroundings.outgoing.get(own, ())),
    )


def _multi_instance(node: Node) -> MultiInstance | None:
    for marker in node.named("multiInstanceLoopCharacteristics"):
        return MultiInstance.SEQUENTIAL if marker.states("isSequential") else MultiInstance.PARALLEL
    return None


def _interrupting(node: Node, kind: ElementKind) -> bool:
    attribute = "cancelActivity" if kind is ElementKind.BOUNDARY_EVENT else "isInterrupting"
    return node.states(attribute, default=True)


def _form_key(node: Node) -> str | None:
    for name in _FORM_KEYS:
        if node.attributes.get(name):
            return node.attributes[name]
    return None
