"""Compares two versions of a process, and migrates positions by the result."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from uplift.domain.bpmn.model import Element, ElementKind, ProcessModel, TriggerKind
from uplift.domain.compatibility.changes import Change, find_changes
from uplift.domain.compatibility.compensation import find_compensation_findings
from uplift.domain.compatibility.finding import Code, Finding, Severity, in_reading_order
from uplift.domain.compatibility.mapping.camunda_ids import exists, with_part_of, without_part
from uplift.domain.compatibility.mapping.instructions import Instructions, resolve_instructions
from uplift.domain.compatibility.mapping.mapping_builder import MappingBuilder
from uplift.domain.compatibility.mapping.pairs import Pairs
from uplift.domain.compatibility.mapping.unmapped import (
    Unmapped,
    find_unmapped,
    is_removed,
    relevant_findings,
    scope_findings,
    unknown_element,
)
from uplift.domain.compatibility.wait_states import event_scope, is_listener, is_position_element
from uplift.domain.compatibility.warnings import find_warnings


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The result of comparing two versions; `migrate_position` and `breaking_positions` evaluate it.

    `mapping` holds the valid pairs, source id to target id, including scopes and multi-instance activities.
    `findings` holds each finding once, in reading order. `added` and `removed` hold element ids.

    The other fields serve `migrate_position`. `position_map` is `mapping` plus the implicit pairs, which
    `mapping` does not list. `unmapped` holds, by source id, the reasons why an element has no valid pair, and
    `warnings_by_element` its warnings. `listener_findings` holds the findings on event listeners by the id of
    the activity or scope in which they listen (None for the process). `compensation_findings` holds the
    findings on compensation by the element at which an instance waits.
    """

    source: ProcessModel = field(repr=False)
    target: ProcessModel = field(repr=False)
    mapping: dict[str, str]
    findings: tuple[Finding, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Change, ...]
    position_map: Mapping[str, str] = field(repr=False)
    unmapped: Unmapped = field(repr=False)
    warnings_by_element: Mapping[str, tuple[Finding, ...]] = field(repr=False)
    listener_findings: Mapping[str | None, tuple[Finding, ...]] = field(repr=False)
    compensation_findings: Mapping[str, tuple[Finding, ...]] = field(repr=False)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that prevent an upgrade."""
        return _with_severity(Severity.ERROR, self.findings)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that do not prevent an upgrade."""
        return _with_severity(Severity.WARNING, self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class MigratedPosition:
    """The position of an instance in the target version, or None with every error; either with warnings."""

    position: frozenset[str] | None
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


def compare(
    source: ProcessModel, target: ProcessModel, *, instructions: Instructions = (), generate: bool = True
) -> Comparison:
    """Compare two versions with mapping instructions, source id to target id (rules.md#the-mapping).

    With `generate`, an instruction overrides the generated pair of its source. Without it, the instructions
    are the whole mapping. An instruction that breaks a rule becomes an error finding. A pair that is not
    generated because it breaks a rule becomes an error finding if an instance can wait or listen at its
    source.
    """
    ordered = sorted(instructions.items() if isinstance(instructions, Mapping) else instructions)
    resolved = resolve_instructions(ordered, source, target)
    builder = MappingBuilder(Pairs(source, target), {without_part(before) for before, _ in ordered})
    # Instructions come first: generation descends into the scopes that they pair, and skips their sources.
    for pair in resolved.pairs:
        builder.pairs.add(pair)
    if generate:
        builder.generate()
    # Rules look at other pairs, so a pair that was valid when it was added may break a rule now.
    builder.drop_invalid_pairs()
    # Implicit pairs come last, because they follow only pairs that are valid to the end.
    builder.add_implicit_pairs()
    unmapped = find_unmapped(builder, resolved.findings, generated=generate)
    return _comparison(builder, unmapped, resolved.findings, generated=generate)


def migrate_position(comparison: Comparison, position: frozenset[str]) -> MigratedPosition:
    """Migrate the position of an instance, the set of elements at which it waits.

    This succeeds if each of these has a valid pair: each element, each event that listens at this position
    and still exists in the target version, and each compensation event that may be pending.
    """
    findings = in_reading_order(_findings_at(position, comparison))
    errors = _with_severity(Severity.ERROR, findings)
    return MigratedPosition(
        position=None if errors else frozenset(_migrated(element_id, comparison) for element_id in position),
        errors=errors,
        warnings=_with_severity(Severity.WARNING, findings),
    )


def _migrated(element_id: str, comparison: Comparison) -> str:
    target_id = comparison.position_map[without_part(element_id)]
    return with_part_of(target_id, comparison.target, element_id)


def breaking_positions(comparison: Comparison) -> tuple[str, ...]:
    """The sorted ids of elements that prevent an upgrade of the instances that wait or listen there."""
    elements = comparison.source.elements.values()
    return tuple(sorted(element.id for element in elements if _breaks(element, comparison)))


def _breaks(element: Element, comparison: Comparison) -> bool:
    if is_position_element(element, comparison.source):
        findings = _findings_at([element.id], comparison)
        return any(finding.severity is Severity.ERROR for finding in findings)
    # Unlike Camunda 7, which subscribes anew: an instance never listens for another event under the same id.
    return (
        element.id in comparison.unmapped
        and is_listener(element, comparison.source)
        and not is_removed(element, comparison.target)
    )


def _findings_at(position: Iterable[str], comparison: Comparison) -> Iterator[Finding]:
    model = comparison.source
    # How many elements of the position are in each scope, None for the process.
    inside: Counter[str | None] = Counter()
    for part_id in position:
        if not exists(part_id, model):
            yield unknown_element(part_id)
            continue
        element_id = without_part(part_id)
        element = model.elements[element_id]
        yield from comparison.unmapped.get(element_id, ())
        yield from comparison.warnings_by_element.get(element_id, ())
        yield from comparison.compensation_findings.get(element_id, ())
        # An element without a pair may lack it because of a scope around it, so these reasons are listed too.
        if element_id in comparison.unmapped:
            yield from scope_findings(element, comparison.unmapped, model, comparison.target)
        inside.update((element_id, *(scope.id for scope in model.scopes_around(element)), None))
    # Events listen at the elements, in each scope around them, and in the process.
    for scope_id, count in inside.items():
        for finding in comparison.listener_findings.get(scope_id, ()):
            if _still_listens(finding, inside, count, model):
                yield finding


def _still_listens(
    finding: Finding, inside: Mapping[str | None, int], around: int, model: ProcessModel
) -> bool:
    """Whether an event listens at one of the `around` elements of a position in its scope.

    The interrupting start event of an event subprocess no longer listens where the instance is in the event
    subprocess.
    """
    start = model.elements.get(str(finding.source))
    if start is None or start.kind is not ElementKind.START_EVENT or not start.interrupting:
        return True
    return inside.get(start.scope, 0) < around


def _comparison(
    builder: MappingBuilder, unmapped: Unmapped, instruction_findings: Iterable[Finding], *, generated: bool
) -> Comparison:
    pairs = builder.pairs
    # Without generation most elements have no pair. That is an error only where an instance waits or listens,
    # so `migrate_position` reports it, and the comparison lists only the instructions that break a rule.
    changes = find_changes(pairs)
    warnings = _by_source(find_warnings(pairs, changes))
    compensation = find_compensation_findings(pairs, unmapped, warnings)
    errors = chain(
        instruction_findings,
        _dropped_instructions(builder),
        chain(relevant_findings(unmapped, pairs), compensation.errors) if generated else (),
    )
    return Comparison(
        source=pairs.source_model,
        target=pairs.target_model,
        mapping={pair.source.id: pair.target.id for pair in pairs if not pair.is_implicit},
        findings=in_reading_order(chain(errors, *warnings.values())),
        added=changes.added,
        removed=changes.removed,
        changed=changes.changed,
        position_map={pair.source.id: pair.target.id for pair in pairs},
        unmapped=unmapped,
        warnings_by_element=warnings,
        listener_findings=_listener_findings(pairs, unmapped, warnings),
        compensation_findings=compensation.by_element,
    )


def _dropped_instructions(builder: MappingBuilder) -> Iterator[Finding]:
    for pair, findings in builder.dropped.items():
        if pair.is_instruction:
            yield from findings


def _listener_findings(
    pairs: Pairs, unmapped: Unmapped, warnings: Mapping[str, tuple[Finding, ...]]
) -> dict[str | None, tuple[Finding, ...]]:
    model = pairs.source_model
    listener_findings: defaultdict[str | None, list[Finding]] = defaultdict(list)
    listener_findings[None].extend(warnings.get(model.id, ()))
    for element in model.elements.values():
        if is_listener(element, model):
            scope_id = event_scope(element, model)
            # A compensation event does not listen yet: see `compensation_findings`.
            if element.trigger_kind is not TriggerKind.COMPENSATION:
                listener_findings[scope_id].extend(warnings.get(element.id, ()))
            if not is_removed(element, pairs.target_model):
                listener_findings[scope_id].extend(unmapped.get(element.id, ()))
        elif element.is_scope:
            listener_findings[element.id].extend(_new_listener_warnings(element, warnings))
    return {scope_id: tuple(findings) for scope_id, findings in listener_findings.items() if findings}


def _new_listener_warnings(scope: Element, warnings: Mapping[str, tuple[Finding, ...]]) -> Iterator[Finding]:
    return (finding for finding in warnings.get(scope.id, ()) if finding.code is Code.NEW_BOUNDARY_EVENT)


def _by_source(findings: Iterable[Finding]) -> dict[str, tuple[Finding, ...]]:
    by_source: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_source[str(finding.source)].append(finding)
    return {source: tuple(group) for source, group in by_source.items()}


def _with_severity(severity: Severity, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if finding.severity is severity)
