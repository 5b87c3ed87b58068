"""Finds the target elements to which an instruction may map a source element.

Each candidate is checked alone against the pairs that the mapping has without it, which costs one mapping for
all of them. A comparison with the instruction has the last word: it also checks the pairs around the new one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from uplift.domain.bpmn.model import Element, ElementKind, ProcessModel
from uplift.domain.compatibility.finding import Code, Finding
from uplift.domain.compatibility.mapping.camunda_ids import exists, without_part
from uplift.domain.compatibility.mapping.instructions import Instructions, resolve_instructions
from uplift.domain.compatibility.mapping.mapping_builder import MappingBuilder
from uplift.domain.compatibility.mapping.pair_rules import broken_rules
from uplift.domain.compatibility.mapping.pairs import Pair, Pairs
from uplift.domain.compatibility.wait_states import GATEWAYS

MAX_TARGETS = 1_000
"""The most candidates that are listed, those that are allowed first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetCandidate:
    """An element of the target version, and what a pair with it would break: nothing if it is allowed."""

    element: Element
    findings: tuple[Finding, ...]


def find_targets(
    source: ProcessModel, target: ProcessModel, source_id: str, *, instructions: Instructions = ()
) -> tuple[TargetCandidate, ...] | None:
    """The elements to which `source_id` may be mapped beside other instructions, then those of its kind.

    Elements of another kind are never allowed, and not listed. Both parts are sorted by id. Returns at most
    MAX_TARGETS candidates, and None for an element that the source version does not have.
    """
    if not exists(source_id, source):
        return None
    element = source.elements[without_part(source_id)]
    ordered = sorted(instructions.items() if isinstance(instructions, Mapping) else instructions)
    others = [(before, after) for before, after in ordered if without_part(before) != element.id]
    instructed = {element.id, *(without_part(before) for before, _ in others)}
    builder = MappingBuilder(Pairs(source, target), instructed)
    for pair in resolve_instructions(others, source, target).pairs:
        builder.pairs.add(pair)
    builder.generate()
    builder.drop_invalid_pairs()
    candidates = [
        TargetCandidate(element=other, findings=_findings(element, other, builder.pairs))
        for other in target.elements.values()
    ]
    listed = [
        candidate
        for candidate in candidates
        if not any(finding.code is Code.TYPE_CHANGED for finding in candidate.findings)
    ]
    listed.sort(key=lambda candidate: (bool(candidate.findings), candidate.element.id))
    return tuple(listed[:MAX_TARGETS])


def _findings(source: Element, target: Element, pairs: Pairs) -> tuple[Finding, ...]:
    # A generated pair gives way to an instruction with the same target, where only one may have it.
    is_exclusive = target.kind is ElementKind.INTERMEDIATE_CATCH_EVENT or target.kind in GATEWAYS
    displaced = [pair for pair in pairs.all_by_target(target.id) if is_exclusive and not pair.is_instruction]
    candidate = Pair(source=source, target=target, is_instruction=True)
    for pair in displaced:
        pairs.drop(pair)
    pairs.add(candidate)
    findings = broken_rules(candidate, pairs)
    pairs.drop(candidate)
    for pair in displaced:
        pairs.add(pair)
    return findings
