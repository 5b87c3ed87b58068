"""What is a process made of: its elements, how they nest, what they wait for and how they are connected?"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum


class ElementKind(StrEnum):
    """The kinds of flow nodes, named as in BPMN 2.0 XML; an event subprocess is a kind of its own."""

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
"""Kinds whose elements contain elements."""


class TriggerKind(StrEnum):
    """What fires an event; MULTIPLE stands for an event with several definitions."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What an event, or a receive task, waits for or throws.

    `detail` is the message, signal, error or escalation meant, the timer expression with its form
    ("timeDuration PT10M"), the condition or the link name; None when the document does not say.
    """

    kind: TriggerKind
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A sequence flow between two elements, by their ids."""

    id: str
    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """A flow node of a process.

    `scope` is the id of the subprocess around it, None directly in the process. `host` is the activity a
    boundary event is attached to, `handler` the compensation handler associated with one. `interrupting`
    says whether a boundary event or the start of an event subprocess interrupts. `compensates` marks an
    activity that exists for compensation only. `incoming` and `outgoing` are ids of sequence flows.
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
    compensates: bool = False
    called_process: str | None = None
    form_key: str | None = None
    incoming: tuple[str, ...] = ()
    outgoing: tuple[str, ...] = ()

    @property
    def is_scope(self) -> bool:
        """Whether elements can live inside this one."""
        return self.kind in SCOPE_KINDS

    @property
    def trigger_kind(self) -> TriggerKind | None:
        """The kind of its trigger, None when it has none."""
        return self.trigger.kind if self.trigger else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessModel:
    """One process of a BPMN document; make it with `build_model`, which fills the indexes.

    `children` lists the elements of a scope by its id, those of the process itself under None;
    `attached` lists the boundary events of a host. Both are in the order of the ids. `handlers` are the
    elements that a compensation boundary event leads to.
    """

    id: str
    name: str | None
    elements: Mapping[str, Element]
    flows: Mapping[str, Flow]
    children: Mapping[str | None, tuple[str, ...]] = field(repr=False)
    attached: Mapping[str, tuple[str, ...]] = field(repr=False)
    handlers: Set[str] = field(repr=False)

    def contents(self, scope: str | None) -> Iterator[Element]:
        """The elements directly inside a scope (None: the process)."""
        return (self.elements[child] for child in self.children.get(scope, ()))

    def boundary_events(self, host: str) -> Iterator[Element]:
        """The boundary events attached to an activity."""
        return (self.elements[event] for event in self.attached.get(host, ()))

    def scopes_around(self, element: Element) -> Iterator[Element]:
        """The subprocesses an element lives in, the nearest first."""
        scope = element.scope
        while scope is not None:
            around = self.elements[scope]
            yield around
            scope = around.scope

    def elements_before(self, element: Element) -> Iterator[Element]:
        """The elements from which a sequence flow leads straight to this one."""
        return (self.elements[self.flows[flow].source] for flow in element.incoming)


def build_model(
    *, process: str, name: str | None = None, elements: Iterable[Element], flows: Iterable[Flow] = ()
) -> ProcessModel:
    """A process model with its indexes, from elements whose references have been checked before."""
    known = {element.id: element for element in elements}
    children: defaultdict[str | None, list[str]] = defaultdict(list)
    attached: defaultdict[str, list[str]] = defaultdict(list)
    for element in known.values():
        children[element.scope].append(element.id)
        if element.host is not None:
            attached[element.host].append(element.id)
    return ProcessModel(
        id=process,
        name=name,
        elements=known,
        flows={flow.id: flow for flow in flows},
        children={scope: tuple(sorted(inside)) for scope, inside in children.items()},
        attached={host: tuple(sorted(events)) for host, events in attached.items()},
        handlers={
            element.handler
            for element in known.values()
            if element.handler is not None and element.trigger_kind is TriggerKind.COMPENSATION
        },
    )
