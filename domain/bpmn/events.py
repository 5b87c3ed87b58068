"""What does an event wait for or throw, by its definitions and the messages and signals behind them?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from uplift.domain.bpmn.model import ElementKind, Trigger, TriggerKind
from uplift.domain.bpmn.tree import Node
from uplift.domain.errors import InvalidModel

_TRIGGERS = {
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

_REFERENCES = {
    TriggerKind.MESSAGE: "messageRef",
    TriggerKind.SIGNAL: "signalRef",
    TriggerKind.ERROR: "errorRef",
    TriggerKind.ESCALATION: "escalationRef",
}

_TIMER_FORMS = ("timeDate", "timeDuration", "timeCycle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """What stands beside the processes of a document: by id, what events may refer to.

    `named` holds messages, signals, errors and escalations as an operator knows them;
    `events` the event definitions that several events share.
    """

    named: Mapping[str, str]
    events: Mapping[str, Node]


def read_definitions(root: Node) -> Definitions:
    """The definitions at the top of a document."""
    named = {
        node.id: _called(node) for node in root.named("message", "signal", "error", "escalation") if node.id
    }
    return Definitions(named=named, events={node.id: node for node in root.named(*_TRIGGERS) if node.id})


def read_trigger(node: Node, definitions: Definitions) -> Trigger | None:
    """The trigger of an event, or of a receive task by its message; None when it has none.

    Raises InvalidModel when it refers to a message, signal or escalation that is not in the document.
    """
    triggers = [
        _trigger(definition, node.id, definitions) for definition in _event_definitions(node, definitions)
    ]
    if len(triggers) > 1:
        return Trigger(kind=TriggerKind.MULTIPLE, detail=_several(triggers))
    if triggers:
        return triggers[0]
    if node.bpmn_name == ElementKind.RECEIVE_TASK and "messageRef" in node.attributes:
        return Trigger(kind=TriggerKind.MESSAGE, detail=_referred(node, "messageRef", node.id, definitions))
    return None


def local_name(reference: str) -> str:
    """A reference without the namespace prefix that a QName may carry."""
    return reference.strip().rpartition(":")[2]


def _called(node: Node) -> str:
    """How a message, signal, error or escalation is known: what it is matched by at run time comes first."""
    attributes = node.attributes
    code = attributes.get("errorCode") or attributes.get("escalationCode")
    return code or attributes.get("name") or str(node.id)


def _event_definitions(node: Node, definitions: Definitions) -> Iterable[Node]:
    yield from node.named(*_TRIGGERS)
    for reference in node.named("eventDefinitionRef"):
        shared = definitions.events.get(local_name(reference.text))
        if shared is None:
            raise _dangling(reference, reference.text, node.id)
        yield shared


def _trigger(definition: Node, event: str | None, definitions: Definitions) -> Trigger:
    kind = _TRIGGERS[str(definition.bpmn_name)]
    if kind in _REFERENCES:
        return Trigger(kind=kind, detail=_referred(definition, _REFERENCES[kind], event, definitions))
    if kind is TriggerKind.TIMER:
        return Trigger(kind=kind, detail=_timer(definition))
    if kind is TriggerKind.CONDITIONAL:
        return Trigger(kind=kind, detail=_condition(definition))
    return Trigger(kind=kind, detail=definition.attributes.get("name"))


def _referred(node: Node, attribute: str, event: str | None, definitions: Definitions) -> str | None:
    reference = node.attributes.get(attribute, "").strip()
    if not reference:
        return None
    found = definitions.named.get(reference) or definitions.named.get(local_name(reference))
    if found is not None:
        return found
    # Engines of the Activiti family take an error code itself where no error is declared.
    if attribute == "errorRef":
        return reference
    raise _dangling(node, reference, event)


def _timer(definition: Node) -> str | None:
    forms = [f"{node.bpmn_name} {node.text}" for node in definition.named(*_TIMER_FORMS)]
    return "; ".join(forms) or None


def _condition(definition: Node) -> str | None:
    return next((node.text for node in definition.named("condition")), None) or None


def _several(triggers: Iterable[Trigger]) -> str:
    return "; ".join(sorted(f"{trigger.kind}: {trigger.detail}" for trigger in triggers))


def _dangling(node: Node, reference: str, event: str | None) -> InvalidModel:
    return InvalidModel(
        f"Expected '{reference}', which '{event}' refers to, in the same document, but it is not there.",
        line=node.line,
        element=event,
    )
