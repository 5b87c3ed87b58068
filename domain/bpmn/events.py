"""Reads the triggers of events, and resolves the messages, signals, errors and escalations they refer to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from uplift.domain.bpmn.model import ElementKind, Trigger, TriggerKind
from uplift.domain.bpmn.tree import Node, bounded, quoted
from uplift.domain.errors import InvalidModel

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

_TIMER_FORMS = ("timeDate", "timeDuration", "timeCycle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """The definitions beside the processes of a document to which events may refer, by id.

    `names` holds the names of messages and signals, and the codes of errors and escalations.
    `event_definitions` holds the event definitions that several events share.
    """

    names: Mapping[str, str]
    event_definitions: Mapping[str, Node]


def read_definitions(root: Node) -> Definitions:
    """Read the definitions at the top of a document."""
    names = {
        node.id: _name(node)
        for node in root.children_named("message", "signal", "error", "escalation")
        if node.id
    }
    return Definitions(
        names=names, event_definitions={node.id: node for node in root.children_named(*TRIGGERS) if node.id}
    )


def read_trigger(node: Node, definitions: Definitions) -> Trigger | None:
    """Read the trigger of an event, or the message of a receive task. None if it has none.

    A message, signal, error or escalation that the document does not declare is its own name. Raises
    InvalidModel if the event refers to an event definition that is not in the document.
    """
    triggers = [_trigger(definition, definitions) for definition in _event_definitions(node, definitions)]
    if len(triggers) > 1:
        return Trigger(kind=TriggerKind.MULTIPLE, detail=_combined_detail(triggers))
    if triggers:
        return triggers[0]
    if node.bpmn_name == ElementKind.RECEIVE_TASK and "messageRef" in node.attributes:
        return Trigger(kind=TriggerKind.MESSAGE, detail=_referenced_name(node, "messageRef", definitions))
    return None


def local_name(reference: str) -> str:
    """Remove the namespace prefix that a QName may have."""
    return reference.strip().rpartition(":")[2]


def _name(node: Node) -> str:
    # Engines match errors and escalations by their codes, messages and signals by their names.
    attributes = node.attributes
    code = attributes.get("errorCode") or attributes.get("escalationCode")
    return bounded(code or attributes.get("name") or str(node.id))


def _event_definitions(node: Node, definitions: Definitions) -> Iterable[Node]:
    yield from node.children_named(*TRIGGERS)
    for reference in node.children_named("eventDefinitionRef"):
        shared = definitions.event_definitions.get(local_name(reference.text))
        if shared is None:
            raise InvalidModel(
                f"Expected {quoted(reference.text)}, which {node.title} refers to, in the same document, "
                "but it is not there. Add it, or define the trigger inside the event.",
                line=reference.line,
                element=node.id,
            )
        yield shared


def _trigger(definition: Node, definitions: Definitions) -> Trigger:
    kind = TRIGGERS[str(definition.bpmn_name)]
    if kind in _REFERENCES:
        return Trigger(kind=kind, detail=_referenced_name(definition, _REFERENCES[kind], definitions))
    if kind is TriggerKind.TIMER:
        return Trigger(kind=kind, detail=_timer(definition))
    if kind is TriggerKind.CONDITIONAL:
        return Trigger(kind=kind, detail=_condition(definition))
    return Trigger(kind=kind, detail=definition.attributes.get("name"))


def _referenced_name(node: Node, attribute: str, definitions: Definitions) -> str | None:
    reference = node.attributes.get(attribute, "").strip()
    if not reference:
        return None
    name = definitions.names.get(reference) or definitions.names.get(local_name(reference))
    # Engines of the Activiti family accept a name or a code in place of a reference.
    return reference if name is None else name


def _timer(definition: Node) -> str | None:
    forms = [f"{form} {node.text}" for form in _TIMER_FORMS for node in definition.children_named(form)]
    return "; ".join(forms) or None


def _condition(definition: Node) -> str | None:
    return next((node.text for node in definition.children_named("condition")), None) or None


def _combined_detail(triggers: Iterable[Trigger]) -> str:
    return "; ".join(sorted({f"{trigger.kind}: {trigger.detail}" for trigger in triggers}))
