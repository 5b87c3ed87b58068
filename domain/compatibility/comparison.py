"""Does an instance of one version fit into another, and where does it go?"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from uplift.domain.bpmn.model import Element, ElementKind, ProcessModel
from uplift.domain.compatibility.changes import Change, find_changes
from uplift.domain.compatibility.finding import Code, Finding, Severity, in_reading_order
from uplift.domain.compatibility.instructions import BODY, Instructions, read_instructions
from uplift.domain.compatibility.mapping_builder import MappingBuilder
from uplift.domain.compatibility.pairs import Pairs
from uplift.domain.compatibility.unmapped import (
    Unmapped,
    find_unmapped,
    is_gone,
    relevant_unmapped,
    unknown_element,
    unmapped_around,
)
from uplift.domain.compatibility.wait_states import holds_instances, is_listener, listens_while_in
from uplift.domain.compatibility.warnings import find_warnings


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two versions compared; ask it with `migrate_position` and `breaking_positions`.

    `mapping` holds the valid pairs, source id to target id, scopes and multi-instance activities included.
    `findings` come in reading order, each once. `added` and `removed` list elements by id.

    The rest answers `migrate_position`. `position_map` is the mapping with the pairs that it does not list.
    By source element, `unmapped` says why one has no pair, and `warnings_by_element` holds its warnings.
    `listener_findings` holds, by activity or scope (None: the process), what concerns the events that listen
    there.
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

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stand in the way of an upgrade."""
        return _of(Severity.ERROR, self.findings)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that do not."""
        return _of(Severity.WARNING, self.findings)

    def to_json(self) -> dict[str, Any]:
        """The form that `uplift diff --json` prints; its shape is an interface."""
        return {"mapping": self.mapping, "findings": [finding.to_json() for finding in self.findings]}


@dataclass(frozen=True, slots=True, kw_only=True)
class MigratedPosition:
    """Where an instance goes: its new position, or None and every reason; either way, what else to know."""

    position: frozenset[str] | None
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


def compare(
    source: ProcessModel, target: ProcessModel, *, instructions: Instructions = (), generate: bool = True
) -> Comparison:
    """Compare two versions under mapping instructions, source id to target id (rules.md#the-mapping).

    With `generate` an instruction overrides the generated pair of its source; without it, the instructions
    are the whole mapping. Instructions that break a rule become error findings. A pair that was not
    generated because it would break one becomes an error finding if an instance can wait or listen there.
    """
    asked = sorted(instructions.items() if isinstance(instructions, Mapping) else instructions)
    read = read_instructions(asked, source, target)
    builder = MappingBuilder(Pairs(source, target), {before.removesuffix(BODY) for before, _ in asked})
    for pair in read.pairs:
        builder.pairs.add(pair)
    if generate:
        builder.generate()
    builder.settle()
    builder.carry_along()
    unmapped = find_unmapped(builder, read.findings, generated=generate)
    return _comparison(builder, unmapped, read.findings, generated=generate)


def migrate_position(comparison: Comparison, position: frozenset[str]) -> MigratedPosition:
    """Where an instance goes that waits at these elements, or why it cannot.

    It can if each element, and each event that listens meanwhile and still exists, has a valid pair.
    """
    findings = in_reading_order(finding for element in position for finding in _said_of(element, comparison))
    errors = _of(Severity.ERROR, findings)
    return MigratedPosition(
        position=None if errors else frozenset(comparison.position_map[element] for element in position),
        errors=errors,
        warnings=_of(Severity.WARNING, findings),
    )


def breaking_positions(comparison: Comparison) -> tuple[str, ...]:
    """The elements at which an instance can wait, or that listen meanwhile, and that break; sorted."""
    elements = comparison.source.elements.values()
    return tuple(sorted(element.id for element in elements if _breaks(element, comparison)))


def _breaks(element: Element, comparison: Comparison) -> bool:
    if holds_instances(element, comparison.source):
        return bool(_of(Severity.ERROR, _said_of(element.id, comparison)))
    return (
        element.id in comparison.unmapped
        and is_listener(element, comparison.source)
        and not is_gone(element, comparison.target)
    )


def _said_of(element_id: str, comparison: Comparison) -> Iterator[Finding]:
    element = comparison.source.elements.get(element_id)
    if element is None:
        yield unknown_element(element_id)
        return
    scopes = tuple(comparison.source.scopes_around(element))
    yield from comparison.unmapped.get(element_id, ())
    yield from comparison.warnings_by_element.get(element_id, ())
    if element_id in comparison.unmapped:
        yield from unmapped_around(element, comparison.unmapped, comparison.source, comparison.target)
    fired = _fired(scopes, comparison.source)
    for place in (element_id, *(scope.id for scope in scopes), None):
        yield from (
            finding for finding in comparison.listener_findings.get(place, ()) if finding.source not in fired
        )


def _fired(scopes: Iterable[Element], model: ProcessModel) -> set[str]:
    """The start events that no longer listen, because an instance is in what they have started."""
    return {
        start.id
        for scope in scopes
        if scope.kind is ElementKind.EVENT_SUB_PROCESS
        for start in model.contents(scope.id)
        if start.kind is ElementKind.START_EVENT and start.interrupting
    }


def _comparison(
    builder: MappingBuilder, unmapped: Unmapped, unread: Iterable[Finding], *, generated: bool
) -> Comparison:
    pairs = builder.pairs
    changes = find_changes(pairs)
    warnings = _by_source(find_warnings(pairs, changes))
    told = chain(
        unread, _refused_instructions(builder), relevant_unmapped(unmapped, pairs) if generated else ()
    )
    return Comparison(
        source=pairs.source_model,
        target=pairs.target_model,
        mapping={pair.source.id: pair.target.id for pair in pairs if not pair.carried},
        findings=in_reading_order(chain(told, *warnings.values())),
        added=changes.added,
        removed=changes.removed,
        changed=changes.changed,
        position_map={pair.source.id: pair.target.id for pair in pairs},
        unmapped=unmapped,
        warnings_by_element=warnings,
        listener_findings=_listener_findings(pairs, unmapped, warnings),
    )


def _refused_instructions(builder: MappingBuilder) -> Iterator[Finding]:
    for pair, findings in builder.refused.items():
        if pair.given:
            yield from findings


def _listener_findings(
    pairs: Pairs, unmapped: Unmapped, warnings: Mapping[str, tuple[Finding, ...]]
) -> dict[str | None, tuple[Finding, ...]]:
    model = pairs.source_model
    listener_findings: defaultdict[str | None, list[Finding]] = defaultdict(list)
    listener_findings[None].extend(warnings.get(model.id, ()))
    for element in model.elements.values():
        if is_listener(element, model):
            place = listens_while_in(element, model)
            listener_findings[place].extend(warnings.get(element.id, ()))
            if not is_gone(element, pairs.target_model):
                listener_findings[place].extend(unmapped.get(element.id, ()))
        elif element.is_scope:
            listener_findings[element.id].extend(_new_listeners_of(element, warnings))
    return {place: tuple(findings) for place, findings in listener_findings.items() if findings}


def _new_listeners_of(scope: Element, warnings: Mapping[str, tuple[Finding, ...]]) -> Iterator[Finding]:
    return (finding for finding in warnings.get(scope.id, ()) if finding.code is Code.NEW_BOUNDARY_EVENT)


def _by_source(findings: Iterable[Finding]) -> dict[str, tuple[Finding, ...]]:
    sorted_out: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        sorted_out[str(finding.source)].append(finding)
    return {source: tuple(found) for source, found in sorted_out.items()}


def _of(severity: Severity, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if finding.severity is severity)
