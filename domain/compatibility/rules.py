"""The rules of a pair: one rule, one fact, one finding (rules.md#the-pair)."""

from collections.abc import Callable, Iterable

from uplift.domain.bpmn.model import Element, ElementKind, TriggerKind
from uplift.domain.compatibility.finding import Code, Finding, describe, label
from uplift.domain.compatibility.pairs import Pair, Pairs
from uplift.domain.compatibility.wait_states import (
    GATEWAYS,
    JOINING_GATEWAYS,
    is_compensation_handler,
    is_wait_state,
    listens_with,
    starts_event_subprocess,
)

Rule = Callable[[Pair, Pairs], Finding | None]

_INTERCHANGEABLE = frozenset(
    {ElementKind.SUB_PROCESS, ElementKind.TRANSACTION, ElementKind.EVENT_SUB_PROCESS}
)
"""A transaction is an embedded subprocess to Camunda 7 (SameBehaviorInstructionValidator)."""

_CATCHING = frozenset(
    {ElementKind.BOUNDARY_EVENT, ElementKind.INTERMEDIATE_CATCH_EVENT, ElementKind.START_EVENT}
)


def must_be_mapped_once(pair: Pair, pairs: Pairs) -> Finding | None:
    """At most one instruction a source element (Camunda 7: OnlyOnceMappedActivity)."""
    instructions = pairs.all_of(pair.source.id)
    if len(instructions) < 2:
        return None
    targets = ", ".join(sorted(f"'{other.target.id}'" for other in instructions))
    return _broken(pair, Code.MAPPED_TWICE, f"to be mapped once, but there are instructions to {targets}")


def must_keep_its_kind(pair: Pair, _: Pairs) -> Finding | None:
    """A user task stays a user task; subprocesses of all forms replace each other (SameBehavior)."""
    kinds = {pair.source.kind, pair.target.kind}
    if len(kinds) == 1 or kinds <= _INTERCHANGEABLE:
        return None
    return _broken(
        pair,
        Code.TYPE_CHANGED,
        f"to stay a {label(pair.source.kind)}, but in the target version it is {describe(pair.target)}",
    )


def must_keep_its_trigger(pair: Pair, _: Pairs) -> Finding | None:
    """A catching event keeps its trigger kind (SameEventType; here for intermediate catch events as well)."""
    if pair.source.kind is not pair.target.kind or pair.source.kind not in _CATCHING:
        return None
    if pair.source.trigger_kind is pair.target.trigger_kind:
        return None
    return _broken(
        pair,
        Code.EVENT_TYPE_CHANGED,
        f"to keep its {_trigger(pair.source)} trigger, "
        f"but in the target version '{pair.target.id}' has a {_trigger(pair.target)} trigger",
    )


def must_stay_in_its_scope(pair: Pair, pairs: Pairs) -> Finding | None:
    """The nearest mapped scope around it is mapped to a scope around its target (AdditionalFlowScope)."""
    nearest = _nearest_mapped_scope(pair, pairs)
    if nearest is None:
        return None
    if any(around.id == nearest.target.id for around in pairs.target_model.scopes_around(pair.target)):
        return None
    return _broken(
        pair,
        Code.SCOPE_CHANGED,
        f"to stay inside {describe(nearest.source)}, which is mapped to '{nearest.target.id}', "
        f"but '{pair.target.id}' is not inside that",
    )


def must_keep_its_host(pair: Pair, pairs: Pairs) -> Finding | None:
    """What an event is tied to is mapped to what its target is tied to (SameEventScope).

    Beside the host of a boundary event that is, as in Camunda 7, the scope an event subprocess listens in
    and the event-based gateway before a catch event. A compensation boundary event is free of it: its host
    need not be active.
    """
    if pair.source.kind is not pair.target.kind or not _is_tied(pair.source, pairs):
        return None
    before = listens_with(pair.source, pairs.source_model)
    after = listens_with(pair.target, pairs.target_model)
    if _leads_to(before, after, pair, pairs):
        return None
    return _broken(
        pair,
        Code.HOST_CHANGED,
        f"to keep listening with {_place(before)}, but '{pair.target.id}' listens with {_place(after)}, "
        "to which that is not mapped",
    )


def must_not_share_its_target(pair: Pair, pairs: Pairs) -> Finding | None:
    """Two catching events are not mapped to one, nor two gateways (GatewayMapping).

    A generated pair yields to an instruction: it is judged when it is added, before the instruction is.
    """
    if pair.target.kind not in _CATCHING and pair.target.kind not in GATEWAYS:
        return None
    others = sorted(
        f"'{other.source.id}'" for other in pairs.onto(pair.target.id) if other.source.id != pair.source.id
    )
    if not others:
        return None
    return _broken(
        pair,
        Code.TARGET_TAKEN,
        f"to have '{pair.target.id}' for itself, but {', '.join(others)} is mapped to it as well",
    )


def must_not_become_multi_instance(pair: Pair, pairs: Pairs) -> Finding | None:
    """Neither the target nor an unmapped scope around it is newly multi-instance.

    The nearest mapped scope around the target bounds the search. Source: Camunda 7,
    CannotAddMultiInstanceBody.
    """
    added = _added_multi_instance(pair, pairs)
    if added is None:
        return None
    where = (
        "it is multi-instance" if added is pair.target else f"it lives in multi-instance {describe(added)}"
    )
    return _broken(
        pair,
        Code.MULTI_INSTANCE_ADDED,
        f"to stay outside of new multi-instance activities, but in the target version {where}",
    )


