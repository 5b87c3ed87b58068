"""Defines the model of a process: its elements, their scopes and triggers, and its sequence flows."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum


class ElementKind(StrEnum):
    """The kinds of flow nodes, named as in BPMN 2.0 XML; an event subprocess has a kind of its own."""

    TASK = "task"
    USER_TASK = "userTask"
    MANUAL_TASK = "manualTask"
    SERVICE_TASK = "serviceTask"
    SEND_TASK = "sendTask"
    RECEIVE_TASK = "receiveTask"
    SCRIPT_TASK = "scriptTask"
    BUSINESS_RULE_TASK = "businessRuleTask"
    CALL_ACTIVITY = "callActivity"
    SUB_PROCESS = "subProcess"
    EVENT_SUB_PROCESS = "eventSubProcess"
    TRANSACTION = "transaction"
    AD_HOC_SUB_PROCESS = "adHocSubProcess"
    START_EVENT = "startEvent"
    END_EVENT = "endEvent"
    INTERMEDIATE_CATCH_EVENT = "intermediateCatchEvent"
    INTERMEDIATE_THROW_EVENT = "intermediateThrowEvent"
    BOUNDARY_EVENT = "boundaryEvent"
    EXCLUSIVE_GATEWAY = "exclusiveGateway"
    INCLUSIVE_GATEWAY = "inclusiveGateway"
    PARALLEL_GATEWAY = "parallelGateway"
    EVENT_BASED_GATEWAY = "eventBasedGateway"
    COMPLEX_GATEWAY = "complexGateway"


SCOPE_KINDS = frozenset(
    {
        ElementKind.SUB_PROCESS,
        ElementKind.EVENT_SUB_PROCESS,
        ElementKind.TRANSACTION,
        ElementKind.AD_HOC_SUB_PROCESS,
    }
)
"""Kinds of elements that contain other elements."""


class TriggerKind(StrEnum):
    """The kinds of event triggers; an event with several definitions is MULTIPLE."""

    MESSAGE = "message"
    TIMER = "timer"
    SIGNAL = "signal"
    ERROR = "error"
    ESCALATION = "escalation"
    CONDITIONAL = "conditional"
    COMPENSATION = "compensation"
    CANCEL = "cancel"
    LINK = "link"
    TERMINATE = "terminate"
    MULTIPLE = "multiple"


class MultiInstance(StrEnum):
    """How the instances of a multi-instance activity run."""

    SEQUENTIAL = "sequential"
    PARALLEL = "parallel"


class Wait(StrEnum):
    """Where an engine lets an instance wait because of a vendor's extension."""

    BEFORE = "before"
    """In a job before the element runs (an asynchronous continuation)."""
    AFTER = "after"
    """In a job after the element has run."""
    WORKER = "worker"
    """For a worker that runs a throw event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What an event or a receive task waits for or throws.

    `detail` is the name of the message or signal, the code of the error or escalation, the timer expression
    with its form ("timeDuration PT10M"), the condition, or the name of the link. It is None if the document
    does not define it.
    """

    kind: TriggerKind
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A sequence flow; `source` and `target` are the ids of elements."""

    id: str
    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """A flow node of a process.

    `scope` is the id of the subprocess around it (None if the process itself is the scope). For a boundary
    event, `host` is the id of the activity it is attached to, and `handler` that of the associated
    compensation handler. `interrupting` applies to boundary events and start events of event subprocesses.
    `is_for_compensation` marks an activity that only runs as a compensation handler. `form` and
    `implementation` describe in one text which form is shown and what runs the element, with versions.
    `is_camunda_user_task` marks a user task that Camunda 8 manages itself (`zeebe:userTask`), not by a job.
    `incoming` and `outgoing` are the ids of sequence flows, sorted.
    """

    id: str
    kind: ElementKind
    name: str | None = None
    scope: str | None = None
    trigger: Trigger | None = None
    multi_instance: MultiInstance | None = None
    host: str | None = None
    interrupting: bool = True
    handler: str | None = None
    is_for_compensation: bool = False
    called_process: str | None = None
    form: str | None = None
    implementation: str | None = None
    is_camunda_user_task: bool = False
    waits: frozenset[Wait] = frozenset()
    incoming: tuple[str, ...] = ()
    outgoing: tuple[str, ...] = ()

    @property
    def is_scope(self) -> bool:
        """Whether the element can contain other elements."""
        return self.kind in SCOPE_KINDS

    @property
    def trigger_kind(self) -> TriggerKind | None:
        """The kind of the trigger, or None if there is none."""
        return self.trigger.kind if self.trigger else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessModel:
    """One process of a BPMN document. `build_model` creates it and fills the indexes.

    `children` holds the ids of the elements in a scope, by the id of the scope (None for the process).
    `attached` holds the ids of the boundary events of a host. Both are sorted. `handlers` holds the ids of
    the elements that a compensation boundary event triggers.
    """

    id: str
    name: str | None
    elements: Mapping[str, Element]
    flows: Mapping[str, Flow]
    children: Mapping[str | None, tuple[str, ...]] = field(repr=False)
    attached: Mapping[str, tuple[str, ...]] = field(repr=False)
    handlers: Set[str] = field(repr=False)

    def contents(self, scope_id: str | None) -> Iterator[Element]:
        """The elements directly inside a scope (None for the process)."""
        return (self.elements[child_id] for child_id in self.children.get(scope_id, ()))

    def boundary_events(self, host_id: str) -> Iterator[Element]:
        """The boundary events attached to an activity."""
        return (self.elements[event_id] for event_id in self.attached.get(host_id, ()))

    def scopes_around(self, element: Element) -> Iterator[Element]:
        """The subprocesses around an element, the innermost first."""
        scope_id = element.scope
        while scope_id is not None:
            scope = self.elements[scope_id]
            yield scope
            scope_id = scope.scope

    def elements_before(self, element: Element) -> Iterator[Element]:
        """The sources of the incoming sequence flows of an element, sorted by id."""
        sources = {self.flows[flow_id].source for flow_id in element.incoming}
        return (self.elements[source] for source in sorted(sources))


def build_model(
    *, process: str, name: str | None = None, elements: Iterable[Element], flows: Iterable[Flow] = ()
) -> ProcessModel:
    """Build a process model with its indexes. The references of the elements must be valid."""
    elements_by_id = {element.id: element for element in elements}
    children: defaultdict[str | None, list[str]] = defaultdict(list)
    attached: defaultdict[str, list[str]] = defaultdict(list)
    for element in elements_by_id.values():
        children[element.scope].append(element.id)
        if element.host is not None:
            attached[element.host].append(element.id)
    return ProcessModel(
        id=process,
        name=name,
        elements=elements_by_id,
        flows={flow.id: flow for flow in flows},
        children={scope_id: tuple(sorted(ids)) for scope_id, ids in children.items()},
        attached={host_id: tuple(sorted(ids)) for host_id, ids in attached.items()},
        handlers={
            element.handler
            for element in elements_by_id.values()
            if element.handler is not None and element.trigger_kind is TriggerKind.COMPENSATION
        },
    )
