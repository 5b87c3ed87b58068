"""Defines the rules that a pair of a source and a target element must satisfy (rules.md#the-pair).

Each rule states one fact, and returns a finding if the fact does not hold for the pair. Most follow an
instruction validator of Camunda 7, which the docstring names.
"""

from collections.abc import Callable, Collection, Iterable, Set
from itertools import islice

from uplift.domain.bpmn.model import Element, ElementKind, TriggerKind
from uplift.domain.compatibility.finding import (
    MAX_NAMES,
    Code,
    Finding,
    describe,
    label,
    quoted,
    quoted_list,
    with_article,
)
from uplift.domain.compatibility.mapping.pairs import Pair, Pairs
from uplift.domain.compatibility.wait_states import (
    GATEWAYS,
    JOINING_GATEWAYS,
    event_scopes,
    is_compensation_handler,
    is_wait_state,
    starts_event_subprocess,
)

PairRule = Callable[[Pair, Pairs], Finding | None]
"""Validates a pair among all pairs: None if the pair satisfies the rule."""

_INTERCHANGEABLE = frozenset(
    {ElementKind.SUB_PROCESS, ElementKind.TRANSACTION, ElementKind.EVENT_SUB_PROCESS}
)
"""Kinds that may replace each other, as in Camunda 7 (SameBehaviorInstructionValidator)."""

_CATCHING = frozenset(
    {ElementKind.BOUNDARY_EVENT, ElementKind.INTERMEDIATE_CATCH_EVENT, ElementKind.START_EVENT}
)


def must_be_mapped_once(pair: Pair, pairs: Pairs) -> Finding | None:
    """A source element has at most one instruction.

    Source: Camunda 7, OnlyOnceMappedActivityInstructionValidator.
    """
    instructions = pairs.all_by_source(pair.source.id)
    if len(instructions) < 2:
        return None
    targets = quoted_list(other.target.id for other in instructions)
    return _broken(pair, Code.MAPPED_TWICE, f"to be mapped once, but instructions map it to {targets}")


def must_keep_its_kind(pair: Pair, _: Pairs) -> Finding | None:
    """The target has the kind of the source, or both are subprocesses.

    Source: Camunda 7, SameBehaviorInstructionValidator; for user tasks that become jobs, Camunda 8,
    ProcessInstanceMigrationPreconditions.
    """
    if pair.source.is_camunda_user_task and pair.target.kind is ElementKind.USER_TASK:
        return _kept_by_the_engine(pair)
    kinds = {pair.source.kind, pair.target.kind}
    if len(kinds) == 1 or kinds <= _INTERCHANGEABLE:
        return None
    return _broken(
        pair,
        Code.TYPE_CHANGED,
        f"to stay {with_article(label(pair.source.kind))}, "
        f"but in the target version it is {describe(pair.target)}",
    )


def must_keep_its_trigger(pair: Pair, _: Pairs) -> Finding | None:
    """A catching event keeps the kind of its trigger, and a receive task keeps its message.

    Source: Camunda 7, SameEventTypeValidator. It checks boundary events and start events of event
    subprocesses; here the rule also holds for intermediate catch events. For receive tasks it is part of
    SameEventScopeInstructionValidator.
    """
    # A changed kind has a finding of its own, from must_keep_its_kind.
    if pair.source.kind is not pair.target.kind or pair.source.trigger_kind is pair.target.trigger_kind:
        return None
    # A receive task without a message may get one: see message_added in `warnings`.
    is_receiving = pair.source.kind is ElementKind.RECEIVE_TASK and pair.source.trigger is not None
    if pair.source.kind not in _CATCHING and not is_receiving:
        return None
    return _broken(
        pair,
        Code.EVENT_TYPE_CHANGED,
        f"to {_kept_trigger(pair.source)}, "
        f"but in the target version {quoted(pair.target.id)} has {_trigger(pair.target)}",
    )


def must_stay_in_its_scope(pair: Pair, pairs: Pairs) -> Finding | None:
    """The nearest mapped scope around the source is mapped to a scope around the target.

    Source: Camunda 7, AdditionalFlowScopeInstructionValidator.
    """
    nearest = _nearest_mapped_scope(pair, pairs)
    if nearest is None:
        return None
    if any(around.id == nearest.target.id for around in pairs.target_model.scopes_around(pair.target)):
        return None
    return _broken(
        pair,
        Code.SCOPE_CHANGED,
        f"to stay inside {describe(nearest.source)}, which is mapped to {quoted(nearest.target.id)}, "
        f"but {quoted(pair.target.id)} is not inside that",
    )


