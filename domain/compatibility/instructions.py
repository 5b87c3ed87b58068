"""Resolves mapping instructions, which name a source and a target element by id, to pairs of elements.

Camunda 7 gives the body of a multi-instance activity an id of its own, `<id>#multiInstanceBody`. Instructions
written for Camunda are accepted: one for the body and one for the inner activity resolve to one pair.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from uplift.domain.bpmn.model import ProcessModel
from uplift.domain.compatibility.finding import Code, Finding, quoted
from uplift.domain.compatibility.pairs import Pair

BODY = "#multiInstanceBody"
"""The suffix that Camunda 7 appends to the id of a multi-instance activity to name its body."""

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
    every = frozenset(instructions)
    findings = {
        instruction: [
            *must_exist(instruction, source, target),
            *must_keep_body_and_inner(instruction, every),
        ]
        for instruction in instructions
    }
    return ResolvedInstructions(
        pairs=tuple(
            Pair(source=source.elements[before], target=target.elements[after], is_instruction=True)
            for before, after in instructions
            if not findings[before, after] and not before.endswith(BODY)
        ),
        findings=tuple(finding for group in findings.values() for finding in group),
    )


def must_exist(instruction: tuple[str, str], source: ProcessModel, target: ProcessModel) -> Iterator[Finding]:
    """The source and the target element exist. If neither does, each gets a finding."""
    before, after = instruction
    for element, model, version in ((before, source, "source"), (after, target, "target")):
        if not _exists(element, model):
            yield Finding(
                code=Code.ELEMENT_MISSING,
                source=before,
                target=after,
                message=f"Expected {quoted(before)} to be mapped to {quoted(after)}, "
                f"but the {version} version has no element {quoted(element)}.",
            )


def must_keep_body_and_inner(
    instruction: tuple[str, str], instructions: Set[tuple[str, str]]
) -> Iterator[Finding]:
    """The body and the inner activity of a multi-instance activity are mapped together.

    Source: Camunda 7, CannotAddMultiInstanceInnerActivityValidator and
    CannotRemoveMultiInstanceInnerActivityValidator.
    """
    before, after = instruction
    if not before.endswith(BODY) and not after.endswith(BODY):
        return
    inner = (before.removesuffix(BODY), after.removesuffix(BODY))
    if before.endswith(BODY) and after.endswith(BODY) and inner in instructions:
        return
    yield Finding(
        code=Code.MULTI_INSTANCE_SPLIT,
        source=before,
        target=after,
        message=f"Expected the body and the inner activity of multi-instance {quoted(inner[0])} to be "
        f"mapped together to those of {quoted(inner[1])}, but only {quoted(before)} is mapped to "
        f"{quoted(after)}.",
    )


def _exists(element: str, model: ProcessModel) -> bool:
    activity = model.elements.get(element.removesuffix(BODY))
    return activity is not None and (not element.endswith(BODY) or activity.multi_instance is not None)
