"""Finds what an upgrade would lose of compensation: of what is pending, and of what runs."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from uplift.domain.bpmn.model import Element, ElementKind, ProcessModel, TriggerKind
from uplift.domain.compatibility.finding import Code, Finding, Severity, describe, quoted
from uplift.domain.compatibility.mapping.pair_rules import must_keep_its_kind, must_stay_in_its_scope
from uplift.domain.compatibility.mapping.pairs import Pair, Pairs
from uplift.domain.compatibility.mapping.unmapped import Unmapped, is_removed
from uplift.domain.compatibility.pending_compensation import (
    MAX_PENDING,
    compensation_events,
    find_pending_compensation,
)
from uplift.domain.compatibility.wait_states import (
    compensation_handler,
    event_scope,
    is_compensation_handler,
    is_position_element,
)

_THROWN = frozenset({TriggerKind.COMPENSATION, TriggerKind.CANCEL})
_THROWING = frozenset({ElementKind.INTERMEDIATE_THROW_EVENT, ElementKind.END_EVENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class CompensationFindings:
    """The findings on compensation.

    `by_element` holds them by the id of the element at which an instance waits; `errors` holds those that
    concern any position, also those that only an instance in a handler has.
    """

    by_element: Mapping[str, tuple[Finding, ...]]
    errors: tuple[Finding, ...]


def find_compensation_findings(
    pairs: Pairs, unmapped: Unmapped, warnings: Mapping[str, tuple[Finding, ...]]
) -> CompensationFindings:
    """Find what pending compensation has no counterpart, and what an instance that compensates needs.

    A compensation event that is gone is an error here, unlike other listeners: an operator who removes it may
    not know which instances have already completed its activity, and the engine could never run the handler.
    Source: Camunda 7, which refuses an instance with an unmapped compensation subscription.
    """
    model = pairs.source_model
    by_event = {
        event.id: findings
        for event in compensation_events(model)
        if (findings := _findings_on(event, pairs, unmapped, warnings))
    }
    # Errors first: the number of events that are found for one element is bounded.
    events = sorted(by_event, key=lambda event_id: (not _has_error(by_event[event_id]), event_id))
    pending = find_pending_compensation(model, events)
    by_element = defaultdict(
        list,
        {
            element_id: [finding for event_id in event_ids for finding in by_event[event_id]]
            for element_id, event_ids in pending.by_element.items()
        },
    )
    errors = [
        finding for event_id in events if event_id in pending.anywhere for finding in by_event[event_id]
    ]
    for element_id, findings in _lost_throw_events(pairs):
        by_element[element_id].extend(findings)
        errors.extend(findings)
    return CompensationFindings(
        by_element={element_id: tuple(findings) for element_id, findings in by_element.items()},
        errors=tuple(finding for finding in errors if finding.severity is Severity.ERROR),
    )


def _findings_on(
    event: Element, pairs: Pairs, unmapped: Unmapped, warnings: Mapping[str, tuple[Finding, ...]]
) -> tuple[Finding, ...]:
    pair = pairs.by_source(event.id)
    if pair is None and not is_removed(event, pairs.target_model):
        return unmapped[event.id]
    if pair is None:
        return (_lost(event, pairs, "exist in the target version", "it has no element of this id"),)
    if compensation_handler(pair.target, pairs.target_model) is None:
        expectation = "lead to a compensation handler in the target version"
        return (_lost(event, pairs, expectation, f"{quoted(pair.target.id)} leads to none"),)
    return warnings.get(event.id, ())


def _lost(event: Element, pairs: Pairs, expectation: str, obstacle: str) -> Finding:
    activity_id = event_scope(event, pairs.source_model)
    activity = pairs.source_model.elements[str(activity_id)]
    target = pairs.by_source(event.id)
    return Finding(
        code=Code.COMPENSATION_LOST,
        source=event.id,
        target=target.target.id if target else None,
        name=event.name,
        message=f"Expected {describe(event)} to {expectation}, because compensation of {describe(activity)} "
        f"may be pending, but {obstacle}.",
    )


def _has_error(findings: tuple[Finding, ...]) -> bool:
    return any(finding.severity is Severity.ERROR for finding in findings)


def _lost_throw_events(pairs: Pairs) -> Iterator[tuple[str, tuple[Finding, ...]]]:
    """The throw events without a counterpart that may wait for a handler, by the positions in the handler.

    A throw event waits until all handlers that it triggered have ended, but a position may not list it.
    """
    model = pairs.source_model
    by_scope: defaultdict[str | None, list[Finding]] = defaultdict(list)
    for _, element in sorted(model.elements.items()):
        if element.kind in _THROWING and element.trigger_kind in _THROWN:
            for finding in islice(_broken_throw_rules(element, pairs), 1):
                for scope_id in _compensated_scopes(element, model):
                    by_scope[scope_id].append(finding)
    if not by_scope:
        return
    for element in model.elements.values():
        if is_position_element(element, model) and _is_in_handler(element, model):
            scopes = (None, *(scope.id for scope in model.scopes_around(element)))
            findings = [
                finding for scope_id in scopes for finding in by_scope.get(scope_id, ())[:MAX_PENDING]
            ]
            if findings:
                yield element.id, tuple(findings)


def _broken_throw_rules(event: Element, pairs: Pairs) -> Iterator[Finding]:
    namesake = pairs.target_model.elements.get(event.id)
    waits = "because it may wait for a compensation handler that the instance is in"
    if namesake is None:
        yield Finding(
            code=Code.ELEMENT_MISSING,
            source=event.id,
            name=event.name,
            message=f"Expected {describe(event)} to exist in the target version, {waits}, "
            "but it has no element of this id.",
        )
        return
    pair = Pair(source=event, target=namesake)
    for rule in (must_keep_its_kind, must_stay_in_its_scope):
        finding = rule(pair, pairs)
        if finding is not None:
            yield finding
    if event.trigger_kind is not namesake.trigger_kind:
        yield Finding(
            code=Code.EVENT_TYPE_CHANGED,
            source=event.id,
            target=namesake.id,
            name=event.name,
            message=f"Expected {describe(event)} to keep its {event.trigger_kind} trigger, {waits}, "
            f"but in the target version it has {namesake.trigger_kind or 'none'}.",
        )


def _compensated_scopes(event: Element, model: ProcessModel) -> Iterator[str | None]:
    """The scope of a throw event, and those around it while they are event subprocesses."""
    yield event.scope
    for scope in model.scopes_around(event):
        if scope.kind is not ElementKind.EVENT_SUB_PROCESS:
            return
        yield scope.scope


def _is_in_handler(element: Element, model: ProcessModel) -> bool:
    return any(is_compensation_handler(around, model) for around in (element, *model.scopes_around(element)))