def must_keep_its_event_scope(pair: Pair, pairs: Pairs) -> Finding | None:
    """Each event scope of the source event is mapped to an event scope of the target event.

    Source: Camunda 7, SameEventScopeInstructionValidator. It exempts compensation boundary events, because
    their host is no longer active when they listen. Here only a host that is not mapped exempts them: the
    compensation of one activity never becomes that of another.
    """
    # A changed kind has a finding of its own, from must_keep_its_kind.
    if pair.source.kind is not pair.target.kind or not _has_event_scope(pair.source, pairs):
        return None
    target_scopes = event_scopes(pair.target, pairs.target_model)
    unkept = [
        scope_id
        for scope_id in event_scopes(pair.source, pairs.source_model)
        if not _is_mapped_to_any(scope_id, target_scopes, pair, pairs)
    ]
    if not unkept:
        return None
    return _broken(
        pair,
        Code.HOST_CHANGED,
        f"to stay attached to {_attachment(unkept, pair.source, 'the counterpart of ')}, "
        f"but {quoted(pair.target.id)} is attached to {_attachment(target_scopes, pair.target)}",
    )


def must_have_an_exclusive_target(pair: Pair, pairs: Pairs) -> Finding | None:
    """No other source is mapped to the same target, if that is an intermediate catch event or a gateway.

    Source: Camunda 7, GatewayMappingValidator, which has the rule for joining gateways only. If an
    instruction and a generated pair share a target, the generated pair is dropped. Listeners may share a
    target: see listeners_merged in `warnings`.
    """
    if pair.target.kind is not ElementKind.INTERMEDIATE_CATCH_EVENT and pair.target.kind not in GATEWAYS:
        return None
    # Only the first ones are read: thousands of sources may share a target, and each has a message.
    all_others = (other for other in pairs.all_by_target(pair.target.id) if other.source.id != pair.source.id)
    others = [other.source.id for other in islice(all_others, MAX_NAMES + 1)]
    if not others:
        return None
    names = quoted_list(sorted(others), conjunction=" and ")
    return _broken(
        pair,
        Code.TARGET_TAKEN,
        f"to be the only element mapped to {quoted(pair.target.id)}, "
        f"but {names} {'is' if len(others) == 1 else 'are'} mapped to it as well",
    )


def must_not_become_multi_instance(pair: Pair, pairs: Pairs) -> Finding | None:
    """Neither the target nor an unmapped scope around it is newly multi-instance.

    Only the scopes below the nearest mapped scope around the target count. Source: Camunda 7,
    CannotAddMultiInstanceBodyValidator.
    """
    added = _added_multi_instance(pair, pairs)
    if added is None:
        return None
    where = (
        "it is multi-instance" if added is pair.target else f"it is inside multi-instance {describe(added)}"
    )
    return _broken(
        pair,
        Code.MULTI_INSTANCE_ADDED,
        f"to stay outside of new multi-instance activities, but in the target version {where}",
    )


def must_keep_its_multi_instance_order(pair: Pair, _: Pairs) -> Finding | None:
    """A sequential activity stays sequential, and a parallel one parallel; both may drop the marker.

    Source: Camunda 7, SameBehaviorInstructionValidator.
    """
    before, after = pair.source.multi_instance, pair.target.multi_instance
    if before is None or after is None or before is after:
        return None
    return _broken(
        pair,
        Code.MULTI_INSTANCE_CHANGED,
        f"to stay {before} multi-instance, but in the target version {quoted(pair.target.id)} is {after}",
    )


def must_keep_its_joining_flows(pair: Pair, _: Pairs) -> Finding | None:
    """A joining gateway has at least as many incoming flows as before.

    Source: Camunda 7, GatewayMappingValidator.
    """
    before, after = len(pair.source.incoming), len(pair.target.incoming)
    if pair.target.kind not in JOINING_GATEWAYS or before <= after:
        return None
    return _broken(
        pair,
        Code.GATEWAY_NARROWED,
        f"to keep at least {before} incoming flows, but in the target version it has {after}",
    )


def must_keep_the_scope_of_a_join(pair: Pair, pairs: Pairs) -> Finding | None:
    """The scope around a joining gateway is mapped. Source: Camunda 7, GatewayMappingValidator."""
    scope = pair.source.scope
    if pair.target.kind not in JOINING_GATEWAYS or scope is None or pairs.by_source(scope) is not None:
        return None
    return _broken(
        pair,
        Code.GATEWAY_NARROWED,
        f"to stay in a mapped scope, but {describe(pairs.source_model.elements[scope])} is not mapped",
    )


def must_call_the_same_process(pair: Pair, _: Pairs) -> Finding | None:
    """A call activity calls the same process as before, if both documents name one.

    Camunda 7 allows another process. Here it is an error: the called process is still running.
    """
    before, after = pair.source.called_process, pair.target.called_process
    if before is None or after is None or before == after:
        return None
    return _broken(
        pair,
        Code.CALLED_PROCESS_CHANGED,
        f"to call process {quoted(before)}, but in the target version it calls {quoted(after)}",
    )


