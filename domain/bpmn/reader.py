"""Reads one process of a BPMN 2.0 document into a `ProcessModel`.

The reader accepts any namespace prefix. Of the extensions of vendors it reads those in `vendors`.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from uplift.domain.bpmn.choice import choose_process
from uplift.domain.bpmn.events import Definitions, local_name, read_definitions, read_trigger
from uplift.domain.bpmn.extensions import read_extensions
from uplift.domain.bpmn.model import Element, ElementKind, Flow, MultiInstance, ProcessModel, build_model
from uplift.domain.bpmn.naming import name_flow_nodes, name_flows, name_processes
from uplift.domain.bpmn.nodes import flow_nodes, nodes_named
from uplift.domain.bpmn.tree import DEFAULT_LIMITS, DocumentLimits, Node, read_tree
from uplift.domain.bpmn.validation import require_references, require_unique_ids


def read_model(
    document: bytes,
    *,
    process_id: str | None = None,
    preferred_id: str | None = None,
    limits: DocumentLimits = DEFAULT_LIMITS,
) -> ProcessModel:
    """Read one process: that with `process_id`, or the one that fits best (`choice.choose_process`).

    Raises InvalidModel, with line and element if known, if the document is not BPMN 2.0, exceeds a limit, has
    dangling flows or duplicate ids, has no id where an instance can wait, or has no process with
    `process_id`, or several to choose from. It raises no other error, whatever the bytes are.
    """
    root = read_tree(document, limits=limits)
    document_ids = require_unique_ids(root)
    name_processes(root, document_ids)
    process = choose_process(root, process_id, preferred_id)
    definitions = read_definitions(root)
    name_flow_nodes(process, definitions, document_ids)
    require_references(process, root)
    name_flows(process, document_ids)
    return _model(process, definitions)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Connections:
    """Everything that elements refer to, or that refers to them by their ids."""

    definitions: Definitions
    incoming: Mapping[str, list[str]]
    outgoing: Mapping[str, list[str]]
    handlers: Mapping[str, str]


def _model(process: Node, definitions: Definitions) -> ProcessModel:
    flows = [_flow(node) for node in nodes_named(process, "sequenceFlow")]
    connections = _connections(process, flows, definitions)
    return build_model(
        process=str(process.id),
        name=process.attributes.get("name"),
        elements=[_element(node, kind, scope, connections) for node, kind, scope in flow_nodes(process)],
        flows=flows,
    )


def _flow(node: Node) -> Flow:
    return Flow(
        id=str(node.id),
        source=local_name(node.attributes["sourceRef"]),
        target=local_name(node.attributes["targetRef"]),
    )


def _connections(process: Node, flows: list[Flow], definitions: Definitions) -> _Connections:
    incoming: defaultdict[str, list[str]] = defaultdict(list)
    outgoing: defaultdict[str, list[str]] = defaultdict(list)
    for flow in flows:
        outgoing[flow.source].append(flow.id)
        incoming[flow.target].append(flow.id)
    return _Connections(
        definitions=definitions, incoming=incoming, outgoing=outgoing, handlers=_handlers(process)
    )


def _handlers(process: Node) -> dict[str, str]:
    """The compensation handlers by the boundary events that associations connect them to.

    Of several candidates the first by id is the handler, one that is marked for compensation before others.
    """
    nodes = {str(node.id): (node, kind) for node, kind, _ in flow_nodes(process)}
    candidates: defaultdict[str, list[tuple[bool, str]]] = defaultdict(list)
    for association in nodes_named(process, "association"):
        event, handler = (
            local_name(association.attributes.get(end, "")) for end in ("sourceRef", "targetRef")
        )
        if event in nodes and handler in nodes and nodes[event][1] is ElementKind.BOUNDARY_EVENT:
            candidates[event].append((not nodes[handler][0].is_true("isForCompensation"), handler))
    return {event: min(handlers)[1] for event, handlers in candidates.items()}


def _element(node: Node, kind: ElementKind, scope: str | None, connections: _Connections) -> Element:
    element_id = str(node.id)
    extensions = read_extensions(node, kind)
    return Element(
        id=element_id,
        kind=kind,
        name=node.attributes.get("name"),
        scope=scope,
        trigger=read_trigger(node, connections.definitions),
        multi_instance=_multi_instance(node),
        host=local_name(node.attributes["attachedToRef"]) if kind is ElementKind.BOUNDARY_EVENT else None,
        interrupting=_interrupting(node, kind),
        handler=connections.handlers.get(element_id),
        is_for_compensation=node.is_true("isForCompensation"),
        called_process=extensions.called_process,
        form=extensions.form,
        implementation=extensions.implementation,
        is_camunda_user_task=extensions.is_camunda_user_task,
        waits=extensions.waits,
        incoming=tuple(sorted(connections.incoming.get(element_id, ()))),
        outgoing=tuple(sorted(connections.outgoing.get(element_id, ()))),
    )


def _multi_instance(node: Node) -> MultiInstance | None:
    markers = list(node.children_named("multiInstanceLoopCharacteristics"))
    if not markers:
        return None
    is_sequential = any(marker.is_true("isSequential") for marker in markers)
    return MultiInstance.SEQUENTIAL if is_sequential else MultiInstance.PARALLEL


def _interrupting(node: Node, kind: ElementKind) -> bool:
    attribute = "cancelActivity" if kind is ElementKind.BOUNDARY_EVENT else "isInterrupting"
    return node.is_true(attribute, default=True)
