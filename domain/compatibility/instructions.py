"""Which pairs does the caller ask for, and which of the instructions are none?

An instruction names a source and a target element by their ids. Camunda 7 gives the body of a multi-instance
activity an id of its own, `<id>#multiInstanceBody`; instructions written for it are understood: one for the
body and one for the inner activity make one pair.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from uplift.domain.bpmn.model import ProcessModel
from uplift.domain.compatibility.finding import Code, Finding
from uplift.domain.compatibility.pairs import Pair

BODY = "#multiInstanceBody"
"""What Camunda 7 appends to the id of a multi-instance activity to name its body."""

Instructions = Mapping[str, str] | Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadInstructions:
    """The pairs that instructions ask for, and a finding for each instruction that asks for none."""

    pairs: tuple[Pair, ...]
    findings: tuple[Finding, ...]


def read_instructions(
    given: list[tuple[str, str]], source: ProcessModel, target: ProcessModel
) -> ReadInstructions:
    """The pairs asked for, in the order of the instructions."""
    findings = {
        instruction: [*must_exist(instruction, source, target), *must_keep_body_and_inner(instruction, given)]
        for instruction in given
    }
    return ReadInstructions(
        pairs=tuple(
            Pair(source=source.elements[before], target=target.elements[after], given=True)
            for before, after in given
            if not findings[before, after] and not before.endswith(BODY)
        ),
        findings=tuple(finding for found in findings.values() for finding in found),
    )


def must_exist(instruction: tuple[str, str], source: ProcessModel, target: ProcessModel) -> Iterator[Finding]:
    """Both elements exist; if neither does, both are reported."""
    before, after = instruction
    for element, model, version in ((before, source, "source"), (after, target, "target")):
        if not _exists(element, model):
            yield Finding(
                code=Code.ELEMENT_MISSING,
                source=before,
                target=after,
                message=f"Expected '{before}' to be mapped to '{after}', "
                f"but the {version} version has no element '{element}'.",
            )


def must_keep_body_and_inner(instruction: tuple[str, str], given: list[tuple[str, str]]) -> Iterator[Finding]:
    """The body of a multi-instance activity is mapped to a body, and the inner activities alike.

    Source: Camunda 7, CannotAddMultiInstanceInnerActivity and CannotRemoveMultiInstanceInnerActivity.
    """
    before, after = instruction
    if not before.endswith(BODY) and not after.endswith(BODY):
        return
    inner = (before.removesuffix(BODY), after.removesuffix(BODY))
    if before.endswith(BODY) and after.endswith(BODY) and inner in given:
        return
    yield Finding(
        code=Code.MULTI_INSTANCE_SPLIT,
        source=before,
        target=after,
        message=f"Expected the body and the inner activity of multi-instance '{inner[0]}' to be mapped "
        f"together to those of '{inner[1]}', but only '{before}' is mapped to '{after}'.",
    )


def _exists(element: str, model: ProcessModel) -> bool:
    found = model.elements.get(element.removesuffix(BODY))
    return found is not None and (not element.endswith(BODY) or found.multi_instance is not None)