def must_keep_its_multi_instance_order(pair: Pair, _: Pairs) -> Finding | None:
    """Sequential stays sequential, parallel stays parallel; dropping the marker is allowed (SameBehavior)."""
    before, after = pair.source.multi_instance, pair.target.multi_instance
    if before is None or after is None or before is after:
        return None
    return _broken(
        pair,
        Code.MULTI_INSTANCE_CHANGED,
        f"to stay {before} multi-instance, but in the target version '{pair.target.id}' is {after}",
    )


def must_keep_its_joining_flows(pair: Pair, _: Pairs) -> Finding | None:
    """A joining gateway has at least as many incoming flows as before (GatewayMapping)."""
    before, after = len(pair.source.incoming), len(pair.target.incoming)
    if pair.target.kind not in JOINING_GATEWAYS or before <= after:
        return None
    return _broken(
        pair,
        Code.GATEWAY_NARROWED,
        f"to keep at least {before} incoming flows, but in the target version it has {after}",
    )


def must_keep_the_scope_of_a_join(pair: Pair, pairs: Pairs) -> Finding | None:
    """The scope a joining gateway lives in is mapped (GatewayMapping)."""
    scope = pair.source.scope
    if pair.target.kind not in JOINING_GATEWAYS or scope is None or pairs.of(scope) is not None:
        return None
    return _broken(
        pair,
        Code.GATEWAY_NARROWED,
        f"to keep the scope it joins in, but {describe(pairs.source_model.elements[scope])} is not mapped",
    )


def must_call_the_same_process(pair: Pair, _: Pairs) -> Finding | None:
    """A call activity calls the process it called before, as far as the documents say which."""
    before, after = pair.source.called_process, pair.target.called_process
    if before is None or after is None or before == after:
        return None
    return _broken(
        pair,
        Code.CALLED_PROCESS_CHANGED,
        f"to call process '{before}', but in the target version it calls '{after}'",
    )


def must_be_a_wait_state(pair: Pair, pairs: Pairs) -> Finding | None:
    """An instance can wait or listen at the target."""
    if is_wait_state(pair.target, pairs.target_model):
        return None
    return _broken(
        pair,
        Code.NOT_A_WAIT_STATE,
        f"to wait at the target as well, but no instance can wait at {describe(pair.target)}",
    )


def must_not_be_a_compensation_handler(pair: Pair, pairs: Pairs) -> Finding | None:
    """A compensation handler is mapped only through its event, so never by a pair of its own."""
    if pair.carried or not (
        is_compensation_handler(pair.source, pairs.source_model)
        or is_compensation_handler(pair.target, pairs.target_model)
    ):
        return None
    return _broken(
        pair,
        Code.COMPENSATION_HANDLER,
        "to be mapped by itself, but a compensation handler moves only with the event that leads to it",
    )


RULES: tuple[Rule, ...] = (
    must_be_mapped_once,
    must_keep_its_kind,
    must_keep_its_trigger,
    must_stay_in_its_scope,
    must_keep_its_host,
    must_not_share_its_target,
    must_not_become_multi_instance,
    must_keep_its_multi_instance_order,
    must_keep_its_joining_flows,
    must_keep_the_scope_of_a_join,
    must_call_the_same_process,
    must_be_a_wait_state,
    must_not_be_a_compensation_handler,
)
"""Every rule that needs both elements, in reading order. Whether an instruction's elements exist, and whether
it keeps the body and the inner activity of a multi-instance activity together, is asked when instructions are
read, because such an instruction is no pair."""


def broken_rules(pair: Pair, pairs: Pairs) -> tuple[Finding, ...]:
    """A finding for each rule that the pair breaks among the other pairs; empty when it is valid."""
    return tuple([finding for rule in RULES if (finding := rule(pair, pairs)) is not None])


def _broken(pair: Pair, code: Code, expectation: str) -> Finding:
    return Finding(
        code=code,
        source=pair.source.id,
        target=pair.target.id,
        name=pair.source.name,
        message=f"Expected {describe(pair.source)} {expectation}.",
    )


def _trigger(element: Element) -> str:
    return element.trigger_kind.value if element.trigger_kind else "missing"


def _nearest_mapped_scope(pair: Pair, pairs: Pairs) -> Pair | None:
    mapped = (pairs.of(around.id) for around in pairs.source_model.scopes_around(pair.source))
    return next((found for found in mapped if found is not None), None)


def _is_tied(element: Element, pairs: Pairs) -> bool:
    if element.kind is ElementKind.BOUNDARY_EVENT:
        return element.trigger_kind is not TriggerKind.COMPENSATION
    return element.kind is ElementKind.INTERMEDIATE_CATCH_EVENT or starts_event_subprocess(
        element, pairs.source_model
    )


def _leads_to(before: str | None, after: str | None, pair: Pair, pairs: Pairs) -> bool:
    """Whether what the event was tied to (None: the process) is mapped to what it will be tied to."""
    if before is None:
        return after is None
    if before == pair.source.id:
        return after == pair.target.id
    mapped = pairs.of(before)
    return mapped is not None and mapped.target.id == after


def _place(element: str | None) -> str:
    return "the process" if element is None else f"'{element}'"


def _added_multi_instance(pair: Pair, pairs: Pairs) -> Element | None:
    if pair.target.multi_instance and not pair.source.multi_instance:
        return pair.target
    for around in _unmapped(pairs.target_model.scopes_around(pair.target), pairs):
        if around.multi_instance:
            return around
    return None


def _unmapped(scopes: Iterable[Element], pairs: Pairs) -> Iterable[Element]:
    """The scopes up to the first that something is mapped to."""
    for scope in scopes:
        if pairs.onto(scope.id):
            return
        yield scope
