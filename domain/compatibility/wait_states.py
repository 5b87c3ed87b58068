"""Where in a process can an instance wait, and which events listen meanwhile?"""

from collections.abc import Iterator

from uplift.domain.bpmn.model import SCOPE_KINDS, Element, ElementKind, ProcessModel, TriggerKind

TASKS = frozenset(
    {
        ElementKind.TASK,
        ElementKind.USER_TASK,
        ElementKind.MANUAL_TASK,
        ElementKind.SERVICE_TASK,
        ElementKind.SEND_TASK,
        ElementKind.RECEIVE_TASK,
        ElementKind.SCRIPT_TASK,
        ElementKind.BUSINESS_RULE_TASK,
    }
)

JOINING_GATEWAYS = frozenset({ElementKind.PARALLEL_GATEWAY, ElementKind.INCLUSIVE_GATEWAY})
"""Gateways that wait for their incoming flows when there are several."""

GATEWAYS = JOINING_GATEWAYS | {ElementKind.EVENT_BASED_GATEWAY}
"""Gateways at which an instance can wait."""

_WAITING = TASKS | GATEWAYS | SCOPE_KINDS | {ElementKind.CALL_ACTIVITY, ElementKind.BOUNDARY_EVENT}
"""Kinds at which an instance can wait or listen whatever their trigger is."""

_ARMED = frozenset(
    {
        TriggerKind.MESSAGE,
        TriggerKind.TIMER,
        TriggerKind.SIGNAL,
        TriggerKind.CONDITIONAL,
        TriggerKind.COMPENSATION,
        TriggerKind.MULTIPLE,
    }
)
"""Triggers that an engine keeps a subscription or a job for while it listens; errors, escalations and
cancellations are looked up when they are thrown. Source: Camunda 7,
SupportedPassiveEventTriggerActivityValidator."""


def is_wait_state(element: Element, model: ProcessModel) -> bool:
    """Whether an instance can wait or listen at it (NOT_A_WAIT_STATE in rules.md#the-pair)."""
    if element.kind is ElementKind.START_EVENT:
        return starts_event_subprocess(element, model)
    if element.kind is ElementKind.INTERMEDIATE_CATCH_EVENT:
        return element.trigger_kind is not TriggerKind.LINK
    return element.kind in _WAITING


def holds_instances(element: Element, model: ProcessModel) -> bool:
    """Whether an instance can stand at this very element and nowhere further inside.

    A forking gateway is passed at once. An instance in a subprocess waits at something inside it if it can;
    in an ad-hoc subprocess also before anything inside is chosen. A boundary event or the start of an event
    subprocess only listens. A compensation handler that no boundary event leads to is never entered.
    """
    if element.kind in JOINING_GATEWAYS:
        return len(element.incoming) > 1
    if is_listener(element, model) or not is_wait_state(element, model):
        return False
    if element.compensates and element.id not in model.handlers:
        return False
    if element.is_scope and element.kind is not ElementKind.AD_HOC_SUB_PROCESS:
        return not _waits_inside(element, model)
    return True


def starts_event_subprocess(element: Element, model: ProcessModel) -> bool:
    """Whether it is the start event of an event subprocess."""
    return (
        element.kind is ElementKind.START_EVENT
        and element.scope is not None
        and model.elements[element.scope].kind is ElementKind.EVENT_SUB_PROCESS
    )


def event_subprocess_starts(scope: str | None, model: ProcessModel) -> Iterator[Element]:
    """The start events that listen in a scope (None: the process), inside its event subprocesses."""
    for element in model.contents(scope):
        if element.kind is ElementKind.EVENT_SUB_PROCESS:
            for inside in model.contents(element.id):
                if inside.kind is ElementKind.START_EVENT:
                    yield inside


def is_listener(element: Element, model: ProcessModel) -> bool:
    """Whether it listens while an instance waits elsewhere."""
    return element.kind is ElementKind.BOUNDARY_EVENT or starts_event_subprocess(element, model)


def is_armed(element: Element) -> bool:
    """Whether an engine keeps something for the event while it listens."""
    return element.trigger_kind in _ARMED


def listens_with(element: Element, model: ProcessModel) -> str | None:
    """What an event is tied to, by its id: its host, the scope around its event subprocess,
    the gateway before it.

    None stands for the process. An intermediate catch event that no event-based gateway leads to listens
    for itself.
    """
    if element.kind is ElementKind.BOUNDARY_EVENT:
        return element.host
    if element.kind is ElementKind.START_EVENT and element.scope is not None:
        return model.elements[element.scope].scope
    for before in model.elements_before(element):
        if before.kind is ElementKind.EVENT_BASED_GATEWAY:
            return before.id
    return element.id


def listens_while_in(element: Element, model: ProcessModel) -> str | None:
    """The activity or scope (None: the process) whose being active means that this event may fire.

    Compensation listens from when the compensated activity is completed: in the scope around it.
    """
    tied_to = listens_with(element, model)
    if element.trigger_kind is TriggerKind.COMPENSATION and tied_to is not None:
        return model.elements[tied_to].scope
    return tied_to


def is_compensation_handler(element: Element, model: ProcessModel) -> bool:
    """Whether it only runs to compensate: an activity marked so, an event subprocess started so."""
    if element.kind is ElementKind.EVENT_SUB_PROCESS:
        return any(
            inside.kind is ElementKind.START_EVENT and inside.trigger_kind is TriggerKind.COMPENSATION
            for inside in model.contents(element.id)
        )
    return element.compensates


def compensation_handler(event: Element, model: ProcessModel) -> Element | None:
    """The handler a compensation event leads to: associated with a boundary event, around a start event."""
    if event.trigger_kind is not TriggerKind.COMPENSATION or not is_listener(event, model):
        return None
    handler = event.handler if event.kind is ElementKind.BOUNDARY_EVENT else event.scope
    return None if handler is None else model.elements[handler]


def _waits_inside(scope: Element, model: ProcessModel) -> bool:
    return any(_takes_instances(inside, model) for inside in model.contents(scope.id))


def _takes_instances(element: Element, model: ProcessModel) -> bool:
    if element.is_scope:
        return element.kind is not ElementKind.EVENT_SUB_PROCESS
    return not element.compensates and holds_instances(element, model)
