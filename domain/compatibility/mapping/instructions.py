"""Resolves mapping instructions, which name a source and a target element by id, to pairs of elements.

Instructions written for Camunda 7 are accepted: one for the body of a multi-instance activity and one for the
inner activity resolve to one pair.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from uplift.domain.bpmn.model import ProcessModel
from uplift.domain.compatibility.finding import Code, Finding, quoted
from uplift.domain.compatibility.mapping.camunda_ids import exists, is_body, without_part
from uplift.domain.compatibility.mapping.pairs import Pair

Instructions = Mapping[str, str] | Iterable[tuple[str, str]]
"""Source element id to target element id; as pairs, one source may occur twice, which breaks a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedInstructions:
    """The pairs of all valid instructions, and the findings on the others."""

    pairs: tuple[Pair, ...]
    findings: tuple[Finding, ...]


def resolve_instructions(
    instructions: list[tuple[str, str]], source: ProcessModel, target: ProcessModel
) -> ResolvedInstructions:
    """Resolve instructions to pairs, in the order of the instructions."""
    activities = {
        (without_part(before), without_part(after))
        for before, after in instructions
        if not is_body(before) and not is_body(after)
    }
    findings = {
        instruction: [
            *must_exist(instruction, source, target),
            *must_keep_body_and_inner(instruction, activities),
        ]
        for instruction in instructions
    }
    return ResolvedInstructions(
        pairs=tuple(
            Pair(source=source.elements[before], target=target.elements[after], is_instruction=True)
            for before, after in dict.fromkeys(
                (without_part(before), without_part(after))
                for before, after in instructions
                if not findings[before, after] and not is_body(before)
            )
        ),
        findings=tuple(finding for group in findings.values() for finding in group),
    )


def must_exist(instruction: tuple[str, str], source: ProcessModel, target: ProcessModel) -> Iterator[Finding]:
    """The source and the target element exist. If neither does, each gets a finding."""
    before, after = instruction
    for element, model, version in ((before, source, "source"), (after, target, "target")):
        if not exists(element, model):
            yield Finding(
                code=Code.ELEMENT_MISSING,
                source=before,
                target=after,
                message=f"Expected {quoted(before)} to be mapped to {quoted(after)}, "
                f"but the {version} version has no element {quoted(element)}.",
            )


def must_keep_body_and_inner(
    instruction: tuple[str, str], activities: Set[tuple[str, str]]
) -> Iterator[Finding]:
    """The body and the inner activity of a multi-instance activity are mapped together.

    `activities` holds the instructions that map no body, without the suffixes of inner activities.

    Source: Camunda 7, CannotAddMultiInstanceInnerActivityValidator and
    CannotRemoveMultiInstanceInnerActivityValidator.
    """
    before, after = instruction
    if not is_body(before) and not is_body(after):
        return
    inner = (without_part(before), without_part(after))
    if is_body(before) and is_body(after) and inner in activities:
        return
    yield Finding(
        code=Code.MULTI_INSTANCE_SPLIT,
        source=before,
        target=after,
        message=f"Expected the body and the inner activity of multi-instance {quoted(inner[0])} to be "
        f"mapped together to those of {quoted(inner[1])}, but only {quoted(before)} is mapped to "
        f"{quoted(after)}.",
    )


def findings_on(source: str, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings on the source of an instruction, whichever part of a multi-instance activity it names."""
    named = {source, without_part(source)}
    return tuple(finding for finding in findings if finding.source in named)
