"""Reads the triggers of events, and resolves the messages, signals, errors and escalations they refer to."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from uplift.domain.bpmn.model import ElementKind, Trigger, TriggerKind
from uplift.domain.bpmn.nodes import Contents, all_nodes
from uplift.domain.bpmn.tree import Node, bounded

TRIGGERS = {
    "messageEventDefinition": TriggerKind.MESSAGE,
    "timerEventDefinition": TriggerKind.TIMER,
    "signalEventDefinition": TriggerKind.SIGNAL,
    "errorEventDefinition": TriggerKind.ERROR,
    "escalationEventDefinition": TriggerKind.ESCALATION,
    "conditionalEventDefinition": TriggerKind.CONDITIONAL,
    "compensateEventDefinition": TriggerKind.COMPENSATION,
    "cancelEventDefinition": TriggerKind.CANCEL,
    "linkEventDefinition": TriggerKind.LINK,
    "terminateEventDefinition": TriggerKind.TERMINATE,
}
"""The kinds of triggers by the tags that define them."""

_REFERENCES = {
    TriggerKind.MESSAGE: "messageRef",
    TriggerKind.SIGNAL: "signalRef",
    TriggerKind.ERROR: "errorRef",
    TriggerKind.ESCALATION: "escalationRef",
}

_SHARED = "eventDefinitionRef"
"""The tag by which an event refers to an event definition that stands elsewhere."""

_DEFINITIONS = {
    "message": TriggerKind.MESSAGE,
    "signal": TriggerKind.SIGNAL,
    "error": TriggerKind.ERROR,
    "escalation": TriggerKind.ESCALATION,
}
"""What the document defines beside its processes, by tag."""

_TIMER_FORMS = ("timeDate", "timeDuration", "timeCycle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """The definitions of a document to which events may refer, by id.

    `names` holds the names of messages and signals, and the codes of errors and escalations, for each kind.
    `shared` holds the triggers of the event definitions and other definitions that an `eventDefinitionRef`
    may name.
    """

    names: Mapping[TriggerKind, Mapping[str, str]]
    shared: Mapping[str, Trigger]


def read_definitions(root: Node, contents: Contents) -> Definitions:
    """Read the definitions at the top of a document, and the event definitions that other events share.

    Some exporters write a definition twice. If the two differ, the first name in sorted order counts, so that
    their order does not matter.
    """
    names: dict[TriggerKind, dict[str, str]] = {kind: {} for kind in _DEFINITIONS.values()}
    for node in root.children_named(*_DEFINITIONS):
        if node.id:
            by_id = names[_DEFINITIONS[str(node.bpmn_name)]]
            by_id[node.id] = min(_name(node), by_id.get(node.id, _name(node)))
    is_shared = any(any(found.node.children_named(_SHARED)) for found in contents.flow_nodes)
    return Definitions(names=names, shared=_shared(root, names) if is_shared else {})


def _shared(root: Node, names: Mapping[TriggerKind, Mapping[str, str]]) -> dict[str, Trigger]:
    triggers: defaultdict[str, list[Trigger]] = defaultdict(list)
    definitions = Definitions(names=names, shared={})
    for node in all_nodes(root):
        if node.bpmn_name in TRIGGERS and node.id:
            triggers[node.id].append(_trigger(node, definitions))
    for kind, by_id in names.items():
        for definition_id, name in by_id.items():
            triggers[definition_id].append(Trigger(kind=kind, detail=name))
    return {
        definition_id: min(found, key=lambda trigger: (trigger.kind, trigger.detail or ""))
        for definition_id, found in triggers.items()
    }


def read_trigger(node: Node, definitions: Definitions) -> Trigger | None:
    """Read the trigger of an event, or the message of a receive task. None if it has none.

    A message, signal, error or escalation that the document does not declare is its own name. Engines ignore
    a reference to an event definition that is not in the document.
    """
    triggers = list(_triggers(node, definitions)) if node.children else []
    if len(triggers) > 1:
        return Trigger(kind=TriggerKind.MULTIPLE, detail=_combined_detail(triggers))
    if triggers:
        return triggers[0]
    if node.bpmn_name == ElementKind.RECEIVE_TASK and "messageRef" in node.attributes:
        return Trigger(
            kind=TriggerKind.MESSAGE, detail=_referenced_name(node, TriggerKind.MESSAGE, definitions)
        )
    return None


def resolved(reference: str, ids: Container[str]) -> str:
    """The id that a QName refers to, without the prefix that it may have.

    Some exporters put colons into ids, so a reference that is an id as a whole has no prefix.
    """
    reference = reference.strip()
    return reference if reference in ids else reference.rpartition(":")[2]


def _name(node: Node) -> str:
    # Engines match errors and escalations by their codes, messages and signals by their names.
    attributes = node.attributes
    code = attributes.get("errorCode") or attributes.get("escalationCode")
    return bounded(code or attributes.get("name") or str(node.id))


def _triggers(node: Node, definitions: Definitions) -> Iterator[Trigger]:
    for child in node.children:
        if child.bpmn_name in TRIGGERS:
            yield _trigger(child, definitions)
        elif child.bpmn_name == _SHARED:
            shared = definitions.shared.get(resolved(child.text, definitions.shared))
            if shared is not None:
                yield shared


def _trigger(definition: Node, definitions: Definitions) -> Trigger:
    kind = TRIGGERS[str(definition.bpmn_name)]
    if kind in _REFERENCES:
        return Trigger(kind=kind, detail=_referenced_name(definition, kind, definitions))
    if kind is TriggerKind.TIMER:
        return Trigger(kind=kind, detail=_timer(definition))
    if kind is TriggerKind.CONDITIONAL:
        return Trigger(kind=kind, detail=_condition(definition))
    return Trigger(kind=kind, detail=definition.attributes.get("name"))


def _referenced_name(node: Node, kind: TriggerKind, definitions: Definitions) -> str | None:
    reference = node.attributes.get(_REFERENCES[kind], "").strip()
    if not reference:
        return None
    names = definitions.names[kind]
    name = names.get(resolved(reference, names))
    # Engines of the Activiti family accept a name or a code in place of a reference.
    return reference if name is None else name


def _timer(definition: Node) -> str | None:
    forms = [f"{form} {node.text}" for form in _TIMER_FORMS for node in definition.children_named(form)]
    return "; ".join(forms) or None


def _condition(definition: Node) -> str | None:
    return next((node.text for node in definition.children_named("condition")), None) or None


def _combined_detail(triggers: Iterable[Trigger]) -> str:
    return "; ".join(sorted({f"{trigger.kind}: {trigger.detail}" for trigger in triggers}))
