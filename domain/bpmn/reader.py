"""Reads one process of a BPMN 2.0 document into a `ProcessModel`.

The reader accepts any namespace prefix. Of the extensions of vendors it reads those in `vendors`.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from uplift.domain.bpmn.choice import choose_process
from uplift.domain.bpmn.events import Definitions, read_definitions, read_trigger, resolved
from uplift.domain.bpmn.extensions import read_extensions
from uplift.domain.bpmn.model import Element, ElementKind, Flow, MultiInstance, ProcessModel, build_model
from uplift.domain.bpmn.naming import name_flow_nodes, name_flows, name_processes
from uplift.domain.bpmn.nodes import Contents, FlowNode, find_contents
from uplift.domain.bpmn.tree import DEFAULT_LIMITS, DocumentLimits, Node, read_tree
from uplift.domain.bpmn.validation import require_unique_ids, require_unique_processes, resolve_references

_MAY_INTERRUPT = frozenset({ElementKind.BOUNDARY_EVENT, ElementKind.START_EVENT})


def read_model(
    document: bytes,
    *,
    process_id: str | None = None,
    preferred_id: str | None = None,
    limits: DocumentLimits = DEFAULT_LIMITS,
) -> ProcessModel:
    """Read one process: that with `process_id`, or the one that fits best (`choice.choose_process`).

    Raises InvalidModel, with line and element if known, if the document is not BPMN 2.0 or exceeds a limit,
    or has dangling flows, duplicate ids or no id where an instance can wait. It also raises it for no process
    with `process_id`, and for several to choose from. It raises no other error, whatever the bytes are.
    """
    root = read_tree(document, limits=limits)
    require_unique_processes(root)
    name_processes(root)
    process = choose_process(root, process_id, preferred_id)
    contents = find_contents(process)
    ids = require_unique_ids(process, contents)
    resolve_references(contents, root)
    definitions = read_definitions(root, contents)
    flow_ids = {flow.id for flow in contents.flows if flow.id is not None}
    name_flow_nodes(contents, definitions, ids | flow_ids)
    name_flows(contents, {str(process.id), *(str(found.node.id) for found in contents.flow_nodes)})
    return _model(process, contents, definitions)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Connections:
    """Everything that elements refer to, or that refers to them by their ids."""

    definitions: Definitions
    incoming: Mapping[str, list[str]]
    outgoing: Mapping[str, list[str]]
    handlers: Mapping[str, str]


def _model(process: Node, contents: Contents, definitions: Definitions) -> ProcessModel:
    flows = [_flow(node) for node in contents.flows]
    connections = _connections(contents, flows, definitions)
    return build_model(
        process=str(process.id),
        name=process.attributes.get("name"),
        elements=[_element(found, connections) for found in contents.flow_nodes],
        flows=flows,
    )


def _flow(node: Node) -> Flow:
    return Flow(
        id=str(node.id),
        source=node.attributes["sourceRef"],
        target=node.attributes["targetRef"],
    )


def _connections(contents: Contents, flows: list[Flow], definitions: Definitions) -> _Connections:
    incoming: defaultdict[str, list[str]] = defaultdict(list)
    outgoing: defaultdict[str, list[str]] = defaultdict(list)
    for flow in flows:
        outgoing[flow.source].append(flow.id)
        incoming[flow.target].append(flow.id)
    return _Connections(
        definitions=definitions, incoming=incoming, outgoing=outgoing, handlers=_handlers(contents)
    )


def _handlers(contents: Contents) -> dict[str, str]:
    """The compensation handlers by the boundary events that associations connect them to.

    Of several candidates the first by id is the handler, one that is marked for compensation before others.
    """
    if not contents.associations:
        return {}
    found = {str(flow_node.node.id): flow_node for flow_node in contents.flow_nodes}
    candidates: defaultdict[str, list[tuple[bool, str]]] = defaultdict(list)
    for association in contents.associations:
        event, handler = (
            resolved(association.attributes.get(end, ""), found.keys()) for end in ("sourceRef", "targetRef")
        )
        if event in found and handler in found and found[event].kind is ElementKind.BOUNDARY_EVENT:
            candidates[event].append((not found[handler].node.is_true("isForCompensation"), handler))
    return {event: min(handlers)[1] for event, handlers in candidates.items()}


def _element(found: FlowNode, connections: _Connections) -> Element:
    node, kind, scope = found
    element_id = str(node.id)
    extensions = read_extensions(node, kind)
    return Element(
        id=element_id,
        kind=kind,
        name=node.attributes.get("name"),
        scope=None if scope is None else scope.id,
        trigger=read_trigger(node, connections.definitions),
        multi_instance=_multi_instance(node),
        host=node.attributes["attachedToRef"] if kind is ElementKind.BOUNDARY_EVENT else None,
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
    if not node.children:
        return None
    markers = list(node.children_named("multiInstanceLoopCharacteristics"))
    if not markers:
        return None
    is_sequential = any(marker.is_true("isSequential") for marker in markers)
    return MultiInstance.SEQUENTIAL if is_sequential else MultiInstance.PARALLEL


def _interrupting(node: Node, kind: ElementKind) -> bool:
    if kind not in _MAY_INTERRUPT:
        return True
    attribute = "cancelActivity" if kind is ElementKind.BOUNDARY_EVENT else "isInterrupting"
    return node.is_true(attribute, default=True)
