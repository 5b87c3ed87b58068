"""Classifies the elements at which an instance waits, and the events that listen while it waits."""

from collections.abc import Iterator, Set

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
"""Gateways that wait for tokens if they have several incoming flows."""

GATEWAYS = JOINING_GATEWAYS | {ElementKind.EVENT_BASED_GATEWAY}
"""Gateways at which an instance can wait."""

_WAIT_KINDS = TASKS | GATEWAYS | SCOPE_KINDS | {ElementKind.CALL_ACTIVITY, ElementKind.BOUNDARY_EVENT}
"""Kinds at which an instance can wait or listen, whatever their trigger."""

_SUBSCRIBED = frozenset(
    {
        TriggerKind.MESSAGE,
        TriggerKind.TIMER,
        TriggerKind.SIGNAL,
        TriggerKind.CONDITIONAL,
        TriggerKind.COMPENSATION,
        TriggerKind.MULTIPLE,
    }
)
"""Triggers for which an engine stores a subscription or a job. It looks up the catching event of an error, an
escalation or a cancellation only when that is thrown. Source: Camunda 7,
SupportedPassiveEventTriggerActivityValidator."""


def is_wait_state(element: Element, model: ProcessModel) -> bool:
    """Whether an instance can wait or listen at the element (NOT_A_WAIT_STATE in rules.md#the-pair).

    As in Camunda 7's SupportedActivityValidator, each element counts at which a vendor's extension lets an
    instance wait. Unlike there, every kind of task counts, because a model does not say at which tasks an
    engine waits.
    """
    if element.waits:
        return True
    if element.kind is ElementKind.START_EVENT:
        return starts_event_subprocess(element, model)
    if element.kind is ElementKind.INTERMEDIATE_CATCH_EVENT:
        return element.trigger_kind is not TriggerKind.LINK
    return element.kind in _WAIT_KINDS


def is_position_element(element: Element, model: ProcessModel) -> bool:
    """Whether the position of an instance can contain this element.

    An instance passes a forking gateway at once. In a subprocess it waits at an element inside, if there is
    one; in an ad-hoc subprocess also before any element inside starts. A boundary event and the start event
    of an event subprocess only listen. A compensation handler without a boundary event never starts.
    """
    if element.kind in JOINING_GATEWAYS and not element.waits:
        return len(element.incoming) > 1
    if is_listener(element, model) or not is_wait_state(element, model):
        return False
    if element.is_for_compensation and element.id not in model.handlers:
        return False
    if element.is_scope and element.kind is not ElementKind.AD_HOC_SUB_PROCESS and not element.waits:
        return not _has_position_inside(element, model)
    return True


def starts_event_subprocess(element: Element, model: ProcessModel) -> bool:
    """Whether the element is the start event of an event subprocess."""
    return (
        element.kind is ElementKind.START_EVENT
        and element.scope is not None
        and model.elements[element.scope].kind is ElementKind.EVENT_SUB_PROCESS
    )


def event_subprocess_starts(scope: str | None, model: ProcessModel) -> Iterator[Element]:
    """The start events of the event subprocesses in a scope (None for the process)."""
    for element in model.contents(scope):
        if element.kind is ElementKind.EVENT_SUB_PROCESS:
            for inside in model.contents(element.id):
                if inside.kind is ElementKind.START_EVENT:
                    yield inside


def is_listener(element: Element, model: ProcessModel) -> bool:
    """Whether the element is an event that listens while an instance waits elsewhere."""
    return element.kind is ElementKind.BOUNDARY_EVENT or starts_event_subprocess(element, model)


def has_subscription(element: Element) -> bool:
    """Whether an engine stores a subscription or a job for the event."""
    return element.trigger_kind in _SUBSCRIBED


def event_scope(listener: Element, model: ProcessModel) -> str | None:
    """The id of the event scope of a listener, as in Camunda 7 (None for the process).

    It is the host of a boundary event, and the scope around an event subprocess.
    """
    if listener.kind is ElementKind.BOUNDARY_EVENT:
        return listener.host
    return None if listener.scope is None else model.elements[listener.scope].scope


def event_scopes(event: Element, model: ProcessModel) -> Set[str | None]:
    """The ids of all event scopes of a catching event (None for the process).

    A listener has one. An intermediate catch event has each event-based gateway before it, and itself if an
    instance may reach it on another way. Camunda 7 refuses a catch event behind several gateways.
    """
    if event.kind is not ElementKind.INTERMEDIATE_CATCH_EVENT:
        return {event_scope(event, model)}
    before = (
        predecessor.id if predecessor.kind is ElementKind.EVENT_BASED_GATEWAY else event.id
        for predecessor in model.elements_before(event)
    )
    return set(before) or {event.id}


def is_compensation_handler(element: Element, model: ProcessModel) -> bool:
    """Whether the element is a compensation activity or a compensation event subprocess."""
    if element.kind is ElementKind.EVENT_SUB_PROCESS:
        return any(
            inside.kind is ElementKind.START_EVENT and inside.trigger_kind is TriggerKind.COMPENSATION
            for inside in model.contents(element.id)
        )
    return element.is_for_compensation


def compensation_handler(event: Element, model: ProcessModel) -> Element | None:
    """The handler that a compensation event triggers: the associated activity or the event subprocess."""
    if event.trigger_kind is not TriggerKind.COMPENSATION or not is_listener(event, model):
        return None
    handler = event.handler if event.kind is ElementKind.BOUNDARY_EVENT else event.scope
    return None if handler is None else model.elements[handler]


def _has_position_inside(scope: Element, model: ProcessModel) -> bool:
    return any(_can_contain_position(inside, model) for inside in model.contents(scope.id))


def _can_contain_position(element: Element, model: ProcessModel) -> bool:
    if element.is_scope:
        return element.kind is not ElementKind.EVENT_SUB_PROCESS
    return not element.is_for_compensation and is_position_element(element, model)