def must_be_a_wait_state(pair: Pair, pairs: Pairs) -> Finding | None:
    """An instance can wait or listen at the target.

    Camunda 7 checks this when it generates pairs. With an instruction it fails only when it migrates an
    instance.
    """
    if is_wait_state(pair.target, pairs.target_model):
        return None
    return _broken(
        pair,
        Code.NOT_A_WAIT_STATE,
        f"to be mapped to a wait state, but no instance can wait at {describe(pair.target)}",
    )


def must_not_be_a_compensation_handler(pair: Pair, pairs: Pairs) -> Finding | None:
    """A compensation handler is mapped only together with its event, never by a pair of its own.

    Source: Camunda 7, NoCompensationHandlerActivityValidator, there for generated pairs only.
    """
    if pair.is_implicit or not (
        is_compensation_handler(pair.source, pairs.source_model)
        or is_compensation_handler(pair.target, pairs.target_model)
    ):
        return None
    return _broken(
        pair,
        Code.COMPENSATION_HANDLER,
        "to be mapped on its own, but a compensation handler is mapped only together with its event",
    )


PAIR_RULES: tuple[PairRule, ...] = (
    must_be_mapped_once,
    must_keep_its_kind,
    must_keep_its_trigger,
    must_stay_in_its_scope,
    must_keep_its_event_scope,
    must_have_an_exclusive_target,
    must_not_become_multi_instance,
    must_keep_its_multi_instance_order,
    must_keep_its_joining_flows,
    must_keep_the_scope_of_a_join,
    must_call_the_same_process,
    must_be_a_wait_state,
    must_not_be_a_compensation_handler,
)
"""All rules of a pair, in the order of their codes. `instructions` has the rules of instructions that cannot
resolve to a pair."""


def broken_rules(pair: Pair, pairs: Pairs) -> tuple[Finding, ...]:
    """A finding for each rule that the pair breaks among all pairs; empty if it is valid."""
    return tuple([finding for rule in PAIR_RULES if (finding := rule(pair, pairs)) is not None])


def _broken(pair: Pair, code: Code, expectation: str) -> Finding:
    return Finding(
        code=code,
        source=pair.source.id,
        target=pair.target.id,
        name=pair.source.name,
        message=f"Expected {describe(pair.source)} {expectation}.",
    )


def _kept_by_the_engine(pair: Pair) -> Finding | None:
    if pair.target.is_camunda_user_task:
        return None
    return _broken(
        pair,
        Code.TYPE_CHANGED,
        "to stay a Camunda user task (zeebe:userTask), but in the target version a job runs it",
    )


def _kept_trigger(element: Element) -> str:
    return f"keep its {element.trigger_kind} trigger" if element.trigger_kind else "stay without a trigger"


def _trigger(element: Element) -> str:
    return with_article(f"{element.trigger_kind} trigger") if element.trigger_kind else "no trigger"


def _nearest_mapped_scope(pair: Pair, pairs: Pairs) -> Pair | None:
    mapped = (pairs.by_source(around.id) for around in pairs.source_model.scopes_around(pair.source))
    return next((scope for scope in mapped if scope is not None), None)


def _has_event_scope(element: Element, pairs: Pairs) -> bool:
    if element.kind is ElementKind.BOUNDARY_EVENT:
        is_compensation = element.trigger_kind is TriggerKind.COMPENSATION
        return not is_compensation or pairs.by_source(str(element.host)) is not None
    return element.kind is ElementKind.INTERMEDIATE_CATCH_EVENT or starts_event_subprocess(
        element, pairs.source_model
    )


def _is_mapped_to_any(
    source_scope: str | None, target_scopes: Set[str | None], pair: Pair, pairs: Pairs
) -> bool:
    """Whether an event scope of the source event is mapped to one of the target event."""
    if source_scope is None:
        return None in target_scopes
    # A catch event that may be reached without an event-based gateway is its own event scope.
    if source_scope == pair.source.id:
        return pair.target.id in target_scopes
    scope_pair = pairs.by_source(source_scope)
    return scope_pair is not None and scope_pair.target.id in target_scopes


def _attachment(scope_ids: Collection[str | None], event: Element, relation: str = "") -> str:
    gateways_or_hosts = sorted(
        scope_id for scope_id in scope_ids if scope_id is not None and scope_id != event.id
    )
    if gateways_or_hosts:
        return f"{relation}{quoted_list(gateways_or_hosts, conjunction=' and ')}"
    return "the process" if None in scope_ids else "no event-based gateway"


def _added_multi_instance(pair: Pair, pairs: Pairs) -> Element | None:
    if pair.target.multi_instance and not pair.source.multi_instance:
        return pair.target
    for around in _unmapped(pairs.target_model.scopes_around(pair.target), pairs):
        if around.multi_instance:
            return around
    return None


def _unmapped(scopes: Iterable[Element], pairs: Pairs) -> Iterable[Element]:
    """The innermost scopes, up to the first to which a source element is mapped."""
    for scope in scopes:
        if pairs.all_by_target(scope.id):
            return
        yield scope
